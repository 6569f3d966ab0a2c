internal import CSodium

/// HKDF-SHA256 (RFC 5869; KDF 0x0001 of RFC 9180), HMAC-SHA256 and SHA-256, on libsodium.
public enum SHA256Derivation: KeyDerivation {
    public static let identifier: UInt16 = 0x0001
    public static let hashLength = 32

    public static func hash(_ bytes: [UInt8]) -> [UInt8] {
        Sodium.ready
        return filled(32) { _ = crypto_hash_sha256($0, bytes, UInt64(bytes.count)) }
    }

    public static func mac(_ bytes: [UInt8], key: Secret) -> [UInt8] {
        Sodium.ready
        return filled(32) { mac(key: key, first: bytes, second: nil, into: $0) }
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
