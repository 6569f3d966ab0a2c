import ClientCore
import Cryptography
import Federation
import Groups
import Simulation
import Testing
import Vocabulary

/// Nodes that were restored from a backup (docs/protocol/hub.md, "Restoration"). The first node is the hub.
@Suite struct RestorationTests {
    private let everybody = [0, 1, 2, 3, 4, 5]

    private func restored(_ flow: GroupFlow, at index: Int) -> [UInt64] {
        flow.world.history(flow.users[index]).compactMap {
            if case .membership(.restored(let missing)) = $0.body { missing } else { nil }
        }
    }

    @Test(arguments: UInt64(800)..<806)
    func `a restored hub gives no number twice, and its conversation goes on without an alarm or a loss`(seed: UInt64) throws {
        var flow = try GroupFlow(users: 6, nodes: 3, seed: seed)
        for index in everybody { flow.send(by: index) }
        #expect(try flow.settle(staying: everybody, within: .seconds(30)), "seed \(seed)")
        // All have keys of their own making: who is away later lacks messages, and no commit that would open them.
        try flow.world.run(for: .seconds(60))
        let copy = flow.world.store(0).copy()
        let before = flow.head(at: 0)
        for round in 0..<10 {
            for index in everybody { flow.send(by: index) }
            // Some are away while the hub goes on.
            if round == 5 { flow.world.kill(device: flow.users[Int(seed) % 6], for: .seconds(seed % 2 == 0 ? 3 : 40)) }
            try flow.world.run(for: .milliseconds(300))
        }
        #expect(flow.head(at: 0) > before)
        let lost = flow.head(at: 0)
        try flow.world.restore(copy, node: 0)
        try flow.world.run(for: .milliseconds(Int64(seed % 3) * 700))
        for index in everybody { flow.send(by: index) }
        try flow.world.run(for: .seconds(50))
        for index in everybody { flow.send(by: index) }
        #expect(try flow.settle(staying: everybody, within: .seconds(120)), "seed \(seed)")
        #expect(flow.problems(complete: everybody).isEmpty, "seed \(seed): \(flow.problems(complete: everybody))")
        for index in everybody {
            #expect(flow.head(at: index).value > lost.value + 1_000_000_000, "seed \(seed)")
            #expect(restored(flow, at: index).count == 1, "seed \(seed): user \(index)")
        }
        #expect(flow.world.node(0)?.hubRecovering == 0)
    }

    @Test(arguments: UInt64(810)..<814)
    func `a restored hub goes on with the group of those who are ahead of its copy`(seed: UInt64) throws {
        var flow = try GroupFlow(users: 6, nodes: 3, seed: seed, outside: 1)
        let copy = flow.world.store(0).copy()
        if let gone = flow.address(1) { flow.wish(.remove(flow.id, [gone]), by: 0) }
        try flow.world.run(for: .seconds(5))
        if let late = flow.address(5) { flow.wish(.add(flow.id, [late]), by: 0) }
        try flow.world.run(for: .seconds(8))
        let staying = [0, 2, 3, 4, 5]
        for index in staying { flow.send(by: index) }
        #expect(try flow.settle(staying: staying, within: .seconds(30)), "seed \(seed)")
        let epoch = flow.world.group(flow.id, at: flow.users[0])?.epoch ?? 0
        try flow.world.restore(copy, node: 0)
        try flow.world.run(for: .seconds(40))
        for index in staying { flow.send(by: index) }
        #expect(try flow.settle(staying: staying, within: .seconds(120)), "seed \(seed)")
        #expect(flow.problems(complete: [0, 2, 3, 4]).isEmpty, "seed \(seed): \(flow.problems(complete: [0, 2, 3, 4]))")
        for index in staying {
            #expect(flow.members(at: index).count == staying.count, "seed \(seed): user \(index)")
            #expect(flow.world.group(flow.id, at: flow.users[index])?.epoch ?? 0 >= epoch, "seed \(seed)")
        }
        #expect(flow.world.profile(flow.users[1]).conversations[flow.id]?.standing == .removed)
    }

