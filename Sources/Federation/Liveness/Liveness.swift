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
    private struct Round: Equatable {
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
    private struct Ping: Equatable {
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
    public private(set) var incarnation: UInt64
    /// 0: this node keeps up; up to `settings.healthMax - 1`: it is slow itself, so it doubts others later (Lifeguard §IV-A).
    public private(set) var slowness = 0
    let settings: LivenessSettings
    var members: [NodeID: Health] = [:]
    private var suspects: Set<NodeID> = []
    /// The round robin (SWIM §4.3): each member once per turn, in random order.
    private var turn: [NodeID] = []
    private var place = 0
    private var rounds = 0
    private var urgent: [NodeID] = []
    private var round: Round?
    private var nextRound: Instant?
    private var pings: [UInt64: Ping] = [:]
    private var sequence: UInt64 = 0
    private var gossip = Gossip()

    /// - Parameter incarnation: above every one this node has had before, as far as it knows (1 at first).
    public init(node: NodeID, incarnation: UInt64, settings: LivenessSettings = LivenessSettings()) {
        self.node = node
        self.incarnation = min(incarnation, counterMax)
        self.settings = settings
    }

    /// Rising by id, without this node.
    public var snapshot: [MemberHealth] {
        members.sorted { $0.key < $1.key }.map { node, health in
            MemberHealth(
                node: node, state: health.state.claim, incarnation: health.incarnation, roundTrip: health.roundTrip,
                lastSeen: health.lastSeen, since: health.changed)
        }
    }

    public subscript(node: NodeID) -> MemberHealth? {
        members[node].map {
            MemberHealth(
                node: node, state: $0.state.claim, incarnation: $0.incarnation, roundTrip: $0.roundTrip, lastSeen: $0.lastSeen,
                since: $0.changed)
        }
    }

    public var nextDeadline: Instant? {
        var deadlines = pings.values.map(\.deadline) + suspects.compactMap(suspicionEnd)
        if let nextRound { deadlines.append(nextRound) }
        if let round, round.helpers == nil, !round.isAnswered { deadlines.append(round.askHelpersAt) }
        return deadlines.min()
    }

    public mutating func step(_ input: Input, at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        switch input {
        case .membersChanged(let nodes): return change(members: nodes, at: now, using: &random)
        case .linkUp(let peer):
            // It hears what is said of it, and can refute.
            guard let health = members[peer], health.state != .alive || health.lastSeen == nil else { return [] }
            return [call(peer, at: now)]
        case .linkDown(let peer):
            guard members[peer]?.state == .alive, !urgent.contains(peer) else { return [] }
            urgent.append(peer)
            if round?.isAnswered ?? true, nextRound != nil { nextRound = now }
            return []
        case .received(let message, let peer): return receive(message, from: peer, at: now)
        case .deadlineReached:
            return expirePings(at: now) + askHelpers(at: now, using: &random) + endSuspicions(at: now) + nextRound(at: now, using: &random)
        }
    }

    // MARK: members

    private mutating func change(members nodes: [NodeID], at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        let wanted = Set(nodes).subtracting([node])
        for gone in members.keys where !wanted.contains(gone) {
            members[gone] = nil
            suspects.remove(gone)
            gossip.forget(gone)
        }
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

    // MARK: rounds

    private mutating func nextRound(at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        guard let due = nextRound, due <= now else { return [] }
        var effects = finishRound(at: now)
        nextRound = now + settings.probeInterval * (slowness + 1)
        rounds += 1
        if rounds % settings.deadProbeEvery == 0 {
            let dead = members.filter { $0.value.state == .dead }.keys.sorted()
            if let node = dead.randomElement(using: &random) { effects.append(call(node, at: now)) }
        }
        guard let target = nextTarget(using: &random) else { return effects }
        sequence &+= 1
        round = Round(
            target: target, sequence: sequence, sent: now, askHelpersAt: now + timeout(for: target),
            believedAlive: members[target]?.state == .alive)
        return effects + [.send(target, .ping(sequence: sequence, claims: claims(for: target)))]
    }

    private mutating func nextTarget(using random: inout some RandomNumberGenerator) -> NodeID? {
        if !urgent.isEmpty { return urgent.removeFirst() }
        for _ in 0...2 * turn.count {
            if place >= turn.count {
                turn.shuffle(using: &random)
                place = 0
            }
            guard place < turn.count else { return nil }
            place += 1
            if members[turn[place - 1]]?.state != .dead { return turn[place - 1] }
        }
        return nil
    }

    /// Silence through the whole round: suspicion, or its confirmation.
    private mutating func finishRound(at now: Instant) -> [Effect] {
        defer { round = nil }
        guard let round, !round.isAnswered, let health = members[round.target] else { return [] }
        if round.believedAlive {
            // Helpers that did not even say "no answer" hint that the fault is here (Lifeguard §IV-A).
            let helpers = round.helpers ?? []
            slow(by: helpers.isEmpty ? 1 : helpers.count - round.negatives.count)
        }
        switch health.state {
        case .alive:
            let effects = apply(LivenessClaim(node: round.target, state: .suspect, incarnation: health.incarnation), at: now)
            // The suspect hears of it from us first (Lifeguard §IV-C).
            return effects + [call(round.target, at: now)]
        case .suspect:
            confirm(round.target, by: node)
            return endSuspicions(at: now)
        case .dead:
            return []
        }
    }

    private mutating func askHelpers(at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        guard let asking = round, asking.helpers == nil, !asking.isAnswered, asking.askHelpersAt <= now else { return [] }
        let able = members.filter { $0.key != asking.target && $0.value.state == .alive }.keys.sorted()
        let helpers = Array(able.shuffled(using: &random).prefix(settings.helpers))
        round?.helpers = helpers
        return helpers.map {
            .send($0, .pingRequest(sequence: asking.sequence, target: asking.target, claims: claims(for: $0)))
        }
    }

    /// Stretched by the way to the target and by our own slowness, but over well before the round is.
    private func timeout(for target: NodeID) -> Duration {
        let measured = max(settings.pingTimeout, (members[target]?.roundTrip ?? .zero) * 3)
        return min(measured, settings.probeInterval * 6 / 10) * (slowness + 1)
    }

    private mutating func slow(by points: Int) { slowness = max(0, min(settings.healthMax - 1, slowness + points)) }

    // MARK: messages

    private mutating func receive(_ message: LivenessMessage, from peer: NodeID, at now: Instant) -> [Effect] {
        guard members[peer] != nil else { return [.note(.fromStranger(peer))] }
        members[peer]?.lastSeen = now
        var effects = message.claims.prefix(Limits.livenessClaimsMax).flatMap { apply($0, at: now) }
        switch message {
        case .ping(let sequence, _):
            effects.append(.send(peer, .acknowledge(sequence: sequence, claims: claims(for: peer))))
        case .acknowledge(let sequence, _):
            effects += acknowledged(sequence, by: peer, at: now)
        case .pingRequest(let sequence, let target, _):
            effects += relay(to: target, for: peer, sequence: sequence, at: now)
        case .negative(let sequence, _):
            if round?.sequence == sequence, round?.helpers?.contains(peer) == true { round?.negatives.insert(peer) }
        }
        return effects
    }

    private mutating func acknowledged(_ sequence: UInt64, by peer: NodeID, at now: Instant) -> [Effect] {
        if let current = round, current.sequence == sequence {
            guard peer == current.target || current.helpers?.contains(peer) == true else { return [] }
            if peer == current.target { members[peer]?.measured(now - current.sent) }
            if !current.isAnswered { slow(by: -1) }
            round?.isAnswered = true
            return []
        }
        guard let ping = pings[sequence], ping.target == peer else { return [] }
        pings[sequence] = nil
        members[peer]?.measured(now - ping.sent)
        switch ping.purpose {
        case .call: return []
        case .relay(let asker, let sequence):
            return [.send(asker, .acknowledge(sequence: sequence, claims: claims(for: asker)))]
        }
    }

    private mutating func relay(to target: NodeID, for peer: NodeID, sequence theirs: UInt64, at now: Instant) -> [Effect] {
        guard target != node else { return [.send(peer, .acknowledge(sequence: theirs, claims: claims(for: peer)))] }
        guard members[target] != nil else { return [.send(peer, .negative(sequence: theirs, claims: claims(for: peer)))] }
        // Who asks has pinged in vain: one more witness, if the target is suspect here.
        confirm(target, by: peer)
        guard pings.count < Limits.livenessRelaysMax else { return [.note(.relaysFull(peer))] }
        sequence &+= 1
        pings[sequence] = Ping(
            target: target, purpose: .relay(for: peer, sequence: theirs), sent: now, deadline: now + settings.pingTimeout)
        return [.send(target, .ping(sequence: sequence, claims: claims(for: target)))]
    }

    private mutating func call(_ target: NodeID, at now: Instant) -> Effect {
        sequence &+= 1
        if pings.count < Limits.livenessRelaysMax {
            pings[sequence] = Ping(target: target, purpose: .call, sent: now, deadline: now + settings.probeInterval)
        }
        return .send(target, .ping(sequence: sequence, claims: claims(for: target)))
    }

    private mutating func expirePings(at now: Instant) -> [Effect] {
        let expired = pings.filter { $0.value.deadline <= now }.sorted { $0.key < $1.key }
        return expired.compactMap { sequence, ping in
            pings[sequence] = nil
            guard case .relay(let asker, let theirs) = ping.purpose, members[asker] != nil else { return nil }
            return .send(asker, .negative(sequence: theirs, claims: claims(for: asker)))
        }
    }

    /// What every message carries: that this node lives, what is held against the receiver, and gossip.
    private mutating func claims(for peer: NodeID) -> [LivenessClaim] {
        var claims = [LivenessClaim(node: node, state: .alive, incarnation: incarnation)]
        if let health = members[peer], health.state != .alive {
            claims.append(LivenessClaim(node: peer, state: health.state.claim, incarnation: health.incarnation))
        }
        let times = settings.retransmissions(members: members.count + 1)
        return claims + gossip.take(Limits.livenessClaimsMax - claims.count, times: times, but: [node, peer])
    }

    // MARK: claims

    private mutating func apply(_ claim: LivenessClaim, at now: Instant) -> [Effect] {
        guard claim.node != node else { return refute(claim, at: now) }
        guard let health = members[claim.node] else { return [] }
        let next = health.after(claim.state, incarnation: claim.incarnation, at: now)
        guard next != health else { return [] }
        members[claim.node] = next
        if case .suspect = next.state { suspects.insert(claim.node) } else { suspects.remove(claim.node) }
        let told = LivenessClaim(node: claim.node, state: next.state.claim, incarnation: next.incarnation)
        // A first hearing of a node that lives is no news.
        if health.incarnation > 0 || next.state != .alive { gossip.tell(told) }
        return next.state.claim == health.state.claim ? [] : [.stateChanged(claim.node, next.state.claim)]
    }

    private mutating func refute(_ claim: LivenessClaim, at now: Instant) -> [Effect] {
        guard claim.incarnation <= incarnation &+ Health.incarnationStepMax else { return [.note(.incarnationTooHigh)] }
        switch claim.state {
        case .alive:
            // A former life of ours, from before our store was restored.
            incarnation = max(incarnation, min(claim.incarnation, counterMax))
            return []
        case .suspect, .dead:
            guard claim.incarnation >= incarnation, incarnation < counterMax else { return [] }
            incarnation = min(claim.incarnation + 1, counterMax)
            // Being suspected hints that this node is slow.
            slow(by: 1)
            // Who hears of it from others only would have it too late: a few are told at once, and tell on.
            return heralds.map { call($0, at: now) } + [.note(.refuted(incarnation))]
        }
    }

    /// The members next in turn.
    private var heralds: [NodeID] {
        Array((turn[place...] + turn[..<place]).lazy.filter { members[$0]?.state == .alive }.prefix(settings.helpers))
    }

    private mutating func confirm(_ node: NodeID, by witness: NodeID) {
        guard var health = members[node], case .suspect(var suspicion) = health.state else { return }
        suspicion.confirmedBy.insert(witness)
        health.state = .suspect(suspicion)
        members[node] = health
    }

    private func suspicionEnd(_ node: NodeID) -> Instant? {
        guard case .suspect(let suspicion)? = members[node]?.state else { return nil }
        return suspicion.since + settings.suspicionTimeout(confirmedBy: suspicion.confirmedBy.count, members: members.count + 1)
    }

    private mutating func endSuspicions(at now: Instant) -> [Effect] {
        let ended = suspects.filter { suspicionEnd($0).map { $0 <= now } ?? true }.sorted()
        return ended.flatMap { node in
            apply(LivenessClaim(node: node, state: .dead, incarnation: members[node]?.incarnation ?? 0), at: now)
        }
    }
}

/// For logs and metrics; decides nothing.
public enum LivenessNote: Hashable, Sendable {
    case fromStranger(NodeID)
    /// Somebody called this node suspect or dead; it answered with this incarnation.
    case refuted(UInt64)
    /// A claim about this node that only a liar or a damaged store can make.
    case incarnationTooHigh
    /// More pings out for others than the bound: this one's was not sent.
    case relaysFull(NodeID)
}

extension LivenessMessage {
    public var claims: [LivenessClaim] {
        switch self {
        case .ping(_, let claims), .acknowledge(_, let claims), .pingRequest(_, _, let claims), .negative(_, let claims): claims
        }
    }
}
