import ClientCore
import Groups
import Simulation
import Testing
import Vocabulary

@Suite struct ConversationTests {
    @Test func `a first message founds a conversation, arrives, and is read`() throws {
        var flow = try Flow(nodes: 2, seed: 1)
        try #expect(flow.join() == true)
        flow.send(from: 0, to: 1)
        let (message, users) = (flow.sent[0].message, flow.users)
        #expect(try flow.world.run(until: { $0.state(message, at: users[0]) == .read }, within: .seconds(30)))
        #expect(flow.world.told(users[0]).map(\.state) == [.queued, .sent, .accepted, .delivered, .read])
        #expect(flow.problems.isEmpty)
    }

    @Test func `a stranger hears nothing until accepted, and then everything`() throws {
        var flow = try Flow(nodes: 2, seed: 2)
        try #expect(flow.join() == true)
        flow.world.setTrusting(false, device: flow.users[1])
        flow.send(from: 0, to: 1)
        try flow.world.run(for: .seconds(20))
        let message = flow.sent[0].message
        #expect(flow.world.history(flow.users[1]).contains { $0.message == message && $0.isRequest })
        #expect(flow.world.state(message, at: flow.users[0]) == .accepted)
        guard let stranger = flow.world.address(flow.users[0]) else { return }
        flow.world.tell(.contactDecided(stranger, .accept), to: flow.users[1])
        try flow.world.run(for: .seconds(5))
        #expect(flow.world.state(message, at: flow.users[0]).isDelivered)
    }

    @Test func `two who write to each other at the same moment have one thread`() throws {
        var flow = try Flow(nodes: 2, seed: 3)
        try #expect(flow.join() == true)
        flow.send(from: 0, to: 1)
        flow.send(from: 1, to: 0)
        try flow.settle(within: .seconds(30))
        flow.send(from: 0, to: 1)
        flow.send(from: 1, to: 0)
        try flow.settle(within: .seconds(30))
        #expect(flow.problems.isEmpty)
        // Both go on in the same of the two groups.
        let last = flow.users.map { user in flow.world.history(user).last { $0.isOutgoing }?.conversation }
        #expect(last[0] == last[1] && last[0] != nil)
    }

    @Test func `a blocked user's messages do not come, and after the block is lifted new ones do`() throws {
        var flow = try Flow(nodes: 2, seed: 4)
        try #expect(flow.join() == true)
        flow.send(from: 0, to: 1)
        flow.send(from: 1, to: 0)
        try flow.settle(within: .seconds(30))
        guard let other = flow.world.address(flow.users[0]) else { return }
        flow.world.tell(.contactDecided(other, .block(true)), to: flow.users[1])
        try flow.world.run(for: .seconds(2))
        flow.send(from: 0, to: 1)
        try flow.world.run(for: .seconds(10))
        let kept = flow.sent[2].message
        #expect(flow.world.state(kept, at: flow.users[0]) == .accepted)
        #expect(!flow.world.history(flow.users[1]).contains { $0.message == kept })
        flow.world.tell(.contactDecided(other, .block(false)), to: flow.users[1])
        try flow.world.run(for: .seconds(20))
        // What was kept back is gone, and its sender hears it.
        #expect(flow.world.state(kept, at: flow.users[0]) == .failed)
        flow.send(from: 0, to: 1)
        try flow.world.run(for: .seconds(20))
        #expect(flow.world.state(flow.sent[3].message, at: flow.users[0]).isDelivered)
        #expect(flow.users.allSatisfy { flow.world.alarms($0) == 0 })
    }

