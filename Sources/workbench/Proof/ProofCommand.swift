internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Vocabulary

/// Real nodes, real clients, real faults; judged by the project's checker.
struct ProofCommand: ParsableCommand {
    static let scenarios: [any ProofScenario.Type] = [
        KillSweep.self, ClientKillSweep.self, BackupKillSweep.self, IOSweep.self, PowerCut.self, Restore.self, Damage.self,
        Partition.self, Starve.self, Storm.self, Soak.self,
    ]

    static let configuration = CommandConfiguration(
        commandName: "proof",
        abstract: "Run nodes and clients under faults and judge what came of it.",
        discussion: """
            Example: workbench proof kill-sweep power-cut --minutes 10 --resume proof.out
            \(scenarios.map { "  \($0.name): \($0.about)" }.joined(separator: "\n"))

            Without a scenario: all. A run is made of parts, each a line in DIR/parts.jsonl as it ends; the same command goes on with more parts.
            DIR/proof.json and DIR/proof.md hold the totals. Exit code 1: something was lost, doubled, reordered, or otherwise not as promised.
            What the machine does not allow is skipped by name, and counted.
            """)

    @Argument(help: "Which ones.") var names: [String] = []
    @Option(help: "How long in all; each scenario has at least what it needs.") var minutes = 10.0
    @Option(help: "One part is at most so long.") var partMinutes = 10.0
    @Option(help: "Chooses the course of faults.") var seed: UInt64 = 1
    @Option(name: .customLong("resume"), help: "Where the results are and go.") var folder = "proof.out"
    @Flag(help: "Write each part's history too.") var histories = false
    @Flag(help: "Keep the folders of the nodes.") var keep = false

    private var chosen: [any ProofScenario.Type] {
        names.isEmpty ? Self.scenarios : names.compactMap { name in Self.scenarios.first { $0.name == name } }
    }

    func validate() throws {
        for name in names where !Self.scenarios.contains(where: { $0.name == name }) {
            throw ValidationError("There is no scenario \(name); there are \(Self.scenarios.map { $0.name }.joined(separator: ", ")).")
        }
        guard minutes > 0, minutes <= 10_000, partMinutes > 0 else { throw ValidationError("--minutes and --part-minutes are positive.") }
    }

    func run() throws {
        LoadCommand.Common.raiseFileLimit()
        var results = try ProofResults(folder: folder)
        let running = RunningProcesses()
        let signals = running.endOnSignals()
        defer { withExtendedLifetime(signals) {} }
        let shares = chosen.reduce(0) { $0 + $1.share }
        let end = LoadClock.now + .seconds(Int64(minutes * 60))
        // Turn by turn, so that a run that is cut short has something of each.
        var isFirst = true
        repeat {
            for scenario in chosen {
                if !isFirst, LoadClock.now >= end { break }
                // What this machine does not allow is said once.
                if !isFirst, results.parts.last(where: { $0.scenario == scenario.name })?.skipped.isEmpty == false { continue }
                let seconds = min(minutes, partMinutes) * 60 * Double(scenario.share) / Double(max(1, shares))
                try runPart(scenario, seconds: max(scenario.secondsMin, Int(seconds)), running, &results)
            }
            isFirst = false
        } while LoadClock.now < end
            && chosen.contains { scenario in
                results.parts.last { $0.scenario == scenario.name }?.skipped.isEmpty == true
            }
        print(results.table)
        for what in results.skipped { print("SKIPPED \(what)") }
        print("\(results.parts.count) parts, \(results.violations) violations, \(results.skipped.count) skipped")
        fflush(nil)
        if results.violations > 0 { throw ExitCode(1) }
    }

    private func runPart(
        _ scenario: any ProofScenario.Type, seconds: Int, _ running: RunningProcesses, _ results: inout ProofResults
    ) throws {
        let number = results.count(of: scenario.name) + 1
        var part = ProofPart(scenario: scenario.name, number: number, seed: seed &+ UInt64(number - 1))
        let place = try Files.temporaryFolder("proof")
        let history = histories ? "\(folder)/\(scenario.name)-\(number).jsonl" : nil
        let world = ProofWorld(folder: place, seed: part.seed, seconds: seconds, running: running, historyFile: history)
        note("\(scenario.name), part \(number), seed \(part.seed), some \(seconds) s")
        let start = LoadClock.now
        do { try scenario.run(world, &part) } catch { part.violate("it did not come to its end: \(error)") }
        part.seconds = Double((LoadClock.now - start).nanoseconds) / 1e9
        try results.add(part)
        // The folder of a part that went wrong stays, for whoever looks into it.
        if keep || !part.violations.isEmpty { note("kept: \(place)") } else { try? FileManager.default.removeItem(atPath: place) }
        note("\(scenario.name), part \(number): \(part.violations.count) violations in \(Int(part.seconds)) s")
    }
}
