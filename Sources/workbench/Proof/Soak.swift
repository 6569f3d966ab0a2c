internal import Cryptography
internal import Glibc
internal import Histories
internal import Vocabulary

/// Mixed load for a long time: what the nodes hold must not grow.
enum Soak: ProofScenario {
    static let name = "soak"
    static let about = "mixed load: memory, file descriptors, journal and log stay bounded"
    static let secondsMin = 30
    static let share = 3

    private struct Sample { let seconds, resident, descriptors: Double }

    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws {
        let federation = ProofFederation(folder: world.folder, running: world.running)
        defer { federation.destroy() }
        try federation.start(["harbor", "tower"])
        let history = ProofHistory(file: world.historyFile)
        let town = try ProofTown(federation, history, users: 24, seed: world.seed)
        defer { town.fleet.stop() }
        history.note("nodes", .plan(fault: "none"))
        history.note("nodes", .fault("none"))
        town.fleet.pace.window = 2
        town.fleet.pace.rest = .milliseconds(100)
        town.fleet.send()
        let start = LoadClock.now
        var samples: [String: [Sample]] = [:]
        let (logMax, journalMax) = (64 << 20, 17 << 20)
        while !world.isOver {
            for node in federation.nodes {
                guard let process = node.process, node.ended() == nil else { return part.violate("\(node.name) ended: \(node.lastWords)") }
                let seconds = Double((LoadClock.now - start).nanoseconds) / 1e9
                samples[node.name, default: []].append(
                    Sample(seconds: seconds, resident: Double(process.memory.resident), descriptors: Double(node.descriptors)))
                history.note(node.name, .gauge("log", value: Int64(node.bytes(of: "store.db-wal")), bound: Int64(logMax)))
                history.note(node.name, .gauge("journal", value: Int64(node.bytes(of: "journal")), bound: Int64(journalMax)))
                part.raise("log_bytes", Double(node.bytes(of: "store.db-wal")))
                part.raise("journal_bytes", Double(node.bytes(of: "journal")))
                part.raise("database_bytes", Double(node.bytes(of: "store.db")))
            }
            usleep(500_000)
        }
        let lasted = Double((LoadClock.now - start).nanoseconds) / 1e9
        history.note("nodes", .healed)
        try town.conclude(&part)
        part.judge(history)
        for (name, all) in samples.sorted(by: { $0.key < $1.key }) {
            // The first third is warm-up.
            let steady = Array(all.dropFirst(all.count / 3))
            let slope = Self.slope(steady.map { ($0.seconds, $0.resident) })
            let files = steady.map(\.descriptors)
            part.raise("\(name)_resident_kib", steady.map(\.resident).max() ?? 0)
            part.raise("\(name)_slope_kib_per_hour", slope * 3600)
            part.raise("\(name)_descriptors", files.max() ?? 0)
            if let low = files.min(), let high = files.max(), high - low > 8 {
                part.violate("\(name): descriptors went from \(low) to \(high)")
            }
            // A slope means something only over a time that dwarfs the allocator's steps.
            if lasted >= 1_800, slope * 3600 > 1_024 { part.violate("\(name) grows by \(Int(slope * 3600)) KiB an hour") }
        }
        part.add("soaked_s", lasted, .total)
        part.raise("messages_per_s", Double(history.counts.accepted) / lasted)
    }

    /// Of the straight line that fits best.
    private static func slope(_ points: [(x: Double, y: Double)]) -> Double {
        let count = Double(points.count)
        guard count > 2 else { return 0 }
        let (meanX, meanY) = (points.reduce(0) { $0 + $1.x } / count, points.reduce(0) { $0 + $1.y } / count)
        let covariance = points.reduce(0) { $0 + ($1.x - meanX) * ($1.y - meanY) }
        let variance = points.reduce(0) { $0 + ($1.x - meanX) * ($1.x - meanX) }
        return variance > 0 ? covariance / variance : 0
    }
}
