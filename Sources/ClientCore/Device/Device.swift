internal import Cryptography
internal import Groups
public import MLS
public import Vocabulary

/// What a profile's store holds, apart from the history.
public struct DeviceSnapshot: Sendable {
    public var account: Account
    public var settings: Settings?
    public var contacts: [Contact] = []
    public var conversations: [Conversation] = []
    public var outbox: [OutboxItem] = []
    public var groups: [ConversationID: StoredGroup] = [:]
    public var pending: [ConversationID: [UInt8]] = [:]
    public var keyPackages: [[UInt8]] = []
    public var receipts: [(conversation: ConversationID, line: ReceiptLine)] = []
    public var order = SubmissionOrder()
    public var welcomes: [UnfinishedWelcome] = []

    public init(account: Account) { self.account = account }
}

/// The client's logic for one device: session, joining, contacts, conversations, groups, outbox, receipts. Sans-I/O.
///
/// The shell steps it with a batch of inputs that ends in `batchEnded`, commits all `write` effects in one transaction and only
/// then performs the others. Hence nothing is acknowledged or submitted that is not on disk, and after a crash the core is
/// restored from the store and goes on.
/// Source: docs/protocol/client-session.md, docs/protocol/hub.md; DESIGN 5, 6, 9.
public struct Device: Core {
    public internal(set) var account: Account
    public internal(set) var settings: Settings
    public internal(set) var contacts: Contacts
    public internal(set) var conversations: Conversations
    public internal(set) var outbox: Outbox

    var groups: GroupShelf
    var keyPackages: KeyPackageShelf
    var receipts: [ConversationID: Receipts] = [:]
    var order: SubmissionOrder

    var phase = Phase.idle
    var wall = Timestamp(milliseconds: 0)
    /// Failed openings in a row.
    var failures = 0
    var returning = RecordReturn.none
    var questions: [RequestID: Question] = [:]
    var lastQuestion: UInt64 = 0
    /// Questions for which there was no room yet, in order.
    var waitingQuestions: [Question] = []
    /// What the home did not take for now; offered again at `lookupRetryAt`.
    var putOff: [Question] = []
    /// Long answers that come in parts.
    var parcels: [RequestID: [UInt8]] = [:]
    /// When each contact's record was last confirmed.
    var freshness: [UserID: Instant] = [:]
    /// Whom the directory does not know; asked again in the next session.
    var unlisted: Set<UserID> = []
    /// Owners of groups whose node is not in the federation any more, as our home has said in this session.
    var ownersGone: Set<UserID> = []
    /// Owed at the end of the batch: the queue position reached, the conversations that went on, and those that may have something to do.
    var acknowledgeThrough: QueuePosition?
    /// Where the first entry of a conversation stands that is not on our disk: it is not acknowledged, nor is what follows it.
    var unkept: [ConversationID: QueuePosition] = [:]
    /// What is not acknowledged for that reason: how far it goes, and how many entries it is, and bytes.
    var withheld: (through: QueuePosition, entries: Int, bytes: Int)?
    /// Of this batch's entries.
    var entryBytes = 0
    /// Entries that have come since the last word of an acknowledgement.
    var entryCount = 0
    var advanced: Set<ConversationID> = []
    var touched: Set<ConversationID> = []
    /// Messages that were in the outbox when this profile was found to be an old copy: a later self may have sent them.
    var inherited: Set<MessageID> = []
    /// How many were kept of this run.
    var alarms: [AlarmPlace: Int] = [:]
    /// Conversations of which the user has seen more than we have said.
    var unmarked: Set<ConversationID> = []
    /// Those of which we have more than we have said (`Conversation.isOwing`).
    var owing: Set<ConversationID>
    var watermarkPace = Pace()
    var markPace = Pace()
    /// Conversations of which a restored home may have lost something.
    var refill: Set<ConversationID> = []
    var lookupRetryAt: Instant?
    /// Until then the home has to hand over something of what waits, or to say that nothing does; nil: it has said so.
    var stalledAt: Instant?
    /// When hubs are asked next whether they still have the conversations in which a message waits for receipts, and how often they were.
    var probeAt: Instant?
    var probes = 0
    /// When to look at a conversation again; and until when nothing of our own is tried in it, after a refusal.
    var due: [ConversationID: Instant] = [:]
    var restingUntil: [ConversationID: Instant] = [:]
    /// How often a group was not come back into for want of somebody who vouches for it.
    var unvouched: [ConversationID: Int] = [:]
    /// By whose word we come back in.
    var vouchers: [ConversationID: UserID] = [:]
    /// When we vouched for a group last because we were asked to.
    var vouchedAt: [ConversationID: Instant] = [:]
    /// Somebody could not be added yet: asked for again then; in a group all else goes on meanwhile.
    var claimAgainAt: [ConversationID: Instant] = [:]
    var attempts: [ConversationID: Int] = [:]
    /// Those whose hub has answered since something was missing: what does not come now is held back.
    var answered: Set<ConversationID> = []
    /// Those whose hub the home has said in this session not to be in the federation: what others have proposed there is left alone.
    var hubless: Set<ConversationID> = []
    /// Who waits for what became of an intent; KeyPackages that came for a change and are not used yet.
    var wishes: [Ticket: PendingWish] = [:]
    var wanted: [Address] = []
    /// The ping behind a changed setting that the home has not answered; the number of the last such ping.
    var settingsPing: UInt64?
    var lastSettingsPing: UInt64 = 0
    /// Joining is told once others can add us: with KeyPackages at home.
    var hasJustJoined = false
    /// The home has KeyPackages of ours, as far as we know.
    public internal(set) var isStocked = false
    /// Signatures of members that held before, shared by whatever devices are in this process. Nil: each is checked each time.
    public var signatures: (any SignatureMemory)?
    var effects: [Effect] = []

