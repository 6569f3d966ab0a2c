internal import CSodium
internal import Crypto

/// ChaCha20-Poly1305 (RFC 8439; AEAD 0x0003 of RFC 9180), on libsodium.
public enum ChaCha20Poly1305: AuthenticatedEncryption {
    public static let identifier: UInt16 = 0x0003
    public static let keyLength = 32
    public static let nonceLength = 12
    public static let tagLength = 16

    public static func seal(
        _ plaintext: [UInt8], key: Secret, nonce: [UInt8], authenticating data: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        guard key.count == keyLength else { throw .keyLength(expected: keyLength, actual: key.count) }
        guard nonce.count == nonceLength else { throw .keyLength(expected: nonceLength, actual: nonce.count) }
        let total = plaintext.count + tagLength
        return filled(total) { out in
            key.withPointer { key in
                _ = crypto_aead_chacha20poly1305_ietf_encrypt(
                    out, nil, plaintext, UInt64(plaintext.count), data, UInt64(data.count), nil, nonce, key)
            }
        }
    }

    public static func open(
        _ ciphertext: [UInt8], key: Secret, nonce: [UInt8], authenticating data: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        guard key.count == keyLength else { throw .keyLength(expected: keyLength, actual: key.count) }
        guard nonce.count == nonceLength else { throw .keyLength(expected: nonceLength, actual: nonce.count) }
        guard ciphertext.count >= tagLength else { throw .authenticationFailed }
        // One byte more than the plaintext: an empty array has no address to give.
        var plaintext = [UInt8](repeating: 0, count: ciphertext.count - tagLength + 1)
        let code = key.withPointer { key in
            crypto_aead_chacha20poly1305_ietf_decrypt(
                &plaintext, nil, nil, ciphertext, UInt64(ciphertext.count), data, UInt64(data.count), nonce, key)
        }
        guard code == 0 else { throw .authenticationFailed }
        plaintext.removeLast()
        return plaintext
    }
}

/// AES-128-GCM (AEAD 0x0001 of RFC 9180), on swift-crypto: libsodium has none.
public enum AES128GCM: AuthenticatedEncryption {
    public static let identifier: UInt16 = 0x0001
    public static let keyLength = 16
    public static let nonceLength = 12
    public static let tagLength = 16

    public static func seal(
        _ plaintext: [UInt8], key: Secret, nonce: [UInt8], authenticating data: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        guard key.count == keyLength else { throw .keyLength(expected: keyLength, actual: key.count) }
        guard let nonce = try? AES.GCM.Nonce(data: nonce),
            let box = try? AES.GCM.seal(plaintext, using: symmetric(key), nonce: nonce, authenticating: data)
        else { throw .keyLength(expected: nonceLength, actual: nonce.count) }
        var sealed: [UInt8] = []
        sealed.reserveCapacity(plaintext.count + tagLength)
        sealed.append(contentsOf: box.ciphertext)
        sealed.append(contentsOf: box.tag)
        return sealed
    }

    public static func open(
        _ ciphertext: [UInt8], key: Secret, nonce: [UInt8], authenticating data: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        guard key.count == keyLength else { throw .keyLength(expected: keyLength, actual: key.count) }
        guard ciphertext.count >= tagLength, let nonce = try? AES.GCM.Nonce(data: nonce) else { throw .authenticationFailed }
        let split = ciphertext.count - tagLength
        guard let box = try? AES.GCM.SealedBox(nonce: nonce, ciphertext: ciphertext[..<split], tag: ciphertext[split...]),
            var plaintext = try? AES.GCM.open(box, using: symmetric(key), authenticating: data)
        else { throw .authenticationFailed }
        // It may be a path secret: the one copy that is left is ours, which its taker wipes.
        defer { plaintext.withUnsafeMutableBytes { sodium_memzero($0.baseAddress, $0.count) } }
        return [UInt8](plaintext)
    }

    /// swift-crypto copies the key into memory that it wipes itself.
    private static func symmetric(_ key: Secret) -> SymmetricKey { key.withBytes { SymmetricKey(data: $0) } }
}
