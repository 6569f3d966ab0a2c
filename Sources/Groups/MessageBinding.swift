public import Vocabulary

/// The authenticated data of every message and handshake (RFC 9420 §6.1): what the sender saw when it was made. Readable by nodes,
/// changeable by nobody; a hub that shows two members different histories is found out by the first message between them.
public struct MessageBinding: Hashable, Sendable {
    /// The message's id, so that the same bytes cannot be shown under another one.
    public let message: MessageID
    /// The last event that the sender had, and the chain there.
    public let head: SequenceNumber
    public let chain: Digest
    /// Commits to the content under a key inside it: a recipient can later prove what was sent. Zero for handshakes.
    public let franking: Digest
    /// Of an external commit: through here the device has taken everything before it came back in. What lies between is lost to it.
    public let resumed: SequenceNumber?

    public init(message: MessageID, head: SequenceNumber, chain: Digest, franking: Digest = .zero, resumed: SequenceNumber? = nil) {
        (self.message, self.head, self.chain, self.franking, self.resumed) = (message, head, chain, franking, resumed)
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 104)
        writer.write(UInt16(resumed == nil ? 1 : 2))
        writer.write(message)
        writer.write(head)
        writer.write(chain)
        writer.write(franking)
        if let resumed { writer.write(resumed) }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        let format = try reader.integer(UInt16.self)
        guard format == 1 || format == 2 else { throw .badValue("the format of a message's binding") }
        message = try reader.id()
        (head, chain, franking) = (try reader.counter(), try reader.id(), try reader.id())
        resumed = format == 2 ? try reader.counter() : nil
        try reader.finish()
    }
}
