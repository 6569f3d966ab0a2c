internal import Cryptography
internal import Groups
internal import MLS
internal import Vocabulary

// Receipts: watermarks, which no node can forge, and read marks, which no node can read (DESIGN 5, steps 7 and 8).

extension Device {
    /// A device says that it has everything through a number.
    mutating func confirmed(_ watermark: Watermark) {
        let id = watermark.key.conversation
        guard watermark.device != account.deviceID, let one = conversations[id], one.key == watermark.key, one.standing.isFollowed,
            var line = receipts[id]?[watermark.device]
        else { return }
        guard watermark.isSigned else { return raise(.forgedReceipt, watermark.key, watermark.through) }
        guard watermark.through <= one.head else {
            // Honest hubs send what is covered before the receipt; whoever does not, waits.
            line.ahead = watermark
            receipts[id]?[watermark.device] = line
            return write(.receipts(id, watermark.device, line))
        }
        if let chain = one.chain(at: watermark.through), chain != watermark.chain { return close(id, .forkedReceipt, watermark.through) }
        guard deliver(through: watermark.through, on: &line, in: id) else { return }
        keep(line, in: id)
        cover(id)
    }

    /// - Returns: false when it is no news.
    @discardableResult
    mutating func deliver(through number: SequenceNumber, on line: inout ReceiptLine, in id: ConversationID) -> Bool {
        let from = line.deliveredThrough
        guard line.deliver(through: number, at: wall) else { return false }
        news(of: line, from: from, through: number, .delivered, in: id)
        return true
    }

    /// Confirmations that waited for us to have what they cover.
    mutating func release(aheadIn id: ConversationID) {
        guard let head = conversations[id]?.head, let devices = receipts[id]?.ahead, !devices.isEmpty else { return }
        for device in devices.sorted() {
            guard var line = receipts[id]?[device], let ahead = line.ahead, ahead.through <= head else { continue }
            line.ahead = nil
            receipts[id]?[device] = line
            confirmed(ahead)
        }
    }

    /// A device says what its user has seen.
    mutating func marked(_ mark: SealedMark) {
        let id = mark.key.conversation
        guard let one = conversations[id], one.key == mark.key, var line = receipts[id]?[mark.device],
            let key = one.markKeys.last(where: { $0.epoch == mark.epoch })
        else { return }
        let read: ReadMark
        do throws(ReadMark.Flaw) { read = try ReadMark(mark, under: key) } catch {
            return error == .forged ? raise(.forgedReceipt, mark.key, nil) : ()
        }
        // Nobody has read what is not there.
        let through = min(read.through, one.head)
        let from = line.readThrough
        guard line.read(through: through, at: min(read.at, wall)) else { return }
        keep(line, in: id)
        news(of: line, from: from, through: through, .read, in: id)
        cover(id)
    }

    mutating func keep(_ line: ReceiptLine, in id: ConversationID) {
        receipts[id]?[line.entry.device] = line
        write(.receipts(id, line.entry.device, line))
    }

    private mutating func news(
        of line: ReceiptLine, from: SequenceNumber, through: SequenceNumber, _ state: MessageState, in id: ConversationID
    ) {
        let messages = (conversations[id]?.awaiting ?? []).filter {
            $0.number > from && $0.number <= through && $0.number > line.joined && !line.hasLost($0.number)
        }
        guard !messages.isEmpty else { return }
        emit(.receipt(ReceiptNews(conversation: id, by: line.entry, messages: messages.map(\.message), state: state)))
    }

    /// Brings the states of our messages up to what everybody has said.
    mutating func cover(_ id: ConversationID) {
        guard let one = conversations[id], !one.awaiting.isEmpty else { return }
        // With nobody else in it there is nobody to wait for, and nobody who has read it.
        guard receipts[id]?.concernOthers(than: account.userID) == true else {
            for message in one.awaiting { if let item = outbox[message.message] { remove(item) } }
            _ = conversations.update(id) { $0.awaiting = [] }
            return
        }
        var awaiting = one.awaiting
        // Whoever lacks a message lacks all that follow, unless somebody came back in behind it.
        let isEach = receipts[id]?.lossy.isEmpty == false
        var isReadOpen = false
        for index in awaiting.indices {
            if awaiting[index].state < .delivered { cover(&awaiting[index], in: one) }
            let message = awaiting[index]
            if message.state < .delivered, !isEach { break }
            guard message.state == .delivered, isEach || !isReadOpen else { continue }
            let read = reach(of: message, .read, in: id)
            isReadOpen = read == .some
            guard read != .some else { continue }
            awaiting[index].state = .read
            if let item = outbox[message.message] { remove(item) }
            if read == .all { report(message.message, MessageStatus(.read, number: message.number)) }
        }
        guard awaiting != one.awaiting else { return }
        awaiting.removeAll { $0.state == .read }
        _ = conversations.update(id) { $0.awaiting = awaiting }
    }

    private mutating func reach(of message: Conversation.Awaiting, _ state: MessageState, in id: ConversationID) -> Receipts.Reach {
        receipts[id]?.reach(of: message.number, state, except: account.userID) ?? .some
    }

