internal import Glibc
internal import Histories
internal import Vocabulary

/// A hub and a follower that die again and again, each at every call of its store, while users write, register, change groups, and nodes
/// join and are expelled.
enum KillSweep: ProofScenario {
    static let name = "kill-sweep"
    static let about = "SIGKILL at the N-th write or sync of hub and follower, for every N, with everything in flight"
    static let secondsMin = 20
    static let share = 8

    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws {
        let federation = ProofFederation(folder: world.folder, running: world.running)
        defer { federation.destroy() }
        try federation.start(["harbor", "tower"])
        let history = ProofHistory(file: world.historyFile)
        let town = try ProofTown(federation, history, users: 16, seed: world.seed)
        defer { town.fleet.stop() }
        let churn = ProofChurn(town, random: world.random(1))
        let newcomers = MemberChurn(federation, through: federation.nodes[0], running: world.running)
        let drivers = federation.nodes.enumerated().map { KillDriver($1, sweep: 120, random: world.random(UInt64(10 + $0))) }
        history.note("nodes", .plan(fault: "kill"))
        for node in federation.nodes { node.signal(SIGKILL) }
        town.fleet.send()
        newcomers.begin()
        var lastNote = LoadClock.now
        while !world.isOver {
            for (index, driver) in drivers.enumerated() {
                try driver.poll {
                    history.note(driver.node.name, .fault("kill"))
                    town.fleet.hurry(home: index)
                }
            }
            try churn.poll()
            if LoadClock.now - lastNote > .seconds(10) {
                lastNote = LoadClock.now
                let counts = history.counts
                note("kill-sweep: \(drivers.reduce(0) { $0 + $1.total }) kill points, \(counts.accepted) accepted, \(counts.shown) shown")
            }
            usleep(1_000)
        }
        for node in federation.nodes {
            node.faults.count([])
            try node.crash()
            try node.start()
        }
        newcomers.end()
        town.fleet.hurry()
        history.note("nodes", .healed)
        try town.conclude(&part)
        part.judge(history)
        for complaint in drivers.flatMap(\.strange) + newcomers.complaints { part.violate(complaint) }
        try newcomers.judge(&part)
        for driver in drivers {
            part.add("kill_points", driver.total)
            for (phase, count) in driver.kills.sorted(by: { $0.key.rawValue < $1.key.rawValue }) { part.add("at_\(phase.rawValue)", count) }
            for (kind, count) in driver.kinds.sorted(by: { $0.key < $1.key }) { part.add("in_\(kind)", count) }
            part.add("stopped_before_the_call", driver.cleanStops)
            part.add("call_did_not_come", driver.overdue)
            part.add("folder_still_locked", driver.stillLocked)
            part.raise("different_calls_of_a_life", Double(driver.places.count))
            let sorted = driver.starts.sorted()
            if !sorted.isEmpty { part.raise("start_ms_p50", Double(sorted[sorted.count / 2]) / 1e6) }
        }
        part.add("registered", town.fleet.registered)
        part.add("group_changes_asked", churn.changes)
        part.add("nodes_joined_and_expelled", newcomers.rounds)
    }
}
