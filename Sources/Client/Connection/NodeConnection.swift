internal import Cryptography
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import NIOWebSocket
internal import Transport
internal import Vocabulary
internal import Wire

/// One session's connection: TLS 1.3, WebSocket at /v1/session. It says what arrived; what that means the core decides.
final class NodeConnection: @unchecked Sendable {
    // Unchecked: everything but `init` and the closures handed to NIO runs on `loop`, which asserts it.
    enum Event: Sendable {
        case opened(certificateHash: Bytes32)
        /// All that one read brought, so that it becomes one batch.
        case frames([NodeFrame])
        case closed(String)
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
        do { context = try TLSContexts.client() } catch { return ended("\(error.explanation)") }
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(8))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try self.configure(channel, context) } }
            .connect(host: endpoint.host, port: Int(endpoint.port))
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    self.channel = channel
                    if self.isClosed { channel.close(promise: nil) }
                case .failure(let error): self.ended(Self.reason(error))
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
                        minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 64, maxAccumulatedFrameSize: Limits.frameBytesMax),
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

    fileprivate func opened() {
        guard !isClosed else { return }
        guard let certificateHash else { return ended("the node showed no certificate") }
        onEvent(self, .opened(certificateHash: certificateHash))
    }

    fileprivate func received(_ frames: [NodeFrame]) {
        if !isClosed, !frames.isEmpty { onEvent(self, .frames(frames)) }
    }

    fileprivate func ended(_ reason: String) {
        loop.assertInEventLoop()
        guard !isClosed else { return }
        isClosed = true
        channel?.close(promise: nil)
        onEvent(self, .closed(reason))
    }

    fileprivate func attached(_ channel: any Channel) {
        self.channel = channel
        isUpgraded = true
    }

    fileprivate static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { reason($0.error) } ?? "\(error.host) has no address"
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case NIOSSLError.uncleanShutdown: "the connection was cut"
        case ChannelError.connectTimeout: "no answer"
        default: "\(error)"
        }
    }
}

/// Asks for the WebSocket as soon as the channel is up, and says why when the answer is no.
private final class UpgradeRequestHandler: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart
    private let endpoint: Endpoint
    private let onFailure: @Sendable (String) -> Void

    init(endpoint: Endpoint, onFailure: @escaping @Sendable (String) -> Void) {
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
        onFailure("the node answered with HTTP status \(head.status.code) instead of a session")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { onFailure(NodeConnection.reason(error)) }
    func channelInactive(context: ChannelHandlerContext) { onFailure("the node closed the connection") }
}

/// Frames in, at the end of each read as one batch.
private final class SessionHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame
    private let connection: NodeConnection
    private var batch: [NodeFrame] = []

    init(connection: NodeConnection) { self.connection = connection }

    func handlerAdded(context: ChannelHandlerContext) {
        connection.attached(context.channel)
        connection.opened()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .binary:
            do { batch.append(try NodeFrame(serialized: Array(frame.unmaskedData.readableBytesView))) } catch {
                deliver()
                connection.ended("the node sent a frame that does not decode: \(error.explanation.why)")
            }
        case .ping:
            let pong = WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
        case .connectionClose:
            deliver()
            connection.ended("the node closed the session")
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { deliver() }

    func channelInactive(context: ChannelHandlerContext) {
        deliver()
        connection.ended("the connection was closed")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { connection.ended(NodeConnection.reason(error)) }

    private func deliver() {
        let frames = batch
        batch = []
        connection.received(frames)
    }
}
