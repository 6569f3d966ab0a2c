import Cryptography
import Federation
import Groups
import MLS
import Vocabulary

/// A device with the real MLS library and nothing else of a client: it founds, joins, commits, seals and opens.
struct Sailor {
    let person: Person
    /// At the relay, or 0 for one that lives on another node.
    var session: UInt64
    var group: Group?
    var packages: [OwnKeyPackage] = []
    var pending: (message: MessageID, commit: PendingCommit)?
    var joining: (message: MessageID, join: PendingJoin)?
    private(set) var parts: [WelcomePart] = []
    /// What it was shown, in the order in which it came.
    private(set) var seen: [SequenceNumber] = []
    private(set) var texts: [String] = []
    private(set) var chain: Digest = .zero
    private(set) var failures: [MLSError] = []
    private(set) var wasRemoved = false
    private(set) var failed: [Failure] = []
    private(set) var receipts: [Watermark] = []
    private(set) var marks: [SealedMark] = []
    var random: SeededGenerator

    static let host = GroupHost(now: Coast.wall.seconds, refusal: { MemberLeaf.refusal($0) })

    init(_ person: Person, session: UInt64, seed: UInt64) {
        (self.person, self.session) = (person, session)
        random = SeededGenerator(seed: seed)
    }

    var entry: RosterEntry { person.entry }
    var device: DeviceID { person.deviceID }
    var head: SequenceNumber { seen.last ?? 0 }

    var identity: MemberIdentity {
        get throws {
            let body = DeviceCertificate.body(user: person.id, device: person.deviceID)
            let now = Coast.wall.seconds
            return try MemberLeaf.identity(
                of: entry, device: person.device, certificate: person.key.sign(body, for: .deviceCertificate),
                lifetime: Lifetime(notBefore: now - 3_600, notAfter: now + 86_400 * 30))
        }
    }

    // MARK: Submissions

    mutating func package() throws -> KeyPackage {
        let own = try OwnKeyPackage.make(member: identity, using: &random)
        packages.append(own)
        return own.package
    }

    mutating func found(_ key: ConversationKey, _ profile: GroupProfile? = nil, message: UInt64 = 1) throws -> Submission {
        let profile = profile ?? GroupProfile(kind: .group, name: "sailors", roles: [person.id: .owner])
        let made = try Group.create(
            id: key.groupID, member: identity, extensions: profile.groupContext, host: Self.host, using: &random)
        group = made
        return Submission(
            message: .numbered(message), conversation: key.conversation, hub: key.hub, kind: .found(groupInfo: try made.groupInfo()))
    }

    /// A commit for the next epoch, which is merged when it is accepted.
    mutating func commit(_ proposals: [Proposal], references: [[UInt8]]? = nil, message: UInt64) throws -> Submission {
        let group = try mine
        var plan = CommitPlan(proposals)
        plan.includesTree = false
        // As clients do: those who only add leave the path for later.
        plan.refreshesPath = proposals.isEmpty || !proposals.allSatisfy { if case .add = $0 { true } else { false } }
        plan.references = references
        plan.authenticatedData = binding(message)
        let commit = try group.commit(plan, host: Self.host, using: &random)
        pending = (.numbered(message), commit)
        let bundle = CommitBundle(
            epoch: Epoch(unchecked: group.epoch), commit: commit.message, welcome: commit.welcome,
            groupInfo: try commit.groupInfo(includesTree: false))
        return submission(message, .commit(bundle))
    }

    mutating func leave(message: UInt64) throws -> Submission { try propose(.remove(try mine.ownLeaf), message: message) }

    mutating func propose(_ proposal: Proposal, message: UInt64) throws -> Submission {
        var copy = try mine
        let bytes = try copy.propose(proposal, host: Self.host, using: &random)
        group = copy
        return submission(message, .proposal(epoch: Epoch(unchecked: copy.epoch), message: bytes))
    }

