public import NIOCore
public import NIOSSL
public import Vocabulary

/// Who is at the other end of a TLS connection.
public enum PeerIdentity {
    /// An Ed25519 SubjectPublicKeyInfo is these bytes, then the key (RFC 8410 §4).
    private static let ed25519Prefix: [UInt8] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]

    /// The node whose key this certificate holds; nil for any key that is not Ed25519. TLS proves that the peer has the key;
    /// nothing else in the certificate counts.
    public static func node(of certificate: NIOSSLCertificate) -> NodeID? {
        guard let key = try? certificate.extractPublicKey().toSPKIBytes(), key.count == ed25519Prefix.count + 32,
            key.starts(with: ed25519Prefix)
        else { return nil }
        return NodeID(key.dropFirst(ed25519Prefix.count))
    }

    /// After the handshake, on the channel's event loop.
    public static func node(of channel: any Channel) -> NodeID? {
        leaf(of: channel).flatMap(node(of:))
    }

    /// The leaf that the peer showed. After the handshake, on the channel's event loop.
    public static func leaf(of channel: any Channel) -> NIOSSLCertificate? {
        let pipeline = channel.pipeline.syncOperations
        if let handler = try? pipeline.handler(type: NIOSSLServerHandler.self) { return handler.peerCertificate }
        return (try? pipeline.handler(type: NIOSSLClientHandler.self))?.peerCertificate
    }
}
