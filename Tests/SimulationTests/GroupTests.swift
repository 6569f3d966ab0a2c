import ClientCore
import Groups
import Simulation
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
