internal import CSodium
internal import Vocabulary

/// Ed25519 (RFC 8032) over bare bytes, on libsodium; the protocol above brings the context.
public enum Ed25519Scheme: SignatureScheme {
    public static let privateKeyLength = 32

    public static func keyPair(privateKey: Secret) throws(CryptoError) -> SignatureKeyPair {
        guard privateKey.count == 32 else { throw .keyLength(expected: 32, actual: privateKey.count) }
        var publicKey = [UInt8](repeating: 0, count: 32)
        var expanded = [UInt8](repeating: 0, count: 64)
        privateKey.withPointer { _ = crypto_sign_seed_keypair(&publicKey, &expanded, $0) }
        wipe(&expanded)
        return SignatureKeyPair(secret: privateKey, publicKey: publicKey)
    }

    public static func sign(_ message: [UInt8], with key: SignatureKeyPair) -> [UInt8] {
        precondition(key.secret.count == 32 && key.publicKey.count == 32, "an Ed25519 key of other lengths: \(key.secret)")
        // libsodium's secret key is the seed and the public key, side by side.
        let expanded = Secret(count: 64) { out in
            key.secret.withPointer { out.update(from: $0, count: 32) }
            key.publicKey.withUnsafeBufferPointer { if let base = $0.baseAddress { (out + 32).update(from: base, count: 32) } }
        }
        return filled(64) { out in
            expanded.withPointer { _ = crypto_sign_detached(out, nil, message, UInt64(message.count), $0) }
        }
    }

    public static func isValid(_ signature: [UInt8], over message: [UInt8], by publicKey: [UInt8]) -> Bool {
        guard let signature = Signature(signature), let key = Bytes32(publicKey) else { return false }
        return signature.isValid(overRaw: message, by: key)
    }
}