    mutating func say(_ text: String, message: UInt64, timeToLive: UInt32 = 0) throws -> Submission {
        var group = try mine
        let payload = try group.seal(Array(text.utf8), authenticatedData: binding(message), using: &random)
        self.group = group
        return submission(message, .application(epoch: Epoch(unchecked: group.epoch), payload: payload), timeToLive: timeToLive)
    }

    mutating func rejoin(_ parcel: GroupParcel, replacing leaf: UInt32?, message: UInt64) throws -> Submission {
        let join = try Group.joinExternally(
            parcel.groupInfo, tree: parcel.tree, as: identity, replacing: leaf, host: Self.host, using: &random)
        joining = (.numbered(message), join)
        let epoch = Epoch(unchecked: join.summary.epoch - 1)
        let info = try join.group.groupInfo(includesTree: false)
        let bundle = CommitBundle(epoch: epoch, commit: join.message, welcome: nil, groupInfo: info)
        guard let key = ConversationKey(groupID: join.group.id) else { throw Missing() }
        return Submission(message: .numbered(message), conversation: key.conversation, hub: key.hub, kind: .commit(bundle))
    }

    func submission(_ message: UInt64, _ kind: SubmissionKind, timeToLive: UInt32 = 0) -> Submission {
        let key = group.flatMap { ConversationKey(groupID: $0.id) } ?? ConversationKey(hub: Coast.id(0), conversation: .numbered(0))
        return Submission(message: .numbered(message), conversation: key.conversation, hub: key.hub, kind: kind, timeToLive: timeToLive)
    }

    private func binding(_ message: UInt64) -> [UInt8] { MessageBinding(message: .numbered(message), head: head, chain: chain).encoded() }

    struct Missing: Error {}
    var mine: Group { get throws { if let group { group } else { throw Missing() } } }

    func leaf(of person: Person) throws -> UInt32 {
        guard let found = try mine.members.first(where: { MemberLeaf.entry(of: $0.leaf) == person.entry }) else { throw Missing() }
        return found.index
    }

    // MARK: What comes

    mutating func take(_ items: [DeviceItem]) throws { for item in items { try take(item) } }

    mutating func take(_ item: DeviceItem) throws {
        switch item {
        case .event(let envelope):
            guard var group, envelope.number > head else { return }
            follow(envelope.number, envelope.chain)
            do throws(MLSError) {
                switch try group.process(envelope.payload, host: Self.host) {
                case .application(let message): texts.append(String(decoding: message.data, as: UTF8.self))
                case .removed: wasRemoved = true
                case .commit, .proposal: break
                }
                self.group = group
            } catch { failures.append(error) }
        case .accepted(let acceptance):
            guard acceptance.number > head else { return }
            follow(acceptance.number, acceptance.chain)
            if let pending, pending.message == acceptance.message {
                try group?.merge(pending.commit, host: Self.host)
                self.pending = nil
            } else if let joining, joining.message == acceptance.message {
                group = joining.join.group
                self.joining = nil
            }
        case .welcome(let part): try take(part)
        case .failed(let failure): failed.append(failure)
        case .watermark(let watermark): receipts.append(watermark)
        case .mark(let mark): marks.append(mark)
        }
    }

    private mutating func take(_ part: WelcomePart) throws {
        guard part.number > head else { return }
        if part.index == 0 { parts = [] }
        parts.append(part)
        guard parts.count == Int(part.count) else { return }
        let parcel = try WelcomeParcel(decoding: parts.flatMap(\.bytes))
        let references = try MLSMessage(parcel.welcome).welcomedReferences
        guard let own = packages.first(where: { references.contains($0.reference) }) else { throw Missing() }
        group = try Group.join(parcel.welcome, with: own, tree: parcel.tree, host: Self.host)
        follow(part.number, parcel.chain)
    }

    private mutating func follow(_ number: SequenceNumber, _ chain: Digest) {
        seen.append(number)
        self.chain = chain
    }

    func watermark() throws -> Watermark {
        guard let key = ConversationKey(groupID: try mine.id) else { throw Missing() }
        return person.watermark(key, through: head, chain: chain)
    }
}
