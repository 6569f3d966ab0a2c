internal import ArgumentParser
internal import Glibc
internal import Vocabulary

struct LoadGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group",
        abstract: "One group of many members over some nodes: time to create it and to reach all, server CPU and bytes on the links.",
        discussion: """
            Example: workbench load group --members 1000 --nodes 5
            Each member is the real client core with truly encrypted messages and signed receipts; its store is memory, and all of them
            share what they know to be signed, which in the world each checks by itself. The group's hub is the first node. Messages go one
            after the other, each when all have the one before; then all at once. In the stream at the end one member writes without pause
            and nobody encrypts or checks; everybody acknowledges with signed watermarks. A link's bytes are what the node counts less what
            its clients have received: frames without TLS.
            """)

    @Option(help: "Members in all, each a user with one device.") var members = 100
    @Option(help: "Nodes; members are spread evenly.") var nodes = 2
    @Option(help: "Messages in all, in each of the two parts.") var messages = 20
    @Option(help: "Members that write, in turn.") var senders = 3
    @Option(help: "Bytes of text.") var bytes = 400
    @Option(help: "Messages of one sender to members that only acknowledge, so that nodes are measured and not devices.")
    var stream = 2_000
    @Option(help: "Messages of the stream that are under way at once.") var window = 64
    @Flag(help: "All but one writer are away: the nodes' work before delivery; then with their return.") var away = false
    @OptionGroup var common: LoadCommand.Common

    func validate() throws {
        guard (2...Limits.rosterDevicesMax).contains(members) else {
            throw ValidationError("--members is from 2 to \(Limits.rosterDevicesMax).")
        }
        guard (1...16).contains(nodes), nodes <= members else { throw ValidationError("--nodes is from 1 to 16.") }
        guard (1...10_000).contains(messages), (1...members).contains(senders) else {
            throw ValidationError("--messages is from 1 to 10000, --senders at most --members.")
        }
        guard (1...Limits.textBytesMax).contains(bytes) else { throw ValidationError("--bytes is from 1 to \(Limits.textBytesMax).") }
        guard (0...10_000_000).contains(stream), (1...10_000).contains(window) else {
            throw ValidationError("--stream is at most 10000000, --window from 1 to 10000.")
        }
    }

    static func names(_ count: Int) -> [String] { (1...count).map { "node\($0)" } }

    func run() throws {
        try common.with(nodes: Self.names(nodes)) { federation in
            var report = LoadReport("group")
            report.add("members", members)
            report.add("nodes", nodes)
            let crowd = try LoadGroupCrowd(count: members, on: federation, threads: common.threads, seed: common.seed)
            defer { crowd.stop() }
            try crowd.register(pending: common.pending)
            sleep(1)

            var costs = federation.nodes.map { LoadCost($0.process) }
            let created = try crowd.create()
            report.add("joined_s", created.joined)
            report.add("settled_s", created.settled)
            report.add("commits", created.commits)
            addCosts(&report, "creation", costs, per: 1, unit: 1e3, "ms")
            // The receipts of the creation.
            sleep(2)
            if away {
                try sendToNobody(crowd, &report)
                return report.say(asJSON: common.json)
            }

            let writers = (0..<senders).map { crowd.members[($0 * members / senders + 1) % members] }
            let (links, clients) = (try crowd.linkBytes(), try federation.nodes.indices.map { try crowd.received(from: $0) })
            let head = crowd.head(of: 0)
            costs = federation.nodes.map { LoadCost($0.process) }
            var (sent, alone): ([MessageID], [MessageID]) = ([], [])
            for index in 0..<messages {
                let before = crowd.head(of: 0)
                let message = try crowd.send(from: writers[index % senders], bytes: bytes)
                sent.append(message)
                try crowd.wait("arrived", until: members - 1) { $0.arrivals[message] ?? 0 }
                if crowd.head(of: 0) == before + 1 { alone.append(message) }
            }
            try crowd.wait("delivered", until: messages) { $0.delivered.count }
            // Removing what was delivered is part of a message's cost.
            sleep(1)
            report.add("messages", messages)
            report.add("reaches_all", milliseconds: sent.compactMap { crowd.times(of: $0).all })
            // A commit is work for all members, and here all of them have the same two processors.
            report.add("reaches_all_without_commit", milliseconds: alone.compactMap { crowd.times(of: $0).all })
            report.add("delivered", milliseconds: sent.compactMap { crowd.times(of: $0).delivered })
            addCosts(&report, "server", costs, per: messages, unit: 1, "us_per_message")
            report.add("server_us_per_delivery", Double(costs.reduce(0) { $0 + $1.server }) / Double(messages * (members - 1)))
            if let hub = costs.first { report.add("hub_us_per_message", Double(hub.server) / Double(messages)) }
            let linksAfter = try crowd.linkBytes()
            let clientsAfter = try federation.nodes.indices.map { try crowd.received(from: $0) }
            if nodes > 1 {
                let out = Double(linksAfter[0] - links[0]) / Double(messages * (nodes - 1))
                let others = zip(linksAfter, links).dropFirst().reduce(0) { $0 + $1.0 - $1.1 }
                report.add("bytes_per_message_hub_to_each_node", out)
                report.add("bytes_per_message_each_node_to_hub", Double(others) / Double(messages * (nodes - 1)))
            }
            let received = zip(clientsAfter, clients).reduce(0) { $0 + $1.0 - $1.1 }
            report.add("bytes_per_delivery_to_client", Double(received) / Double(messages * (members - 1)))
            report.add("commits_meanwhile", Int(clamping: crowd.head(of: 0) - head) - messages)

            if nodes > 1 { report.add("copies_on_each_link", try copies(crowd, writers)) }
            try burst(crowd, writers, &report)
            if stream > 0 { try LoadGroupStream(crowd, from: writers[0], window: window).run(messages: stream, bytes: bytes, &report) }
            for node in federation.nodes { report.add("\(node.name)_rss_kib", node.process.memory.resident) }
            for (what, count) in crowd.troubles.sorted(by: { $0.key < $1.key }) { note("\(count) times: \(what)") }
            report.add("troubles", crowd.troubles.values.reduce(0, +))
            report.say(asJSON: common.json)
        }
    }

    /// Until all is numbered and on disk, and as far as it goes in the queues.
    private func sendToNobody(_ crowd: LoadGroupCrowd, _ report: inout LoadReport) throws {
        for member in crowd.members.dropFirst() { member.loop.execute { member.leaveNetwork() } }
        sleep(2)
        let costs = crowd.federation.nodes.map { LoadCost($0.process) }
        let start = LoadClock.now
        for _ in 0..<messages { _ = try crowd.send(from: crowd.members[0], bytes: bytes) }
        try crowd.wait("accepted", until: messages) { $0.accepted }
        report.add("messages", messages)
        report.add("accepted_per_s", Double(messages) / LoadGroupCrowd.seconds(LoadClock.now - start))
        sleep(2)
        let server = costs.reduce(0) { $0 + $1.server }
        report.add("server_us_per_message_before_delivery", Double(server) / Double(messages))
        report.add("server_us_per_member_and_message_before_delivery", Double(server) / Double(messages * (members - 1)))
        for member in crowd.members.dropFirst() { member.loop.execute { member.returnToNetwork() } }
        try crowd.wait("read by those who are back", until: messages * (members - 1)) { $0.arrived }
        try crowd.wait("delivered", until: messages) { $0.delivered.count }
        sleep(2)
        let inAll = costs.reduce(0) { $0 + $1.server }
        report.add("server_us_per_member_and_message_in_all", Double(inAll) / Double(messages * (members - 1)))
    }

    /// What a link carries more, in lengths, when a message is longer by so much: how often it carries each.
    private func copies(_ crowd: LoadGroupCrowd, _ writers: [LoadGroupMember]) throws -> Double {
        let more = Limits.textBytesMax - bytes - 512
        guard more > bytes, let short = try carried(crowd, writers, bytes), let long = try carried(crowd, writers, bytes + more) else {
            return .nan
        }
        return Double(long - short) / Double(more * (nodes - 1))
    }

    /// Bytes from the hub to all other nodes for one message with its receipts: the median of those that no commit came in between.
    private func carried(_ crowd: LoadGroupCrowd, _ writers: [LoadGroupMember], _ bytes: Int) throws -> Int? {
        var carried: [Int] = []
        for index in 0..<messages {
            let (links, head, delivered) = (try crowd.linkBytes()[0], crowd.head(of: 0), crowd.delivered)
            let message = try crowd.send(from: writers[index % senders], bytes: bytes)
            try crowd.wait("arrived alone", until: members - 1) { $0.arrivals[message] ?? 0 }
            try crowd.wait("delivered alone", until: delivered + 1) { $0.delivered.count }
            usleep(200_000)
            if crowd.head(of: 0) == head + 1 { carried.append(try crowd.linkBytes()[0] - links) }
        }
        return carried.sorted().dropFirst(carried.count / 2).first
    }

    /// All at once: what the nodes can carry.
    private func burst(_ crowd: LoadGroupCrowd, _ writers: [LoadGroupMember], _ report: inout LoadReport) throws {
        let (before, delivered) = (crowd.arrived, crowd.delivered)
        let deliveries = messages * (members - 1)
        let costs = crowd.federation.nodes.map { LoadCost($0.process) }
        let start = LoadClock.now
        for index in 0..<messages { _ = try crowd.send(from: writers[index % senders], bytes: bytes) }
        try crowd.wait("arrived at once", until: before + deliveries) { $0.arrived }
        report.add("burst_deliveries_per_s", Double(deliveries) / LoadGroupCrowd.seconds(LoadClock.now - start))
        try crowd.wait("delivered at once", until: delivered + messages) { $0.delivered.count }
        sleep(1)
        report.add("burst_server_us_per_delivery", Double(costs.reduce(0) { $0 + $1.server }) / Double(deliveries))
    }

    private func addCosts(_ report: inout LoadReport, _ name: String, _ costs: [LoadCost], per count: Int, unit: Double, _ suffix: String) {
        report.add("\(name)_cpu_\(suffix)", Double(costs.reduce(0) { $0 + $1.server }) / unit / Double(count))
        if let one = costs.first { report.add("\(name)_generator_cpu_\(suffix)", Double(one.generator) / unit / Double(count)) }
    }
}
