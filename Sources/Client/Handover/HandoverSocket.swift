internal import Glibc
internal import NIOCore
internal import NIOPosix

/// The owner's socket in the profile folder. Only the folder's owner can reach it (the folder is 0700, the socket 0600).
enum HandoverSocket {
    static let name = "courier.sock"
    /// More that another process does not read ends its request.
    private static let unreadBytesMax = 16 << 20

    /// A path short enough for `sockaddr_un` (107 bytes), whatever the folder's: through a descriptor of the folder.
    struct Place {
        let descriptor: Int32
        var path: String { "/proc/self/fd/\(descriptor)/\(HandoverSocket.name)" }

        init?(folder: String) {
            descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { return nil }
        }

        func close() { _ = Glibc.close(descriptor) }
    }

    /// Serves requests of other processes to `owner`. The socket of a predecessor that was killed is replaced: we hold the lock.
    static func serve(_ owner: Owner, at place: Place, on loop: any EventLoop) async throws -> any Channel {
        _ = unlink(place.path)
        let channel = try await ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 64)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: unreadBytesMax / 2, high: unreadBytesMax))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let sync = channel.pipeline.syncOperations
                    try sync.addHandler(ByteToMessageHandler(HandoverDecoder<Said>()))
                    try sync.addHandler(RequestHandler(owner: owner))
                }
            }
            .bind(unixDomainSocketPath: place.path).get()
        _ = chmod(place.path, 0o600)
        return channel
    }

    /// Hands a request to the owner. Every reply goes to `onReply`, nil when the owner is gone.
    /// - Returns: nil when nobody answers at the socket.
    static func ask(
        _ request: Request, at place: Place, on loop: any EventLoop, onReply: @escaping @Sendable (Reply?) -> Void
    ) async -> (any Channel)? {
        let channel = try? await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let sync = channel.pipeline.syncOperations
                    try sync.addHandler(ByteToMessageHandler(HandoverDecoder<Reply>()))
                    try sync.addHandler(ReplyHandler(onReply: onReply))
                }
            }
            .connect(unixDomainSocketPath: place.path).get()
        guard let channel else { return nil }
        say(.request(request), on: channel)
        return channel
    }

    static func say(_ said: Said, on channel: any Channel) {
        guard let buffer = Handover.encode(said, with: channel.allocator) else { return }
        channel.writeAndFlush(buffer, promise: nil)
    }
}

/// One request of another process, at the owner.
private final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = Said
    private let owner: Owner
    private var job: Owner.JobID?

    init(owner: Owner) { self.owner = owner }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .request(let request):
            guard job == nil else { return context.close(promise: nil) }
            let channel = context.channel
            job = owner.begin(request) { reply in
                // Stopped, or stuck: whoever reads again asks anew.
                guard channel.isWritable else { return channel.close(promise: nil) }
                guard let buffer = Handover.encode(reply, with: channel.allocator) else { return }
                channel.writeAndFlush(buffer, promise: nil)
            }
        case .shown, .chat:
            if let job { owner.hear(unwrapInboundIn(data), from: job) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let job { owner.end(job) }
        job = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// The owner's answers, at the process that asked.
private final class ReplyHandler: ChannelInboundHandler {
    typealias InboundIn = Reply
    private let onReply: @Sendable (Reply?) -> Void

    init(onReply: @escaping @Sendable (Reply?) -> Void) { self.onReply = onReply }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { onReply(unwrapInboundIn(data)) }
    func channelInactive(context: ChannelHandlerContext) { onReply(nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
