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

    public static func isUsable(_ publicKey: [UInt8]) -> Bool {
        guard publicKey.count == 32 else { return false }
        // A dozen first bytes in all, so most keys are told by one.
        guard smallOrder.contains(where: { $0[0] == publicKey[0] }) else { return true }
        var point = publicKey
        point[31] &= 0x7f
        return !smallOrder.contains(point)
    }

    /// The points of small order (RFC 7748 §6.1): whatever is agreed with them is zero. The top bit does not count.
    private static let smallOrder: [[UInt8]] = [
        Array(repeating: 0, count: 32), [1] + Array(repeating: 0, count: 31),
        [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
            0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
        ],
        [
            0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
            0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
        ],
        [0xec] + Array(repeating: 0xff, count: 30) + [0x7f], [0xed] + Array(repeating: 0xff, count: 30) + [0x7f],
        [0xee] + Array(repeating: 0xff, count: 30) + [0x7f],
    ]

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
