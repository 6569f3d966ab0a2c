internal import CSodium

/// DHKEM(X25519, HKDF-SHA256): KEM 0x0020 of RFC 9180 §7.1.
public enum X25519Encapsulation: KeyEncapsulation {
    public static let identifier: UInt16 = 0x0020
    public static let privateKeyLength = 32
    public static let publicKeyLength = 32
    public static let seedLength = 32

    private static let suite = Array("KEM".utf8) + [0x00, 0x20]

    public static func deriveKeyPair(from material: Secret) throws(CryptoError) -> EncapsulationKey {
        let key = Labeled.extract(SHA256Derivation.self, salt: nil, suite: suite, label: "dkp_prk", material: material)
        return try keyPair(privateKey: Labeled.expand(SHA256Derivation.self, key, suite: suite, label: "sk", info: [], count: 32))
    }

    public static func keyPair(privateKey: Secret) throws(CryptoError) -> EncapsulationKey {
        guard privateKey.count == 32 else { throw .keyLength(expected: 32, actual: privateKey.count) }
        let publicKey = filled(32) { out in privateKey.withPointer { _ = crypto_scalarmult_base(out, $0) } }
        return EncapsulationKey(secret: privateKey, publicKey: publicKey)
    }

    public static func encapsulate(to publicKey: [UInt8], seed: Secret) throws(CryptoError) -> (shared: Secret, output: [UInt8]) {
        let ephemeral = try keyPair(privateKey: seed)
        let agreed = try agree(ephemeral.secret, with: publicKey)
        return (shared(agreed, output: ephemeral.publicKey, recipient: publicKey), ephemeral.publicKey)
    }

    public static func decapsulate(_ output: [UInt8], with key: EncapsulationKey) throws(CryptoError) -> Secret {
        shared(try agree(key.secret, with: output), output: output, recipient: key.publicKey)
    }

    /// - Throws: `weakPublicKey` for a result of all zeros (RFC 9180 §7.1.4).
    private static func agree(_ secret: Secret, with publicKey: [UInt8]) throws(CryptoError) -> Secret {
        guard publicKey.count == 32 else { throw .keyLength(expected: 32, actual: publicKey.count) }
        guard secret.count == 32 else { throw .keyLength(expected: 32, actual: secret.count) }
        var code: Int32 = -1
        let agreed = Secret(count: 32) { out in code = secret.withPointer { crypto_scalarmult(out, $0, publicKey) } }
        guard code == 0 else { throw .weakPublicKey }
        return agreed
    }

    private static func shared(_ agreed: Secret, output: [UInt8], recipient: [UInt8]) -> Secret {
        let key = Labeled.extract(SHA256Derivation.self, salt: nil, suite: suite, label: "eae_prk", material: agreed)
        return Labeled.expand(
            SHA256Derivation.self, key, suite: suite, label: "shared_secret", info: output + recipient, count: 32)
    }
}
