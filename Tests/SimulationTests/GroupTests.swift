import ClientCore
import Cryptography
import Groups
import MLS
import Simulation
import Synchronization
import Testing
import Vocabulary

@Suite struct GroupTests {
    @Test(arguments: UInt64(500)..<508)
    func `a group shows all its members the same in spite of crashes and changes`(seed: UInt64) throws {
        var flow = try GroupFlow(users: 8, nodes: 3, seed: seed, outside: 1)
        for round in 0..<60 {
            for index in flow.users.indices where index % 3 == round % 3 { flow.send(by: index) }
            switch round {
            case 10: if let address = flow.address(7) { flow.wish(.add(flow.id, [address]), by: 0) }
            case 20: if let address = flow.address(1) { flow.wish(.remove(flow.id, [address]), by: 0) }
            case 30: flow.wish(.leave(flow.id), by: 2)
            case 40: flow.wish(.rename(flow.id, "new name"), by: 0)
            default: if round % 5 == 0 { flow.insist() }
            }
            try flow.world.run(for: .milliseconds(200), under: .crashes)
        }
        for _ in 0..<4 {
            try flow.world.run(for: .seconds(8))
            flow.insist()
        }
        try flow.world.run(for: .seconds(10))
        let staying = [0, 3, 4, 5, 6, 7]
        #expect(try flow.settle(staying: staying, within: .seconds(120)), "seed \(seed)")
        #expect(flow.problems(complete: [0, 3, 4, 5, 6]).isEmpty, "seed \(seed): \(flow.problems(complete: [0, 3, 4, 5, 6]))")
        for index in staying {
            #expect(flow.members(at: index).count == staying.count, "seed \(seed)")
            #expect(flow.world.profile(flow.users[index]).conversations[flow.id]?.profile.name == "new name", "seed \(seed)")
        }
        #expect(flow.world.crashes > 5)
    }

