internal import Foundation
internal import Glibc
internal import Histories
internal import Synchronization
internal import Vocabulary

/// A node whose disk fails once: at each call of its store in turn, with EIO and with ENOSPC, while a script runs that starts it, sends,
/// registers, changes a group, folds the journal and stops.
enum IOSweep: ProofScenario {
    static let name = "io-sweep"
    static let about = "each I/O call of the store fails once with EIO and once with ENOSPC"
    static let secondsMin = 20
    static let share = 3

    /// One failing call each, in the order of a sweep.
    struct Cell { let kinds: FaultControl.Kinds, error: Int32, call: Int }

    struct Tally {
        var cells = 0
        var exits: [String: Int] = [:]
        var lived = 0
        var violations: [String] = []
        /// Sweeps that came to the script's last call, and that call.
        var ends: [String: Int] = [:]
        var parts: [ProofPart] = []
    }

    /// Cells by turns, so that workers and parts of a run share a sweep: part n begins where it would be with all before it.
    final class Sweep: Sendable {
        private let state: Mutex<(lanes: [(kinds: FaultControl.Kinds, error: Int32, next: Int, misses: Int)], turn: Int)>

        private static let missesMax = 4
        private let stride: Int

        /// - Parameter stride: 1: every call; more: a sample of them, another with each seed.
        init(stride: Int, seed: UInt64) {
            self.stride = stride
            let lanes: [(FaultControl.Kinds, Int32)] = [(.changes, EIO), (.changes, ENOSPC), ([.read, .open], EIO)]
            let first = 1 + Int(seed % UInt64(stride))
            state = Mutex((lanes.map { (kinds: $0.0, error: $0.1, next: first, misses: 0) }, 0))
        }

        /// - Returns: nil when every call has had its turn.
        func next() -> (lane: Int, cell: Cell)? {
            state.withLock { state in
                for _ in state.lanes.indices {
                    state.turn = (state.turn + 1) % state.lanes.count
                    let lane = state.lanes[state.turn]
                    guard lane.misses < Self.missesMax else { continue }
                    state.lanes[state.turn].next += stride
                    return (state.turn, Cell(kinds: lane.kinds, error: lane.error, call: lane.next))
                }
                return nil
            }
        }

        /// The script did not come to the call. No two runs of it make quite the same number.
        func missed(_ lane: Int) { state.withLock { $0.lanes[lane].misses += 1 } }
    }

    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws {
        // A short run takes a sample; a long one comes to the end.
        let sweep = Sweep(stride: world.deadline - LoadClock.now < .seconds(150) ? 7 : 1, seed: world.seed)
        let tally = Mutex(Tally())
        let done = DispatchGroup()
        for worker in 0..<4 {
            done.enter()
            let thread = Thread {
                do { try work(worker, world, sweep, tally) } catch { tally.withLock { $0.violations.append("worker \(worker): \(error)") } }
                done.leave()
            }
            thread.start()
        }
        done.wait()
        let found = tally.withLock { $0 }
        for one in found.parts {
            for figure in one.figures { part.add(figure.key, figure.value, figure.sum) }
            part.violations += one.violations
        }
        for what in found.violations { part.violate(what) }
        part.add("calls_that_failed", found.cells)
        for (what, count) in found.exits.sorted(by: { $0.key < $1.key }) { part.add(what, count) }
        part.add("node_went_on", found.lived)
        for (lane, call) in found.ends.sorted(by: { $0.key < $1.key }) { part.raise("calls_of_the_script_\(lane)", Double(call)) }
        if sweep.next() != nil { part.add("sweeps_cut_short", 1) }
    }

    private static func work(_ worker: Int, _ world: ProofWorld, _ sweep: Sweep, _ tally: borrowing Mutex<Tally>) throws {
        let federation = ProofFederation(folder: "\(world.folder)/\(worker)", running: world.running)
        defer { federation.destroy() }
        let node = try federation.make("harbor")
        try node.start()
        let history = ProofHistory(file: world.historyFile.map { "\($0).\(worker)" })
        let town = try ProofTown(federation, history, users: 8, seed: world.seed &+ UInt64(worker))
        defer { town.fleet.stop() }
        try node.stop()
        history.note("harbor", .plan(fault: "disk"))
        var part = ProofPart(scenario: name, number: 0, seed: world.seed)
        while !world.isOver, let (lane, cell) = sweep.next() {
            let what = "\(cell.kinds.text) \(cell.error == EIO ? "EIO" : "ENOSPC")"
            node.faults.arm(.error(cell.error), ahead: cell.call, kinds: cell.kinds)
            let status = try script(node, town, history)
            let (fired, calls) = (node.faults.fired > 0, node.faults.calls)
            node.faults.count([])
            let said = node.lastWords
            try node.start()
            town.fleet.hurry()
            guard try town.fleet.converge(within: .seconds(20)) != nil else {
                part.violate("after \(what) at call \(cell.call): not everything came to an end")
                break
            }
            guard fired else {
                sweep.missed(lane)
                tally.withLock { $0.ends[what.replacing(" ", with: "_"), default: 0] = max($0.ends[what, default: 0], calls) }
                try node.stop()
                continue
            }
            history.note("harbor", .fault("disk"))
            try node.stop()
            tally.withLock { tally in
                tally.cells += 1
                switch status {
                case 0: tally.lived += 1
                case 74: tally.exits["exit_74", default: 0] += 1
                case 78, 65: tally.exits["refused_to_start", default: 0] += 1
                default: tally.violations.append("\(what) at call \(cell.call): exit \(status): \(said)")
                }
                if status == 0 || said.contains("why: ") && said.contains("remedy: ") { return }
                tally.violations.append("\(what) at call \(cell.call): exit \(status) without a word: \(said)")
            }
        }
        try node.start()
        town.fleet.hurry()
        history.note("harbor", .healed)
        try town.conclude(&part)
        try node.stop()
        part.judge(history)
        tally.withLock { $0.parts.append(part) }
    }

    /// - Returns: how the node ended.
    private static func script(_ node: ProofNode, _ town: ProofTown, _ history: ProofHistory) throws -> Int32 {
        try node.launch()
        if let status = try node.awaitReady() { return status }
        town.fleet.hurry()
        town.fleet.send()
        if town.fleet.users.count < 900 { try town.fleet.add(home: 0, link: town.links[0]) }
        if let group = town.fleet.groups.first {
            let name = "name \(node.starts)"
            group.founder.loop.execute { group.founder.wish(.rename(group.id, name)) }
        }
        // Until something has gone through, however slow the machine is; then long enough for the journal to be folded and wiped.
        let goal = history.counts.accepted + 16
        let deadline = LoadClock.now + .seconds(8)
        while history.counts.accepted < goal, LoadClock.now < deadline {
            if let status = node.ended() {
                town.fleet.pause()
                return status
            }
            usleep(2_000)
        }
        town.fleet.pause()
        usleep(900_000)
        if let status = node.ended() { return status }
        return try node.stop()
    }
}
