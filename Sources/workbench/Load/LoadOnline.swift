internal import ArgumentParser
internal import Glibc
internal import Vocabulary

struct LoadOnline: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "online",
        abstract: "Pairs of users on two federated nodes: messages a second, server CPU a message, latency to delivered.",
        discussion: """
            Example: workbench load online --pairs 200 --messages 20000 --window 8
                     workbench load online --pairs 200 --messages 12000 --rate 1200
                     workbench load online --pairs 5000 --messages 40000 --in-flight 200
            Closed loop: each sender keeps --window messages undelivered, or all together keep --in-flight, speaking in turn. With --rate,
            open loop: so many messages a second in all, whatever happens, and latency counts from the time each was due. Receipts are signed. After the first message of each pair,
            which founds its conversation, payloads are opaque; with --encrypted all of them are encrypted and decrypted by real devices.
            """)

    @Option(help: "Pairs; the two users of each are on different nodes.") var pairs = 20
    @Option(help: "Messages in all.") var messages = 20_000
    @Option(help: "Messages that each sender keeps undelivered.") var window = 8
    @Option(help: "Messages that all senders together keep undelivered; 0: --window counts.") var inFlight = 0
    @Option(help: "Messages a second in all; 0 for a closed loop.") var rate = 0
    @Option(help: "Bytes of text.") var bytes = 400
    @Flag(help: "Real devices throughout: their CPU is most of it.") var encrypted = false
    @OptionGroup var common: LoadCommand.Common

    func validate() throws {
        guard (1...9_000).contains(pairs) else { throw ValidationError("--pairs is from 1 to 9000.") }
        guard messages >= pairs, messages <= 100_000_000 else { throw ValidationError("--messages is at least one a pair.") }
        guard (1...10_000).contains(window), (0...100_000).contains(inFlight), (0...1_000_000).contains(rate) else {
            throw ValidationError("--window, --in-flight or --rate is out of range.")
        }
        guard rate == 0 || inFlight == 0 else { throw ValidationError("--rate and --in-flight exclude each other.") }
        guard (1...Limits.textBytesMax).contains(bytes) else { throw ValidationError("--bytes is from 1 to \(Limits.textBytesMax).") }
    }

    private var pace: LoadTraffic.Pace {
        if rate > 0 { .rate(rate) } else if inFlight > 0 { .shared(inFlight) } else { .window(window) }
    }

    func run() throws {
        try common.with(nodes: ["harbor", "tower"]) { federation in
            let links = try (0...1).map { try federation.invitation(at: $0, uses: pairs) }
            let crowd = try LoadCrowd(count: pairs * 2, links: links, threads: common.threads, seed: common.seed)
            defer { crowd.stop() }
            _ = try crowd.open("registered", pending: common.pending)

            let traffic = LoadTraffic(crowd, pairs: pairs, bytes: bytes)
            // Founds the conversations and fetches the keys.
            try traffic.found()
            if !encrypted { try traffic.becomeOpaque() }
            let costs = federation.nodes.map { LoadCost($0.process) }
            let outcome = try traffic.run(messages: messages, pace: pace)
            let generator = costs[0].generator
            // Removing what was delivered is part of a message's cost.
            sleep(1)
            let server = costs.reduce(0) { $0 + $1.server }

            var report = LoadReport("online")
            report.add("pairs", pairs)
            report.add("messages", messages)
            switch pace {
            case .rate(let rate): report.add("rate", rate)
            case .shared(let size): report.add("in_flight", size)
            case .window(let size): report.add("window", size)
            }
            report.add("messages_per_s", Double(outcome.latencies.count) / outcome.seconds)
            report.add("server_cpu_us", Double(server) / Double(messages))
            report.add("generator_cpu_us", Double(generator) / Double(messages))
            report.add("delivered", milliseconds: outcome.latencies)
            report.add("failed", outcome.failed)
            for node in federation.nodes { report.add("\(node.name)_rss_kib", node.process.memory.resident) }
            report.say(asJSON: common.json)
        }
    }
}
