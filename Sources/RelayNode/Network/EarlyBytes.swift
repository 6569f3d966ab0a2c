internal import NIOCore
internal import Vocabulary

/// In front of a session's decoder until it has authenticated: bounds what a stranger says in all. What is half a frame, or a part of a message,
/// is kept until the rest is there, and counted nowhere else.
final class EarlyBytes: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let admission: Admission
    private let session: SessionHandler
    private var left = Limits.bytesBeforeAuthenticationMax

    init(_ admission: Admission, _ session: SessionHandler) { (self.admission, self.session) = (admission, session) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard admission.isPending else {
            context.fireChannelRead(data)
            return context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        }
        left -= Self.unwrapInboundIn(data).readableBytes
        guard left >= 0 else {
            let most = Limits.bytesBeforeAuthenticationMax
            return session.close(after: Refusal(.tooLarge, "Before it authenticates a session may say \(most) bytes."))
        }
        context.fireChannelRead(data)
    }
}
