package import Vocabulary

/// Links to other nodes: which are up, which to dial and when, and how far each peer's queue for us has been read.
/// Source: docs/protocol/node-link.md.
package struct Links: Sendable {
    /// ```
    /// opened ──hello of a member──▶ established
    ///    └──hello of a stranger──▶ unproven ──statements that admit it──▶ established
    /// ```
    package enum Phase: Sendable {
        case opened
        case unproven(QueuePosition)
        case established
    }

    package struct Link: Sendable {
        package let peer: NodeID
        package let dialled: Bool
        let isStranger: Bool
        let opened: Instant
        package var phase: Phase = .opened
        /// An entry was dropped for want of space: what follows on this link is not read, or its acknowledgement would cover the dropped.
        package var hasSkipped = false
        var framesBeforeEstablished = 0

        var isEstablished: Bool { if case .established = phase { true } else { false } }
    }

    private struct Peer: Sendable {
        var link: LinkID?
        var isDialling = false
        var failures = 0
        var nextDial = Instant.start
        /// How far its queue for us is on our disk.
        var read: QueuePosition = 0
        /// How far it has said to have ours for it, and how much of that is on disk.
        var acknowledged: QueuePosition = 0
        var acknowledgedSaved: QueuePosition = 0
    }

    /// A peer is a stranger until its admission is known; so much it may say before.
    package static let framesBeforeEstablishedMax = 64

    /// One in use, one that replaces it, some that are closing.
    package static let linksPerMemberMax = 8

    private let node: NodeID
    private var byID: [LinkID: Link] = [:]
    private var peers: [NodeID: Peer] = [:]
    private var unacknowledged: Set<NodeID> = []
    private var unsaved: Set<NodeID> = []

    /// What a peer acknowledges is noted on disk once in so many positions: they count microseconds, so that is once a minute at most. Only
    /// a copy that is younger, and whose loss both nodes' restarts hide, is not noticed.
    private static let acknowledgedUnsavedMax: UInt64 = 60_000_000

    package init(node: NodeID, cursors: [NodeID: QueuePosition], acknowledged: [NodeID: QueuePosition] = [:]) {
        self.node = node
        for (peer, cursor) in cursors { peers[peer, default: Peer()].read = cursor }
        for (peer, position) in acknowledged {
            (peers[peer, default: Peer()].acknowledged, peers[peer, default: Peer()].acknowledgedSaved) = (position, position)
        }
    }

    package subscript(_ link: LinkID) -> Link? { byID[link] }
    package func link(to peer: NodeID) -> LinkID? { peers[peer]?.link }
    package func read(from peer: NodeID) -> QueuePosition { peers[peer]?.read ?? 0 }
    package var established: [NodeID] { peers.filter { $0.value.link != nil }.keys.sorted() }
    package func links(of peer: NodeID) -> [LinkID] { byID.filter { $0.value.peer == peer }.keys.sorted() }
    package var all: [LinkID] { byID.keys.sorted() }

    /// - Parameter isMember: strangers share a few places; members, known by their keys, are never kept out by them.
    package mutating func open(_ id: LinkID, peer: NodeID, dialled: Bool, isMember: Bool = false, at now: Instant) -> Refusal? {
        if dialled { peers[peer]?.isDialling = false }
        let isFull =
            isMember
            ? byID.values.count { $0.peer == peer } >= Self.linksPerMemberMax
            : byID.values.count { $0.isStranger && !$0.isEstablished } >= Limits.linksPendingMax
        guard dialled || !isFull else { return Refusal(.busy, "Too many links are being set up.") }
        byID[id] = Link(peer: peer, dialled: dialled, isStranger: !isMember && !dialled, opened: now)
        return nil
    }

    /// Links that were not established in time: whoever only sits there gives the place back.
    package func overdue(at now: Instant) -> [LinkID] {
        byID.filter { !$0.value.isEstablished && now - $0.value.opened > Limits.authenticationTimeout }.keys.sorted()
    }

    package mutating func countFrame(_ id: LinkID) -> Refusal? {
        guard var link = byID[id] else { return Refusal(.badFrame, "The link is closed.") }
        if case .established = link.phase { return nil }
        link.framesBeforeEstablished += 1
        byID[id] = link
        return link.framesBeforeEstablished <= Self.framesBeforeEstablishedMax
            ? nil : Refusal(.notMember, "The node is not a member of this federation, as far as this one knows.")
    }

    package mutating func skip(_ id: LinkID) { byID[id]?.hasSkipped = true }
    package mutating func markUnproven(_ id: LinkID, cursor: QueuePosition) { byID[id]?.phase = .unproven(cursor) }

    /// Links whose peer said hello before its admission was known here.
    package func unproven(admitted: (NodeID) -> Bool) -> [(LinkID, QueuePosition)] {
        byID.compactMap { id, link in
            if case .unproven(let cursor) = link.phase, admitted(link.peer) { (id, cursor) } else { nil }
        }.sorted { $0.0 < $1.0 }
    }

    /// One link a pair. Of two made at the same moment both sides keep the one that the lower id dialled; a later one
    /// replaces the earlier, whose other end is gone.
    /// - Returns: the link to close, which may be the new one; nil when there was none.
    package mutating func establish(_ id: LinkID, at now: Instant) -> LinkID? {
        guard let link = byID[id] else { return nil }
        var peer = peers[link.peer] ?? Peer()
        defer { peers[link.peer] = peer }
        peer.failures = 0
        peer.isDialling = false
        if let oldID = peer.link, oldID != id, let old = byID[oldID] {
            let simultaneous = now - old.opened < .seconds(3)
            let oldWins = (old.dialled ? node : link.peer) < (link.dialled ? node : link.peer)
            if simultaneous, old.dialled != link.dialled, oldWins { return id }
            byID[id]?.phase = .established
            peer.link = id
            return oldID
        }
        byID[id]?.phase = .established
        peer.link = id
        return nil
    }

    /// - Returns: the peer, and whether this was the link in use.
    package mutating func close(_ id: LinkID, at now: Instant, using random: inout some RandomNumberGenerator) -> (
        peer: NodeID, wasInUse: Bool
    )? {
        guard let link = byID.removeValue(forKey: id) else { return nil }
        let wasInUse = peers[link.peer]?.link == id
        if wasInUse { peers[link.peer]?.link = nil }
        if wasInUse || link.dialled { backOff(link.peer, at: now, using: &random) }
        return (link.peer, wasInUse)
    }

    package mutating func dialFailed(_ peer: NodeID, at now: Instant, using random: inout some RandomNumberGenerator) {
        peers[peer]?.isDialling = false
        backOff(peer, at: now, using: &random)
    }

    /// True if it is to be dialled now; then it counts as being dialled.
    package mutating func startDialling(_ peer: NodeID, at now: Instant) -> Bool {
        var entry = peers[peer] ?? Peer()
        guard entry.link == nil, !entry.isDialling, entry.nextDial <= now else { return false }
        entry.isDialling = true
        peers[peer] = entry
        return true
    }

    /// A peer that called, or is known to be back, is not made to wait out a back-off.
    package mutating func wake(_ peer: NodeID, at now: Instant) {
        peers[peer]?.nextDial = now
        peers[peer]?.failures = 0
    }

    package func nextDial(of wanted: [NodeID]) -> Instant? {
        wanted.compactMap { id -> Instant? in
            guard let peer = peers[id] else { return .start }
            return peer.link == nil && !peer.isDialling ? peer.nextDial : nil
        }.min()
    }

    /// Full jitter from 100 ms doubling to 5 s: many nodes that lost one do not come back in step.
    private mutating func backOff(_ id: NodeID, at now: Instant, using random: inout some RandomNumberGenerator) {
        var peer = peers[id] ?? Peer()
        peer.failures = min(peer.failures + 1, 16)
        let ceiling = min(Limits.reconnectDelayMax.nanoseconds, Limits.reconnectDelayMin.nanoseconds << Int64(peer.failures - 1))
        peer.nextDial = now + .nanoseconds(Int64.random(in: ceiling / 4...ceiling, using: &random))
        peers[id] = peer
    }

    // MARK: What the peer has of our queue

    package mutating func acknowledged(by peer: NodeID, through position: QueuePosition) {
        guard var entry = peers[peer], position > entry.acknowledged else { return }
        entry.acknowledged = position
        if position.value - min(position.value, entry.acknowledgedSaved.value) >= Self.acknowledgedUnsavedMax { unsaved.insert(peer) }
        peers[peer] = entry
    }

    /// The peer's first word on a link.
    /// - Returns: whether it has less than it has said before. An old copy of its store was put back; or the word crossed its last
    ///   acknowledgement on an older link, which is seldom, and then taken for the same.
    package mutating func returned(_ peer: NodeID, having position: QueuePosition) -> Bool {
        let before = peers[peer]?.acknowledged ?? 0
        guard position < before else {
            acknowledged(by: peer, through: position)
            return false
        }
        peers[peer]?.acknowledged = position
        unsaved.insert(peer)
        return true
    }

    // MARK: Reading the peer's queue

    /// - Returns: false for an entry that is on disk already. It is acknowledged again: it came since the peer did not hear of it, as when our
    ///   hello crossed the last entries of an older link.
    package mutating func advance(_ peer: NodeID, to position: QueuePosition) -> Bool {
        unacknowledged.insert(peer)
        unsaved.insert(peer)
        guard position > read(from: peer) else { return false }
        peers[peer, default: Peer()].read = position
        return true
    }

    /// Of whom something new is to be written, and what (`StoreTable.linkCursor`).
    package mutating func takeUnsaved() -> [(peer: NodeID, row: [UInt8])] {
        guard !unsaved.isEmpty else { return [] }
        let due = unsaved.sorted()
        unsaved.removeAll(keepingCapacity: true)
        return due.map { peer in
            let entry = peers[peer] ?? Peer()
            peers[peer]?.acknowledgedSaved = entry.acknowledged
            var writer = ByteWriter(reservingCapacity: 16)
            writer.write(entry.read)
            writer.write(entry.acknowledged)
            return (peer, writer.bytes)
        }
    }

    /// The acknowledgements that this batch earned, one a peer.
    package mutating func takeAcknowledgements() -> [(peer: NodeID, link: LinkID?, through: QueuePosition)] {
        guard !unacknowledged.isEmpty else { return [] }
        let due = unacknowledged.sorted().map { ($0, peers[$0]?.link, read(from: $0)) }
        unacknowledged.removeAll(keepingCapacity: true)
        return due.map { (peer: $0.0, link: $0.1, through: $0.2) }
    }
}
