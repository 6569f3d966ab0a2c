import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct NegentropySetTests {
    @Test(arguments: UInt64(0)..<6) func `a set changed item by item equals the set made at once`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var set = NegentropySet()
        var expected: Set<NegentropyItem> = []
        for _ in 0..<6_000 {
            let item = NegentropyItem.random(timestamps: seed.isMultiple(of: 2) ? 40 : 1 << 40, using: &random)
            let (isNew, wasNew) = (set.insert(item), expected.insert(item).inserted)
            #expect(isNew == wasNew)
            if random.next() % 4 == 0, let other = expected.sorted(by: { $0.id < $1.id }).first, expected.count % 64 == 0 {
                let wasThere = set.remove(other)
                #expect(wasThere)
                expected.remove(other)
            }
        }
        let sorted = expected.sorted()
        let atOnce = NegentropySet(sorted.shuffled(using: &random))
        #expect(set.count == sorted.count && atOnce.count == sorted.count)
        #expect((0..<set.count).allSatisfy { set[$0] == sorted[$0] && atOnce[$0] == sorted[$0] })
        // Equal sets have equal fingerprints, however they came to be.
        let engine = Negentropy.unlimited
        #expect(engine.initiate(set) == engine.initiate(atOnce))
    }

    @Test func `an item is in the set once`() {
        var random = SeededGenerator(seed: 7)
        let item = NegentropyItem.random(timestamps: 10, using: &random)
        var set = NegentropySet([item, item])
        #expect(set.count == 1)
        let isNew = set.insert(item)
        #expect(!isNew && set.contains(item))
        let (first, second) = (set.remove(item), set.remove(item))
        #expect(first && !second)
        #expect(set.count == 0 && !set.contains(item))
    }

    @Test func `the place of an item that is not there is that of the next`() {
        let items = (0..<5_000).map { NegentropyItem(timestamp: UInt64($0 * 2), id: .zero) }
        let set = NegentropySet(items)
        for place in stride(from: 0, to: 5_000, by: 37) {
            #expect(set.lowerBound(of: items[place]) == place)
            #expect(set.lowerBound(of: NegentropyItem(timestamp: UInt64(place * 2 + 1), id: .zero)) == place + 1)
        }
    }

    @Test func `a set emptied again can be filled again`() {
        var random = SeededGenerator(seed: 3)
        let items = (0..<3_000).map { _ in NegentropyItem.random(timestamps: 5, using: &random) }
        var set = NegentropySet(items)
        let removed = items.map { set.remove($0) }
        #expect(removed.allSatisfy { $0 })
        #expect(set.count == 0)
        let inserted = items.map { set.insert($0) }
        #expect(inserted.allSatisfy { $0 })
        #expect(Negentropy.unlimited.initiate(set) == Negentropy.unlimited.initiate(NegentropySet(items)))
    }
}

extension NegentropyItem {
    static func random(timestamps: UInt64, using random: inout SeededGenerator) -> NegentropyItem {
        let id = (0..<4).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
        return NegentropyItem(timestamp: random.next() % timestamps, id: Bytes32(id) ?? .zero)
    }
}

extension Negentropy {
    static var unlimited: Negentropy {
        guard let engine = try? Negentropy() else { preconditionFailure("no limit is a limit that holds") }
        return engine
    }
}
