internal import Cryptography
internal import Federation
internal import Foundation
internal import Logging
internal import Storage
internal import Synchronization
package import Vocabulary

/// The one writer: takes what is waiting, steps the core, commits once, then releases what had to wait for the commit.
///
/// `@unchecked`: `node`, `store` and all else that varies belong to the one thread that runs `run`; others reach only the inbox and
/// the two locked boxes.
package final class NodeWriter: NetworkDelegate, @unchecked Sendable {
    /// Inputs of one commit at most: bounds how long the first waits for the last.
    private static let batchMax = 1024
    private static let turnMax = Duration.milliseconds(20)
    /// Writes that nobody waits for, such as what was acknowledged, are gathered for so long: each commit costs a sync.
    private static let commitDelay = Duration.milliseconds(5)
    private static let clockInterval = Duration.seconds(1)
    /// From the last commit to emptying the journal, when nothing else waits: what was deleted is then gone from the disk.
    private static let wipeDelay = Duration.milliseconds(500)
    /// The same where there is always something. Shorter costs everybody a pause of some milliseconds.
    private static let wipeDelayMax = Duration.seconds(10)

    let store: JournaledNodeStore
    private let log: Logger
    private let inbox = Inbox()
    private let expelled = Mutex<Set<NodeID>>([])
    private let admins: AdminDesk
    private var node: Node
    private let restart: () throws -> Node
    private var random = SystemRandom()
    private var network: Network?
    private var lastClock: Instant?
    private var pending = Pending()
    private var wipeAt: Instant?
    private var wipeAtLatest: Instant?
    private(set) var commits = CommitTimes()
    private var isRefusingForSpace = false

    /// What is not on disk yet, and what waits for that.
    private struct Pending {
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

    /// - Parameter restart: makes the core anew from what is on disk.
    init(store: JournaledNodeStore, log: Logger, restart: @escaping () throws -> Node) throws {
        (self.store, self.log, self.restart) = (store, log, restart)
        node = try restart()
        expelled.withLock { [node] in $0 = Set(node.expelledNodes) }
        admins = AdminDesk()
    }

    /// The node's name by the federation's statements; nil while it has none. Before `run` alone.
    var nodeName: NodeName? { node.name }

    func attach(_ network: Network) { self.network = network }

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

    // MARK: The loop

    /// - Throws: `StoreError.io` and the like: what is on disk is unknown, so the process must end. Nothing of the failed batch was said.
    func run() throws(StoreError) {
        var backlog: [Inbox.Item] = []
        while true {
            if backlog.isEmpty {
                let now = Clock.now
                // Never less: a deadline that fails to move must not become a loop without pause.
                let wait = [node.nextDeadline, wipeAt, pending.due].compactMap { $0 }.min().map { max($0 - now, .milliseconds(1)) }
                guard let items = inbox.take(until: wait) else { return try commit(at: now) }
                backlog = items
            }
            let done = try turn(backlog.prefix(Self.batchMax), isLast: backlog.count <= Self.batchMax)
            backlog.removeFirst(done)
        }
    }

    /// - Returns: how many of the inputs it dealt with: fewer than all when some were dear, so that nobody's answers wait long for them.
    private func turn(_ all: ArraySlice<Inbox.Item>, isLast: Bool) throws(StoreError) -> Int {
        let now = Clock.now
        var early = NetworkBatch()
        try readClocks(now, &early)
        var count = 0
        for item in all {
            if count > 0, count % 16 == 0, Clock.now - now > Self.turnMax { break }
            count += 1
            for needed in node.rowsNeeded(for: item.input) {
                // What is read must be all that was written.
                if !pending.writes.isEmpty { try commit(at: now) }
                if let rows = try store.rows(needed, hub: node.id) { take(node.step(.loaded(rows), at: now, using: &random), &early) }
            }
            take(node.step(item.input, at: now, using: &random), &early)
        }
        if let deadline = node.nextDeadline, deadline <= now { take(node.step(.deadlineReached, at: now, using: &random), &early) }
        take(node.step(.batchEnded, at: now, using: &random), &early)
        let batch = all.prefix(count)
        let commits = pending.isUrgent || pending.writes.count >= Self.batchMax || pending.due.map { $0 <= now } == true
        if commits { pending.dealtWith.append(contentsOf: batch.map(\.source)) } else { credit(batch.map(\.source), &early) }
        noteAddresses(batch)
        if !early.isEmpty { network?.perform(early) }
        if commits { try commit(at: now) }
        let wipes = isLast && count == all.count && pending.isEmpty && inbox.isEmpty && wipeAt.map { $0 <= now } == true
        try store.maintain(idle: wipes)
        if wipes { (wipeAt, wipeAtLatest) = (nil, nil) }
        return count
    }

    /// Brings to disk what is pending, and says what waited for it.
    private func commit(at now: Instant) throws(StoreError) {
        let done = pending
        pending = Pending()
        if !done.writes.isEmpty {
            do {
                let start = Clock.now
                try store.commit(done.writes)
                commits.add(Clock.now - start)
                let latest = wipeAtLatest ?? now + Self.wipeDelayMax
                (wipeAt, wipeAtLatest) = (min(now + Self.wipeDelay, latest), latest)
            } catch .full {
                return try startAnew(done.dealtWith)
            }
        }
        try release(done)
    }

    /// The disk is full: the core is ahead of it, so the core is made anew from what is on it. Connections come back by themselves.
    private func startAnew(_ dealtWith: [Inbox.Item.Source]) throws(StoreError) {
        log.error("the disk is full: new messages are refused until there is room; deliveries go on")
        var orders = NetworkBatch()
        let refusal = Refusal(.diskFull, "The node's disk is full.")
        for session in node.openSessions { orders.close(session, after: refusal) }
        for link in node.openLinks { orders.close(link, after: refusal) }
        credit(dealtWith, &orders)
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

    private var addresses: NetworkAddresses?

    private func readClocks(_ now: Instant, _ early: inout NetworkBatch) throws(StoreError) {
        if let lastClock, now - lastClock < Self.clockInterval { return }
        lastClock = now
        take(node.step(.clockRead(Clock.wall), at: now, using: &random), &early)
        try store.lookAtSpace()
        let isLow = store.isLowOnSpace
        if isLow != isRefusingForSpace {
            isRefusingForSpace = isLow
            take(node.step(.spaceChanged(isLow: isLow), at: now, using: &random), &early)
        }
    }

    // MARK: Effects

    /// Sorts what was ordered: to disk, to be said once that is there, or now.
    ///
    /// Now goes to a device's session what is on somebody else's disk already: an event or acceptance of another node's conversation (its
    /// hub keeps the event until the device's watermark covers it, and our own acknowledgement to the hub waits for our disk), a watermark
    /// (its device has signed it). Never past something that the same session waits for: a device acknowledges through a position.
    private func take(_ effects: [NodeEffect], _ early: inout NetworkBatch) {
        for effect in effects {
            switch effect {
            case .write(let write):
                if pending.writes.isEmpty, pending.due == nil { pending.due = Clock.now + Self.commitDelay }
                pending.writes.append(write)
            case .sendSession(let session, let frame):
                if isSafe(frame), !pending.sessions.contains(session) { early.send(frame, to: session) } else { wait(effect, session) }
            case .closeSession(let session, _): wait(effect, session)
            case .sendLink(let link, .acknowledge):
                // The newest alone, and nobody is in a hurry for it.
                if let index = pending.acknowledgements[link] {
                    pending.effects[index] = effect
                } else {
                    pending.acknowledgements[link] = pending.effects.count
                    pending.effects.append(effect)
                }
            case .note(let note): write(note)
            case .sendLink, .closeLink, .dial, .page, .load, .answer, .expelled:
                pending.effects.append(effect)
                pending.isUrgent = true
            }
        }
    }

    private func wait(_ effect: NodeEffect, _ session: SessionID) {
        pending.effects.append(effect)
        pending.sessions.insert(session)
        pending.isUrgent = true
    }

    private func isSafe(_ frame: NodeFrame) -> Bool {
        switch frame {
        case .entry(_, .event(let envelope)): envelope.key.hub != node.id
        case .entry(_, .accepted(let acceptance)): acceptance.key.hub != node.id
        case .entry(_, .watermark), .pong: true
        default: false
        }
    }

    private func release(_ done: Pending) throws(StoreError) {
        var orders = NetworkBatch()
        for effect in done.effects {
            switch effect {
            case .write: break
            case .sendSession(let session, let frame): orders.send(frame, to: session)
            case .closeSession(let session, let refusal): orders.close(session, after: refusal)
            case .sendLink(let link, let frame): orders.send(frame, to: link)
            case .closeLink(let link, let refusal): orders.close(link, after: refusal)
            case .dial(let peer, let endpoints): network?.dial(peer, at: endpoints)
            case .page(let order):
                let entries = try store.page(
                    order.destination, after: order.after, limit: order.entriesMax, bytesMax: order.bytesMax)
                inbox.post(.paged(order, entries))
            case .load(let needed): if let rows = try store.rows(needed, hub: node.id) { inbox.post(.loaded(rows)) }
            case .answer(let request, let answer): admins.answer(request, answer, AdminRoutes.Context(self, network))
            case .expelled(let nodes): expelled.withLock { $0 = Set(nodes) }
            case .note(let note): write(note)
            }
        }
        credit(done.dealtWith, &orders)
        if !orders.isEmpty { network?.perform(orders) }
    }

    private func noteAddresses(_ batch: ArraySlice<Inbox.Item>) {
        for item in batch {
            if case .listening(let clients, let peers) = item.input {
                addresses = NetworkAddresses(clients: clients, peers: peers, adminLoopback: nil)
            }
        }
    }

    private func credit(_ sources: [Inbox.Item.Source], _ orders: inout NetworkBatch) {
        for source in sources {
            switch source {
            case .session(let session, let bytes): orders.processed(session, bytes: bytes)
            case .link(let link, let bytes): orders.processed(link, bytes: bytes)
            case .local: break
            }
        }
    }

    private func write(_ note: NodeNote) {
        switch note {
        case .linkUp(let node): log.info("link up", metadata: ["node": "\(node)"])
        case .linkDown(let node): log.info("link down", metadata: ["node": "\(node)"])
        case .linkRefused(let node, let refusal):
            log.info(
                "link refused", metadata: ["node": "\(node)", "code": "\(refusal.code)", "why": "\(Printable.line(refusal.detail))"])
        case .memberStateChanged(let node, let state): log.info("a node is \(state)", metadata: ["node": "\(node)"])
        case .membershipChanged: log.info("the federation's members changed")
        case .expelled(let node): log.notice("a node was expelled", metadata: ["node": "\(node)"])
        case .registered: log.info("a user record was published")
        case .sessionRefused(let code): log.debug("session refused", metadata: ["code": "\(code)"])
        case .messageRefused(let code): log.debug("message refused", metadata: ["code": "\(code)"])
        case .badRecords(let count, let kind, let node):
            log.info("bad user records", metadata: ["count": "\(count)", "kind": "\(kind)", "from": "\(node?.short ?? "-")"])
        case .badStatements(let count, let node):
            log.info("bad statements", metadata: ["count": "\(count)", "from": "\(node?.short ?? "-")"])
        case .corruptRow(let table): log.error("a stored row cannot be read", metadata: ["table": "\(table)"])
        case .spaceLow(let isLow):
            if isLow { log.error("the disk is nearly full: new messages are refused") } else { log.notice("the disk has room again") }
        }
    }
}
