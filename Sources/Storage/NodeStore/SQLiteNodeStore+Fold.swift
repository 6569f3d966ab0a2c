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
    /// - Throws: `full`: nothing of it is there.
    func fold(_ fold: Overlay.Fold, upTo mark: Journal.Mark, journalBytes: Int) throws(StoreError) {
        try boundLog()
        let highestNow = max(highest, fold.highest)
        let floorNow = try database.transaction { () throws(StoreError) in
            var changes = EventChanges()
            try delete(fold.dequeues, fold.withdrawals, &changes)
            try insert(fold, &changes)
            try changes.apply(to: database)
            for (name, value) in fold.records { try write(name, value) }
            try note("journal", Int64(clamping: mark.generation))
            try note("journal frame", Int64(clamping: mark.number))
            try note("journal bytes", Int64(journalBytes))
            return try raiseFloor(to: highestNow)
        }
        (highest, floor) = (highestNow, floorNow)
    }

    /// As the other; where there is no room it makes what room it can, which nobody who stands still (`pin`) may be in the way of.
    func fold(_ fold: Overlay.Fold, upTo mark: Journal.Mark, journalBytes: Int, giveBallast: Bool) throws(StoreError) {
        do {
            try self.fold(fold, upTo: mark, journalBytes: journalBytes)
        } catch {
            guard error == .full else { throw error }
            try recoverFromFull(giveBallast: giveBallast)
            try self.fold(fold, upTo: mark, journalBytes: journalBytes)
        }
    }

    private func insert(_ fold: Overlay.Fold, _ changes: inout EventChanges) throws(StoreError) {
        var references: [EventKey: Int] = [:]
        for entry in fold.entries { if let key = entry.event { references[key, default: 0] += 1 } }
        var rows: [EventKey: EventRow] = [:]
        for (key, event) in fold.events {
            let count = references[key] ?? 0
            if let bytes = event.bytes {
                rows[key] = try insert(key, bytes, references: count, held: event.held == true)
                continue
            }
            guard let known = try eventRow(key) else {
                if event.isUncertain { continue }
                throw .corrupt("the event of a queue entry is missing")
            }
            rows[key] = EventRow(id: known.id, bytes: known.bytes)
            changes.add(count, to: known.id)
            if let hold = event.held { changes.hold(hold, known.id) }
            if fold.kept.contains(key) { changes.keep(known.id) }
        }
        for entry in fold.entries { try insert(entry, rows) }
    }
}
