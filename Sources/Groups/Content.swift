internal import Cryptography
public import Vocabulary

/// What is inside an application message.
public struct Content: Hashable, Sendable {
    public enum Body: Hashable, Sendable {
        case text(String)
        /// Who holds it may subscribe to the sender's presence; in place of the one before. Not shown.
        case presenceToken(Bytes32)
        /// Says nothing: once members have it, their watermarks say anew what they have of what was sent before. Not shown.
        case receiptsWanted
        /// Of a newer version; shown as such.
        case unknown(UInt8)
    }

    public let body: Body
    /// By the sender's clock.
    public let sent: Timestamp
    public let frankingKey: Bytes32

    public init(_ body: Body, sent: Timestamp, frankingKey: Bytes32) {
        (self.body, self.sent, self.frankingKey) = (body, sent, frankingKey)
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(1))
        writer.write(fixed: frankingKey.bytes)
        writer.write(UInt64(clamping: sent.milliseconds))
        switch body {
        case .text(let text):
            writer.write(UInt8(1))
            writer.write(text: text)
        case .presenceToken(let token):
            writer.write(UInt8(2))
            writer.write(fixed: token.bytes)
        case .receiptsWanted: writer.write(UInt8(3))
        case .unknown(let kind): writer.write(kind)
        }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of a message's content") }
        guard let frankingKey = Bytes32(try reader.fixed(32)) else { throw .truncated }
        self.frankingKey = frankingKey
        sent = Timestamp(milliseconds: Int64(try reader.counter(SequenceNumber.self).value))
        switch try reader.integer(UInt8.self) {
        case 1: body = .text(try reader.text(max: Limits.textBytesMax))
        case 2:
            guard let token = Bytes32(try reader.fixed(32)) else { throw .truncated }
            body = .presenceToken(token)
        case 3: body = .receiptsWanted
        case let kind:
            body = .unknown(kind)
            return
        }
        try reader.finish()
    }

    /// The franking tag of encoded content: keyed BLAKE2b-256 under the key that the content carries.
    public static func franking(of encoded: [UInt8], key: Bytes32) -> Digest {
        Digest(raw: Bytes32(Hash.keyed(encoded, key: Secret(key.bytes))) ?? .zero)
    }
}