    public init(_ snapshot: DeviceSnapshot) {
        account = snapshot.account
        settings = snapshot.settings ?? Settings(presenceToken: .zero)
        contacts = Contacts(snapshot.contacts)
        conversations = Conversations(snapshot.conversations, me: snapshot.account.userID)
        outbox = Outbox(snapshot.outbox)
        groups = GroupShelf(stored: snapshot.groups, pending: snapshot.pending, welcomes: snapshot.welcomes)
        keyPackages = KeyPackageShelf(snapshot.keyPackages)
        order = snapshot.order
        owing = Set(snapshot.conversations.filter(\.isOwing).map(\.id))
        for (id, line) in snapshot.receipts { receipts[id, default: Receipts()][line.entry.device] = line }
        for item in outbox.all {
            guard case .numbered(let id, let number, let chain) = item.stage else { continue }
            _ = conversations.update(id) {
                $0.awaiting.append(.init(number: number, chain: chain, message: item.message, state: item.state))
            }
        }
    }

    public var nextDeadline: Instant? {
        let ofSession = isLive ? [due.values.min(), nextRefetch, nextReceipt, stalledAt] : []
        return ([phase.deadline, outbox.retryAt, lookupRetryAt, probeAt] + ofSession).compactMap { $0 }.min()
    }

    public mutating func step(_ input: Input, at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        effects = []
        switch input {
        case .wallClockRead(let time): wall = time
        case .sessionWanted:
            switch phase {
            // What a user asks for is worth one try now: the last failure may be long past.
            case .idle, .resting: connect(at: now)
            case .connecting, .greeting, .joining, .authenticating, .live, .over: break
            }
        case .connected(let hash): connected(certificateHash: hash, at: now, using: &random)
        case .protocolViolated(let what): closed(.misbehaved(account.endpoint, what), at: now, using: &random)
        case .connectionLost(let reason): closed(.unreachable(account.endpoint, reason), at: now, using: &random)
        case .received(let frame): received(frame, at: now, using: &random)
        case .batchEnded: settle(at: now, using: &random)
        case .sendRequested(let text): send(text, at: now, using: &random)
        case .contactRequested(let ticket, let address): ask(.contact(ticket, address))
        case .contactDecided(let address, let decision): decide(decision, about: address, using: &random)
        case .groupRequested(let ticket, let wish): begin(wish, for: ticket, using: &random)
        case .shown(let id, let number): shown(id, through: number)
        case .settingsChanged(let readReceipts, let lastSeen): change(readReceipts: readReceipts, lastSeen: lastSeen, using: &random)
        case .presenceWanted(let addresses):
            wanted = addresses
            subscribe()
        case .typing(let id, let isTyping): signal(isTyping ? .typing : .typingEnded, in: id, using: &random)
        case .namesWanted(let id): for entry in members(of: id) { met(entry.user) }
        case .deadlineReached: deadlineReached(at: now, using: &random)
        case .ending: (watermarkPace, markPace) = (Pace(), Pace())
        }
        return effects
    }

