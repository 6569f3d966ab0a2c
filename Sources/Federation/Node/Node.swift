internal import Cryptography
public import Vocabulary

/// One relay node, whole: membership, liveness, directory, hub, queues, sessions and links, composed. The only place that knows them all;
/// each of them decides its own matters.
///
/// Every effect of a batch is released after the batch's writes are on disk, so nothing here says more than the disk can keep.
/// Source: DESIGN 5 to 8; docs/protocol/.
public struct Node: Core {
    public let id: NodeID
    let key: SigningKey
    let software: String

    var membership: Membership
    var liveness: Liveness
    var directory: Directory
    var hub: Hub
    var queues: Queues
    var sessions: Sessions
    var links: Links
    var registrar: Registrar

    // What this node does as the home of its users.
    var keyPackages = KeyPackageDesk()
    var claims = Claims()
    var orders: SubmissionOrders
    var heldBack = HeldBack()
    var blocks: BlockList
    var blockChanges = Buckets<DeviceID>(rate: Limits.publicationsPerSecond, burst: Limits.publicationBurst)
    /// Of a user's record: each is checked, and told to every node.
    var records = Buckets<UserID>(rate: Limits.publicationsPerSecond, burst: Limits.publicationBurst)
    var desk: PresenceDesk

    var wall: Timestamp
    var listening: (clients: Endpoint, peers: Endpoint)?
    var isSpaceLow = false
    /// Bytes that the disk has for more, when it was last looked at.
    var space = 0
    var isStopping = false
    var counters: [String: Int] = [:]
    /// Requests of sessions that wait for a look-up.
    var lookups: [RequestID: (session: SessionID, request: RequestID)] = [:]
    var nextLookup: UInt64 = 1

    /// Up-time of earlier runs, in seconds, and when this run began: expiry counts it, so that no clock jump expires anything.
    let upTimeBefore: UInt64
    let started: Instant
    var upTimeSaved: UInt64
    var nextSweep: Instant

    var traffic = ConversationTraffic()
    var logReaders = LogReaders()
    /// Devices of a conversation here from which on they may be left to read the log; another in tests alone.
    package var logReadersMin = Limits.logReadersMin
    /// Peers that have come back with less than they had.
    var refills: [NodeID: Refill] = [:]

    /// What this step has ordered so far.
    var out: [NodeEffect] = []
    var now: Instant

    /// Every other active member, rising; and where those that have said so can be dialled.
    var peers: [NodeID] = []
    var endpoints: [NodeID: [Endpoint]] = [:]
    let incarnation: UInt64
    /// The cores were told who belongs.
    var hasStarted = false

    static let sweepInterval = Duration.seconds(5)
    /// Look-ups of one session that wait for other nodes.
    static let lookupsPerSessionMax = 32
    /// Sleeping conversations looked at for expiry in each sweep: a million take four days, and they may stay for thirty.
    static let visitsPerSweep = 16

    public var nextDeadline: Instant? {
        // Asked at every turn: no arrays.
        var next = nextSweep
        func consider(_ due: Instant?) { if let due, due < next { next = due } }
        consider(membership.nextDeadline)
        consider(liveness.nextDeadline)
        consider(directory.nextDeadline)
        consider(claims.nextDeadline)
        consider(desk.nextDeadline)
        consider(traffic.nextDeadline)
        // While nothing can be written nobody is asked anything: what is overdue then would keep the writer awake for nothing.
        if !isSpaceLow { consider(hub.nextRecovery) }
        if !isStopping, listening != nil, peers.contains(where: { links.link(to: $0) == nil }) { consider(links.nextDial(of: wantedPeers)) }
        return next
    }

    /// Seconds this node has run in all its life.
    var upTime: UInt64 { upTimeBefore + UInt64(max(0, (now - started).components.seconds)) }

    public mutating func step(
        _ input: NodeInput, at now: Instant, using random: inout some RandomNumberGenerator
    ) -> [NodeEffect] {
        self.now = now
        if !hasStarted {
            hasStarted = true
            tellMembers(using: &random)
        }
        switch input {
        case .clockRead(let time):
            wall = time
            queues.clockRead(time)
            presence(.clockRead(time))
        case .sessionOpened(let session): open(session)
        case .sessionFrame(let session, let frame): receive(frame, in: session, using: &random)
        case .sessionClosed(let session): closed(session)
        case .linkOpened(let link, let peer, let dialled): open(link, peer: peer, dialled: dialled)
        case .linkFrame(let link, let frame): receive(frame, on: link, using: &random)
        case .linkClosed(let link): closed(link, using: &random)
        case .dialFailed(let peer): links.dialFailed(peer, at: now, using: &random)
        case .paged(let order, let entries): paged(order, entries)
        case .loaded(let rows): load(rows)
        case .spaceChanged(let isLow): spaceChanged(isLow: isLow)
        case .spaceRead(let bytes): space = bytes
        case .listening(let clients, let peers): listen(clients: clients, peers: peers, using: &random)
        case .admin(let request, let question): answer(request, question, using: &random)
        case .stopping: stop()
        case .deadlineReached: deadlineReached(using: &random)
        case .batchEnded: endBatch()
        }
        // A new buffer: one that kept its capacity would be copied, as large as it ever was, at every step.
        let effects = out
        out = []
        return effects
    }

