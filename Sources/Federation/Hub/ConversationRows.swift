internal import Cryptography
public import Vocabulary

/// A conversation's rows, as the shell loads them on demand.
public struct ConversationRows: Sendable {
    /// Who founded it, and how.
    public var founding: [UInt8]
    public var group: [UInt8]
    public var head: [UInt8]?
    public var watermarks: [(device: DeviceID, row: [UInt8])]
    /// Of the log, rising; nil when one does not decode. Their payloads stay on disk.
    private(set) var lines: [EventLog.Line]? = []
    /// The group, if it was made ready already.
    var restored: (follower: GroupFollower, roster: [RosterEntry])?

    public init(founding: [UInt8], group: [UInt8], head: [UInt8]?, watermarks: [(device: DeviceID, row: [UInt8])]) {
        (self.founding, self.group, self.head, self.watermarks) = (founding, group, head, watermarks)
    }

    /// - Returns: nil when this node is not hub of such a conversation.
    public static func read(_ key: ConversationKey, from store: some NodeStore) throws(StoreError) -> ConversationRows? {
        guard let founding = try store.value(.conversation, key: Self.key(key)) else { return nil }
        // Without its group's row it does not load, which is told.
        var rows = ConversationRows(
            founding: founding, group: try store.value(.group, key: Self.key(key)) ?? [], head: try store.value(.head, key: Self.key(key)),
            watermarks: [])
        rows.restored = try? GroupFollower.restored(row: rows.group)
        for entry in rows.restored?.roster ?? [] {
            if let row = try store.value(.watermark, key: watermarkKey(key, entry.device)) { rows.watermarks.append((entry.device, row)) }
        }
        var last: SequenceNumber? = .zero
        while let after = last {
            // Some at a time: all of a log may be much more than what is kept of it.
            let some = try store.heldEvents(key, after: after, bytesMax: Limits.logReadBytesMax)
            for (_, bytes) in some.events { rows.add(event: bytes) }
            last = some.goesOn ? some.events.last?.number : nil
        }
        return rows
    }

    /// The next one of the log.
    package mutating func add(event bytes: [UInt8]) {
        if let line = try? EventLog.Line(stored: bytes) { lines?.append(line) } else { lines = nil }
    }

    // How the rows are found.

    static func key(_ key: ConversationKey) -> [UInt8] { key.conversation.bytes }
    static func watermarkKey(_ key: ConversationKey, _ device: DeviceID) -> [UInt8] { key.conversation.bytes + device.bytes }
}

/// The row of a conversation: what its group's row does not tell.
struct FoundedConversation {
    let creator: UserID
    let founding: Digest
    /// How many parts the Welcomes have that the log holds.
    var welcomes: [(number: SequenceNumber, parts: UInt16)] = []
    /// See `Conversation`.
    var restored: UInt64 = 0
    var began: SequenceNumber = 0
    var recovery: Recovery?

    init(creator: UserID, founding: Digest) { (self.creator, self.founding) = (creator, founding) }

    init(row: [UInt8]) throws(CodecError) {
        var reader = ByteReader(row)
        let format = try reader.integer(UInt16.self)
        guard format == 2 || format == 3 else { throw .badValue("the format of a conversation") }
        (creator, founding) = (try reader.id(), try reader.id())
        welcomes = try reader.vector { reader throws(CodecError) in (try reader.counter(), try reader.integer()) }
        if format == 3 {
            (restored, began) = (try reader.counter(SequenceNumber.self).value, try reader.counter())
            recovery = try reader.optional { reader throws(CodecError) in try Recovery(from: &reader) }
        }
        try reader.finish()
    }

    var row: [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(3))
        writer.write(creator)
        writer.write(founding)
        writer.write(vector: welcomes) { writer, item in
            writer.write(item.number)
            writer.write(item.parts)
        }
        writer.write(restored)
        writer.write(began)
        writer.write(optional: recovery) { writer, recovery in recovery.write(to: &writer) }
        return writer.bytes
    }
}

extension Conversation {
    init(key: ConversationKey, rows: ConversationRows) throws {
        let founded = try FoundedConversation(row: rows.founding)
        let (follower, roster) = try rows.restored ?? GroupFollower.restored(row: rows.group)
        self.init(key: key, creator: founded.creator, roster: Roster(roster), group: follower, founding: founded.founding)
        let welcomes = Dictionary(founded.welcomes.map { ($0.number, $0.parts) }) { _, last in last }
        if let row = rows.head { try restoreHead(row: row) }
        for (device, row) in rows.watermarks { try restoreWatermark(device, row: row) }
        guard let lines = rows.lines else { throw CodecError.badValue("an event of a conversation's log") }
        for line in lines { try restore(line, parts: welcomes[line.number] ?? 0) }
        (restored, began, recovery) = (founded.restored, founded.began, founded.recovery)
    }

    var roomRow: [UInt8] {
        var founded = FoundedConversation(creator: creator, founding: founding)
        founded.welcomes = log.lines.filter { $0.parts > 0 }.map { ($0.number, $0.parts) }
        (founded.restored, founded.began, founded.recovery) = (restored, began, recovery)
        return founded.row
    }

    var headRow: [UInt8] {
        var writer = ByteWriter(reservingCapacity: 40)
        writer.write(head)
        writer.write(chain)
        return writer.bytes
    }
}
