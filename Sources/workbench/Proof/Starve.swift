internal import Cryptography
internal import Glibc
internal import Histories
internal import Vocabulary

/// Ten nodes of which one hardly ever runs. What the others think of each other is asked all the time; at the end one dies.
enum Starve: ProofScenario {
    static let name = "starve"
    static let about = "1 of 10 nodes starved of CPU: no healthy node held for dead for over 10 s, a dead one noticed in under 10 s"
    static let secondsMin = 40
    static let share = 2

    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws {
        let federation = ProofFederation(folder: world.folder, running: world.running)
        defer { federation.destroy() }
        let names = (0..<10).map { "node-\($0)" }
        try federation.start(names)
        let starved = federation.nodes[9]
        let healthy = Array(federation.nodes.dropLast())
        var random = world.random(5)
        // Runs for a twentieth of the time.
        var isStopped = false
        var nextTurn = LoadClock.now
        func starve() {
            guard LoadClock.now >= nextTurn else { return }
            isStopped.toggle()
            starved.signal(isStopped ? SIGSTOP : SIGCONT)
            nextTurn =
                LoadClock.now
                + .milliseconds(isStopped ? Int64.random(in: 400...1_500, using: &random) : Int64.random(in: 20...80, using: &random))
        }
        let start = LoadClock.now
        var since: [String: Instant] = [:]
        var (longest, sightings, asked) = (0.0, 0, 0)
        while !world.isOver {
            for node in healthy {
                starve()
                let states = try federation.states(seenBy: node)
                asked += 1
                for other in healthy where other.name != node.name {
                    let key = "\(node.name) of \(other.name)"
                    guard states[other.name] == "dead" else {
                        since[key] = nil
                        continue
                    }
                    sightings += 1
                    let begun = since[key] ?? LoadClock.now
                    since[key] = begun
                    longest = max(longest, Double((LoadClock.now - begun).nanoseconds) / 1e9)
                }
                usleep(20_000)
            }
        }
        if longest > 10 { part.violate("a healthy node was held for dead for \(longest) s") }
        let lasted = Double((LoadClock.now - start).nanoseconds) / 1e9
        // One dies, while the starved one goes on starving.
        let victim = healthy[4]
        try victim.crash()
        let died = LoadClock.now
        var unaware = healthy.filter { $0.name != victim.name }
        while !unaware.isEmpty, LoadClock.now - died < .seconds(30) {
            starve()
            unaware = try unaware.filter { try federation.states(seenBy: $0)[victim.name] != "dead" }
            usleep(10_000)
        }
        let noticed = Double((LoadClock.now - died).nanoseconds) / 1e9
        if noticed > 10 { part.violate("a dead node was noticed by all only after \(noticed) s") }
        starved.signal(SIGCONT)
        part.add("starved_s", lasted, .total)
        part.add("asked", asked)
        part.add("healthy_seen_dead", sightings)
        part.raise("healthy_seen_dead_s_longest", longest)
        part.raise("dead_noticed_by_all_s", noticed)
    }
}
