internal import MLSVectors

/// What comes to an MLS group, as it travels and signed by a member who means ill: the first byte is `MLSFuzzer.Way`.
struct GroupTarget: FuzzTarget {
    private var fuzzer: MLSFuzzer
    let seeds: [[UInt8]]

    init() throws {
        fuzzer = try MLSFuzzer(seed: 1)
        seeds = fuzzer.seeds.map { [$0.way.rawValue] + $0.bytes }
    }

    mutating func take(_ input: [UInt8]) throws(Finding) -> Bool {
        guard let first = input.first, let way = MLSFuzzer.Way(rawValue: first) else { return false }
        let before = fuzzer.decoded
        fuzzer.take(Array(input.dropFirst()), as: way)
        return fuzzer.decoded > before
    }
}
