internal import Cryptography
public import Vocabulary

/// One conversation as its hub knows it: roster, the last number and chain, and the log of what some device still lacks.
struct Conversation: Sendable {
    /// What the log remembers of an event; its bytes are on disk.
    struct Line: Sendable {
        let number: SequenceNumber
        let message: MessageID
        let sender: RosterEntry
        let payload: Digest
        let chain: Digest
        /// Seconds of up-time.
        let expires: UInt64
    }

    let key: ConversationKey
    /// Sorted; the creator's devices among them.
    let roster: [RosterEntry]
    let creator: UserID
    private(set) var head: SequenceNumber = 0
    private(set) var chain: Digest
    private(set) var watermarks: [DeviceID: SequenceNumber] = [:]
    private(set) var log: ArraySlice<Line> = []
    private var numbers: [MessageID: SequenceNumber] = [:]
    /// For the eviction of the least recently used.
    var lastUsed: UInt64 = 0

    init(key: ConversationKey, roster: [RosterEntry], creator: UserID) {
        (self.key, self.roster, self.creator) = (key, roster, creator)
        chain = Chain.start(key)
    }

    func contains(_ entry: RosterEntry) -> Bool {
        var (low, high) = (0, roster.count)
        while low < high {
            let middle = (low + high) / 2
            if roster[middle] < entry { low = middle + 1 } else { high = middle }
        }
        return low < roster.count && roster[low] == entry
    }

    func entry(of device: DeviceID) -> RosterEntry? { roster.first { $0.device == device } }

    /// The log's line for a message, for as long as the log holds it.
    func line(for message: MessageID) -> Line? {
        guard let number = numbers[message] else { return nil }
        return line(number)
    }

    /// Gives the next number.
    mutating func append(
        message: MessageID, sender: RosterEntry, kind: EventKind, epoch: Epoch, payload: [UInt8], expires: UInt64
    ) -> Envelope {
        let number = head.next
        chain = Chain.next(
            after: chain, number: number, sender: sender, message: message, kind: kind, epoch: epoch, payload: payload)
        head = number
        remember(
            Line(
                number: number, message: message, sender: sender, payload: Hash.blake2b(payload), chain: chain, expires: expires))
        return Envelope(
            key: key, number: number, sender: sender, message: message, kind: kind, epoch: epoch, payload: payload, chain: chain)
    }

    /// - Returns: the number the device's watermark stood at before; nil for one that is no news or ahead of the truth.
    mutating func raise(_ watermark: Watermark) -> SequenceNumber? {
        let before = watermarks[watermark.device] ?? 0
        guard watermark.through > before, watermark.through <= head else { return nil }
        // Where the log still knows the chain, a watermark over another history is refused.
        if let line = line(watermark.through), line.chain != watermark.chain { return nil }
        if watermark.through == head, watermark.chain != chain { return nil }
        watermarks[watermark.device] = watermark.through
        return before
    }

    /// Takes from the log what every roster device has.
    mutating func prune() -> [SequenceNumber] {
        let covered = roster.map { watermarks[$0.device] ?? 0 }.min() ?? 0
        return drop { $0.number <= covered }
    }

    /// Takes from the front of the log what may not stay longer.
    mutating func expire(upTime: UInt64) -> [Line] {
        let lines = log.prefix { $0.expires <= upTime }
        let gone = Array(lines)
        _ = drop { $0.expires <= upTime }
        return gone
    }

    /// The senders, other than the device itself, of what lies above `from` and at or below `through`.
    func senders(above from: SequenceNumber, through: SequenceNumber, except device: DeviceID) -> [RosterEntry] {
        var senders: Set<RosterEntry> = []
        for line in log where line.number > from && line.number <= through && line.sender.device != device { senders.insert(line.sender) }
        return senders.sorted()
    }

    private func line(_ number: SequenceNumber) -> Line? {
        guard let first = log.first, number >= first.number, number.value - first.number.value < UInt64(log.count) else { return nil }
        return log[log.startIndex + Int(number.value - first.number.value)]
    }

    private mutating func remember(_ line: Line) {
        log.append(line)
        numbers[line.message] = line.number
    }

    private mutating func drop(while condition: (Line) -> Bool) -> [SequenceNumber] {
        var gone: [SequenceNumber] = []
        while let line = log.first, condition(line) {
            log.removeFirst()
            numbers[line.message] = nil
            gone.append(line.number)
        }
        return gone
    }
}

// MARK: On disk

extension Conversation {
    var rosterRow: [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(1))
        writer.write(creator)
        writer.write(vector: roster) { $0.write($1) }
        return writer.bytes
    }

    var headRow: [UInt8] {
        var writer = ByteWriter()
        writer.write(head)
        writer.write(chain)
        return writer.bytes
    }

    /// - Parameter events: the held ones, rising.
    init(key: ConversationKey, rows: ConversationRows) throws(CodecError) {
        var reader = ByteReader(rows.roster)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of a conversation") }
        let creator: UserID = try reader.id()
        let roster = try reader.vector(max: Limits.rosterDevicesMax) { reader throws(CodecError) in try reader.rosterEntry() }
        try reader.finish()
        self.init(key: key, roster: roster, creator: creator)
        if let row = rows.head {
            var reader = ByteReader(row)
            (head, chain) = (try reader.counter(), try reader.id())
        }
        for (device, row) in rows.watermarks {
            var reader = ByteReader(row)
            watermarks[device] = try reader.counter()
        }
        for bytes in rows.events {
            let stored = try StoredEvent(decoding: bytes)
            let envelope = stored.envelope
            guard log.last.map({ $0.number.next == envelope.number }) ?? true else { throw .badValue("a hole in a conversation's log") }
            remember(
                Line(
                    number: envelope.number, message: envelope.message, sender: envelope.sender,
                    payload: Hash.blake2b(envelope.payload), chain: envelope.chain, expires: stored.expires))
        }
    }
}

/// A conversation's rows, as the shell loads them on demand.
public struct ConversationRows: Sendable {
    public var roster: [UInt8]
    public var head: [UInt8]?
    public var watermarks: [(device: DeviceID, row: [UInt8])]
    public var events: [[UInt8]]

    public init(roster: [UInt8], head: [UInt8]?, watermarks: [(device: DeviceID, row: [UInt8])], events: [[UInt8]]) {
        (self.roster, self.head, self.watermarks, self.events) = (roster, head, watermarks, events)
    }

    // How the rows of `StoreTable.conversation`, `.head` and `.watermark` are found.

    public static func key(_ key: ConversationKey) -> [UInt8] { key.conversation.bytes }
    public static func watermarkKey(_ key: ConversationKey, _ device: DeviceID) -> [UInt8] { key.conversation.bytes + device.bytes }

    /// The devices whose watermark rows belong to a roster row.
    public static func devices(inRosterRow row: [UInt8]) -> [DeviceID] {
        var reader = ByteReader(row)
        guard (try? reader.integer(UInt16.self)) == 1, (try? reader.id(UserID.self)) != nil else { return [] }
        let roster = try? reader.vector(max: Limits.rosterDevicesMax) { reader throws(CodecError) in try reader.rosterEntry() }
        return (roster ?? []).map(\.device)
    }
}
