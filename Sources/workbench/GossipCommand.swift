internal import ArgumentParser
internal import Federation
internal import Glibc
internal import Simulation
internal import Vocabulary
internal import Wire

/// What belonging to a federation costs a node, and how fast news spreads, by the number of nodes: the real cores in virtual time.
struct GossipCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gossip", abstract: "Bytes a node and second, and how fast news reaches all, by the number of nodes.",
        discussion: """
            Example: workbench gossip 10 100 1000 --users 100000
            Nodes, with users who do nothing, are let settle; then what they say to each other is counted. A user registers: until the last node has the
            record. A node is killed: until the first, and until the last, holds it for dead. Delays are some milliseconds, as in `simulate`.
            """)

    @Argument(help: "How many nodes; several numbers, one after the other.") var sizes: [Int] = [10, 100]
    @Option(help: "Virtual seconds over which bytes are counted.") var seconds = 30
    @Option(help: "Users whose records every node has, spread over the nodes as their homes.") var users = 0
    @Option(help: "Virtual seconds in which nodes settle before bytes are counted.") var settle = 30
    @Option(help: "Chooses the whole course.") var seed: UInt64 = 1
    @Flag(help: "One JSON object a line, on a terminal too.") var json = false

    func validate() throws {
        guard sizes.allSatisfy({ (3...1_000).contains($0) }), (1...3_600).contains(seconds), (0...3_600).contains(settle),
            (0...1_000_000).contains(users)
        else {
            throw ValidationError("From 3 to 1,000 nodes, up to 3,600 seconds and 1,000,000 users.")
        }
    }

    func run() throws { for size in sizes { try run(size) } }

    private func run(_ size: Int) throws {
        let start = LoadClock.now
        var world = try World(nodes: size, seed: seed)
        try world.populate(users: users)
        note("\(size) nodes: they settle")
        try world.run(for: .seconds(settle))
        var report = LoadReport("gossip")
        report.add("nodes", size)
        report.add("users", users)
        report.add("links_per_node_at_first", links(of: world))
        var (bytes, frames): ([String: Int], Int) = ([:], 0)
        for _ in 0..<seconds {
            world.tape = Tape()
            try world.run(for: .seconds(1))
            for entry in world.tape?.linkFrames ?? [] {
                bytes[Self.kind(entry.frame), default: 0] += entry.frame.serialized().count + 4
                frames += 1
            }
        }
        world.tape = nil
        report.add("bytes_per_node_and_second", Double(bytes.values.reduce(0, +)) / Double(size * seconds))
        for (kind, count) in bytes.sorted(by: { $0.key < $1.key }) { report.add("bytes_\(kind)", Double(count) / Double(size * seconds)) }
        report.add("frames_per_node_and_second", Double(frames) / Double(size * seconds))
        report.add("links_per_node", links(of: world))

        note("\(size) nodes: a user registers")
        let user = try world.addUser("newcomer", at: 0)
        guard try world.run(until: { $0.isMember(user) }, within: .seconds(60)) else { throw LoadFailure("nobody was registered") }
        let id = world.profile(user).account.userID
        let spread = try reach(&world, of: 1..<size, within: .seconds(120)) { world, node in
            world.store(node).values[.userRecord]?[id.bytes] != nil
        }
        report.add("record_everywhere_s", spread.all)

        note("\(size) nodes: one dies")
        let victim = world.nodeID(1)
        world.kill(node: 1, for: .hours(1))
        let noticed = try reach(&world, of: (0..<size).filter { $0 != 1 }, within: .seconds(120)) { world, node in
            world.node(node)?.health(of: victim)?.state == .dead
        }
        report.add("dead_to_the_first_s", noticed.first)
        report.add("dead_to_the_last_s", noticed.all)
        report.add("real_s", Double((LoadClock.now - start).nanoseconds) / 1e9)
        report.say(asJSON: json)
    }

    private func links(of world: World) -> Double {
        Double((0..<world.nodeCount).reduce(0) { $0 + (world.node($1)?.openLinks.count ?? 0) }) / Double(world.nodeCount)
    }

    /// What the bytes are for.
    private static func kind(_ frame: LinkFrame) -> String {
        switch frame {
        case .hello, .goodbye: "links"
        case .statements, .statementsDigest, .join, .admitted: "statements"
        case .liveness: "liveness"
        case .records, .takesPackedRecords, .packedRecords, .reconcile, .recordsWanted, .equivocation, .lookup, .found: "directory"
        case .entry, .acknowledge, .claimKeyPackages, .keyPackages, .fetchGroup, .group, .refusedRequest, .refetch, .signal,
            .presenceWanted, .presenceUnwanted, .presence:
            "messages"
        }
    }

    /// Virtual seconds until it holds of the first, and of all; not a number for what never held.
    private func reach(
        _ world: inout World, of nodes: some Collection<Int>, within limit: Duration, _ holds: (World, Int) -> Bool
    ) throws -> (first: Double, all: Double) {
        let start = world.now
        var (missing, first) = (Array(nodes), Double.nan)
        while !missing.isEmpty {
            guard world.now - start < limit else { return (first, .nan) }
            try world.run(for: .milliseconds(50))
            missing.removeAll { holds(world, $0) }
            let passed = Double((world.now - start).nanoseconds) / 1e9
            if first.isNaN, missing.count < nodes.count { first = passed }
        }
        return (first, Double((world.now - start).nanoseconds) / 1e9)
    }
}
