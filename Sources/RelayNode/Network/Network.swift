internal import NIOCore
internal import NIOPosix
internal import Synchronization
package import Vocabulary

/// All sockets of a node. Thread-safe. The blocking calls are not for event loops, so not for the delegate's own callbacks.
///
/// Each connection lives on one event loop with its handlers; its id tells which. Nothing is shared on the way of a frame but two atomic
/// counters.
package final class Network: Sendable {
    /// SHA-256 of the certificate that clients are shown (its DER form), for `SessionProof.node`.
    package let certificateHash: Bytes32
    private let group: MultiThreadedEventLoopGroup
    private let shared: NetworkShared
    private let states: [LoopState]
    private let listeners = Mutex<[any Channel]>([])
    private let admin = Mutex<(any Channel)?>(nil)
    private let nextDial = Atomic<Int>(0)
    private let isStopped = Atomic<Bool>(false)

    package init(_ configuration: NetworkConfiguration, delegate: any NetworkDelegate) throws {
        let shared = try NetworkShared(configuration, delegate: delegate)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: configuration.eventLoops)
        states = group.makeIterator().enumerated().map { LoopState(loop: $1, index: $0, shared: shared) }
        for state in states { shared.inflow.whenDrained { [weak state] in state?.loop.execute { [weak state] in state?.readAgain() } } }
        certificateHash = configuration.certificate.hash
        (self.shared, self.group) = (shared, group)
    }

    /// Listens. Blocks; to be called once. After an error `stop` is still due.
    package func start() throws -> NetworkAddresses {
        let configuration = shared.configuration
        let listeners = makeListeners()
        if let path = configuration.adminSocket {
            let channel = try listeners.adminSocket(path).wait()
            admin.withLock { $0 = channel }
        }
        let loopback = try configuration.adminLoopback.map { keep(try listeners.adminLoopback($0)) }
        let peers = keep(try listeners.peers())
        let clients = keep(try listeners.clients())
        return NetworkAddresses(
            clients: configuration.clients.bound(to: clients), peers: configuration.peers.bound(to: peers),
            adminLoopback: loopback.flatMap { channel in configuration.adminLoopback.map { $0.bound(to: channel) } })
    }

    private func makeListeners() -> Listeners {
        let byLoop = Dictionary(uniqueKeysWithValues: states.map { (ObjectIdentifier($0.loop), $0) })
        return Listeners(group: group, shared: shared, states: byLoop)
    }

    /// Listens anew where the file of the admin socket has gone, as by somebody who tidies /tmp up: who operates the node could reach it
    /// only after a restart. Whatever else is in its place is left alone. For event loops too.
    ///
    /// - Parameter done: called once connections are taken again, or that has failed and will be tried at the next look.
    /// - Returns: whether it was gone.
    /// - Throws: why it cannot be made again; to be tried later.
    package func lookAtAdminSocket(_ done: @escaping @Sendable () -> Void = {}) throws -> Bool {
        guard let path = shared.configuration.adminSocket, !UnixSocket.exists(path), !isStopped.load(ordering: .relaxed),
            let former = admin.withLock({ $0.take() })
        else { return false }
        do {
            try AdminSocket.makeFolder(of: path)
            try makeListeners().adminSocket(path).whenComplete { [self] result in
                former.close(promise: nil)
                let channel = try? result.get()
                // Bound and not listened on it would pass for there.
                if channel == nil { UnixSocket.remove(path) }
                admin.withLock { $0 = channel ?? former }
                done()
            }
        } catch {
            admin.withLock { $0 = former }
            throw error
        }
        return true
    }

    @discardableResult
    private func keep(_ listener: any Channel) -> any Channel {
        listeners.withLock { $0.append(listener) }
        return listener
    }

    /// Where who gives the orders may live: what it orders for connections there costs no wake-up.
    var coreLoop: (any EventLoop)? { states.first?.loop }

    package var counts: NetworkCounts { shared.counters.counts(inflow: shared.inflow) }

    /// Somebody writes to others: connections are taken one after the other meanwhile.
    package func noteWrite(at now: Instant) { shared.noteWrite(at: now) }

    // MARK: Orders

    /// Wakes each other event loop once and flushes each connection once. One caller's batches are performed in order.
    package func perform(_ batch: NetworkBatch) {
        guard !isStopped.load(ordering: .relaxed) else { return }
        for (index, orders) in batch.orders.enumerated() where !orders.isEmpty && index < states.count {
            let state = states[index]
            if state.loop.inEventLoop { state.perform(orders) } else { state.loop.execute { state.perform(orders) } }
        }
        if batch.processedBytes > 0 { shared.inflow.release(batch.processedBytes) }
    }

    /// Tries the addresses in turn, until one answers as `peer`. Ends in `linkOpened(dialled: true)` or `dialFailed`.
    package func dial(_ peer: NodeID, at addresses: [Endpoint]) {
        guard !isStopped.load(ordering: .relaxed) else { return }
        let turn = nextDial.wrappingAdd(1, ordering: .relaxed).newValue
        let state = states[(turn & Int.max) % states.count]
        state.loop.execute { Dialing(shared: self.shared, state: state, peer: peer).run(addresses) }
    }

    // MARK: The end

    /// Stops listening, says goodbye to every session and link, closes them, waits for that a little, ends the event loops. Blocks.
    /// After it the other calls do nothing.
    package func stop(_ goodbye: Refusal = Refusal(.shuttingDown, "the node is stopping")) {
        guard !isStopped.exchange(true, ordering: .relaxed) else { return }
        for listener in listeners.withLock({ $0 }) { try? listener.close().wait() }
        if let path = shared.configuration.adminSocket, let channel = admin.withLock({ $0.take() }) {
            try? channel.close().wait()
            UnixSocket.remove(path)
        }
        let closing = states.flatMap { state in (try? state.loop.submit { state.closeAll(after: goodbye) }.wait()) ?? [] }
        if let loop = states.first?.loop {
            let drained = loop.makePromise(of: Void.self)
            EventLoopFuture.andAllComplete(closing, on: loop).cascade(to: drained)
            let limit = loop.scheduleTask(in: .init(Limits.drainTimeout)) { drained.succeed() }
            try? drained.futureResult.wait()
            limit.cancel()
        }
        try? group.syncShutdownGracefully()
    }
}

extension Endpoint {
    /// With the port that the system chose.
    fileprivate func bound(to channel: any Channel) -> Endpoint {
        Endpoint(host: host, port: channel.localAddress?.port.flatMap { UInt16(exactly: $0) } ?? port)
    }
}
