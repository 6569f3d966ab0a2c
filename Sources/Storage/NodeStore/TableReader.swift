internal import Cryptography
package import Vocabulary

/// Reads the tables of a node's store: on the connection that writes them too (`SQLiteNodeStore`), or on one of its own that can stand
/// still while the other writes (`pin`). For one thread at a time.
package class TableReader {
    package let database: Database
    var seal: RowSeal
    /// Of each conversation lately asked for: no event that the tables have has a higher number.
    var highestNumbers: [ConversationKey: Int64] = [:]
    /// Rows that did not open since the start.
    fileprivate(set) var damage = StoreDamage()

    init(database: Database, seal: RowSeal) { (self.database, self.seal) = (database, seal) }

    /// On a connection of its own.
    convenience init(beside writer: SQLiteNodeStore) throws(StoreError) {
        self.init(database: try Database(readingBeside: writer.database, cacheBytes: 16 << 20), seal: writer.seal)
    }

    /// From here on everything is read as it is now, until `unpin`. Each time the writer's connection is nobody else's.
    func pin(beside writer: SQLiteNodeStore) throws(StoreError) {
        highestNumbers = writer.highestNumbers
        try database.pin()
    }

    func unpin(beside writer: SQLiteNodeStore) throws(StoreError) {
        highestNumbers = writer.highestNumbers
        try database.unpin()
    }

    // MARK: Reading

    package func value(_ table: StoreTable, key: [UInt8]) throws(StoreError) -> [UInt8]? {
        let name = seal.name(table, key: key)
        let kind = Int64(table.rawValue)
        let sealed = try database.first("SELECT sealed FROM record WHERE kind=? AND name=?", .integer(kind), .blob(name)) {
            row throws(StoreError) in try row.blob(0)
        }
        guard let sealed else { return nil }
        guard let record = try opened(table, name, { () throws(StoreError) in try openRecord(sealed, kind: kind, name: name) }) else {
            return nil
        }
        guard record.key == key else { throw .corrupt("two keys of table \(kind) have one hash") }
        return record.value
    }

    /// Rising by key.
    package func values(_ table: StoreTable) throws(StoreError) -> [(key: [UInt8], value: [UInt8])] {
        var found: [(key: [UInt8], value: [UInt8])] = []
        let kind = Int64(table.rawValue)
        try database.scanning { () throws(StoreError) in
            try database.rows("SELECT name, sealed FROM record WHERE kind=?", .integer(kind)) { row throws(StoreError) in
                let (name, sealed) = (try row.blob(0), try row.blob(1))
                let record = try opened(table, name) { () throws(StoreError) in try openRecord(sealed, kind: kind, name: name) }
                if let record { found.append(record) }
            }
        }
        return found.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }

    package func event(_ key: EventKey) throws(StoreError) -> [UInt8]? {
        let (conversation, number) = (seal.name(key.conversation), key.row)
        let sealed = try database.first(
            "SELECT sealed FROM event WHERE conversation=? AND number=?", .blob(conversation), .integer(number)
        ) { row throws(StoreError) in try row.blob(0) }
        guard let sealed else { return nil }
        return openEvent(sealed, conversation, number)
    }

    package func heldEvents(
        _ conversation: ConversationKey, after: SequenceNumber, bytesMax: Int
    ) throws(StoreError) -> HeldEvents {
        var (found, room) = (HeldEvents(), bytesMax)
        let name = seal.name(conversation)
        let sql = "SELECT number, sealed FROM event WHERE conversation=? AND held=1 AND number>? AND number<=? ORDER BY number"
        let values: [SQLValue] = [.blob(name), .integer(Int64(clamping: after.value)), .integer(Int64(clamping: counterMax))]
        try database.run(sql, values) { row throws(StoreError) in
            let number = try row.integer(0)
            guard let counter = SequenceNumber(UInt64(bitPattern: number)) else { throw .corrupt("an event's number is above 2^53") }
            guard let bytes = openEvent(try row.blob(1), name, number) else { return true }
            return found.take(counter, bytes, room: &room)
        }
        return found
    }

    package func page(
        _ destination: Destination, after: QueuePosition, limit: Int, bytesMax: Int
    ) throws(StoreError) -> [StoredEntry] {
        var (found, total): ([StoredEntry], Int) = ([], 0)
        guard limit > 0 else { return found }
        let queue = seal.name(destination)
        let sql = """
            SELECT entry.position, entry.sealed, entry.event, event.conversation, event.number, event.sealed
            FROM entry LEFT JOIN event ON event.id = entry.event
            WHERE entry.queue=? AND entry.position>? ORDER BY entry.position LIMIT ?
            """
        let values: [SQLValue] = [.blob(queue), .integer(Int64(clamping: after.value)), .integer(Int64(limit))]
        try database.run(sql, values) { row throws(StoreError) in
            let entry: StoredEntry
            do throws(StoreError) { entry = try openEntry(row, queue: queue) } catch {
                guard case .corrupt = error else { throw error }
                // The rest of the queue goes on; whom it was for sees the gap, and fetches it from the hub's log.
                damage.note("entry", "\(try row.integer(0))")
                return true
            }
            total += entry.content.count + (entry.event?.count ?? 0)
            guard found.isEmpty || total <= bytesMax else { return false }
            found.append(entry)
            return true
        }
        return found
    }

    package func outline(_ destination: Destination) throws(StoreError) -> [(position: QueuePosition, bytes: Int)] {
        var found: [(position: QueuePosition, bytes: Int)] = []
        try database.rows(
            "SELECT position, bytes FROM entry WHERE queue=? ORDER BY position", .blob(seal.name(destination))
        ) { row throws(StoreError) in
            let bytes = try row.integer(1)
            guard (0...Int64(1 << 40)).contains(bytes) else { throw .corrupt("an entry of \(bytes) bytes") }
            found.append((try row.position(0), Int(bytes)))
        }
        return found
    }

    // MARK: What a journal asks of the tables below it

    /// Whether the tables have the event. Numbers rise, so one above the highest that a conversation ever had here costs no look-up.
    func hasEvent(_ key: EventKey) throws(StoreError) -> Bool {
        if key.row > (try highestNumber(of: key.conversation)) { return false }
        return try eventRow(key) != nil
    }

    private func highestNumber(of conversation: ConversationKey) throws(StoreError) -> Int64 {
        if let known = highestNumbers[conversation] { return known }
        let found = try database.first("SELECT max(number) FROM event WHERE conversation=?", .blob(seal.name(conversation))) {
            row throws(StoreError) in row.isNull(0) ? 0 : try row.integer(0)
        }
        if highestNumbers.count >= Self.highestNumbersMax { highestNumbers = [:] }
        let number = found ?? 0
        highestNumbers[conversation] = number
        return number
    }

    private static let highestNumbersMax = 65_536

    struct FoundEvent {
        let id: Int64
        let bytes: Int
        let references: Int64
        let held: Bool
    }

    func eventRow(_ key: EventKey) throws(StoreError) -> FoundEvent? {
        try database.first(
            "SELECT id, length(sealed), refs, held FROM event WHERE conversation=? AND number=?",
            .blob(seal.name(key.conversation)), .integer(key.row)
        ) { row throws(StoreError) in
            FoundEvent(
                id: try row.integer(0), bytes: Int(try row.integer(1)) - RowSeal.overhead, references: try row.integer(2),
                held: try row.integer(3) != 0)
        }
    }

    func isHeld(_ key: EventKey) throws(StoreError) -> Bool { try eventRow(key)?.held ?? false }

    func hasEntry(at position: QueuePosition) throws(StoreError) -> Bool {
        try database.first("SELECT 1 FROM entry WHERE position=?", .integer(Int64(clamping: position.value))) { _ throws(StoreError) in true
        }
            ?? false
    }

    func hasEntries(
        _ destination: Destination, after: QueuePosition, except withdrawn: Set<QueuePosition>
    ) throws(StoreError) -> Bool {
        var found = false
        try database.run(
            "SELECT position FROM entry WHERE queue=? AND position>? ORDER BY position",
            [.blob(seal.name(destination)), .integer(Int64(clamping: after.value))]
        ) { row throws(StoreError) in
            found = try !withdrawn.contains(row.position(0))
            return !found
        }
        return found
    }

    // MARK: Damage

    /// Nil for a damaged row of a table that a node can be without. The others are its memory: without them it must not go on.
    private func opened<T>(_ table: StoreTable, _ name: [UInt8], _ open: () throws(StoreError) -> T) throws(StoreError) -> T? {
        do throws(StoreError) { return try open() } catch {
            guard case .corrupt = error, table.isDispensable else { throw error }
            damage.note("\(table)", Hex.encode(name))
            return nil
        }
    }

    private func openEvent(_ sealed: [UInt8], _ conversation: [UInt8], _ number: Int64) -> [UInt8]? {
        do throws(StoreError) { return try seal.open(sealed, at: .event(conversation: conversation, number: number)) } catch {
            damage.note("event", "\(Hex.encode(conversation)) \(number)")
            return nil
        }
    }

    // MARK: Within

    private func openRecord(_ sealed: [UInt8], kind: Int64, name: [UInt8]) throws(StoreError) -> (key: [UInt8], value: [UInt8]) {
        var reader = ByteReader(try seal.open(sealed, at: .record(kind: kind, name: name)))
        guard let key = try? reader.opaque() else { throw .corrupt("a record of table \(kind) does not decode") }
        return (Array(key), Array(reader.rest))
    }

    private func openEntry(_ row: borrowing Row, queue: [UInt8]) throws(StoreError) -> StoredEntry {
        let position = try row.integer(0)
        guard !row.isNull(2) else {
            let content = try seal.open(row.blob(1), at: .entry(queue: queue, position: position, event: nil))
            return StoredEntry(position: try row.position(0), content: content, event: nil)
        }
        guard !row.isNull(5) else { throw .corrupt("the event of queue entry \(position) is missing") }
        let (conversation, number) = (try row.blob(3), try row.integer(4))
        let content = try seal.open(row.blob(1), at: .entry(queue: queue, position: position, event: (conversation, number)))
        let event = try seal.open(row.blob(5), at: .event(conversation: conversation, number: number))
        return StoredEntry(position: try row.position(0), content: content, event: event)
    }
}

extension Row {
    func position(_ column: Int32) throws(StoreError) -> QueuePosition {
        let number = try integer(column)
        guard number >= 0, let position = QueuePosition(UInt64(number)) else { throw .corrupt("a queue position of \(number)") }
        return position
    }
}

extension EventKey {
    /// More would not fit above the number in a row's key.
    static let partsMax: UInt16 = 511
    /// The number, with the part above it: an event's own row sorts by number, those of its parts lie beyond all events.
    var row: Int64 { Int64(clamping: number.value) + Int64(min(part, Self.partsMax)) << 54 }

    init(conversation: ConversationKey, row: Int64) {
        let number = SequenceNumber(unchecked: UInt64(clamping: row & (1 << 54 - 1)))
        self.init(conversation: conversation, number: number, part: UInt16(clamping: row >> 54))
    }
}
