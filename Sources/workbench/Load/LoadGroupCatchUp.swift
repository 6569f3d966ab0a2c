internal import ArgumentParser
internal import Glibc
internal import Vocabulary

struct LoadCatchUp: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "catchup",
        abstract: "A device misses messages and commits of a group while it is away: time until it has them all.",
        discussion: """
            Example: workbench load catchup --events 1000 --commits 50
            The commits are renames, each with fresh keys, spread among the messages. Time counts from the first attempt to connect to the
            last event taken in: session, delivery, MLS and receipts of the real client core; its store is memory.
            """)

    @Option(help: "Messages missed.") var events = 1_000
    @Option(help: "Commits missed.") var commits = 50
    @Option(help: "Members of the group.") var members = 20
    @Option(help: "Nodes; members are spread evenly.") var nodes = 2
    @Option(help: "Bytes of text.") var bytes = 400
    @OptionGroup var common: LoadCommand.Common

    func validate() throws {
        guard (3...Limits.rosterDevicesMax).contains(members) else {
            throw ValidationError("--members is from 3 to \(Limits.rosterDevicesMax).")
        }
        guard (1...16).contains(nodes), nodes <= members else { throw ValidationError("--nodes is from 1 to 16.") }
        guard (1...10_000).contains(events), (0...1_000).contains(commits) else {
            throw ValidationError("--events is from 1 to 10000, --commits at most 1000.")
        }
        guard (1...Limits.textBytesMax).contains(bytes) else { throw ValidationError("--bytes is from 1 to \(Limits.textBytesMax).") }
    }

    func run() throws {
        try common.with(nodes: LoadGroup.names(nodes)) { federation in
            let crowd = try LoadGroupCrowd(count: members, on: federation, threads: common.threads, seed: common.seed)
            defer { crowd.stop() }
            try crowd.register(pending: common.pending)
            _ = try crowd.create()
            let away = crowd.members[members - 1]
            try away.loop.submit { away.leaveNetwork() }.wait()
            let missedFrom = crowd.head(of: away.index)

            let rounds = max(commits, 1)
            var sent = 0
            for round in 1...rounds {
                if commits > 0 { try crowd.renameByFounder(to: "load \(round)") }
                while sent < events * round / rounds {
                    _ = try crowd.send(from: crowd.members[1 + sent % (members - 2)], bytes: bytes)
                    sent += 1
                }
                try crowd.wait("missed", until: sent * (members - 2)) { $0.arrived }
                if commits > 0 { try crowd.wait("renamed", until: 1 + round) { $0.groupsDone } }
            }
            try crowd.settle(except: away.index)
            sleep(1)
            let head = crowd.head(of: 0)

            let start = LoadClock.now
            let costs = federation.nodes.map { LoadCost($0.process) }
            away.loop.execute { away.returnToNetwork() }
            try crowd.wait("caught up", until: events) { $0.arrivedAt[away.index] }
            try crowd.wait("the last event", until: Int(clamping: head)) { Int(clamping: $0.heads[away.index]) }
            let seconds = LoadGroupCrowd.seconds(LoadClock.now - start)

            var report = LoadReport("catchup")
            report.add("members", members)
            report.add("nodes", nodes)
            report.add("messages_missed", events)
            report.add("commits_missed", Int(clamping: head - missedFrom) - events)
            report.add("caught_up_s", seconds)
            report.add("server_cpu_ms", Double(costs.reduce(0) { $0 + $1.server }) / 1e3)
            report.add("generator_cpu_ms", Double(costs.first?.generator ?? 0) / 1e3)
            for (what, count) in crowd.troubles.sorted(by: { $0.key < $1.key }) { note("\(count) times: \(what)") }
            report.add("troubles", crowd.troubles.values.reduce(0, +))
            report.say(asJSON: common.json)
        }
    }
}
