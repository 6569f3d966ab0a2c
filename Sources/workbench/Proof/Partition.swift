internal import Cryptography
internal import Glibc
internal import Histories
internal import Vocabulary

/// Two nodes in network namespaces of their own, whose link loses every packet for a while: both ways, or one way only.
enum Partition: ProofScenario {
    static let name = "partition"
    static let about = "two nodes in namespaces, cut off from each other both ways and one way: complete and quiet 30 s after healing"
    static let secondsMin = 45
    static let share = 3

    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws {
        let networks: TwinNetworks
        do { networks = try TwinNetworks(world) } catch {
            return part.skip("partition", "network namespaces cannot be made here (\(error))")
        }
        defer { networks.remove() }
        let federation = ProofFederation(folder: world.folder, running: world.running)
        defer { federation.destroy() }
        for index in 0...1 {
            let node = try federation.make(
                ["harbor", "tower"][index], listening: networks.listening(index), prefix: networks.prefix(index))
            try node.start()
        }
        try federation.awaitLinks()
        let history = ProofHistory(file: world.historyFile)
        let town = try ProofTown(federation, history, users: 12, seed: world.seed)
        town.fleet.pace.undelivered = 2_000
        defer { town.fleet.stop() }
        var random = world.random(4)
        var (cuts, longest, separated) = (0, 0.0, 0.0)
        history.note("network", .plan(fault: "partition"))
        let ways: [TwinNetworks.Way] = [.both, .fromFirst, .fromSecond]
        // An hour is not divided: what is to be shown is that two nodes can be apart for so long.
        let seconds = Int((world.deadline - LoadClock.now).nanoseconds / 1_000_000_000)
        let spell = seconds > 3_600 ? 3_600 : max(8, seconds / 3 - 8)
        if spell > 600 { town.fleet.pace.rest = .milliseconds(50) }
        for way in ways.shuffled(using: &random) {
            guard cuts == 0 || Int((world.deadline - LoadClock.now).nanoseconds / 1_000_000_000) >= spell else { break }
            town.fleet.send()
            try networks.cut(way)
            history.note("network", .fault("partition"))
            let begun = LoadClock.now
            let before = history.counts
            // A trickle across, and what each side has within: as much as the time allows.
            while LoadClock.now - begun < .seconds(Int64(spell)) { usleep(50_000) }
            separated += Double((LoadClock.now - begun).nanoseconds) / 1e9
            try networks.heal()
            part.add("messages_while_separated", history.counts.invoked - before.invoked)
            let healed = LoadClock.now
            guard try town.fleet.converge(within: .seconds(30)) != nil else {
                part.violate("cut \(way): not complete 30 s after healing")
                break
            }
            longest = max(longest, Double((LoadClock.now - healed).nanoseconds) / 1e9)
            cuts += 1
            if longest > 30 { part.violate("cut \(way): complete only \(longest) s after healing") }
        }
        history.note("network", .healed)
        // Quiet: nothing goes over the link but what goes over an idle one.
        usleep(2_000_000)
        let before = try networks.packets()
        usleep(5_000_000)
        part.raise("packets_per_s_when_quiet", Double(try networks.packets() - before) / 5)
        part.judge(history)
        part.add("partitions", cuts)
        part.add("separated_s", separated, .total)
        part.raise("complete_after_s", longest)
    }
}

/// Two namespaces, a wire between them, and one from each to us. They live as long as the processes that hold them.
final class TwinNetworks {
    enum Way { case both, fromFirst, fromSecond }

    private let world: ProofWorld
    private var holders: [LoadProcess] = []
    private let stem: String
    private let net: Int

    init(_ world: ProofWorld) throws {
        self.world = world
        // Names and addresses that nobody else has: several may run on one machine.
        net = Int(getpid()) % 200 + 20
        stem = "ph\(getpid() % 100_000)"
        do { try make() } catch {
            remove()
            throw error
        }
    }

    private func make() throws {
        for index in 0...1 {
            let out = "\(world.folder)/holder-\(index)"
            let holder = try LoadProcess(["/usr/bin/env", "unshare", "-n", "sleep", "100000"], output: out, log: out + ".log")
            world.running.insert(holder)
            holders.append(holder)
            usleep(100_000)
            guard holder.exitStatus == nil else { throw LoadFailure("unshare: \(Files.text(holder.logFile))") }
        }
        try world.tool("ip", "link", "add", "\(stem)p0", "type", "veth", "peer", "name", "\(stem)p1")
        for index in 0...1 {
            let holder = "\(holders[index].pid)"
            try world.tool("ip", "link", "set", "\(stem)p\(index)", "netns", holder)
            try world.tool("ip", "link", "add", "\(stem)u\(index)", "type", "veth", "peer", "name", "\(stem)c\(index)")
            try world.tool("ip", "link", "set", "\(stem)c\(index)", "netns", holder)
            try world.tool("ip", "addr", "add", "10.\(net).\(index + 1).1/24", "dev", "\(stem)u\(index)")
            try world.tool("ip", "link", "set", "\(stem)u\(index)", "up")
            try inside(index, "ip", "addr", "add", "10.\(net).\(index + 1).2/24", "dev", "\(stem)c\(index)")
            try inside(index, "ip", "addr", "add", "10.\(net).9.\(index + 1)/24", "dev", "\(stem)p\(index)")
            for device in ["lo", "\(stem)c\(index)", "\(stem)p\(index)"] { try inside(index, "ip", "link", "set", device, "up") }
            try inside(index, "tc", "qdisc", "add", "dev", "\(stem)p\(index)", "clsact")
        }
    }

    func prefix(_ index: Int) -> [String] { ["/usr/bin/env", "nsenter", "--net=/proc/\(holders[index].pid)/ns/net"] }

    func listening(_ index: Int) -> [String] {
        ["--public", "--clients", "10.\(net).\(index + 1).2:7443", "--peers", "10.\(net).9.\(index + 1):7444"]
    }

    @discardableResult
    private func inside(_ index: Int, _ words: String...) throws -> String {
        try world.tool(Array(prefix(index).dropFirst()) + words)
    }

    /// Packets from here on vanish; nobody is told.
    func cut(_ way: Way) throws {
        for index in 0...1 where way == .both || (way == .fromFirst) == (index == 0) {
            try inside(index, "tc", "filter", "add", "dev", "\(stem)p\(index)", "egress", "bpf", "da", "bytecode", "1,6 0 0 2")
        }
    }

    func heal() throws {
        for index in 0...1 { try inside(index, "tc", "filter", "del", "dev", "\(stem)p\(index)", "egress") }
    }

    /// Over the wire between the two so far.
    func packets() throws -> Int {
        let text = try inside(0, "cat", "/proc/net/dev")
        for line in text.split(separator: "\n") where line.contains("\(stem)p0:") {
            let words = line.split(separator: " ")
            if words.count > 10, let received = Int(words[2]), let sent = Int(words[10]) { return received + sent }
        }
        throw LoadFailure("no figures for the wire")
    }

    /// The wires go with the namespaces.
    func remove() {
        for holder in holders {
            holder.stop()
            world.running.remove(holder)
        }
        for index in 0...1 { _ = try? world.tool("ip", "link", "del", "\(stem)u\(index)") }
        _ = try? world.tool("ip", "link", "del", "\(stem)p0")
    }
}
