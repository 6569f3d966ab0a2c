internal import NIOCore
internal import NIOPosix
internal import Transport
internal import Vocabulary

/// How the node's sockets are opened.
struct Listeners {
    let group: MultiThreadedEventLoopGroup
    let shared: NetworkShared
    /// By event loop.
    let states: [ObjectIdentifier: LoopState]

    /// Small at rest: an idle connection keeps one such buffer.
    static let receiveBuffers = AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 1024, maximum: 64 * 1024)

    /// One a read: a client's small frames are decoded all at once, and everybody waits meanwhile.
    private static let clientReceiveBuffers = AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 1024, maximum: 8 * 1024)

    /// Passing the high mark closes the connection, so the low one is of no use.
    static func waterMark(_ bytesMax: Int) -> ChannelOptions.Types.WriteBufferWaterMark {
        .init(low: max(1, bytesMax / 2), high: max(1, bytesMax))
    }

    func clients() throws -> any Channel {
        let shared = shared
        let states = states
        return try bind(shared.configuration.clients, outboundBytesMax: shared.configuration.outboundBytesPerSessionMax) { channel in
            let address = channel.remoteAddress?.ipAddress ?? "unknown"
            guard let state = states[ObjectIdentifier(channel.eventLoop)], let admission = shared.admissions.enter(from: address)
            else {
                shared.counters.connectionsRefused.add()
                throw TooManyConnections()
            }
            try channel.syncOptions?.setOption(.recvAllocator, value: Self.clientReceiveBuffers)
            try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
            try ClientHTTPHandler.configure(channel, state, admission)
            state.track(channel)
        }
    }

    func peers() throws -> any Channel {
        let shared = shared
        let states = states
        return try bind(shared.configuration.peers, outboundBytesMax: shared.configuration.outboundBytesPerLinkMax) { channel in
            let address = channel.remoteAddress?.ipAddress ?? "unknown"
            guard let state = states[ObjectIdentifier(channel.eventLoop)], let handshake = shared.handshakes.enter(from: address)
            else {
                shared.counters.connectionsRefused.add()
                throw TooManyConnections()
            }
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(TLSHandlers.peerListener(shared.peerTLS) { shared.delegate.admits(peer: $0) })
            try pipeline.addHandler(LinkHandler(state, accepted: handshake))
            state.track(channel)
        }
    }

    func adminLoopback(_ endpoint: Endpoint) throws -> any Channel {
        guard endpoint.isLoopback else { throw NetworkError.notLoopback(endpoint) }
        let shared = shared
        let states = states
        let places = AdminPlaces()
        return try bind(endpoint, outboundBytesMax: Limits.adminAnswerBytesMax) { channel in
            try AdminHandler.configure(channel, states[ObjectIdentifier(channel.eventLoop)], .loopback, places, shared)
        }
    }

    /// Binds at once; for event loops too.
    func adminSocket(_ path: String) throws -> EventLoopFuture<any Channel> {
        let shared = shared
        let states = states
        let places = AdminPlaces()
        let descriptor = try UnixSocket.listen(at: path)
        return try bootstrap(outboundBytesMax: Limits.adminAnswerBytesMax, isTCP: false) { channel in
            try AdminHandler.configure(channel, states[ObjectIdentifier(channel.eventLoop)], .socket, places, shared)
        }.withBoundSocket(descriptor)
    }

    // MARK: -

    private func bind(
        _ endpoint: Endpoint, outboundBytesMax: Int, _ configure: @escaping @Sendable (any Channel) throws -> Void
    ) throws -> any Channel {
        do {
            return try bootstrap(outboundBytesMax: outboundBytesMax, isTCP: true, configure)
                .bind(host: endpoint.host, port: Int(endpoint.port)).wait()
        } catch let error as IOError {
            throw NetworkError(error, at: endpoint)
        } catch let error as SocketAddressError {
            _ = error
            throw NetworkError.badHost(endpoint)
        }
    }

    private func bootstrap(
        outboundBytesMax: Int, isTCP: Bool, _ configure: @escaping @Sendable (any Channel) throws -> Void
    ) -> ServerBootstrap {
        let shared = shared
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.maxMessagesPerRead, value: 1)
            .serverChannelInitializer { channel in
                // Out of file descriptors: wait a second instead of spinning.
                channel.eventLoop.makeCompletedFuture {
                    if isTCP { try channel.pipeline.syncOperations.addHandler(AcceptTurnsHandler(shared)) }
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler(shouldForwardIOErrorCaught: false))
                }
            }
            .childChannelOption(.writeBufferWaterMark, value: Self.waterMark(outboundBytesMax))
            .childChannelOption(.recvAllocator, value: Self.receiveBuffers)
            .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try configure(channel) } }
        guard isTCP else { return bootstrap }
        return bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    }
}

struct TooManyConnections: Error {}

extension NetworkError {
    init(_ error: IOError, at endpoint: Endpoint) {
        switch error.errnoCode {
        case UnixSocket.addressInUse: self = .portInUse(endpoint)
        case UnixSocket.accessDenied, UnixSocket.notPermitted: self = .portForbidden(endpoint)
        case UnixSocket.addressNotAvailable: self = .badHost(endpoint)
        default: self = .other(what: "Cannot listen on \(endpoint).", reason: error.description)
        }
    }
}
