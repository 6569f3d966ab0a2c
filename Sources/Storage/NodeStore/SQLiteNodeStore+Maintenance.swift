package import Vocabulary

/// What the writer does between batches, and what it tells the operator.
extension SQLiteNodeStore {
    /// Call between batches. Brings the log into the file when it is large, puts the ballast back when there is room again.
    ///
    /// - Parameter idle: nothing is waiting: the log is emptied, and with it goes what was deleted. A few syncs, so not after every batch.
    /// - Throws: `io` and `corrupt`, never `full`: a checkpoint that does not fit is tried again with the next call.
    package func maintain(idle: Bool = false) throws(StoreError) {
        try refreshSpace()
        let wipe = idle && logFileBytes > 0
        // The file may be longer than what is in use of it: a batch that did not fit leaves it so.
        let tight = space.isLow && logFileBytes >= space.policy.logBytes / 4
        if wipe || tight || database.walBytes >= space.policy.logBytes { try checkpoint(truncate: wipe || tight) }
        try refreshSpace()
        if !space.isLow { space.restoreBallast() }
    }

    /// Little room is left, or was until a moment ago: take nothing new; deliveries and deletions go on. As of the last commit or
    /// `maintain`.
    package var isLowOnSpace: Bool { space.isLow }

    /// Bytes that there are for more, as of then.
    var roomBytes: Int { space.room }

    /// Bytes that the database and its log take; the ballast is not counted.
    package var fileBytes: Int { Storage.fileBytes(database.path) + logFileBytes }

    /// Empties the log into the file, and leaves the file alone from then on. The log grows meanwhile; where it grows too far, or the disk
    /// becomes full, that is over.
    func hold() throws(StoreError) {
        try database.checkpoint(truncate: true)
        isHeld = true
    }

    /// Bytes of the log while the file is left alone: the traffic of hours, seldom.
    private static let heldLogBytesMax = 1 << 30

    // MARK: Within

    func refreshSpace() throws(StoreError) {
        let reusable = try database.pages("freelist_count") * database.pageBytes
        try space.refresh(reusable: reusable, log: logFileBytes)
    }

    private var logFileBytes: Int { Storage.fileBytes(database.path + "-wal") }

    func usedPages() throws(StoreError) -> Int { try database.pages("page_count") - database.pages("freelist_count") }

    /// The log stays bounded even if nobody calls `maintain`.
    func boundLog() throws(StoreError) {
        if database.walBytes >= 4 * space.policy.logBytes { try checkpoint(truncate: false) }
    }

    /// Makes what room there is: the log's, and for those who take away the ballast's.
    func recoverFromFull(giveBallast: Bool) throws(StoreError) {
        space.foundFull()
        isHeld = false
        if giveBallast { _ = space.releaseBallast() }
        try checkpoint(truncate: true)
    }

    private func checkpoint(truncate: Bool) throws(StoreError) {
        if isHeld, !space.isLow, database.walBytes < Self.heldLogBytesMax { return }
        isHeld = false
        do {
            try database.checkpoint(truncate: truncate)
        } catch {
            guard error == .full else { throw error }
            // The file could not grow. What the ballast frees is as large as a log.
            guard space.releaseBallast() else { return }
            do {
                try database.checkpoint(truncate: true)
            } catch {
                guard error == .full else { throw error }
            }
        }
    }
}

extension Database {
    /// `page_count` and `freelist_count`: both stand in the first page, which is in memory.
    func pages(_ pragma: String) throws(StoreError) -> Int {
        Int(clamping: try first("PRAGMA \(pragma)") { row throws(StoreError) in try row.integer(0) } ?? 0)
    }
}
