internal import CSodium
internal import Crypto

/// HKDF-SHA256 (RFC 5869; KDF 0x0001 of RFC 9180), HMAC-SHA256 and SHA-256. What derives secrets stands on libsodium, into memory that is
/// wiped; what is hashed and MACed in the open may be a commit of 80 KB, of which swift-crypto makes ten times as many in the same time.
public enum SHA256Derivation: KeyDerivation {
    public static let identifier: UInt16 = 0x0001
    public static let hashLength = 32

    public static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
        return hash.finalize().withUnsafeBytes { Array($0) }
    }

    /// - Parameter key: at most 64 bytes.
    public static func mac(_ bytes: [UInt8], key: Secret) -> [UInt8] {
        // Not by swift-crypto's HMAC, which leaves the padded key behind in memory; its hashes wipe their state.
        let inner = bytes.withUnsafeBytes { hash(key, pad: 0x36, $0) }
        return inner.withUnsafeBytes { inner in hash(key, pad: 0x5c, inner).withUnsafeBytes { Array($0) } }
    }

    private static func hash(_ key: Secret, pad: UInt8, _ bytes: UnsafeRawBufferPointer) -> SHA256.Digest {
        precondition(key.count <= 64, "an HMAC key of \(key.count) bytes")
        var hash = SHA256()
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { block in
            key.withBytes { key in
                for index in block.indices { block[index] = pad ^ (index < key.count ? key[index] : 0) }
            }
            hash.update(bufferPointer: UnsafeRawBufferPointer(block))
            sodium_memzero(block.baseAddress, block.count)
        }
        hash.update(bufferPointer: bytes)
        return hash.finalize()
    }

    public static func extract(salt: Secret?, prefix: [UInt8], material: Secret?) -> Secret {
        Secret(count: 32) { mac(key: salt, first: prefix, second: material, into: $0) }
    }

    public static func expand(_ key: Secret, info: [UInt8], count: Int) -> Secret {
        precondition(count <= 255 * 32, "HKDF-SHA256 cannot give \(count) bytes")
        return Secret(count: count) { out in
            var block: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
            withUnsafeMutableBytes(of: &block) { block in
                guard let previous = block.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
                var done = 0
                var index: UInt8 = 1
                while done < count {
                    var state = crypto_auth_hmacsha256_state()
                    key.withPointer { _ = crypto_auth_hmacsha256_init(&state, $0, key.count) }
                    if done > 0 { crypto_auth_hmacsha256_update(&state, previous, 32) }
                    crypto_auth_hmacsha256_update(&state, info, UInt64(info.count))
                    crypto_auth_hmacsha256_update(&state, &index, 1)
                    crypto_auth_hmacsha256_final(&state, previous)
                    sodium_memzero(&state, MemoryLayout<crypto_auth_hmacsha256_state>.size)
                    let part = min(32, count - done)
                    (out + done).update(from: previous, count: part)
                    done += part
                    index &+= 1
                }
                sodium_memzero(previous, 32)
            }
        }
    }

    private static func mac(key: Secret?, first: [UInt8], second: Secret?, into out: UnsafeMutablePointer<UInt8>) {
        Sodium.ready
        var state = crypto_auth_hmacsha256_state()
        if let key {
            key.withPointer { _ = crypto_auth_hmacsha256_init(&state, $0, key.count) }
        } else {
            // HMAC pads its key with zeros: the empty salt and one of 32 zeros are the same.
            _ = crypto_auth_hmacsha256_init(&state, [0], 1)
        }
        if !first.isEmpty { crypto_auth_hmacsha256_update(&state, first, UInt64(first.count)) }
        if let second { second.withPointer { _ = crypto_auth_hmacsha256_update(&state, $0, UInt64(second.count)) } }
        crypto_auth_hmacsha256_final(&state, out)
        sodium_memzero(&state, MemoryLayout<crypto_auth_hmacsha256_state>.size)
    }
}
