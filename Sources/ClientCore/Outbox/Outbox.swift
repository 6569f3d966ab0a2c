public import Vocabulary

/// What is on its way, in the order in which the user sent it, and what of it this session has still to hand over.
public struct Outbox: Sendable {
    private var items: [MessageID: OutboxItem] = [:]
    private var nextOrder: UInt64
    /// To be submitted, in order; `readyHead` is the first not yet looked at.
    private var ready: [MessageID] = []
    private var readyHead = 0
    /// Handed over in this session, not yet answered.
    private(set) var inFlight: Set<MessageID> = []
    /// How often each was handed over in this session without an answer: more than once when it was sealed anew in between. The home
    /// answers each, in order, by the message's id alone.
    private var unanswered: [MessageID: Int] = [:]
    /// Refused for now.
    private var delayed: [MessageID] = []
    /// Where what was written later waits behind something that was refused for now: the home takes it in the order in which it comes.
    private var heldBack: Set<ConversationID> = []
    private var attempts = 0
    /// When to try again what was refused for now.
    private(set) var retryAt: Instant?

    init(_ stored: [OutboxItem]) {
        for item in stored {
            items[item.message] = item
            count += item.isNumbered ? 0 : 1
        }
        nextOrder = (stored.map(\.order).max() ?? 0) &+ 1
    }

    public subscript(message: MessageID) -> OutboxItem? { items[message] }

    /// In the order of sending.
    public var all: [OutboxItem] { items.values.sorted { ($0.order, $0.message) < ($1.order, $1.message) } }

    /// What people call the outbox: not yet accepted.
    public var waiting: [OutboxItem] { all.filter { !$0.isNumbered && $0.isText } }

    /// Not yet numbered.
    private(set) var count = 0

    mutating func add(
        _ message: MessageID, to target: Target, in conversation: ConversationID?, _ body: OutboxItem.Body, _ stage: OutboxItem.Stage
    ) -> OutboxItem {
        let item = OutboxItem(message: message, order: nextOrder, target: target, conversation: conversation, body: body, stage: stage)
        nextOrder &+= 1
        items[message] = item
        count += item.isNumbered ? 0 : 1
        return item
    }

    mutating func keep(_ item: OutboxItem) {
        if let old = items[item.message], old.isNumbered != item.isNumbered { count += item.isNumbered ? -1 : 1 }
        items[item.message] = item
    }

    mutating func remove(_ message: MessageID) {
        if let old = items.removeValue(forKey: message), !old.isNumbered { count -= 1 }
        inFlight.remove(message)
    }

    /// Those whose recipient is not known yet.
    func unresolved(for address: Address? = nil) -> [OutboxItem] {
        sorted { item in
            guard item.conversation == nil, item.isWaiting, case .address(let target) = item.target else { return false }
            return address == nil || target == address
        }
    }

    /// What a conversation has to send and has not sealed.
    func waiting(in conversation: ConversationID) -> [OutboxItem] { sorted { $0.conversation == conversation && $0.isWaiting } }
    /// What was sealed in it and has no number yet.
    func sealed(in conversation: ConversationID) -> [OutboxItem] { sorted { $0.conversation == conversation && $0.submission != nil } }
    func unnumbered(in conversation: ConversationID) -> [OutboxItem] { sorted { $0.conversation == conversation && !$0.isNumbered } }

    private func sorted(_ condition: (OutboxItem) -> Bool) -> [OutboxItem] {
        items.values.filter(condition).sorted { ($0.order, $0.message) < ($1.order, $1.message) }
    }

    // MARK: The session's hand-over

    /// Nothing waits for the home's answer; what it refused for now is tried later.
    var isHandedOver: Bool { inFlight.isEmpty && readyHead >= ready.count }

    /// To be handed over as soon as there is room.
    mutating func enqueue(_ message: MessageID) { ready.append(message) }

    /// Nothing was heard for long of what the home has said to hold: it may have been restored from a backup, or the hub be gone.
    func isOverdue(_ item: OutboxItem, at wall: Timestamp) -> Bool {
        guard item.submission != nil, item.state != .queued, let submitted = item.submitted else { return false }
        return submitted + ClientLimits.overdueAfter < wall
    }

    mutating func enqueueOverdue(at wall: Timestamp) {
        for item in all where isOverdue(item, at: wall) && !inFlight.contains(item.message) { enqueue(item.message) }
    }

    /// A new session: everything that the home may not have goes again, with the same bytes.
    mutating func sessionOpened(at wall: Timestamp) {
        sessionClosed()
        attempts = 0
        ready = all.filter { item in
            guard item.submission != nil else { return false }
            // What the home has said to hold is left to it.
            return item.state == .queued || item.submitted == nil || isOverdue(item, at: wall)
        }.map(\.message)
    }

    /// The home was restored from a backup: what it has said to hold it may not have any more.
    mutating func homeForgot() {
        for var item in items.values where item.submission != nil {
            item.submitted = nil
            items[item.message] = item
        }
    }

    mutating func sessionClosed() {
        inFlight = []
        unanswered = [:]
        ready = []
        readyHead = 0
        (delayed, heldBack) = ([], [])
        retryAt = nil
    }

    /// The next item to hand over; nil when there is none or no room.
    mutating func takeNext() -> OutboxItem? {
        while inFlight.count < ClientLimits.submissionsInFlightMax, readyHead < ready.count {
            let message = ready[readyHead]
            readyHead += 1
            if readyHead > 1024 {
                ready.removeFirst(readyHead)
                readyHead = 0
            }
            guard let item = items[message], item.submission != nil, !inFlight.contains(message) else { continue }
            if item.isOrdered, let conversation = item.conversation, heldBack.contains(conversation) {
                delayed.append(message)
                continue
            }
            inFlight.insert(message)
            unanswered[message, default: 0] += 1
            return item
        }
        return nil
    }

    /// Sealed anew: handed over once more, whatever was said of the bytes before.
    mutating func enqueueAnew(_ message: MessageID) {
        inFlight.remove(message)
        delayed.removeAll { $0 == message }
        ready.append(message)
    }

    /// The home's answer to one hand-over.
    ///
    /// - Returns: false when it is about bytes in whose place others were handed over since.
    mutating func homeAnswered(_ message: MessageID) -> Bool {
        let left = (unanswered.removeValue(forKey: message) ?? 1) - 1
        if left > 0 { unanswered[message] = left }
        return left <= 0
    }

    mutating func answered(_ message: MessageID) {
        inFlight.remove(message)
        attempts = 0
    }

    /// Refused for now: again later, after a random part of a growing delay.
    mutating func delay(_ message: MessageID, at now: Instant, using random: inout some RandomNumberGenerator) {
        inFlight.remove(message)
        delayed.append(message)
        if let item = items[message], item.isOrdered, let conversation = item.conversation { heldBack.insert(conversation) }
        guard retryAt == nil else { return }
        retryAt = now + Backoff.delay(attempt: attempts, using: &random)
        attempts += 1
    }

    mutating func retry() {
        retryAt = nil
        ready.append(contentsOf: delayed.sorted { (items[$0]?.order ?? 0) < (items[$1]?.order ?? 0) })
        (delayed, heldBack) = ([], [])
    }
}
