package import Vocabulary

/// What the network tells the node. Called on event loops, in order for each connection: must not block.
///
/// Every `sessionOpened` is followed by exactly one `sessionClosed`, whoever closed it, and nothing of that session comes
/// after; links likewise. `bytes` is the frame's cost: hand the very number back with `NetworkBatch.processed`, also for frames of
/// connections that are closed by then, or its socket is never read again.
package protocol NetworkDelegate: AnyObject, Sendable {
    /// After the WebSocket upgrade; nothing is authenticated yet. `address` is the client's IP address.
    func sessionOpened(_ session: SessionID, from address: String)
    func session(_ session: SessionID, received frame: ClientFrame, bytes: Int)
    func sessionClosed(_ session: SessionID)
    /// The TLS handshake has proved `peer`. For the side that dialled this comes before the other has judged its key: only
    /// a frame from the other side shows that it let us in.
    func linkOpened(_ link: LinkID, peer: NodeID, dialled: Bool)
    func link(_ link: LinkID, received frame: LinkFrame, bytes: Int)
    func linkClosed(_ link: LinkID)
    /// No address of the node answered as that node.
    func dialFailed(_ peer: NodeID, reason: String)
    /// At TLS time: false for keys that were expelled. Unknown keys are let in to `join`; the core bounds them.
    func admits(peer: NodeID) -> Bool
    /// Call `reply` once, from any thread.
    func admin(_ request: AdminHTTPRequest, reply: @escaping @Sendable (AdminHTTPResponse) -> Void)
}

package struct AdminHTTPRequest: Sendable, Equatable {
    package enum Source: Sendable { case socket, loopback }
    package let method: String
    /// Path and query as sent.
    package let path: String
    package let body: [UInt8]
    /// `loopback` asks for `/metrics`, `/livez` and `/readyz` alone; the network refuses everything else there.
    package let source: Source

    package init(method: String, path: String, body: [UInt8], source: Source) {
        (self.method, self.path, self.body, self.source) = (method, path, body, source)
    }
}

package struct AdminHTTPResponse: Sendable, Equatable {
    package let status: Int
    package let contentType: String
    package let body: [UInt8]

    package init(status: Int, contentType: String = "application/json", body: [UInt8]) {
        (self.status, self.contentType, self.body) = (status, contentType, body)
    }
}
