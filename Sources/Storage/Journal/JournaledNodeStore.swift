public import Cryptography
internal import Glibc
public import Vocabulary

/// A node's store: a journal in front of the tables of `SQLiteNodeStore`. For the writer's thread alone.
///
/// A commit appends one sealed frame to the journal and syncs it: one write and one sync, whatever is in it. What the frames come to is
/// kept in memory (`Overlay`) and brought into the tables now and then (`fold`); what came and went in between never reaches them. After a
/// crash the frames that count are read again. The transaction that folds also says which frames the tables lack from then on, so a frame
/// counts until the moment that the tables have what it says, and no longer.
///
/// Mostly another thread folds, while commits and reading go on (`JournaledNodeStore+Beside.swift`). Whatever cannot wait for it, or needs
/// what only one connection can do, ends that first and blocks (`endBeside`).
///
/// Where space is low nothing is gathered: commits go straight to the tables, which know how to refuse, and how to delete on a full disk.
public final class JournaledNodeStore: NodeStore {
    package let tables: SQLiteNodeStore
    let journal: Journal?
    var overlay = Overlay()
    var beside = Beside.nothing
    /// The last fold could not take all rows that are to go: there is more for the next one.
    public internal(set) var isBehind = false
    /// Reads the tables while another thread has their connection; made when it is needed first.
    var reader: TableReader?
    let folder: String
    /// To be where they were opened.
    let files: [OpenedFile]
    /// Calls of `maintain` since the disk was last looked at.
    var sinceLook = 0
    /// A failed journal is the end, as a failed database is.
    private var failure: StoreError?

    /// Opens or makes `store.db` and `journal` in the folder, which exists and is locked by the caller (`DataFolderLock`).
    ///
    /// - Throws: as `SQLiteNodeStore.init`; `corrupt`: a frame that was acknowledged is damaged, or the two files do not belong together.
    public convenience init(folder: String, key: SealingKey) throws(StoreError) {
        try self.init(folder: folder, key: key, journalBytes: nil)
    }

    /// - Parameter journalBytes: of one generation, for tests; nil: a share of the disk.
    package init(folder: String, key: SealingKey, journalBytes: Int?) throws(StoreError) {
        tables = try SQLiteNodeStore(folder: folder, key: key)
        self.folder = folder
        let path = folder + "/journal"
        let base = try tables.journalMark()
        let noted = try tables.journalBytes()
        let missing = StoreError.corrupt("\(path) is not the file that was written: it is missing, was cut short or was emptied")
        guard noted == 0 || Storage.fileBytes(path) == noted else { throw missing }
        journal = try Journal(path: path, halfBytes: journalBytes ?? tables.space.policy.logBytes, key: key, base: base)
        var files: [OpenedFile] = []
        for file in ["\(folder)/store.db", "\(folder)/store.db-wal", path] where access(file, F_OK) == 0 {
            files.append(try OpenedFile(file))
        }
        self.files = files
        guard let journal else { return }
        let batches = try journal.read()
        guard noted == 0 || batches != nil else { throw missing }
        for batch in batches ?? [] {
            let (writes, highest) = try JournalCodec.writes(batch)
            overlay.raise(to: highest)
            try overlay.apply(Overlay.Commit(writes: writes, page: 0)) { key throws(StoreError) in try tables.hasEvent(key) }
        }
        // So that what is read next comes from one place. A full disk may keep it from the tables: then it stays where it is.
        _ = try settle()
    }

    /// Of a folder with a copy of `store.db` that is whole by itself, as a backup's: its journal is made anew by who opens it next.
    public static func forgetJournal(folder: String, key: SealingKey) throws(StoreError) {
        let tables = try SQLiteNodeStore(folder: folder, key: key)
        try tables.forgetJournal()
        try tables.close()
    }

    /// Brings everything into the tables' file and gives both back. Without it nothing is lost either: the next start reads the journal.
    public func close() throws(StoreError) {
        try guarded { () throws(StoreError) in
            defer { journal?.close() }
            _ = try settle()
            reader?.database.close()
            try tables.close()
        }
    }

