internal import ArgumentParser
internal import Glibc
internal import Vocabulary

struct LoadFlood: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flood",
        abstract: "What becomes of a node and of bystanders while one client, one member node or many strangers flood it.",
        discussion: """
            Example: workbench load flood client node strangers --seconds 20
            One after the other, each for so long. Bystanders write to each other at --rate before and during each. The floods' threads
            yield to all others, as if they came from another machine. The run fails if the node ends, a bystander's message fails, its memory was ever above --memory, or no refusal
            with a reason came back; with --strict also if the bystanders' p99 is more than twice what it was.
            """)

    enum Kind: String, ExpressibleByArgument, CaseIterable { case client, node, strangers }

    @Argument(help: "client, node, strangers: one or several.") var kinds: [Kind]
    @Option(help: "Seconds before the floods, and of each.") var seconds = 10
    @Option(help: "Pairs of bystanders.") var pairs = 20
    @Option(help: "Their messages a second in all.") var rate = 200
    @Option(help: "MiB that the node may ever have resident.") var memory = 256
    @Flag(help: "Fail if latency more than doubles: on a machine that does nothing else.") var strict = false
    @OptionGroup var common: LoadCommand.Common

    func validate() throws {
        guard !kinds.isEmpty, Set(kinds).count == kinds.count else { throw ValidationError("Name each flood once.") }
        guard (1...3_600).contains(seconds), (1...1_000).contains(pairs), (1...10_000).contains(rate) else {
            throw ValidationError("--seconds, --pairs or --rate is out of range.")
        }
    }

    func run() throws {
        try common.with(nodes: kinds.contains(.node) ? ["harbor", "tower"] : ["harbor"]) { federation in
            let bystanders = try LoadCrowd(
                count: pairs * 2, links: [federation.invitation(at: 0, uses: pairs * 2)], threads: 1, seed: common.seed)
            defer { bystanders.stop() }
            _ = try bystanders.open("registered", pending: common.pending)
            let traffic = LoadTraffic(bystanders, pairs: pairs, bytes: 400)
            var floods: [(kind: Kind, flood: any Flood)] = []
            defer { for (_, flood) in floods { flood.stop() } }
            for kind in kinds { floods.append((kind, try makeFlood(kind, on: federation))) }
            try LoadTraffic.found([traffic] + floods.compactMap(\.flood.traffic))
            try traffic.becomeOpaque()

            let node = federation.nodes[0].process
            let calm = try traffic.run(messages: rate * seconds, pace: .rate(rate))
            for (kind, flood) in floods {
                let before = flood.tally.now
                try flood.begin()
                usleep(500_000)
                let cost = LoadCost(node)
                let flooded = try traffic.run(messages: rate * seconds, pace: .rate(rate))
                let (server, wall) = (cost.server, cost.seconds)
                let after = flood.tally.now
                flood.stop()
                try report(kind, calm, flooded, after, sent: after.sent - before.sent, cpu: Double(server) / 1e6 / wall, node)
            }
        }
    }

    private func makeFlood(_ kind: Kind, on federation: LoadFederation) throws -> any Flood {
        switch kind {
        case .client: try FloodingClient(at: federation, seed: common.seed)
        case .node: try FloodingNode(at: federation)
        case .strangers: try FloodingStrangers(at: federation)
        }
    }

    private func report(
        _ kind: Kind, _ calm: LoadTraffic.Outcome, _ flooded: LoadTraffic.Outcome, _ counts: FloodTally.Counts, sent: Int, cpu: Double,
        _ node: LoadProcess
    ) throws {
        let ratio = Self.p99(flooded) / max(Self.p99(calm), 1)
        var report = LoadReport("flood-\(kind.rawValue)")
        report.add("calm", milliseconds: calm.latencies)
        report.add("flooded", milliseconds: flooded.latencies)
        report.add("p99_ratio", ratio)
        report.add("bystanders_failed", calm.failed + flooded.failed)
        report.add("flood_sent", sent)
        report.add("flood_connections", counts.connections)
        report.add("flood_connections_ended", counts.ended)
        for (code, count) in counts.refusals.sorted(by: { $0.key.rawValue < $1.key.rawValue }) { report.add("refused_\(code)", count) }
        report.add("server_cpu_cores", cpu)
        let peak = node.memoryPeak
        report.add("rss_peak_kib", peak)
        report.add("alive", node.exitStatus == nil ? 1 : 0)
        report.say(asJSON: common.json)

        if let status = node.exitStatus { throw LoadFailure("the node ended with \(status)") }
        guard peak > 0, peak <= memory * 1024 else { throw LoadFailure("the node had \(peak) KiB resident: more than \(memory) MiB") }
        guard calm.failed + flooded.failed == 0 else { throw LoadFailure("messages of bystanders failed") }
        guard !counts.refusals.isEmpty else { throw LoadFailure("the flood was refused nothing") }
        guard !strict || ratio <= 2 else { throw LoadFailure("the bystanders' p99 is \(ratio) times what it was") }
    }

    private static func p99(_ outcome: LoadTraffic.Outcome) -> Double {
        let sorted = outcome.latencies.sorted()
        return sorted.isEmpty ? .infinity : Double(sorted[Int(Double(sorted.count - 1) * 0.99)])
    }
}
