internal import Cryptography
internal import Vocabulary

/// One conversation as its hub knows it: who is in it, the last number and chain, and the log of what some device still lacks.
struct Conversation: Sendable {
    let key: ConversationKey
    /// `key.groupID`, which every message is compared with.
    let groupID: [UInt8]
    let creator: UserID
    private(set) var roster: Roster
    var group: GroupFollower
    /// Of the GroupInfo that founded it: to know a repeat.
    let founding: Digest

    private(set) var head: SequenceNumber = 0
    private(set) var chain: Digest
    private(set) var log = EventLog()
    /// Devices that lack the log's first event; nil when it must be counted anew.
    private var behind: Int?

    /// Where the devices live, as of some state of the directory.
    var fanOut: FanOut?
    /// For the eviction of the least recently used.
    var lastUsed: UInt64 = 0

    /// The last restoration of this node that the conversation has been through, and the event that it began with.
    var restored: UInt64 = 0
    var began: SequenceNumber = 0
    /// While the hub, restored from a backup, finds out where the conversation stands.
    var recovery: Recovery?
    /// Whose word the group is, until that is told.
    var adopted: DeviceID?

    init(key: ConversationKey, creator: UserID, roster: Roster, group: GroupFollower, founding: Digest) {
        (self.key, self.creator, self.roster, self.group, self.founding) = (key, creator, roster, group, founding)
        groupID = key.groupID
        chain = Chain.start(key)
    }

    /// Bytes of memory, roughly: for the bound on all that are resident.
    var weight: Int { 512 + roster.count * 192 + log.count * 256 + group.weight }

    /// Gives the next number. Never expires before one in front of it: the log is emptied from the front.
    mutating func append(_ event: NewEvent, expires asked: UInt64) -> (envelope: Envelope, expires: UInt64) {
        let number = head.next
        let payload = Hash.blake2b(event.payload)
        chain = Chain.next(
            after: chain, number: number, sender: event.sender, message: event.message, kind: event.kind, epoch: event.epoch,
            payloadDigest: payload)
        head = number
        let envelope = Envelope(
            key: key, number: number, sender: event.sender, message: event.message, kind: event.kind, epoch: event.epoch,
            payload: event.payload, chain: chain)
        let expires = max(asked, log.last?.expires ?? 0)
        _ = log.append(
            EventLog.Line(
                number: number, message: event.message, sender: event.sender, payload: payload, chain: chain, expires: expires,
                bytes: EventLog.bytes(ofPayload: event.payload)),
            afterJump: event.kind == .restoration)
        if log.count == 1 { behind = nil }
        return (envelope, expires)
    }

    /// Past every number that may have been given to what is not known here any more.
    mutating func jump(to number: SequenceNumber) { head = max(head, number) }

    /// The last event came with a Welcome in these parts.
    mutating func attach(_ parts: [WelcomePart]) {
        log.attach(parts: UInt16(clamping: parts.count), bytes: parts.reduce(0) { $0 + $1.bytes.count })
    }

    /// An event without its number.
    struct NewEvent {
        let message: MessageID
        let sender: RosterEntry
        let kind: EventKind
        let epoch: Epoch
        let payload: [UInt8]
    }

    /// A commit's change of the roster. Who came has nothing of what was before.
    mutating func change(removed: [RosterEntry], added: [RosterEntry]) {
        guard !removed.isEmpty || !added.isEmpty else { return }
        roster.remove(removed, add: added, since: head)
        (behind, fanOut) = (nil, nil)
    }

    // MARK: Coverage

    /// Whether a watermark may raise its device's: news, and not ahead of the truth, nor over another history where the log still knows.
    func isNews(_ watermark: Watermark) -> Bool {
        guard let member = roster[watermark.device], watermark.through > member.through, watermark.through <= head else { return false }
        if watermark.through == head { return watermark.chain == chain }
        return log.line(watermark.through).map { $0.chain == watermark.chain } ?? true
    }

    /// Whether all that it newly covers is its device's own.
    func coversNoOther(_ watermark: Watermark) -> Bool {
        guard let before = roster[watermark.device] else { return false }
        return log.lines(above: before.covered, through: watermark.through).allSatisfy { $0.sender.device == watermark.device }
    }

    /// - Returns: whose messages it newly covers; nil for no news.
    mutating func raise(_ watermark: Watermark) -> [RosterEntry]? {
        guard isNews(watermark), let before = roster[watermark.device] else { return nil }
        roster.raise(watermark.device, through: watermark.through)
        log.reach(above: before.covered, through: watermark.through, user: before.user)
        if let first = log.first, before.covered < first.number, watermark.through >= first.number, let count = behind {
            behind = count - 1
        }
        var senders: [RosterEntry] = []
        // Mostly a few lines of a few senders.
        for line in log.lines(above: before.covered, through: watermark.through)
        where line.sender.device != watermark.device && !senders.contains(line.sender) && roster.contains(line.sender) {
            senders.append(line.sender)
        }
        return senders.sorted()
    }

    /// Takes from the log what every roster device has.
    mutating func prune() -> [EventLog.Line] {
        guard let first = log.first else { return [] }
        let lacking = behind ?? roster.lacking(first.number)
        behind = lacking
        guard lacking == 0 else { return [] }
        let covered = roster.covered
        behind = nil
        return log.drop { $0.number <= covered }
    }

    /// Whether a device of another user has the event.
    func isReached(_ line: EventLog.Line) -> Bool {
        line.isReached
            || roster.entries.contains { entry in
                guard entry.user != line.sender.user, let member = roster[entry.device] else { return false }
                return member.since <= line.number && line.number <= member.through
            }
    }

    /// Takes from the front of the log what may not stay longer.
    mutating func expire(upTime: UInt64) -> [EventLog.Line] {
        behind = nil
        return log.drop { $0.expires <= upTime }
    }
}

// MARK: Restoring

extension Conversation {
    mutating func restoreHead(row: [UInt8]) throws(CodecError) {
        var reader = ByteReader(row)
        (head, chain) = (try reader.counter(), try reader.id())
    }

    mutating func restoreWatermark(_ device: DeviceID, row: [UInt8]) throws(CodecError) { try roster.restore(device, row: row) }

    /// - Parameter parts: of the Welcome that came with it.
    mutating func restore(_ line: EventLog.Line, parts: UInt16) throws(CodecError) {
        var line = line
        line.parts = parts
        line.bytes += Int(parts) * Limits.partBytesMax
        // Over what a restored hub has jumped, and over an event that did not open: who lacks it asks for it in vain, and says so.
        guard log.append(line, afterJump: true) else { throw .badValue("the order of a conversation's log") }
    }
}

extension EventLog.Line {
    /// As the disk has it, without its Welcome.
    init(stored bytes: [UInt8]) throws(CodecError) {
        let stored = try StoredEvent(decoding: bytes)
        let envelope = stored.envelope
        self.init(
            number: envelope.number, message: envelope.message, sender: envelope.sender, payload: Hash.blake2b(envelope.payload),
            chain: envelope.chain, expires: stored.expires, bytes: EventLog.bytes(ofPayload: envelope.payload))
    }
}
