public import Cryptography
internal import Glibc
public import Vocabulary

/// Reads every row of a store's file, whoever has it open, and says what does not authenticate. Memory stays at one row.
///
/// The file must hold still: that of a stopped node, or of a running one that holds its checkpoints back (`beginBackup`).
public enum StoreCheck {
    public struct Report: Sendable, Equatable {
        /// By table: rows that were read, and rows that are damaged.
        public var rows: [String: Int] = [:]
        public var damaged: [String: Int] = [:]
        /// What SQLite says of pages and indexes, or of a table that it cannot read to the end.
        public var faults: [String] = []
        public var isWhole: Bool { damaged.isEmpty && faults.isEmpty }
    }

    /// - Parameters:
    ///   - path: of `store.db`. What its write-ahead log holds is not looked at.
    ///   - removing: its name goes once it is open, and it with its last reader: nobody finds it where this process dies.
    /// - Throws: `unusable` for another key; `corrupt` for what is no store at all.
    public static func run(path: String, key: SealingKey, removing: Bool = false) throws(StoreError) -> Report {
        let database = try Database(reading: path)
        defer { database.close() }
        if removing { _ = unlink(path) }
        let seal = try RowSeal(key: key)
        var report = Report()
        try checkKey(database, seal, path: path)
        attempt(&report) { (_: inout Report) throws(StoreError) in try database.checkIntegrity() }
        attempt(&report) { (report: inout Report) throws(StoreError) in
            try database.rows("SELECT kind, name, sealed FROM record") { row throws(StoreError) in
                let kind = try row.integer(0)
                let table = UInt8(exactly: kind).flatMap(StoreTable.init(rawValue:)).map { "\($0)" } ?? "unknown"
                try note(&report, table) { () throws(StoreError) in
                    _ = try seal.open(row.blob(2), at: .record(kind: kind, name: row.blob(1)))
                }
            }
        }
        attempt(&report) { (report: inout Report) throws(StoreError) in
            try database.rows("SELECT conversation, number, sealed FROM event") { row throws(StoreError) in
                try note(&report, "event") { () throws(StoreError) in
                    _ = try seal.open(row.blob(2), at: .event(conversation: row.blob(0), number: row.integer(1)))
                }
            }
        }
        attempt(&report) { (report: inout Report) throws(StoreError) in
            let sql = """
                SELECT entry.queue, entry.position, entry.sealed, entry.event, event.conversation, event.number
                FROM entry LEFT JOIN event ON event.id = entry.event
                """
            try database.rows(sql) { row throws(StoreError) in
                try note(&report, "entry") { () throws(StoreError) in
                    var event: (conversation: [UInt8], number: Int64)?
                    if !row.isNull(3) { event = (try row.blob(4), try row.integer(5)) }
                    _ = try seal.open(row.blob(2), at: .entry(queue: row.blob(0), position: row.integer(1), event: event))
                }
            }
        }
        return report
    }

    private static func checkKey(_ database: Database, _ seal: RowSeal, path: String) throws(StoreError) {
        let sample = try database.first("SELECT sample FROM own WHERE name='key'") { row throws(StoreError) in try row.blob(0) }
        guard let sample, (try? seal.open(sample, at: .sample)) != nil else {
            throw .unusable("\(path) was made with another storage.key, or the sample that tells the right one is damaged.")
        }
    }

    /// One table that cannot be read keeps no other from being read.
    private static func attempt(_ report: inout Report, _ work: (inout Report) throws(StoreError) -> Void) {
        do throws(StoreError) { try work(&report) } catch { report.faults.append(error.explanation.why) }
    }

    private static func note(_ report: inout Report, _ table: String, _ open: () throws(StoreError) -> Void) throws(StoreError) {
        report.rows[table, default: 0] += 1
        do throws(StoreError) { try open() } catch {
            guard case .corrupt = error else { throw error }
            report.damaged[table, default: 0] += 1
        }
    }
}
