internal import Cryptography
internal import Glibc
internal import Vocabulary

/// Kills a node at chosen calls of its store, life after life.
///
/// The plan sweeps: each call from the first of a start on, with each way of dying there; between them lives that end far later, and lives
/// that end while the node stops.
final class KillDriver {
    enum Phase: String { case start, service, stop }

    private enum Plan {
        case after(calls: Int, FaultControl.Action)
        case stopping(calls: Int, FaultControl.Action)
    }

    private enum Stage {
        case down
        case starting(Plan)
        case serving(Plan, since: Instant)
        case stopping(since: Instant)
    }

    let node: ProofNode
    /// Deaths by phase, and the calls that they fell on.
    private(set) var kills: [Phase: Int] = [:]
    private(set) var places: Set<Int> = []
    private(set) var kinds: [String: Int] = [:]
    private(set) var cleanStops = 0
    /// Deaths by the clock: the call did not come.
    private(set) var overdue = 0
    private(set) var strange: [String] = []
    /// Starts that found the folder still locked by the life before.
    private(set) var stillLocked = 0
    private(set) var starts: [Int64] = []
    private var random: SeededGenerator
    private var plans: [Plan] = []
    private var stage = Stage.down
    private var launched = Instant.start
    private let sweep: Int

    init(_ node: ProofNode, sweep: Int, random: SeededGenerator) { (self.node, self.sweep, self.random) = (node, sweep, random) }

    var total: Int { kills.values.reduce(0, +) }

    /// Takes the next step, if one is due.
    ///
    /// - Parameter onReady: when the node serves again.
    func poll(onReady: () -> Void) throws {
        if let status = node.ended() { noteEnd(status) }
        switch stage {
        case .down:
            let plan = nextPlan()
            switch plan {
            case .after(let calls, let action): node.faults.arm(action, ahead: calls, kinds: .changes)
            case .stopping: node.faults.count(.changes)
            }
            launched = LoadClock.now
            try node.launch()
            stage = .starting(plan)
        case .starting(let plan):
            if node.isReady {
                starts.append((LoadClock.now - launched).nanoseconds)
                stage = .serving(plan, since: LoadClock.now)
                onReady()
            } else if LoadClock.now - launched > .seconds(30) {
                strange.append("\(node.name) is not ready after 30 s: \(node.lastWords)")
                node.signal(SIGKILL)
            }
        case .serving(.stopping(let calls, let action), let since):
            guard LoadClock.now - since > .milliseconds(Int64(20 + calls % 7 * 20)) else { return }
            node.faults.arm(action, ahead: calls, kinds: .changes)
            node.signal(SIGTERM)
            stage = .stopping(since: LoadClock.now)
        case .serving(.after, let since), .stopping(let since):
            guard LoadClock.now - since > .seconds(8) else { return }
            overdue += 1
            node.signal(SIGKILL)
            stage = .stopping(since: LoadClock.now)
        }
    }

    private func noteEnd(_ status: Int32) {
        let before = stage
        stage = .down
        guard status == 128 + SIGKILL else {
            if status == 0, case .stopping = before {
                cleanStops += 1
            } else if status == 78, node.lastWords.contains("is in use by process") {
                // Seen under heavy load: the kernel had reported the death and not yet given up the lock. An operator starts it again.
                stillLocked += 1
            } else {
                strange.append("\(node.name) ended with \(status): \(node.lastWords)")
            }
            return
        }
        guard node.faults.fired > 0 else { return }
        let phase: Phase =
            switch before {
            case .down, .starting: .start
            case .serving: .service
            case .stopping: .stop
            }
        kills[phase, default: 0] += 1
        places.insert(node.faults.calls)
        kinds[node.faults.firedKind.text, default: 0] += 1
    }

    private func nextPlan() -> Plan {
        if plans.isEmpty {
            let actions: [FaultControl.Action] = [.kill, .killTorn, .killAfter]
            for action in actions {
                for calls in 1...sweep { plans.append(.after(calls: calls, action)) }
                for calls in 1...30 { plans.append(.stopping(calls: calls, action)) }
                for _ in 0..<(sweep / 5) { plans.append(.after(calls: Int.random(in: sweep...(sweep * 10), using: &random), action)) }
            }
            plans.shuffle(using: &random)
        }
        return plans.removeLast()
    }
}
