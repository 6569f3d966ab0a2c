internal import NIOCore
internal import NIOHTTP1
internal import NIOWebSocket
internal import Transport
internal import Vocabulary

/// The HTTP part of a client connection, from the TCP accept on: one request, which becomes a session or gets one answer and the end.
final class ClientHTTPHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    static let sessionPath = "/v1/session"
    private static let decoderName = "http decoder", encoderName = "http encoder"
    /// Only makes and checks handshake headers; the pipeline is changed here.
    private static let upgrader = NIOWebSocketServerUpgrader(
        maxFrameSize: Limits.frameBytesMax, automaticErrorHandling: false,
        shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
        upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })

    private let state: LoopState
    private let admission: Admission
    private var deadline: Scheduled<Void>?
    private var upgrade: HTTPRequestHead?
    private var isAnswered = false

    /// Adds TLS, HTTP and this.
    static func configure(_ channel: any Channel, _ state: LoopState, _ admission: Admission) throws {
        let pipeline = channel.pipeline.syncOperations
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 4 * 1024
        limits.maxHeaderListSize = 16 * 1024
        limits.maxHeaderFieldCount = 64
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .drop, limitConfiguration: limits)
        try pipeline.addHandler(TLSHandlers.clientListener(state.shared.clientTLS))
        try pipeline.addHandler(ByteToMessageHandler(decoder), name: decoderName)
        try pipeline.addHandler(HTTPResponseEncoder(), name: encoderName)
        try pipeline.addHandler(ClientHTTPHandler(state, admission))
    }

    init(_ state: LoopState, _ admission: Admission) { (self.state, self.admission) = (state, admission) }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        deadline = channel.eventLoop.assumeIsolated().scheduleTask(in: .init(state.shared.configuration.handshakeTimeout)) {
            channel.abort()
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        if !isAnswered { state.shared.counters.handshakesFailed.add() }
        context.fireChannelInactive()
    }

    // MARK: The request

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswered else { return }
        switch Self.unwrapInboundIn(data) {
        case .head(let head):
            let path = String(head.uri.prefix { $0 != "?" })
            if head.method != .GET && head.method != .HEAD {
                answer(context, .methodNotAllowed)
            } else if path == Self.sessionPath {
                if head.isWebSocketUpgrade {
                    upgrade = head
                } else {
                    answer(context, .upgradeRequired, headers: [("upgrade", "websocket"), ("sec-websocket-version", "13")])
                }
            } else if let page = LandingPage.page(path: path, host: head.headers.first(name: "host"), state.shared) {
                answer(
                    context, .ok, contentType: "text/html; charset=utf-8", headers: LandingPage.headers,
                    body: head.method == .HEAD ? "" : page)
            } else {
                answer(context, .notFound)
            }
        case .body: answer(context, .badRequest)
        case .end: if let upgrade { becomeSession(context, upgrade) }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError, !isAnswered, context.channel.isActive {
            answer(context, error == .headerOverflow ? .requestHeaderFieldsTooLarge : .badRequest)
        } else {
            context.channel.abort()
        }
    }

    private func answer(
        _ context: ChannelHandlerContext, _ status: HTTPResponseStatus, contentType: String = "text/plain; charset=utf-8",
        headers more: [(String, String)] = [], body: String? = nil
    ) {
        isAnswered = true
        let text = body ?? "\(status.code) \(status.reasonPhrase)\n"
        var headers = HTTPHeaders([("content-type", contentType), ("content-length", "\(text.utf8.count)"), ("connection", "close")])
        headers.add(contentsOf: more)
        context.write(Self.wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
        context.write(Self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: nil)
        context.close(promise: nil)
    }

    // MARK: The upgrade

    private func becomeSession(_ context: ChannelHandlerContext, _ request: HTTPRequestHead) {
        let headers = Self.upgrader.buildUpgradeResponse(
            channel: context.channel, upgradeRequest: request, initialResponseHeaders: ["connection": "upgrade", "upgrade": "websocket"])
        headers.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let headers): self.upgrade(context, headers)
            case .failure: self.answer(context, .badRequest, headers: [("sec-websocket-version", "13")])
            }
        }
    }

    /// HTTP goes, WebSocket comes. What the client sent right after its request is still in the decoder and is forwarded when that goes.
    private func upgrade(_ context: ChannelHandlerContext, _ headers: HTTPHeaders) {
        guard context.channel.isActive, !isAnswered else { return }
        isAnswered = true
        let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: nil)
        let pipeline = context.pipeline.syncOperations
        do {
            let session = SessionHandler(state, admission)
            try pipeline.addHandler(EarlyBytes(admission, session))
            try pipeline.addHandler(ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: Limits.frameBytesMax)))
            try pipeline.addHandler(session)
        } catch {
            return context.channel.abort()
        }
        pipeline.removeHandler(context: context, promise: nil)
        pipeline.removeHandler(name: Self.encoderName, promise: nil)
        pipeline.removeHandler(name: Self.decoderName, promise: nil)
    }
}

extension HTTPRequestHead {
    fileprivate var isWebSocketUpgrade: Bool {
        method == .GET && version == .http1_1
            && headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
            && headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
    }
}
