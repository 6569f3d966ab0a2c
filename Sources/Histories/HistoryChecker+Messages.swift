// What is judged as it comes.
extension HistoryChecker {
    mutating func invoke(_ message: String, by client: String, to recipient: HistoryEvent.Recipient) {
        guard messages[message] == nil else { return }
        var absence: Int?
        if case .user(let address) = recipient, let presence = clients[address]?.presence, presence % 2 == 1 { absence = presence }
        messages[message] = Message(
            sender: client, recipient: recipient, invoked: count, life: clients[client]?.life ?? 0, absence: absence)
        order.append(message)
    }

    mutating func acknowledge(_ message: String, _ state: State, _ place: Place?, _ chain: String?, by client: String) {
        guard let known = messages[message], known.sender == client else { return violations.append(.phantom(message, at: client)) }
        if known.acknowledged == nil { messages[message]?.acknowledged = count }
        // An old copy of its sender knows of an earlier state, and learns the later ones once more: also that it failed, or it comes.
        let life = clients[client]?.life ?? 0
        if let failed = known.failed {
            if failed == life { violations.append(.failedButAppeared(message)) } else { messages[message]?.failed = nil }
        }
        if rules.isExact, let told = known.told, told.life == life, state < told.state { violations.append(.stateBackwards(message)) }
        messages[message]?.told = (max(state, known.told.flatMap { $0.life == life ? $0.state : nil } ?? state), life)
        messages[message]?.highest = max(known.highest ?? state, state)
        if let place {
            if known.shown.isEmpty, !isPossible(place, for: known) {
                note(.answeredDifferently(message), in: place.conversation)
            } else {
                put(message, at: place, chain, by: client)
            }
        }
        guard state >= .delivered, case .user(let reader) = known.recipient else { return }
        // What could not be read was told in its place; the receipt says no more than that it came (docs/protocol/conversations.md §3, §5).
        let isTold = known.places.contains { place in
            seats[Seat(client: reader, conversation: place.conversation)]?.tombstones.contains(place.number) == true
        }
        if known.shown[reader] == nil, !isTold,
            rules.isExact || known.absence != nil && clients[reader]?.presence == known.absence
        {
            violations.append(.receiptAhead(message, at: reader))
        }
    }

    mutating func fail(_ message: String, by client: String) {
        guard let known = messages[message], known.sender == client else { return violations.append(.phantom(message, at: client)) }
        messages[message]?.failed = clients[client]?.life ?? 0
        messages[message]?.wasForgotten =
            !known.places.isEmpty
            && known.places.allSatisfy { place in
                conversations[place.conversation]?.forgotten.contains { $0.contains(place.number) } == true
            }
    }

    mutating func show(_ message: String, by author: String, at reader: String, _ place: Place, _ chain: String?) {
        guard let known = messages[message], known.sender == author, known.sender != reader, concerns(known, reader, place) else {
            return note(.phantom(message, at: reader), in: place.conversation)
        }
        hasShown = true
        let life = clients[reader]?.life ?? 0
        if known.shown[reader] == life { return violations.append(.duplicated(message, at: reader)) }
        messages[message]?.shown[reader] = life
        messages[message]?.shownAs[reader] = place.number
        let seat = seats[Seat(client: reader, conversation: place.conversation)]
        if let last = seat?.lastShown, place.number < last { note(.outOfOrder(place, at: reader), in: place.conversation) }
        self.seat(reader, place) { $0.lastShown = max($0.lastShown, place.number) }
        put(message, at: place, chain, by: reader)
    }

    private func concerns(_ message: Message, _ reader: String, _ place: Place) -> Bool {
        switch message.recipient {
        case .user(let address): address == reader
        case .group(let conversation): conversation == place.conversation
        }
    }

    /// One message, one number; but what a restored hub has forgotten is sealed and numbered anew, under the same id (docs/protocol/hub.md
    /// §10). So of two numbers the lower must be one that a restoration forgot, and the higher one that was given after it. And an old copy
    /// of a client sends what it has still to send, also what it had sent later (docs/protocol/conversations.md §7): one more number for each
    /// time that the sender went back, which may be forgotten as well.
    private func isPossible(_ place: Place, for message: Message) -> Bool {
        if message.places.contains(place) { return true }
        let returns = (clients[message.sender]?.life ?? 0) - message.life
        let all = (message.places + [place]).sorted()
        let unexplained = zip(all, all.dropFirst()).count { lower, higher in
            let forgotten = lower.conversation == higher.conversation ? conversations[lower.conversation]?.forgotten ?? [] : []
            return !forgotten.contains { $0.contains(lower.number) && $0.upperBound < higher.number }
        }
        return unexplained <= returns
    }

    /// One number, one message; and the other way round.
    private mutating func put(_ message: String, at place: Place, _ chain: String?, by client: String) {
        guard let known = messages[message] else { return }
        if !isPossible(place, for: known) {
            note(.twoPlaces(message, at: client), in: place.conversation)
        } else if !known.places.contains(place) {
            if let holder = holders[place], holder != .message(message) {
                note(.twoAtOnePlace(place, at: client), in: place.conversation)
            } else {
                holders[place] = .message(message)
            }
            // Also where something else is said to be: that is told, and the message is not lost besides.
            messages[message]?.places = (known.places + [place]).sorted()
            messages[message]?.out = []
            if case .user(let address) = known.recipient {
                conversations[place.conversation, default: .init()].peers.formUnion([address, known.sender])
            }
        }
        if let chain { compare(chain, at: place, by: client) }
    }

