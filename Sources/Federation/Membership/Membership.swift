public import Cryptography
public import Vocabulary

/// Keeps the federation's statements, spreads them, and tells who is a member.
///
/// New statements go to all linked peers at once (rumour). What rumour misses is mended by comparing digests: at each link's start and
/// every ten seconds with one random linked peer; who sees a difference sends all it has.
/// Source: docs/protocol/membership.md.
public struct Membership: Core {
    public struct Invitation: Hashable, Sendable {
        public let name: NodeName
        public let role: MemberRole
        public let expiry: Timestamp
        /// Where this node can be dialled.
        public let endpoints: [Endpoint]
        public let now: Timestamp

        public init(name: NodeName, role: MemberRole, expiry: Timestamp, endpoints: [Endpoint], now: Timestamp) {
            (self.name, self.role, self.expiry, self.endpoints, self.now) = (name, role, expiry, endpoints, now)
        }
    }

    public enum Input: Sendable {
        case linkUp(NodeID)
        case linkDown(NodeID)
        case received([SignedStatement], from: NodeID)
        /// From `statementsDigest` or a link's `hello`.
        case digestReceived(Digest, from: NodeID)
        /// On a connection whose TLS proved the key; not a link yet.
        case joinRequested(JoinRequest, from: NodeID, at: Timestamp)
        /// What this node is now: at every start, and when an address changes.
        case announced(NodeDescriptor.Contents)
        case inviteRequested(RequestID, Invitation)
        case admitRequested(RequestID, NodeID, NodeName, MemberRole)
        /// - lastN: nil: all that this node has seen of the expelled stays. Lower, if its key was stolen earlier.
        case expelRequested(RequestID, NodeID, reason: String, lastN: UInt64?)
        case deadlineReached
    }

    /// In order; what is sent may leave only once the writes before it are on disk.
    public enum Effect: Hashable, Sendable {
        case write(StoreWrite)
        case send(NodeID, LinkFrame)
        /// To all linked peers but one: whom it came from.
        case broadcast(LinkFrame, except: NodeID?)
        /// `evaluation` is another than before.
        case changed
        /// No member any more (expelled, or its admission is void): close its link. Can be this node itself.
        case expelled(NodeID)
        /// The frames for the joining connection, the last of them `admitted`.
        case admitJoining(NodeID, [LinkFrame])
        case refuseJoining(NodeID, Refusal)
        case invited(RequestID, Ticket)
        case done(RequestID)
        case refused(RequestID, MembershipError)
        case note(MembershipNote)
    }

    /// How often digests are compared with one random peer. Raising it delays the mending of what rumour missed.
    public static let compareInterval = Duration.seconds(10)
    /// A peer whose digests keep differing gets everything at most this often.
    public static let answerIntervalMin = Duration.seconds(3)
    /// More new statements than this at once are not told one by one: peers get the digest, and ask by answering.
    public static let rumourStatementsMax = 64

    public let node: NodeID
    public private(set) var nextDeadline: Instant?
    /// Bad statements by the peer that sent them.
    public private(set) var badStatements: [NodeID: UInt64] = [:]
    var kept: StatementSet
    var book: TicketBook
    let key: SigningKey
    private var links: Set<NodeID> = []
    private var answered: [NodeID: Instant] = [:]
    private var asked: [NodeID: Instant] = [:]
    private var announced: NodeDescriptor.Contents?
    /// Each new one is told to everybody.
    private var descriptions = Buckets<NodeID>(rate: Limits.descriptorsPerSecond, burst: Limits.descriptorBurst)

    /// - Parameters:
    ///   - statements: from the store, or those of the genesis alone, or those of `admitted` when joining. Checked like a peer's.
    ///   - federation: nil: that of the first genesis found. A joining node gives its ticket's.
    ///   - tickets: the rows of `StoreTable.ticket`.
    public init(
        key: SigningKey, statements: [SignedStatement], federation: FederationID? = nil,
        tickets: [(key: [UInt8], value: [UInt8])] = []
    ) throws(MembershipError) {
        guard let federation = federation ?? statements.lazy.compactMap(\.foundedFederation).first else { throw .noGenesis }
        self.key = key
        node = NodeID(raw: key.publicKey)
        kept = StatementSet(federation: federation)
        book = TicketBook(restoring: tickets)
        _ = kept.merge(statements.compactMap { try? $0.verified(in: federation) })
        guard kept.genesis != nil else { throw .noGenesis }
    }

    public var federation: FederationID { kept.federation }
    public var evaluation: Evaluation { kept.evaluation }
    /// For the link's `hello`.
    public var digest: Digest { kept.digest }
    public var isSelfMember: Bool { evaluation.isMember(node) }

    /// All there is to store, for a data folder that holds nothing yet.
    public var writes: [StoreWrite] { kept.all.map(Self.put) }

    public mutating func step(_ input: Input, at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        switch input {
        case .linkUp(let peer):
            guard evaluation.isMember(peer) else { return [.expelled(peer)] }
            links.insert(peer)
            if nextDeadline == nil { nextDeadline = now + pause(using: &random) }
            return ask(peer, at: now)
        case .linkDown(let peer):
            links.remove(peer)
            answered[peer] = nil
            asked[peer] = nil
            if links.isEmpty { nextDeadline = nil }
            return []
        case .received(let statements, let peer): return receive(statements, from: peer, at: now)
        case .digestReceived(let digest, let peer): return compare(digest, from: peer, at: now)
        case .joinRequested(let request, let peer, let time): return join(request, from: peer, at: time)
        case .announced(let contents):
            announced = contents
            return announce()
        case .inviteRequested(let id, let invitation): return invite(id, invitation, using: &random)
        case .admitRequested(let id, let node, let name, let role): return admit(id, node, name, role)
        case .expelRequested(let id, let node, let reason, let lastN): return expel(id, node, reason: reason, lastN: lastN)
        case .deadlineReached:
            guard let due = nextDeadline, due <= now else { return [] }
            nextDeadline = now + pause(using: &random)
            // A copy of our descriptor from a former life may have come from a peer: ours goes above it.
            let effects = announce()
            guard let peer = links.sorted().randomElement(using: &random) else { return effects }
            return effects + ask(peer, at: now)
        }
    }

