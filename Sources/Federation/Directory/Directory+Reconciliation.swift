internal import Vocabulary

/// A comparison of replicas that this node began with a peer.
///
/// comparing ──told all, or enough──▶ fetching ──all here──▶ (ours sent) gone; from both ──deadline──▶ gone
struct Exchange: Equatable {
    let id: UInt64
    var rounds = 1
    var deadline: Instant
    var isComparing = true
    /// What the peer lacks, and what we lack; each once.
    var have: [Digest] = []
    var need: [Digest] = []
    var seen: Set<Digest> = []
    /// Asked for and not here yet, by request: the peer answers them one after the other.
    var requests: [Set<Digest>] = []
    /// Records that were news.
    var gained = 0
    var isCut = false
}

/// Every few seconds with one peer: whatever rumour missed is found by comparing fingerprints, and costs nothing where nothing differs.
extension Directory {
    mutating func reconcile(at now: Instant, using random: inout some RandomNumberGenerator) {
        for peer in exchanges.filter({ $0.value.deadline <= now }).keys.sorted() {
            exchanges[peer] = nil
            out.append(.note(.exchangeTimedOut(peer)))
        }
        for peer in due.filter({ $0.value <= now }).keys.sorted() {
            if exchanges.count < Limits.reconcilesMax {
                due[peer] = nil
                begin(with: peer, at: now, using: &random)
            } else {
                due[peer] = now + Limits.reconcileResumeDelay
            }
        }
        guard nextReconciliation <= now, !linked.isEmpty else { return }
        nextReconciliation = now + Self.interval(using: &random)
        let idle = linked.filter { exchanges[$0] == nil }
        if exchanges.count < Limits.reconcilesMax, let peer = idle.randomElement(using: &random) {
            begin(with: peer, at: now, using: &random)
        }
    }

    private mutating func begin(with peer: NodeID, at now: Instant, using random: inout some RandomNumberGenerator) {
        guard exchanges[peer] == nil else { return }
        let exchange = Exchange(id: random.next() >> 11, deadline: now + Limits.reconcileTimeout)
        exchanges[peer] = exchange
        out.append(.send(peer, .reconcile(exchange: exchange.id, initiator: true, message: engine.initiate(items))))
    }

    /// As the other side of a peer's exchange: nothing is kept between its messages.
    mutating func respond(to message: [UInt8], _ exchange: UInt64, from peer: NodeID) {
        guard message.count <= Limits.reconcileBytesMax, let answer = try? engine.respond(to: message, with: items) else {
            return refuse(.badReconciliation, from: peer)
        }
        out.append(.send(peer, .reconcile(exchange: exchange, initiator: false, message: answer)))
    }

    mutating func proceed(with message: [UInt8], _ id: UInt64, from peer: NodeID, at now: Instant) {
        guard var exchange = exchanges[peer], exchange.id == id, exchange.isComparing else { return refuse(.unasked, from: peer) }
        guard message.count <= Limits.reconcileBytesMax, exchange.rounds < Limits.reconcileRoundsMax,
            let (next, differences) = try? engine.proceed(with: message, items)
        else {
            exchanges[peer] = nil
            return refuse(.badReconciliation, from: peer)
        }
        exchange.rounds += 1
        exchange.deadline = now + Limits.reconcileTimeout
        exchange.collect(differences)
        if let next, !exchange.isCut {
            exchanges[peer] = exchange
            out.append(.send(peer, .reconcile(exchange: id, initiator: true, message: next)))
        } else {
            exchange.isComparing = false
            exchange.seen = []
            exchanges[peer] = exchange
            fetch(from: peer, at: now)
        }
    }

    /// Asks for as much as may be under way. The peer's records come first: then what we send is not what they supersede.
    private mutating func fetch(from peer: NodeID, at now: Instant) {
        guard var exchange = exchanges[peer], !exchange.isComparing else { return }
        exchange.deadline = now + Limits.reconcileTimeout
        while exchange.requests.count < Limits.recordRequestsMax, !exchange.need.isEmpty {
            let wanted = exchange.need.suffix(Limits.recordsWantedMax).filter { table[$0] == nil }
            exchange.need.removeLast(min(exchange.need.count, Limits.recordsWantedMax))
            guard !wanted.isEmpty else { continue }
            exchange.requests.append(Set(wanted))
            out.append(.send(peer, .recordsWanted(Array(wanted))))
        }
        exchanges[peer] = exchange.requests.isEmpty ? nil : exchange
        guard exchange.requests.isEmpty else { return }
        send(exchange.have.compactMap { table[$0]?.signed }, to: peer)
        guard exchange.isCut, exchange.gained > 0 else { return }
        due[peer] = exchange.gained >= Limits.resumesAtOnceFrom ? now : now + Limits.reconcileResumeDelay
    }

    /// - Parameter isEnd: the peer has no more of the oldest request that is not answered in full.
    mutating func recordsArrived(isEnd: Bool, from peer: NodeID, at now: Instant) {
        guard var exchange = exchanges[peer], !exchange.isComparing else { return }
        if isEnd, !exchange.requests.isEmpty { exchange.requests.removeFirst() }
        exchange.requests.removeAll(where: \.isEmpty)
        guard exchange.requests.count < Limits.recordRequestsMax else { return }
        exchanges[peer] = exchange
        fetch(from: peer, at: now)
    }

    /// What a peer asked for; an empty list at the end says that some are not held any more.
    mutating func answer(_ digests: [Digest], to peer: NodeID) {
        let asked = digests.prefix(Limits.recordsWantedMax)
        let records = asked.compactMap { table[$0]?.signed }
        send(records, to: peer)
        if records.count < digests.count { out.append(.send(peer, .records([]))) }
    }
}

extension Exchange {
    /// - Returns: whether it was asked for.
    mutating func takeWanted(_ digest: Digest) -> Bool {
        for index in requests.indices where requests[index].remove(digest) != nil { return true }
        return false
    }

    mutating func collect(_ differences: Negentropy.Differences) {
        for id in differences.have where !isCut && seen.insert(Digest(raw: id)).inserted { have.append(Digest(raw: id)) }
        for id in differences.need where need.count < Limits.reconcileDifferencesMax && seen.insert(Digest(raw: id)).inserted {
            need.append(Digest(raw: id))
        }
        if have.count > Limits.reconcileDifferencesMax { have.removeLast(have.count - Limits.reconcileDifferencesMax) }
        isCut = have.count >= Limits.reconcileDifferencesMax || need.count >= Limits.reconcileDifferencesMax
    }
}
