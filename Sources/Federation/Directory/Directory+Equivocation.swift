internal import Cryptography
internal import Vocabulary

/// Proofs that a user's key signed two histories. They only accumulate, so nodes that have exchanged theirs agree.
extension Directory {
    /// The user is resolved no more: neither of the two records is used, and no later one.
    mutating func convict(_ user: UserID, _ first: SignedUserRecord, _ second: SignedUserRecord) {
        drop(user)
        out.append(.note(.equivocation(user)))
        guard proofs.count < Limits.equivocationsMax else { return refuse(.full, from: nil) }
        proofs[user] = (first, second)
        newProofs.append(user)
        var row = ByteWriter()
        row.write(opaque: first.encoded())
        row.write(opaque: second.encoded())
        out.append(.write(.put(.equivocation, key: user.bytes, value: row.bytes)))
    }

    static func proof(decoding row: [UInt8]) throws(CodecError) -> (SignedUserRecord, SignedUserRecord) {
        var reader = ByteReader(row)
        let first = try SignedUserRecord(decoding: Array(try reader.opaque()))
        let second = try SignedUserRecord(decoding: Array(try reader.opaque()))
        try reader.finish()
        return (first, second)
    }

    mutating func received(proof first: SignedUserRecord, _ second: SignedUserRecord, from peer: NodeID) {
        if let known = try? UserRecord(decoding: first.body), proofs[known.user] != nil { return }
        guard let one = try? first.verified(in: federation, checking: .binding),
            let other = try? second.verified(in: federation, checking: .binding), one.user == other.user,
            Self.contradict(one, first.digest, other.version, second.digest, other.previous)
        else { return refuse(.badProof, from: peer) }
        guard [one, other].allSatisfy({ isKnown($0.home) && isKnown($0.issuer) }) else { return refuse(.unknownMember, from: peer) }
        convict(one.user, first, second)
    }

    private func isKnown(_ node: NodeID) -> Bool { active.contains(node) || expelled.contains(node) }

    /// At once to a few, perhaps to whom it came from, who stops there; who is missed learns it on offering a record of that user.
    mutating func passOnProofs(using random: inout some RandomNumberGenerator) {
        for user in newProofs {
            guard let (first, second) = proofs[user] else { continue }
            for target in somePeers(except: nil, using: &random) { out.append(.send(target, .equivocation(first, second))) }
        }
        newProofs = []
    }
}
