internal import Cryptography
internal import Vocabulary

/// Of statements that a peer sends, those that hold: looked at first without their signatures, which are dear, so that what would not be kept
/// anyway costs none. Whoever has a key can sign as much as it likes, and send what others have signed as often as it likes.
struct StatementSieve {
    struct Sifted {
        var sound: [VerifiedStatement] = []
        var bad: [StatementError] = []
        /// Some are by signers of whom nothing is known that would let them be kept.
        var hasStrange = false
    }

    private let kept: StatementSet
    private var sifted = Sifted()
    private var admins: Set<NodeID> = []
    private var admitted: Set<NodeID> = []

    static func sift(_ statements: [SignedStatement], for kept: StatementSet) -> Sifted {
        var sieve = StatementSieve(kept: kept)
        sieve.take(statements)
        return sieve.sifted
    }

    private init(kept: StatementSet) { self.kept = kept }

    private typealias Claimed = (signed: SignedStatement, statement: Statement)
    private var isFull: Bool { sifted.bad.count >= Limits.badStatementsPerFrameMax }

    private mutating func take(_ statements: [SignedStatement]) {
        var (votes, descriptors, seen): ([Claimed], [NodeID: (claimed: Claimed, version: UInt64)], Set<Digest>) = ([], [:], [])
        for signed in statements where !isFull {
            let id = signed.id
            guard !kept.contains(id), seen.insert(id).inserted else { continue }
            switch try? Statement(decoding: signed.body) {
            case .descriptor(let descriptor)?:
                // Of several of one node the newest alone would stay.
                if let other = descriptors[signed.signer], other.version > descriptor.version { continue }
                descriptors[signed.signer] = ((signed, .descriptor(descriptor)), descriptor.version)
            case let vote?: votes.append((signed, vote))
            case nil: sifted.bad.append(.undecodable)
            }
        }
        take(votes: votes)
        for (signer, (claimed, version)) in descriptors.sorted(by: { $0.key < $1.key }) where !isFull {
            guard kept.evaluation.isMember(signer) || admitted.contains(signer) else {
                sifted.hasStrange = true
                continue
            }
            if let known = kept.descriptor(of: signer), version < known.version { continue }
            verify(claimed)
        }
    }

    /// Again until no more is by somebody who counts: a signer's own admission may stand behind what it signed.
    private mutating func take(votes: [Claimed]) {
        var (waiting, progress) = (votes, true)
        while progress, !isFull {
            progress = false
            var left: [Claimed] = []
            for vote in waiting where !isFull {
                guard vote.statement.isGenesis || kept.isEverAdmin(vote.signed.signer) || admins.contains(vote.signed.signer) else {
                    left.append(vote)
                    continue
                }
                verify(vote)
                progress = true
            }
            waiting = left
        }
        if !waiting.isEmpty { sifted.hasStrange = true }
    }

    private mutating func verify(_ claimed: Claimed) {
        do throws(StatementError) {
            sifted.sound.append(try claimed.signed.verified(in: kept.federation))
            if case .admit(let admit) = claimed.statement {
                admitted.insert(admit.subject)
                if admit.role == .admin { admins.insert(admit.subject) }
            }
        } catch { sifted.bad.append(error) }
    }
}

extension Statement {
    fileprivate var isGenesis: Bool { if case .genesis = self { true } else { false } }
}
