package import Cryptography
package import Vocabulary

/// A node's store in one SQLite file, every value sealed with `storage.key` (docs: DESIGN 7). For one thread at a time.
///
/// Opening is here, reading in `TableReader`, writing in `SQLiteNodeStore+Commit.swift`, what happens between batches in
/// `+Maintenance.swift`.
package final class SQLiteNodeStore: TableReader, NodeStore {
    var space: DiskSpace
    /// The highest position ever given, on disk or about to be.
    var highest = QueuePosition.zero
    /// What `own` says of it; entries may stand higher.
    var floor = QueuePosition.zero
    /// The file is to stay as it is: a backup reads it.
    var isHeld = false
    /// Queues that are nobody's, which folds take away bit by bit.
    package var strays = Strays()
    /// The last `full` was our own word, with room left on the disk.
    var refusedGrowth = false

    /// Opens or makes `store.db` in the folder, which exists and is locked by the caller (`DataFolderLock`).
    ///
    /// - Parameter key: from `storage.key`.
    /// - Throws: `unusable`: made with another key or by a newer version; else as `Database.init`.
    package init(folder: String, key: SealingKey) throws(StoreError) {
        let options = Database.Options(
            applicationID: Schema.applicationID, migrations: Schema.migrations, cacheBytes: 64 << 20, hasReaders: true)
        let database = try Database(path: folder + "/store.db", options: options)
        space = try DiskSpace(folder: folder)
        super.init(database: database, seal: try RowSeal(key: key))
        try checkKey()
        floor = try own("highest") ?? .zero
        let standing = try database.first("SELECT ifnull(max(position), 0) FROM entry") { row throws(StoreError) in try row.position(0) }
        highest = max(floor, standing ?? .zero)
        try refreshSpace()
    }

    /// Brings everything into the file and gives it back. Without it nothing is lost either: the next start reads the log.
    package func close() throws(StoreError) {
        defer { database.close() }
        try database.checkpoint(truncate: true)
    }

    /// Reads everything and throws `corrupt` for the first thing that is wrong. For `posthouse check`: takes seconds for a gigabyte.
    package func checkIntegrity() throws(StoreError) {
        try database.checkIntegrity()
        for table in StoreTable.allCases { _ = try values(table) }
    }

    package func highestPosition() throws(StoreError) -> QueuePosition { highest }

    // MARK: Within

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