    /// Reads everything and throws `corrupt` for the first thing that is wrong. For `posthouse check`: takes seconds for a gigabyte.
    public func checkIntegrity() throws(StoreError) {
        try guarded { () throws(StoreError) in
            try endBeside()
            try tables.checkIntegrity()
        }
    }

    // MARK: Writing

    /// All or nothing, and on disk when it returns.
    ///
    /// - Throws: `full`: nothing of the batch is written, and the store goes on.
    public func commit(_ writes: [StoreWrite]) throws(StoreError) {
        guard let staged = try stage(writes) else { return }
        try confirm(staged.result())
    }

    /// As `commit`, but the wait for the disk is the caller's, on a thread of its choice: what is read from here on has the batch, and it is
    /// on disk once `result` says so. One at a time: `confirm` comes before the next.
    ///
    /// - Returns: nil: it is on disk already.
    public func stage(_ writes: [StoreWrite]) throws(StoreError) -> StagedCommit? {
        guard !writes.isEmpty else { return nil }
        return try guarded { () throws(StoreError) in
            if case .preparing = beside { try endBeside() }
            guard let journal else {
                try tables.commit(writes)
                return nil
            }
            try check(writes)
            let (lasting, top) = Self.lasting(writes)
            var bytes: [UInt8] = []
            bytes.reserveCapacity(lasting.count * 256)
            for write in lasting { JournalCodec.append(write, to: &bytes) }
            if let top { JournalCodec.append(highest: top, to: &bytes) }
            let size = Journal.frameBytes(bytes.count)
            if isLowOnSpace {
                try commitOnLowSpace(writes)
                return nil
            }
            // Of each generation a part is for taking away: it must be possible where nothing else is.
            var reserve = journal.halfBytes / 4
            if size > journal.freeBytes - reserve, writes.allSatisfy(\.takesAway) { reserve = 0 }
            if size > journal.freeBytes - reserve { try rotate(for: size) }
            guard size <= journal.freeBytes - reserve else {
                try fold()
                try tables.commit(writes)
                return nil
            }
            let staged = try append(lasting, bytes)
            if let top { overlay.raise(to: top) }
            return staged
        }
    }

    /// Whether the next commit can be these without waiting for a fold to end: the journal has the room, or never will.
    public func hasRoom(for writes: [StoreWrite]) -> Bool {
        guard let journal, !isLowOnSpace else { return true }
        let reserve = writes.allSatisfy(\.takesAway) ? 0 : journal.halfBytes / 4
        let size = Journal.frameBytes(writes.reduce(9) { $0 + JournalCodec.bytesMax(of: $1) })
        return size <= journal.freeBytes - reserve || size > journal.halfBytes / 2
    }

    /// What became of the staged commit.
    public func confirm(_ result: Result<Void, StoreError>) throws(StoreError) {
        try guarded { () throws(StoreError) in try result.get() }
    }

    /// Without what comes and goes within the batch: entries that it takes away again, and events that only those refer to.
    ///
    /// - Returns: also the highest position among what is left out, if it is the highest of all.
    private static func lasting(_ writes: [StoreWrite]) -> (writes: [StoreWrite], top: QueuePosition?) {
        var through: [Destination: QueuePosition] = [:]
        var (isGone, top, kept) = ([Bool](), QueuePosition.zero, QueuePosition.zero)
        func leaveOut(_ index: Int) {
            if isGone.isEmpty { isGone = Array(repeating: false, count: writes.count) }
            isGone[index] = true
        }
        var needed: Set<EventKey> = []
        var loose: [(index: Int, key: EventKey)] = []
        for index in writes.indices.reversed() {
            switch writes[index] {
            case .dequeue(let destination, let position):
                through[destination] = max(through[destination] ?? .zero, position)
            case .enqueue(let entry):
                if let limit = through[entry.destination], entry.position <= limit {
                    leaveOut(index)
                    top = max(top, entry.position)
                } else {
                    kept = max(kept, entry.position)
                    if let key = entry.event { needed.insert(key) }
                }
            case .storeEvent(let key, _, held: false): if !through.isEmpty { loose.append((index, key)) }
            case .storeEvent, .releaseEvent, .put, .remove, .withdraw: break
            }
        }
        guard !isGone.isEmpty else { return (writes, nil) }
        for (index, key) in loose where !needed.contains(key) { leaveOut(index) }
        let rest = writes.indices.lazy.filter { !isGone[$0] }.map { writes[$0] }
        return (Array(rest), top > kept ? top : nil)
    }

