// What can be said only at the end.
extension HistoryChecker {
    /// - Returns: all that is wrong.
    public mutating func conclude() -> [Violation] {
        let stays = conversations.mapValues { conversation in
            Dictionary(uniqueKeysWithValues: conversation.members.map { ($0, conversation.stays(of: $0)) })
        }
        for name in order {
            guard let message = messages[name] else { continue }
            conclude(name, message, stays: message.place.flatMap { stays[$0.conversation] } ?? [:])
        }
        judgeSessionOrder()
        if rules.isGapless { findGaps() }
        judgeAlarms()
        if isHealed { judgeConvergence(stays) }
        if messages.isEmpty || !hasShown { violations.append(.empty) }
        for fault in planned where !fired.contains(fault) { violations.append(.faultNeverHappened(fault)) }
        return violations
    }

    private mutating func conclude(_ name: String, _ message: Message, stays: [String: [ClosedRange<UInt64>]?]) {
        var conversation = message.place?.conversation
        // What a member whom the hub lied to could not send any more has no place, and a conversation all the same.
        if case .group(let group) = message.recipient, conversation == nil, conversations[group]?.isLiedAbout == true {
            conversation = group
        }
        func add(_ violation: Violation) {
            if let conversation { note(violation, in: conversation) } else { violations.append(violation) }
        }
        if message.failed != nil {
            // Whoever is gone may have shown it, and could tell nobody. And what a restored hub has forgotten comes again, or fails, also if
            // somebody has it (docs/operating.md, "Backup and restore"). Nor can an old copy know what its later self had heard.
            let isOfLaterSelf = clients[message.sender]?.life ?? 0 > message.life
            if !message.wasForgotten, !isOfLaterSelf, message.shown.keys.contains(where: { !isGone($0) }) { add(.failedButAppeared(name)) }
            return
        }
        if isGone(message.sender) { return }
        // What no hub had yet went with the outbox of a sender that has gone back to an old copy of itself.
        let isForgotten = clients[message.sender]?.life ?? 0 > message.life && (message.highest ?? .queued) < .accepted
        // Its sender was told that nobody knows what became of it.
        let isPromised = message.highest != nil && !isForgotten && !message.isGivenUp
        switch message.recipient {
        case .user(let reader):
            let isShown = message.shown[reader] != nil
            if isPromised, !isShown, !isGone(reader), !isExcused(message, at: reader) {
                add(.lost(name))
                if let highest = message.highest, highest >= .delivered, !rules.isExact {
                    violations.append(.receiptAhead(name, at: reader))
                }
            }
        case .group:
            guard let place = message.place else {
                if isPromised { add(.lost(name)) }
                return
            }
            let readers = stays.filter { $0.key != message.sender && !isGone($0.key) }
            let entitled = readers.filter { ($0.value ?? []).contains { $0.contains(place.number) } }.keys.sorted()
            let isOrphaned = message.out.contains(message.sender)
            let lacking = entitled.filter {
                message.shown[$0] == nil && !isOrphaned && !message.out.contains($0) && !isExcused(message, at: $0)
            }
            if !lacking.isEmpty, lacking.count == entitled.count, entitled.count > 1 || isPromised {
                add(.lost(name))
            } else {
                for reader in lacking { add(.missed(name, at: reader)) }
            }
            for reader in message.shown.keys.sorted() {
                guard let known = stays[reader], let stays = known else { continue }
                if !message.places.contains(where: { place in stays.contains { $0.contains(place.number) } }) {
                    add(.leaked(name, at: reader))
                }
            }
        }
        // A sender that went back to an old copy may have forgotten that it wrote it.
        // Who has left a group is told no more of it; and who is gone confirms nothing.
        let number = message.place?.number ?? 0
        let isStillIn = (stays[message.sender] ?? nil)?.contains { $0.contains(number) && $0.upperBound == .max } ?? false
        let others = stays.filter { $0.key != message.sender }
        let hasOthers = others.contains { $0.value?.contains { $0.upperBound == .max } == true }
        // What a member lost, as it came back in behind it, has come to all others, and comes no further; also if the member had it under
        // another number, from before the hub forgot it: that is more than the sender can know.
        let isComplete = others.allSatisfy { reader, stays in
            guard stays?.contains(where: { $0.contains(number) }) == true else { return true }
            let seat = message.place.flatMap { seats[Seat(client: reader, conversation: $0.conversation)] }
            return message.shown[reader] == clients[reader]?.life ?? 0
                && (message.shownAs[reader] == number || seat?.rejoined ?? 0 < number)
        }
        let isAwaited =
            if case .user(let reader) = message.recipient { !isGone(reader) } else {
                rules.isExact && isStillIn && hasOthers && isComplete && !stays.keys.contains { isGone($0) }
            }
        if isAwaited, !message.shown.isEmpty, (message.highest ?? .queued) < .delivered, clients[message.sender]?.life ?? 0 == 0 {
            add(.neverConfirmed(name))
        }
    }

    private func isGone(_ client: String) -> Bool { clients[client]?.isGone == true }

