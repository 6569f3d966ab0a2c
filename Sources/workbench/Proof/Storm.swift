internal import Cryptography
internal import Glibc
internal import Histories
internal import Synchronization
internal import Vocabulary

/// Thousands of sessions whose node is killed and returns: real devices, which decide by themselves when to come back.
enum Storm: ProofScenario {
    static let name = "storm"
    static let about = "5,000 sessions whose node is killed: all back within 60 s of its return, spread evenly, within every bound"
    static let secondsMin = 60
    static let share = 2
    private static let sessions = 5_000

    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws {
        let federation = ProofFederation(folder: world.folder, running: world.running)
        defer { federation.destroy() }
        try federation.start(["harbor"])
        let node = federation.nodes[0]
        let crowd = try LoadCrowd(
            count: sessions, links: [federation.invitation(at: node, uses: sessions)], threads: 2, seed: world.seed)
        defer { crowd.stop() }
        _ = try crowd.open("registered", pending: 256)
        let returns = Mutex<[Int64]>([])
        for user in crowd.users {
            user.loop.execute {
                user.onEvent = { _, event in
                    if case .up = event { returns.withLock { $0.append(LoadClock.now.nanoseconds) } }
                }
            }
        }
        // Long enough away for everybody to wait as long as anybody waits.
        repeat {
            try node.crash()
            usleep(8_000_000)
            returns.withLock { $0 = [] }
            try node.launch()
            guard try node.awaitReady() == nil else { return part.violate("the node does not come back: \(node.lastWords)") }
            let back = LoadClock.now
            var memory = 0
            while returns.withLock({ $0.count }) < sessions, LoadClock.now - back < .seconds(60) {
                usleep(100_000)
                memory = max(memory, node.process?.memory.resident ?? 0)
            }
            let times = returns.withLock { $0 }.map { Double($0 - back.nanoseconds) / 1e9 }.sorted()
            if times.count < sessions { part.violate("\(sessions - times.count) of \(sessions) sessions are not back after 60 s") }
            guard let last = times.last, last > 0 else { return part.violate("nobody came back") }
            // Evenly: no second brings more than three times what an even spread over all of the time would.
            var seconds: [Int: Int] = [:]
            for time in times { seconds[Int(time), default: 0] += 1 }
            let busiest = seconds.values.max() ?? 0
            let even = Double(times.count) / max(1, last)
            if Double(busiest) > 3 * even, last > 3 { part.violate("\(busiest) of \(times.count) came back in one second of \(last)") }
            if memory > 1 << 20 { part.violate("the node took \(memory) KiB") }
            part.add("sessions_that_came_back", times.count)
            part.raise("all_back_s", last)
            part.raise("half_back_s", times[times.count / 2])
            part.raise("busiest_second", Double(busiest))
            part.raise("node_resident_kib", Double(memory))
            part.raise("node_descriptors", Double(node.descriptors))
            part.add("storms", 1)
        } while !world.isOver
    }
}
