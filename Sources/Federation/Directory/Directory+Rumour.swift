internal import Cryptography
internal import Vocabulary

/// Fresh records go from node to node at once: who hears of one passes it on to a few, once.
extension Directory {
    /// Records that do not hold after which the rest of a frame is not looked at: each costs a signature check, and no honest peer sends one.
    private static let forgedPerFrameMax: UInt64 = 8

    mutating func published(_ signed: SignedUserRecord, as origin: RecordOrigin, using random: inout some RandomNumberGenerator) {
        guard accept(signed, origin: origin) else { return }
        passOn([signed], except: nil, using: &random)
    }

    mutating func received(
        _ records: [SignedUserRecord], from peer: NodeID, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        var fresh: [SignedUserRecord] = []
        let forgedMax = refusals[.forged, default: 0] + Self.forgedPerFrameMax
        let digests = records.map(\.digest)
        // Before any signature is checked: most of what rumour brings is known.
        let isKnown = digests.map { table[$0] != nil }
        var seen: Set<Digest> = []
        let ahead = digests.indices.filter { !isKnown[$0] && seen.insert(digests[$0]).inserted }
        let judgements = RecordJudgements(of: records, ahead: ahead, in: federation, forgedMax: Self.forgedPerFrameMax)
        defer { judgements.end() }
        for (place, (record, digest)) in zip(records, digests).enumerated() {
            guard refusals[.forged, default: 0] < forgedMax else { break }
            let wasAsked = exchanges[peer]?.takeWanted(digest) == true
            guard !isKnown[place] else { continue }
            if accept(record, digest, wasAsked ? .asked(peer) : .pushed(peer), verdict: { judgements.verdict(at: place) }) {
                fresh.append(record)
                if wasAsked { exchanges[peer]?.gained += 1 }
            }
        }
        // A node that catches up does not make the others hear it all again.
        if fresh.count <= Limits.rumourRecordsMax { passOn(takeRumours(fresh, of: peer, at: now), except: peer, using: &random) }
        recordsArrived(isEnd: records.isEmpty, from: peer, at: now)
    }

    mutating func received(
        _ packed: [PackedRecord], from peer: NodeID, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        // What does not decode here is not looked at further: no honest peer sends it.
        let records = packed.map { try? $0.signed(in: federation) }.prefix { $0 != nil }.compactMap(\.self)
        if records.count < packed.count { refuse(.forged, from: peer) }
        if records.isEmpty == packed.isEmpty { received(records, from: peer, at: now, using: &random) }
    }

    /// As many as this peer may have passed on: reconciliation brings the others, at the pace of who asks for them.
    private mutating func takeRumours(_ fresh: [SignedUserRecord], of peer: NodeID, at now: Instant) -> [SignedUserRecord] {
        fresh.filter { _ in rumours.take(peer, at: now) }
    }

    private mutating func passOn(_ records: [SignedUserRecord], except peer: NodeID?, using random: inout some RandomNumberGenerator) {
        guard !records.isEmpty else { return }
        for target in somePeers(except: peer, using: &random) { send(records, to: target) }
    }

    func somePeers(except peer: NodeID?, using random: inout some RandomNumberGenerator) -> ArraySlice<NodeID> {
        linked.filter { $0 != peer }.shuffled(using: &random).prefix(Limits.rumourPeers)
    }

    /// In frames that are not too long.
    mutating func send(_ records: [SignedUserRecord], to peer: NodeID) {
        if packing.contains(peer) { return sendPacked(records.compactMap { try? PackedRecord($0, in: federation) }, to: peer) }
        var (frame, bytes): ([SignedUserRecord], Int) = ([], 0)
        for record in records {
            // Two signatures and what the encoding adds.
            let size = record.body.count + 160
            if bytes + size > Limits.recordsFrameBytesMax, !frame.isEmpty {
                out.append(.send(peer, .records(frame)))
                (frame, bytes) = ([], 0)
            }
            frame.append(record)
            bytes += size
        }
        if !frame.isEmpty { out.append(.send(peer, .records(frame))) }
    }
    private mutating func sendPacked(_ records: [PackedRecord], to peer: NodeID) {
        var (frame, bytes): ([PackedRecord], Int) = ([], 0)
        for record in records {
            // The user, and both nodes as if nobody else had them.
            let size = record.rest.count + 120
            if bytes + size > Limits.recordsFrameBytesMax, !frame.isEmpty {
                out.append(.send(peer, .packedRecords(frame)))
                (frame, bytes) = ([], 0)
            }
            frame.append(record)
            bytes += size
        }
        if !frame.isEmpty { out.append(.send(peer, .packedRecords(frame))) }
    }
}