    private mutating func compare(_ chain: String, at place: Place, by client: String) {
        if let known = conversations[place.conversation]?.chains[place.number] {
            if known != chain { note(.fork(place, at: client), in: place.conversation) }
        } else {
            conversations[place.conversation, default: .init()].chains[place.number] = chain
        }
    }

    mutating func change(_ change: HistoryEvent.Change, _ who: [String], at client: String, _ place: Place) {
        seat(client, place) { seat in
            guard change == .joined || change == .rejoined && who.contains(client) else { return }
            // Between what it had and where it came back in.
            if place.number > 0, seat.highest > 0 || seat.lastShown > 0 { seat.excused.append(0...place.number) }
            // Who never had a Welcome, as it went with an old hub, comes in like one who comes back.
            let hadCome = seat.hasCome
            seat.hasCome = true
            guard change == .rejoined else { return }
            seat.lost += hadCome ? seat.passed : [0...place.number]
            (seat.passed, seat.rejoined) = ([], max(seat.rejoined, place.number))
        }
        guard change != .joined else { return }
        if let holder = holders[place], holder != .change { note(.twoAtOnePlace(place, at: client), in: place.conversation) }
        holders[place] = .change
        // Who comes back in was in; or was out, and is in since a restored hub has forgotten that.
        for one in who where change == .added || change == .removed || change == .left || change == .rejoined {
            conversations[place.conversation, default: .init()].changes[place.number, default: []]
                .insert(.init(isIn: change == .added || change == .rejoined, who: one))
        }
    }

    mutating func head(of client: String, _ place: Place, _ chain: String) {
        // What a restored hub has forgotten comes again: nobody loses it by going past it.
        let forgotten = conversations[place.conversation]?.forgotten.map(\.upperBound).filter { $0 < place.number }.max() ?? 0
        seat(client, place) { seat in
            let next = max(seat.highest, forgotten) + 1
            if seat.highest > 0, next < place.number { seat.passed.append(next...place.number) }
            seat.head = place.number
            seat.highest = max(seat.highest, place.number)
        }
        compare(chain, at: place, by: client)
    }

    mutating func receipt(of other: String, _ state: State, _ place: Place, at client: String) {
        let conversation = conversations[place.conversation]
        if !(conversation?.knows(other) ?? false) { note(.receiptByStranger(place, of: other, at: client), in: place.conversation) }
        let last = seats[Seat(client: client, conversation: place.conversation)]?.receipts[other]?[state] ?? 0
        if rules.isExact, place.number < last { note(.receiptBackwards(place, of: other, at: client), in: place.conversation) }
        seat(client, place) { $0.receipts[other, default: [:]][state] = max(last, place.number) }
        let theirs = seats[Seat(client: other, conversation: place.conversation)]
        if rules.isExact, max(theirs?.highest ?? 0, theirs?.lastShown ?? 0) < place.number {
            note(.receiptAhead("\(place)", at: other), in: place.conversation)
        }
    }

    /// A hub goes on from an old copy of itself.
    mutating func setBack(_ place: Place, through: UInt64) {
        let range = place.number + 1...through
        conversations[place.conversation, default: .init()].forgotten.append(range)
        guard let conversation = conversations[place.conversation] else { return }
        let out = conversation.members.filter { conversation.stays(of: $0)?.contains { $0.upperBound == .max } == false }
        guard !out.isEmpty else { return }
        for (name, message) in messages {
            guard let last = message.place, last.conversation == place.conversation, range.contains(last.number) else { continue }
            messages[name]?.out = out
        }
    }

    mutating func restore(_ client: String) {
        clients[client, default: .init()].life += 1
        for seat in seats.keys where seat.client == client {
            guard var record = seats[seat] else { continue }
            record.excused.append(0...max(record.highest, record.lastShown))
            (record.lastShown, record.receipts) = (0, [:])
            // Of a conversation that the copy does not know it hears with what is said there next.
            (record.head, record.forgotten) = (nil, record.highest)
            seats[seat] = record
        }
    }
}

extension HistoryChecker.ConversationRecord {
    func knows(_ client: String) -> Bool {
        peers.contains(client) || founder == client || changes.values.contains { $0.contains(.init(isIn: true, who: client)) }
    }

    /// From being added to being removed, again and again; nil where nothing is known of who is in.
    func stays(of client: String) -> [ClosedRange<UInt64>]? {
        guard founder != nil || !changes.isEmpty else { return peers.isEmpty ? nil : peers.contains(client) ? [0...UInt64.max] : [] }
        var (stays, since): ([ClosedRange<UInt64>], UInt64?) = ([], founder == client ? 0 : nil)
        for (number, moves) in changes.sorted(by: { $0.key < $1.key }) {
            if let start = since, moves.contains(.init(isIn: false, who: client)) {
                stays.append(start...number)
                since = nil
            }
            if since == nil, moves.contains(.init(isIn: true, who: client)) { since = number }
        }
        if let since { stays.append(since...UInt64.max) }
        return stays
    }
}
