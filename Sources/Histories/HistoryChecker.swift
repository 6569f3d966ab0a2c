/// How closely a run was watched, and what it may hold.
public struct HistoryRules: Hashable, Sendable {
    /// Everything is noted at the very moment when it happens, as in the simulator: then no receipt may be noted before what it confirms.
    /// From outside, where lines of several processes are noted as they come in, only what lies further apart is judged.
    public var isExact: Bool
    /// Messages, changes and tombstones take all the numbers.
    public var isGapless: Bool
    /// Something that cannot be read is no violation: members who lie, or come back from old copies.
    public var allowsTombstones: Bool

    public init(isExact: Bool = false, isGapless: Bool = false, allowsTombstones: Bool = false) {
        (self.isExact, self.isGapless, self.allowsTombstones) = (isExact, isGapless, allowsTombstones)
    }
}

/// Judges a history by the promises of a messenger (docs/design.md §5). Takes the events one by one, so that a run of a million messages need not
/// be held; `conclude` says what can be said only at the end.
public struct HistoryChecker: Sendable {
    public typealias Place = HistoryEvent.Place
    typealias State = HistoryEvent.State

    struct Message: Sendable {
        let sender: String
        let recipient: HistoryEvent.Recipient
        /// The events before it was handed over.
        let invoked: Int
        /// And before it was first acknowledged.
        var acknowledged: Int?
        /// The sender's life in which it was handed over.
        let life: Int
        /// Written while the recipient was away, in the how-manieth absence.
        let absence: Int?
        var highest: State?
        /// What the sender was told last, and in which of its lives.
        var told: (state: State, life: Int)?
        /// In which of its sender's lives it was said to have failed; nil again once an old copy of the sender goes on with it.
        var failed: Int?
        /// Its sender was told that nobody knows what became of it.
        var isGivenUp = false
        /// When it was said to have failed, its hub had forgotten it.
        var wasForgotten = false
        /// Rising. More than one only over a restoration of the hub.
        var places: [Place] = []
        /// The one that counts: numbered anew, a message is for who is in then.
        var place: Place? { places.last }
        /// By reader: in which of the reader's lives.
        var shown: [String: Int] = [:]
        /// By reader: under which number.
        var shownAs: [String: UInt64] = [:]
        /// Who was out of the group already when its hub forgot it: nobody says it again to these; and nobody at all if its sender is among them.
        var out: Set<String> = []
    }

    /// A client and a conversation.
    struct Seat: Hashable, Sendable {
        let client, conversation: String
    }

    let rules: HistoryRules
    var violations: [Violation] = []
    var messages: [String: Message] = [:]
    /// In the order in which they were handed over.
    var order: [String] = []
    var holders: [Place: Holder] = [:]
    var conversations: [String: ConversationRecord] = [:]
    var seats: [Seat: SeatRecord] = [:]
    var clients: [String: ClientRecord] = [:]
    var planned: [String] = []
    var fired: Set<String> = []
    var alarms: [(name: String, client: String, conversation: String, isExcused: Bool)] = []
    var count = 0
    var isHealed = false
    var hasShown = false

    enum Holder: Hashable, Sendable {
        case message(String)
        case change
    }

    /// What is known of one conversation from all its members.
    struct ConversationRecord: Sendable {
        /// Of a direct one, those who write to each other.
        var peers: Set<String> = []
        var founder: String?
        var changes: [UInt64: Set<Move>] = [:]
        var chains: [UInt64: String] = [:]
        /// Whom the hub told another story; where a hub is not said to have lied, nobody.
        var deceived: Set<String> = []
        var isLiedAbout: Bool { !deceived.isEmpty }
        var isGone = false
        var readers: Set<String> = []
        /// What restored hubs have forgotten.
        var forgotten: [ClosedRange<UInt64>] = []

        struct Move: Hashable, Sendable {
            let isIn: Bool
            let who: String
        }
    }

    /// What one client has of one conversation.
    struct SeatRecord: Sendable {
        var lastShown: UInt64 = 0
        /// The highest that it has ever stored everything through.
        var highest: UInt64 = 0
        var head: UInt64?
        /// How far it was when it went back to a copy that may not know the conversation: `head` is nil as long as it says nothing of it.
        var forgotten: UInt64?
        var tombstones: Set<UInt64> = []
        /// Numbers that it lost with its state.
        var excused: [ClosedRange<UInt64>] = []
        /// What it went past at one bound; and of that, what it has lost, as it came back in behind it.
        var passed: [ClosedRange<UInt64>] = []
        var lost: [ClosedRange<UInt64>] = []
        /// Let in, by whatever it was that did.
        var hasCome = false
        /// Where it came back in last.
        var rejoined: UInt64 = 0
        var receipts: [String: [State: UInt64]] = [:]
    }