    /// Whether somebody who lacks a message has said so, or has lost it with its state.
    private func isExcused(_ message: Message, at reader: String) -> Bool {
        let hasReturned = clients[reader]?.life ?? 0 > 0
        guard let place = message.place else { return hasReturned }
        func seat(_ place: Place) -> SeatRecord? { seats[Seat(client: reader, conversation: place.conversation)] }
        // Told once, at the number that it had then: what is numbered anew stands in the same row.
        if message.places.contains(where: { seat($0)?.tombstones.contains($0.number) == true }) { return true }
        if hasReturned, seat(place)?.excused.contains(where: { $0.contains(place.number) }) == true { return true }
        // A restored hub that went on in a later epoch than a member's, who was away: groups keep no old keys (docs/reliability.md, "Open").
        // That it came back in behind what it has not is shown. In a direct conversation its sender hears that it failed.
        guard case .group = message.recipient, conversations[place.conversation]?.forgotten.isEmpty == false else { return false }
        return seat(place)?.lost.contains { $0.contains(place.number) } == true
    }

    /// Of two messages of one client, the one that was acknowledged before the other was handed over has the lower number.
    private mutating func judgeSessionOrder() {
        var sessions: [Seat: [(number: UInt64, name: String)]] = [:]
        for name in order {
            // Where it was numbered first: what is numbered anew comes behind what everybody had already (docs/protocol/hub.md §10).
            guard let message = messages[name], let place = message.places.first, holders[place] == .message(name),
                clients[message.sender]?.life ?? 0 == 0
            else { continue }
            sessions[Seat(client: message.sender, conversation: place.conversation), default: []].append((place.number, name))
        }
        for (seat, all) in sessions.sorted(by: { ($0.key.client, $0.key.conversation) < ($1.key.client, $1.key.conversation) }) {
            var earliest: (acknowledged: Int, name: String)?
            for (_, name) in all.sorted(by: { $0.number > $1.number }) {
                guard let message = messages[name] else { continue }
                if let earliest, earliest.acknowledged < message.invoked {
                    note(.sessionOrder(earliest.name, name), in: seat.conversation)
                }
                if let acknowledged = message.acknowledged, acknowledged < earliest?.acknowledged ?? .max {
                    earliest = (acknowledged, name)
                }
            }
        }
    }

    private mutating func findGaps() {
        for (conversation, places) in Dictionary(grouping: holders.keys, by: \.conversation).sorted(by: { $0.key < $1.key }) {
            let stones = seats.filter { $0.key.conversation == conversation }.flatMap { $0.value.tombstones }
            let numbers = Set(places.map(\.number)).union(stones)
            for number in 1...(numbers.max() ?? 1) where !numbers.contains(number) {
                note(.gap(Place(conversation, number)), in: conversation)
            }
        }
    }

    private mutating func judgeAlarms() {
        for alarm in alarms where !alarm.isExcused && conversations[alarm.conversation]?.isLiedAbout != true {
            violations.append(.falseAlarm(alarm.name, at: alarm.client))
        }
        let alarmed = Set(alarms.map(\.conversation))
        for (conversation, since) in divided.sorted(by: { $0.key < $1.key })
        where !alarmed.contains(conversation) && couldBeNoticed(conversation, since) {
            violations.append(.lieUnnoticed(conversation: conversation))
        }
    }

    /// A lie is found out at the next message (docs/protocol/hub.md §3) between somebody whom the hub deceived and somebody whom it did not.
    /// Where the hub went before there was one, nobody has a word of anybody's that tells: who goes on at an expelled node talks among themselves.
    private func couldBeNoticed(_ conversation: String, _ since: Int) -> Bool {
        guard let told = conversations[conversation], told.isGone else { return true }
        return messages.values.contains { message in
            guard message.place?.conversation == conversation, message.invoked > since else { return false }
            let isByDeceived = told.deceived.contains(message.sender)
            return message.shown.keys.contains { told.deceived.contains($0) != isByDeceived }
        }
    }

    private mutating func judgeConvergence(_ stays: [String: [String: [ClosedRange<UInt64>]?]]) {
        for (id, conversation) in conversations.sorted(by: { $0.key < $1.key }) {
            let present = conversation.readers.sorted().filter { client in
                if isGone(client) { return false }
                guard let known = stays[id]?[client], let stays = known else { return true }
                return stays.contains { $0.upperBound == UInt64.max }
            }
            let heads = present.compactMap { client in
                seats[Seat(client: client, conversation: id)].flatMap { $0.head ?? $0.forgotten }.map { (client: client, number: $0) }
            }
            guard let highest = heads.map(\.number).max() else { continue }
            for head in heads where head.number < highest { note(.notConverged(Place(id, head.number), at: head.client), in: id) }
        }
    }
}

extension HistoryChecker.ConversationRecord {
    /// Whoever is or was in, as far as is known.
    var members: Set<String> {
        var members = peers.union(readers)
        if let founder { members.insert(founder) }
        for moves in changes.values { members.formUnion(moves.map(\.who)) }
        return members
    }
}