    @Test func `an owner who left and is added again by an admin is a member like any other`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 640)
        let (id, users) = (flow.id, flow.users)
        func role(_ user: Int, in world: World, at device: Int) -> Role? {
            world.profile(device).conversations[id]?.profile.role(of: world.profile(user).account.userID)
        }
        let (left, again) = (try #require(flow.address(1)), try #require(flow.address(2)))
        flow.wish(.role(id, left, .owner), by: 0)
        flow.wish(.role(id, again, .admin), by: 0)
        #expect(
            try flow.world.run(
                until: { role(users[1], in: $0, at: users[2]) == .owner && role(users[2], in: $0, at: users[2]) == .admin },
                within: .seconds(30)))
        flow.wish(.leave(id), by: 1)
        #expect(try flow.world.run(until: { $0.members(of: id, at: users[2]).count == 2 }, within: .seconds(60)))
        flow.wish(.add(id, [left]), by: 2)
        #expect(
            try flow.world.run(
                until: { world in users.allSatisfy { world.members(of: id, at: $0).count == 3 } }, within: .seconds(60)))
        for device in users { #expect(role(users[1], in: flow.world, at: device) == .member) }
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(60)))
        #expect(flow.problems(complete: [0, 2]).isEmpty)
    }

    /// Checklist H 1, C 1.
    @Test(arguments: [UInt64(600), 601, 602]) func `of twenty commits at once one wins an epoch and all are done in the end`(seed: UInt64)
        throws
    {
        var flow = try GroupFlow(users: 21, nodes: 3, seed: seed)
        // Everybody may rename: twenty members do so at the same moment, while the hub dies in the middle.
        for index in 1..<flow.users.count {
            if let address = flow.address(index) { flow.wish(.role(flow.id, address, .admin), by: 0) }
        }
        try flow.world.run(for: .seconds(20))
        for index in 1..<flow.users.count { flow.wish(.rename(flow.id, "name \(index)"), by: index) }
        try flow.world.run(for: .milliseconds(5))
        if seed != 602 { flow.world.kill(node: 0, for: seed == 600 ? .milliseconds(500) : .seconds(30)) }
        try flow.world.run(for: .seconds(60))
        flow.send(by: 3)
        let everybody = Array(flow.users.indices)
        #expect(try flow.settle(staying: everybody, within: .seconds(120)))
        #expect(flow.problems(complete: everybody).isEmpty, "\(flow.problems(complete: everybody))")
        let names = Set(everybody.compactMap { flow.world.profile(flow.users[$0]).conversations[flow.id]?.profile.name })
        #expect(names.count == 1 && names.first?.hasPrefix("name") == true)
        for index in everybody {
            let one = flow.world.profile(flow.users[index]).conversations[flow.id]
            #expect(one?.committing == nil && one?.intents.isEmpty == true, "user \(index) is stuck")
        }
    }

    @Test func `who was removed reads nothing that follows, who came later nothing before`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 700, outside: 1)
        flow.send(by: 0)
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(30)))
        if let one = flow.address(1) { flow.wish(.remove(flow.id, [one]), by: 0) }
        try flow.world.run(for: .seconds(5))
        if let late = flow.address(3) { flow.wish(.add(flow.id, [late]), by: 0) }
        try flow.world.run(for: .seconds(5))
        flow.send(by: 0)
        flow.send(by: 2)
        #expect(try flow.settle(staying: [0, 2, 3], within: .seconds(30)))
        func texts(_ index: Int) -> Int {
            flow.world.history(flow.users[index]).count { if case .incoming = $0.body { true } else { false } }
        }
        #expect(texts(1) == 1 && texts(3) == 2 && texts(2) == 2)
        #expect(flow.world.profile(flow.users[1]).conversations[flow.id]?.standing == .removed)
        #expect(flow.world.members(of: flow.id, at: flow.users[1]).isEmpty)
        // It may not go on sending, and is told so.
        #expect(flow.world.send("x", from: flow.users[1], to: flow.id) != nil)
        #expect(flow.world.heard(flow.users[1]).contains { if case .sendRefused(_, .notInGroup) = $0 { true } else { false } })
        #expect(flow.problems(complete: [0, 2]).isEmpty)
    }

    @Test func `while somebody is still to be added whose node is dead, other changes do not wait`() throws {
        var flow = try GroupFlow(users: 5, nodes: 3, seed: 703, outside: 2)
        // Users 3 and 4 are outside, on nodes 0 and 1.
        flow.world.kill(node: 1, for: .hours(2))
        try flow.world.run(for: .minutes(1))
        let (id, owner) = (flow.id, flow.users[0])
        let (dead, alive) = (try #require(flow.address(4)), try #require(flow.address(3)))
        func isDone(_ world: World, _ ticket: UInt64) -> Bool {
            world.heard(owner).contains { if case .groupDone(Ticket(ticket), _) = $0 { true } else { false } }
        }
        func does(_ wish: GroupWish, as ticket: UInt64, within limit: Duration) throws -> Bool {
            flow.world.tell(.groupRequested(Ticket(ticket), wish), to: owner)
            return try flow.world.run(until: { isDone($0, ticket) }, within: limit)
        }
        #expect(try does(.add(id, [dead]), as: 100, within: .seconds(6)))
        #expect(flow.world.profile(owner).conversations[id]?.intents.contains { if case .add = $0.change { true } else { false } } == true)
        // Every command of a person is a session of its own.
        for (number, wish) in [GroupWish.rename(id, "one"), .add(id, [alive]), .rename(id, "two"), .remove(id, [alive])].enumerated() {
            flow.world.kill(device: owner, for: .milliseconds(10))
            try flow.world.run(for: .seconds(1))
            #expect(try does(wish, as: UInt64(101 + number), within: .seconds(1)), "\(wish)")
        }
        #expect(flow.world.profile(owner).conversations[id]?.profile.name == "two")
    }

    @Test func `what is said in a group of nobody else is accepted, and neither delivered nor read`() throws {
        var world = try World(nodes: 1, seed: 704)
        let user = try world.addUser("alone", at: 0)
        #expect(try world.run(until: { $0.isMember(user) }, within: .seconds(30)))
        world.tell(.groupRequested(Ticket(1), .create(name: "notes", members: [])), to: user)
        try world.run(for: .seconds(2))
        let id = try #require(world.profile(user).conversations.keys.first)
        let sent = world.send("to myself", from: user, to: id)
        let message = try #require(sent)
        try world.run(for: .seconds(30))
        #expect(world.state(message, at: user) == .accepted)
        #expect(world.profile(user).outbox.isEmpty, "nothing more is waited for")
    }

    @Test func `a change that was kept and then refused is told`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 705)
        let other = try #require(flow.address(1))
        flow.wish(.role(flow.id, other, .admin), by: 0)
        try flow.world.run(for: .seconds(10))
        flow.world.kill(node: 1, for: .seconds(20))
        try flow.world.run(for: .seconds(1))
        // Without a session the change is kept, and the command that wanted it ends.
        flow.wish(.rename(flow.id, "mine"), by: 1)
        flow.wish(.role(flow.id, other, .member), by: 0)
        try flow.world.run(for: .seconds(60))
        let dropped = flow.world.heard(flow.users[1]).compactMap { effect -> Refusal.Code? in
            if case .note(.changeDropped(flow.id, .rename("mine"), let refusal)) = effect { refusal.code } else { nil }
        }
        #expect(dropped == [.notPermitted])
        #expect(flow.world.profile(flow.users[0]).conversations[flow.id]?.profile.name == "crew")
        #expect(flow.world.profile(flow.users[1]).conversations[flow.id]?.intents.isEmpty == true)
    }

    @Test func `a group whose only other member's node is expelled says so, and goes on when somebody is added`() throws {
        var world = try World(nodes: 3, seed: 711)
        let (creator, gone, other) = (try world.addUser("ann", at: 1), try world.addUser("bob", at: 2), try world.addUser("cid", at: 0))
        #expect(try world.run(until: { world in [creator, gone, other].allSatisfy { world.isMember($0) } }, within: .seconds(60)))
        let member = try #require(world.address(gone))
        world.tell(.groupRequested(Ticket(0), .create(name: "duo", members: [member])), to: creator)
        try world.run(for: .seconds(30))
        let id = try #require(world.profile(creator).conversations.keys.first)
        #expect(world.members(of: id, at: creator).count == 2)
        #expect(try world.expel(node: 2, by: 0))
        try world.run(for: .seconds(10))
        let late = world.send("anybody?", from: creator, to: id)
        try world.run(for: .seconds(10))
        let message = try #require(late)
        #expect(world.state(message, at: creator) == .failed)
        var device = try #require(world.core(ofDevice: creator))
        let needsReset = device.needsReset(id)
        #expect(!needsReset, "its hub is there")
        let another = try #require(world.address(other))
        world.tell(.groupRequested(Ticket(1), .add(id, [another])), to: creator)
        try world.run(for: .seconds(30))
        let again = world.send("welcome", from: creator, to: id)
        try world.run(for: .seconds(30))
        let welcome = try #require(again)
        #expect(world.history(other).contains { $0.message == welcome })
    }

    @Test func `with the hub expelled, who wants out is out, what others proposed is left alone, and what is said fails`() throws {
        var world = try World(nodes: 3, seed: 706)
        // The creator lives at the hub, node 1; the admin is node 0.
        let (creator, leaver, other) = (try world.addUser("ann", at: 1), try world.addUser("bob", at: 0), try world.addUser("cid", at: 2))
        #expect(try world.run(until: { world in [creator, leaver, other].allSatisfy { world.isMember($0) } }, within: .seconds(60)))
        let members = try [leaver, other].map { try #require(world.address($0)) }
        world.tell(.groupRequested(Ticket(0), .create(name: "crew", members: members)), to: creator)
        try world.run(for: .minutes(1))
        let id = try #require(world.profile(creator).conversations.keys.first)
        #expect(world.members(of: id, at: other).count == 3)
        // Nobody commits the proposal while the hub is there.
        let tally = Tally()
        world.plot = { device, frame in
            guard case .submit(let submission) = frame, case .commit = submission.kind else { return [frame] }
            return tally.passes(device == other) ? [frame] : []
        }
        world.tell(.groupRequested(Ticket(1), .leave(id)), to: leaver)
        try world.run(for: .seconds(10))
        #expect(world.profile(leaver).conversations[id]?.standing == .leaving)
        #expect(try world.expel(node: 1, by: 0))
        try world.run(for: .seconds(10))
        tally.open()
        world.kill(device: leaver, for: .milliseconds(10))
        world.kill(device: other, for: .milliseconds(10))
        try world.run(for: .minutes(1))
        #expect(tally.count == 1, "\(tally.count) commits in a minute")
        // Its leave had a number; nobody is left to commit it.
        #expect(world.profile(leaver).conversations[id]?.standing == .removed)
        let late = world.send("anybody?", from: other, to: id)
        let message = try #require(late)
        try world.run(for: .minutes(1))
        // It had to be committed first.
        #expect(tally.count == 2, "\(tally.count - 1) more commits in the next")
        #expect(world.state(message, at: other) == .failed)
        world.tell(.groupRequested(Ticket(2), .leave(id)), to: other)
        try world.run(for: .seconds(10))
        #expect(world.heard(other).contains { if case .groupDone(Ticket(2), _) = $0 { true } else { false } })
        #expect(world.profile(other).conversations[id]?.standing == .removed)
    }

    @Test func `whoever cannot be added in thirty days is given up, and that is told`() throws {
        var world = try World(nodes: 2, seed: 709)
        let (adder, away) = (try world.addUser("ann", at: 0), try world.addUser("bob", at: 1))
        #expect(try world.run(until: { world in [adder, away].allSatisfy { world.isMember($0) } }, within: .seconds(30)))
        let address = try #require(world.address(away))
        // Its name is known; KeyPackages are its home's alone.
        try world.run(for: .seconds(10))
        world.kill(node: 1, for: .hours(2))
        try world.run(for: .seconds(20))
        world.tell(.groupRequested(Ticket(1), .create(name: "crew", members: [address])), to: adder)
        try world.run(for: .minutes(1))
        let made = world.profile(adder).conversations.keys.first
        let id = try #require(made, "\(world.heard(adder).suffix(5))")
        func isWanted() -> Bool? {
            world.profile(adder).conversations[id]?.intents.contains { if case .add = $0.change { true } else { false } }
        }
        let outcomes = world.heard(adder).compactMap { effect -> GroupOutcome? in
            if case .groupDone(Ticket(1), let outcome) = effect { outcome } else { nil }
        }
        #expect(outcomes.last?.waiting.count == 1 && isWanted() == true)
        world.setClock(ahead: .days(29), device: adder)
        try world.run(for: .minutes(1))
        #expect(isWanted() == true)
        world.setClock(ahead: .days(31), device: adder)
        try world.run(for: .minutes(1))
        #expect(isWanted() == false)
        let dropped = world.heard(adder).compactMap { effect -> Refusal.Code? in
            if case .note(.changeDropped(id, .add, let refusal)) = effect { refusal.code } else { nil }
        }
        #expect(dropped == [.expired])
    }

    @Test func `who blocked the adder and who has no KeyPackages are told alike, and after the same time`() throws {
        var world = try World(nodes: 2, seed: 707)
        let (adder, blocker) = (try world.addUser("ann", at: 0), try world.addUser("bob", at: 1))
        #expect(try world.run(until: { world in [adder, blocker].allSatisfy { world.isMember($0) } }, within: .seconds(30)))
        // In the directory, and gone before there were KeyPackages.
        world.plot = { _, frame in if case .publishKeyPackages = frame { [] } else { [frame] } }
        let empty = try world.addUser("cid", at: 1)
        try world.run(for: .seconds(20))
        let adderAddress = try #require(world.address(adder))
        world.tell(.contactRequested(Ticket(9), adderAddress), to: blocker)
        try world.run(for: .seconds(1))
        world.tell(.contactDecided(adderAddress, .block(true)), to: blocker)
        try world.run(for: .seconds(1))
        var answers: [(refusal: Refusal?, after: Duration)] = []
        for (ticket, target) in [(UInt64(1), blocker), (2, empty)] {
            let address = try #require(world.address(target))
            world.tell(.groupRequested(Ticket(ticket), .create(name: "crew \(ticket)", members: [address])), to: adder)
            var after = Duration.zero
            func outcome() -> GroupOutcome? {
                for case .groupDone(Ticket(ticket), let outcome) in world.heard(adder) { return outcome }
                return nil
            }
            while outcome() == nil, after < .seconds(30) {
                try world.run(for: .milliseconds(100))
                after += .milliseconds(100)
            }
            answers.append((outcome()?.waiting.values.first, after))
        }
        #expect(answers[0].refusal != nil && answers[0].refusal == answers[1].refusal)
        // Both as long as one may need who is about to leave KeyPackages: the rest is chance.
        for answer in answers {
            #expect(answer.after >= ClientLimits.claimPatience && answer.after < ClientLimits.claimPatience + .seconds(8))
        }
    }

    @Test func `a group with somebody whose KeyPackage breaks a rule is made, and it is said whom it is without`() throws {
        var world = try World(nodes: 2, seed: 708)
        let (creator, broken, sound) = (try world.addUser("ann", at: 0), try world.addUser("bob", at: 1), try world.addUser("cid", at: 0))
        #expect(try world.run(until: { world in [creator, broken, sound].allSatisfy { world.isMember($0) } }, within: .seconds(60)))
        let account = world.profile(broken).account
        let entry = account.entry
        let certificate = account.identity.sign(DeviceCertificate.body(user: entry.user, device: entry.device), for: .deviceCertificate)
        let proper = try MemberLeaf.identity(
            of: entry, device: account.device, certificate: certificate,
            lifetime: Lifetime(notBefore: world.seconds - 3_600, notAfter: world.seconds + 86_400))
        // Sound by itself; the group requires more than it names. An honest home does not take it.
        let member = MemberIdentity(
            signer: proper.signer, credential: proper.credential, capabilities: Capabilities(extensions: [MemberLeaf.certificateType]),
            extensions: proper.extensions, lifetime: proper.lifetime)
        var random = SeededGenerator(seed: 708)
        let package = try OwnKeyPackage.make(member: member, using: &random).published
        world.lie = { device, frame in
            guard device == creator, case .keyPackages(let request, let claimed) = frame else { return [frame] }
            return [
                .keyPackages(request, claimed.map { $0.user == entry.user ? ClaimedKeyPackages(user: $0.user, packages: [package]) : $0 })
            ]
        }
        for (ticket, others) in [(UInt64(1), [broken]), (2, [broken, sound])] {
            let members = try others.map { try #require(world.address($0)) }
            world.tell(.groupRequested(Ticket(ticket), .create(name: "crew \(ticket)", members: members)), to: creator)
            func outcome(_ world: World) -> GroupOutcome? {
                for case .groupDone(Ticket(ticket), let outcome) in world.heard(creator) { return outcome }
                return nil
            }
            #expect(try world.run(until: { outcome($0) != nil }, within: .seconds(30)))
            let made = try #require(outcome(world))
            #expect(made.waiting.keys.sorted() == [entry.user] && made.waiting[entry.user]?.code == .handshakeInvalid)
            #expect(try world.run(until: { $0.members(of: made.conversation, at: creator).count == others.count }, within: .seconds(30)))
            #expect(world.profile(creator).conversations[made.conversation]?.intents.isEmpty == true)
        }
    }

    /// Checklist C 5.
    @Test func `an old copy of a profile is noticed, comes back in and uses no key twice`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 701)
        for index in 0..<4 { flow.send(by: index) }
        #expect(try flow.settle(staying: [0, 1, 2, 3], within: .seconds(30)))
        let old = flow.world.profile(flow.users[1])
        for _ in 0..<5 { for index in 0..<4 { flow.send(by: index) } }
        #expect(try flow.settle(staying: [0, 1, 2, 3], within: .seconds(30)))
        flow.world.restore(old, device: flow.users[1])
        try flow.world.run(for: .seconds(1))
        #expect(flow.world.heard(flow.users[1]).contains { if case .note(.restored) = $0 { true } else { false } })
        flow.send(by: 1)
        flow.send(by: 2)
        #expect(try flow.settle(staying: [0, 2, 3], within: .seconds(60)))
        try flow.world.run(for: .seconds(20))
        let last = flow.sent.suffix(2)
        #expect(last.allSatisfy { flow.world.state($0.message, at: flow.users[$0.by]).isDelivered })
        #expect(flow.problems(complete: [0, 2, 3]).isEmpty, "\(flow.problems(complete: [0, 2, 3]))")
        #expect(flow.world.profile(flow.users[1]).conversations[flow.id]?.isStale == false)
    }

    /// Checklist C 6.
    @Test func `a thousand messages and fifty commits that were missed are caught up in order`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 702)
        flow.world.kill(device: flow.users[2], for: .hours(1))
        for round in 0..<50 {
            for _ in 0..<20 { flow.send(by: round % 2) }
            flow.wish(.rename(flow.id, "name \(round)"), by: 0)
            try flow.world.run(for: .seconds(1))
        }
        try flow.world.run(for: .minutes(61))
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(60)))
        #expect(flow.problems(complete: [0, 1, 2]).isEmpty, "\(flow.problems(complete: [0, 1, 2]))")
        #expect(flow.sent.count == 1_000)
    }
}

/// How often somebody's commits came, and whether they go through.
private final class Tally: Sendable {
    private let state = Mutex((count: 0, isOpen: false))

    var count: Int { state.withLock { $0.count } }
    func open() { state.withLock { $0.isOpen = true } }
    func passes(_ counts: Bool) -> Bool {
        state.withLock {
            if counts, $0.isOpen { $0.count += 1 }
            return $0.isOpen
        }
    }
}
