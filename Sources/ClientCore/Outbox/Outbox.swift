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
    /// Refused for now.
    private var delayed: [MessageID] = []
    private var attempts = 0
    /// When to try again what was refused for now.
    private(set) var retryAt: Instant?

    init(_ stored: [OutboxItem]) {
        for item in stored { items[item.message] = item }
        nextOrder = (stored.map(\.order).max() ?? 0) &+ 1
    }

    public subscript(message: MessageID) -> OutboxItem? { items[message] }

    /// In the order of sending.
    public var all: [OutboxItem] { items.values.sorted { ($0.order, $0.message) < ($1.order, $1.message) } }

    /// What people call the outbox: not yet accepted.
    public var waiting: [OutboxItem] { all.filter { !$0.isNumbered && !$0.isCreation } }

    var count: Int { items.count }

    mutating func add(_ message: MessageID, to address: Address, stage: OutboxItem.Stage) -> OutboxItem {
        let item = OutboxItem(message: message, order: nextOrder, address: address, stage: stage)
        nextOrder &+= 1
        items[message] = item
        return item
    }

    mutating func keep(_ item: OutboxItem) { items[item.message] = item }

    mutating func remove(_ message: MessageID) {
        items[message] = nil
        inFlight.remove(message)
    }

    /// Those that wait for their recipient's keys.
    func unresolved(for address: Address? = nil) -> [OutboxItem] {
        all.filter { item in
            guard case .unresolved = item.stage else { return false }
            return address == nil || item.address == address
        }
    }

    // MARK: The session's hand-over

    /// Nothing waits for the home's answer; what it refused for now is tried later.
    var isHandedOver: Bool { inFlight.isEmpty && readyHead >= ready.count }

    /// To be handed over as soon as there is room.
    mutating func enqueue(_ message: MessageID) { ready.append(message) }

    /// A new session: everything that the home may not have goes again, with the same bytes.
    mutating func sessionOpened(at wall: Timestamp) {
        sessionClosed()
        attempts = 0
        ready = all.filter { item in
            guard item.submission != nil else { return false }
            // What the home has said to hold is left to it, unless its fate is overdue (it may have been restored from a backup).
            guard item.state != .queued, let submitted = item.submitted else { return true }
            return submitted + ClientLimits.overdueAfter < wall
        }.map(\.message)
    }

    mutating func sessionClosed() {
        inFlight = []
        ready = []
        readyHead = 0
        delayed = []
        retryAt = nil
    }

    /// The next item to hand over; nil when there is none or no room.
    mutating func takeNext(unless isBlocked: (OutboxItem) -> Bool) -> OutboxItem? {
        while inFlight.count < ClientLimits.submissionsInFlightMax, readyHead < ready.count {
            let message = ready[readyHead]
            readyHead += 1
            if readyHead > 1024 {
                ready.removeFirst(readyHead)
                readyHead = 0
            }
            guard let item = items[message], item.submission != nil, !inFlight.contains(message), !isBlocked(item) else { continue }
            inFlight.insert(message)
            return item
        }
        return nil
    }

    /// What depends on a founding that is done now, in order, before what is ready already.
    mutating func release(_ conversation: ConversationID) {
        let waiting = all.filter { item in
            item.conversation == conversation && item.state == .queued && !item.isCreation && !inFlight.contains(item.message)
        }
        let released = Set(waiting.map(\.message))
        ready = waiting.map(\.message) + ready.dropFirst(readyHead).filter { !released.contains($0) }
        readyHead = 0
    }

    mutating func answered(_ message: MessageID) {
        inFlight.remove(message)
        attempts = 0
    }

    /// Refused for now: again later, after a random part of a growing delay.
    mutating func delay(_ message: MessageID, at now: Instant, using random: inout some RandomNumberGenerator) {
        inFlight.remove(message)
        delayed.append(message)
        guard retryAt == nil else { return }
        retryAt = now + Backoff.delay(attempt: attempts, using: &random)
        attempts += 1
    }

    mutating func retry() {
        retryAt = nil
        ready.append(contentsOf: delayed.sorted { (items[$0]?.order ?? 0) < (items[$1]?.order ?? 0) })
        delayed = []
    }
}
