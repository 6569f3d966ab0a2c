internal import ClientCore
internal import Cryptography
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import NIOWebSocket
internal import Transport
internal import Vocabulary
internal import Wire

/// One session's connection: TLS 1.3, WebSocket at /v1/session. It says what arrived; what that means the core decides.
final class NodeConnection: SessionListener, @unchecked Sendable {
    // Unchecked: everything but `init` and the closures handed to NIO runs on `loop`, which asserts it.
    enum Event: Sendable {
        case opened(certificateHash: Bytes32)
        /// All that one read brought, so that it becomes one batch.
        case frames([NodeFrame])
        case closed(ConnectionEnd)
    }

    private let loop: any EventLoop
    private let endpoint: Endpoint
    private let onEvent: @Sendable (NodeConnection, Event) -> Void
    private var channel: (any Channel)?
    private var certificateHash: Bytes32?
    /// The WebSocket stands: frames can be written.
    private var isUpgraded = false
    private var hasUnflushed = false
    private var isClosed = false

    init(to endpoint: Endpoint, on loop: any EventLoop, onEvent: @escaping @Sendable (NodeConnection, Event) -> Void) {
        (self.loop, self.endpoint, self.onEvent) = (loop, endpoint, onEvent)
    }

    func open() {
        let context: NIOSSLContext
        do { context = try TLSContexts.client() } catch { return ended(.lost("\(error.explanation)")) }
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(8))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Passing the high mark ends the session, so the low one is of no use.
            .channelOption(
                .writeBufferWaterMark, value: .init(low: ClientLimits.outboundBytesMax / 2, high: ClientLimits.outboundBytesMax)
            )
            .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try self.configure(channel, context) } }
            .connect(host: endpoint.host, port: Int(endpoint.port))
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    self.channel = channel
                    if self.isClosed { channel.close(promise: nil) }
                case .failure(let error): self.ended(ConnectionEnd(error))
                }
            }
    }

    private func configure(_ channel: any Channel, _ context: NIOSSLContext) throws {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(
            TLSHandlers.client(context) { certificate in
                // Any certificate will do: the node signs its hash with the pinned key before we prove anything.
                guard let der = try? certificate.toDERBytes() else { return false }
                self.certificateHash = Hash.sha256(der)
                return true
            })
        let upgrader = NIOWebSocketClientUpgrader(maxFrameSize: Limits.frameBytesMax) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers(
                    NIOWebSocketFrameAggregator(
                        minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: Limits.fragmentsPerMessageMax,
                        maxAccumulatedFrameSize: Limits.frameBytesMax),
                    SessionHandler(connection: self))
            }
        }
        let request = UpgradeRequestHandler(endpoint: endpoint) { self.ended($0) }
        try pipeline.addHTTPClientHandlers(
            withClientUpgrade: (
                upgraders: [upgrader],
                completionHandler: { context in context.pipeline.syncOperations.removeHandler(request, promise: nil) }
            ))
        try pipeline.addHandler(request)
    }

    // MARK: On the loop

    /// Written at once, sent at the next `flush`: a batch's frames share the system calls.
    func write(_ frame: ClientFrame) {
        guard let channel, isUpgraded, !isClosed else { return }
        let data = channel.allocator.buffer(bytes: frame.serialized())
        channel.write(WebSocketFrame(fin: true, opcode: .binary, maskKey: .random(), data: data), promise: nil)
        hasUnflushed = true
    }

    func flush() {
        guard hasUnflushed else { return }
        hasUnflushed = false
        channel?.flush()
    }

    /// Closes without another event.
    /// - Returns: when everything written has been handed to the system.
    @discardableResult
    func close() -> EventLoopFuture<Void> {
        guard !isClosed else { return loop.makeSucceededVoidFuture() }
        isClosed = true
        guard let channel, channel.isActive else { return loop.makeSucceededVoidFuture() }
        guard isUpgraded else {
            // Still HTTP: there is nobody to say goodbye to.
            channel.close(promise: nil)
            return loop.makeSucceededVoidFuture()
        }
        var data = channel.allocator.buffer(capacity: 2)
        data.write(webSocketErrorCode: .normalClosure)
        let written = channel.writeAndFlush(WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: data))
        return written.always { _ in channel.close(promise: nil) }
    }

    func opened(on channel: any Channel) {
        self.channel = channel
        isUpgraded = true
        guard !isClosed else { return }
        guard let certificateHash else { return ended(.violated("It showed no certificate.")) }
        onEvent(self, .opened(certificateHash: certificateHash))
    }

    func received(_ frames: [NodeFrame]) {
        if !isClosed, !frames.isEmpty { onEvent(self, .frames(frames)) }
    }

    func ended(_ end: ConnectionEnd) {
        loop.assertInEventLoop()
        guard !isClosed else { return }
        isClosed = true
        channel?.close(promise: nil)
        onEvent(self, .closed(end))
    }
}

/// Asks for the WebSocket as soon as the channel is up, and says why when the answer is no.
private final class UpgradeRequestHandler: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart
    private let endpoint: Endpoint
    private let onFailure: @Sendable (ConnectionEnd) -> Void

    init(endpoint: Endpoint, onFailure: @escaping @Sendable (ConnectionEnd) -> Void) {
        (self.endpoint, self.onFailure) = (endpoint, onFailure)
    }

    func channelActive(context: ChannelHandlerContext) {
        let headers: HTTPHeaders = ["host": "\(endpoint)", "content-length": "0"]
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/v1/session", headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        onFailure(.lost("the node answered with HTTP status \(head.status.code) instead of a session"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { onFailure(ConnectionEnd(error)) }
    func channelInactive(context: ChannelHandlerContext) { onFailure(.lost("the node closed the connection")) }
}
