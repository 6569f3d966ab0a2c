internal import ArgumentParser
internal import Glibc

struct LoadHop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hop",
        abstract: "What one more node on the way adds to a message's latency.",
        discussion: """
            Example: workbench load hop --rate 200
            The same pairs twice, at a rate at which nothing waits for anything else: both users of a pair on one node, then on two. From
            the time a message was due to `delivered` at its sender; the difference is the second node's, there and back.
            """)

    @Option(help: "Pairs.") var pairs = 20
    @Option(help: "Messages in each of the two parts.") var messages = 2_000
    @Option(help: "Messages a second in all.") var rate = 200
    @Option(help: "Bytes of text.") var bytes = 400
    @OptionGroup var common: LoadCommand.Common

    func validate() throws {
        guard (1...1_000).contains(pairs), messages >= pairs, messages <= 10_000_000, (1...100_000).contains(rate), bytes > 0 else {
            throw ValidationError("--pairs, --messages, --rate or --bytes is out of range.")
        }
    }

    func run() throws {
        var report = LoadReport("hop")
        report.add("rate", rate)
        let one = try latencies(over: ["harbor"])
        let two = try latencies(over: ["harbor", "tower"])
        report.add("one_node", milliseconds: one)
        report.add("two_nodes", milliseconds: two)
        for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
            let added = LoadReport.quantile(part, of: two) - LoadReport.quantile(part, of: one)
            report.add("added_there_and_back_ms_\(name)", added / 1e6)
        }
        report.say(asJSON: common.json)
    }

    private func latencies(over nodes: [String]) throws -> [Int64] {
        var latencies: [Int64] = []
        try common.with(nodes: nodes) { federation in
            let links = try nodes.indices.map { try federation.invitation(at: $0, uses: pairs * 2) }
            let crowd = try LoadCrowd(count: pairs * 2, links: links, threads: common.threads, seed: common.seed)
            defer { crowd.stop() }
            _ = try crowd.open("registered", pending: common.pending)
            let traffic = LoadTraffic(crowd, pairs: pairs, bytes: bytes)
            try traffic.found()
            try traffic.becomeOpaque()
            latencies = try traffic.run(messages: messages, pace: .rate(rate)).latencies
        }
        return latencies
    }
}
