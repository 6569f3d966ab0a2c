package import Cryptography
package import Transport
package import Vocabulary

package struct NetworkConfiguration: Sendable {
    /// Port 0: the system chooses.
    package var clients, peers: Endpoint
    /// Path of the admin socket, of `AdminSocket.path(dataFolder:)`; nil: none.
    package var adminSocket: String?
    /// For scraping and the dashboard; a loopback address.
    package var adminLoopback: Endpoint?
    package var key: SigningKey
    /// The node's own, `ServedCertificate(selfSigned: key)`, or the operator's.
    package var certificate: ServedCertificate
    package var eventLoops: Int
    /// Shown on the page that an invitation link opens in a browser.
    package var nodeName: String

    // Bounds, here so that tests can lower them.
    package var handshakeTimeout = Limits.handshakeTimeout
    package var sessionsMax = Limits.sessionsMax
    package var pendingMax = Limits.connectionsPendingMax
    package var pendingPerAddressMax = Limits.connectionsPendingPerAddressMax
    package var outboundBytesPerSessionMax = Limits.outboundBytesPerSessionMax
    package var outboundBytesPerLinkMax = Limits.outboundBytesPerLinkMax
    package var unprocessedBytesMax = Limits.unprocessedBytesMax

    package init(
        clients: Endpoint, peers: Endpoint, key: SigningKey, certificate: ServedCertificate, nodeName: String,
        adminSocket: String? = nil, adminLoopback: Endpoint? = nil, eventLoops: Int
    ) {
        (self.clients, self.peers, self.key, self.certificate, self.nodeName) = (clients, peers, key, certificate, nodeName)
        (self.adminSocket, self.adminLoopback, self.eventLoops) = (adminSocket, adminLoopback, max(1, min(eventLoops, 64)))
    }
}

/// Where the listeners are: ports chosen by the system are filled in.
package struct NetworkAddresses: Sendable, Equatable {
    package let clients, peers: Endpoint
    package let adminLoopback: Endpoint?
}
