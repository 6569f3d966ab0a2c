internal import Cryptography
internal import Foundation
internal import Glibc
internal import Histories
internal import RelayNode
internal import Simulation
internal import Storage
internal import Vocabulary

/// Old copies that are put back after the world went on: of nodes, which are hub and follower to each other, from their backups; and of
/// profiles, by copying their folders.
enum Restore: ProofScenario {
    static let name = "restore"
    static let about = "nodes restored from their backups under traffic, and profiles' folders copied back"
    static let secondsMin = 10
    static let share = 3

    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws {
        let federation = ProofFederation(folder: world.folder, running: world.running)
        defer { federation.destroy() }
        try federation.start(["harbor", "tower"])
        let history = ProofHistory(file: world.historyFile, allowsTombstones: true)
        for fault in ["old profile", "old node"] { history.note("nodes", .plan(fault: fault)) }
        try putBackProfiles(federation, world, history, &part)
        let town = try ProofTown(federation, history, users: 16, seed: world.seed)
        defer { town.fleet.stop() }
        let churn = ProofChurn(town, random: world.random(1))
        var random = world.random(2)
        town.fleet.send()
        // So that every conversation is in the first backup.
        try goOn(churn, for: 1_500)
        var rounds = federation.nodes.map { RestoredNode($0, world) }
        var turn = 0
        while turn < rounds.count || !world.isOver {
            try rounds[turn % rounds.count].restore(in: town, federation, churn, history, &part, using: &random)
            turn += 1
            note("restore: \(turn) restorations, \(history.counts.accepted) accepted")
        }
        town.fleet.hurry()
        history.note("nodes", .healed)
        try town.conclude(&part)
        for node in federation.nodes { try node.stop() }
        for round in rounds { try round.judgeNumbers(in: round.node.data, &part) }
        let packages = town.fleet.keyPackages
        if packages.doubled > 0 { part.violate("\(packages.doubled) of \(packages.all) KeyPackages were handed out more than once") }
        part.judge(history)
        part.add("restorations", turn)
        part.add("key_packages_handed_out", packages.all)
    }

    fileprivate static func goOn(_ churn: ProofChurn, for milliseconds: Int64) throws {
        let until = LoadClock.now + .milliseconds(milliseconds)
        while LoadClock.now < until {
            try churn.poll()
            usleep(1_000)
        }
    }

    /// One who writes and one who reads, real programs both, go back to older copies of their profiles in turn.
    private static func putBackProfiles(
        _ federation: ProofFederation, _ world: ProofWorld, _ history: ProofHistory, _ part: inout ProofPart
    ) throws {
        let (alice, bob) = try CourierUser.pair(at: federation, node: 1, world, history)
        try bob.noteShown(with: alice)
        for (turn, victim) in [alice, bob].enumerated() {
            try victim.copyProfile()
            for number in 0..<3 {
                try alice.send("\(turn), before \(number)", to: bob)
                try bob.send("\(turn), answer \(number)", to: alice)
            }
            for user in [alice, bob] { try user.receive() }
            try alice.noteShown(with: bob)
            try bob.noteShown(with: alice)
            history.note(victim.address, .fault("old profile"))
            try victim.putBackCopy()
            try alice.send("\(turn), after", to: bob)
            try bob.send("\(turn), after that", to: alice)
            for user in [alice, bob] { try user.receive() }
            try alice.noteShown(with: bob)
            try bob.noteShown(with: alice)
            part.add("profiles_put_back", 1)
        }
        for user in [alice, bob, alice] { try user.receive() }
        try alice.noteStates(with: bob)
        try bob.noteStates(with: alice)
        for user in [alice, bob] { try user.noteAlarms() }
    }
}

/// A node that is restored again and again, and what it had numbered before.
private struct RestoredNode {
    let node: ProofNode
    private let world: ProofWorld
    private var number = 0
    /// How far the last copy had numbered each conversation, and how far the node had before it was put in its place.
    private var kept: [ConversationID: UInt64] = [:]
    private var given: [ConversationID: UInt64] = [:]

    init(_ node: ProofNode, _ world: ProofWorld) { (self.node, self.world) = (node, world) }

    mutating func restore(
        in town: ProofTown, _ federation: ProofFederation, _ churn: ProofChurn, _ history: ProofHistory, _ part: inout ProofPart,
        using random: inout SeededGenerator
    ) throws {
        number += 1
        let backup = "\(world.folder)/\(node.name)-\(number).backup"
        try federation.say(["backup", "create", "--data", node.data, "--to", backup])
        // What comes for these waits at their home, and is not in its backup.
        let home = federation.nodes.firstIndex { $0 === node } ?? 0
        let absent = town.fleet.users.prefix(16).filter { $0.home == home }.prefix(3)
        for user in absent { user.loop.execute { user.leave() } }
        try Restore.goOn(churn, for: Int64.random(in: 300...1_500, using: &random))
        if Bool.random(using: &random) { try node.crash() } else { try node.stop() }
        history.note(node.name, .fault("old node"))
        let answer = try federation.say(["backup", "restore", backup, "--data", node.data, "--replace", "--json"])
        guard let object = (try? JSONSerialization.jsonObject(with: Data(answer.utf8))) as? [String: Any],
            let before = object["moved"] as? String
        else { throw LoadFailure("backup restore does not say where the folder went: \(answer)") }
        try judgeNumbers(in: before, &part)
        (given, kept) = (try Self.heads(before), try Self.heads(node.data))
        for (id, through) in given.sorted(by: { $0.key < $1.key }) {
            let name = ProofUser.name(of: id)
            guard let from = kept[id] else {
                history.note(node.name, .gone(conversation: name))
                continue
            }
            part.add("numbers_forgotten", Int(through - min(through, from)))
            history.note(node.name, .setBack(HistoryEvent.Place(name, from), through: through))
        }
        try world.tool("rm", "-rf", before, backup)
        try node.start()
        town.fleet.hurry(home: home)
        try Restore.goOn(churn, for: Int64.random(in: 300...1_500, using: &random))
        for user in absent { user.loop.execute { user.comeBack() } }
        try Restore.goOn(churn, for: 500)
    }

    /// A restored hub numbers nothing before it has jumped beyond what it had given: its disk shows that, whatever anybody has seen.
    func judgeNumbers(in folder: String, _ part: inout ProofPart) throws {
        for (id, head) in try Self.heads(folder) {
            guard let kept = kept[id], let given = given[id], head != kept, head <= given else { continue }
            part.violate("\(node.name) had numbered \(ProofUser.name(of: id)) through \(given), and numbered \(head) again")
        }
    }

    /// Of a node that does not run.
    private static func heads(_ folder: String) throws -> [ConversationID: UInt64] {
        let lock = try DataFolderLock(folder: folder)
        defer { lock.release() }
        let store = try JournaledNodeStore(folder: folder, key: SealingKey(DataFolder(folder).storageKey()))
        let heads = try store.heads()
        try store.close()
        return heads
    }
}