    @Test(arguments: [false, true])
    func `who writes to a stranger that was declined, or accepts it later, has what it says from then on`(writes: Bool) throws {
        var flow = try Flow(nodes: 2, seed: 8)
        try #expect(flow.join() == true)
        flow.world.setTrusting(false, device: flow.users[1])
        flow.send(from: 0, to: 1)
        try flow.world.run(for: .seconds(10))
        let other = try #require(flow.world.address(flow.users[0]))
        flow.world.tell(.contactDecided(other, .decline), to: flow.users[1])
        try flow.world.run(for: .seconds(2))
        flow.send(from: 0, to: 1)
        try flow.world.run(for: .seconds(10))
        let unwanted = flow.sent[1].message
        #expect(flow.world.state(unwanted, at: flow.users[0]) == .accepted)
        #expect(!flow.world.history(flow.users[1]).contains { $0.message == unwanted })

        if writes { flow.send(from: 1, to: 0) } else { flow.world.tell(.contactDecided(other, .accept), to: flow.users[1]) }
        try flow.world.run(for: .seconds(20))
        // Its sender hears what became of it.
        #expect(flow.world.state(unwanted, at: flow.users[0]) == .failed)
        flow.send(from: 0, to: 1)
        flow.send(from: 1, to: 0)
        try flow.world.run(for: .seconds(20))
        for sent in flow.sent.dropFirst(2) { #expect(flow.world.state(sent.message, at: flow.users[sent.from]).isDelivered) }
        #expect(flow.users.allSatisfy { flow.world.alarms($0) == 0 })
    }

    @Test func `who is declined while the node is away stays declined`() throws {
        var flow = try Flow(nodes: 2, seed: 9)
        try #expect(flow.join() == true)
        flow.world.setTrusting(false, device: flow.users[1])
        flow.send(from: 0, to: 1)
        try flow.world.run(for: .seconds(10))
        let other = try #require(flow.world.address(flow.users[0]))
        flow.world.kill(node: 1, for: .seconds(5))
        try flow.world.run(for: .seconds(1))
        flow.world.tell(.contactDecided(other, .decline), to: flow.users[1])
        try flow.world.run(for: .seconds(60))
        let id = try #require(flow.world.profile(flow.users[1]).conversations.keys.first)
        let row = try #require(flow.world.store(1).values[.blocked]?.values.first)
        #expect((0..<row.count).contains { row[$0...].starts(with: id.bytes) }, "the home was told of it")
    }

    @Test func `what a stranger was blocked for fails alone: what came before waits for the user's word, as it did`() throws {
        var flow = try Flow(nodes: 2, seed: 6)
        try #expect(flow.join() == true)
        flow.world.setTrusting(false, device: flow.users[1])
        func states() -> [MessageState?] { flow.sent.map { flow.world.state($0.message, at: flow.users[0]) } }
        flow.send(from: 0, to: 1)
        flow.send(from: 0, to: 1)
        try flow.world.run(for: .seconds(20))
        #expect(flow.sent.allSatisfy { sent in flow.world.history(flow.users[1]).contains { $0.message == sent.message } })
        guard let other = flow.world.address(flow.users[0]) else { return }
        flow.world.tell(.contactDecided(other, .block(true)), to: flow.users[1])
        try flow.world.run(for: .seconds(2))
        flow.send(from: 0, to: 1)
        try flow.world.run(for: .seconds(10))
        #expect(states() == [.accepted, .accepted, .accepted])
        flow.world.tell(.contactDecided(other, .block(false)), to: flow.users[1])
        try flow.world.run(for: .seconds(20))
        #expect(states() == [.accepted, .accepted, .failed])
        flow.world.tell(.contactDecided(other, .accept), to: flow.users[1])
        try flow.world.run(for: .seconds(20))
        let last = states()
        #expect(last[0].isDelivered && last[1].isDelivered && last[2] == .failed, "\(last)")
        #expect(flow.users.allSatisfy { flow.world.alarms($0) == 0 })
    }

    @Test func `presence goes to whom the user writes to, and ends with the node`() throws {
        var flow = try Flow(nodes: 2, seed: 5)
        try #expect(flow.join() == true)
        flow.send(from: 0, to: 1)
        flow.send(from: 1, to: 0)
        try flow.settle(within: .seconds(30))
        try flow.world.run(for: .seconds(5))
        guard let other = flow.world.address(flow.users[1]) else { return }
        flow.world.tell(.presenceWanted([other]), to: flow.users[0])
        try flow.world.run(for: .seconds(5))
        func last() -> Presence? {
            flow.world.heard(flow.users[0]).compactMap { if case .presence(_, let presence) = $0 { presence } else { nil } }.last
        }
        #expect(last() == .online)
        flow.world.kill(node: 1, for: .minutes(5))
        try flow.world.run(for: .seconds(10))
        #expect(last() == .unreachable)
    }

    @Test func `a home that must know what is shown of its user has it when that is said, and hears it later where it is down`() throws {
        var flow = try Flow(nodes: 2, seed: 6)
        try #expect(flow.join() == true)
        flow.send(from: 0, to: 1)
        flow.send(from: 1, to: 0)
        try flow.settle(within: .seconds(30))
        guard let other = flow.world.address(flow.users[1]) else { return }
        flow.world.tell(.presenceWanted([other]), to: flow.users[0])
        func last() -> Presence? {
            flow.world.heard(flow.users[0]).compactMap { if case .presence(_, let presence) = $0 { presence } else { nil } }.last
        }
        let user = flow.users[1]
        func hasTold(_ world: World) -> Bool { world.core(ofDevice: user)?.hasToldHome == true }
        for shares in [false, true] {
            flow.world.tell(.settingsChanged(sendsReadReceipts: nil, sharesLastSeen: shares), to: user)
            #expect(!hasTold(flow.world) && flow.world.core(ofDevice: user)?.isSettled == false)
            #expect(try flow.world.run(until: hasTold, within: .seconds(5)))
        }
        // What the home need not know asks nothing of it.
        flow.world.tell(.settingsChanged(sendsReadReceipts: false, sharesLastSeen: nil), to: user)
        #expect(hasTold(flow.world))
        flow.world.kill(node: 1, for: .seconds(30))
        flow.world.tell(.settingsChanged(sendsReadReceipts: nil, sharesLastSeen: false), to: user)
        try flow.world.run(for: .seconds(10))
        #expect(!hasTold(flow.world))
        #expect(try flow.world.run(until: hasTold, within: .minutes(2)))
        flow.world.kill(device: user, for: .minutes(5))
        try flow.world.run(for: .seconds(5))
        #expect(last() == .offline(lastSeen: nil))
    }
}
