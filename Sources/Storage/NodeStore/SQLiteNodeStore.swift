public import Cryptography
public import Vocabulary

/// A node's store in one SQLite file, every value sealed with `storage.key` (docs: DESIGN 7). For the writer's thread alone.
///
/// Opening and reading is here, writing in `SQLiteNodeStore+Commit.swift`, what happens between batches in `+Maintenance.swift`.
public final class SQLiteNodeStore: NodeStore {
    package let database: Database
    var seal: RowSeal
    var space: DiskSpace
    /// The highest position ever given, on disk or about to be.
    var highest = QueuePosition.zero
    /// What `own` says of it; entries may stand higher.
    var floor = QueuePosition.zero
    /// Of each conversation lately asked for: no event that the tables have has a higher number.
    var highestNumbers: [ConversationKey: Int64] = [:]
    /// The file is to stay as it is: a backup reads it.
    var isHeld = false
    var damage = StoreDamage()
    /// The last `full` was our own word, with room left on the disk.
    var refusedGrowth = false

    /// Opens or makes `store.db` in the folder, which exists and is locked by the caller (`DataFolderLock`).
    ///
    /// - Parameter key: from `storage.key`.
    /// - Throws: `unusable`: made with another key or by a newer version; else as `Database.init`.
    public init(folder: String, key: SealingKey) throws(StoreError) {
        let options = Database.Options(applicationID: Schema.applicationID, migrations: Schema.migrations, cacheBytes: 64 << 20)
        database = try Database(path: folder + "/store.db", options: options)
        seal = try RowSeal(key: key)
        space = try DiskSpace(folder: folder)
        try checkKey()
        floor = try own("highest") ?? .zero
        let standing = try database.first("SELECT ifnull(max(position), 0) FROM entry") { row throws(StoreError) in try row.position(0) }
        highest = max(floor, standing ?? .zero)
        try refreshSpace()
    }

    /// Brings everything into the file and gives it back. Without it nothing is lost either: the next start reads the log.
    public func close() throws(StoreError) {
        defer { database.close() }
        try database.checkpoint(truncate: true)
    }

    /// Reads everything and throws `corrupt` for the first thing that is wrong. For `posthouse check`: takes seconds for a gigabyte.
    public func checkIntegrity() throws(StoreError) {
        try database.checkIntegrity()
        for table in StoreTable.allCases { _ = try values(table) }
    }

    // MARK: Reading

    public func value(_ table: StoreTable, key: [UInt8]) throws(StoreError) -> [UInt8]? {
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
    public func values(_ table: StoreTable) throws(StoreError) -> [(key: [UInt8], value: [UInt8])] {
        var found: [(key: [UInt8], value: [UInt8])] = []
        let kind = Int64(table.rawValue)
        try database.rows("SELECT name, sealed FROM record WHERE kind=?", .integer(kind)) { row throws(StoreError) in
            let (name, sealed) = (try row.blob(0), try row.blob(1))
            let record = try opened(table, name) { () throws(StoreError) in try openRecord(sealed, kind: kind, name: name) }
            if let record { found.append(record) }
        }
        return found.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }

    public func event(_ key: EventKey) throws(StoreError) -> [UInt8]? {
        let (conversation, number) = (seal.name(key.conversation), key.row)
        let sealed = try database.first(
            "SELECT sealed FROM event WHERE conversation=? AND number=?", .blob(conversation), .integer(number)
        ) { row throws(StoreError) in try row.blob(0) }
        guard let sealed else { return nil }
        return openEvent(sealed, conversation, number)
    }

    public func heldEvents(_ conversation: ConversationKey) throws(StoreError) -> [(number: SequenceNumber, bytes: [UInt8])] {
        var found: [(number: SequenceNumber, bytes: [UInt8])] = []
        let name = seal.name(conversation)
        try database.rows(
            "SELECT number, sealed FROM event WHERE conversation=? AND held=1 AND number<=? ORDER BY number", .blob(name),
            .integer(Int64(clamping: counterMax))
        ) { row throws(StoreError) in
            let number = try row.integer(0)
            guard let counter = SequenceNumber(UInt64(bitPattern: number)) else { throw .corrupt("an event's number is above 2^53") }
            if let bytes = openEvent(try row.blob(1), name, number) { found.append((counter, bytes)) }
        }
        return found
    }

    public func page(
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

    public func outline(_ destination: Destination) throws(StoreError) -> [(position: QueuePosition, bytes: Int)] {
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

    public func highestPosition() throws(StoreError) -> QueuePosition { highest }

    // MARK: Damage

    /// Rows that did not open since the start, by table.
    public var damagedRows: [String: Int] { damage.counts }

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

    private func own(_ name: String) throws(StoreError) -> QueuePosition? {
        try database.first("SELECT number FROM own WHERE name=?", .text(name)) { row throws(StoreError) in try row.position(0) }
    }

    /// A sealed sample is made with the store; a key that does not open it is another store's.
    private func checkKey() throws(StoreError) {
        let sample = try database.first("SELECT sample FROM own WHERE name='key'") { row throws(StoreError) in try row.blob(0) }
        guard let sample else {
            let rows = try database.first(
                "SELECT EXISTS(SELECT 1 FROM record) + EXISTS(SELECT 1 FROM event) + EXISTS(SELECT 1 FROM entry)"
            ) { row throws(StoreError) in try row.integer(0) }
            guard rows == 0 else { throw .corrupt("the sample that tells the right key is missing") }
            return try database.run("INSERT INTO own(name, sample) VALUES('key', ?)", .blob(seal.seal([], at: .sample)))
        }
        do {
            _ = try seal.open(sample, at: .sample)
        } catch {
            throw .unusable("\(database.path) was made with another storage.key.")
        }
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
}
