internal import Cryptography
internal import Glibc
internal import Histories
internal import Vocabulary

/// Real `courier` processes that die at every call on their profile: while they send, while they receive, and while they change a group.
enum ClientKillSweep: ProofScenario {
    static let name = "client-kills"
    static let about = "SIGKILL at the N-th write or sync of courier, for every N of sending, receiving and a commit"
    static let secondsMin = 20
    static let share = 2

    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws {
        let federation = ProofFederation(folder: world.folder, running: world.running)
        defer { federation.destroy() }
        try federation.start(["harbor"])
        let history = ProofHistory(file: world.historyFile)
        let (alice, bob) = try CourierUser.pair(at: federation, world, history)
        let group = try alice.courier(["group", "create", "team", bob.address]).output
        history.note("couriers", .plan(fault: "kill"))
        var (kills, most) = (0, 0)
        var kinds: [String: Int] = [:]
        let actions: [FaultControl.Action] = [.kill, .killTorn, .killAfter]
        func suffer(_ user: CourierUser, _ words: [String], _ action: FaultControl.Action, at call: Int) throws -> Bool {
            user.faults.arm(action, ahead: call, kinds: .changes)
            let outcome = try user.courier(words, suffering: true)
            guard user.faults.fired > 0 else { return false }
            guard outcome.status == 128 + SIGKILL else { throw LoadFailure("courier was not killed: \(outcome.status)") }
            (kills, most) = (kills + 1, max(most, call))
            kinds[user.faults.firedKind.text, default: 0] += 1
            history.note(user.address, .fault("kill"))
            return true
        }
        // Part after part, each begins with another way of dying.
        for turn in 0..<3 where !world.isOver {
            let action = actions[(turn + part.number - 1) % 3]
            var (call, isOver) = (1, false)
            while !isOver, !world.isOver {
                let text = "\(turn)-\(call)"
                history.note(alice.address, .invoke(message: text, to: .user(bob.address)))
                let killedSending = try suffer(alice, ["send", bob.address, text, "--wait", "accepted", "--json"], action, at: call)
                let renamed = try suffer(alice, ["group", "rename", group, "team \(call)"], action, at: call)
                // What was kept goes out.
                try alice.receive()
                try alice.noteFate(of: text, with: bob)
                let killedReceiving = try suffer(bob, ["receive", "--json"], action, at: call)
                try bob.noteShown(with: alice)
                isOver = !killedSending && !renamed && !killedReceiving
                call += 1
            }
            if isOver { part.add("sweeps_completed", 1) }
        }
        try alice.receive()
        try bob.receive()
        try bob.noteShown(with: alice)
        try alice.receive()
        try alice.noteStates(with: bob)
        part.judge(history)
        for user in [alice, bob] {
            let alarms = try user.courier(["alarms", "--json"]).output
            if !alarms.isEmpty { part.violate("\(user.address) has alarms: \(alarms)") }
        }
        if try alice.groupName(group) != bob.groupName(group) { part.violate("the two see different names of their group") }
        part.add("kill_points", kills)
        part.raise("calls_of_a_command", Double(most))
        for (kind, count) in kinds.sorted(by: { $0.key < $1.key }) { part.add("in_\(kind)", count) }
    }
}
