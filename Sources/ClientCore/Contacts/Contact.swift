internal import Cryptography
public import Vocabulary

/// What we last learned of a user from the directory.
public struct KnownRecord: Hashable, Sendable {
    public let version: UInt64
    public let digest: Digest
    public let home: NodeID
    public let devices: [DeviceID]

    public init(_ record: UserRecord, digest: Digest) {
        version = record.version
        self.digest = digest
        home = record.home
        devices = record.devices.map(\.device)
    }

    init(version: UInt64, digest: Digest, home: NodeID, devices: [DeviceID]) {
        (self.version, self.digest, self.home, self.devices) = (version, digest, home, devices)
    }
}

/// Somebody we wrote to or heard from. The identity key is pinned at first use.
public struct Contact: Hashable, Sendable {
    /// How the key stands to the address.
    public enum Standing: UInt8, Hashable, Sendable {
        /// The key we use for the address.
        case pinned = 1
        /// Another key than the pinned one that the directory shows for the address; nothing is sent or shown until the user decides.
        case claiming = 2
        /// The key that the user gave up for a new one.
        case former = 3
    }

    public let user: UserID
    /// nil until the directory has told.
    public internal(set) var address: Address?
    public internal(set) var standing: Standing
    /// The user compared the safety number.
    public internal(set) var isVerified: Bool
    public internal(set) var isBlocked: Bool
    public internal(set) var record: KnownRecord?
    /// Not a stranger: we wrote to this user, or accepted what the user wrote to us.
    public internal(set) var isAccepted: Bool
    /// What the user handed us, to subscribe to the user's presence with.
    public internal(set) var presenceToken: Bytes32?
    /// The user has our present token.
    public internal(set) var hasOurToken: Bool

    public init(user: UserID) {
        self.user = user
        standing = .pinned
        isVerified = false
        isBlocked = false
        isAccepted = false
        hasOurToken = false
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(2))
        writer.write(user)
        writer.write(optional: address) { $0.write($1) }
        writer.write(standing.rawValue)
        writer.write(UInt8(isVerified ? 1 : 0))
        writer.write(UInt8(isBlocked ? 1 : 0))
        writer.write(optional: record) { writer, record in
            writer.write(record.version)
            writer.write(record.digest)
            writer.write(record.home)
            writer.write(vector: record.devices) { $0.write($1) }
        }
        writer.write(UInt8(isAccepted ? 1 : 0))
        writer.write(optional: presenceToken) { $0.write(fixed: $1.bytes) }
        writer.write(UInt8(hasOurToken ? 1 : 0))
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 2 else { throw .badValue("the format of a contact") }
        user = try reader.id()
        address = try reader.optional { reader throws(CodecError) in try reader.address() }
        guard let standing = Standing(rawValue: try reader.integer()) else { throw .badValue("a contact's standing") }
        self.standing = standing
        isVerified = try reader.integer(UInt8.self) == 1
        isBlocked = try reader.integer(UInt8.self) == 1
        record = try reader.optional { reader throws(CodecError) in
            let (version, digest, home): (UInt64, Digest, NodeID) = (try reader.integer(), try reader.id(), try reader.id())
            let devices = try reader.vector(max: Limits.devicesPerUserMax) { reader throws(CodecError) -> DeviceID in try reader.id() }
            return KnownRecord(version: version, digest: digest, home: home, devices: devices)
        }
        isAccepted = try reader.integer(UInt8.self) == 1
        presenceToken = try reader.optional { reader throws(CodecError) in try reader.bytes32() }
        hasOurToken = try reader.integer(UInt8.self) == 1
        try reader.finish()
    }
}

/// Sixty digits that two users compare: equal on both sides only if each has the other's true identity key.
public enum SafetyNumber {
    /// Twelve groups of five digits.
    public static func groups(_ one: UserID, _ other: UserID) -> [String] {
        let label = Secret(Array("posthouse safety number 1".utf8))
        let bytes = Hash.keyed(min(one, other).bytes + max(one, other).bytes, key: label, count: 64)
        return (0..<12).map { group in
            let value = bytes[(group * 5)..<(group * 5 + 5)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } % 100_000
            let digits = String(value)
            return String(repeating: "0", count: 5 - digits.count) + digits
        }
    }

    public static func text(_ one: UserID, _ other: UserID) -> String { groups(one, other).joined(separator: " ") }

    /// Whether what a person typed, with or without spaces, is the number.
    public static func matches(_ typed: String, _ one: UserID, _ other: UserID) -> Bool {
        let digits = typed.filter { !$0.isWhitespace && $0 != "-" }
        return constantTimeEqual(Array(digits.utf8), Array(groups(one, other).joined().utf8))
    }
}

extension ByteReader {
    mutating func bytes32() throws(CodecError) -> Bytes32 {
        guard let bytes = Bytes32(try fixed(32)) else { throw .truncated }
        return bytes
    }
}
