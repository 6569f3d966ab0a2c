internal import CSodium
internal import Vocabulary

/// XChaCha20-Poly1305 under one key; each box carries its random 24-byte nonce in front.
public struct SealingKey: Sendable {
    public static let overhead = 24 + 16
    private let key: Secret

    /// - Throws: `keyLength` unless the key has 32 bytes.
    public init(_ key: Secret) throws(CryptoError) {
        guard key.count == 32 else { throw .keyLength(expected: 32, actual: key.count) }
        self.key = key
    }

    /// A key of its own for each purpose, derived with keyed BLAKE2b.
    public func derived(for purpose: String) -> Secret {
        var bytes = Hash.keyed(Array(purpose.utf8), key: key)
        return Secret(consuming: &bytes)
    }

    /// - Parameter place: authenticated, not stored: what the box belongs to, so that it opens nowhere else.
    public func seal(_ plaintext: [UInt8], place: [UInt8], using random: inout some RandomNumberGenerator) -> [UInt8] {
        let nonce = random.bytes(24)
        var sealed = [UInt8](repeating: 0, count: plaintext.count + 16)
        key.withPointer { key in
            _ = crypto_aead_xchacha20poly1305_ietf_encrypt(
                &sealed, nil, plaintext, UInt64(plaintext.count), place, UInt64(place.count), nil, nonce, key)
        }
        return nonce + sealed
    }

    /// - Throws: `authenticationFailed` for a box that is too short, altered, or of another key or place.
    public func open(_ box: [UInt8], place: [UInt8]) throws(CryptoError) -> [UInt8] {
        guard box.count >= Self.overhead else { throw .authenticationFailed }
        var plaintext = [UInt8](repeating: 0, count: box.count - Self.overhead)
        let code = key.withPointer { key in
            box.withUnsafeBufferPointer { box in
                guard let base = box.baseAddress else { return Int32(-1) }
                return crypto_aead_xchacha20poly1305_ietf_decrypt(
                    &plaintext, nil, nil, base + 24, UInt64(box.count - 24), place, UInt64(place.count), base, key)
            }
        }
        guard code == 0 else { throw .authenticationFailed }
        return plaintext
    }
}
