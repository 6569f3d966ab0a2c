internal import ArgumentParser
internal import Glibc
internal import Histories
internal import Simulation
internal import Vocabulary

/// Runs a federation with its users in virtual time, under faults, and judges what came of it.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Run nodes and clients in virtual time, under faults, and judge what came of it.",
        discussion: """
            Everything follows from the seed: the same options give the same run. After the faults all must come to agree.
            Exit code 0: nothing is wrong; 1: the violations and the command that replays the run are on stdout.

            Examples:
              workbench simulate --seed 7
              workbench simulate --seed 7 --nodes 3 --clients 6 --minutes 2 --faults network,crashes --trace
              workbench simulate --seed 7 --history run.jsonl && workbench judge --exact < run.jsonl
            """)

    @Option(help: "Chooses the whole course.")
    var seed: UInt64 = 1

    @Option(help: "More than one runs the seeds that follow too, one after the other.")
    var runs = 1

    @Option(help: "Nodes of the federation, 1 to 1,000.")
    var nodes = 5

    @Option(help: "Clients, each with its device, spread over the nodes.")
    var clients = 20

    @Option(help: "Virtual minutes under faults; healing follows.")
    var minutes = 10.0

    @Option(help: "Seconds from one message of a client to its next, on average.")
    var pause = 10.0

    @Option(
        help:
            "Kinds of faults: \(Fault.Kind.allCases.map(\.rawValue).joined(separator: ", ")); all, none, or usual (what honest nodes on bad machines suffer)."
    )
    var faults = "usual"

    @Option(help: "A bug to be found, by name: \(Plant.allCases.map(\.rawValue).joined(separator: ", ")).")
    var plant: String?

    @Flag(help: "Every event on stdout as it is taken up.")
    var trace = false

    @Option(help: "A file for the history: JSON, a line an event.")
    var history: String?

    func validate() throws {
        guard (1...1_000).contains(nodes), (2...10_000).contains(clients), minutes > 0, minutes <= 100_000, pause > 0, runs > 0 else {
            throw ValidationError("Out of range: see --help.")
        }
        _ = try kinds()
        if let plant, Plant(rawValue: plant) == nil { throw ValidationError("No bug is called \(Printable.line(plant)).") }
    }

    private func kinds() throws -> Set<Fault.Kind> {
        switch faults {
        case "usual": return Fault.Kind.usual
        case "all": return Set(Fault.Kind.allCases)
        case "none": return []
        default:
            return Set(
                try faults.split(separator: ",").map { name in
                    guard let kind = Fault.Kind(rawValue: String(name)) else {
                        throw ValidationError("No kind of fault is called \(Printable.line(String(name))).")
                    }
                    return kind
                })
        }
    }

    func run() throws {
        var failed = 0
        for seed in seed..<(seed + UInt64(runs)) where try !run(seed: seed) { failed += 1 }
        if failed > 0 { throw ExitCode(1) }
    }

    /// - Returns: whether nothing is wrong.
    private func run(seed: UInt64) throws -> Bool {
        var options = SimulationOptions(seed: seed)
        (options.nodes, options.clients, options.faults) = (nodes, clients, try kinds())
        (options.time, options.pause) = (.milliseconds(Int64(minutes * 60_000)), .milliseconds(Int64(pause * 1_000)))
        options.plant = plant.flatMap { Plant(rawValue: $0) }
        let file = try history.map { try HistoryFile($0) }
        let start = ContinuousClock.now
        let sink: (@Sendable (HistoryEvent) -> Void)? = if let file { { file.write($0.line) } } else { nil }
        let tracer: (@Sendable (String) -> Void)? = if trace { { print($0) } } else { nil }
        var simulator = try Simulator(options, sink: sink, trace: tracer)
        let report = try simulator.run()
        file?.close()
        // What depends on the machine goes to stderr: stdout is the same on every run.
        let (seconds, fraction) = (ContinuousClock.now - start).components
        let real = Double(seconds) + Double(fraction) / 1e18
        let virtual = Double(report.time.milliseconds) / 1_000
        let pace = Array(
            "seed \(seed): \(Int(virtual)) s in \(Double(Int(real * 100)) / 100) s: \(Int(virtual / real)) times real time\n".utf8)
        _ = Glibc.write(STDERR_FILENO, pace, pace.count)
        print(line(report, seed: seed))
        guard !report.violations.isEmpty else { return true }
        for violation in report.violations.prefix(20) { print(violation) }
        print("replay: \(options.command)")
        return false
    }

    private func line(_ report: SimulationReport, seed: UInt64) -> String {
        let faults = report.faults.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
        let healed = report.healed.map { "\(Double($0.milliseconds) / 1_000)" } ?? "null"
        let fields = [
            "\"v\":1", "\"seed\":\(seed)", "\"messages\":\(report.messages)", "\"events\":\(report.events)",
            "\"steps\":\(report.steps)", "\"virtualSeconds\":\(Double(report.time.milliseconds) / 1_000)",
            "\"healedAfterSeconds\":\(healed)", "\"faults\":{\(faults)}",
            "\"fingerprint\":\"\(String(report.fingerprint, radix: 16))\"", "\"violations\":\(report.violations.count)",
        ]
        return "{" + fields.joined(separator: ",") + "}"
    }
}

/// Unchecked: one thread writes it.
private final class HistoryFile: @unchecked Sendable {
    private let file: UnsafeMutablePointer<FILE>

    init(_ path: String) throws {
        guard let file = fopen(path, "w") else { throw ValidationError("cannot write \(Printable.line(path))") }
        self.file = file
    }

    func write(_ line: String) { fputs(line + "\n", file) }
    func close() { fclose(file) }
}