    private func append(_ writes: [StoreWrite], _ bytes: [UInt8]) throws(StoreError) -> StagedCommit? {
        guard let journal else { return nil }
        let batch = Overlay.Commit(writes: writes, page: journal.usedBytes / Journal.pageBytes)
        try overlay.apply(batch) { key throws(StoreError) in try rows.hasEvent(key) }
        noteMeanwhile(batch)
        return StagedCommit(frame: journal.reserve(bytes))
    }

    /// The tables decide. Where they have no room for what the journal holds, only taking away goes on.
    private func commitOnLowSpace(_ writes: [StoreWrite]) throws(StoreError) {
        guard let journal else { return }
        if try settle() { return try tables.commit(writes) }
        var bytes: [UInt8] = []
        for write in writes { JournalCodec.append(write, to: &bytes) }
        guard Journal.frameBytes(bytes.count) <= journal.freeBytes, writes.allSatisfy(\.takesAway) else { throw .full }
        try append(writes, bytes)?.result().get()
        // That alone, in the tables too: it makes room, and it may have the ballast. Done again by the next fold, to no effect.
        var removals = overlay.fold(youngFrom: 0)
        removals.records = []
        do throws(StoreError) {
            _ = try tables.fold(removals, upTo: journal.base, journalBytes: journal.bytes, giveBallast: true)
        } catch {
            guard error == .full else { throw error }
        }
    }

    /// What must be refused before it is written.
    private func check(_ writes: [StoreWrite]) throws(StoreError) {
        var top = highest
        // Mostly an entry's event is the one just before it; the others are gathered when somebody asks.
        var stored: Set<EventKey>?
        var lastStored: EventKey?
        for write in writes {
            switch write {
            case .storeEvent(let key, _, _):
                guard key.number.value <= counterMax, key.part <= EventKey.partsMax else {
                    throw .corrupt("an event's number is above 2^53")
                }
                lastStored = key
            case .enqueue(let entry):
                guard entry.position.value <= counterMax else { throw .corrupt("a queue position above 2^53") }
                if entry.position <= top, try isTaken(entry.position, in: writes) {
                    throw .corrupt("queue position \(entry.position) was given twice")
                }
                top = max(top, entry.position)
                guard let key = entry.event, key != lastStored else { continue }
                if overlay.events[key] != nil { continue }
                let all = stored ?? Self.events(in: writes)
                stored = all
                if all.contains(key) { continue }
                guard try rows.hasEvent(key) else {
                    throw .corrupt("queue entry \(entry.position) refers to an event that is not stored")
                }
            case .put, .remove, .releaseEvent, .dequeue, .withdraw: break
            }
        }
    }

    private static func events(in writes: [StoreWrite]) -> Set<EventKey> {
        Set(writes.compactMap { if case .storeEvent(let key, _, _) = $0 { key } else { nil } })
    }

    /// Positions rise, so this is asked of what nobody does.
    private func isTaken(_ position: QueuePosition, in writes: [StoreWrite]) throws(StoreError) -> Bool {
        let inBatch = writes.count { if case .enqueue(let entry) = $0 { entry.position == position } else { false } }
        if inBatch > 1 || overlay.queues.values.contains(where: { $0.entries.contains { $0.entry.position == position } }) { return true }
        return try rows.hasEntry(at: position)
    }

    // MARK: Folding

    /// Everything into the tables; the journal begins anew, and what it had is overwritten.
    func fold() throws(StoreError) {
        try endBeside()
        guard let journal else { return }
        if !journal.isFresh || !overlay.isEmpty || tables.hasStrays { try fold(youngFrom: .max) }
        try journal.wipe()
    }