    // MARK: What is loaded on demand

    private mutating func load(_ rows: LoadedRows) {
        switch rows {
        case .conversation(let conversation, let rows):
            // Rows that were asked for a moment ago may be older than what is in memory by now.
            guard !hub.isResident(conversation) else { return }
            do {
                try hub.load(conversation, rows: rows)
                recover(conversation)
                refillLoaded(conversation)
                settleGathered(of: conversation)
            } catch { out.append(.note(.corruptRow(.conversation))) }
            readLogs(of: conversation)
        case .events(let page, let device): refetched(page, for: device)
        case .log(let page, let device, let session): readLog(page, for: device, in: session)
        case .keyPackages(let device, let row):
            if !keyPackages.load(device, row, seconds: wall.seconds) { out.append(.note(.corruptRow(.keyPackages))) }
        }
    }

    // MARK: Time

    private mutating func deadlineReached(using random: inout some RandomNumberGenerator) {
        perform(membership.step(.deadlineReached, at: now, using: &random), using: &random)
        perform(liveness.step(.deadlineReached, at: now, using: &random))
        perform(directory.step(.deadlineReached, at: now, using: &random))
        expireClaims()
        presence(.deadlineReached)
        settleGathered()
        giveUpGroupRequests()
        recoverOverdue()
        if nextSweep <= now { sweep() }
        dialWanted()
    }

    private mutating func sweep() {
        nextSweep = now + Self.sweepInterval
        for (session, refusal) in sessions.overdue(at: now) { refuse(session, refusal) }
        for link in links.overdue(at: now) { close(link, Refusal(.notMember, "The link was not established in time.")) }
        var writes: [StoreWrite] = []
        for (failure, sender) in hub.expire(upTime: upTime, writes: &writes) { notify(sender, of: failure) }
        write(writes)
        let visits = hub.isTakingUp ? Limits.recoveriesPerSweep : Self.visitsPerSweep
        for conversation in hub.sleeping(visits) { out.append(.load(.conversation(conversation))) }
        refillPeers()
        if upTime >= upTimeSaved + 60 { saveUpTime() }
    }

    private mutating func saveUpTime() {
        upTimeSaved = upTime
        var row = ByteWriter()
        row.write(upTime)
        out.append(.write(.put(.meta, key: Self.upTimeKey, value: row.bytes)))
    }

    private mutating func endBatch() {
        write(traffic.gathered.takeWrites())
        // Now that nothing in memory is ahead of what this batch writes.
        hub.evict()
        write(orders.endBatch())
        write(keyPackages.endBatch())
        for (peer, row) in links.takeUnsaved() { out.append(.write(.put(.linkCursor, key: peer.bytes, value: row))) }
        for (_, link, position) in links.takeAcknowledgements() {
            if let link { out.append(.sendLink(link, .acknowledge(through: position))) }
        }
    }

    private mutating func spaceChanged(isLow: Bool) {
        guard isSpaceLow != isLow else { return }
        isSpaceLow = isLow
        out.append(.note(.spaceLow(isLow)))
        // Entries were dropped while space was low: links made anew resume from the cursor that is on disk.
        guard !isLow else { return }
        for link in links.all { out.append(.closeLink(link, Refusal(.busy, "Resuming after a full disk."))) }
        // What sleeps is taken up when it is loaded.
        for conversation in hub.untaken { recover(conversation) }
    }

    private mutating func stop() {
        isStopping = true
        saveUpTime()
        let refusal = Refusal(.shuttingDown, "The node stops.")
        for session in sessions.all { out.append(.closeSession(session, refusal)) }
        for link in links.all { out.append(.closeLink(link, refusal)) }
    }

    mutating func write(_ writes: [StoreWrite]) {
        for write in writes { out.append(.write(write)) }
    }

    mutating func count(_ name: String, _ increment: Int = 1) { counters[name, default: 0] += increment }
}
