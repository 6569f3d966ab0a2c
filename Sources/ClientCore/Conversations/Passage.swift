internal import Vocabulary

/// A conversation's way through a restoration of its hub: from the event that began it to the one that settles it nothing of ours is sealed.
struct Passage: Hashable, Sendable {
    /// Of the hub's restoration.
    let id: UInt64
    /// The last event that the hub's copy had.
    let from: SequenceNumber
    /// How far we had come before.
    let head: SequenceNumber
    let chain: Digest
    var isSettled = false
    /// The group that it goes on with is an older or another one than ours: we may go back to it.
    var mayReturn = false
}

extension Passage {
    init(from reader: inout ByteReader) throws(CodecError) {
        id = try reader.counter(SequenceNumber.self).value
        (from, head, chain) = (try reader.counter(), try reader.counter(), try reader.id())
        let flags = try reader.integer(UInt8.self)
        (isSettled, mayReturn) = (flags & 1 != 0, flags & 2 != 0)
    }

    func write(to writer: inout ByteWriter) {
        writer.write(id)
        writer.write(from)
        writer.write(head)
        writer.write(chain)
        writer.write(UInt8((isSettled ? 1 : 0) | (mayReturn ? 2 : 0)))
    }
}
