package import Cryptography

/// A cipher suite's number in the IANA registry (RFC 9420 §17.1).
public struct CipherSuite: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519: what every implementation has.
    public static let x25519AES128GCM = CipherSuite(rawValue: 0x0001)
    /// MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519: ours.
    public static let x25519ChaCha20Poly1305 = CipherSuite(rawValue: 0x0003)
    public static let supported = [x25519ChaCha20Poly1305, x25519AES128GCM]

    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public var description: String { "suite \(rawValue)" }

    /// - Returns: nil for a suite that is not implemented.
    package var implementation: (any SuiteProvider)? {
        switch self {
        case .x25519AES128GCM: Suite<X25519Encapsulation, SHA256Derivation, AES128GCM, Ed25519Scheme>(cipherSuite: self)
        case .x25519ChaCha20Poly1305:
            Suite<X25519Encapsulation, SHA256Derivation, ChaCha20Poly1305, Ed25519Scheme>(cipherSuite: self)
        default: nil
        }
    }

    func provider() throws(MLSError) -> any SuiteProvider {
        guard let implementation else { throw .unsupportedCipherSuite(rawValue) }
        return implementation
    }
}

/// The primitives of one suite (RFC 9420 §5.1). `Suite` makes one out of a KEM, a KDF, an AEAD and a signature scheme.
package protocol SuiteProvider: Sendable {
    var cipherSuite: CipherSuite { get }
    var hashLength: Int { get }
    var keyLength: Int { get }
    var nonceLength: Int { get }
    var seedLength: Int { get }
    var kemKeyLength: Int { get }
    var kemPublicKeyLength: Int { get }
    var signatureKeyLength: Int { get }
    func hash(_ bytes: [UInt8]) -> [UInt8]
    func mac(_ bytes: [UInt8], key: Secret) -> [UInt8]
    func extract(salt: Secret?, material: Secret) -> Secret
    func expand(_ secret: Secret, info: [UInt8], count: Int) -> Secret
    func seal(_ plaintext: [UInt8], key: Secret, nonce: [UInt8], authenticating data: [UInt8]) throws(CryptoError) -> [UInt8]
    func open(_ ciphertext: [UInt8], key: Secret, nonce: [UInt8], authenticating data: [UInt8]) throws(CryptoError) -> [UInt8]
    func deriveKeyPair(from material: Secret) throws(CryptoError) -> EncapsulationKey
    func encapsulationKey(_ secret: Secret) throws(CryptoError) -> EncapsulationKey
    func isUsable(_ publicKey: [UInt8]) -> Bool
    func sealer(info: [UInt8]) -> HybridSealer
    func openHybrid(_ sealed: HPKECiphertext, with key: EncapsulationKey, info: [UInt8]) throws(CryptoError) -> [UInt8]
    func exportSending(
        to publicKey: [UInt8], context: [UInt8], seed: Secret
    ) throws(CryptoError) -> (output: [UInt8], secret: Secret)
    func exportReceiving(_ output: [UInt8], with key: EncapsulationKey, context: [UInt8]) throws(CryptoError) -> Secret
    func signatureKey(_ secret: Secret) throws(CryptoError) -> SignatureKeyPair
    func sign(_ message: [UInt8], with key: SignatureKeyPair) -> [UInt8]
    func isValid(_ signature: [UInt8], over message: [UInt8], by publicKey: [UInt8]) -> Bool
}

/// Seals many plaintexts to many keys under one `info`, whose share of the key schedule is worked out once.
package struct HybridSealer {
    let seal: (_ plaintext: [UInt8], _ publicKey: [UInt8], _ seed: Secret) throws(CryptoError) -> HPKECiphertext
}

package struct Suite<K: KeyEncapsulation, D: KeyDerivation, A: AuthenticatedEncryption, S: SignatureScheme>: SuiteProvider {
    package let cipherSuite: CipherSuite
    package var hashLength: Int { D.hashLength }
    package var keyLength: Int { A.keyLength }
    package var nonceLength: Int { A.nonceLength }
    package var seedLength: Int { K.seedLength }
    package var kemKeyLength: Int { K.privateKeyLength }
    package var kemPublicKeyLength: Int { K.publicKeyLength }
    package var signatureKeyLength: Int { S.privateKeyLength }

    package func hash(_ bytes: [UInt8]) -> [UInt8] { D.hash(bytes) }
    package func mac(_ bytes: [UInt8], key: Secret) -> [UInt8] { D.mac(bytes, key: key) }
    package func extract(salt: Secret?, material: Secret) -> Secret { D.extract(salt: salt, prefix: [], material: material) }
    package func expand(_ secret: Secret, info: [UInt8], count: Int) -> Secret { D.expand(secret, info: info, count: count) }

    package func seal(
        _ plaintext: [UInt8], key: Secret, nonce: [UInt8], authenticating data: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        try A.seal(plaintext, key: key, nonce: nonce, authenticating: data)
    }

    package func open(
        _ ciphertext: [UInt8], key: Secret, nonce: [UInt8], authenticating data: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        try A.open(ciphertext, key: key, nonce: nonce, authenticating: data)
    }

    package func deriveKeyPair(from material: Secret) throws(CryptoError) -> EncapsulationKey {
        try K.deriveKeyPair(from: material)
    }

    package func encapsulationKey(_ secret: Secret) throws(CryptoError) -> EncapsulationKey { try K.keyPair(privateKey: secret) }

    package func isUsable(_ publicKey: [UInt8]) -> Bool { K.isUsable(publicKey) }

    package func sealer(info: [UInt8]) -> HybridSealer {
        let info = HPKE<K, D, A>.Info(info)
        return HybridSealer { (plaintext, publicKey, seed) throws(CryptoError) in
            let (output, ciphertext) = try HPKE<K, D, A>.seal(plaintext, to: publicKey, info: info, seed: seed)
            return HPKECiphertext(output: output, ciphertext: ciphertext)
        }
    }

    package func openHybrid(_ sealed: HPKECiphertext, with key: EncapsulationKey, info: [UInt8]) throws(CryptoError) -> [UInt8] {
        try HPKE<K, D, A>.open(sealed.ciphertext, output: sealed.output, with: key, info: HPKE<K, D, A>.Info(info))
    }

    package func exportSending(
        to publicKey: [UInt8], context: [UInt8], seed: Secret
    ) throws(CryptoError) -> (output: [UInt8], secret: Secret) {
        try HPKE<K, D, A>.exportSending(
            to: publicKey, info: HPKE<K, D, A>.Info([]), context: context, count: D.hashLength, seed: seed)
    }

    package func exportReceiving(
        _ output: [UInt8], with key: EncapsulationKey, context: [UInt8]
    ) throws(CryptoError) -> Secret {
        try HPKE<K, D, A>.exportReceiving(
            output, with: key, info: HPKE<K, D, A>.Info([]), context: context, count: D.hashLength)
    }

    package func signatureKey(_ secret: Secret) throws(CryptoError) -> SignatureKeyPair { try S.keyPair(privateKey: secret) }
    package func sign(_ message: [UInt8], with key: SignatureKeyPair) -> [UInt8] { S.sign(message, with: key) }

    package func isValid(_ signature: [UInt8], over message: [UInt8], by publicKey: [UInt8]) -> Bool {
        S.isValid(signature, over: message, by: publicKey)
    }
}
