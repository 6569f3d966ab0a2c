internal import CSodium
public import Vocabulary

public enum Hash {
    /// BLAKE2b with a 32-byte result (RFC 7693).
    public static func blake2b(_ bytes: [UInt8]) -> Digest {
        Sodium.ready
        return Digest(raw: Self.filled { _ = crypto_generichash($0, 32, bytes, UInt64(bytes.count), nil, 0) })
    }

    /// Keyed BLAKE2b with a result of 16 to 64 bytes.
    public static func keyed(_ bytes: [UInt8], key: Secret, count: Int = 32) -> [UInt8] {
        Sodium.ready
        precondition((16...64).contains(count), "BLAKE2b has no result of \(count) bytes")
        var out = [UInt8](repeating: 0, count: count)
        key.withPointer { _ = crypto_generichash(&out, count, bytes, UInt64(bytes.count), $0, key.count) }
        return out
    }

    /// SHA-256 (FIPS 180-4).
    public static func sha256(_ bytes: [UInt8]) -> Bytes32 {
        Sodium.ready
        return filled { _ = crypto_hash_sha256($0, bytes, UInt64(bytes.count)) }
    }

    /// 32 bytes written in place: a node hashes several times a message.
    private static func filled(_ body: (UnsafeMutablePointer<UInt8>) -> Void) -> Bytes32 {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { memory in
            guard let base = memory.baseAddress else { return .zero }
            body(base)
            return Bytes32(memory: UnsafeRawBufferPointer(memory)) ?? .zero
        }
    }
}
