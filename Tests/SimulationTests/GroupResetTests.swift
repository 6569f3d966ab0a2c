import ClientCore
import Groups
import Simulation
import Testing
import Vocabulary

/// Groups whose hub, node 1, is expelled, and that go on in a new one. The admin of the federation is node 0.
@Suite struct GroupResetTests {
    private struct Crew {
        var world: World
        /// By node: the creator at the hub, then as they were added.
        let ann: Int
        let others: [Int]
        let id: ConversationID

        init(seed: UInt64, others homes: [Int]) throws {
            var world = try World(nodes: 3, seed: seed)
            let ann = try world.addUser("ann", at: 1)
            var others: [Int] = []
            for (index, node) in homes.enumerated() { others.append(try world.addUser("user\(index)", at: node)) }
            let all = [ann] + others
            #expect(try world.run(until: { world in all.allSatisfy { world.isMember($0) } }, within: .seconds(60)))
            let members = try others.map { try #require(world.address($0)) }
            world.tell(.groupRequested(Ticket(0), .create(name: "crew", members: members)), to: ann)
            try world.run(for: .minutes(1))
            let made = world.profile(ann).conversations.values.first { !$0.profile.isDirect }
            (id, self.world, self.ann, self.others) = (try #require(made?.id), world, ann, others)
            for user in all { #expect(self.world.members(of: id, at: user).count == all.count) }
        }

        mutating func give(_ role: Role, to user: Int) throws {
            let address = try #require(world.address(user))
            world.tell(.groupRequested(Ticket(1), .role(id, address, role)), to: ann)
            try world.run(for: .seconds(20))
            #expect(world.profile(ann).conversations[id]?.profile.role(of: self.user(user)) == role)
        }

        mutating func loseHub() throws {
            #expect(try world.expel(node: 1, by: 0))
            world.kill(node: 1, for: .hours(10))
            try world.run(for: .seconds(20))
        }

        mutating func reset(by user: Int, as ticket: UInt64 = 7) {
            world.tell(.groupRequested(Ticket(ticket), .reset(id)), to: user)
        }

        func user(_ index: Int) -> UserID { world.profile(index).account.userID }
        func current(at user: Int) -> ConversationID? { world.core(ofDevice: user)?.conversations.current(of: id) }
        func role(of user: Int, at device: Int) -> Role? {
            current(at: device).flatMap { world.profile(device).conversations[$0]?.profile.role(of: self.user(user)) }
        }

        func isDone(_ ticket: UInt64, at user: Int) -> Bool {
            world.heard(user).contains { if case .groupDone(Ticket(ticket), _) = $0 { true } else { false } }
        }

        func refusal(_ ticket: UInt64, at user: Int) -> Refusal? {
            for case .groupRefused(Ticket(ticket), let refusal) in world.heard(user) { return refusal }
            return nil
        }

        /// Texts of the whole thread, in the order of the history.
        func texts(at user: Int) -> [String] {
            let thread = Set(world.core(ofDevice: user)?.conversations.thread(of: id) ?? [])
            return world.history(user).filter { $0.conversation.map { thread.contains($0.conversation) } ?? false }.compactMap {
                switch $0.body {
                case .incoming(let text), .outgoing(let text): text
                case .undecryptable, .membership: nil
                }
            }
        }

        func resets(at user: Int) -> [UserID?] {
            world.history(user).filter { if case .membership(.reset) = $0.body { true } else { false } }.map(\.author)
        }

        /// Whom the new group lacks, as it is shown.
        func missing(at user: Int) -> [UserID]? {
            for case .membership(.reset(let missing)) in world.history(user).map(\.body) { return missing }
            return nil
        }

        mutating func deliver(_ text: String, by user: Int) throws -> MessageState? {
            let sent = world.send(text, from: user, to: id)
            let message = try #require(sent)
            try world.run(for: .minutes(1))
            return world.state(message, at: user)
        }
    }

    @Test(arguments: UInt64(0)..<4)
    func `a group whose hub is expelled goes on in a new one, with its roles, for who was away too`(seed: UInt64) throws {
        var crew = try Crew(seed: 7_100 + seed, others: [0, 2, 2, 0])
        let (bob, cid, dan, eve) = (crew.others[0], crew.others[1], crew.others[2], crew.others[3])
        try crew.give(.admin, to: bob)
        try crew.give(.owner, to: cid)
        #expect(try crew.deliver("before", by: eve).isDelivered)
        crew.world.kill(device: dan, for: .minutes(8))
        try crew.loseHub()
        #expect(try crew.deliver("lost", by: eve) == .failed)
        crew.reset(by: eve)
        try crew.world.run(for: .seconds(10))
        #expect(crew.refusal(7, at: eve)?.code == .notPermitted)
        #expect(crew.current(at: eve) == crew.id)

        crew.reset(by: bob)
        try crew.world.run(for: .minutes(2))
        #expect(crew.isDone(7, at: bob))
        let new = try #require(crew.current(at: bob))
        #expect(new != crew.id)
        #expect(try crew.deliver("after", by: eve) == .accepted, "seed \(seed): dan is away")
        try crew.world.run(for: .minutes(10))
        for user in [bob, cid, dan, eve] {
            #expect(crew.current(at: user) == new, "seed \(seed)")
            #expect(crew.world.core(ofDevice: user)?.conversations.currentGroups.map(\.id) == [new])
            #expect(crew.resets(at: user) == [crew.user(bob)])
            #expect([cid, bob, eve].map { crew.role(of: $0, at: user) } == [.owner, .admin, .member])
            #expect(crew.world.members(of: new, at: user).count == 4)
            #expect(crew.world.profile(user).conversations[new]?.profile.name == "crew")
            #expect(crew.world.profile(user).conversations[new]?.intents.isEmpty == true)
        }
        #expect(try crew.deliver("all", by: dan).isDelivered)
        for user in [bob, cid, dan] { #expect(crew.texts(at: user) == ["before", "after", "all"], "seed \(seed)") }
        for user in [bob, cid, dan, eve] { #expect(crew.world.alarms(user) == 0) }
    }

    @Test func `an owner who cannot be added yet has the role once it is in, and then an admin's new group takes the place`() throws {
        var crew = try Crew(seed: 7_150, others: [0, 2, 0])
        let (bob, cid, eve) = (crew.others[0], crew.others[1], crew.others[2])
        try crew.give(.admin, to: bob)
        for user in [cid, eve] { try crew.give(.owner, to: user) }
        crew.world.kill(node: 2, for: .minutes(10))
        try crew.loseHub()
        crew.reset(by: bob)
        try crew.world.run(for: .minutes(3))
        #expect(crew.isDone(7, at: bob))
        let new = try #require(crew.current(at: bob))
        #expect(crew.world.profile(eve).conversations[new]?.profile.role(of: crew.user(eve)) == .owner)
        #expect(crew.world.profile(eve).conversations[new]?.profile.role(of: crew.user(bob)) == .owner)
        #expect(crew.current(at: eve) == crew.id, "an owner is missing, and the founder is more than he was")
        try crew.world.run(for: .minutes(20))
        for user in crew.others {
            #expect(crew.role(of: cid, at: user) == .owner && crew.role(of: bob, at: user) == .admin)
            #expect(crew.current(at: user) == crew.current(at: bob))
        }
    }

    @Test(arguments: UInt64(0)..<6)
    func `nothing of a reset is lost when devices and nodes die in the middle of it`(seed: UInt64) throws {
        var crew = try Crew(seed: 7_600 + seed, others: [0, 2, 2])
        let (bob, cid) = (crew.others[0], crew.others[1])
        for admin in [bob, cid] { try crew.give(.admin, to: admin) }
        try crew.loseHub()
        var sent: [MessageID] = []
        for round in 0..<40 {
            // As a user would who has not seen it done.
            if round % 10 == 0, crew.current(at: bob) == crew.id { crew.reset(by: bob, as: UInt64(100 + round)) }
            if round > 5, let message = crew.world.send("\(round)", from: crew.others[round % 3], to: crew.id) { sent.append(message) }
            try crew.world.run(for: .milliseconds(500), under: .crashes)
        }
        try crew.world.run(for: .minutes(5))
        let new = try #require(crew.current(at: bob))
        #expect(new != crew.id)
        for user in crew.others {
            #expect(crew.current(at: user) == new, "seed \(seed)")
            #expect(crew.world.members(of: new, at: user).count == 3, "seed \(seed)")
            #expect(try crew.deliver("at rest \(user)", by: user).isDelivered, "seed \(seed)")
            #expect(crew.world.alarms(user) == 0, "seed \(seed)")
        }
        for user in crew.others {
            let shown = crew.world.history(user).map(\.message)
            #expect(Set(shown).count == shown.count, "seed \(seed)")
            for message in sent where crew.others.contains(where: { crew.world.state(message, at: $0).isDelivered }) {
                #expect(shown.contains(message), "seed \(seed)")
            }
        }
    }

    @Test(arguments: UInt64(0)..<4)
    func `of two that take one's place the one with the lower id goes on, on every client alike`(seed: UInt64) throws {
        var crew = try Crew(seed: 7_200 + seed, others: [0, 2, 0, 2])
        let (bob, cid) = (crew.others[0], crew.others[1])
        for admin in [bob, cid] { try crew.give(.admin, to: admin) }
        try crew.loseHub()
        crew.reset(by: bob)
        crew.reset(by: cid, as: 8)
        try crew.world.run(for: .minutes(4))
        let made = Set(crew.others.flatMap { crew.world.profile($0).conversations.keys }).subtracting([crew.id])
        #expect(made.count == 2)
        for user in crew.others {
            #expect(crew.current(at: user) == made.min(), "seed \(seed)")
            #expect(crew.world.core(ofDevice: user)?.conversations.thread(of: crew.id).count == 3)
            #expect(try crew.deliver("from \(user)", by: user).isDelivered, "seed \(seed)")
        }
        for user in crew.others {
            #expect(crew.texts(at: user) == crew.others.map { "from \($0)" }, "seed \(seed)")
            #expect(crew.world.alarms(user) == 0)
        }
    }

    @Test func `who was no admin any more founds a group of its own, and no other's thread goes on in it`() throws {
        var crew = try Crew(seed: 7_300, others: [2, 0, 0])
        let (cid, dan, eve) = (crew.others[0], crew.others[1], crew.others[2])
        try crew.give(.admin, to: cid)
        // Its home does not hear of it any more.
        crew.world.kill(node: 2, for: .minutes(2))
        try crew.give(.member, to: cid)
        try crew.loseHub()
        try crew.world.run(for: .minutes(3))
        #expect(crew.role(of: cid, at: cid) == .admin && crew.role(of: cid, at: dan) == .member)
        crew.reset(by: cid)
        try crew.world.run(for: .minutes(2))
        let new = try #require(crew.current(at: cid))
        #expect(new != crew.id)
        for user in [dan, eve] {
            #expect(crew.current(at: user) == crew.id)
            #expect(crew.world.profile(user).conversations[new]?.standing == .accepted, "it is an ordinary group")
            #expect(crew.resets(at: user).isEmpty)
            #expect(crew.world.core(ofDevice: user)?.conversations.currentGroups.count == 2)
        }
    }

    @Test func `an admin who wants the owner out takes nobody's group by going on with it`() throws {
        var crew = try Crew(seed: 7_320, others: [0, 2])
        let (bob, cid) = (crew.others[0], crew.others[1])
        try crew.give(.admin, to: bob)
        // Nobody judges what he wants.
        crew.world.kill(node: 0, for: .minutes(2))
        try crew.world.run(for: .seconds(10))
        let ann = try #require(crew.world.address(crew.ann))
        crew.world.tell(.groupRequested(Ticket(5), .remove(crew.id, [ann])), to: bob)
        try crew.world.run(for: .seconds(5))
        crew.reset(by: bob)
        try crew.world.run(for: .minutes(5))
        let new = try #require(crew.current(at: bob))
        #expect(new != crew.id)
        for user in [crew.ann, bob, cid] {
            #expect(crew.current(at: user) == new)
            #expect([crew.ann, bob, cid].map { crew.role(of: $0, at: user) } == [.owner, .admin, .member])
            #expect(crew.world.members(of: new, at: user).count == 3)
        }
        #expect(try crew.deliver("on", by: crew.ann).isDelivered)
        #expect(crew.missing(at: cid) == [])
    }

    @Test func `an admin's new group without the owner is another group, whoever signs for it`() throws {
        var crew = try Crew(seed: 7_340, others: [0, 2])
        let (bob, cid) = (crew.others[0], crew.others[1])
        try crew.give(.admin, to: bob)
        let ann = crew.user(crew.ann)
        // He asks for no KeyPackage of the owner's, so that it cannot be added.
        crew.world.plot = { device, frame in
            guard device == bob, case .claimKeyPackages(let request, let users) = frame else { return [frame] }
            return [.claimKeyPackages(request, users.filter { $0 != ann })]
        }
        crew.reset(by: bob)
        try crew.world.run(for: .minutes(5))
        let new = try #require(crew.current(at: bob))
        #expect(new != crew.id)
        #expect(crew.world.profile(cid).conversations[new]?.standing == .accepted, "he is in it")
        #expect(crew.current(at: cid) == crew.id && crew.resets(at: cid).isEmpty)
        let sent = crew.world.send("to the owner's", from: cid, to: crew.id)
        let message = try #require(sent)
        try crew.world.run(for: .minutes(1))
        #expect(crew.world.state(message, at: cid).isDelivered)
        #expect(crew.texts(at: crew.ann) == ["to the owner's"])
        #expect(crew.world.profile(cid).conversations[crew.id]?.profile.role(of: ann) == .owner)

        // Unless the owner's node has left the federation: then the group goes on without it, and says so.
        try crew.loseHub()
        try crew.world.run(for: .minutes(10))
        #expect(crew.current(at: cid) == new)
        #expect(crew.missing(at: cid) == [ann])
    }

    @Test func `whom an admin's new group has besides those of the old one is shown`() throws {
        var crew = try Crew(seed: 7_380, others: [0, 2])
        let (bob, cid) = (crew.others[0], crew.others[1])
        try crew.give(.admin, to: bob)
        let eve = try crew.world.addUser("eve", at: 2)
        #expect(try crew.world.run(until: { $0.isMember(eve) }, within: .seconds(60)))
        crew.world.kill(node: 1, for: .minutes(2))
        try crew.world.run(for: .seconds(20))
        crew.world.tell(.groupRequested(Ticket(5), .add(crew.id, [try #require(crew.world.address(eve))])), to: bob)
        try crew.world.run(for: .seconds(10))
        crew.reset(by: bob)
        try crew.world.run(for: .minutes(10))
        let new = try #require(crew.current(at: bob))
        #expect(new != crew.id && crew.current(at: cid) == new)
        #expect(crew.world.members(of: new, at: cid).contains { $0.user == crew.user(eve) })
        // That she was in when it took the place, or was added after that.
        let shown = crew.world.history(cid).flatMap { record -> [UserID] in
            switch record.body {
            case .membership(.present(let who)), .membership(.added(let who)): who
            default: []
            }
        }
        #expect(shown.contains(crew.user(eve)))
    }

    @Test(arguments: UInt64(0)..<6)
    func `whom an owner goes on without takes the group back by no reset of his own`(seed: UInt64) throws {
        var crew = try Crew(seed: 7_420 + seed, others: [0, 2, 2])
        let (eve, mal, cid) = (crew.others[0], crew.others[1], crew.others[2])
        try crew.give(.owner, to: eve)
        try crew.give(.admin, to: mal)
        crew.world.kill(node: 1, for: .hours(10))
        try crew.world.run(for: .seconds(5))
        crew.world.tell(.groupRequested(Ticket(5), .remove(crew.id, [try #require(crew.world.address(mal))])), to: eve)
        try crew.world.run(for: .seconds(5))
        if seed % 2 == 0 { crew.reset(by: eve) } else { crew.reset(by: mal, as: 8) }
        try crew.world.run(for: .minutes(3))
        if seed % 2 == 0 { crew.reset(by: mal, as: 8) } else { crew.reset(by: eve) }
        try crew.world.run(for: .minutes(2))
        // With the hub the founder goes, for whom as an owner an admin's group would wait.
        try crew.loseHub()
        try crew.world.run(for: .minutes(10))
        let new = try #require(crew.current(at: eve))
        #expect(new != crew.id && crew.current(at: cid) == new)
        #expect(!crew.world.members(of: new, at: cid).contains { $0.user == crew.user(mal) })
        #expect(crew.role(of: eve, at: cid) == .owner)
    }

    @Test func `an admin's new group waits for an owner whose node is only away`() throws {
        var crew = try Crew(seed: 7_360, others: [0, 2, 2])
        let (bob, cid, dan) = (crew.others[0], crew.others[1], crew.others[2])
        try crew.give(.admin, to: bob)
        crew.world.kill(node: 1, for: .minutes(6))
        try crew.world.run(for: .seconds(20))
        crew.reset(by: bob)
        try crew.world.run(for: .minutes(4))
        for user in [cid, dan] { #expect(crew.current(at: user) == crew.id) }
        try crew.world.run(for: .minutes(30))
        let new = try #require(crew.current(at: bob))
        for user in [crew.ann, bob, cid, dan] {
            #expect(crew.current(at: user) == new)
            #expect([crew.ann, bob].map { crew.role(of: $0, at: user) } == [.owner, .admin])
        }
        #expect(try crew.deliver("on", by: dan).isDelivered)
    }

    @Test func `what nobody had taken goes into the new group, and wishes for the old one are over`() throws {
        var crew = try Crew(seed: 7_400, others: [0, 2])
        let (bob, cid) = (crew.others[0], crew.others[1])
        try crew.give(.admin, to: bob)
        // It comes into the group by itself, when the reset is there already.
        crew.world.kill(node: 2, for: .minutes(3))
        try crew.loseHub()
        let early = crew.world.send("written offline", from: cid, to: crew.id)
        crew.reset(by: bob)
        try crew.world.run(for: .minutes(8))
        #expect(crew.current(at: cid) == crew.current(at: bob) && crew.current(at: bob) != crew.id)
        // Sealed for the old group and never handed over, it fails; never sealed, it goes on.
        let state = crew.world.state(try #require(early), at: cid)
        #expect(state == .failed || state.isDelivered)
        #expect(try crew.deliver("on", by: cid).isDelivered)
        #expect(crew.texts(at: bob).last == "on")
    }

    @Test func `a direct conversation goes on in a new one when its hub is gone and both users have other homes`() throws {
        var world = try World(nodes: 3, seed: 7_800)
        let (ann, bob) = (try world.addUser("ann", at: 0), try world.addUser("bob", at: 2))
        #expect(try world.run(until: { world in [ann, bob].allSatisfy { world.isMember($0) } }, within: .seconds(30)))
        let address = try #require(world.address(bob))
        world.tell(.contactDecided(try #require(world.address(ann)), .accept), to: bob)
        _ = world.send("before", from: ann, to: address)
        try world.run(for: .seconds(20))
        let old = try #require(world.profile(ann).conversations.keys.first)
        // No user has another home than at first: so a third node plays the hub.
        let hub = world.nodeID(1)
        #expect(try world.expel(node: 1, by: 0))
        try world.run(for: .seconds(20))
        world.plot = { device, frame in
            guard device == ann, case .submit(let submission) = frame, submission.conversation == old else { return [frame] }
            return [
                .submit(
                    Submission(
                        message: submission.message, conversation: old, hub: hub, kind: submission.kind, timeToLive: submission.timeToLive,
                        order: submission.order))
            ]
        }
        let sent = try ["one", "two"].map { text in
            let message = world.send(text, from: ann, to: address)
            return try #require(message)
        }
        try world.run(for: .minutes(1))
        for message in sent { #expect(world.state(message, at: ann).isDelivered) }
        #expect(world.history(bob).suffix(2).map(\.message) == sent)
        #expect(world.profile(ann).conversations[old]?.standing == .removed && world.profile(ann).conversations.count == 2)
    }

    @Test func `to a user who has gone with the hub what is said fails, and nothing is founded`() throws {
        var world = try World(nodes: 2, seed: 7_801)
        let (ann, bob) = (try world.addUser("ann", at: 0), try world.addUser("bob", at: 1))
        #expect(try world.run(until: { world in [ann, bob].allSatisfy { world.isMember($0) } }, within: .seconds(30)))
        let address = try #require(world.address(ann))
        _ = world.send("before", from: bob, to: address)
        try world.run(for: .seconds(20))
        #expect(try world.expel(node: 1, by: 0))
        try world.run(for: .seconds(20))
        for text in ["one", "two"] {
            let sent = world.send(text, from: ann, to: try #require(world.address(bob)))
            let message = try #require(sent)
            try world.run(for: .minutes(1))
            #expect(world.state(message, at: ann) == .failed)
        }
        #expect(world.profile(ann).conversations.count == 1)
    }

    @Test func `who is not let back in is told after three tries how the group can go on, and so it does`() throws {
        var crew = try Crew(seed: 7_700, others: [0, 2])
        let (bob, cid) = (crew.others[0], crew.others[1])
        try crew.give(.admin, to: bob)
        let old = crew.world.profile(cid)
        #expect(try crew.deliver("before", by: cid).isDelivered)
        crew.world.lie = { device, frame in
            guard device == cid, case .group(let request, let part) = frame else { return [frame] }
            var bytes = part.bytes
            bytes[bytes.count / 2] ^= 1
            return [.group(request, AnswerPart(index: part.index, count: part.count, bytes: bytes))]
        }
        crew.world.restore(old, device: cid)
        try crew.world.run(for: .milliseconds(200))
        let waiting = crew.world.send("waits", from: cid, to: crew.id)
        let message = try #require(waiting)
        let isTold = try crew.world.run(
            until: { world in
                world.profile(cid).outbox[message]?.refusal?.detail.contains("courier group reset") == true
                    || world.state(message, at: cid) == .failed
            }, within: .minutes(5))
        #expect(isTold)
        try crew.world.run(for: .minutes(3))
        #expect(crew.world.profile(cid).conversations[crew.id]?.standing == .removed)
        crew.world.lie = nil
        crew.reset(by: bob)
        try crew.world.run(for: .minutes(2))
        #expect(crew.current(at: cid) == crew.current(at: bob) && crew.current(at: bob) != crew.id)
        #expect(try crew.deliver("again", by: cid).isDelivered)
    }

    @Test func `a group can be reset though its hub is there, again and again`() throws {
        var crew = try Crew(seed: 7_500, others: [0, 2])
        let (bob, cid) = (crew.others[0], crew.others[1])
        try crew.give(.admin, to: bob)
        var seen: Set<ConversationID> = [crew.id]
        for (round, admin) in [bob, crew.ann, bob].enumerated() {
            crew.reset(by: admin, as: UInt64(10 + round))
            try crew.world.run(for: .minutes(2))
            let new = try #require(crew.current(at: cid))
            #expect(seen.insert(new).inserted)
            for user in [crew.ann, bob, cid] {
                #expect(crew.current(at: user) == new)
                #expect(crew.role(of: crew.ann, at: user) == .owner && crew.role(of: bob, at: user) == .admin)
            }
            #expect(try crew.deliver("\(round)", by: cid).isDelivered)
        }
        #expect(crew.texts(at: crew.ann) == ["0", "1", "2"])
        for user in [crew.ann, bob, cid] { #expect(crew.world.alarms(user) == 0) }
        // Out of it is out of all of it.
        crew.world.tell(.groupRequested(Ticket(20), .leave(crew.id)), to: cid)
        try crew.world.run(for: .minutes(2))
        for id in seen { #expect(crew.world.profile(cid).conversations[id]?.standing == .removed) }
    }
}
