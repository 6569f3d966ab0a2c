public import Vocabulary

/// `https://HOST:PORT/i/SECRET#NODEKEY`: where a new user registers, the right to, and the key to pin. The fragment never
/// reaches a server's log. SECRET and NODEKEY are base64url without padding.
public struct InvitationLink: Hashable, Sendable, CustomStringConvertible {
    /// 16 random bytes.
    public static let secretBytes = 16

    public let endpoint: Endpoint
    public let secret: [UInt8]
    public let node: NodeID

    public init(endpoint: Endpoint, secret: [UInt8], node: NodeID) {
        (self.endpoint, self.secret, self.node) = (endpoint, secret, node)
    }

    /// - Returns: nil for anything that is not exactly such a link.
    public init?(_ text: String) {
        guard text.utf8.count <= 1024, text.hasPrefix("https://") else { return nil }
        let parts = text.dropFirst("https://".count).split(separator: "#", omittingEmptySubsequences: false)
        guard parts.count == 2, let key = Base64URL.decode(String(parts[1])), let node = NodeID(key) else { return nil }
        let path = parts[0].split(separator: "/", omittingEmptySubsequences: false)
        guard path.count == 3, path[1] == "i", let endpoint = Endpoint(String(path[0])),
            let secret = Base64URL.decode(String(path[2])), secret.count == Self.secretBytes
        else { return nil }
        self.init(endpoint: endpoint, secret: secret, node: node)
    }

    public var description: String {
        "https://\(endpoint)/i/\(Base64URL.encode(secret))#\(Base64URL.encode(node.bytes))"
    }
}