    /// What it gives positions of before that its peers have read was passed over.
    @Test func `a node whose clock was set right before it was restored is heard by the others all the same`() throws {
        var flow = try GroupFlow(users: 6, nodes: 3, seed: 814)
        try flow.world.run(for: .seconds(60))
        flow.world.setClock(ahead: .seconds(3_000), node: 0)
        for index in everybody { flow.send(by: index) }
        try flow.world.run(for: .seconds(5))
        flow.world.setClock(ahead: .zero, node: 0)
        let copy = flow.world.store(0).copy()
        for _ in 0..<10 {
            for index in everybody { flow.send(by: index) }
            try flow.world.run(for: .seconds(1))
        }
        try flow.world.restore(copy, node: 0)
        try flow.world.run(for: .seconds(20))
        #expect(try flow.settle(staying: everybody, within: .seconds(60)))
        #expect(flow.problems(complete: everybody).isEmpty)
    }

    /// The removal was in the hub's queues, and went with them.
    @Test(arguments: UInt64(815)..<818)
    func `who was removed after the copy was made learns that a restored hub goes on without it`(seed: UInt64) throws {
        var flow = try GroupFlow(users: 6, nodes: 3, seed: seed)
        try flow.world.run(for: .seconds(60))
        let copy = flow.world.store(0).copy()
        flow.world.kill(device: flow.users[3], for: .seconds(10))
        if let gone = flow.address(3) { flow.wish(.remove(flow.id, [gone]), by: 0) }
        try flow.world.run(for: .seconds(3))
        try flow.world.restore(copy, node: 0)
        try flow.world.run(for: .seconds(7))
        let text = flow.world.send("too late", from: flow.users[3], to: flow.id)
        try flow.world.run(for: .seconds(60))
        #expect(flow.world.profile(flow.users[3]).conversations[flow.id]?.standing == .removed, "seed \(seed)")
        #expect(text.flatMap { flow.world.state($0, at: flow.users[3]) } == .failed, "seed \(seed)")
    }

