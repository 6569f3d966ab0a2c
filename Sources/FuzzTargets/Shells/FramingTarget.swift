internal import NIOCore
internal import NIOEmbedded
internal import NIOWebSocket
internal import RelayNode
internal import Vocabulary

/// How frames are cut out of a stream: of links (length and bytes) and of sessions (RFC 6455, with its fragments). The first byte chooses.
struct FramingTarget: FuzzTarget {
    let seeds: [[UInt8]]

    init() throws {
        let tape = try HonestWorld.shared().tape
        func prefixed(_ frame: [UInt8]) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: frame.count >> (24 - 8 * $0)) } + frame }
        /// Masked with zeros, as a client may.
        func masked(_ opcode: UInt8, _ frame: [UInt8]) -> [UInt8] {
            let length = frame.count < 126 ? [UInt8(frame.count)] : [126, UInt8(frame.count >> 8 & 0xff), UInt8(frame.count & 0xff)]
            return [opcode, length[0] | 0x80] + length.dropFirst() + [0, 0, 0, 0] + frame
        }
        let links = tape.linkFrames.prefix(40).map { prefixed($0.frame.serialized()) }
        let clients = tape.clientFrames.prefix(40).map { masked(0x82, $0.frame.serialized()) }
        seeds =
            links.map { [0] + $0 } + [[0] + links.flatMap(\.self).prefix(8_000)] + clients.map { [1] + $0 } + [
                [1] + masked(0x02, [1, 2]) + masked(0x00, [3]) + masked(0x89, [9]) + masked(0x80, [4]), [1] + masked(0x88, [3, 0xe8]),
                [1] + masked(0x81, [65]) + masked(0x80, []), [1, 0x82, 0xff] + Array(repeating: 0xff, count: 12),
            ]
    }

    mutating func take(_ input: [UInt8]) throws(Finding) -> Bool {
        guard let first = input.first else { return false }
        let bytes = Array(input.dropFirst())
        return first & 1 == 0 ? try link(bytes) : try session(bytes)
    }

    private func link(_ bytes: [UInt8]) throws(Finding) -> Bool {
        let frames = Self.frames(bytes, in: [bytes.count])
        try promise(frames == Self.frames(bytes, in: [1, 5, 2]), "what is read depends on how it arrives")
        for frame in frames { try promise(frame.count <= Limits.frameBytesMax, "a frame of \(frame.count) bytes") }
        return !frames.isEmpty
    }

    private static func frames(_ bytes: [UInt8], in sizes: [Int]) -> [[UInt8]] {
        var (stream, frames) = (LinkStream(), [[UInt8]]())
        for piece in Pieces.cut(bytes, in: sizes) {
            stream.add(ByteBuffer(bytes: piece))
            do throws(LinkFrameTooLarge) { while let frame = try stream.next() { frames.append(frame) } } catch { break }
        }
        return frames
    }

    private func session(_ bytes: [UInt8]) throws(Finding) -> Bool {
        let decoder = WebSocketFrameDecoder(maxFrameSize: Limits.frameBytesMax)
        let frames = Pieces.read(bytes, in: [bytes.count], with: decoder, as: WebSocketFrame.self)
        var (message, whole) = (FragmentedMessage(), 0)
        for frame in frames where !frame.opcode.isControlOpcode {
            switch message.add(frame.opcode, Array(frame.unmaskedData.readableBytesView), isFinal: frame.fin) {
            case .incomplete: break
            case .complete(let bytes):
                try promise(bytes.count <= Limits.frameBytesMax, "a message of \(bytes.count) bytes")
                whole += 1
            case .violation: return whole > 0
            }
        }
        return whole > 0
    }
}

extension WebSocketOpcode {
    fileprivate var isControlOpcode: Bool { self == .connectionClose || self == .ping || self == .pong }
}
