package import NIOCore
package import NIOWebSocket
package import Vocabulary
internal import Wire

/// Whom a session's handler tells what happens.
package protocol SessionListener: AnyObject {
    /// The WebSocket stands: frames can be written.
    func opened(on channel: any Channel)
    func received(_ frames: [NodeFrame])
    func ended(_ end: ConnectionEnd)
}

/// Frames in, at the end of each read as one batch. More that waits for the socket than `ClientLimits.outboundBytesMax`: the node does not
/// read, and the session ends, as it does on the node's side.
package final class SessionHandler: ChannelInboundHandler {
    package typealias InboundIn = WebSocketFrame
    package typealias OutboundOut = WebSocketFrame
    private let connection: any SessionListener
    private var batch: [NodeFrame] = []
    /// The last ping of this read: one answer is enough for several (RFC 6455 §5.5.3).
    private var pinged: ByteBuffer?

    package init(connection: any SessionListener) { self.connection = connection }

    package func handlerAdded(context: ChannelHandlerContext) { connection.opened(on: context.channel) }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .binary:
            do { batch.append(try NodeFrame(serialized: Array(frame.unmaskedData.readableBytesView))) } catch {
                deliver()
                connection.ended(.violated("It sent a frame that does not decode: \(error.explanation.why)"))
            }
        case .ping: pinged = frame.unmaskedData
        case .connectionClose:
            deliver()
            connection.ended(.lost("the node closed the session"))
        default: break
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        deliver()
        guard let data = pinged else { return }
        pinged = nil
        context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: data)), promise: nil)
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if !context.channel.isWritable { connection.ended(.lost("the node does not read what is sent to it")) }
        context.fireChannelWritabilityChanged()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        deliver()
        connection.ended(.lost("the connection was closed"))
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) { connection.ended(ConnectionEnd(error)) }

    private func deliver() {
        let frames = batch
        batch = []
        connection.received(frames)
    }
}
