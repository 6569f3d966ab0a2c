public import Vocabulary

// A backup of a store that is in use. Commits go to the journal, and from there into the tables' write-ahead log: as long as nobody brings
// that log into `store.db`, the file is the store as it was at one point in time, and whoever may read it copies it.
extension JournaledNodeStore {
    /// Brings everything into `store.db` and leaves that file as it is until `endBackup`. Call between batches, with no commit on its way.
    ///
    /// - Returns: the bytes of the file.
    /// - Throws: `full`: the file has no room for what the journal holds.
    public func beginBackup() throws(StoreError) -> Int {
        try guarded { () throws(StoreError) in
            guard try settle() else { throw .full }
            try tables.hold()
            return Storage.fileBytes(tables.database.path)
        }
    }

    /// - Returns: false when the file could not be held still until now, as on a disk that became full: what was copied is of no use.
    @discardableResult
    public func endBackup() throws(StoreError) -> Bool {
        try guarded { () throws(StoreError) in
            try endBeside()
            defer { tables.isHeld = false }
            return tables.isHeld
        }
    }
}
