import Cryptography
import Foundation
import FuzzTargets
import Testing

/// A short run of every target; `workbench fuzz` and `make fuzz` are the long ones.
@Suite struct FuzzTests {
    /// Inputs of one target: what takes microseconds gets more of them than what copies a node.
    static let runs = ["node": 400, "device": 250, "node-row": 1_200, "mls": 500, "screen": 700, "negentropy": 2_000, "handover": 3_000]
    static let runsDefault = 8_000
    static let names = FuzzTargets.all.map(\.name)

    @Test(arguments: names) func `no input breaks a promise`(name: String) throws {
        let target = try #require(try FuzzTargets.make(name))
        let seed: UInt64 = 20_261_126
        print("fuzzing \(name) with seed \(seed)")
        var run = FuzzRun(target, seed: seed)
        let report = run.run(Self.runs[name] ?? Self.runsDefault)
        #expect(report.finding == nil, "workbench fuzz --target \(name) --seed \(seed) finds it")
        #expect(report.understood > report.inputs / 50, "hardly anything gets past decoding: \(report.understood)")
    }

    @Test(arguments: names) func `honest inputs are understood`(name: String) throws {
        var target = try #require(try FuzzTargets.make(name))
        let seeds = target.seeds
        var understood = 0
        for seed in seeds where try target.take(seed) { understood += 1 }
        #expect(!seeds.isEmpty && understood * 3 >= seeds.count * 2, "\(understood) of \(seeds.count)")
    }

    /// Files under Corpus/TARGET, each an input that once broke something.
    @Test(arguments: names) func `what was found once does no harm any more`(name: String) throws {
        let folder = (#filePath as NSString).deletingLastPathComponent + "/Corpus/" + name
        guard let files = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return }
        var target = try #require(try FuzzTargets.make(name))
        for file in files.sorted() {
            let input = Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/" + file)))
            #expect(throws: Never.self, "\(name)/\(file)") { _ = try target.take(input) }
        }
    }

    @Test func `one seed is one run, and another is another one`() throws {
        func inputs(_ seed: UInt64) throws -> [[UInt8]] {
            let mutator = Mutator(try #require(try FuzzTargets.make("name")))
            var random = SeededGenerator(seed: seed)
            return (0..<50).map { _ in mutator.next(using: &random) }
        }
        #expect(try inputs(1) == inputs(1))
        #expect(try inputs(1) != inputs(2))
    }

    @Test func `a run ends at the first broken promise, with its input`() {
        var run = FuzzRun(Fragile(), seed: 3)
        let report = run.run(100_000)
        #expect(report.finding?.input.first == 0xff)
        #expect(report.inputs < 100_000)
    }

    /// Breaks its promise for one first byte.
    private struct Fragile: FuzzTarget {
        let seeds: [[UInt8]] = [[1, 2, 3]]
        mutating func take(_ input: [UInt8]) throws(Finding) -> Bool {
            guard input.first != 0xff else { throw Finding("a byte of 0xff") }
            return true
        }
    }
}
