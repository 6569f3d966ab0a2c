internal import Vocabulary

// What the journal has gathered, brought into the tables.
extension SQLiteNodeStore {
    /// The generation of the journal that goes on top of these tables.
    func journalGeneration() throws(StoreError) -> UInt64 { UInt64(clamping: try number("journal") ?? 0) }

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

    private struct FoundEvent {
        let id: Int64
        let bytes: Int
        let references: Int64
        let held: Bool
    }

    private func eventRow(_ key: EventKey) throws(StoreError) -> FoundEvent? {
        try database.first(
            "SELECT id, length(sealed), refs, held FROM event WHERE conversation=? AND number=?",
            .blob(seal.name(key.conversation)), .integer(key.row)
        ) { row throws(StoreError) in
            FoundEvent(
                id: try row.integer(0), bytes: Int(try row.integer(1)) - RowSeal.overhead, references: try row.integer(2),
                held: try row.integer(3) != 0)
        }
    }

    /// All or nothing, and on disk when it returns; from then on `generation` of a journal of this size counts.
    ///
    /// - Throws: `full`: nothing of it is there.
    func fold(_ fold: Overlay.Fold, generation: UInt64, journalBytes: Int, giveBallast: Bool) throws(StoreError) {
        try boundLog()
        do {
            try write(fold, generation, journalBytes)
        } catch {
            guard error == .full else { throw error }
            try recoverFromFull(giveBallast: giveBallast)
            try write(fold, generation, journalBytes)
        }
    }

    private func write(_ fold: Overlay.Fold, _ generation: UInt64, _ journalBytes: Int) throws(StoreError) {
        let highestNow = max(highest, fold.highest)
        let floorNow = try database.transaction { () throws(StoreError) in
            var changes = EventChanges()
            try delete(fold.dequeues, fold.withdrawals, &changes)
            try insert(fold, &changes)
            try changes.apply(to: database)
            for (name, value) in fold.records { try write(name, value) }
            try note("journal", Int64(clamping: generation))
            try note("journal bytes", Int64(journalBytes))
            return try raiseFloor(to: highestNow)
        }
        (highest, floor) = (highestNow, floorNow)
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

// What a journal asks of the tables below it.
extension SQLiteNodeStore {
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
}
