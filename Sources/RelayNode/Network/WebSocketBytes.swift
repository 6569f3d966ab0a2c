internal import NIOCore
internal import NIOWebSocket
internal import Vocabulary

/// Writing WebSocket frames as a server does: unmasked and whole (RFC 6455 §5.2). By hand, so that all frames of a batch are one buffer.
enum WebSocketBytes {
    static func headerBytes(payloadBytes: Int) -> Int {
        payloadBytes < 126 ? 2 : payloadBytes <= Int(UInt16.max) ? 4 : 10
    }

    static func write(_ opcode: WebSocketOpcode, _ payload: some Collection<UInt8>, to buffer: inout ByteBuffer) {
        buffer.writeInteger(0x80 | UInt8(webSocketOpcode: opcode))
        let count = payload.count
        if count < 126 {
            buffer.writeInteger(UInt8(count))
        } else if count <= Int(UInt16.max) {
            buffer.writeInteger(UInt8(126))
            buffer.writeInteger(UInt16(count))
        } else {
            buffer.writeInteger(UInt8(127))
            buffer.writeInteger(UInt64(count))
        }
        buffer.writeBytes(payload)
    }

    static func writeClose(_ code: UInt16, to buffer: inout ByteBuffer) {
        write(.connectionClose, [UInt8(code >> 8), UInt8(code & 0xff)], to: &buffer)
    }

    /// The payload without its mask, in one pass (RFC 6455 §5.3).
    static func unmasked(_ data: ByteBuffer, _ mask: WebSocketMaskingKey) -> [UInt8] {
        let key = UInt64(mask[0]) | UInt64(mask[1]) << 8 | UInt64(mask[2]) << 16 | UInt64(mask[3]) << 24
        let word = key | key << 32
        let count = data.readableBytes
        return [UInt8](unsafeUninitializedCapacity: count) { out, written in
            let out = UnsafeMutableRawBufferPointer(out)
            data.withUnsafeReadableBytes { bytes in
                var index = 0
                while index + 8 <= count {
                    let masked = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    out.storeBytes(of: masked ^ word.littleEndian, toByteOffset: index, as: UInt64.self)
                    index += 8
                }
                while index < count {
                    out[index] = bytes[index] ^ mask[index & 3]
                    index += 1
                }
            }
            written = count
        }
    }
}

/// Close codes (RFC 6455 §7.4.1 and IANA's registry).
enum CloseCode {
    static let normal: UInt16 = 1000
    static let goingAway: UInt16 = 1001
    static let protocolError: UInt16 = 1002
    static let unacceptableData: UInt16 = 1003
    static let invalidPayload: UInt16 = 1007
    static let policyViolation: UInt16 = 1008
    static let tooLarge: UInt16 = 1009
    static let internalError: UInt16 = 1011
    static let tryAgainLater: UInt16 = 1013

    static func of(_ refusal: Refusal?) -> UInt16 {
        switch refusal?.code {
        case nil: normal
        case .shuttingDown: goingAway
        case .badFrame: invalidPayload
        case .tooLarge: tooLarge
        case .rateLimited, .busy, .diskFull, .queueFull: tryAgainLater
        case .unknown: internalError
        default: policyViolation
        }
    }

    /// Whether a peer may send it in a close frame (RFC 6455 §7.4).
    static func maySend(_ code: UInt16) -> Bool {
        (1000...1003).contains(code) || (1007...1014).contains(code) || (3000...4999).contains(code)
    }
}
