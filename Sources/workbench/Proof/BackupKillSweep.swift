internal import Glibc
internal import Histories
internal import Vocabulary

/// `posthouse backup create` beside a node at work, `backup verify` and `backup restore`, which die at every call on the disk.
enum BackupKillSweep: ProofScenario {
    static let name = "backup-kills"
    static let about = "SIGKILL at the N-th write, sync or name of backup create, verify and restore (of these each open too), for every N"
    static let secondsMin = 20
    static let share = 2

    /// The operator of the node, whose commands die.
    private struct Operator {
        let data, backup: String
        let area: String
        /// For temporary files, within the area.
        let temporary: String
        let faults: FaultControl
        let world: ProofWorld
        var kills = 0
        var kinds: [String: Int] = [:]

        /// - Returns: whether it was killed; else it came to its end.
        mutating func suffer(
            _ words: [String], _ action: FaultControl.Action, at call: Int, of calls: FaultControl.Kinds = [.changes, .open]
        ) throws -> Bool {
            faults.arm(action, ahead: call, kinds: calls)
            let outcome = try ProofCommandRun(
                faults.prefix(folder: area) + ["TMPDIR=\(temporary)", ProofPrograms.posthouse] + words, folder: world.folder,
                running: world.running)
            guard faults.fired > 0 else {
                guard outcome.status == 0 else { throw LoadFailure("\(words.prefix(2)): \(outcome.errors)") }
                return false
            }
            guard outcome.status == 128 + SIGKILL else { throw LoadFailure("posthouse was not killed: \(outcome.status)") }
            kills += 1
            kinds[faults.firedKind.text, default: 0] += 1
            return true
        }

        var create: [String] { ["backup", "create", "--data", data, "--to", backup] }
        var verify: [String] { ["backup", "verify", backup, "--keys", "\(data)/keys"] }
        var restore: [String] { ["backup", "restore", backup, "--data", data, "--replace"] }
    }

    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws {
        let area = "\(world.folder)/place"
        let temporary = "\(area)/tmp"
        for folder in [area, temporary] { mkdir(folder, 0o700) }
        let federation = ProofFederation(folder: world.folder, running: world.running)
        defer { federation.destroy() }
        let node = try federation.make("harbor", data: "\(area)/harbor")
        try node.start()
        let history = ProofHistory(file: world.historyFile)
        let (alice, bob) = try CourierUser.pair(at: federation, world, history)
        history.note("the operator", .plan(fault: "kill"))
        let faults = try FaultControl(path: "\(world.folder)/operator.faults")
        var owner = Operator(data: node.data, backup: "\(area)/one.backup", area: area, temporary: temporary, faults: faults, world: world)
        let actions: [FaultControl.Action] = [.kill, .killTorn, .killAfter]
        let action = actions[part.number % 3]

        var call = 1
        // Not at what it opens too: a node whose copier died waits for half a minute each time.
        while try owner.suffer(owner.create, action, at: call, of: .changes) {
            history.note("the operator", .fault("kill"))
            try alice.send("while \(call)", to: bob)
            // Whatever has the name of a backup is one.
            if access(owner.backup, F_OK) == 0 { try federation.say(["backup", "verify", owner.backup, "--keys", "\(node.data)/keys"]) }
            unlink(owner.backup)
            // The node holds its file for one that does not come back for half a minute, and not for longer.
            try insist(owner.create, federation, &part)
            let left = Files.names(in: area).filter { $0.hasSuffix(".part") }
            if !left.isEmpty { part.violate("what a backup left when it died at call \(call) stays: \(left)") }
            unlink(owner.backup)
            call += 1
            if world.isOver { break }
        }
        part.raise("calls_of_create", Double(call))
        let verifyEnd = LoadClock.now + .seconds(5)
        try bob.receive()
        try bob.noteShown(with: alice)
        try alice.receive()
        try alice.noteStates(with: bob)
        part.judge(history)

        if access(owner.backup, F_OK) != 0 { try federation.say(owner.create) }
        call = 1
        while try owner.suffer(owner.verify, action, at: call) {
            // The store, sealed, may be there until the next one; never a key, nor anything that could be taken for a node.
            let left = Files.names(in: temporary)
            if left.count > 1 || left.contains(where: { !isSealed("\(temporary)/\($0)") }) {
                part.violate("what a look at a backup left when it died at call \(call): \(left)")
            }
            call += 1
            if world.isOver, LoadClock.now > verifyEnd { break }
        }
        let last = try ProofCommandRun(
            ["/usr/bin/env", "TMPDIR=\(temporary)", ProofPrograms.posthouse] + owner.verify, folder: world.folder, running: world.running)
        let left = Files.names(in: temporary)
        if last.status != 0 || !left.isEmpty { part.violate("what looks at a backup that died have left stays: \(left) \(last.errors)") }
        part.raise("calls_of_verify", Double(call))

        try node.stop()
        let deadline = LoadClock.now + .seconds(20)
        call = 1
        while try owner.suffer(owner.restore, action, at: call) {
            // The one that was there or the one that is to be, and it is whole; and the same command works.
            for words in [["store", "check", "--data", node.data], owner.restore] {
                do { try federation.say(words) } catch { part.violate("after a restoration that died at call \(call): \(error)") }
            }
            let left = Files.names(in: area).filter { $0.hasPrefix("harbor.restoring") }
            if !left.isEmpty { part.violate("what a restoration left when it died at call \(call) stays: \(left)") }
            for old in Files.names(in: area) where old.hasPrefix("harbor.before") { try world.tool("rm", "-rf", "\(area)/\(old)") }
            call += 1
            if world.isOver, LoadClock.now > deadline { break }
        }
        part.raise("calls_of_restore", Double(call))
        try node.start()
        try alice.send("afterwards", to: bob)
        try bob.receive()
        let texts = try bob.lines(with: alice).compactMap { $0["text"] as? String }
        if Set(texts).count != texts.count || texts.last != "afterwards" {
            part.violate("after the restorations bob has \(texts.suffix(5)), of which some \(texts.count - Set(texts).count) twice")
        }
        part.add("kill_points", owner.kills)
        for (kind, count) in owner.kinds.sorted(by: { $0.key < $1.key }) { part.add("in_\(kind)", count) }
    }

    /// One file, and none of the lines that a key's file has.
    private static func isSealed(_ path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 == 0 else { return false }
        return !Files.text(path).contains(" key 1 ")
    }

    /// The same command until it works, which must be within a minute.
    private static func insist(_ words: [String], _ federation: ProofFederation, _ part: inout ProofPart) throws {
        let deadline = LoadClock.now + .seconds(60)
        while true {
            do {
                try federation.say(words)
                return
            } catch {
                guard LoadClock.now < deadline else {
                    return part.violate("\(words.prefix(2).joined(separator: " ")) never worked: \(error)")
                }
                usleep(200_000)
            }
        }
    }
}
