import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct MergeTests {
    let f = MembershipFixture()

    /// Admits and Expels by anybody of anybody: circles, void chains, name conflicts, equal counters.
    private func anything(using random: inout SeededGenerator) -> [SignedStatement] {
        let nodes = Int.random(in: 2...7, using: &random)
        return (0..<Int.random(in: 1...24, using: &random)).map { _ in
            let signer = Int.random(in: 0..<nodes, using: &random)
            let subject = Int.random(in: 0..<nodes, using: &random)
            let n = UInt64.random(in: 1...6, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let name = MembershipFixture.name(Int.random(in: 0..<nodes, using: &random))
                return f.admit(subject, by: signer, n: n, role: Bool.random(using: &random) ? .admin : .member, name: name)
            case 5..<8: return f.expel(subject, by: signer, n: n, lastN: UInt64.random(in: 0...6, using: &random))
            default: return f.descriptor(subject, version: n, software: "v\(Int.random(in: 0..<3, using: &random))")
            }
        }
    }

    @Test(arguments: UInt64(0)..<300) func `any order and grouping of merges ends in one evaluation and one digest`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let statements = f.verified([f.genesis] + anything(using: &random))
        var reference = StatementSet(federation: f.federation)
        _ = reference.merge(statements)
        #expect(Evaluation(of: statements.shuffled(using: &random)) == Evaluation(of: statements))

        for _ in 0..<4 {
            // Two nodes take in shuffled groups, some twice, then exchange what they have until neither gains.
            var sets = [StatementSet(federation: f.federation), StatementSet(federation: f.federation)]
            var rest = statements.shuffled(using: &random)
            while !rest.isEmpty {
                let group = Array(rest.prefix(Int.random(in: 1...5, using: &random)))
                rest.removeFirst(group.count)
                _ = sets[Int.random(in: 0...1, using: &random)].merge(group)
            }
            // What a node could not use when it came (its signer unknown yet) is offered again, as peers do.
            for _ in 0...statements.count {
                _ = sets[0].merge(sets[1].all + statements.shuffled(using: &random))
                _ = sets[1].merge(sets[0].all.shuffled(using: &random))
                if sets[0].digest == sets[1].digest, sets[0].digest == reference.digest { break }
            }
            #expect(sets[0].digest == reference.digest, "seed \(seed)")
            #expect(sets[1].digest == reference.digest, "seed \(seed)")
            #expect(sets[0].evaluation == reference.evaluation && sets[1].evaluation == reference.evaluation, "seed \(seed)")
        }
    }

    @Test(arguments: UInt64(0)..<300) func `names are unique, and whoever is in or out has some admin's word for it`(seed: UInt64) {
        var random = SeededGenerator(seed: seed &+ 10_000)
        let statements = f.verified(anything(using: &random))
        let evaluation = Evaluation(of: f.verified([f.genesis]) + statements)
        let names = evaluation.active.compactMap(\.name)
        #expect(Set(names).count == names.count, "seed \(seed)")
        for member in evaluation.members where member.id != MembershipFixture.id(0) {
            let words = statements.filter { item in
                // Whoever spoke was an admin when the word counted: it is still in the list, expelled or not.
                guard evaluation[item.signer]?.role == .admin else { return false }
                switch item.statement {
                case .admit(let admit): return !member.isExpelled && admit.subject == member.id
                case .expel(let expel): return member.isExpelled && expel.subject == member.id
                case .genesis, .descriptor: return false
                }
            }
            #expect(!words.isEmpty, "seed \(seed)")
        }
    }

    @Test func `a set keeps void statements, since what voided them may be voided`() {
        var set = StatementSet(federation: f.federation)
        let base = [f.genesis, f.admit(1, by: 0, n: 1, role: .admin), f.admit(2, by: 0, n: 2, role: .admin), f.admit(3, by: 2, n: 4)]
        _ = set.merge(f.verified(base + [f.expel(2, by: 1, n: 5)]))
        #expect(!set.evaluation.isMember(MembershipFixture.id(3)))
        _ = set.merge(f.verified([f.expel(1, by: 0, n: 3)]))
        #expect(set.evaluation.activeIndices(of: 4) == [0, 2, 3])
    }

    @Test func `statements by strangers and descriptors of strangers are not kept`() {
        var set = StatementSet(federation: f.federation)
        let merged = set.merge(f.verified([f.genesis, f.admit(5, by: 4, n: 1), f.expel(0, by: 4, n: 2), f.descriptor(4, version: 1)]))
        #expect(set.count == 1)
        #expect(merged.refused == [.unknownSigner, .unknownSigner, .unknownSigner])
    }

    @Test func `only the newest descriptor of each member is kept, and none of the expelled`() {
        var set = StatementSet(federation: f.federation)
        _ = set.merge(f.verified([f.genesis, f.admit(1, by: 0, n: 1), f.descriptor(1, version: 3)]))
        #expect(!set.merge(f.verified([f.descriptor(1, version: 2)])).changed)
        let newer = set.merge(f.verified([f.descriptor(1, version: 4)]))
        #expect(newer.added.count == 1 && newer.removed == [f.descriptor(1, version: 3).id])
        #expect(set.merge(f.verified([f.expel(1, by: 0, n: 2)])).removed == [f.descriptor(1, version: 4).id])
        #expect(set.count == 3)
    }

    @Test func `one statement with two signatures is one statement`() throws {
        var set = StatementSet(federation: f.federation)
        let admit = f.admit(1, by: 0, n: 1)
        _ = set.merge(f.verified([f.genesis, admit]))
        // Ed25519 signatures are the signer's to vary; the name of a statement leaves them out.
        let other = SignedStatement(
            body: admit.body, signer: admit.signer, signature: try #require(Signature([UInt8](repeating: 1, count: 64))))
        #expect(set.contains(other.id))
    }

    @Test func `there is a bound to admins, and room for expulsions`() {
        var set = StatementSet(federation: f.federation)
        var random = SeededGenerator(seed: 7)
        let admits = (1...Limits.adminsMax).map { n in
            let subject = NodeID(raw: random.bytes32())
            return SignedStatement.signing(
                .admit(Admit(federation: f.federation, subject: subject, name: MembershipFixture.name(n), role: .admin, n: UInt64(n))),
                with: MembershipFixture.key(0))
        }
        let merged = set.merge(f.verified([f.genesis] + admits))
        #expect(merged.refused == [.full])
        #expect(set.evaluation.active.count == Limits.adminsMax)
    }
}