    private mutating func receive(_ statements: [SignedStatement], from peer: NodeID, at now: Instant) -> [Effect] {
        // A key that no statement names may be a member whose admission has not come here yet, and brings it now: what it shows is checked
        // like everything, and its link takes few frames from it (`Links.framesBeforeEstablishedMax`).
        guard evaluation[peer]?.isExpelled != true else { return [.note(.fromExpelled(peer))] }
        let sifted = StatementSieve.sift(statements, for: kept)
        let sound = sifted.sound.filter { $0.descriptor == nil || descriptions.take($0.signer, at: now) }
        var notes = sifted.bad.map { Effect.note(.badStatement($0, from: peer)) }
        if !notes.isEmpty { badStatements[peer, default: 0] += UInt64(notes.count) }
        let (merged, effects) = sound.isEmpty ? (StatementSet.Merged(), []) : merge(sound, from: peer)
        if !merged.added.isEmpty { notes.append(.note(.learned(merged.added.count, from: peer))) }
        let refused = merged.refused + (sifted.hasStrange ? [.unknownSigner] : [])
        for error in StatementError.allCases where refused.contains(error) { notes.append(.note(.notKept(error, from: peer))) }
        // What vouches for it may have gone another way and not be here yet: the peer has it, or would not have kept this.
        if refused.contains(.unknownSigner), mayAsk(peer, at: now) { return effects + ask(peer, at: now) + notes }
        return effects + notes
    }

    /// Takes statements in and tells the world: store, peers, whoever shows members.
    mutating func merge(_ statements: [VerifiedStatement], from peer: NodeID?) -> (StatementSet.Merged, [Effect]) {
        let before = evaluation
        let merged = kept.merge(statements)
        var effects = merged.removed.map { Effect.write(.remove(.statement, key: $0.bytes)) }
        effects += merged.added.map { .write(Self.put($0)) }
        if merged.added.count > Self.rumourStatementsMax {
            effects.append(.broadcast(.statementsDigest(digest), except: peer))
        } else {
            effects += Self.chunks(merged.added.map(\.signed)).map { .broadcast(.statements($0), except: peer) }
        }
        guard evaluation != before else { return (merged, effects) }
        effects.append(.changed)
        let gone = before.active.map(\.id).filter { !evaluation.isMember($0) }
        links.subtract(gone)
        return (merged, effects + gone.map { .expelled($0) })
    }

    private mutating func compare(_ theirs: Digest, from peer: NodeID, at now: Instant) -> [Effect] {
        guard theirs != digest, evaluation.isMember(peer) else { return [] }
        if let last = answered[peer], now - last < Self.answerIntervalMin { return [] }
        answered[peer] = now
        let all = kept.all.map(\.signed)
        var effects: [Effect] = Self.chunks(all).map { .send(peer, .statements($0)) }
        // Behind the statements, so that the peer compares with what it has by then.
        if mayAsk(peer, at: now) { effects += ask(peer, at: now) }
        return effects + [.note(.answered(all.count, to: peer))]
    }

    private func mayAsk(_ peer: NodeID, at now: Instant) -> Bool { asked[peer].map { now - $0 >= Self.answerIntervalMin } ?? true }

    private mutating func ask(_ peer: NodeID, at now: Instant) -> [Effect] {
        asked[peer] = now
        return [.send(peer, .statementsDigest(digest))]
    }

    private mutating func announce() -> [Effect] {
        guard let announced, isSelfMember else { return [] }
        let current = kept.descriptor(of: node)
        guard current?.contents != announced else { return [] }
        let version = min((current?.version ?? 0) + 1, counterMax)
        let descriptor = NodeDescriptor(federation: federation, node: node, contents: announced, version: version)
        return say(.descriptor(descriptor)).1
    }

    /// Signs and takes in a statement of our own.
    mutating func say(_ statement: Statement) -> (StatementSet.Merged, [Effect]) {
        let signed = SignedStatement.signing(statement, with: key)
        guard let verified = try? signed.verified(in: federation) else { return (StatementSet.Merged(), []) }
        return merge([verified], from: nil)
    }

    /// A fifth early or late, so that nodes do not keep step.
    private func pause(using random: inout some RandomNumberGenerator) -> Duration {
        let base = Self.compareInterval.nanoseconds
        return .nanoseconds(Int64.random(in: base * 4 / 5...base * 6 / 5, using: &random))
    }

    static func put(_ statement: VerifiedStatement) -> StoreWrite {
        .put(.statement, key: statement.id.bytes, value: statement.signed.encoded())
    }

    /// Each fits a frame with room for its framing.
    static func chunks(_ statements: [SignedStatement]) -> [[SignedStatement]] {
        var chunks: [[SignedStatement]] = []
        var bytes = 0
        for statement in statements {
            let size = statement.body.count + 128
            if chunks.isEmpty || bytes + size > Limits.frameBytesMax - 1024 {
                chunks.append([])
                bytes = 0
            }
            chunks[chunks.count - 1].append(statement)
            bytes += size
        }
        return chunks
    }
}
