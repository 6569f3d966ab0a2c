/// What nodes say to each other over a link. The first is `hello`, or `join` from a node that is not a member yet.
/// Source: docs/protocol/node-link.md.
public indirect enum LinkFrame: Hashable, Sendable {
    /// `readThrough`: how far the sender has durably read the receiver's queue for it. `statements`: digest over its statement set.
    case hello(versions: VersionRange, federation: FederationID, readThrough: QueuePosition, statements: Digest)
    /// A queue item, in order of rising positions.
    case entry(QueuePosition, NodeItem)
    /// Everything through this position is on the sender's disk.
    case acknowledge(through: QueuePosition)

    case join(JoinRequest)
    case admitted([SignedStatement])

    /// Statements the receiver may lack. Verified one by one.
    case statements([SignedStatement])
    /// The digest of the sender's statement set; who differs answers with all of its statements.
    case statementsDigest(Digest)

    case liveness(LivenessMessage)

    /// Fresh or asked-for user records.
    case records([SignedUserRecord])
    /// The sender takes packed ones.
    case takesPackedRecords
    case packedRecords([PackedRecord])
    /// One Negentropy V1 message; `initiator` tells which side of an exchange sent it.
    case reconcile(exchange: UInt64, initiator: Bool, message: [UInt8])
    /// Records the sender lacks, by digest.
    case recordsWanted([Digest])
    /// Two records of one version: proof of a cheating key.
    case equivocation(SignedUserRecord, SignedUserRecord)
    case lookup(RequestID, LookupKey)
    case found(RequestID, SignedUserRecord?)

    /// For a user of ours: KeyPackages of users of the receiver's.
    case claimKeyPackages(RequestID, by: UserID, [UserID])
    case keyPackages(RequestID, [ClaimedKeyPackages])
    /// For a device of ours: what it needs to rejoin a conversation that the receiver is hub of.
    case fetchGroup(RequestID, ConversationKey, by: RosterEntry)
    case group(RequestID, AnswerPart)
    case refusedRequest(RequestID, Refusal)
    /// For a device of ours: events of the receiver's log, to be queued once more.
    case refetch(ConversationKey, by: DeviceID, from: SequenceNumber, through: SequenceNumber)
    /// To the hub with no recipients; from the hub for these devices of the receiver's.
    case signal(Signal, recipients: [DeviceID])
    /// The sender's users want to know of the receiver's; in place of what it said of the same users before.
    case presenceWanted([PresenceWish])
    case presenceUnwanted([UserID])
    case presence([PresenceNews])

    case goodbye(Refusal)
}

/// A new node's request, made of its ticket; the TLS connection proves its key.
public struct JoinRequest: Hashable, Sendable {
    public let versions: VersionRange
    public let federation: FederationID
    public let secret: [UInt8]
    public let name: NodeName

    public init(versions: VersionRange, federation: FederationID, secret: [UInt8], name: NodeName) {
        (self.versions, self.federation, self.secret, self.name) = (versions, federation, secret, name)
    }
}

/// What one node claims of another (SWIM §4.2). Incarnations are the subject's own counter.
public struct LivenessClaim: Hashable, Sendable {
    public enum State: UInt8, Hashable, Sendable, CaseIterable {
        case alive = 1
        case suspect, dead
    }
    public let node: NodeID
    public let state: State
    public let incarnation: UInt64

    public init(node: NodeID, state: State, incarnation: UInt64) {
        (self.node, self.state, self.incarnation) = (node, state, incarnation)
    }
}

/// SWIM's messages (SWIM §3, Lifeguard §IV): every one carries gossip.
public enum LivenessMessage: Hashable, Sendable {
    case ping(sequence: UInt64, claims: [LivenessClaim])
    case acknowledge(sequence: UInt64, claims: [LivenessClaim])
    /// "Ping this node for me"; answered by `acknowledge`, or by `negative` when the target stays silent.
    case pingRequest(sequence: UInt64, target: NodeID, claims: [LivenessClaim])
    case negative(sequence: UInt64, claims: [LivenessClaim])
}
