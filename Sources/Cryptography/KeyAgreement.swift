internal import CSodium
public import Vocabulary

/// An X25519 key pair (RFC 7748).
public struct AgreementKey: Sendable {
    /// 32 bytes.
    public let secret: Secret
    public let publicKey: Bytes32

    /// - Throws: `keyLength` unless the secret has 32 bytes.
    public init(secret: Secret) throws(CryptoError) {
        guard secret.count == 32 else { throw .keyLength(expected: 32, actual: secret.count) }
        var out = [UInt8](repeating: 0, count: 32)
        secret.withPointer { _ = crypto_scalarmult_base(&out, $0) }
        self.secret = secret
        publicKey = Bytes32(out) ?? .zero
    }

    public init(using random: inout some RandomNumberGenerator) {
        var bytes = random.bytes(32)
        let secret = Secret(consuming: &bytes)
        guard let key = try? AgreementKey(secret: secret) else { preconditionFailure("a key of \(secret.count) bytes") }
        self = key
    }

    /// - Returns: the raw shared secret, 32 bytes; hash it before use.
    /// - Throws: `weakPublicKey` when the result is all zeros.
    public func agree(with other: Bytes32) throws(CryptoError) -> Secret {
        var out = [UInt8](repeating: 0, count: 32)
        let code = secret.withPointer { crypto_scalarmult(&out, $0, other.bytes) }
        guard code == 0 else { throw .weakPublicKey }
        return Secret(consuming: &out)
    }
}
