package import Vocabulary

extension SQLiteNodeStore {
    /// All or nothing, and on disk when it returns.
    ///
    /// - Throws: `full`: nothing of the batch is written, and the store goes on. Where space is low that is so for every batch that needs
    ///   more pages than it frees; one that only takes away, or changes what is there, gets the last of the disk and then the ballast.
    package func commit(_ writes: [StoreWrite]) throws(StoreError) {
        let batch = try Batch(writes)
        guard !writes.isEmpty else { return }
        try boundLog()
        try refreshSpace()
        do {
            try write(batch)
        } catch {
            // Refused by us, not by the disk: a second try would be too.
            guard error == .full, !refusedGrowth else { throw error }
            try recoverFromFull(giveBallast: batch.removes)
            guard batch.removes else { throw error }
            try write(batch)
        }
    }

    private func write(_ batch: Batch) throws(StoreError) {
        refusedGrowth = false
        let highestNow = max(highest, batch.highest)
        let floorNow = try database.transaction { () throws(StoreError) in
            let usedBefore = space.isLow ? try usedPages() : 0
            var changes = EventChanges()
            try delete(batch.dequeues, batch.withdrawals, &changes)
            let inserted = try touchEvents(batch, &changes)
            try changes.apply(to: database)
            for entry in batch.entries { try insert(entry, inserted) }
            for name in batch.recordNames { if let value = batch.records[name] { try write(name, value) } }
            let floorNow = try raiseFloor(to: highestNow)
            // A page or two more may be the price of deleting: a cursor that moved, an index page that split.
            if space.isLow, try usedPages() > usedBefore + (batch.removes ? 2 : 0) {
                refusedGrowth = true
                throw .full
            }
            return floorNow
        }
        (highest, floor) = (highestNow, floorNow)
    }

    // MARK: Queues

    func delete(
        _ dequeues: [(destination: Destination, through: QueuePosition)],
        _ withdrawals: [(destination: Destination, position: QueuePosition)], _ changes: inout EventChanges
    ) throws(StoreError) {
        for (destination, through) in dequeues { try delete(seal.name(destination), through: through, &changes) }
        for (destination, position) in withdrawals {
            try database.rows(
                "DELETE FROM entry WHERE queue=? AND position=? RETURNING event",
                .blob(seal.name(destination)), .integer(Int64(clamping: position.value))
            ) { row throws(StoreError) in if !row.isNull(0) { changes.add(-1, to: try row.integer(0)) } }
        }
    }

    func delete(_ queue: [UInt8], through position: QueuePosition, _ changes: inout EventChanges) throws(StoreError) {
        try database.rows(
            "DELETE FROM entry WHERE queue=? AND position<=? RETURNING event", .blob(queue),
            .integer(Int64(clamping: position.value))
        ) { row throws(StoreError) in if !row.isNull(0) { changes.add(-1, to: try row.integer(0)) } }
    }

    func insert(_ entry: QueueEntry, _ events: [EventKey: EventRow]) throws(StoreError) {
        let (queue, position) = (seal.name(entry.destination), Int64(clamping: entry.position.value))
        var (event, row): ((conversation: [UInt8], number: Int64)?, EventRow?) = (nil, nil)
        if let key = entry.event {
            guard let known = events[key] else { throw .corrupt("queue entry \(position) refers to an event that is not stored") }
            event = (seal.name(key.conversation), key.row)
            row = known
        }
        try database.run(
            "INSERT INTO entry(position, queue, event, bytes, sealed) VALUES(?,?,?,?,?)",
            .integer(position), .blob(queue), row.map { .integer($0.id) } ?? .null,
            .integer(Int64(entry.content.count + (row?.bytes ?? 0))),
            .blob(seal.seal(entry.content, at: .entry(queue: queue, position: position, event: event))))
    }

    /// Keeps the highest position on disk when no entry shows it any more.
    func raiseFloor(to highest: QueuePosition) throws(StoreError) -> QueuePosition {
        guard highest > floor else { return floor }
        let standing = try database.first("SELECT ifnull(max(position), 0) FROM entry") { row throws(StoreError) in try row.position(0) }
        guard (standing ?? .zero) < highest else { return floor }
        try note("highest", Int64(clamping: highest.value))
        return highest
    }

    // MARK: Events

    struct EventRow {
        let id: Int64
        let bytes: Int
    }

    /// Inserts what is new, notes what changes in what is there.
    private func touchEvents(_ batch: Batch, _ changes: inout EventChanges) throws(StoreError) -> [EventKey: EventRow] {
        var rows: [EventKey: EventRow] = [:]
        for key in batch.eventKeys {
            guard let change = batch.events[key] else { continue }
            let (conversation, number) = (seal.name(key.conversation), key.row)
            guard key.number.value <= counterMax, key.part <= EventKey.partsMax else { throw .corrupt("an event's number is above 2^53") }
            let known = try database.first(
                "SELECT id, length(sealed) FROM event WHERE conversation=? AND number=?", .blob(conversation), .integer(number)
            ) { row throws(StoreError) in EventRow(id: try row.integer(0), bytes: Int(try row.integer(1)) - RowSeal.overhead) }
            if let known {
                rows[key] = known
                changes.add(change.references, to: known.id)
                if let hold = change.hold { changes.hold(hold, known.id) }
            } else if let bytes = change.bytes, change.references > 0 || change.hold == true {
                rows[key] = try insert(key, bytes, references: change.references, held: change.hold == true)
            }
        }
        return rows
    }