    /// Nobody was there in time to tell the hub; the others have come back into the group of its copy.
    @Test func `who left, and is in again since a restored hub has forgotten it, leaves once more`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 819)
        try flow.world.run(for: .seconds(60))
        let copy = flow.world.store(0).copy()
        flow.wish(.leave(flow.id), by: 3)
        try flow.world.run(for: .seconds(10))
        #expect(flow.members(at: 0).count == 3)
        for index in 0..<3 { flow.world.kill(device: flow.users[index], for: .seconds(20)) }
        try flow.world.restore(copy, node: 0)
        try flow.world.run(for: .seconds(60))
        #expect(flow.members(at: 0).count == 3)
        #expect(flow.world.profile(flow.users[3]).conversations[flow.id]?.standing == .removed)
        for index in 0..<3 { flow.send(by: index) }
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(30)))
        #expect((0..<4).allSatisfy { flow.alarms(at: $0).isEmpty })
    }

    /// A member that goes on from an old copy of its profile has not seen the removal.
    @Test func `nobody waits for the receipts of one who went while one was coming back in`() throws {
        var flow = try GroupFlow(users: 6, nodes: 3, seed: 818)
        try flow.world.run(for: .seconds(60))
        let old = flow.world.profile(flow.users[4])
        if let gone = flow.address(1) { flow.wish(.remove(flow.id, [gone]), by: 0) }
        try flow.world.run(for: .seconds(5))
        _ = flow.world.send("forgotten", from: flow.users[4], to: flow.id)
        try flow.world.run(for: .seconds(5))
        flow.world.restore(old, device: flow.users[4])
        try flow.world.run(for: .seconds(10))
        flow.send(by: 4)
        #expect(try flow.settle(staying: [0, 2, 3, 4, 5], within: .seconds(30)))
    }

    @Test(arguments: UInt64(820)..<824)
    func `a restored follower is refilled from the hub's log`(seed: UInt64) throws {
        var flow = try GroupFlow(users: 6, nodes: 3, seed: seed)
        for index in everybody { flow.send(by: index) }
        #expect(try flow.settle(staying: everybody, within: .seconds(30)), "seed \(seed)")
        let copy = flow.world.store(1).copy()
        // Those of the second node are away: what comes waits at their home, and is lost with it.
        for index in [1, 4] { flow.world.kill(device: flow.users[index], for: .seconds(30)) }
        for _ in 0..<5 {
            for index in [0, 2, 3, 5] { flow.send(by: index) }
            try flow.world.run(for: .milliseconds(500))
        }
        try flow.world.restore(copy, node: 1)
        #expect(try flow.settle(staying: everybody, within: .seconds(120)), "seed \(seed)")
        #expect(flow.problems(complete: everybody).isEmpty, "seed \(seed): \(flow.problems(complete: everybody))")
        #expect(everybody.allSatisfy { restored(flow, at: $0).isEmpty }, "seed \(seed)")
    }

    /// The device cannot ask for what it does not know of.
    @Test(arguments: [false, true])
    func `a Welcome that a restored home has forgotten comes once more out of the hub's log`(hubRestarts: Bool) throws {
        var world = try World(nodes: 2, seed: 824)
        let users = try (0..<2).map { try world.addUser("user\($0)", at: $0) }
        _ = try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(60))
        try world.run(for: .seconds(5))
        let copy = world.store(1).copy()
        world.kill(device: users[1], for: .seconds(20))
        let address = try #require(world.address(users[1]))
        let sent = world.send("hello", from: users[0], to: address)
        let message = try #require(sent)
        try world.run(for: .seconds(10))
        #expect(world.state(message, at: users[0]) == .accepted)
        if hubRestarts { world.kill(node: 0, for: .seconds(1)) }
        try world.restore(copy, node: 1)
        try world.run(for: .seconds(60))
        #expect(world.history(users[1]).contains { $0.body == .incoming("hello") })
        let state = world.state(message, at: users[0])
        #expect(state == .delivered || state == .read)
        #expect(users.allSatisfy { world.alarms($0) == 0 })
    }

    @Test(arguments: UInt64(860)..<866)
    func `hub and home that are restored one after the other cost nobody what the hub's copy has, and number nothing twice`(
        seed: UInt64
    ) throws {
        var flow = try GroupFlow(users: 6, nodes: 3, seed: seed)
        for index in everybody { flow.send(by: index) }
        #expect(try flow.settle(staying: everybody, within: .seconds(30)), "seed \(seed)")
        try flow.world.run(for: .seconds(60))
        let home = flow.world.store(1).copy()
        // Away, so that all of this waits at its home, and in the hub's log.
        flow.world.kill(device: flow.users[4], for: .seconds(8))
        for _ in 0..<5 {
            for index in [0, 1, 2, 3, 5] { flow.send(by: index) }
            try flow.world.run(for: .milliseconds(400))
        }
        let hub = flow.world.store(0).copy()
        try flow.world.restore(home, node: 1)
        try flow.world.restore(hub, node: 0)
        for index in [1, 2, 3] { flow.send(by: index) }
        try flow.world.run(for: .seconds(20))
        #expect(try flow.settle(staying: everybody, within: .seconds(120)), "seed \(seed)")
        #expect(flow.problems(complete: everybody).isEmpty, "seed \(seed): \(flow.problems(complete: everybody))")
        #expect(everybody.allSatisfy { restored(flow, at: $0) == [0] }, "seed \(seed)")
    }

    @Test func `a message whose acceptance went with its home's old store keeps the number that it has`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 870)
        #expect(try flow.settle(staying: [0, 1, 2, 3], within: .seconds(30)))
        try flow.world.run(for: .seconds(60))
        let copy = flow.world.store(1).copy()
        // Its home takes it, and hears that it is accepted; the device does not.
        let writer = flow.users[1]
        flow.send(by: 1)
        let message = flow.sent[0].message
        #expect(try flow.world.run(until: { $0.state(message, at: writer) == .sent }, within: .seconds(5)))
        flow.world.kill(device: writer, for: .seconds(5))
        try flow.world.run(for: .seconds(2))
        let number = try #require(flow.world.history(flow.users[0]).last?.status.number)
        try flow.world.restore(copy, node: 1)
        #expect(try flow.world.run(until: { $0.state(message, at: writer).isDelivered }, within: .seconds(30)))
        // What asks for receipts has a number, too; a second one for the message would be one more.
        #expect(flow.head(at: 0).value - number.value <= 1)
        #expect(flow.texts(at: 0) == ["0"])
        #expect(flow.problems(complete: [0, 1, 2, 3]).isEmpty)
    }

    /// Its home has forgotten that it took it, and takes it again; by then its hub has nothing of it, nor the sender in the group.
    @Test func `a message that has its number does not fail since a copy of it is refused`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 873)
        try flow.world.run(for: .seconds(60))
        let copy = flow.world.store(1).copy()
        let (id, before, writer) = (flow.id, flow.head(at: 0), flow.users[1])
        flow.send(by: 1)
        let message = flow.sent[0].message
        #expect(try flow.world.run(until: { $0.node(0)?.hubHead(id) != before }, within: .seconds(5)))
        flow.world.kill(node: 1, for: .seconds(8))
        if let address = flow.address(1) { flow.wish(.remove(id, [address]), by: 0) }
        try flow.world.run(for: .seconds(5))
        try flow.world.restore(copy, node: 1)
        try flow.world.run(for: .seconds(30))
        #expect(flow.texts(at: 3) == ["0"])
        #expect(flow.world.state(message, at: writer) == .accepted)
        #expect(!flow.world.told(writer).contains { $0.message == message && $0.state == .failed })
    }

    /// Nobody says anything that would remind it.
    @Test func `a restored hub that finds its disk full asks its members as soon as there is room`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 876)
        #expect(try flow.settle(staying: [0, 1, 2, 3], within: .seconds(30)))
        try flow.world.run(for: .seconds(60))
        let before = flow.head(at: 0)
        try flow.world.restore(flow.world.store(0).copy(), node: 0)
        try flow.world.setFull(true, node: 0)
        try flow.world.run(for: .seconds(60))
        #expect((0..<4).allSatisfy { flow.head(at: $0) == before })
        try flow.world.setFull(false, node: 0)
        try flow.world.run(for: .seconds(30))
        #expect((0..<4).allSatisfy { flow.head(at: $0) > before && flow.head(at: $0) == flow.head(at: 0) })
        #expect(flow.problems(complete: [0, 1, 2, 3]).isEmpty)
    }

    /// What was put off until the hub has settled waits no longer.
    @Test func `what was written while a hub recovers is said as soon as the members have told it where they are`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 875)
        #expect(try flow.settle(staying: [0, 1, 2, 3], within: .seconds(30)))
        try flow.world.run(for: .seconds(60))
        try flow.world.restore(flow.world.store(0).copy(), node: 0)
        let id = flow.id
        #expect(try flow.world.run(until: { $0.node(0)?.hubRecovering == 1 || $0.node(0)?.hubHead(id) == nil }, within: .seconds(20)))
        for index in 0..<4 { flow.send(by: index) }
        #expect(try flow.settle(staying: [0, 1, 2, 3], within: .seconds(20)))
    }

    /// Nobody says a watermark again by itself.
    @Test(arguments: [2, 4])
    func `receipts that went with a home's old store are heard again`(count: Int) throws {
        var flow = try GroupFlow(users: count, nodes: 2, seed: 871)
        let all = Array(0..<count)
        #expect(try flow.settle(staying: all, within: .seconds(30)))
        try flow.world.run(for: .seconds(60))
        let copy = flow.world.store(1).copy()
        let writer = flow.users[1]
        flow.send(by: 1)
        let message = flow.sent[0].message
        #expect(try flow.world.run(until: { $0.state(message, at: writer) == .accepted }, within: .seconds(5)))
        // The receipts come to its home, and not to the device.
        flow.world.kill(device: writer, for: .seconds(5))
        try flow.world.run(for: .seconds(3))
        try flow.world.restore(copy, node: 1)
        try flow.world.run(for: .seconds(30))
        #expect(flow.world.state(message, at: writer).isDelivered)
        #expect(flow.problems(complete: all).isEmpty)
    }

    /// Its group is still there, and is nobody's any more.
    @Test func `who gave a group up since its restored hub did not know it is added again`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 874, outside: 1)
        try flow.world.run(for: .seconds(60))
        let copy = flow.world.store(0).copy()
        let late = flow.users[3]
        let address = try #require(flow.address(3))
        flow.wish(.add(flow.id, [address]), by: 0)
        let id = flow.id
        #expect(try flow.world.run(until: { $0.group(id, at: late) != nil }, within: .seconds(20)))
        try flow.world.run(for: .seconds(5))
        // Those who could tell the hub of it are away until it has gone on without.
        for index in 0..<3 { flow.world.kill(device: flow.users[index], for: .seconds(40)) }
        try flow.world.restore(copy, node: 0)
        _ = flow.world.send("is anybody there?", from: late, to: id)
        #expect(try flow.world.run(until: { $0.profile(late).conversations[id]?.standing == .removed }, within: .seconds(60)))
        try flow.world.run(for: .seconds(60))
        if flow.members(at: 0).contains(flow.world.profile(late).account.userID) {
            flow.wish(.remove(id, [address]), by: 0)
            try flow.world.run(for: .seconds(20))
        }
        flow.wish(.add(id, [address]), by: 0)
        #expect(try flow.world.run(until: { $0.profile(late).conversations[id]?.standing == .accepted }, within: .seconds(60)))
        flow.send(by: 0)
        #expect(try flow.settle(staying: [0, 1, 2, 3], within: .seconds(60)))
        #expect(flow.texts(at: 3).last == "0")
    }

    /// The conversation was founded after the backup: the hub says nothing in it.
    @Test func `an accepted message that a restored hub has forgotten with its conversation is told to its sender`() throws {
        var world = try World(nodes: 2, seed: 873)
        let users = try (0..<2).map { try world.addUser("user\($0)", at: $0) }
        _ = try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(60))
        try world.run(for: .seconds(5))
        let copy = world.store(1).copy()
        let (one, other) = try (#require(world.address(users[0])), #require(world.address(users[1])))
        let first = world.send("hello", from: users[1], to: one)
        let hello = try #require(first)
        #expect(try world.run(until: { $0.state(hello, at: users[1]).isDelivered }, within: .seconds(30)))
        world.kill(device: users[1], for: .seconds(60))
        let second = world.send("are you there?", from: users[0], to: other)
        let answer = try #require(second)
        #expect(try world.run(until: { $0.state(answer, at: users[0]) == .accepted }, within: .seconds(10)))
        try world.restore(copy, node: 1)
        let isTold = try world.run(until: { $0.state(answer, at: users[0]) == .failed }, within: .seconds(90))
        #expect(isTold, "\(String(describing: world.state(answer, at: users[0]))), \(world.now)")
        // And the two go on in a new one.
        let third = world.send("once more", from: users[0], to: other)
        let again = try #require(third)
        #expect(try world.run(until: { $0.state(again, at: users[0]).isDelivered }, within: .seconds(300)))
        #expect(world.history(users[1]).count { $0.body == .incoming("once more") } == 1)
        #expect(users.allSatisfy { world.alarms($0) == 0 })
    }

    /// The copy is from between the founding and the first commit, and who could tell the hub of it is away
    /// (`workbench simulate --faults network,disks,clocks,crashes,copies --seed 434`).
    @Test func `a direct conversation that was set back to its founding goes on with both, and nobody is alarmed`() throws {
        var world = try World(nodes: 2, seed: 876)
        let users = try (0..<2).map { try world.addUser("user\($0)", at: $0) }
        _ = try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(60))
        try world.run(for: .seconds(5))
        let addresses = try users.map { try #require(world.address($0)) }
        let first = world.send("hello", from: users[0], to: addresses[1])
        let hello = try #require(first)
        let isFounded = try world.run(
            until: { world in
                world.profile(users[0]).conversations.values.contains { if case .ours(_, true) = $0.origin { true } else { false } }
            }, within: .seconds(10))
        let id = try #require(world.profile(users[0]).conversations.keys.first)
        #expect(isFounded && world.profile(users[0]).conversations[id]?.head == .zero)
        let copy = world.store(0).copy()
        #expect(try world.run(until: { $0.state(hello, at: users[0]).isDelivered }, within: .seconds(30)))
        try world.run(for: .seconds(30))
        world.kill(device: users[0], for: .seconds(30))
        let second = world.send("are you there?", from: users[1], to: addresses[0])
        let question = try #require(second)
        try world.run(for: .seconds(2))
        try world.restore(copy, node: 0)
        // Nobody says anything meanwhile.
        try world.run(for: .seconds(90))
        let heads = users.map { world.profile($0).conversations[id]?.head.value }
        #expect(heads[0] == heads[1] && (heads[0] ?? 0) > 1_000_000_000, "\(heads)")
        #expect(world.state(question, at: users[1]).isDelivered)
        let (third, fourth) = (world.send("one", from: users[0], to: addresses[1]), world.send("two", from: users[1], to: addresses[0]))
        let (one, two) = (try #require(third), try #require(fourth))
        try world.run(for: .seconds(10))
        #expect(world.state(one, at: users[0]).isDelivered && world.state(two, at: users[1]).isDelivered)
        #expect(world.history(users[0]).count { $0.body == .incoming("are you there?") } == 1)
        #expect(users.allSatisfy { world.profile($0).conversations.count == 1 && world.alarms($0) == 0 })
    }

    /// It was the wrong backup (`workbench simulate --faults copies --seed 401`).
    @Test func `who gave a conversation up since its hub did not know it comes back in when the hub goes on from a newer backup`() throws {
        var world = try World(nodes: 2, seed: 877)
        let users = try (0..<2).map { try world.addUser("user\($0)", at: $0) }
        _ = try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(60))
        try world.run(for: .seconds(5))
        let addresses = try users.map { try #require(world.address($0)) }
        let older = world.store(0).copy()
        let first = world.send("hello", from: users[0], to: addresses[1])
        let hello = try #require(first)
        #expect(try world.run(until: { $0.state(hello, at: users[0]).isDelivered }, within: .seconds(30)))
        try world.run(for: .seconds(30))
        let id = try #require(world.profile(users[0]).conversations.keys.first)
        let newer = world.store(0).copy()
        world.kill(device: users[0], for: .seconds(60))
        try world.restore(older, node: 0)
        _ = world.send("is anybody there?", from: users[1], to: addresses[0])
        #expect(try world.run(until: { $0.profile(users[1]).conversations[id]?.standing == .removed }, within: .seconds(50)))
        try world.restore(newer, node: 0)
        try world.run(for: .seconds(120))
        let heads = users.map { world.profile($0).conversations[id]?.head }
        #expect(heads[0] == heads[1] && world.profile(users[1]).conversations[id]?.standing == .accepted)
        let (second, third) = (world.send("one", from: users[0], to: addresses[1]), world.send("two", from: users[1], to: addresses[0]))
        let (one, two) = (try #require(second), try #require(third))
        try world.run(for: .seconds(10))
        #expect(world.state(one, at: users[0]).isDelivered && world.state(two, at: users[1]).isDelivered)
        #expect(users.allSatisfy { world.alarms($0) == 0 })
    }

    @Test func `who registered after the backup that its home was restored from is let in again`() throws {
        var world = try World(nodes: 1, seed: 872)
        let first = try world.addUser("first", at: 0)
        _ = try world.run(until: { $0.isMember(first) }, within: .seconds(60))
        let copy = world.store(0).copy()
        let late = try world.addUser("late", at: 0)
        _ = try world.run(until: { $0.isMember(late) }, within: .seconds(60))
        try world.restore(copy, node: 0)
        try world.run(for: .seconds(10))
        let address = try #require(world.address(late))
        let sent = world.send("hello", from: first, to: address)
        let message = try #require(sent)
        #expect(try world.run(until: { $0.history(late).contains { $0.body == .incoming("hello") } }, within: .seconds(30)))
        #expect(try world.run(until: { $0.state(message, at: first).isDelivered }, within: .seconds(30)))
    }

    /// Between the disk's answer and the step that takes it the last device may say to have the event.
    @Test func `an event that all have by the time it was read back is not queued once more`() throws {
        var world = try World(nodes: 1, seed: 826)
        let users = try (0..<2).map { try world.addUser("user\($0)", at: 0) }
        _ = try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(60))
        try world.run(for: .seconds(5))
        world.kill(device: users[1], for: .seconds(20))
        let address = try #require(world.address(users[1]))
        _ = world.send("hello", from: users[0], to: address)
        try world.run(for: .seconds(10))
        let key = try #require(world.profile(users[0]).conversations.values.first?.key)
        let account = world.profile(users[1]).account
        let entry = RosterEntry(user: account.userID, device: account.deviceID)
        var page = LogPage()
        let held = try world.store(0).heldEvents(key, after: .zero, bytesMax: .max).events
        page.events = held.map { (key: EventKey(conversation: key, number: $0.number), bytes: $0.bytes) }
        #expect(!held.isEmpty)
        var random = SeededGenerator(seed: 1)
        func queued(by node: Node?) throws -> Int {
            var node = try #require(node)
            let effects = node.step(.loaded(.events(page, for: entry)), at: world.now, using: &random)
            return effects.count { if case .write(.enqueue) = $0 { true } else { false } }
        }
        #expect(try queued(by: world.node(0)) == held.count)
        try world.run(for: .seconds(30))
        #expect(try world.store(0).heldEvents(key, after: .zero, bytesMax: .max).events.isEmpty)
        #expect(try queued(by: world.node(0)) == 0)
    }

    @Test func `an old copy of a hub that is not marked as restored is found out`() throws {
        var flow = try GroupFlow(users: 6, nodes: 3, seed: 830)
        for index in everybody { flow.send(by: index) }
        #expect(try flow.settle(staying: everybody, within: .seconds(30)))
        let copy = flow.world.store(0).copy()
        for index in everybody { flow.send(by: index) }
        #expect(try flow.settle(staying: everybody, within: .seconds(30)))
        try flow.world.restore(copy, node: 0, isMarked: false)
        for _ in 0..<3 {
            for index in everybody { flow.send(by: index) }
            try flow.world.run(for: .seconds(5))
        }
        #expect(everybody.contains { !flow.alarms(at: $0).isEmpty })
    }

    /// Only the first word may follow on a hole: another would be held again and again, and the device woken without end.
    @Test func `a later word of a restoration that waits in vain for the one before it is given up like any event`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 831)
        try flow.world.run(for: .seconds(30))
        let copy = flow.world.store(0).copy()
        flow.wish(.rename(flow.id, "later"), by: 0)
        try flow.world.run(for: .seconds(5))
        let (victim, id) = (flow.users[2], flow.id)
        flow.world.lie = { device, frame in
            guard device == victim, case .entry(_, .event(let envelope)) = frame, envelope.key.conversation == id,
                envelope.kind == .restoration, case .asked? = (try? Restoration(decoding: envelope.payload))?.stage
            else { return [frame] }
            return []
        }
        try flow.world.restore(copy, node: 0)
        try flow.world.run(for: .seconds(60))
        flow.send(by: 0)
        #expect(try flow.settle(staying: [0, 1, 2, 3], within: .seconds(60)))
        #expect(flow.alarms(at: 2) == [.gap])
    }

    @Test(arguments: UInt64(840)..<844)
    func `a hub that is restored twice, and killed while it recovers, comes through`(seed: UInt64) throws {
        var flow = try GroupFlow(users: 6, nodes: 3, seed: seed)
        let copy = flow.world.store(0).copy()
        for _ in 0..<2 {
            for index in everybody { flow.send(by: index) }
            #expect(try flow.settle(staying: everybody, within: .seconds(60)), "seed \(seed)")
            try flow.world.restore(copy, node: 0)
            try flow.world.run(for: .milliseconds(Int64(seed % 4) * 20 + 15))
            flow.world.kill(node: 0, for: .seconds(1))
            try flow.world.run(for: .seconds(30))
        }
        for index in everybody { flow.send(by: index) }
        #expect(try flow.settle(staying: everybody, within: .seconds(120)), "seed \(seed)")
        #expect(flow.problems(complete: everybody).isEmpty, "seed \(seed): \(flow.problems(complete: everybody))")
    }

    @Test func `a restored node hands out no KeyPackage that it has handed out before`() throws {
        var world = try World(nodes: 2, seed: 850)
        let users = try (0..<2).map { try world.addUser("user\($0)", at: $0) }
        _ = try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(60))
        let copy = world.store(1).copy()
        let handed = Set((copy.values[.keyPackages] ?? [:]).values.map { $0 })
        try world.restore(copy, node: 1)
        #expect(world.store(1).values[.keyPackages]?.isEmpty != false)
        try world.run(for: .seconds(10))
        let stocks = (world.store(1).values[.keyPackages] ?? [:]).values
        #expect(!stocks.isEmpty && stocks.allSatisfy { !handed.contains($0) })
    }

    /// Until its session ends, a device hears nothing that would make it offer them again.
    @Test(arguments: UInt64(851)..<854)
    func `who could not bring new KeyPackages to a restored home brings them when its disk has room`(seed: UInt64) throws {
        var world = try World(nodes: 2, seed: seed)
        let users = try (0..<2).map { try world.addUser("user\($0)", at: $0) }
        _ = try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(60))
        let copy = world.store(1).copy()
        try world.setFull(true, node: 1)
        try world.restore(copy, node: 1)
        try world.run(for: .seconds(10))
        #expect(world.store(1).values[.keyPackages]?.isEmpty != false, "seed \(seed)")
        try world.setFull(false, node: 1)
        let address = try #require(world.address(users[1]))
        let sent = world.send("hello", from: users[0], to: address)
        let message = try #require(sent)
        try world.run(for: .seconds(30))
        #expect(world.state(message, at: users[0]).map { $0 >= .delivered } == true, "seed \(seed)")
    }
}
