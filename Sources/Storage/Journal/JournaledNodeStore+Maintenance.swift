public import Vocabulary

/// What the writer does between batches, and what it tells the operator.
extension JournaledNodeStore {
    /// Batches after which the disk is looked at. In between a journal takes no room that it did not have.
    private static let looksEvery = 256

    /// Call between batches.
    ///
    /// - Parameter idle: nothing is waiting: everything is brought into the tables, and what was deleted goes from the disk. A few syncs,
    ///   so not after every batch.
    /// - Throws: `io` and `corrupt`, never `full`.
    public func maintain(idle: Bool = false) throws(StoreError) {
        try guarded { () throws(StoreError) in
            sinceLook += 1
            if idle {
                _ = try settle()
            } else {
                guard hasTables, tables.isLowOnSpace || sinceLook >= Self.looksEvery || journal == nil else { return }
            }
            sinceLook = 0
            try tables.maintain(idle: idle)
        }
    }

    /// Of queues that are nobody's what the journal has goes at once, and the rest with folds, as much as a fold should take.
    public func dropQueues(except destinations: [Destination]) throws(StoreError) {
        try guarded { () throws(StoreError) in
            try endBeside()
            // Whose a queue is may stand in a row that does not open, and comes again from others.
            guard damagedRows.isEmpty else { return }
            let known = Set(destinations)
            let strays = overlay.queues.filter { !known.contains($0.key) && !$0.value.entries.isEmpty }.keys.sorted()
            do throws(StoreError) { try commit(strays.map { .dequeue($0, through: highest) }) } catch {
                // The next start finds them again.
                guard error == .full else { throw error }
            }
            // The journal may have moved on to another half.
            try endBeside()
            try tables.dropQueues(except: destinations)
            isBehind = isBehind || tables.hasStrays
        }
    }

    /// Looks at the disk now, whatever `maintain` does: at its room, and whether the files are where they were opened.
    ///
    /// - Throws: `gone`, after which every call fails; `io` and `corrupt`.
    public func lookAtDisk() throws(StoreError) {
        try guarded { () throws(StoreError) in
            if let gone { throw gone }
            if hasTables { try tables.refreshSpace() }
        }
    }

    /// Bytes free on the file system, the ballast not among them.
    public var freeBytes: Int { get throws(StoreError) { try DiskSpace.freeBytes(of: folder) } }

    /// Rows that did not open since the start, by table.
    public var damagedRows: [String: Int] {
        guard let reader, !reader.damage.isEmpty else { return tables.damage.counts }
        return tables.damage.merged(with: reader.damage).counts
    }

    /// Bytes that the database, its log and the journal's frames take; the ballast is not counted.
    public var fileBytes: Int { tables.fileBytes + (journal?.usedBytes ?? 0) }
}
