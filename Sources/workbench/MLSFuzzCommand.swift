internal import ArgumentParser
internal import MLSVectors

/// A trap ends the program; the round that was last printed says from where to look.
struct MLSFuzzCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mls-fuzz", abstract: "Feed mutated MLS messages, signed and not, to a member, a hub and a joiner.")

    @Option(help: "Inputs.")
    var count = 1_000_000

    @Option(help: "The first round's seed; each round has the next one, and 10,000 inputs.")
    var seed: UInt64 = 1

    func run() throws {
        var (done, decoded, taken, seed) = (0, 0, 0, seed)
        while done < count {
            let part = min(10_000, count - done)
            var fuzzer = try MLSFuzzer(seed: seed)
            fuzzer.run(part)
            (done, decoded, taken) = (done + part, decoded + fuzzer.decoded, taken + fuzzer.taken)
            if done % 100_000 == 0 || done == count { print("seed \(seed): \(done) inputs, \(decoded) decoded, \(taken) taken") }
            seed &+= 1
        }
    }
}