    struct ClientRecord: Sendable {
        /// Even: online; odd: offline.
        var presence = 0
        /// Counts restored copies.
        var life = 0
        var isGone = false
    }

    public init(_ rules: HistoryRules = HistoryRules()) { self.rules = rules }

    /// - Returns: what is wrong, in the order in which it shows; empty if nothing is.
    public static func check(_ history: some Sequence<HistoryEvent>, _ rules: HistoryRules = HistoryRules()) -> [Violation] {
        var checker = HistoryChecker(rules)
        for event in history { checker.take(event) }
        return checker.conclude()
    }

    public mutating func take(_ event: HistoryEvent) {
        count += 1
        let client = event.client
        switch event.what {
        case .invoke(let message, let recipient): invoke(message, by: client, to: recipient)
        case .ok(let message, let state, let place, let chain): acknowledge(message, state, place, chain, by: client)
        case .fail(let message, _): fail(message, by: client)
        case .info(let message, _):
            if messages[message]?.sender != client { violations.append(.phantom(message, at: client)) }
            messages[message]?.isGivenUp = true
        case .show(let message, let author, let place, let chain): show(message, by: author, at: client, place, chain)
        case .tombstone(let place, _):
            if !rules.allowsTombstones { note(.unreadable(place, at: client), in: place.conversation) }
            seat(client, place) { $0.tombstones.insert(place.number) }
        case .change(let place, let change, let who): self.change(change, who, at: client, place)
        case .found(let conversation):
            conversations[conversation, default: .init()].founder = client
            seats[Seat(client: client, conversation: conversation), default: .init()].hasCome = true
        case .head(let place, let chain): head(of: client, place, chain)
        case .receipt(let place, let by, let state): receipt(of: by, state, place, at: client)
        case .alarm(let name, let conversation, let number):
            // What a client has lost by going back to an old copy, after it had said to have it, nobody has for it any more. A copy that it does
            // not know for one calls that a gap (docs/reliability.md, "Open").
            let lost = seats[Seat(client: client, conversation: conversation)]?.excused ?? []
            let isExcused =
                name == "gap" && clients[client]?.life ?? 0 > 0 && number.map { number in lost.contains { $0.contains(number) } } ?? false
            alarms.append((name, client, conversation, isExcused))
        case .offline: if clients[client, default: .init()].presence % 2 == 0 { clients[client, default: .init()].presence += 1 }
        case .online: if clients[client, default: .init()].presence % 2 == 1 { clients[client, default: .init()].presence += 1 }
        case .restored: restore(client)
        case .setBack(let place, let through):
            guard through > place.number else { break }
            setBack(place, through: through)
        case .gone(let conversation?): conversations[conversation, default: .init()].isGone = true
        case .gone(nil): clients[client, default: .init()].isGone = true
        case .plan(let fault): planned.append(fault)
        case .fault(let fault, let conversation):
            fired.insert(fault)
            if let conversation { conversations[conversation, default: .init()].deceived.insert(client) }
        case .healed: isHealed = true
        case .gauge(let name, let value, let bound):
            if value > bound { violations.append(.unbounded("\(name) of \(client)", value: value, bound: bound)) }
        }
    }

    /// A violation that a lie about the conversation would explain is judged at the end: by whether it was noticed.
    mutating func note(_ violation: Violation, in conversation: String) {
        if conversations[conversation]?.isGone == true { return }
        guard conversations[conversation]?.isLiedAbout == true else { return violations.append(violation) }
        divided[conversation] = divided[conversation] ?? count
    }

    /// Conversations that were lied about, and in which it made a difference: since which event.
    var divided: [String: Int] = [:]

    mutating func seat(_ client: String, _ place: Place, _ body: (inout SeatRecord) -> Void) {
        conversations[place.conversation, default: .init()].readers.insert(client)
        body(&seats[Seat(client: client, conversation: place.conversation), default: .init()])
    }
}
