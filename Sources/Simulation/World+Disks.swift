internal import Federation
internal import Vocabulary

/// A node's disk as its writer meets it: one commit at a time is on its way, and what the core says meanwhile waits for the next.
struct DiskState {
    /// On top of `World.syncTime`.
    var extra = Duration.zero
    /// The next commit fails: the process ends (exit code 74).
    var isFailing = false
    /// The process dies while the next commit is on its way.
    var isTearing = false
    /// A commit that needs room fails; what is small still fits, as the reserve of a real node sees to.
    var isFull = false
    /// The core knows, and takes nothing that needs room.
    var isToldFull = false
    /// Names the commit that is on its way.
    var onItsWay: UInt64?
    var commits: UInt64 = 0
    /// Released once the commit that is on its way is on disk.
    var inFlight: [NodeEffect] = []
    /// What waits for the next commit, in order.
    var pending: [NodeEffect] = []

    /// The process is gone; the disk stays as it is.
    mutating func forget() { (onItsWay, isToldFull, inFlight, pending) = (nil, false, [], []) }

    /// Whether a session is owed something that waits for the disk: what follows waits behind it.
    func owes(_ session: SessionID) -> Bool {
        (inFlight + pending).contains { effect in
            switch effect {
            case .sendSession(session, _), .closeSession(session, _): true
            default: false
            }
        }
    }
}

extension World {
    mutating func commit(_ effects: [NodeEffect], of index: Int) throws {
        let hasWrites = effects.contains { if case .write = $0 { true } else { false } }
        if !hasWrites, nodes[index].disk.onItsWay == nil {
            for effect in effects { try perform(effect, of: index) }
            return
        }
        let (early, waiting) = spoiled(effects)
        var now: [NodeEffect] = early
        for effect in waiting {
            // As the real writer does: what is on somebody else's disk already need not wait for ours.
            if syncTime != nil, case .sendSession(let session, let frame) = effect, isSafe(frame, at: index),
                !nodes[index].disk.owes(session)
            {
                now.append(effect)
            } else {
                nodes[index].disk.pending.append(effect)
            }
        }
        for effect in now { try perform(effect, of: index) }
        if nodes[index].disk.onItsWay == nil { try startSync(node: index) }
    }

    private func isSafe(_ frame: NodeFrame, at index: Int) -> Bool {
        switch frame {
        case .entry(_, .event(let envelope)): envelope.key.hub != nodes[index].id
        case .entry(_, .accepted(let acceptance)): acceptance.key.hub != nodes[index].id
        case .entry(_, .watermark), .pong: true
        default: false
        }
    }

    /// Brings everything to disk while the core waits.
    mutating func commitNow(node index: Int) throws {
        if nodes[index].disk.onItsWay != nil { try synced(node: index, goesOn: false) }
        // Even without a write: what waited behind the commit would wait on, and what is ordered next would overtake it.
        guard !nodes[index].disk.pending.isEmpty else { return }
        try startSync(node: index)
        if nodes[index].disk.onItsWay != nil { try synced(node: index, goesOn: false) }
    }

    private mutating func startSync(node index: Int) throws {
        let writes = spoiled(nodes[index].disk.pending.compactMap { if case .write(let write) = $0 { write } else { nil } }, of: index)
        guard !writes.isEmpty else { return try release(node: index) }
        noteRecords(writes, of: index)
        if nodes[index].disk.isFailing {
            nodes[index].disk.isFailing = false
            recorder?.note(.fault("failingDisk"), of: "node\(index)", at: now)
            // Whether it reached the disk is unknown.
            if syncTime != nil { try nodes[index].store.stage(writes) }
            return kill(node: index, for: .seconds(2), isTorn: Bool.random(using: &random))
        }
        if nodes[index].disk.isFull, !nodes[index].disk.isToldFull, writes.contains(where: \.needsRoom) {
            recorder?.note(.fault("fullDisk"), of: "node\(index)", at: now)
            // Nothing of it was written: the core, which is ahead of its disk, is made anew.
            if plant == .acknowledgesOnFullDisk { return try release(node: index) }
            return kill(node: index, for: .zero)
        }
        guard let syncTime else {
            try nodes[index].store.commit(writes)
            return try release(node: index)
        }
        try nodes[index].store.stage(writes)
        nodes[index].disk.inFlight = nodes[index].disk.pending
        nodes[index].disk.pending = []
        nodes[index].disk.commits += 1
        nodes[index].disk.onItsWay = nodes[index].disk.commits
        if nodes[index].disk.isTearing {
            nodes[index].disk.isTearing = false
            agenda.add(.crashNode(index, life: nodes[index].life), at: now)
        }
        let time = Int64.random(in: syncTime.lowerBound.nanoseconds...syncTime.upperBound.nanoseconds, using: &random)
        agenda.add(.synced(index, commit: nodes[index].disk.commits), at: now + .nanoseconds(time) + nodes[index].disk.extra)
    }

    mutating func synced(node index: Int, goesOn: Bool = true) throws {
        nodes[index].store.sync()
        nodes[index].disk.onItsWay = nil
        let effects = nodes[index].disk.inFlight
        nodes[index].disk.inFlight = []
        for effect in effects { try perform(effect, of: index) }
        if goesOn, nodes[index].disk.onItsWay == nil, !nodes[index].disk.pending.isEmpty { try startSync(node: index) }
    }

    private mutating func release(node index: Int) throws {
        let effects = nodes[index].disk.pending
        nodes[index].disk.pending = []
        for effect in effects { try perform(effect, of: index) }
    }

    // MARK: What can happen to it

    public mutating func setSlow(_ extra: Duration, node index: Int) { nodes[index].disk.extra = extra }
    public mutating func failNextSync(node index: Int) { nodes[index].disk.isFailing = true }

    public mutating func setFull(_ isFull: Bool, node index: Int) throws {
        nodes[index].disk.isFull = isFull
        guard !isFull, nodes[index].disk.isToldFull else { return }
        nodes[index].disk.isToldFull = false
        try turn(node: index, .spaceChanged(isLow: false))
    }
}

extension StoreWrite {
    var needsRoom: Bool {
        switch self {
        case .storeEvent, .enqueue: true
        case .put, .remove, .releaseEvent, .dequeue, .withdraw: false
        }
    }
}
