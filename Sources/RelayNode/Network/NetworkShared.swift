internal import NIOCore
internal import NIOSSL
internal import Synchronization
internal import Transport
internal import Vocabulary

/// What all connections use.
final class NetworkShared: Sendable {
    let configuration: NetworkConfiguration
    let node: NodeID
    let delegate: any NetworkDelegate
    let inflow: Inflow
    let admissions: Admissions
    let counters = NetworkCounters()
    /// Connections on the peers' listener whose TLS handshake is not done.
    let handshakes: Admissions
    let clientTLS, peerTLS, dialTLS: NIOSSLContext
    private let wroteAt = Atomic<Int64>(0)

    init(_ configuration: NetworkConfiguration, delegate: any NetworkDelegate) throws {
        (self.configuration, self.delegate) = (configuration, delegate)
        node = NodeID(raw: configuration.key.publicKey)
        inflow = Inflow(bytesMax: configuration.unprocessedBytesMax)
        admissions = Admissions(
            totalMax: configuration.sessionsMax, pendingMax: configuration.pendingMax,
            pendingPerAddressMax: configuration.pendingPerAddressMax)
        handshakes = Admissions(
            totalMax: .max, pendingMax: Limits.linksPendingMax, pendingPerAddressMax: Limits.linksPendingPerAddressMax)
        clientTLS = try TLSContexts.clientListener(configuration.certificate)
        let own = try ServedCertificate(selfSigned: configuration.key)
        peerTLS = try TLSContexts.peerListener(own)
        dialTLS = try TLSContexts.peerDialer(own)
    }

    /// When somebody wrote to others last.
    var lastWrite: Instant? {
        let time = wroteAt.load(ordering: .relaxed)
        return time > 0 ? Instant(nanoseconds: time) : nil
    }

    func noteWrite(at now: Instant) { wroteAt.store(now.nanoseconds, ordering: .relaxed) }
}

extension Channel {
    /// Closes the socket at once, without the TLS farewell that a silent or hostile peer could make us wait for.
    /// On the event loop.
    func abort() {
        let pipeline = pipeline.syncOperations
        // A context's `close` begins with the handler before it: beyond TLS there is only the socket.
        if let context = try? pipeline.context(handlerType: NIOSSLServerHandler.self) {
            context.close(promise: nil)
        } else if let context = try? pipeline.context(handlerType: NIOSSLClientHandler.self) {
            context.close(promise: nil)
        } else {
            close(promise: nil)
        }
    }
}
