internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Transport
internal import Vocabulary

/// Why one address of a node did not lead to it.
struct DialFailure: Error {
    let reason: String

    static func sentence(for error: any Error) -> String {
        switch error {
        case let failure as DialFailure: failure.reason
        case let error as NIOSSLError: "the TLS handshake failed: another node is there, or it does not admit this one (\(error))"
        case let error as IOError: "\(error.description)"
        case let error as ChannelError: "\(error)"
        case is NIOConnectionError: "nothing answers"
        default: "\(error)"
        }
    }
}

/// Tries a node's addresses in turn.
struct Dialing: Sendable {
    let shared: NetworkShared
    let state: LoopState
    let peer: NodeID

    func run(_ addresses: [Endpoint]) {
        attempt(addresses[...], failures: [])
    }

    private func attempt(_ addresses: ArraySlice<Endpoint>, failures: [String]) {
        guard let address = addresses.first else {
            let reason = failures.isEmpty ? "no address of it is known" : failures.joined(separator: "; ")
            return shared.delegate.dialFailed(peer, reason: reason)
        }
        connect(to: address).whenFailure { error in
            attempt(addresses.dropFirst(), failures: failures + ["\(address): \(DialFailure.sentence(for: error))"])
        }
    }

    private func connect(to address: Endpoint) -> EventLoopFuture<Void> {
        let opened = state.loop.makePromise(of: Void.self)
        let (shared, state, peer) = (shared, state, peer)
        ClientBootstrap(group: state.loop)
            .connectTimeout(.init(Limits.dialTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: Listeners.waterMark(shared.configuration.outboundBytesPerLinkMax))
            .channelOption(.recvAllocator, value: Listeners.receiveBuffers)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(TLSHandlers.peerDialer(shared.dialTLS, expecting: peer))
                    try pipeline.addHandler(LinkHandler(state, dialled: opened))
                    state.track(channel)
                }
            }
            .connect(host: address.host, port: Int(address.port))
            .whenFailure { opened.fail($0) }
        return opened.futureResult
    }
}