    /// Everything into the tables, if they have room for it.
    func settle() throws(StoreError) -> Bool {
        do throws(StoreError) {
            try fold()
            return true
        } catch {
            guard error == .full else { throw error }
            return false
        }
    }

    /// Makes room for a frame. What came lately is likely to go soon: it stays, written once more, as long as it is little.
    private func rotate(for size: Int) throws(StoreError) {
        guard let journal else { return }
        try endBeside()
        if size <= journal.halfBytes / 2 { try fold(youngFrom: youngFrom, rowsMax: foldRowsMax) } else { try fold() }
        try tables.maintain()
    }

    /// The page of the journal from which on what came came lately.
    var youngFrom: Int { (journal?.usedBytes ?? 0) / Journal.pageBytes / 2 }

    /// Rows that one fold deletes, of queues' entries and as many of the hub's log: a quarter of a second. Less writes the pages that
    /// they share more often; more lets the journal fill up meanwhile.
    package var foldRowsMax = 16_384

    private func fold(youngFrom: Int, rowsMax: Int? = nil) throws(StoreError) {
        guard let journal else { return }
        // There is no free half to begin anew in: a fold beside the writer was begun and not ended.
        if journal.isSpread {
            try bring(overlay.fold(youngFrom: .max), upTo: journal.end)
            journal.passed(journal.end)
        }
        let (fold, prepared) = try prepare(youngFrom: youngFrom, rowsMax: rowsMax)
        try journal.lasting { () throws(StoreError) in try prepared.write() }
        try bring(fold, upTo: Journal.Mark(generation: prepared.generation, number: 0))
        journal.begin(prepared)
        journal.passed(Journal.Mark(generation: prepared.generation, number: 0))
    }

    /// What goes into the tables, and the generation that begins with the rest.
    func prepare(youngFrom: Int, rowsMax: Int?) throws(StoreError) -> (Overlay.Fold, Journal.Preparation) {
        let fold = overlay.fold(youngFrom: youngFrom, rowsMax: rowsMax, highest: highest)
        if let prepared = journal?.prepareNext(fold.remainder) { return (fold, prepared) }
        guard let prepared = journal?.prepareNext(Overlay.Remainder()) else { throw .io("the journal has no room for nothing") }
        return (overlay.fold(youngFrom: .max), prepared)
    }

    private func bring(_ fold: Overlay.Fold, upTo mark: Journal.Mark) throws(StoreError) {
        let unfinished = try tables.fold(fold, upTo: mark, journalBytes: journal?.bytes ?? 0, giveBallast: false)
        try overlay.folded(fold, unfinished: unfinished, then: []) { _ throws(StoreError) in false }
        isBehind = !unfinished.isEmpty || !fold.remainder.released.isEmpty || tables.hasStrays
    }

    /// After an error of the disk every call fails with it.
    func guarded<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
        if let failure { throw failure }
        do {
            return try body()
        } catch {
            switch error {
            // Of a folder that was moved the first thing to fail may be anything.
            case .io, .gone:
                let end = gone ?? error
                failure = end
                throw end
            case .full, .corrupt, .inUse, .unusable: throw error
            }
        }
    }

    /// Which of the files is not where it was opened.
    var gone: StoreError? { files.lazy.compactMap(\.gone).first }
}

/// A batch that readers of the store see, and that is not on disk yet.
public struct StagedCommit: Sendable {
    fileprivate let frame: Journal.Frame

    /// Waits for the disk; once, on any thread, while the store is open. After a failure the store is of no use any more.
    public func result() -> Result<Void, StoreError> {
        do throws(StoreError) { return .success(try frame.write()) } catch { return .failure(error) }
    }
}

extension StoreWrite {
    /// Whether a store does not grow by it.
    fileprivate var takesAway: Bool {
        switch self {
        case .remove, .releaseEvent, .dequeue, .withdraw: true
        // Cursors and watermarks go with what they acknowledge: a few bytes, of which the last counts.
        case .put(let table, _, _): table == .linkCursor || table == .watermark || table == .meta
        case .storeEvent, .enqueue: false
        }
    }
}
