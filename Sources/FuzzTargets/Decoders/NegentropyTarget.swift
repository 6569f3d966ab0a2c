internal import Cryptography
internal import Federation
internal import Vocabulary

/// Reconciliation messages, to both sides of an exchange and over sets of several sizes: the first byte chooses.
struct NegentropyTarget: FuzzTarget {
    private let engine: Negentropy
    private let sets: [NegentropySet]
    let seeds: [[UInt8]]

    init() throws {
        engine = try Negentropy.thrifty(frameBytesMax: Limits.reconcileBytesMax)
        var random = SeededGenerator(seed: 11)
        var items = (0..<2_000).map { NegentropyItem(timestamp: 1_700_000_000 + UInt64($0 / 3), id: random.bytes32()) }
        sets = [0, 3, 60, 2_000].map { NegentropySet(Array(items.prefix($0))) }
        // The other side's sets: most of ours, and some that we lack.
        items.removeSubrange(100..<140)
        items += (0..<30).map { NegentropyItem(timestamp: 1_700_000_000 + UInt64($0 * 11), id: random.bytes32()) }
        var seeds: [[UInt8]] = []
        for count in [0, 2, 50, items.count] {
            let theirs = NegentropySet(Array(items.prefix(count)))
            var message = engine.initiate(theirs)
            for (place, set) in sets.enumerated() {
                message = engine.initiate(theirs)
                for _ in 0..<4 {
                    seeds.append([UInt8(place)] + message)
                    let answer = try engine.respond(to: message, with: set)
                    seeds.append([UInt8(0x80 | place)] + answer)
                    guard let next = try engine.proceed(with: answer, theirs).next else { break }
                    message = next
                }
            }
        }
        self.seeds = seeds
    }

    mutating func take(_ input: [UInt8]) throws(Finding) -> Bool {
        guard let first = input.first else { return false }
        let (set, message) = (sets[Int(first & 3)], Array(input.dropFirst()))
        if first & 0x80 == 0 {
            guard let answer = try? engine.respond(to: message, with: set) else { return false }
            try promise(answer.count <= Limits.reconcileBytesMax, "an answer of \(answer.count) bytes")
            return true
        }
        guard let (next, differences) = try? engine.proceed(with: message, set) else { return false }
        if let next { try promise(next.count <= Limits.reconcileBytesMax, "a message of \(next.count) bytes") }
        try promise(differences.need.count * 32 <= message.count, "more is needed than was named")
        try promise(differences.have.count <= set.count, "more is had than there is")
        return true
    }
}
