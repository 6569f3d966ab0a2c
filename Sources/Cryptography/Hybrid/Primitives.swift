/// What an MLS cipher suite is made of (RFC 9420 §5.1, RFC 9180 §4): four parts that vary on their own, so that a
/// post-quantum suite is a new KEM beside the other three. All are stateless: types, not values.

/// A key encapsulation mechanism of RFC 9180 §4, with its seeds and randomness from outside.
public protocol KeyEncapsulation: Sendable {
    static var identifier: UInt16 { get }
    static var privateKeyLength: Int { get }
    static var publicKeyLength: Int { get }
    /// Bytes of randomness that one encapsulation takes.
    static var seedLength: Int { get }
    /// DeriveKeyPair of RFC 9180 §7.1.3.
    static func deriveKeyPair(from material: Secret) throws(CryptoError) -> EncapsulationKey
    /// - Throws: `keyLength` for a private key of another length.
    static func keyPair(privateKey: Secret) throws(CryptoError) -> EncapsulationKey
    /// - Parameter seed: `seedLength` fresh random bytes.
    static func encapsulate(to publicKey: [UInt8], seed: Secret) throws(CryptoError) -> (shared: Secret, output: [UInt8])
    static func decapsulate(_ output: [UInt8], with key: EncapsulationKey) throws(CryptoError) -> Secret
    /// Whether encapsulating to the key can succeed: known without doing it.
    static func isUsable(_ publicKey: [UInt8]) -> Bool
}

/// A KEM key pair; the public half is kept because decapsulation hashes it.
public struct EncapsulationKey: Equatable, Sendable {
    public let secret: Secret
    public let publicKey: [UInt8]

    public init(secret: Secret, publicKey: [UInt8]) {
        (self.secret, self.publicKey) = (secret, publicKey)
    }
}

/// A hash with the MAC and the HKDF (RFC 5869) on top of it.
public protocol KeyDerivation: Sendable {
    static var identifier: UInt16 { get }
    static var hashLength: Int { get }
    static func hash(_ bytes: [UInt8]) -> [UInt8]
    static func mac(_ bytes: [UInt8], key: Secret) -> [UInt8]
    /// - Parameter salt: nil for the empty one.
    static func extract(salt: Secret?, prefix: [UInt8], material: Secret?) -> Secret
    /// - Parameter count: at most 255 times `hashLength`.
    static func expand(_ key: Secret, info: [UInt8], count: Int) -> Secret
}

public protocol AuthenticatedEncryption: Sendable {
    static var identifier: UInt16 { get }
    static var keyLength: Int { get }
    static var nonceLength: Int { get }
    static var tagLength: Int { get }
    /// - Returns: ciphertext, then the tag.
    static func seal(_ plaintext: [UInt8], key: Secret, nonce: [UInt8], authenticating data: [UInt8]) throws(CryptoError) -> [UInt8]
    /// - Throws: `authenticationFailed` for anything but what `seal` made with the same key, nonce and data.
    static func open(_ ciphertext: [UInt8], key: Secret, nonce: [UInt8], authenticating data: [UInt8]) throws(CryptoError) -> [UInt8]
}

public protocol SignatureScheme: Sendable {
    static var privateKeyLength: Int { get }
    static func keyPair(privateKey: Secret) throws(CryptoError) -> SignatureKeyPair
    static func sign(_ message: [UInt8], with key: SignatureKeyPair) -> [UInt8]
    static func isValid(_ signature: [UInt8], over message: [UInt8], by publicKey: [UInt8]) -> Bool
}

/// A signing key; for Ed25519 the private half is the 32-byte seed.
public struct SignatureKeyPair: Equatable, Sendable {
    public let secret: Secret
    public let publicKey: [UInt8]

    public init(secret: Secret, publicKey: [UInt8]) {
        (self.secret, self.publicKey) = (secret, publicKey)
    }
}

/// An array of `count` bytes, all written by `body`; `count` is above zero.
func filled(_ count: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
        guard let base = buffer.baseAddress else { return }
        body(base)
        written = count
    }
}
