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

    struct Tally {
        var cells = 0
        var exits: [String: Int] = [:]
        var lived = 0
        var violations: [String] = []
        /// Sweeps that came to the script's last call, and that call.
        var ends: [String: Int] = [:]
        var parts: [ProofPart] = []
    }

    /// One kind of calls that fail in one way, each in its turn.
    struct Lane {
        let kinds: FaultControl.Kinds
        let error: Int32
        /// Whose turn it is.
        var call: Int
        var misses = 0

        private static let missesMax = 4

        /// No two runs of the script make quite the same number of calls.
        var isOver: Bool { misses >= Self.missesMax }
        var name: String { "\(kinds.text)_\(error == EIO ? "EIO" : "ENOSPC")" }
    }

    /// Cells by turns, so that workers share a sweep.
    final class Sweep: Sendable {
        private let state: Mutex<(lanes: [Lane], turn: Int)>
        private let stride: Int

        /// - Parameter stride: 1: every call; more: a sample of them, another with each seed.
        init(stride: Int, seed: UInt64) {
            self.stride = stride
            let first = 1 + Int(seed % UInt64(stride))
            let lanes: [(FaultControl.Kinds, Int32)] = [(.changes, EIO), (.changes, ENOSPC), ([.read, .open], EIO)]
            state = Mutex((lanes.map { Lane(kinds: $0.0, error: $0.1, call: first) }, 0))
        }

        /// - Returns: nil when every call has had its turn.
        func next() -> (index: Int, lane: Lane)? {
            state.withLock { state in
                for _ in state.lanes.indices {
                    state.turn = (state.turn + 1) % state.lanes.count
                    let lane = state.lanes[state.turn]
                    guard !lane.isOver else { continue }
                    state.lanes[state.turn].call += stride
                    return (state.turn, lane)
                }
                return nil
            }
        }

        /// The script did not come to the call.
        func missed(_ index: Int) { state.withLock { $0.lanes[index].misses += 1 } }

        var isOver: Bool { state.withLock { $0.lanes.allSatisfy(\.isOver) } }
    }

    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws {
        // A short run takes a sample; a long one comes to the end.
        let sweep = Sweep(stride: world.deadline - LoadClock.now < .seconds(150) ? 7 : 1, seed: world.seed)
        let tally = Mutex(Tally())
        let done = DispatchGroup()
        for worker in 0..<4 {
            done.enter()
            let thread = Thread {
                do {
                    var nodes = 0
                    while !world.isOver, !sweep.isOver {
                        nodes += 1
                        try work("\(worker).\(nodes)", world, sweep, tally)
                    }
                } catch { tally.withLock { $0.violations.append("worker \(worker): \(error)") } }
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
        if found.cells == 0 { part.violate("no call failed") }
        part.add("calls_that_failed", found.cells)
        for (what, count) in found.exits.sorted(by: { $0.key < $1.key }) { part.add(what, count) }
        part.add("node_went_on", found.lived)
        for (lane, call) in found.ends.sorted(by: { $0.key < $1.key }) { part.raise("calls_of_the_script_\(lane)", Double(call)) }
        if !sweep.isOver { part.add("sweeps_cut_short", 1) }
    }

    /// So many cells to a node: its script gets longer with all that it has lived through, and the sweep would never come to its end.
    private static let cellsMax = 40

    private static func work(_ name: String, _ world: ProofWorld, _ sweep: Sweep, _ tally: borrowing Mutex<Tally>) throws {
        let federation = ProofFederation(folder: "\(world.folder)/\(name)", running: world.running)
        defer { federation.destroy() }
        let node = try federation.make("harbor")
        try node.start()
        let history = ProofHistory(file: world.historyFile.map { "\($0).\(name)" })
        let seed = name.utf8.reduce(world.seed) { $0 &* 31 &+ UInt64($1) }
        let town = try ProofTown(federation, history, users: 8, seed: seed)
        defer { town.fleet.stop() }
        // So that there is something to lose from the first call on.
        _ = speak(node, town, history)
        try node.stop()
        var part = ProofPart(scenario: Self.name, number: 0, seed: world.seed)
        var cells = 0
        while !world.isOver, cells < cellsMax, let (index, lane) = sweep.next() {
            cells += 1
            node.faults.arm(.error(lane.error), ahead: lane.call, kinds: lane.kinds)
            let status = try script(node, town, history)
            let (fired, calls) = (node.faults.fired > 0, node.faults.calls)
            node.faults.count([])
            let said = node.lastWords
            try node.start()
            town.fleet.hurry()
            guard try town.fleet.converge(within: .seconds(20)) != nil else {
                part.violate("after \(lane.name) at call \(lane.call): not everything came to an end")
                break
            }
            guard fired else {
                sweep.missed(index)
                tally.withLock { $0.ends[lane.name, default: 0] = max($0.ends[lane.name, default: 0], calls) }
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
                default: tally.violations.append("\(lane.name) at call \(lane.call): exit \(status): \(said)")
                }
                if status == 0 || said.contains("why: ") && said.contains("remedy: ") { return }
                tally.violations.append("\(lane.name) at call \(lane.call): exit \(status) without a word: \(said)")
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
        try town.fleet.add(home: 0, link: town.links[0])
        if let group = town.fleet.groups.first {
            let name = "name \(node.starts)"
            group.founder.loop.execute { group.founder.wish(.rename(group.id, name)) }
        }
        if let status = speak(node, town, history) { return status }
        // Long enough for the journal to be folded and wiped.
        usleep(900_000)
        if let status = node.ended() { return status }
        return try node.stop()
    }

    /// All write until something has gone through, however slow the machine is.
    /// - Returns: how the node ended, if it did.
    private static func speak(_ node: ProofNode, _ town: ProofTown, _ history: ProofHistory) -> Int32? {
        town.fleet.send()
        defer { town.fleet.pause() }
        let goal = history.counts.accepted + 16
        let deadline = LoadClock.now + .seconds(8)
        while history.counts.accepted < goal, LoadClock.now < deadline {
            if let status = node.ended() { return status }
            usleep(2_000)
        }
        return nil
    }
}
