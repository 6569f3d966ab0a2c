package import NIOCore
internal import Vocabulary

/// The frames of a link: each its length as four bytes, big-endian, then the frame. Source: docs/protocol/node-link.md.
///
/// They are cut out one by one, when somebody wants the next: a read brings thousands of small ones, and everybody waits while they are decoded.
package struct LinkStream {
    private var buffer = ByteBuffer()

    package init() {}

    /// What has come and was not taken.
    package var bytes: Int { buffer.readableBytes }

    package mutating func add(_ more: ByteBuffer) {
        guard bytes > 0 else {
            buffer = more
            return
        }
        buffer.discardReadBytes()
        buffer.writeImmutableBuffer(more)
    }

    /// The length is judged before the frame is waited for.
    /// - Returns: nil while no frame is there as a whole.
    package mutating func next() throws(LinkFrameTooLarge) -> [UInt8]? {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return nil }
        guard length <= UInt32(Limits.frameBytesMax) else { throw LinkFrameTooLarge() }
        guard let frame = buffer.getBytes(at: buffer.readerIndex + 4, length: Int(length)) else { return nil }
        buffer.moveReaderIndex(forwardBy: 4 + Int(length))
        return frame
    }
}

package struct LinkFrameTooLarge: Error {}
