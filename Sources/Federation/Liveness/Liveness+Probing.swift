internal import Vocabulary

/// The rounds: one member probed per interval, others asked when it is silent (SWIM §3.1).
extension Liveness {
    mutating func nextRound(at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        guard let due = nextRound, due <= now else { return [] }
        var effects = finishRound(at: now, using: &random)
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

    mutating func nextTarget(using random: inout some RandomNumberGenerator) -> NodeID? {
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
    mutating func finishRound(at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        defer { round = nil }
        guard let round, !round.isAnswered, let health = members[round.target] else { return [] }
        if round.believedAlive {
            // Helpers that did not even say "no answer" hint that the fault is here (Lifeguard §IV-A).
            let helpers = round.helpers ?? []
            slow(by: helpers.isEmpty ? 1 : helpers.count - round.negatives.count)
        }
        switch health.state {
        case .alive:
            return apply(LivenessClaim(node: round.target, state: .suspect, incarnation: health.incarnation), at: now, using: &random)
        case .suspect:
            confirm(round.target, by: node)
            return endSuspicions(at: now, using: &random)
        case .dead:
            return []
        }
    }

    mutating func askHelpers(at now: Instant, using random: inout some RandomNumberGenerator) -> [Effect] {
        guard let asking = round, asking.helpers == nil, !asking.isAnswered, asking.askHelpersAt <= now else { return [] }
        let able = members.filter { $0.key != asking.target && $0.value.state == .alive }.keys.sorted()
        // A helper that has to be dialled first would answer too late, and its silence be taken for our own slowness.
        let near = able.filter { linked.contains($0) }
        let helpers = Array((near.count < settings.helpers ? able : near).shuffled(using: &random).prefix(settings.helpers))
        round?.helpers = helpers
        return helpers.map {
            .send($0, .pingRequest(sequence: asking.sequence, target: asking.target, claims: claims(for: $0)))
        }
    }

    /// What was sent while there was no link, and made the node dial, went nowhere: without this a node that was never linked would be
    /// suspected for the first ping to it.
    mutating func repeatPings(to peer: NodeID) -> [Effect] {
        var sequences = pings.filter { $0.value.target == peer }.keys.sorted()
        if let round, round.target == peer, !round.isAnswered { sequences.append(round.sequence) }
        return sequences.map { .send(peer, .ping(sequence: $0, claims: claims(for: peer))) }
    }

    /// Stretched by the way to the target and by our own slowness, but over well before the round is.
    func timeout(for target: NodeID) -> Duration {
        let measured = max(settings.pingTimeout, (members[target]?.roundTrip ?? .zero) * 3)
        return min(measured, settings.probeInterval * 6 / 10) * (slowness + 1)
    }

    mutating func slow(by points: Int) { slowness = max(0, min(settings.healthMax - 1, slowness + points)) }
}
