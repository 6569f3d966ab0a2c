public import Vocabulary

/// How far a device has counted its submissions. Whether it is an old copy of itself is seen by what the home has of them: what was sealed
/// without a session is counted too, so that a copy which seals before it is told would otherwise look as new as what it was copied from.
/// Source: docs/protocol/conversations.md §7.
public struct SubmissionOrder: Hashable, Sendable {
    /// The highest one given.
    public internal(set) var last: UInt64 = 0
    /// The highest one that a home may have seen.
    public internal(set) var handedOver: UInt64 = 0
    /// An old copy that has still to read what waits at home. A Welcome among that may be one that its later self has entered by.
    var isCatchingUp = false

    public init() {}

    /// The next one. A home that says to have seen the highest there is keeps it there: it could keep this device from sending anyway.
    mutating func next() -> UInt64 {
        last = min(last, counterMax - 1) + 1
        return last
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(last)
        writer.write(handedOver)
        writer.write(UInt8(isCatchingUp ? 1 : 0))
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        last = try reader.integer()
        // Older profiles do not tell them apart.
        handedOver = bytes.count == 8 ? last : try reader.integer()
        isCatchingUp = bytes.count > 16 ? try reader.integer(UInt8.self) == 1 : false
        try reader.finish()
    }
}