    // MARK: What the shell may ask between steps

    /// Everything that was waiting has come, everybody in it has a name, and what the outbox held has been answered by the home.
    public var isSettled: Bool {
        guard case .live(caughtUp: true, _, _) = phase else { return false }
        return questions.isEmpty && waitingQuestions.isEmpty && settingsPing == nil && outbox.isHandedOver
    }

    /// The home has whatever was decided here that it must know: whom we block, and what it may show of us.
    public var hasToldHome: Bool { isLive && settingsPing == nil && !has({ $0 == .blocks }) }

    /// Something of ours has no number yet, or a commit is due within moments: whoever ends now leaves it to the next session.
    public var isBusy: Bool { outbox.count > 0 || conversations.areAwaitingTurn }

    public var isLive: Bool {
        if case .live = phase { true } else { false }
    }

    /// There is a session, or one is being opened.
    public var isTrying: Bool {
        switch phase {
        case .connecting, .greeting, .joining, .authenticating, .live: true
        case .idle, .resting, .over: false
        }
    }

    /// The home refused us for good: no session is tried again.
    public var isOver: Bool { phase == .over }

    /// How a sender is shown.
    public enum Name: Equatable, Sendable {
        case known(Address, verified: Bool)
        /// The directory knows no such user, or was not asked: of a large group's members only for those who do something.
        case unlisted
        /// The directory has still to tell; not shown yet.
        case pending
        /// The key claims an address that is pinned to another: not shown until the user decides.
        case held(Address)
    }

    public func name(of user: UserID) -> Name {
        if user == account.userID, let address = account.address { return .known(address, verified: true) }
        if let contact = contacts[user], let address = contact.address {
            return contact.standing == .claiming
                ? .held(address) : .known(address, verified: contact.isVerified && contact.standing == .pinned)
        }
        return unlisted.contains(user) || contacts[user] == nil ? .unlisted : .pending
    }

    /// Who is in a conversation, rising by user; empty once we are out.
    public mutating func members(of id: ConversationID) -> [RosterEntry] { groups.roster(of: id).sorted() }

    /// What each device of others has said of a message of ours with this number.
    public func receipts(of number: SequenceNumber, in id: ConversationID) -> [ReceiptLine] {
        (receipts[id]?.lines.values.filter { $0.joined < number && $0.entry.device != account.deviceID } ?? [])
            .sorted { $0.entry < $1.entry }
    }

    // MARK: Small help

    func has(_ pattern: (Question) -> Bool) -> Bool {
        questions.values.contains(where: pattern) || waitingQuestions.contains(where: pattern)
    }

    mutating func emit(_ effect: Effect) { effects.append(effect) }
    mutating func write(_ write: ClientWrite) { effects.append(.write(write)) }

    /// Changes a conversation and stores it.
    @discardableResult
    mutating func change<T>(_ id: ConversationID, _ body: (inout Conversation) -> T) -> T? {
        guard let result = conversations.update(id, body) else { return nil }
        if let conversation = conversations[id] { write(.conversation(conversation)) }
        touched.insert(id)
        return result
    }

    /// What MLS asks of us.
    var host: GroupHost {
        let signatures = signatures
        var host = GroupHost(now: wall.seconds, refusal: { MemberLeaf.refusal($0, remembering: signatures) })
        host.signatures = signatures
        return host
    }
}