    private mutating func cover(_ message: inout Conversation.Awaiting, in one: Conversation) {
        let reach = reach(of: message, .delivered, in: one.id)
        guard reach != .some else { return }
        if reach == .allButLost, one.profile.isDirect {
            // It will never be shown, and the sender hears it.
            message.state = .read
            if let item = outbox[message.message] { remove(item) }
            let refusal = Refusal(.expired, "the recipient's device lost it before it was shown")
            return report(message.message, MessageStatus(.failed, number: message.number, refusal: refusal))
        }
        message.state = .delivered
        if var item = outbox[message.message] {
            (item.state, item.body) = (.delivered, .numbered)
            outbox.keep(item)
            write(.outbox(item))
        }
        // In a group it has come to whom it can, and that is not to all. Who lost it says nothing of it any more, and need not: to come
        // back in behind it said it.
        let refusal = Refusal(.expired, "a member came back into the group behind it; all others have it")
        report(
            message.message,
            reach == .all
                ? MessageStatus(.delivered, number: message.number)
                : MessageStatus(.accepted, number: message.number, refusal: refusal))
    }

    /// We go past events that we have not seen, into a group in which others have another leaf than we knew. Who came back in among those events
    /// has said there what it lacks, and whatever it says to have from now on covers that too: of what it had not confirmed nobody knows.
    mutating func doubtReceipts(in one: Conversation, through number: SequenceNumber, _ leaves: [LeafNode]) {
        guard let group = groups[one.id], group.isActive else { return }
        var known: [DeviceID: LeafNode] = [:]
        for (_, leaf) in group.members { if let entry = MemberLeaf.entry(of: leaf) { known[entry.device] = leaf } }
        var isDoubtful = false
        for leaf in leaves {
            guard let entry = MemberLeaf.entry(of: leaf), let before = known[entry.device], before != leaf,
                var line = receipts[one.id]?[entry.device]
            else { continue }
            line.doubt(through: number)
            keep(line, in: one.id)
            isDoubtful = true
        }
        guard isDoubtful else { return }
        // In a group it has come to the others.
        if one.profile.isDirect {
            let lost = Refusal(.expired, "the recipient's device came back in behind it").orThere
            for mine in one.awaiting where mine.state < .delivered { fail(mine.message, lost) }
        }
        cover(one.id)
    }

    // MARK: What we have

    /// Those conversations of which it is time to say what we have. What the others owe is on disk before the entries are gone at home.
    mutating func takeOwed(at now: Instant) -> [ConversationID] {
        var ready: [ConversationID] = []
        for id in advanced.union(owing).sorted() {
            let isReady = !isLarge(id) || watermarkPace.admits(id, at: now)
            if isReady { ready.append(id) }
            guard isReady == owing.contains(id) else { continue }
            if isReady { owing.remove(id) } else { owing.insert(id) }
            _ = conversations.update(id) { $0.isOwing = !isReady }
            if let one = conversations[id] { write(.conversation(one)) }
        }
        return ready
    }

    private mutating func isLarge(_ id: ConversationID) -> Bool {
        groups.roster(of: id).count >= Limits.gatheredReceiptsRosterMin
    }

    /// When something that is held back is due.
    var nextReceipt: Instant? {
        let marks = settings.sendsReadReceipts ? unmarked : []
        return (owing.map(watermarkPace.due) + marks.map(markPace.due)).min()
    }

    // MARK: What we have seen

    mutating func shown(_ id: ConversationID, through number: SequenceNumber) {
        guard let one = conversations[id], number > one.shown, number <= one.head else { return }
        change(id) { $0.shown = number }
        unmarked.insert(id)
    }

    /// Says what was shown since: one mark a conversation, to those who wrote it.
    mutating func mark(at now: Instant, using random: inout some RandomNumberGenerator) {
        guard settings.sendsReadReceipts, !unmarked.isEmpty else { return }
        for id in unmarked.sorted() where !isLarge(id) || markPace.admits(id, at: now) {
            unmarked.remove(id)
            guard let one = conversations[id], one.standing == .accepted, one.shown > .zero, let key = one.markKeys.last else { continue }
            let devices = markRecipients(one)
            guard !devices.isEmpty else { continue }
            // What came while nothing was taken was shown as missing.
            let mark = ReadMark(key: one.key, device: account.deviceID, through: min(one.shown, one.resumed ?? one.shown), at: wall)
            emit(.send(.mark(mark.sealed(under: key, by: account.device, using: &random), devices: devices)))
        }
    }

    /// Everybody in a small conversation; in a large one those who wrote of late.
    private func markRecipients(_ one: Conversation) -> [DeviceID] {
        let all = (receipts[one.id]?.lines.keys.sorted() ?? []).filter { $0 != account.deviceID }
        guard all.count > ClientLimits.markRecipientsMax else { return all }
        var seen: Set<DeviceID> = []
        let authors = one.authors.reversed().compactMap { seen.insert($0.device).inserted ? $0.device : nil }
        return Array(authors.prefix(ClientLimits.markRecipientsMax))
    }

    mutating func change(readReceipts: Bool?, lastSeen: Bool?, using random: inout some RandomNumberGenerator) {
        if let readReceipts { settings.sendsReadReceipts = readReceipts }
        if let lastSeen {
            settings.sharesLastSeen = lastSeen
            lastSettingsPing += 1
            settingsPing = lastSettingsPing
        }
        if settings.presenceToken == .zero { settings.presenceToken = random.bytes32() }
        write(.settings(settings))
        sayPresence()
    }
}
