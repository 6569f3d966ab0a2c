internal import Vocabulary

/// What is said and answered: pings, acknowledgements, and pings on behalf of others.
extension Liveness {
    mutating func receive(
        _ message: LivenessMessage, from peer: NodeID, at now: Instant, using random: inout some RandomNumberGenerator
    ) -> [Effect] {
        guard members[peer] != nil else { return [.note(.fromStranger(peer))] }
        members[peer]?.lastSeen = now
        var effects: [Effect] = []
        for claim in message.claims.prefix(Limits.livenessClaimsMax) { effects += apply(claim, from: peer, at: now, using: &random) }
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

    mutating func acknowledged(_ sequence: UInt64, by peer: NodeID, at now: Instant) -> [Effect] {
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

    mutating func relay(to target: NodeID, for peer: NodeID, sequence theirs: UInt64, at now: Instant) -> [Effect] {
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

    mutating func call(_ target: NodeID, at now: Instant) -> Effect {
        sequence &+= 1
        if pings.count < Limits.livenessRelaysMax {
            pings[sequence] = Ping(target: target, purpose: .call, sent: now, deadline: now + settings.probeInterval)
        }
        return .send(target, .ping(sequence: sequence, claims: claims(for: target)))
    }

    mutating func expirePings(at now: Instant) -> [Effect] {
        let expired = pings.filter { $0.value.deadline <= now }.sorted { $0.key < $1.key }
        return expired.compactMap { sequence, ping in
            pings[sequence] = nil
            guard case .relay(let asker, let theirs) = ping.purpose, members[asker] != nil else { return nil }
            return .send(asker, .negative(sequence: theirs, claims: claims(for: asker)))
        }
    }

    /// What every message carries: that this node lives, what is held against the receiver, and gossip.
    mutating func claims(for peer: NodeID) -> [LivenessClaim] {
        var claims = [LivenessClaim(node: node, state: .alive, incarnation: incarnation)]
        if let health = members[peer], health.state != .alive {
            claims.append(LivenessClaim(node: peer, state: health.state.claim, incarnation: health.incarnation))
        }
        let times = settings.retransmissions(members: members.count + 1)
        return claims + gossip.take(Limits.livenessClaimsMax - claims.count, times: times, but: [node, peer])
    }
}