    func insert(_ key: EventKey, _ bytes: [UInt8], references: Int, held: Bool) throws(StoreError) -> EventRow {
        let (conversation, number) = (seal.name(key.conversation), key.row)
        try database.run(
            "INSERT INTO event(conversation, number, refs, held, sealed) VALUES(?,?,?,?,?)",
            .blob(conversation), .integer(number), .integer(Int64(references)), .integer(held ? 1 : 0),
            .blob(seal.seal(bytes, at: .event(conversation: conversation, number: number))))
        if let known = highestNumbers[key.conversation] { highestNumbers[key.conversation] = max(known, number) }
        return EventRow(id: database.lastInsertedID, bytes: bytes.count)
    }

    // MARK: Records

    /// - Parameter value: nil: it goes.
    func write(_ name: Batch.RecordName, _ value: [UInt8]?) throws(StoreError) {
        let (kind, hash) = (Int64(name.table.rawValue), seal.name(name.table, key: name.key))
        guard let value else {
            return try database.run("DELETE FROM record WHERE kind=? AND name=?", .integer(kind), .blob(hash))
        }
        var writer = ByteWriter(reservingCapacity: name.key.count + value.count + 4)
        writer.write(opaque: name.key)
        writer.write(fixed: value)
        try database.run(
            """
            INSERT INTO record(kind, name, sealed) VALUES(?,?,?)
            ON CONFLICT(kind, name) DO UPDATE SET sealed=excluded.sealed
            """, .integer(kind), .blob(hash), .blob(seal.seal(writer.bytes, at: .record(kind: kind, name: hash))))
    }
}

/// What a batch does to events that are on disk, by row.
struct EventChanges {
    private var changes: [Int64: (references: Int, hold: Bool?)] = [:]
    private var kept: Set<Int64> = []

    mutating func add(_ references: Int, to id: Int64) { changes[id, default: (0, nil)].references += references }
    mutating func hold(_ hold: Bool, _ id: Int64) { changes[id, default: (0, nil)].hold = hold }
    /// Something outside the tables refers to it.
    mutating func keep(_ id: Int64) { kept.insert(id) }

    /// An event that nobody refers to and nobody holds goes.
    func apply(to database: Database) throws(StoreError) {
        let rows = changes.sorted { $0.key < $1.key }
        var next = rows.startIndex
        while next < rows.endIndex {
            let (id, change) = rows[next]
            // Of a queue that was taken away most are one after the other.
            var count = 0
            while next + count < rows.endIndex {
                let (other, another) = rows[next + count]
                guard other == id + Int64(count), another == change, change.hold == nil, change.references < 0, !kept.contains(other)
                else { break }
                count += 1
            }
            if count > 0 {
                try drop(-change.references, from: id, count: count, in: database)
            } else {
                try apply(change, to: id, in: database)
            }
            next += max(1, count)
        }
    }

    /// As many references to each of these.
    private func drop(_ references: Int, from id: Int64, count: Int, in database: Database) throws(StoreError) {
        let (first, last, references) = (SQLValue.integer(id), SQLValue.integer(id + Int64(count) - 1), SQLValue.integer(Int64(references)))
        try database.run("DELETE FROM event WHERE id BETWEEN ? AND ? AND refs=? AND held=0", first, last, references)
        let left = count - database.changes
        guard left > 0 else { return }
        try database.run("UPDATE event SET refs=refs-?3 WHERE id BETWEEN ?1 AND ?2 AND refs>=?3", first, last, references)
        guard database.changes == left else { throw .corrupt("the event of a queue entry is missing, or has too few references") }
    }

    private func apply(_ change: (references: Int, hold: Bool?), to id: Int64, in database: Database) throws(StoreError) {
        let before = try database.first("SELECT refs, held FROM event WHERE id=?", .integer(id)) { row throws(StoreError) in
            (references: try row.integer(0), held: try row.integer(1) != 0)
        }
        guard let before else { throw .corrupt("the event of a queue entry is missing") }
        let (references, overflow) = before.references.addingReportingOverflow(Int64(change.references))
        guard !overflow, references >= 0 else { throw .corrupt("an event has \(before.references) references") }
        let held = change.hold ?? before.held
        if references == 0, !held, !kept.contains(id) {
            try database.run("DELETE FROM event WHERE id=?", .integer(id))
        } else if (references, held) != (before.references, before.held) {
            try database.run(
                "UPDATE event SET refs=?, held=? WHERE id=?", .integer(references), .integer(held ? 1 : 0), .integer(id))
        }
    }
}
