internal import Vocabulary

// What the journal has gathered, brought into the tables.
extension SQLiteNodeStore {
    /// Of the journal: what it has from here on goes on top of these tables.
    func journalMark() throws(StoreError) -> Journal.Mark {
        Journal.Mark(generation: UInt64(clamping: try number("journal") ?? 0), number: UInt64(clamping: try number("journal frame") ?? 0))
    }

    /// The size of that journal's file; 0 where there was none yet, or it was not noted.
    func journalBytes() throws(StoreError) -> Int { Int(clamping: try number("journal bytes") ?? 0) }

    /// Of a copy of the tables alone, which are whole: the next journal is a new one.
    func forgetJournal() throws(StoreError) {
        try database.transaction { () throws(StoreError) in try note("journal bytes", 0) }
    }

    private func number(_ name: String) throws(StoreError) -> Int64? {
        try database.first("SELECT number FROM own WHERE name=?", .text(name)) { row throws(StoreError) in try row.integer(0) }
    }

    func note(_ name: String, _ number: Int64) throws(StoreError) {
        try database.run(
            "INSERT INTO own(name, number) VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET number=excluded.number", .text(name),
            .integer(number))
    }

    /// All or nothing, and on disk when it returns; from then on a journal of this size counts from `mark` on.
    ///
    /// - Returns: whose entries were more than the fold may take: the rest still stands.
    /// - Throws: `full`: nothing of it is there.
    func fold(_ fold: Overlay.Fold, upTo mark: Journal.Mark, journalBytes: Int) throws(StoreError) -> Set<Destination> {
        try boundLog()
        let highestNow = max(highest, fold.highest)
        var unfinished: Set<Destination> = []
        var strayQueues = strays.queues
        let floorNow = try database.transaction { () throws(StoreError) in
            var changes = EventChanges()
            let limited = try fold.rowsMax.map { rows throws(StoreError) in try limit(fold.dequeues, rows: rows) }
            unfinished = limited?.unfinished ?? []
            try delete(limited?.dequeues ?? fold.dequeues, fold.withdrawals, &changes)
            if hasStrays { strayQueues = try deleteStrays(&changes) }
            let standing = try touch(fold, &changes)
            // Before anything new is there, which none of this is meant for.
            try changes.apply(to: database)
            for released in fold.released { try release(released) }
            try insert(fold, standing)
            for (name, value) in fold.records { try write(name, value) }
            try note("journal", Int64(clamping: mark.generation))
            try note("journal frame", Int64(clamping: mark.number))
            try note("journal bytes", Int64(journalBytes))
            return try raiseFloor(to: highestNow)
        }
        (highest, floor) = (highestNow, floorNow)
        strays.queues = strayQueues
        return unfinished
    }

    /// As the other; where there is no room it makes what room it can, which nobody who stands still (`pin`) may be in the way of.
    func fold(_ fold: Overlay.Fold, upTo mark: Journal.Mark, journalBytes: Int, giveBallast: Bool) throws(StoreError) -> Set<Destination> {
        do {
            return try self.fold(fold, upTo: mark, journalBytes: journalBytes)
        } catch {
            guard error == .full else { throw error }
            try recoverFromFull(giveBallast: giveBallast)
            return try self.fold(fold, upTo: mark, journalBytes: journalBytes)
        }
    }

    /// How far each queue's entries may go, where all of them would be too many: of every queue as many as of the others, as long as it
    /// has so many. What was written at the same time stands on the same pages.
    private func limit(
        _ dequeues: [(destination: Destination, through: QueuePosition)], rows: Int
    ) throws(StoreError) -> (dequeues: [(destination: Destination, through: QueuePosition)], unfinished: Set<Destination>) {
        var (limited, unfinished): ([(destination: Destination, through: QueuePosition)], Set<Destination>) = ([], [])
        var left = rows
        for (index, (destination, through)) in dequeues.enumerated() {
            let share = max(1, left / (dequeues.count - index))
            let (queue, limit) = (seal.name(destination), Int64(clamping: through.value))
            // The index has it all.
            let last = try database.first(
                "SELECT position FROM entry WHERE queue=? AND position<=? ORDER BY position LIMIT 1 OFFSET ?",
                .blob(queue), .integer(limit), .integer(Int64(share - 1))
            ) { row throws(StoreError) in try row.position(0) }
            let count = try database.first(
                "SELECT count(*) FROM (SELECT 1 FROM entry WHERE queue=? AND position<=? LIMIT ?)",
                .blob(queue), .integer(limit), .integer(Int64(share))
            ) { row throws(StoreError) in Int(try row.integer(0)) }
            left = max(0, left - (count ?? 0))
            guard let last, last < through else {
                limited.append((destination, through))
                continue
            }
            limited.append((destination, last))
            unfinished.insert(destination)
        }
        return (limited, unfinished)
    }

    /// Notes what changes in events that are there.
    private func touch(_ fold: Overlay.Fold, _ changes: inout EventChanges) throws(StoreError) -> [EventKey: EventRow] {
        let references = fold.references
        var rows: [EventKey: EventRow] = [:]
        for (key, event) in fold.events where event.isInTables {
            let (count, isKept) = (references[key] ?? 0, fold.kept.contains(key))
            guard let known = try eventRow(key) else {
                // Gone already, by a fold that only took away.
                guard count == 0, !isKept, event.held != true else { throw .corrupt("the event of a queue entry is missing") }
                continue
            }
            rows[key] = EventRow(id: known.id, bytes: known.bytes)
            changes.add(count, to: known.id)
            if let hold = event.held { changes.hold(hold, known.id) }
            if isKept { changes.keep(known.id) }
        }
        return rows
    }

    private func insert(_ fold: Overlay.Fold, _ standing: [EventKey: EventRow]) throws(StoreError) {
        let references = fold.references
        var rows = standing
        for (key, event) in fold.events {
            guard let bytes = event.bytes else { continue }
            rows[key] = try insert(key, bytes, references: references[key] ?? 0, held: event.held == true)
        }
        for entry in fold.entries { try insert(entry, rows) }
    }

    /// Whether the tables have them or not.
    private func release(_ released: Overlay.Released) throws(StoreError) {
        let (conversation, rows) = (seal.name(released.conversation), released.rows)
        try database.run(
            "DELETE FROM event WHERE conversation=? AND number BETWEEN ? AND ? AND refs=0",
            .blob(conversation), .integer(rows.lowerBound), .integer(rows.upperBound))
        if database.changes == rows.count { return }
        try database.run(
            "UPDATE event SET held=0 WHERE conversation=? AND number BETWEEN ? AND ? AND held=1",
            .blob(conversation), .integer(rows.lowerBound), .integer(rows.upperBound))
    }
}

extension Overlay.Fold {
    /// Of the entries that it brings.
    fileprivate var references: [EventKey: Int] {
        var references: [EventKey: Int] = [:]
        for entry in entries { if let key = entry.event { references[key, default: 0] += 1 } }
        return references
    }
}
