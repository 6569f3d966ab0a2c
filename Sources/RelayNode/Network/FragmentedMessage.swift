package import NIOWebSocket
internal import Vocabulary

/// Puts a message's parts together, bounded in bytes and in parts (RFC 6455 §5.4).
package struct FragmentedMessage {
    package enum Outcome: Equatable {
        case incomplete
        case complete([UInt8])
        /// To be closed with this code.
        case violation(UInt16)
    }

    private var parts = 0
    private var bytes: [UInt8] = []

    package init() {}

    package mutating func add(_ opcode: WebSocketOpcode, _ part: [UInt8], isFinal: Bool) -> Outcome {
        switch opcode {
        case .continuation where parts == 0: return .violation(CloseCode.protocolError)
        case .continuation: break
        case .binary where parts == 0: break
        case .binary: return .violation(CloseCode.protocolError)
        default: return .violation(CloseCode.unacceptableData)
        }
        guard bytes.count + part.count <= Limits.frameBytesMax, parts < Limits.fragmentsPerMessageMax else {
            return .violation(CloseCode.tooLarge)
        }
        if isFinal, parts == 0 { return .complete(part) }
        parts += 1
        bytes += part
        guard isFinal else { return .incomplete }
        defer { self = FragmentedMessage() }
        return .complete(bytes)
    }
}
