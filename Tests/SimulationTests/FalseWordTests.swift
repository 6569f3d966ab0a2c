import ClientCore
import Groups
import Simulation
import Synchronization
import Testing
import Vocabulary

/// What a hub, a home or any member node says to a client that is not so.
@Suite struct FalseWordTests {
    private func flow(_ seed: UInt64) throws -> GroupFlow {
        var flow = try GroupFlow(users: 3, nodes: 3, seed: seed)
        for index in 0..<3 { flow.send(by: index) }
        _ = try flow.settle(staying: [0, 1, 2], within: .seconds(60))
        return flow
    }

    /// In front of the next event that the device is told.
    private func slip(_ items: [DeviceItem], to victim: Int, in flow: inout GroupFlow) {
        let told = Atomic(false)
        flow.world.lie = { device, frame in
            guard device == victim, case .entry(let position, .event) = frame, !told.exchange(true, ordering: .relaxed) else {
                return [frame]
            }
            return items.map { .entry(position, $0) } + [frame]
        }
    }

    @Test func `that a message has failed is believed of the conversation's hub alone`() throws {
        var flow = try flow(880)
        let victim = flow.users[1]
        let one = try #require(flow.world.profile(victim).conversations[flow.id])
        let other = try #require((0..<3).map { flow.world.nodeID($0) }.first { $0 != one.key.hub })
        // Nobody has it yet: the others are away.
        for index in [0, 2] { flow.world.kill(device: flow.users[index], for: .seconds(30)) }
        let sent = flow.world.send("first", from: victim, to: flow.id)
        let message = try #require(sent)
        #expect(try flow.world.run(until: { $0.state(message, at: victim) == .accepted }, within: .seconds(20)))
        let key = ConversationKey(hub: other, conversation: flow.id)
        slip(
            [Refusal.Code.expired, .unknownConversation].map {
                .failed(Failure(key: key, message: message, refusal: Refusal($0, "gone")))
            }, to: victim, in: &flow)
        try flow.world.run(for: .seconds(30))
        flow.send(by: 0)
        #expect(try flow.world.run(until: { $0.state(message, at: victim).isDelivered }, within: .seconds(60)))
        #expect(flow.world.profile(victim).conversations[flow.id]?.standing == .accepted)
        #expect(flow.alarms(at: 1).allSatisfy { $0 == .otherHub })
    }

    @Test func `a message to which its hub gives the number of an older one is no delivered one`() throws {
        var flow = try flow(881)
        let victim = flow.users[1]
        for _ in 0..<4 {
            flow.send(by: 0)
            try flow.world.run(for: .seconds(5))
        }
        let one = try #require(flow.world.profile(victim).conversations[flow.id])
        // The next process knows no chain but the head's.
        flow.world.kill(device: victim, for: .seconds(1))
        try flow.world.run(for: .seconds(10))
        flow.world.lie = { device, frame in
            guard device == victim, case .entry(let position, .accepted(let acceptance)) = frame else { return [frame] }
            let old = Acceptance(
                key: acceptance.key, number: SequenceNumber(unchecked: one.head.value - 1), message: acceptance.message, chain: .zero)
            return [.entry(position, .accepted(old))]
        }
        let sent = flow.world.send("meet me at noon", from: victim, to: flow.id)
        let message = try #require(sent)
        try flow.world.run(for: .seconds(40))
        #expect(flow.world.state(message, at: victim).isDelivered == false)
        #expect(flow.alarms(at: 1) == [.forkedHistory])
    }

    @Test func `conversations that nobody has are bounded, hold up nothing, and are forgotten`() throws {
        var flow = try flow(882)
        let victim = flow.users[1]
        let before = flow.world.profile(victim).conversations.count
        let hub = flow.world.nodeID(2)
        let sender = RosterEntry(
            user: try #require(UserID([UInt8](repeating: 7, count: 32))), device: try #require(DeviceID([UInt8](repeating: 8, count: 32))))
        let events = (0..<2_000).map { index in
            DeviceItem.event(
                Envelope(
                    key: ConversationKey(hub: hub, conversation: ConversationID(raw: Bytes16(9, UInt64(index)))), number: 7, sender: sender,
                    message: MessageID(raw: Bytes16(9, UInt64(index))), kind: .application, epoch: 1, payload: [1, 2, 3], chain: .zero))
        }
        slip(events, to: victim, in: &flow)
        flow.send(by: 0)
        try flow.world.run(for: .seconds(2))
        #expect(flow.world.profile(victim).conversations.count <= before + ClientLimits.placeholdersPerHubMax)
        flow.send(by: 2)
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(60)))
        #expect(try flow.world.run(until: { $0.profile(victim).conversations.count == before }, within: .minutes(5)))
        #expect(flow.alarms(at: 1) == [.tooManyConversations])
    }

    @Test func `what comes ahead of a hole is held as far as there is room for it`() throws {
        var flow = try flow(883)
        let victim = flow.users[1]
        // One number is never told, and what is asked for again is not either.
        let one = try #require(flow.world.profile(victim).conversations[flow.id])
        flow.world.lie = { device, frame in
            guard device == victim, case .entry(_, .event(let envelope)) = frame, envelope.number == one.head.next else { return [frame] }
            return []
        }
        let text = String(repeating: "x", count: 60_000)
        for _ in 0..<40 { _ = flow.world.send(text, from: flow.users[0], to: flow.id) }
        try flow.world.run(for: .seconds(5))
        #expect(flow.world.heldBytes(victim) <= ClientLimits.heldBytesMax)
        flow.world.lie = nil
        _ = try flow.settle(staying: [0, 1, 2], within: .seconds(120))
    }
}
