internal import Vocabulary

// Large conversations: who is away reads the hub's log when it is back (docs/protocol/hub.md, "Queues"; decision 10).
extension Node {
    /// An event of a conversation of ours to the devices of ours that it is for.
    ///
    /// - Parameter removed: who is out by it, and reads no log any more.
    mutating func spread(_ envelope: Envelope, to fanOut: FanOut, removing removed: Set<DeviceID>, except isExcepted: (DeviceID) -> Bool) {
        let conversation = envelope.key.conversation
        let readers = logReaders.readers(of: conversation)
        let mayLeave = fanOut.local.count >= logReadersMin && logReaders.count + fanOut.local.count <= Limits.logReadersMax
        var away: [DeviceID] = []
        for device in fanOut.local where !isExcepted(device) {
            // It reads the log, and has not come so far.
            if !readers.isEmpty, readers[device] != nil { continue }
            if mayLeave, queues.receiver(of: .device(device)) == nil, removed.isEmpty || !removed.contains(device) {
                if directory.isLocal(device) { away.append(device) }
            } else {
                enqueueForMember(.event(envelope), for: device, of: fanOut)
            }
        }
        if !away.isEmpty { write(logReaders.leave(envelope.number, of: conversation, for: away)) }
    }

    /// How much a device has to read in logs; of conversations on disk one each.
    func unreadCount(of entry: RosterEntry) -> Int {
        logReaders.conversations(of: entry.device).reduce(0) { count, conversation in
            if hub.isAsleep(conversation) { return count + 1 }
            guard let from = logReaders.readers(of: conversation)[entry.device] else { return count }
            return count + (hub.unread(conversation, by: entry, from: from, max: .max)?.keys.count ?? 0)
        }
    }

    /// Takes up what a device that is here has still to read, as soon as all that is in its queue was sent: positions rise, and an
    /// acknowledgement covers everything before it.
    mutating func readLogs(for device: DeviceID) {
        let destination = Destination.device(device)
        guard logReaders.isReader(device), logReaders.turn(of: device) == nil,
            case .session(let session)? = queues.receiver(of: destination), queues.isDrained(destination),
            let user = directory.user(ofLocal: device)
        else { return }
        let entry = RosterEntry(user: user, device: device)
        var (keys, through, isLast): ([EventKey], [ConversationID: SequenceNumber], Bool) = ([], [:], true)
        for conversation in logReaders.conversations(of: device) {
            if hub.isAsleep(conversation) {
                // One at a time: each takes the disk, and somebody may be in thousands.
                if isLast { out.append(.load(.conversation(conversation))) }
                isLast = false
                continue
            }
            let room = Limits.logTurnMax - keys.count
            guard let from = logReaders.readers(of: conversation)[device],
                let unread = hub.unread(conversation, by: entry, from: from, max: room)
            else {
                write(logReaders.remove(device, from: conversation))
                continue
            }
            keys += unread.keys
            if let last = unread.through { through[conversation] = last }
            isLast = isLast && unread.isAll
        }
        guard !through.isEmpty else { return }
        logReaders.begin(LogReaders.Turn(session: session, through: through, isLast: isLast), of: device)
        if keys.isEmpty { endLogTurn(of: device) } else { out.append(.load(.log(keys, for: device, in: session))) }
    }

    /// The events of a turn came from disk.
    mutating func readLog(_ page: LogPage, for device: DeviceID, in session: SessionID) {
        guard var turn = logReaders.turn(of: device), turn.session == session, turn.position == nil,
            let user = directory.user(ofLocal: device)
        else { return }
        // What came meanwhile has its position, and waits for the window.
        guard queues.isDrained(.device(device)) else { return logReaders.endTurn(of: device) }
        let entry = RosterEntry(user: user, device: device)
        if !page.rest.isEmpty {
            // The rest comes with the next turn.
            let through = page.events.map { ($0.key.conversation.conversation, $0.key.number) }
            turn = LogReaders.Turn(session: session, through: Dictionary(through) { _, last in last }, isLast: false)
        }
        for (key, bytes) in page.events {
            let conversation = key.conversation.conversation
            // What has expired was said to have failed.
            guard hub.contains(entry, in: conversation), StoredEvent.expires(of: bytes) > upTime,
                let stored = try? StoredEvent(decoding: bytes)
            else { continue }
            let item = DeviceItem.event(stored.envelope)
            guard !isBlocked(item, for: device) else { continue }
            let position = queues.takePosition()
            out.append(.sendSession(session, .entry(position, item)))
            turn.position = position
        }
        logReaders.begin(turn, of: device)
        if turn.position == nil { endLogTurn(of: device) } else { goOn(.device(device)) }
    }

    /// The device has what a turn sent, or there was nothing to send.
    mutating func endLogTurn(of device: DeviceID) {
        guard let turn = logReaders.turn(of: device) else { return }
        logReaders.endTurn(of: device)
        for (conversation, number) in turn.through.sorted(by: { $0.key < $1.key }) {
            logReaders.move(device, in: conversation, to: number.next)
        }
        goOn(.device(device))
    }

    mutating func acknowledgedLog(through position: QueuePosition, by device: DeviceID) {
        if let last = logReaders.turn(of: device)?.position, last <= position { endLogTurn(of: device) }
    }

    /// One that was asleep is in memory, or cannot be.
    mutating func readLogs(of conversation: ConversationID) {
        for device in logReaders.readers(of: conversation).keys.sorted() where queues.receiver(of: .device(device)) != nil {
            if !hub.isResident(conversation) { write(logReaders.remove(device, from: conversation)) }
            goOn(.device(device))
        }
    }

    /// Into the queue of a device that is out of the conversation, or may be soon: who is out reads no log.
    mutating func enqueueUnread(_ keys: [EventKey], for device: DeviceID, of conversation: ConversationID) {
        guard logReaders.readers(of: conversation)[device] != nil else { return }
        let destination = Destination.device(device)
        for key in keys {
            guard !isBlocked(key.conversation, for: device), !queues.isOverfull(destination) else { break }
            write(queues.append(to: destination, content: DeviceItem.storedEvent, event: key, bytes: Limits.logEventBytesExpected))
        }
        logReaders.endTurn(of: device)
        write(logReaders.remove(device, from: conversation))
        goOn(destination)
    }

    /// All that devices have left in the log of a conversation whose roster is about to be what others say it is.
    mutating func enqueueUnread(of conversation: ConversationID) {
        for (device, from) in logReaders.readers(of: conversation).sorted(by: { $0.key < $1.key }) {
            let unread = directory.user(ofLocal: device).flatMap {
                hub.unread(conversation, by: RosterEntry(user: $0, device: device), from: from, max: .max)
            }
            enqueueUnread(unread?.keys ?? [], for: device, of: conversation)
        }
    }
}
