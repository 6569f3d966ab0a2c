public import Vocabulary

// Folding while commits and reading go on.
//
// The tables' connection belongs to the job until it is done. Meanwhile a second one reads them as they were when it began, with the same
// overlay on top, and commits go to the journal's next generation. When the job is done the overlay is made anew: of what stayed young, and
// of what was committed meanwhile. A crash in between finds the tables with or without the fold, and each time frames for the rest.
extension JournaledNodeStore {
    /// What goes on beside the writer's thread.
    enum Beside {
        case nothing
        /// The next generation's first frames are on their way to the disk: nothing may be committed.
        case preparing(StoreJob, Overlay.Fold, Journal.Preparation, wipes: Bool)
        case folding(Folding)
        case tidying(StoreJob, Standing)
    }

    struct Folding {
        let job: StoreJob
        let fold: Overlay.Fold
        let outcome: Outcome
        let mark: Journal.Mark
        let standing: Standing
        let wipes: Bool
        /// What was committed since it began.
        var meanwhile: [Overlay.Commit] = []
    }

    /// What a fold says once its job is done.
    final class Outcome {
        /// Dequeues that were more than it could take.
        fileprivate(set) var unfinished: Set<Destination> = []
    }

    /// What the tables were like when their connection was given away.
    struct Standing {
        let highest: QueuePosition
        let isLow, isHeld: Bool
        let room: Int
    }

    /// A fold is under way, from `prepareFold` on.
    public var isFolding: Bool {
        if case .nothing = beside { false } else { true }
    }

    /// The journal is filling up: a fold now keeps commits from having to wait for one.
    public var isFoldDue: Bool {
        guard let journal, !isFolding else { return false }
        if isBehind { return true }
        // Commits may take three quarters. The later, the more has come and gone, and need not go into the tables at all.
        return journal.usedBytes >= journal.halfBytes / 16 * 9
    }

    /// Begins to bring what was committed into the tables. First comes the job returned, after it `beginFold`; until then nothing may be
    /// committed, and nothing may be on its way to the disk.
    ///
    /// - Parameter wipes: all of it, and what was deleted goes from the disk; else what is young stays where it is, and what was taken away
    ///   stays in the tables as far as it is more than one fold should take (`isBehind`).
    /// - Returns: nil: there is nothing to do, or not now, or it was done at once, as where space is low.
    public func prepareFold(wipes: Bool) throws(StoreError) -> StoreJob? {
        try guarded { () throws(StoreError) in
            guard case .nothing = beside else { return nil }
            guard let journal, !tables.isLowOnSpace, !journal.isSpread else {
                if wipes, try settle() { try tables.maintain(idle: true) }
                return nil
            }
            guard !journal.isFresh || !overlay.isEmpty || tables.hasStrays || wipes && journal.hasRemains else { return nil }
            let (fold, prepared) = try prepare(youngFrom: wipes ? .max : youngFrom, rowsMax: wipes ? nil : foldRowsMax)
            let job = StoreJob { () throws(StoreError) in try prepared.write() }
            beside = .preparing(job, fold, prepared, wipes: wipes)
            return job
        }
    }

    /// - Returns: the fold itself, for another thread than that of commits; `advance` comes after it. Nil: somebody could not wait.
    public func beginFold() throws(StoreError) -> StoreJob? {
        try guarded { () throws(StoreError) in
            guard case .preparing(let prepares, let fold, let prepared, let wipes) = beside, let journal else { return nil }
            beside = .nothing
            try prepares.result().get()
            if reader == nil { reader = try TableReader(beside: tables) }
            try reader?.pin(beside: tables)
            journal.begin(prepared)
            let (tables, bytes) = (tables, journal.bytes)
            let mark = Journal.Mark(generation: prepared.generation, number: 0)
            let outcome = Outcome()
            let job = StoreJob { () throws(StoreError) in
                outcome.unfinished = try tables.fold(fold, upTo: mark, journalBytes: bytes)
            }
            beside = .folding(Folding(job: job, fold: fold, outcome: outcome, mark: mark, standing: standing, wipes: wipes))
            return job
        }
    }

    /// - Parameter job: as returned, and done.
    /// - Returns: what comes next, as `beginFold`. Nil: that was all, or somebody could not wait.
    public func advance(after job: StoreJob) throws(StoreError) -> StoreJob? {
        try guarded { () throws(StoreError) in
            switch beside {
            case .folding(let folding) where folding.job === job: return try end(folding)
            case .tidying(let current, _) where current === job:
                beside = .nothing
                try job.result().get()
                return nil
            case .nothing, .preparing, .folding, .tidying: return nil
            }
        }
    }

    /// Waits for what goes on beside. What was prepared and not begun is forgotten.
    func endBeside() throws(StoreError) {
        while true {
            switch beside {
            case .nothing: return
            case .preparing(let job, _, _, _), .tidying(let job, _):
                beside = .nothing
                try job.result().get()
            case .folding(let folding): _ = try end(folding)
            }
        }
    }

    /// - Returns: nil where the tables had no room: the journal keeps what it has, in both halves.
    private func end(_ folding: Folding) throws(StoreError) -> StoreJob? {
        beside = .nothing
        let result = folding.job.result()
        try reader?.unpin(beside: tables)
        do throws(StoreError) { try result.get() } catch {
            guard error == .full else { throw error }
            tables.space.foundFull()
            return nil
        }
        guard let journal else { return nil }
        journal.passed(folding.mark)
        let unfinished = folding.outcome.unfinished
        try overlay.folded(folding.fold, unfinished: unfinished, then: folding.meanwhile) { key throws(StoreError) in
            try tables.hasEvent(key)
        }
        isBehind = !unfinished.isEmpty || !folding.fold.remainder.released.isEmpty || tables.hasStrays
        let job = tidying(folding.wipes ? journal.wiping() : nil, wipes: folding.wipes)
        beside = .tidying(job, standing)
        return job
    }

    private func tidying(_ patch: Journal.Patch?, wipes: Bool) -> StoreJob {
        let tables = tables
        return StoreJob { () throws(StoreError) in
            try patch?.write()
            try tables.maintain(idle: wipes)
        }
    }

    func noteMeanwhile(_ commit: Overlay.Commit) {
        guard case .folding(var folding) = beside else { return }
        // Not to have the array twice while it grows.
        beside = .nothing
        folding.meanwhile.append(commit)
        beside = .folding(folding)
    }

    // MARK: What the tables say, whoever has them

    /// For reading.
    var rows: TableReader {
        switch beside {
        case .nothing, .preparing: tables
        case .folding, .tidying: reader ?? tables
        }
    }

    private var standing: Standing {
        switch beside {
        case .nothing, .preparing:
            Standing(highest: tables.highest, isLow: tables.isLowOnSpace, isHeld: tables.isHeld, room: tables.roomBytes)
        case .folding(let folding): folding.standing
        case .tidying(_, let standing): standing
        }
    }

    /// Little room is left, or was until a moment ago: take nothing new; deliveries and deletions go on.
    public var isLowOnSpace: Bool { standing.isLow }

    /// Bytes that the disk has for more, what the file does not use included: as it was looked at last.
    public var roomBytes: Int { standing.room }

    /// The file is held still.
    public var isBackupUnderWay: Bool { standing.isHeld }

    var highest: QueuePosition { max(standing.highest, overlay.highest) }

    var hasTables: Bool {
        switch beside {
        case .nothing, .preparing: true
        case .folding, .tidying: false
        }
    }
}
