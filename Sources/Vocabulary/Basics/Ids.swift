/// An id of its own kind over 32 raw bytes: a node is never mistaken for a user.
public protocol Identifier32: Hashable, Comparable, Sendable, CustomStringConvertible {
    var raw: Bytes32 { get }
    init(raw: Bytes32)
}

extension Identifier32 {
    /// - Returns: nil unless there are exactly 32 bytes.
    @inlinable
    public init?(_ bytes: some Collection<UInt8>) {
        guard let raw = Bytes32(bytes) else { return nil }
        self.init(raw: raw)
    }

    public init?(hex: some StringProtocol) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes)
    }

    @inlinable public var bytes: [UInt8] { raw.bytes }
    public var hex: String { Hex.encode(raw.bytes) }
    /// The first eight hex digits: for people, never for comparison.
    public var short: String { String(hex.prefix(8)) }
    public var description: String { short }
    @inlinable public static func < (x: Self, y: Self) -> Bool { x.raw < y.raw }
}

/// A node's Ed25519 public key.
public struct NodeID: Identifier32 {
    public let raw: Bytes32
    @inlinable public init(raw: Bytes32) { self.raw = raw }
}

/// A user's Ed25519 identity key: the user, for life.
public struct UserID: Identifier32 {
    public let raw: Bytes32
    @inlinable public init(raw: Bytes32) { self.raw = raw }
}

/// A device's Ed25519 signing key.
public struct DeviceID: Identifier32 {
    public let raw: Bytes32
    @inlinable public init(raw: Bytes32) { self.raw = raw }
}

/// BLAKE2b-256 of a federation's genesis statement.
public struct FederationID: Identifier32 {
    public let raw: Bytes32
    @inlinable public init(raw: Bytes32) { self.raw = raw }
}

/// BLAKE2b-256 of something; a link of a chain.
public struct Digest: Identifier32 {
    public static let zero = Digest(raw: .zero)
    public let raw: Bytes32
    @inlinable public init(raw: Bytes32) { self.raw = raw }
}

/// 16 random bytes that name a conversation or a message, chosen once by whoever creates it.
public protocol Identifier16: Hashable, Comparable, Sendable, CustomStringConvertible {
    var raw: Bytes16 { get }
    init(raw: Bytes16)
}

extension Identifier16 {
    /// - Returns: nil unless there are exactly 16 bytes.
    @inlinable
    public init?(_ bytes: some Collection<UInt8>) {
        guard let raw = Bytes16(bytes) else { return nil }
        self.init(raw: raw)
    }

    public init?(hex: some StringProtocol) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes)
    }

    public static func random(using random: inout some RandomNumberGenerator) -> Self {
        Self(raw: Bytes16(random.next(), random.next()))
    }

    @inlinable public var bytes: [UInt8] { raw.bytes }
    public var hex: String { Hex.encode(raw.bytes) }
    public var description: String { String(hex.prefix(8)) }
    @inlinable public static func < (x: Self, y: Self) -> Bool { x.raw < y.raw }
}

public struct ConversationID: Identifier16 {
    public let raw: Bytes16
    @inlinable public init(raw: Bytes16) { self.raw = raw }
}

public struct MessageID: Identifier16 {
    public let raw: Bytes16
    @inlinable public init(raw: Bytes16) { self.raw = raw }
}
