/// What happened in one run, in the order in which it was seen.
///
/// An event is noted after it was seen to happen, but for those that begin something (`submitted`, `cameOnline`): they are noted before.
/// So where one event must come before another, it does here too.
enum HistoryEvent: Equatable, Sendable {
    /// A text is about to be handed to `courier send`. Its words are unique: they stand for the message until its id is known.
    case submitted(text: String, by: String, to: String)
    /// A command reported that state of the message.
    case reported(State, text: String)
    /// The sender's own history gives the message a number.
    case numbered(text: String, Place)
    /// A user's device showed a message.
    case shown(text: String, from: String, at: String, Place)
    /// No process of the user runs from here on, until `cameOnline`.
    case wentOffline(String)
    case cameOnline(String)

    /// `kept`: in the sender's outbox.
    enum State: Equatable, Sendable { case kept, sent, accepted, delivered, failed }

    struct Place: Hashable, Sendable {
        let conversation: String
        let number: Int
    }
}

/// Judges histories by the promises of a messenger: nothing lost, doubled, reordered or invented, and no receipt ahead of the truth.
enum HistoryChecker {
    enum Violation: Equatable, Sendable {
        case lost(String)
        case duplicated(String)
        case outOfOrder(String, at: String)
        /// Shown, but never sent, or to somebody else, or as somebody else's.
        case phantom(String, at: String)
        /// `delivered` although no device of the recipient has ever shown it.
        case deliveredButNotShown(String)
        /// `delivered` of a message that was written and confirmed while the recipient had no process running.
        case deliveredWhileOffline(String)
        /// The sender has never learnt that it arrived.
        case neverConfirmed(String)
        case twoMessagesWithOneNumber(HistoryEvent.Place)
        /// Sender and recipient disagree on a message's place.
        case numbersDiffer(String)
        case numberMissing(HistoryEvent.Place)
        /// A message that was shown is reported as failed.
        case failedButShown(String)
    }

    /// - Parameter isGapless: whether messages take all numbers of their conversation; false where other events take some too.
    /// - Returns: what is wrong, in the order of the history; empty if nothing is.
    static func check(_ history: [HistoryEvent], isGapless: Bool = true) -> [Violation] {
        var record = Record()
        for event in history { record.take(event) }
        record.conclude(isGapless: isGapless)
        return record.violations
    }

    private struct Message {
        let sender, recipient: String
        /// Written while the recipient was away, in the how-manieth absence.
        let absence: Int?
        var states: [HistoryEvent.State] = []
        var isShown = false
        var place: HistoryEvent.Place?
    }

    private struct Reader: Hashable {
        let user, conversation: String
    }

    private struct Record {
        var violations: [Violation] = []
        private var messages: [String: Message] = [:]
        private var order: [String] = []
        private var lastShown: [Reader: Int] = [:]
        private var holders: [HistoryEvent.Place: String] = [:]
        /// Even: online; odd: offline.
        private var presence: [String: Int] = [:]

        mutating func take(_ event: HistoryEvent) {
            switch event {
            case .submitted(let text, let sender, let recipient):
                let count = presence[recipient, default: 0]
                messages[text] = Message(sender: sender, recipient: recipient, absence: count % 2 == 1 ? count : nil)
                order.append(text)
            case .reported(let state, let text): report(state, text)
            case .numbered(let text, let place): note(place, of: text)
            case .shown(let text, let sender, let reader, let place): show(text, from: sender, at: reader, place)
            case .wentOffline(let user): if presence[user, default: 0] % 2 == 0 { presence[user, default: 0] += 1 }
            case .cameOnline(let user): if presence[user, default: 0] % 2 == 1 { presence[user, default: 0] += 1 }
            }
        }

        private mutating func report(_ state: HistoryEvent.State, _ text: String) {
            guard let message = messages[text] else { return violations.append(.phantom(text, at: "its sender")) }
            messages[text]?.states.append(state)
            if state == .delivered, let absence = message.absence, presence[message.recipient] == absence {
                violations.append(.deliveredWhileOffline(text))
            }
        }

        private mutating func show(_ text: String, from sender: String, at reader: String, _ place: HistoryEvent.Place) {
            guard let message = messages[text], message.recipient == reader, message.sender == sender else {
                return violations.append(.phantom(text, at: reader))
            }
            if message.isShown { return violations.append(.duplicated(text)) }
            messages[text]?.isShown = true
            let key = Reader(user: reader, conversation: place.conversation)
            if let last = lastShown[key], place.number < last { violations.append(.outOfOrder(text, at: reader)) }
            lastShown[key] = max(lastShown[key] ?? 0, place.number)
            note(place, of: text)
        }

        private mutating func note(_ place: HistoryEvent.Place, of text: String) {
            if let known = messages[text]?.place {
                if known != place { violations.append(.numbersDiffer(text)) }
                return
            }
            if let holder = holders[place], holder != text { return violations.append(.twoMessagesWithOneNumber(place)) }
            holders[place] = text
            messages[text]?.place = place
        }

        mutating func conclude(isGapless: Bool) {
            for text in order {
                guard let message = messages[text] else { continue }
                let isPromised = message.states.contains { $0 != .failed }
                if message.states.contains(.failed) {
                    if message.isShown { violations.append(.failedButShown(text)) }
                    continue
                }
                if isPromised, !message.isShown { violations.append(.lost(text)) }
                let isDelivered = message.states.contains(.delivered)
                if isDelivered, !message.isShown { violations.append(.deliveredButNotShown(text)) }
                if message.isShown, !isDelivered { violations.append(.neverConfirmed(text)) }
            }
            guard isGapless else { return }
            let conversations = Dictionary(grouping: holders.keys, by: \.conversation)
            for (conversation, places) in conversations.sorted(by: { $0.key < $1.key }) {
                let numbers = Set(places.map(\.number))
                for number in 1...(numbers.max() ?? 1) where !numbers.contains(number) {
                    violations.append(.numberMissing(.init(conversation: conversation, number: number)))
                }
            }
        }
    }
}
