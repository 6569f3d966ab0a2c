package import Vocabulary

// Watermarks: what they release from the log, and whom they concern; and events once more for who lacks them.
extension Hub {
    /// Whether a watermark would change anything: for the look before its signature is checked.
    /// - Parameter user: whose device it is, by the session or node it came from.
    package func isNews(_ watermark: Watermark, of user: UserID?) -> Bool {
        conversations[watermark.key.conversation]?.read { conversation in
            guard let member = conversation.roster[watermark.device] else { return false }
            return (user == nil || member.user == user) && conversation.isNews(watermark)
        } ?? false
    }

    package func coversNoOther(_ watermark: Watermark) -> Bool {
        conversations[watermark.key.conversation]?.value.coversNoOther(watermark) ?? false
    }

    /// - Returns: whose messages it newly covers; nobody's for a watermark that is no news, not of the roster, or ahead of the truth.
    package mutating func receive(_ watermark: Watermark, writes: inout [StoreWrite]) -> [RosterEntry] {
        var released: [EventLog.Line] = []
        let result = with(watermark.key.conversation) { conversation -> (covered: [RosterEntry], row: [UInt8])? in
            guard let covered = conversation.raise(watermark), let row = conversation.roster.row(of: watermark.device) else { return nil }
            released = conversation.prune()
            return (covered, row)
        }
        guard let (covered, row) = result ?? nil else { return [] }
        writes.append(.put(.watermark, key: ConversationRows.watermarkKey(watermark.key, watermark.device), value: row))
        release(released, of: watermark.key, writes: &writes)
        return covered
    }

    /// Whether the log still holds it: then it is on disk until the next step at least.
    package func holds(_ event: EventKey) -> Bool {
        conversations[event.conversation.conversation]?.value.log.line(event.number).map { event.part <= $0.parts } ?? false
    }

    /// The devices that have not said to have all that the log holds for them, and what each lacks first.
    package func lacking(in id: ConversationID) -> [(entry: RosterEntry, from: SequenceNumber)] {
        guard let conversation = conversations[id]?.value, let last = conversation.log.last else { return [] }
        return conversation.roster.entries.compactMap { entry in
            guard let member = conversation.roster[entry.device], member.covered < last.number else { return nil }
            return (entry, member.covered.next)
        }
    }

    /// What a device has still to read of the log, from an event on.
    /// - Parameter max: keys at most.
    /// - Returns: nil when there is nothing; the keys, the last event that was looked at, and whether that is the log's last.
    func unread(_ id: ConversationID, by entry: RosterEntry, from: SequenceNumber, max: Int) -> Unread? {
        guard let conversation = conversations[id]?.value else { return nil }
        return conversation.unread(by: entry, from: from, through: conversation.head, max: max)
    }

    /// Which stored bytes a device may have once more: events of the log that are meant for it, a Welcome in the place of the commit that
    /// added it. At most `Limits.refetchedMax`.
    package func stored(
        _ id: ConversationID, for entry: RosterEntry, from: SequenceNumber, through: SequenceNumber
    ) -> [EventKey] {
        guard let conversation = conversations[id]?.value, conversation.roster.contains(entry),
            let member = conversation.roster[entry.device],
            from <= through
        else { return [] }
        var keys: [EventKey] = []
        for line in conversation.log.lines(above: max(from, member.since).previous, through: through).prefix(Limits.refetchedMax) {
            let isOwnWelcome = line.number == member.since && line.parts > 0
            for part in isOwnWelcome ? 1...line.parts : 0...0 {
                keys.append(EventKey(conversation: conversation.key, number: line.number, part: part))
            }
        }
        return keys
    }
}

/// What a device reads of a log at a time.
struct Unread {
    var keys: [EventKey] = []
    /// The last event that was looked at; nil for none.
    var through: SequenceNumber?
    /// Nothing comes behind it.
    var isAll = true
}

extension Conversation {
    /// - Returns: nil when there is nothing, or it is nobody of the roster. Not its own events.
    func unread(by entry: RosterEntry, from: SequenceNumber, through: SequenceNumber, max: Int) -> Unread? {
        guard let member = roster[entry.device], member.user == entry.user else { return nil }
        var unread = Unread()
        let lines = log.lines(above: Swift.max(from, member.since, member.through.next).previous, through: through)
        guard !lines.isEmpty else { return nil }
        for line in lines {
            if line.sender.device != entry.device {
                guard unread.keys.count < max else {
                    unread.isAll = false
                    break
                }
                unread.keys.append(EventKey(conversation: key, number: line.number))
            }
            unread.through = line.number
        }
        return unread
    }
}
