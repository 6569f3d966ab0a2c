import CSodium
public import Vocabulary

/// What a primitive refuses. Never says which byte was wrong.
public enum CryptoError: Error, Equatable, Sendable {
    case keyLength(expected: Int, actual: Int)
    /// The tag or signature does not hold.
    case authenticationFailed
    /// An X25519 result of all zeros (RFC 7748 §6.1).
    case weakPublicKey
    case outOfMemory
}

enum Sodium {
    /// libsodium's own set-up: idempotent and thread-safe. Without it nothing here may run, so failing ends the process.
    static let ready: Void = {
        precondition(sodium_init() >= 0, "libsodium does not start")
    }()
}

/// Random bytes from the system, for the shells; cores take a generator.
public struct SystemRandom: RandomNumberGenerator, Sendable {
    public init() { Sodium.ready }

    public mutating func next() -> UInt64 {
        var value: UInt64 = 0
        randombytes_buf(&value, 8)
        return value
    }
}

extension RandomNumberGenerator {
    public mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            withUnsafeBytes(of: next()) { bytes.append(contentsOf: $0.prefix(count - bytes.count)) }
        }
        return bytes
    }

    public mutating func bytes32() -> Bytes32 { Bytes32(bytes(32)) ?? .zero }
}
