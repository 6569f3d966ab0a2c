public import Vocabulary

/// Tells which members answer: SWIM with suspicion and refutation, and Lifeguard's awareness of one's own slowness.
///
/// A node sends one probe per interval however large the federation is, and says what it learned on the back of its messages. Nothing here
/// decides what is delivered or lost: it feeds the operator's view, presence and the choice of peers.
/// Source: docs/protocol/membership.md §6; SWIM (Das, Gupta, Motivala 2002); Lifeguard (Dadgar, Phillips, Currey 2018).
public struct Liveness: Core {
    public enum Input: Hashable, Sendable {
        /// All members now; this node's own id is ignored.
        case membersChanged([NodeID])
        /// Hints from the links: worth a look at once. They decide nothing by themselves.
        case linkUp(NodeID)
        case linkDown(NodeID)
        case received(LivenessMessage, from: NodeID)
        case deadlineReached
    }

    public enum Effect: Hashable, Sendable {
        /// Needs a link: dial if there is none, or drop it: a lost message is part of the protocol.
        case send(NodeID, LivenessMessage)
        case stateChanged(NodeID, LivenessClaim.State)
        case note(LivenessNote)
    }

    /// The probe of the current interval.
    struct Round: Equatable {
        let target: NodeID
        let sequence: UInt64
        let sent: Instant
        let askHelpersAt: Instant
        /// Whether its silence says something about us: that of a suspect or dead node does not.
        let believedAlive: Bool
        var helpers: [NodeID]?
        var negatives: Set<NodeID> = []
        var isAnswered = false
    }

    /// A ping beside the rounds.
    struct Ping: Equatable {
        enum Purpose: Equatable {
            case relay(for: NodeID, sequence: UInt64)
            /// To let a node hear what is said of it, and to measure.
            case call
        }

        let target: NodeID
        let purpose: Purpose
        let sent: Instant
        let deadline: Instant
    }

    public let node: NodeID
    /// This node's own; store one higher at each start, or take the stored one and one more.
    public internal(set) var incarnation: UInt64
    /// 0: this node keeps up; up to `settings.healthMax - 1`: it is slow itself, so it doubts others later (Lifeguard §IV-A).
    public internal(set) var slowness = 0
    let settings: LivenessSettings
    var members: [NodeID: Health] = [:]
    var suspects: Set<NodeID> = []
    /// The round robin (SWIM §4.3): each member once per turn, in random order.
    var turn: [NodeID] = []
    var place = 0
    var rounds = 0
    var urgent: [NodeID] = []
    var round: Round?
    var nextRound: Instant?
    var pings: [UInt64: Ping] = [:]
    var sequence: UInt64 = 0
    var gossip = Gossip()
    /// Whom a message reaches at once. In a large federation a node has links to a few, and makes others as it pings.
    var linked: Set<NodeID> = []

    /// - Parameter incarnation: above every one this node has had before, as far as it knows (1 at first).
    public init(node: NodeID, incarnation: UInt64, settings: LivenessSettings = LivenessSettings()) {
        self.node = node
        self.incarnation = min(incarnation, counterMax)
        self.settings = settings
    }

    /// Rising by id, without this node.
    public var snapshot: [MemberHealth] {
        members.sorted { $0.key < $1.key }.map { MemberHealth($0.key, $0.value) }
    }

    public subscript(node: NodeID) -> MemberHealth? { members[node].map { MemberHealth(node, $0) } }

    public var nextDeadline: Instant? {
        var next = nextRound
        func consider(_ due: Instant?) { if let due { next = min(next ?? due, due) } }
        for ping in pings.values { consider(ping.deadline) }
        for suspect in suspects { consider(suspicionEnd(suspect)) }
        if let round, round.helpers == nil, !round.isAnswered { consider(round.askHelpersAt) }
        return next
    }

    public mutating func step(_ input: Input, at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        switch input {
        case .membersChanged(let nodes): return change(members: nodes, at: now, using: &random)
        case .linkUp(let peer):
            linked.insert(peer)
            let again = repeatPings(to: peer)
            // It hears what is said of it, and can refute.
            guard again.isEmpty, let health = members[peer], health.state != .alive || health.lastSeen == nil else { return again }
            return [call(peer, at: now)]
        case .linkDown(let peer):
            linked.remove(peer)
            guard members[peer]?.state == .alive, !urgent.contains(peer) else { return [] }
            urgent.append(peer)
            if round?.isAnswered ?? true, nextRound != nil { nextRound = now }
            return []
        case .received(let message, let peer): return receive(message, from: peer, at: now, using: &random)
        case .deadlineReached:
            let effects = expirePings(at: now) + askHelpers(at: now, using: &random) + endSuspicions(at: now, using: &random)
            return effects + nextRound(at: now, using: &random)
        }
    }

    private mutating func change(members nodes: [NodeID], at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        let wanted = Set(nodes).subtracting([node])
        for gone in members.keys where !wanted.contains(gone) {
            members[gone] = nil
            suspects.remove(gone)
            gossip.forget(gone)
        }
        linked.formIntersection(wanted)
        turn.removeAll { !wanted.contains($0) }
        urgent.removeAll { !wanted.contains($0) }
        pings = pings.filter { wanted.contains($0.value.target) }
        place = min(place, turn.count)
        for new in wanted.sorted() where members[new] == nil {
            members[new] = Health(at: now)
            turn.insert(new, at: Int.random(in: place...turn.count, using: &random))
        }
        if members.isEmpty {
            (nextRound, round) = (nil, nil)
        } else if nextRound == nil {
            // Somewhere within an interval, so that nodes started together do not probe together.
            nextRound = now + .nanoseconds(Int64.random(in: 0..<max(1, settings.probeInterval.nanoseconds), using: &random))
        }
        return []
    }
}
