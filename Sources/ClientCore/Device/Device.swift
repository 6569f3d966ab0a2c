internal import Cryptography
public import Vocabulary

/// What a profile's store holds, apart from the history.
public struct DeviceSnapshot: Sendable {
    public var account: Account
    public var contacts: [Contact]
    public var conversations: [Conversation]
    public var outbox: [OutboxItem]

    public init(account: Account, contacts: [Contact] = [], conversations: [Conversation] = [], outbox: [OutboxItem] = []) {
        (self.account, self.contacts, self.conversations, self.outbox) = (account, contacts, conversations, outbox)
    }
}

/// The client's logic for one device: session, joining, contacts, conversations, outbox. Sans-I/O.
///
/// The shell steps it with a batch of inputs that ends in `batchEnded`, commits all `write` effects in one transaction and only
/// then performs the others. Hence nothing is acknowledged or submitted that is not on disk, and after a crash the core is
/// restored from the store and goes on.
/// Source: docs/protocol/client-session.md, docs/protocol/hub.md.
public struct Device: Core {
    public internal(set) var account: Account
    public internal(set) var contacts: Contacts
    public internal(set) var conversations: Conversations
    public internal(set) var outbox: Outbox

    var phase = Phase.idle
    var wall = Timestamp(milliseconds: 0)
    /// Failed openings in a row.
    var failures = 0
    var questions: [RequestID: Question] = [:]
    var lastQuestion: UInt64 = 0
    /// Questions for which there was no room yet, in order.
    var waitingQuestions: [Question] = []
    /// When each contact's record was last confirmed.
    var freshness: [UserID: Instant] = [:]
    /// Whom the directory does not know; asked again in the next session.
    var unlisted: Set<UserID> = []
    /// Owed at the end of the batch: the queue position reached, and the conversations that went on.
    var acknowledgeThrough: QueuePosition?
    var advanced: Set<ConversationID> = []
    var lookupRetryAt: Instant?
    var effects: [Effect] = []

    public init(_ snapshot: DeviceSnapshot) {
        account = snapshot.account
        contacts = Contacts(snapshot.contacts)
        conversations = Conversations(snapshot.conversations)
        outbox = Outbox(snapshot.outbox)
        for item in outbox.all {
            guard case .numbered(let conversation, let number, let chain) = item.stage else { continue }
            conversations[conversation]?.awaiting.append(.init(number: number, chain: chain, message: item.message))
        }
    }

    public var nextDeadline: Instant? {
        [phase.deadline, outbox.retryAt, lookupRetryAt].compactMap { $0 }.min()
    }

    public mutating func step(_ input: Input, at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        effects = []
        switch input {
        case .wallClockRead(let time): wall = time
        case .sessionWanted: if case .idle = phase { connect(at: now) }
        case .connected(let hash): connected(certificateHash: hash, at: now, using: &random)
        case .connectionLost(let reason): closed(.unreachable(account.endpoint, reason), at: now, using: &random)
        case .received(let frame): received(frame, at: now, using: &random)
        case .batchEnded: settle()
        case .sendRequested(let text): send(text, at: now, using: &random)
        case .contactRequested(let ticket, let address): ask(.contact(ticket, address))
        case .contactDecided(let address, let decision): decide(decision, about: address, at: now, using: &random)
        case .deadlineReached: deadlineReached(at: now, using: &random)
        }
        return effects
    }

    // MARK: What the shell may ask between steps

    /// Everything that was waiting has come, everybody in it has a name, and what the outbox held has been answered by the home.
    public var isSettled: Bool {
        guard case .live(caughtUp: true, _, _) = phase else { return false }
        return questions.isEmpty && waitingQuestions.isEmpty && outbox.isHandedOver
    }

    public var isLive: Bool {
        if case .live = phase { true } else { false }
    }

    /// The home refused us for good: no session is tried again.
    public var isOver: Bool { phase == .over }

    /// How a sender is shown.
    public enum Name: Equatable, Sendable {
        case known(Address, verified: Bool)
        /// The directory knows no such user.
        case unlisted
        /// The directory has still to tell; not shown yet.
        case pending
        /// The key claims an address that is pinned to another: not shown until the user decides.
        case held(Address)
    }

    public func name(of user: UserID) -> Name {
        if let contact = contacts[user], let address = contact.address {
            return contact.standing == .claiming
                ? .held(address) : .known(address, verified: contact.isVerified && contact.standing == .pinned)
        }
        return unlisted.contains(user) ? .unlisted : .pending
    }

    // MARK: Small help

    func has(_ pattern: (Question) -> Bool) -> Bool {
        questions.values.contains(where: pattern) || waitingQuestions.contains(where: pattern)
    }

    mutating func emit(_ effect: Effect) { effects.append(effect) }
    mutating func write(_ write: ClientWrite) { effects.append(.write(write)) }
}
