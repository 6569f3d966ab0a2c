internal import Vocabulary

/// What is claimed of members, and of this node: suspicion, its confirmation and its end, refutation (SWIM §4.2).
extension Liveness {
    /// - Parameter peer: who claims it; nil: this node.
    mutating func apply(
        _ claim: LivenessClaim, from peer: NodeID? = nil, at now: Instant, using random: inout some RandomNumberGenerator
    ) -> [Effect] {
        guard claim.node != node else { return refute(claim, at: now) }
        guard let health = members[claim.node] else { return [] }
        let next =
            claim.node == peer && claim.state == .alive
            ? health.after(itsWord: claim.incarnation, at: now) : health.after(claim.state, incarnation: claim.incarnation, at: now)
        guard next != health else { return [] }
        members[claim.node] = next
        if case .suspect = next.state { suspects.insert(claim.node) } else { suspects.remove(claim.node) }
        let told = LivenessClaim(node: claim.node, state: next.state.claim, incarnation: next.incarnation)
        // A first hearing of a node that lives is no news.
        if health.incarnation > 0 || next.state != .alive { gossip.tell(told) }
        guard next.state.claim != health.state.claim else { return [] }
        var effects: [Effect] = [.stateChanged(claim.node, next.state.claim)]
        // A suspect hears of it at once, from a few whatever the size of the federation, and answers them: gossip alone is slower
        // than a suspicion in a small one (Lifeguard §IV-C, "buddy system").
        if next.state.claim == .suspect, Int.random(in: 0..<members.count, using: &random) < settings.callers {
            effects.append(call(claim.node, at: now))
        }
        return effects
    }

    mutating func refute(_ claim: LivenessClaim, at now: Instant) -> [Effect] {
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

    /// The members next in turn, of those that need not be dialled first if there are enough of them.
    var heralds: [NodeID] {
        let alive = (turn[place...] + turn[..<place]).filter { members[$0]?.state == .alive }
        let near = alive.filter { linked.contains($0) }
        return Array((near.count < settings.helpers ? alive : near).prefix(settings.helpers))
    }

    mutating func confirm(_ node: NodeID, by witness: NodeID) {
        guard var health = members[node], case .suspect(var suspicion) = health.state else { return }
        suspicion.confirmedBy.insert(witness)
        health.state = .suspect(suspicion)
        members[node] = health
    }

    func suspicionEnd(_ node: NodeID) -> Instant? {
        guard case .suspect(let suspicion)? = members[node]?.state else { return nil }
        return suspicion.since + settings.suspicionTimeout(confirmedBy: suspicion.confirmedBy.count, members: members.count + 1)
    }

    mutating func endSuspicions(at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        let ended = suspects.filter { suspicionEnd($0).map { $0 <= now } ?? true }.sorted()
        var effects: [Effect] = []
        for node in ended {
            let claim = LivenessClaim(node: node, state: .dead, incarnation: members[node]?.incarnation ?? 0)
            effects += apply(claim, at: now, using: &random)
        }
        return ended.isEmpty ? effects : effects + heralds.map { call($0, at: now) }
    }
}
