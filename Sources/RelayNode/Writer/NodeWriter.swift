internal import Cryptography
package import Federation
internal import Foundation
package import Logging
internal import NIOCore
package import Storage
internal import Synchronization
package import Vocabulary

/// The one writer: takes what is waiting, steps the core, and releases what had to wait for the disk once it is there.
///
/// It lives on one of the network's event loops, so that a frame of a connection there reaches the core without waking a thread; frames
/// of the other loops come through the inbox. A turn deals with what one pass over the sockets brought. What it writes goes to disk as one
/// commit on a thread of its own; turns go on meanwhile, and what they write is the next commit.
///
/// `@unchecked`: `node`, `store` and all else that varies belong to the event loop; others reach only the inbox and the two locked boxes.
package final class NodeWriter: NetworkDelegate, @unchecked Sendable {
    /// Inputs of one commit at most: bounds how long the first waits for the last.
    private static let batchMax = 1024
    /// How long a turn goes on with what is dear; one input more at most. Less costs more turns, and smaller batches: 5 ms cost half as much
    /// again a message when saturated.
    private static let turnMax = Duration.milliseconds(20)
    /// Writes that nobody waits for, such as what was acknowledged, are gathered for so long: each commit costs a sync.
    static let commitDelay = Duration.milliseconds(5)
    private static let clockInterval = Duration.seconds(1)
    /// From the last commit to emptying the journal, when nothing else waits: what was deleted is then gone from the disk.
    private static let wipeDelay = Duration.milliseconds(500)
    /// The same where there is always something. Shorter costs more syncs.
    private static let wipeDelayMax = Duration.seconds(10)

    let store: JournaledNodeStore
    let log: Logger
    let inbox = Inbox()
    let expelled = Mutex<Set<NodeID>>([])
    let admins: AdminDesk
    var node: Node
    let lie: Lie?
    private let restart: () throws -> Node
    private var random = SystemRandom()
    private(set) var network: Network?
    private let disk = DiskThread(name: "disk")
    /// Brings what is in the journal into the tables, beside commits.
    private let tables = DiskThread(name: "tables", isPatient: true)
    private let helpers = HelperThreads(processors: ProcessInfo.processInfo.activeProcessorCount)
    private var backlog: [Inbox.Item] = []
    private var shares = FairOrder.Shares()
    /// Until when all that is in the backlog rests; nil when some of it does not.
    private var backlogRests: Instant?
    private var lastClock: Instant?
    /// What was ordered to be read, and is not read yet.
    var readings = ReadingLine()
    var pageTurns = PageTurns()
    var throttle = LogThrottle()
    /// Of what is not on its way to the disk yet.
    var pending = Pending()
    /// Of what is on its way there.
    private(set) var inFlight: Pending?
    /// What is on its way there is no commit, but a new part of the journal.
    private var isPreparingFold = false
    /// The journal has no room for what is pending before the fold that goes on has ended, or the next one has begun.
    private var waitsForRoom = false
    private var wipeAt: Instant?
    private var wipeAtLatest: Instant?
    private var timer: (at: Instant, task: Scheduled<Void>)?
    private(set) var commits = CommitTimes()
    private var isRefusingForSpace = false
    private let ended = DispatchSemaphore(value: 0)
    private var end: Result<Void, StoreError>?

    /// What is not on disk yet, and what waits for that.
    struct Pending {
        var writes: [StoreWrite] = []
        var effects: [NodeEffect] = []
        /// Inputs whose senders may send more once this is on disk.
        var dealtWith: [Inbox.Item.Source] = []
        /// Sessions that something waits for.
        var sessions: Set<SessionID> = []
        /// Where in `effects` a link's acknowledgement stands.
        var acknowledgements: [LinkID: Int] = [:]
        /// Somebody waits for it; else it can be gathered until it is due.
        var isUrgent = false
        var due: Instant?

        var isEmpty: Bool { writes.isEmpty && effects.isEmpty }
    }

    /// What is said to a session in a frame's place: a node that lies, for tests (`lying-node`).
    package typealias Lie = (_ node: Node, _ session: SessionID, _ frame: NodeFrame) -> [NodeFrame]

    /// - Parameters:
    ///   - lie: nil in every honest node.
    ///   - restart: makes the core anew from what is on disk.
    package init(store: JournaledNodeStore, log: Logger, lie: Lie?, restart: @escaping () throws -> Node) throws {
        (self.store, self.log, self.lie, self.restart) = (store, log, lie, restart)
        node = try restart()
        expelled.withLock { [node] in $0 = Set(node.expelledNodes) }
        admins = AdminDesk()
    }

    /// The node's name by the federation's statements; nil while it has none. Before `run` alone.
    var nodeName: NodeName? { node.name }

    package func attach(_ network: Network) { self.network = network }

    // MARK: From the network, on its event loops

    package func sessionOpened(_ session: SessionID, from address: String) { inbox.post(.sessionOpened(session)) }

    package func session(_ session: SessionID, received frame: ClientFrame, bytes: Int) {
        inbox.post(.sessionFrame(session, frame), from: .session(session, bytes: bytes))
    }

    package func sessionClosed(_ session: SessionID) { inbox.post(.sessionClosed(session)) }

    package func linkOpened(_ link: LinkID, peer: NodeID, dialled: Bool) {
        inbox.post(.linkOpened(link, peer: peer, dialled: dialled))
    }

    package func link(_ link: LinkID, received frame: LinkFrame, bytes: Int) {
        inbox.post(.linkFrame(link, frame), from: .link(link, bytes: bytes))
    }

    package func linkClosed(_ link: LinkID) { inbox.post(.linkClosed(link)) }

    package func dialFailed(_ peer: NodeID, reason: String) {
        log.debug("dialling a node failed", metadata: ["node": "\(peer)", "reason": "\(reason)"])
        inbox.post(.dialFailed(peer))
    }

    package func admits(peer: NodeID) -> Bool { expelled.withLock { !$0.contains(peer) } }

    package func admin(_ request: AdminHTTPRequest, reply: @escaping @Sendable (AdminHTTPResponse) -> Void) {
        switch AdminRoutes.question(request) {
        case .reply(let response): reply(response)
        case .ask(let question): inbox.post(.admin(admins.register(question, reply), question.request))
        }
    }

    // MARK: From the program

    func listening(_ addresses: NetworkAddresses) { inbox.post(.listening(clients: addresses.clients, peers: addresses.peers)) }

    /// Asks the node to say goodbye; `run` returns when that is on its way.
    package func stop() {
        inbox.post(.stopping)
        inbox.stop()
    }

    // MARK: Turns

    /// Serves until `stop`. Blocks; not on an event loop.
    ///
    /// - Throws: `StoreError.io` and the like: what is on disk is unknown, so the process must end. Nothing of the failed batch was said.
    package func run() throws(StoreError) {
        guard let loop = network?.coreLoop else { return }
        inbox.open { [self] in loop.execute { self.attempt { () throws(StoreError) in try self.takeTurn() } } }
        ended.wait()
        disk.stop()
        tables.stop()
        helpers.stop()
        try end?.get()
    }

    /// On the event loop, until the end: what goes wrong is the end.
    private func attempt(_ body: () throws(StoreError) -> Void) {
        guard end == nil else { return }
        do throws(StoreError) { try body() } catch { finish(.failure(error)) }
    }

    private func finish(_ result: Result<Void, StoreError>) {
        end = result
        timer?.task.cancel()
        ended.signal()
    }

    private func takeTurn() throws(StoreError) {
        let (items, isStopped) = inbox.take()
        if backlog.isEmpty { backlog = items } else { backlog.append(contentsOf: items) }
        backlog = FairOrder.interleaved(backlog) { FairOrder.speaker(of: $0.input) }
        let resting = isStopped ? [] : setRestingAside()
        let done = try turn(backlog.prefix(Self.batchMax))
        if done == backlog.count { backlog = [] } else { backlog.removeFirst(done) }
        try read()
        if !backlog.isEmpty { backlogRests = nil }
        backlog += resting
        if isStopped, backlog.isEmpty, inbox.isEmpty {
            try commitNow()
            return finish(.success(()))
        }
        arrange()
    }

    /// Takes what rests out of the backlog, and notes until when it does.
    private func setRestingAside() -> [Inbox.Item] {
        backlogRests = nil
        let now = Clock.now
        var resting: [Inbox.Item] = []
        guard shares.hasResting else { return resting }
        backlog.removeAll { item in
            guard let until = shares.rest(of: FairOrder.speaker(of: item.input), at: now) else { return false }
            backlogRests = min(backlogRests ?? until, until)
            resting.append(item)
            return true
        }
        return resting
    }

    /// Comes back when the next thing is due; with a backlog that does not rest as soon as the sockets have been looked at.
    private func arrange() {
        guard let loop = network?.coreLoop else { return }
        let now = Clock.now
        let look = lastClock.map { $0 + Self.clockInterval }
        let mustWait = backlog.isEmpty || backlogRests != nil
        let commit = inFlight == nil && !waitsForRoom ? pending.due : nil
        let page = pageTurns.next(of: readings.waits, at: now)?.due
        let due = mustWait ? [nextDeadline, foldAt, commit, look, backlogRests, page].compactMap { $0 }.min() : now
        guard let due else { return }
        if let timer, timer.at <= due { return }
        timer?.task.cancel()
        // Never at once: a deadline that fails to move must not become a loop without pause.
        let wait = mustWait ? max(due - now, .milliseconds(1)) : .microseconds(20)
        timer = (
            now + wait,
            loop.scheduleTask(in: .nanoseconds(wait.nanoseconds)) { [self] in
                timer = nil
                attempt { () throws(StoreError) in try takeTurn() }
            }
        )
    }

    /// - Returns: how many of the inputs it dealt with: fewer than all when some were dear, so that nobody's answers wait long for them.
    private func turn(_ all: ArraySlice<Inbox.Item>) throws(StoreError) -> Int {
        let now = Clock.now
        var early = NetworkBatch()
        try readClocks(now, &early)
        var count = 0
        var began = now
        for item in all {
            let speaker = FairOrder.speaker(of: item.input)
            if count > 0, began - now > Self.turnMax || shares.isExhausted(for: speaker) { break }
            count += 1
            for needed in rowsNeeded(for: item.input) {
                // What is read must be all that was written. And what the core keeps for a batch's end (cursors of links, KeyPackages that
                // were handed out) belongs to the commit that releases what it has answered.
                if isPending(needed) {
                    take(node.step(.batchEnded, at: now, using: &random), &early)
                    perform(&early)
                    try commitNow()
                }
                if let rows = try store.rows(needed, hub: node.id) { take(node.step(.loaded(rows), at: now, using: &random), &early) }
            }
            take(step(item.input, at: now), &early)
            pageTurns.heard(item.input, at: now)
            let ended = Clock.now
            let bytes = FairOrder.carriesMessages(item.input) ? nil : item.source.bytes
            shares.had(ended - began, by: speaker, bytes: bytes, at: ended)
            began = ended
        }
        shares.turnEnded(at: began)
        if pageTurns.othersWrote == now { network?.noteWrite(at: now) }
        if let deadline = nextDeadline, deadline <= now { take(node.step(.deadlineReached, at: now, using: &random), &early) }
        take(node.step(.batchEnded, at: now, using: &random), &early)
        let batch = all.prefix(count)
        let commits = isCommitDue(at: now)
        if commits { pending.dealtWith.append(contentsOf: batch.map(\.source)) } else { credit(batch.map(\.source), &early) }
        noteAddresses(batch)
        perform(&early)
        if commits { try startCommit() }
        try maintain(at: now)
        return count
    }

    /// With helpers for what has many signatures to check.
    private func step(_ input: NodeInput, at now: Instant) -> [NodeEffect] {
        switch input {
        case .linkFrame(_, .records), .linkFrame(_, .packedRecords):
            RecordJudgements.$helpers.withValue(helpers) { node.step(input, at: now, using: &random) }
        default: node.step(input, at: now, using: &random)
        }
    }

    /// Whether what is in the store lacks some of these rows. Every login asks for KeyPackages, and whoever writes where nobody has written
    /// since the start for a conversation: to wait for the disk each time would be a pause for everybody. What is on its way to the disk the
    /// store has already.
    private func isPending(_ needed: RowsNeeded) -> Bool { pending.writes.contains { needed.isChanged(by: $0) } }

    // Both ask the core where it stands: reading the property would copy a value of some hundred references.
    private var nextDeadline: Instant? { withUnsafePointer(to: &node) { $0.pointee.nextDeadline } }
    private func rowsNeeded(for input: NodeInput) -> [RowsNeeded] { withUnsafePointer(to: &node) { $0.pointee.rowsNeeded(for: input) } }

    private func maintain(at now: Instant) throws(StoreError) {
        if inFlight == nil { try store.maintain() }
        try startFold(at: now)
        if let backupEnds, backupEnds <= now {
            self.backupEnds = nil
            try store.endBackup()
        }
        noteDamage()
    }

    /// What did not open is told once each: by table and count, since nobody knows what it was.
    private func noteDamage() {
        let damaged = store.damagedRows
        let count = damaged.values.reduce(0, +)
        guard count > damageNoted else { return }
        damageNoted = count
        let tables = damaged.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
        log.error(
            "the store is damaged: what is gone is fetched again where others have it; run `posthouse store check`",
            metadata: ["rows": "\(tables)"])
    }

    private func perform(_ orders: inout NetworkBatch) {
        if !orders.isEmpty { network?.perform(orders) }
        orders = NetworkBatch()
    }

    // MARK: Commits

    private func isCommitDue(at now: Instant) -> Bool {
        pending.isUrgent || pending.writes.count >= Self.batchMax || pending.due.map { $0 <= now } == true
    }

    /// Sends to the disk what is pending, unless something is on its way there: that is done when it has arrived.
    private func startCommit() throws(StoreError) {
        guard inFlight == nil, let loop = network?.coreLoop, try hasRoom(), let staged = try stagePending() else { return }
        disk.start(staged.result) { [self] in
            loop.execute { self.attempt { () throws(StoreError) in try self.diskAnswered() } }
        }
    }

    /// Whether what is pending can go to the disk. Where the journal is full until a fold has ended, or begun, that is waited for: reading,
    /// and what needs no commit, go on.
    private func hasRoom() throws(StoreError) -> Bool {
        guard !store.hasRoom(for: pending.writes) else { return true }
        if !store.isFolding { try startFold(at: Clock.now) }
        // Where none can begin the store does without.
        waitsForRoom = store.isFolding
        return !waitsForRoom
    }

    /// - Returns: nil when nothing is left to wait for, and what waited is said.
    private func stagePending() throws(StoreError) -> StagedCommit? {
        let done = pending
        pending = Pending()
        waitsForRoom = false
        let start = Clock.now
        do throws(StoreError) {
            if let staged = try store.stage(done.writes) {
                inFlight = done
                return staged
            }
        } catch {
            guard error == .full else { throw error }
            try startAnew(done.dealtWith)
            return nil
        }
        if !done.writes.isEmpty { committed(in: Clock.now - start) }
        try release(done)
        return nil
    }

    private func diskAnswered() throws(StoreError) {
        // Nil: somebody could not wait.
        guard let outcome = disk.takeOutcome() else { return }
        try conclude(outcome)
        try goOn()
    }

    private func goOn() throws(StoreError) {
        let now = Clock.now
        try startFold(at: now)
        if isCommitDue(at: now) { try startCommit() }
        arrange()
    }

    private func conclude(_ outcome: DiskThread.Outcome) throws(StoreError) {
        try store.confirm(outcome.result)
        guard let done = inFlight else { return }
        inFlight = nil
        guard !isPreparingFold else {
            isPreparingFold = false
            return goOn(with: try store.beginFold())
        }
        committed(in: outcome.duration)
        try release(done)
    }

    /// Brings everything to disk while the event loop waits.
    private func commitNow() throws(StoreError) {
        if inFlight != nil { try conclude(disk.awaitOutcome()) }
        let start = Clock.now
        guard let staged = try stagePending() else { return }
        let result = staged.result()
        try conclude(DiskThread.Outcome(result: result, duration: Clock.now - start))
    }

    // MARK: Folding

    /// When what was committed is to be brought into the tables next; nil while it cannot be.
    private var foldAt: Instant? { inFlight == nil && !store.isFolding ? wipeAt : nil }

    /// Begins to bring what was committed into the tables where that is due. It takes its time on another thread; only the next commit waits
    /// for its first step.
    private func startFold(at now: Instant) throws(StoreError) {
        guard inFlight == nil, !store.isFolding, let loop = network?.coreLoop else { return }
        // What is behind comes first: all at once it would take too long.
        let wipes = wipeAt.map { $0 <= now } ?? false && !store.isBehind
        guard wipes || store.isFoldDue else { return }
        if wipes { (wipeAt, wipeAtLatest) = (nil, nil) }
        guard let job = try store.prepareFold(wipes: wipes) else { return }
        (inFlight, isPreparingFold) = (Pending(), true)
        disk.start(job.result) { [self] in
            loop.execute { self.attempt { () throws(StoreError) in try self.diskAnswered() } }
        }
    }

    private func goOn(with job: StoreJob?) {
        guard let job, let loop = network?.coreLoop else { return }
        tables.start(job.result) { [self] in
            loop.execute {
                self.attempt { () throws(StoreError) in
                    self.goOn(with: try self.store.advance(after: job))
                    try self.goOn()
                }
            }
        }
    }

    private func committed(in duration: Duration) {
        commits.add(duration)
        let now = Clock.now
        let latest = wipeAtLatest ?? now + Self.wipeDelayMax
        (wipeAt, wipeAtLatest) = (min(now + Self.wipeDelay, latest), latest)
    }

    /// The disk is full: the core is ahead of it, so the core is made anew from what is on it. Connections come back by themselves.
    private func startAnew(_ dealtWith: [Inbox.Item.Source]) throws(StoreError) {
        log.error("the disk is full: new messages are refused until there is room; deliveries go on")
        var orders = NetworkBatch()
        let refusal = Refusal(.diskFull, "The node's disk is full.")
        for session in node.openSessions { orders.close(session, after: refusal) }
        for link in node.openLinks { orders.close(link, after: refusal) }
        credit(dealtWith, &orders)
        readings = ReadingLine()
        do { node = try restart() } catch let error as StoreError { throw error } catch { throw .io("\(error)") }
        admins.failAll(AdminRoutes.unavailable)
        var effects = node.step(.clockRead(Clock.wall), at: Clock.now, using: &random)
        effects += node.step(.spaceChanged(isLow: true), at: Clock.now, using: &random)
        isRefusingForSpace = true
        if let addresses {
            effects += node.step(.listening(clients: addresses.clients, peers: addresses.peers), at: Clock.now, using: &random)
        }
        network?.perform(orders)
        // Its writes wait for a disk with room: a core that starts says nothing that must be kept.
    }

    var addresses: NetworkAddresses?
    /// While the store's file is held still for somebody: until then, unless it says that it goes on.
    var backupEnds: Instant?
    static let backupMax = Duration.seconds(30)
    private var damageNoted = 0
    private var isWithoutAdminSocket = false

    private func readClocks(_ now: Instant, _ early: inout NetworkBatch) throws(StoreError) {
        if let lastClock, now - lastClock < Self.clockInterval { return }
        lastClock = now
        take(node.step(.clockRead(Clock.wall), at: now, using: &random), &early)
        try store.lookAtDisk()
        lookAtAdminSocket()
        take(node.step(.spaceRead(store.roomBytes), at: now, using: &random), &early)
        let isLow = store.isLowOnSpace
        if isLow != isRefusingForSpace {
            isRefusingForSpace = isLow
            take(node.step(.spaceChanged(isLow: isLow), at: now, using: &random), &early)
        }
    }

    private func lookAtAdminSocket() {
        guard let network else { return }
        do {
            guard try network.lookAtAdminSocket() else { return }
            isWithoutAdminSocket = false
            log.warning("the admin socket was removed; it is there again")
        } catch {
            if !isWithoutAdminSocket { log.error("the admin socket was removed and cannot be made again: commands do not reach the node") }
            isWithoutAdminSocket = true
        }
    }
}
