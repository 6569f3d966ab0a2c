import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct NegentropyTests {
    /// Which items the sides share, and the shape of the timestamps.
    enum Shape: CaseIterable {
        case equal, fewDiffer, onlyOurs, onlyTheirs, disjoint, clustered, oneSecond, oursAtTheEnd, theirsAtTheEnd
    }

    @Test(arguments: Shape.allCases, [(0, 0), (4_096, 0), (0, 4_096), (4_096, 4_096), (60_000, 10_000)])
    func `both differences are found exactly, with and without frame limits`(shape: Shape, limits: (ours: Int, theirs: Int)) throws {
        for count in [0, 1, 31, 32, 33, 1_000, 5_000] {
            let (ours, theirs) = Self.sets(shape, count: count, seed: UInt64(count))
            let result = try Self.run(ours, theirs, limits: limits)
            #expect(result.have == Set(ours.map(\.id)).subtracting(theirs.map(\.id)))
            #expect(result.need == Set(theirs.map(\.id)).subtracting(ours.map(\.id)))
        }
    }

    @Test func `a message never exceeds its limit`() throws {
        let (ours, theirs) = Self.sets(.disjoint, count: 5_000, seed: 4)
        let result = try Self.run(ours, theirs, limits: (5_000, 4_096))
        #expect(result.longest.ours <= 5_000 && result.longest.theirs <= 4_096)
    }

    @Test func `ten differences among 100,000 cost less than 40 KiB`() throws {
        var random = SeededGenerator(seed: 10)
        let shared = (0..<100_000).map { _ in NegentropyItem.random(timestamps: 30_000_000, using: &random) }
        let extra = (0..<10).map { _ in NegentropyItem.random(timestamps: 30_000_000, using: &random) }
        let result = try Self.run(shared + extra.prefix(5), shared + extra.suffix(5), limits: (65_536, 65_536))
        #expect(result.have == Set(extra.prefix(5).map(\.id)) && result.need == Set(extra.suffix(5).map(\.id)))
        #expect(result.bytes < 40 * 1024)
        #expect(result.rounds <= 6)
    }

    @Test func `a responder answers a newer version with its own, and an initiator refuses it`() throws {
        let set = NegentropySet([NegentropyItem(timestamp: 12_345, id: try #require(Bytes32([UInt8](repeating: 0xee, count: 32))))])
        #expect(try Negentropy.unlimited.respond(to: [0x62, 0xaa, 0xbb], with: set) == [0x61])
        #expect(throws: NegentropyError.version(0x62)) { _ = try Negentropy.unlimited.proceed(with: [0x62, 0xaa], set) }
        #expect(throws: NegentropyError.version(0x10)) { _ = try Negentropy.unlimited.respond(to: [0x10], with: set) }
    }

    /// As hoytech/negentropy's JavaScript implementation answers.
    @Test func `an empty id list is answered with the ids of its range`() throws {
        let id = [UInt8](repeating: 0xee, count: 32)
        let set = NegentropySet([NegentropyItem(timestamp: 12_345, id: try #require(Bytes32(id)))])
        let answer = try Negentropy.unlimited.respond(to: [0x61, 0, 0, 2, 0], with: set)
        #expect(answer == [0x61, 0, 0, 2, 1] + id)
    }

    @Test func `what no implementation sends is refused by name`() {
        func refusal(_ message: [UInt8]) -> NegentropyError? {
            do { _ = try Negentropy.unlimited.respond(to: message, with: NegentropySet()) } catch { return error }
            return nil
        }
        #expect(refusal([]) == .truncated)
        #expect(refusal([0x61, 5]) == .truncated)
        #expect(refusal([0x61, 0, 0, 1, 7]) == .truncated)
        #expect(refusal([0x61, 0, 0, 3]) == .mode(3))
        #expect(refusal([0x61, 0, 33]) == .boundTooLong(33))
        #expect(refusal([0x61, 0x80, 1]) == .numberNotMinimal)
        #expect(refusal([0x61] + [UInt8](repeating: 0xff, count: 9) + [0x7f]) == .numberTooLarge)
        // A list that claims more ids than there are bytes.
        #expect(refusal([0x61, 0, 0, 2, 0xff, 0xff, 0xff, 0x7f, 1]) == .truncated)
        // Timestamp 4, id 0200…; then timestamp 4, id 01….
        #expect(refusal([0x61, 5, 1, 2, 0, 1, 1, 1, 0]) == .boundsDescend)
        #expect(throws: NegentropyError.frameLimit(4_095)) { _ = try Negentropy(frameBytesMax: 4_095) }
    }

    @Test(arguments: Shape.allCases, [(8, 8), (8, 32), (32, 8), (2, 4)]) func `sides that list at different sizes find the same`(
        shape: Shape, lists: (Int, Int)
    ) throws {
        let (ours, theirs) = Self.sets(shape, count: 3_000, seed: 5)
        let outcome = try Self.run(ours, theirs, limits: (4_096, 0), lists: lists)
        #expect(outcome.have == Set(ours.map(\.id)).subtracting(theirs.map(\.id)))
        #expect(outcome.need == Set(theirs.map(\.id)).subtracting(ours.map(\.id)))
    }

    @Test(arguments: Shape.allCases) func `who asks for lists and who gives them find the same`(shape: Shape) throws {
        let (ours, theirs) = Self.sets(shape, count: 3_000, seed: 7)
        let (thrifty, reference) = (try Negentropy.thrifty(frameBytesMax: 4_096), try Negentropy(frameBytesMax: 4_096))
        for (one, other) in [(thrifty, thrifty), (thrifty, reference), (reference, thrifty)] {
            let outcome = try Self.run(ours, theirs, one, other)
            #expect(outcome.have == Set(ours.map(\.id)).subtracting(theirs.map(\.id)))
            #expect(outcome.need == Set(theirs.map(\.id)).subtracting(ours.map(\.id)))
        }
    }

    @Test func `short lists and few parts cost a third of the bytes, for three messages more each way`() throws {
        let (ours, theirs) = Self.sets(.fewDiffer, count: 5_000, seed: 6)
        let thrifty = try Negentropy.thrifty(frameBytesMax: 0)
        let (long, short) = (try Self.run(ours, theirs, limits: (0, 0)), try Self.run(ours, theirs, thrifty, thrifty))
        #expect(short.have == long.have && short.need == long.need)
        #expect(short.bytes * 3 < long.bytes && short.rounds <= long.rounds + 3)
    }

    @Test(arguments: UInt64(0)..<20) func `hostile messages are answered or refused, never fatal`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (ours, theirs) = Self.sets(.fewDiffer, count: 2_000, seed: seed)
        let (set, other) = (NegentropySet(ours), NegentropySet(theirs))
        let engine = try Negentropy(frameBytesMax: 4_096)
        let honest = try engine.respond(to: engine.initiate(other), with: set)
        for round in 0..<300 {
            var message = honest
            switch round % 4 {
            case 0: message = Array(message.prefix(Int(random.next() % UInt64(message.count + 1))))
            case 1: message = [0x61] + random.bytes(Int(random.next() % 400))
            case 2: message[Int(random.next() % UInt64(message.count))] = UInt8(truncatingIfNeeded: random.next())
            default: message.insert(contentsOf: random.bytes(3), at: Int(random.next() % UInt64(message.count)))
            }
            let answer = try? engine.respond(to: message, with: set)
            #expect((answer?.count ?? 0) <= 4_096)
            _ = try? engine.proceed(with: message, set)
        }
    }

    // MARK: Running two sides

    struct Outcome {
        var have: Set<Bytes32> = []
        var need: Set<Bytes32> = []
        var bytes = 0
        var rounds = 0
        var longest = (ours: 0, theirs: 0)
    }

    /// - Parameter lists: below how many ids each side lists a range; 32 as in the reference.
    static func run(
        _ ours: [NegentropyItem], _ theirs: [NegentropyItem], limits: (ours: Int, theirs: Int), lists: (ours: Int, theirs: Int) = (32, 32)
    ) throws -> Outcome {
        try run(
            ours, theirs, try Negentropy(frameBytesMax: limits.ours, buckets: 16, listsBelow: lists.ours),
            try Negentropy(frameBytesMax: limits.theirs, buckets: 16, listsBelow: lists.theirs))
    }

    static func run(
        _ ours: [NegentropyItem], _ theirs: [NegentropyItem], _ initiator: Negentropy, _ responder: Negentropy
    ) throws -> Outcome {
        let (mine, other) = (NegentropySet(ours), NegentropySet(theirs))
        var outcome = Outcome()
        var next: [UInt8]? = initiator.initiate(mine)
        while let message = next, outcome.rounds < 10_000 {
            let answer = try responder.respond(to: message, with: other)
            outcome.rounds += 1
            outcome.bytes += message.count + answer.count
            outcome.longest = (max(outcome.longest.ours, message.count), max(outcome.longest.theirs, answer.count))
            let (following, differences) = try initiator.proceed(with: answer, mine)
            outcome.have.formUnion(differences.have)
            outcome.need.formUnion(differences.need)
            next = following
        }
        return outcome
    }

    static func sets(_ shape: Shape, count: Int, seed: UInt64) -> ([NegentropyItem], [NegentropyItem]) {
        var random = SeededGenerator(seed: seed)
        var (ours, theirs): ([NegentropyItem], [NegentropyItem]) = ([], [])
        var side: UInt64 = 0
        for index in 0..<count {
            var item = NegentropyItem.random(timestamps: shape == .oneSecond ? 1 : UInt64(count), using: &random)
            if shape == .clustered {
                item = NegentropyItem(timestamp: UInt64(index), id: item.id)
                if index % 50 == 0 { side = random.next() % 3 }
            } else {
                side = random.next() % 100
            }
            let isOurs: Bool
            let isTheirs: Bool
            switch shape {
            case .equal: (isOurs, isTheirs) = (true, true)
            case .fewDiffer, .oneSecond: (isOurs, isTheirs) = (side != 0, side != 1)
            case .onlyOurs: (isOurs, isTheirs) = (true, false)
            case .onlyTheirs: (isOurs, isTheirs) = (false, true)
            case .disjoint: (isOurs, isTheirs) = (side < 50, side >= 50)
            case .clustered: (isOurs, isTheirs) = (side != 0, side != 1)
            // Where a full message leaves a rest of which one side has nothing.
            case .oursAtTheEnd:
                (isOurs, isTheirs) = (item.timestamp > UInt64(count / 2) || side < 50, item.timestamp <= UInt64(count / 2) && side >= 50)
            case .theirsAtTheEnd:
                (isOurs, isTheirs) = (item.timestamp <= UInt64(count / 2) && side >= 50, item.timestamp > UInt64(count / 2) || side < 50)
            }
            if isOurs { ours.append(item) }
            if isTheirs { theirs.append(item) }
        }
        return (ours, theirs)
    }
}
