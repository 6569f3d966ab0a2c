import Cryptography
import Dispatch
import Federation
import Synchronization
import Testing
import Vocabulary

/// Whoever helps, and however fast: what the directory does with a frame of records is what it does alone.
@Suite struct RecordJudgementsTests {
    /// Finds out about everything before the core has asked.
    private final class Eager: RecordHelpers {
        let judged = Mutex(0)

        func help(with judgements: RecordJudgements) { while judgements.judgeNext() { judged.withLock { $0 += 1 } } }
    }

    /// Finds out about a few, and leaves the rest.
    private struct Lazy: RecordHelpers {
        func help(with judgements: RecordJudgements) { for _ in 0..<3 { _ = judgements.judgeNext() } }
    }

    /// On threads of their own, while the core goes on.
    private struct Threads: RecordHelpers {
        func help(with judgements: RecordJudgements) {
            for _ in 0..<3 { DispatchQueue.global().async { while judgements.judgeNext() {} } }
        }
    }

    /// What harbor does with the frames of a seed, in which good, forged, altered, repeated and known records, old ones and strangers' mix.
    private func outcome(of seed: UInt64, with helpers: (any RecordHelpers)?) throws -> [[DirectoryEffect]] {
        var world = try World(nodes: 3, seed: seed)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        world.link(harbor, tower)
        world.settle()
        var random = SeededGenerator(seed: seed)
        var stranger = SeededGenerator(seed: seed + 1_000)
        let strange = Site(using: &stranger)
        let people = try (0..<12).map { try world.person("user\($0)", at: $0 == 0 ? strange : tower) }
        let pool = try people.flatMap { person in
            let first = try person.record()
            let next = try person.record(version: 2, after: first)
            let forged = SignedUserRecord(
                body: first.body, userSignature: tower.key.sign(first.body, for: .userRecord), homeSignature: first.homeSignature)
            let rival = try person.record(version: 2, after: first, published: 7)
            return [first, first, next, next, forged, try person.record(version: 1, after: next), rival]
        }
        return RecordJudgements.$helpers.withValue(helpers) {
            (0..<6).map { _ in
                let records = (0..<30).map { _ in pool[Int.random(in: 0..<pool.count, using: &random)] }
                let packed = records.compactMap { try? PackedRecord($0, in: World.federation) }
                let isPacked = Bool.random(using: &random)
                return world.step(harbor, .frameReceived(isPacked ? .packedRecords(packed) : .records(records), from: tower.id))
            }
        }
    }

    @Test(arguments: UInt64(0)..<20) func `with helpers the directory does what it does alone`(seed: UInt64) throws {
        let alone = try outcome(of: seed, with: nil)
        #expect(alone.joined().contains { if case .write = $0 { true } else { false } })
        #expect(alone.joined().contains { if case .note(.refused(.forged, _)) = $0 { true } else { false } })
        #expect(try outcome(of: seed, with: Eager()) == alone)
        #expect(try outcome(of: seed, with: Lazy()) == alone)
        #expect(try outcome(of: seed, with: Threads()) == alone)
    }

    @Test func `helpers too stop after a few records that do not hold, and are asked nothing about known ones`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let good = try (0..<50).map { try world.person("user\($0)", at: tower).record() }
        let forged = good.map {
            SignedUserRecord(
                body: $0.body, userSignature: tower.key.sign($0.body, for: .userRecord), homeSignature: $0.homeSignature)
        }
        func judged(_ records: [SignedUserRecord]) -> Int {
            let eager = Eager()
            _ = RecordJudgements.$helpers.withValue(eager) { world.step(harbor, .frameReceived(.records(records), from: tower.id)) }
            return eager.judged.withLock { $0 }
        }
        #expect(judged(forged) == 8)
        #expect(world.refusals(of: harbor, .forged) == 8)
        #expect(judged(good + good) == 50)
        #expect(world[harbor].userCount == 50)
        #expect(judged(good) == 0)
    }
}
