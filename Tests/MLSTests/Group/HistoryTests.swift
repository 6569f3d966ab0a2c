import Cryptography
import Foundation
import MLS
import Testing
import Vocabulary

/// Random histories: after every step all members agree, and a newcomer finds the tree valid.
@Suite struct HistoryTests {
    /// Seeds and steps; raised by POSTHOUSE_MLS_HISTORIES for long runs.
    static let seeds = UInt64(ProcessInfo.processInfo.environment["POSTHOUSE_MLS_HISTORIES"] ?? "") ?? 12

    @Test(arguments: 0..<seeds)
    func `all members agree at every epoch of a random history`(seed: UInt64) throws {
        var history = try History(seed: seed, membersMax: seed % 6 == 5 ? 64 : 12)
        for step in 0..<24 {
            try history.step()
            #expect(history.fleet.agrees, "seed \(seed), step \(step)")
            try history.checkAsNewcomer()
            try history.checkHubStore()
        }
    }
}

struct History {
    var fleet: Fleet
    var hub: PublicGroup
    var hubStore = StoredGroup()
    var dice: SeededGenerator
    var named = 1
    let membersMax: Int

    init(seed: UInt64, membersMax: Int) throws {
        fleet = try Fleet(seed: seed, suite: seed % 2 == 0 ? .x25519ChaCha20Poly1305 : .x25519AES128GCM, creator: "m0")
        fleet.host = .fixture(psks: [[7]: Secret([1, 2, 3])])
        hub = try PublicGroup(fleet["m0"].groupInfo(), host: fleet.host)
        dice = SeededGenerator(seed: seed &+ 1000)
        self.membersMax = membersMax
    }

    /// One epoch: some proposals by reference, some by value, data before and after, or an external commit.
    mutating func step() throws {
        if Int.random(in: 0..<6, using: &dice) == 0, fleet.order.count < membersMax { return try joinExternally() }
        let committer = fleet.order.randomElement(using: &dice)!
        var plan = CommitPlan()
        var newcomers: [(String, OwnKeyPackage)] = []
        var touched: Set<String> = [committer]
        var statesExtensions = false
        for _ in 0..<Int.random(in: 0..<5, using: &dice) {
            let proposer = fleet.order.randomElement(using: &dice)!
            switch Int.random(in: 0..<5, using: &dice) {
            case 0 where fleet.order.count + newcomers.count < membersMax:
                let name = "m\(named)"
                named += 1
                let own = try fleet.keyPackage(name)
                newcomers.append((name, own))
                try submit(.add(own.package), of: proposer, committer, &plan)
            case 1:
                let id = try fleet[proposer].preSharedKeyID(.external([7]), using: &fleet.random)
                try submit(.preSharedKey(id), of: proposer, committer, &plan)
            case 2 where !statesExtensions:
                statesExtensions = true
                let key = MLSExtension.externalSenders([
                    ExternalSender(signatureKey: [UInt8(named & 0xff)], credential: .basic([1]))
                ])
                try submit(.groupContextExtensions([key]), of: proposer, committer, &plan)
            case 3:
                let message = try fleet.proposeUpdate(proposer, isPrivate: false)
                try fleet.deliver(message, except: proposer)
                _ = try hub.process(message, host: fleet.host)
            default:
                // Updates, removals of one leaf, the committer's own among them: who commits has to choose.
                let victim = fleet.order.randomElement(using: &dice)!
                if Bool.random(using: &dice), fleet.order.count > 3 {
                    let message = try fleet.propose(proposer, .remove(fleet[victim].ownLeaf))
                    try fleet.deliver(message, except: proposer)
                    _ = try hub.process(message, host: fleet.host)
                } else if touched.insert(victim).inserted {
                    plan.proposals.append(.remove(fleet[victim].ownLeaf))
                }
            }
        }
        plan.refreshesPath = Bool.random(using: &dice)
        let pending = try fleet.commit(committer, plan)
        _ = try hub.process(pending.message, host: fleet.host)
        for (name, own) in newcomers {
            fleet.groups[name] = try Group.join(pending.welcome!, with: own, host: fleet.host)
            fleet.order.append(name)
        }
        let sender = fleet.order.randomElement(using: &dice)!
        let sealed = try fleet.seal(sender, [1, 2, 3])
        try fleet.deliver(sealed, except: sender)
    }

    private mutating func submit(_ proposal: Proposal, of proposer: String, _ committer: String, _ plan: inout CommitPlan) throws {
        guard Bool.random(using: &dice) else { return plan.proposals.append(proposal) }
        let message = try fleet.propose(proposer, proposal)
        try fleet.deliver(message, except: proposer)
        _ = try hub.process(message, host: fleet.host)
    }

    private mutating func joinExternally() throws {
        let helper = fleet.order.randomElement(using: &dice)!
        let resync = fleet.order.count > 2 && Bool.random(using: &dice)
        let name = resync ? fleet.order.filter { $0 != helper }.randomElement(using: &dice)! : "m\(named)"
        if !resync { named += 1 }
        let old = resync ? fleet[name].ownLeaf : nil
        let join = try Group.joinExternally(
            fleet[helper].groupInfo(), as: .fixture(name), replacing: old, host: fleet.host, using: &fleet.random)
        try fleet.deliver(join.message)
        _ = try hub.process(join.message, host: fleet.host)
        fleet.groups[name] = join.group
        if !fleet.order.contains(name) { fleet.order.append(name) }
    }

    /// Deltas alone restore the hub.
    mutating func checkHubStore() throws {
        hubStore.apply(hub.takeChanges())
        #expect(try PublicGroup(restoring: StoredGroup(blob: hubStore.blob)) == hub)
    }

    /// What a joiner checks of the tree, and the hub's view.
    func checkAsNewcomer() throws {
        let info = try fleet[fleet.order[0]].groupInfo()
        let fresh = try PublicGroup(info, host: fleet.host)
        #expect(fresh.context == hub.context && fresh.ratchetTree == hub.ratchetTree)
    }
}
