internal import Foundation
package import NIOCore

/// A JSON object after its length in four bytes: what two processes of one profile say to each other over its socket. Both are the
/// same program and the same user's; the form may change with every version.
package struct HandoverDecoder<Message: Decodable>: ByteToMessageDecoder {
    package typealias InboundOut = Message
    static var bytesMax: Int { 1 << 20 }

    package init() {}

    package func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else { return .needMoreData }
        guard length <= Self.bytesMax else { throw HandoverError.tooLong }
        guard buffer.readableBytes >= 4 + Int(length) else { return .needMoreData }
        buffer.moveReaderIndex(forwardBy: 4)
        guard let bytes = buffer.readBytes(length: Int(length)) else { return .needMoreData }
        context.fireChannelRead(wrapInboundOut(try JSONDecoder().decode(Message.self, from: Data(bytes))))
        return .continue
    }

    package func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws -> DecodingState {
        try decode(context: context, buffer: &buffer)
    }
}

enum HandoverError: Error {
    case tooLong
}

package enum Handover {
    package static func encode(_ message: some Encodable, with allocator: ByteBufferAllocator) -> ByteBuffer? {
        guard let data = try? JSONEncoder().encode(message) else { return nil }
        var buffer = allocator.buffer(capacity: data.count + 4)
        buffer.writeInteger(UInt32(data.count))
        buffer.writeBytes(data)
        return buffer
    }
}
