internal import NIOCore
public import NIOSSL
public import Vocabulary

/// TLS as the project speaks it: version 1.3 only, no certificate authority trusted anywhere.
public enum TLSContexts {
    /// For the listener that clients reach.
    public static func clientListener(_ certificate: ServedCertificate) throws(TransportError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificate.chain.map { .certificate($0) }, privateKey: .privateKey(certificate.key))
        configuration.minimumTLSVersion = .tlsv13
        configuration.certificateVerification = .none
        configuration.applicationProtocols = ["http/1.1"]
        if certificate.isEd25519 { configuration.signingSignatureAlgorithms = [.ed25519] }
        return try make(configuration)
    }

    /// For a client: whom it talks to it decides from the leaf, with `clientHandler`.
    public static func client() throws(TransportError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv13
        configuration.certificateVerification = .noHostnameVerification
        configuration.applicationProtocols = ["http/1.1"]
        configuration.verifySignatureAlgorithms = [
            .ed25519, .ecdsaSecp256R1Sha256, .ecdsaSecp384R1Sha384, .rsaPssRsaeSha256, .rsaPssRsaeSha384, .rsaPssRsaeSha512,
        ]
        return try make(configuration)
    }

    /// For the listener that other nodes reach; use it with `peerListenerHandler`.
    public static func peerListener(_ certificate: ServedCertificate) throws(TransportError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: certificate.chain.map { .certificate($0) }, privateKey: .privateKey(certificate.key))
        restrictToNodeKeys(&configuration)
        return try make(configuration)
    }

    /// For dialling other nodes; use it with `peerDialHandler`.
    public static func peerDialer(_ certificate: ServedCertificate) throws(TransportError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateChain = certificate.chain.map { .certificate($0) }
        configuration.privateKey = .privateKey(certificate.key)
        restrictToNodeKeys(&configuration)
        return try make(configuration)
    }

    /// Both sides must say that Ed25519 is all they sign with and accept: BoringSSL offers it to nobody by itself.
    private static func restrictToNodeKeys(_ configuration: inout TLSConfiguration) {
        configuration.minimumTLSVersion = .tlsv13
        // Asks for a certificate; the handlers' own verification replaces the usual one.
        configuration.certificateVerification = .noHostnameVerification
        configuration.signingSignatureAlgorithms = [.ed25519]
        configuration.verifySignatureAlgorithms = [.ed25519]
    }

    private static func make(_ configuration: TLSConfiguration) throws(TransportError) -> NIOSSLContext {
        do { return try NIOSSLContext(configuration: configuration) } catch { throw .tls(reason: "\(error)") }
    }
}

/// The handlers that end TLS and decide whose key is let in.
public enum TLSHandlers {
    public static func clientListener(_ context: NIOSSLContext) -> NIOSSLServerHandler {
        NIOSSLServerHandler(context: context)
    }

    /// - Parameter accepts: decides from the certificate that the server shows, on the event loop.
    public static func client(
        _ context: NIOSSLContext, accepts: @escaping @Sendable (NIOSSLCertificate) -> Bool
    ) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(
            context: context, serverHostname: nil,
            customVerificationCallback: { chain, promise in
                promise.succeed(chain.first.map(accepts) == true ? .certificateVerified : .failed)
            })
    }

    /// - Parameter admits: decides from the peer's node key, on the event loop.
    public static func peerListener(
        _ context: NIOSSLContext, admits: @escaping @Sendable (NodeID) -> Bool
    ) -> NIOSSLServerHandler {
        NIOSSLServerHandler(context: context, customVerificationCallback: verification(admits))
    }

    /// Accepts `peer` and nobody else.
    public static func peerDialer(_ context: NIOSSLContext, expecting peer: NodeID) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: context, serverHostname: nil, customVerificationCallback: verification { $0 == peer })
    }

    private static func verification(_ admits: @escaping @Sendable (NodeID) -> Bool) -> NIOSSLCustomVerificationCallback {
        { chain, promise in
            promise.succeed(chain.first.flatMap(PeerIdentity.node(of:)).map(admits) == true ? .certificateVerified : .failed)
        }
    }
}
