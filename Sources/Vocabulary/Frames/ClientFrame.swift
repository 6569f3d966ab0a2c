/// Ties an answer to its question within one session.
public struct RequestID: Hashable, Comparable, Sendable {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }
    public static func < (x: RequestID, y: RequestID) -> Bool { x.value < y.value }
}

/// The versions of a protocol that a side speaks. A side that gets a range it does not overlap with answers `versionUnsupported`.
public struct VersionRange: Hashable, Sendable {
    public static let current = VersionRange(lowest: 1, highest: 1)
    public let lowest, highest: UInt32

    public init(lowest: UInt32, highest: UInt32) { (self.lowest, self.highest) = (lowest, highest) }

    /// The highest version both speak.
    public func common(with other: VersionRange) -> UInt32? {
        let version = min(highest, other.highest)
        return version >= max(lowest, other.lowest) ? version : nil
    }
}

/// A device's proof: `signature` is the device's over `SessionProof.device`.
public struct Authentication: Hashable, Sendable {
    public let user: UserID
    public let device: DeviceID
    public let signature: Signature

    public init(user: UserID, device: DeviceID, signature: Signature) {
        (self.user, self.device, self.signature) = (user, device, signature)
    }
}

public enum SessionProof {
    /// What the device signs: bound to this node and to both sides' fresh nonces (32 bytes each).
    public static func device(node: NodeID, clientNonce: Bytes32, nodeNonce: Bytes32, user: UserID, device: DeviceID) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 162)
        writer.write(UInt16(1))
        writer.write(node)
        writer.write(fixed: clientNonce.bytes)
        writer.write(fixed: nodeNonce.bytes)
        writer.write(user)
        writer.write(device)
        return writer.bytes
    }

    /// What the node signs: bound to the client's nonce and to the TLS certificate the client was shown
    /// (SHA-256 of its DER form), so that any certificate will do and none is trusted for itself.
    public static func node(clientNonce: Bytes32, nodeNonce: Bytes32, certificateHash: Bytes32) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 98)
        writer.write(UInt16(1))
        writer.write(fixed: clientNonce.bytes)
        writer.write(fixed: nodeNonce.bytes)
        writer.write(fixed: certificateHash.bytes)
        return writer.bytes
    }
}

public enum LookupKey: Hashable, Sendable {
    case address(Address)
    case user(UserID)
}

/// What a client sends. The first is `hello`; until `authenticate` succeeded only `register` and `publish` may follow it.
/// Source: docs/protocol/client-session.md.
public indirect enum ClientFrame: Hashable, Sendable {
    case hello(versions: VersionRange, nonce: Bytes32)
    case authenticate(Authentication)
    /// Asks for a handle on the strength of an invitation's secret.
    case register(RequestID, secret: [UInt8], user: UserID, handle: Handle)
    /// The user's next record, without the home's signature.
    case publish(RequestID, SignedUserRecord)
    case submit(Submission)
    /// Everything through this position of the device's queue is on the device's disk; the watermarks are the signed word for it.
    /// - order: as a submission's: what was taken of conversations counts like what was said in them. 0: nothing was.
    case acknowledge(through: QueuePosition, watermarks: [Watermark], order: UInt64 = 0)
    case lookup(RequestID, LookupKey)
    case ping(UInt64)
    case publishKeyPackages(RequestID, KeyPackageSupply)
    /// One KeyPackage of each device of these users, each handed out once.
    case claimKeyPackages(RequestID, [UserID])
    /// What is needed to rejoin: answered by `group`.
    case fetchGroup(RequestID, ConversationKey)
    /// Events that are missing here, from the hub's log: they come as entries.
    case refetch(ConversationKey, from: SequenceNumber, through: SequenceNumber)
    /// Read receipts, each for the devices whose messages it newly covers.
    case mark(SealedMark, devices: [DeviceID])
    case signal(Signal)
    /// The whole list: nothing of these users' direct conversations, nor of these conversations, is taken for this user any more, and its
    /// KeyPackages are not handed to them.
    case setBlocked(RequestID, users: [UserID], conversations: [ConversationKey])
    case presence(PresenceSettings)
    /// The whole list of this session.
    case subscribe([PresenceWish])
}

/// What a node sends to a client.
public indirect enum NodeFrame: Hashable, Sendable {
    /// `signature` is the node's over `SessionProof.node`.
    case welcome(version: UInt32, node: NodeID, federation: FederationID, nonce: Bytes32, certificateHash: Bytes32, signature: Signature)
    /// Authenticated. `waiting`: entries in the device's queue now; they follow in order, then `caughtUp`. `order`: the highest that this device's
    /// submissions had: a device that knows of less is an old copy of itself, and must not send before it has rejoined its conversations.
    /// `restored`: names the last restoration of the node from a backup; 0 for none. A device that has not seen this one fetches what it lacks.
    case ready(waiting: UInt64, order: UInt64, restored: UInt64)
    case granted(RequestID, federation: FederationID, issuer: NodeID, issuerName: NodeName, certificate: Signature)
    case published(RequestID, SignedUserRecord)
    /// The submission is on this node's disk; its fate comes as an entry.
    case sent(MessageID)
    case entry(QueuePosition, DeviceItem)
    /// All that was waiting when the session began has been sent.
    case caughtUp
    /// `address` is the record's handle at its issuer's name now.
    case found(RequestID, SignedUserRecord, address: Address)
    case refusedRequest(RequestID, Refusal)
    /// Nothing was kept. Transient: send the same bytes later; else it will never appear.
    case refusedMessage(MessageID, Refusal)
    case pong(UInt64)
    /// What was asked is on the node's disk.
    case done(RequestID)
    case keyPackages(RequestID, [ClaimedKeyPackages])
    /// How many one-time KeyPackages of this device are left: after `ready`, and when few are.
    case keyPackagesLeft(UInt32)
    /// A part of a `GroupParcel`.
    case group(RequestID, AnswerPart)
    case signal(Signal)
    case presence([PresenceNews])
    /// The node closes the session after this.
    case goodbye(Refusal)
}
