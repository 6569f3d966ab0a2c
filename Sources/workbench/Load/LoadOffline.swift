internal import ArgumentParser
internal import Glibc
internal import NIOCore
internal import Synchronization
internal import Vocabulary

struct LoadOffline: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "offline",
        abstract: "Messages for recipients who are away: server CPU a message stored, then drained, and how fast.",
        discussion: """
            Example: workbench load offline --pairs 100 --messages 50000
                     workbench load offline --pairs 100 --messages 400000 --bystanders 20
            The recipients, on the other node, are away while all is sent; then all of them come back at once. Payloads are opaque. With
            --bystanders so many other pairs write 200 messages a second, before the draining and while it goes on: do they wait longer?
            """)

    @Option(help: "Pairs; the two users of each are on different nodes.") var pairs = 100
    @Option(help: "Messages in all.") var messages = 50_000
    @Option(help: "Messages that each sender keeps unaccepted.") var window = 16
    @Option(help: "Bytes of text.") var bytes = 400
    @Option(help: "Pairs who write to each other while it is drained; their cost is in what is told of that.") var bystanders = 0
    @OptionGroup var common: LoadCommand.Common

    private static let othersPerSecond = 200

    func validate() throws {
        guard (1...9_000).contains(pairs) else { throw ValidationError("--pairs is from 1 to 9000.") }
        guard messages >= pairs, messages <= pairs * 10_000 else { throw ValidationError("--messages is from 1 to 10,000 a pair.") }
        guard (0...1_000).contains(bystanders) else { throw ValidationError("--bystanders is from 0 to 1000.") }
        guard (1...10_000).contains(window), (1...Limits.textBytesMax).contains(bytes) else {
            throw ValidationError("--window or --bytes is out of range.")
        }
    }

    func run() throws {
        try common.with(nodes: ["harbor", "tower"]) { federation in
            let links = try (0...1).map { try federation.invitation(at: $0, uses: pairs + bystanders) }
            let crowd = try LoadCrowd(count: pairs * 2, links: links, threads: common.threads, seed: common.seed)
            defer { crowd.stop() }
            _ = try crowd.open("registered", pending: common.pending)
            let traffic = LoadTraffic(crowd, pairs: pairs, bytes: bytes)
            let bystanding = try LoadCrowd(count: bystanders * 2, links: links, threads: 1, seed: common.seed, first: pairs * 2)
            defer { bystanding.stop() }
            let others = bystanders > 0 ? [LoadTraffic(bystanding, pairs: bystanders, bytes: bytes)] : []
            if bystanders > 0 { _ = try bystanding.open("registered", pending: common.pending) }
            try LoadTraffic.found([traffic] + others)
            for one in [traffic] + others { try one.becomeOpaque() }
            let away = traffic.recipients
            for user in away { try user.loop.submit { user.stop() }.wait() }
            usleep(300_000)

            var report = LoadReport("offline")
            report.add("pairs", pairs)
            report.add("messages", messages)
            try store(traffic, federation, &report)
            if bystanders > 0 { try waitUntilIdle(federation) }

            let calm = try others.map { try $0.run(messages: Self.othersPerSecond * 5, pace: .rate(Self.othersPerSecond)) }
            let received = Atomic(0)
            let lastAt = Atomic(Int64(0))
            let costs = federation.nodes.map { LoadCost($0.process) }
            let start = LoadClock.now
            for user in away {
                user.loop.execute {
                    user.onEvent = { _, event in
                        guard case .received(let count) = event else { return }
                        lastAt.store((LoadClock.now - .start).nanoseconds, ordering: .relaxed)
                        received.add(count, ordering: .releasing)
                    }
                    user.startVoice()
                }
            }
            // For less time than it takes, or what comes after it would count too.
            let during = Self.othersPerSecond * max(1, messages / 200_000)
            let drained = try others.map { try $0.run(messages: during, pace: .rate(Self.othersPerSecond)) }
            let beside = (count: received.load(ordering: .acquiring), seconds: Double((LoadClock.now - start).nanoseconds) / 1e9)
            var (last, lastChange) = (0, LoadClock.now)
            while last < messages {
                usleep(1_000)
                let count = received.load(ordering: .acquiring)
                if count != last { (last, lastChange) = (count, LoadClock.now) }
                guard LoadClock.now - lastChange < .seconds(20) else {
                    throw LoadFailure("drained: stands still at \(last) of \(messages)")
                }
            }
            let seconds = Double(lastAt.load(ordering: .relaxed) - (start - .start).nanoseconds) / 1e9
            sleep(1)
            report.add("drained_per_s", Double(messages) / seconds)
            report.add("drained_server_cpu_us", Double(costs.reduce(0) { $0 + $1.server }) / Double(messages))
            report.add("drained_generator_cpu_us", Double(costs[0].generator) / Double(messages))
            for (calm, drained) in zip(calm, drained) {
                report.add("drained_per_s_while_others_wrote", Double(beside.count) / beside.seconds)
                report.add("bystanders_calm", milliseconds: calm.latencies)
                report.add("bystanders_drained", milliseconds: drained.latencies)
                report.add("bystanders_failed", calm.failed + drained.failed)
            }
            for node in federation.nodes { report.add("\(node.name)_rss_kib", node.process.memory.resident) }
            report.say(asJSON: common.json)
        }
    }

    /// Else what the nodes still hand each other of what was stored is what others wait for.
    private func waitUntilIdle(_ federation: LoadFederation) throws {
        for _ in 0..<120 {
            let costs = federation.nodes.map { LoadCost($0.process) }
            usleep(500_000)
            if costs.allSatisfy({ $0.server < 25_000 }) { return }
        }
        throw LoadFailure("the nodes did not come to rest within a minute")
    }

    /// In parts, to see whether a message costs more the more of them wait.
    private func store(_ traffic: LoadTraffic, _ federation: LoadFederation, _ report: inout LoadReport) throws {
        let parts = messages >= pairs * 20 ? 4 : 1
        var (seconds, server, failed) = (0.0, 0, 0)
        var perMessage: [Double] = []
        for part in 0..<parts {
            let count = messages * (part + 1) / parts - messages * part / parts
            let costs = federation.nodes.map { LoadCost($0.process) }
            let stored = try traffic.run(messages: count, pace: .window(window), goal: .accepted)
            // Until the other node has all of it, and it stands in the tables.
            sleep(2)
            let used = costs.reduce(0) { $0 + $1.server }
            (seconds, server, failed) = (seconds + stored.seconds, server + used, failed + stored.failed)
            perMessage.append(Double(used) / Double(count))
        }
        report.add("stored_per_s", Double(messages) / seconds)
        report.add("stored_server_cpu_us", Double(server) / Double(messages))
        report.add("stored_server_cpu_us_first_part", perMessage.first ?? .nan)
        report.add("stored_server_cpu_us_last_part", perMessage.last ?? .nan)
        report.add("failed", failed)
    }
}
