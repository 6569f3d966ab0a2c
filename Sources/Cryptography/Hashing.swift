internal import CSodium
public import Vocabulary

public enum Hash {
    /// BLAKE2b with a 32-byte result (RFC 7693).
    public static func blake2b(_ bytes: [UInt8]) -> Digest {
        Digest(raw: Bytes32(generic(bytes, key: nil, count: 32)) ?? .zero)
    }

    /// Keyed BLAKE2b with a result of 16 to 64 bytes.
    public static func keyed(_ bytes: [UInt8], key: Secret, count: Int = 32) -> [UInt8] {
        generic(bytes, key: key, count: count)
    }

    /// SHA-256 (FIPS 180-4).
    public static func sha256(_ bytes: [UInt8]) -> Bytes32 {
        Sodium.ready
        var out = [UInt8](repeating: 0, count: 32)
        crypto_hash_sha256(&out, bytes, UInt64(bytes.count))
        return Bytes32(out) ?? .zero
    }

    private static func generic(_ bytes: [UInt8], key: Secret?, count: Int) -> [UInt8] {
        Sodium.ready
        precondition((16...64).contains(count), "BLAKE2b has no result of \(count) bytes")
        var out = [UInt8](repeating: 0, count: count)
        if let key {
            key.withPointer { _ = crypto_generichash(&out, count, bytes, UInt64(bytes.count), $0, key.count) }
        } else {
            _ = crypto_generichash(&out, count, bytes, UInt64(bytes.count), nil, 0)
        }
        return out
    }
}
