internal import NIOCore
internal import NIOHTTP1
internal import Synchronization
internal import Vocabulary

/// Admin HTTP: one request, one answer, the end.
final class AdminHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let loopbackPaths: Set<String> = ["/metrics", "/livez", "/readyz"]
    private static let connections = Atomic<Int>(0)

    private let shared: NetworkShared
    private let source: AdminHTTPRequest.Source
    private var deadline: Scheduled<Void>?
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private var isAsked = false

    static func configure(
        _ channel: any Channel, _ state: LoopState?, _ source: AdminHTTPRequest.Source, _ shared: NetworkShared
    ) throws {
        guard let state, connections.load(ordering: .relaxed) < Limits.adminConnectionsMax else { throw TooManyConnections() }
        connections.wrappingAdd(1, ordering: .relaxed)
        channel.closeFuture.whenComplete { _ in connections.wrappingSubtract(1, ordering: .relaxed) }
        state.track(channel)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(AdminHandler(source, shared))
    }

    private init(_ source: AdminHTTPRequest.Source, _ shared: NetworkShared) { (self.source, self.shared) = (source, shared) }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = channel.eventLoop.assumeIsolated().scheduleTask(in: .init(shared.configuration.handshakeTimeout)) {
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAsked else { return }
        switch Self.unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
        case .body(let part):
            guard body.count + part.readableBytes <= Limits.adminBodyBytesMax else {
                return refuse(context, .payloadTooLarge)
            }
            body += Array(part.readableBytesView)
        case .end:
            guard let head else { return }
            ask(context, head)
        }
    }

    private func ask(_ context: ChannelHandlerContext, _ head: HTTPRequestHead) {
        if source == .loopback {
            guard head.method == .GET, Self.loopbackPaths.contains(String(head.uri.prefix { $0 != "?" })) else {
                return refuse(context, .notFound)
            }
        }
        isAsked = true
        deadline?.cancel()
        let request = AdminHTTPRequest(method: head.method.rawValue, path: head.uri, body: body, source: source)
        body = []
        let channel = context.channel
        let isReplied = Once()
        shared.delegate.admin(request) { response in
            guard isReplied.isFirst() else { return }
            Self.reply(response, on: channel)
        }
    }

    private func refuse(_ context: ChannelHandlerContext, _ status: HTTPResponseStatus) {
        isAsked = true
        let text = "\(status.code) \(status.reasonPhrase)\n"
        Self.reply(
            AdminHTTPResponse(status: Int(status.code), contentType: "text/plain; charset=utf-8", body: Array(text.utf8)),
            on: context.channel)
    }

    private static func reply(_ response: AdminHTTPResponse, on channel: any Channel) {
        let headers = HTTPHeaders([
            ("content-type", response.contentType), ("content-length", "\(response.body.count)"), ("connection", "close"),
        ])
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: response.status), headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: response.body))), promise: nil)
        channel.writeAndFlush(HTTPServerResponsePart.end(nil)).whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError, !isAsked {
            refuse(context, .badRequest)
        } else {
            context.close(promise: nil)
        }
    }
}

/// True once.
private final class Once: Sendable {
    private let isDone = Atomic<Bool>(false)
    func isFirst() -> Bool { !isDone.exchange(true, ordering: .relaxed) }
}
