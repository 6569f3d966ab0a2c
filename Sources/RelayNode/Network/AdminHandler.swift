internal import NIOCore
internal import NIOHTTP1
internal import Synchronization
internal import Vocabulary

/// How many are connected to one admin listener. Each listener has its own: who fills one does not shut the other.
final class AdminPlaces: Sendable {
    enum Place { case served, refused }

    private let taken = Atomic<Int>(0)

    /// - Returns: nil where there is no room even for being told so.
    func take(until closed: EventLoopFuture<Void>) -> Place? {
        let count = taken.wrappingAdd(1, ordering: .relaxed).newValue
        closed.whenComplete { _ in self.taken.wrappingSubtract(1, ordering: .relaxed) }
        guard count <= 2 * Limits.adminConnectionsMax else { return nil }
        return count <= Limits.adminConnectionsMax ? .served : .refused
    }
}

/// Admin HTTP: one request, one answer, the end.
final class AdminHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let loopbackPaths: Set<String> = ["/metrics", "/livez", "/readyz"]

    private let shared: NetworkShared
    private let source: AdminHTTPRequest.Source
    private let place: AdminPlaces.Place
    private var deadline: Scheduled<Void>?
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private var isAsked = false

    static func configure(
        _ channel: any Channel, _ state: LoopState?, _ source: AdminHTTPRequest.Source, _ places: AdminPlaces, _ shared: NetworkShared
    ) throws {
        guard let state, let place = places.take(until: channel.closeFuture) else { throw TooManyConnections() }
        state.track(channel)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(AdminHandler(source, place, shared))
    }

    private init(_ source: AdminHTTPRequest.Source, _ place: AdminPlaces.Place, _ shared: NetworkShared) {
        (self.source, self.place, self.shared) = (source, place, shared)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        let limit = place == .served ? shared.configuration.handshakeTimeout : Limits.adminRefusalTimeout
        deadline = channel.eventLoop.assumeIsolated().scheduleTask(in: .init(limit)) { channel.close(promise: nil) }
    }

    /// One too many is told so at once, and closed when its request comes: closing before would make the system throw the answer away.
    func channelActive(context: ChannelHandlerContext) {
        if place == .refused { Self.write(AdminRoutes.tooMany(source), on: context.channel) }
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard place == .served else { return context.close(promise: nil) }
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
        write(response, on: channel).whenComplete { _ in channel.close(promise: nil) }
    }

    @discardableResult
    private static func write(_ response: AdminHTTPResponse, on channel: any Channel) -> EventLoopFuture<Void> {
        let headers = HTTPHeaders([
            ("content-type", response.contentType), ("content-length", "\(response.body.count)"), ("connection", "close"),
        ])
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: response.status), headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: response.body))), promise: nil)
        return channel.writeAndFlush(HTTPServerResponsePart.end(nil))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is HTTPParserError, !isAsked, place == .served {
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
