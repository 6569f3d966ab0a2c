internal import Glibc
internal import NIOCore
internal import NIOPosix

/// The owner's socket in the profile folder. Only the folder's owner can reach it (the folder is 0700, the socket 0600).
enum HandoverSocket {
    static let name = "courier.sock"
    /// More that another process does not read ends its request.
    private static let unreadBytesMax = 16 << 20
    /// How often the owner says that it is there.
    fileprivate static let workingEvery = TimeAmount.seconds(2)
    /// Silence for so long is no busy owner: a commit on a slow disk may take seconds.
    static let silenceMax = TimeAmount.seconds(10)

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

    /// What comes of a request that was handed over.
    enum Answer {
        case reply(Reply)
        /// For `silenceMax`.
        case silence
        /// The owner is gone.
        case end
    }

    /// Hands a request to the owner.
    /// - Returns: nil when nobody has the socket.
    static func ask(
        _ request: Request, at place: Place, on loop: any EventLoop, onAnswer: @escaping @Sendable (Answer) -> Void
    ) async -> (any Channel)? {
        let channel = try? await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let sync = channel.pipeline.syncOperations
                    try sync.addHandler(IdleStateHandler(readTimeout: silenceMax))
                    try sync.addHandler(ByteToMessageHandler(HandoverDecoder<Reply>()))
                    try sync.addHandler(ReplyHandler(onAnswer: onAnswer))
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
    private var working: RepeatedTask?

    init(owner: Owner) { self.owner = owner }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .request(let request):
            guard job == nil else { return context.close(promise: nil) }
            let channel = context.channel
            @Sendable func say(_ reply: Reply) {
                // Stopped, or stuck: whoever reads again asks anew.
                guard channel.isWritable else { return channel.close(promise: nil) }
                guard let buffer = Handover.encode(reply, with: channel.allocator) else { return }
                channel.writeAndFlush(buffer, promise: nil)
            }
            say(.working)
            working = context.eventLoop.scheduleRepeatedTask(initialDelay: HandoverSocket.workingEvery, delay: HandoverSocket.workingEvery)
            {
                _ in say(.working)
            }
            job = owner.begin(request, reply: say)
        case .shown, .chat:
            if let job { owner.hear(unwrapInboundIn(data), from: job) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        working?.cancel()
        if let job { owner.end(job) }
        job = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// The owner's answers, at the process that asked.
private final class ReplyHandler: ChannelInboundHandler {
    typealias InboundIn = Reply
    private let onAnswer: @Sendable (HandoverSocket.Answer) -> Void
    private var hasHeard = false

    init(onAnswer: @escaping @Sendable (HandoverSocket.Answer) -> Void) { self.onAnswer = onAnswer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let reply = unwrapInboundIn(data)
        // Whoever writes to a pager may not come to the next for hours, and the first tells all.
        if reply != .working || !hasHeard { onAnswer(.reply(reply)) }
        hasHeard = true
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case IdleStateHandler.IdleStateEvent.read = event { onAnswer(.silence) }
    }

    func channelInactive(context: ChannelHandlerContext) { onAnswer(.end) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
