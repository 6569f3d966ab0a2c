import ClientCore
import Simulation
import Synchronization
import Testing
import Vocabulary

/// Any member's node can send a device parts of Welcomes, of conversations that are none.
@Suite struct WelcomeFloodTests {
    @Test func `Welcomes that never go on take no more of a device than their bound, also in its profile`() throws {
        var flow = try GroupFlow(users: 2, nodes: 2, seed: 901)
        let hub = NodeID(raw: Bytes32([UInt8](repeating: 9, count: 32)) ?? .zero)
        for number in 1..<UInt64(300) {
            let key = ConversationKey(hub: hub, conversation: ConversationID(raw: Bytes16(1, number)))
            flow.world.tell(.received(part(0, of: 64, key)), to: flow.users[1])
            #expect(flow.world.profile(flow.users[1]).welcomes.count <= ClientLimits.welcomePartsPerHubMax)
        }
        #expect(flow.world.profile(flow.users[1]).conversations.count == 1, "nothing else is kept of them")
        // Restored from what it has stored it goes on.
        flow.world.kill(device: flow.users[1], for: .seconds(1))
        try flow.world.run(for: .seconds(5))
        flow.send(by: 0)
        #expect(try flow.settle(staying: [0, 1], within: .seconds(60)))
        flow.world.setClock(ahead: ClientLimits.welcomesKeptFor + .hours(1), device: flow.users[1])
        flow.world.kill(device: flow.users[1], for: .seconds(1))
        try flow.world.run(for: .seconds(5))
        #expect(flow.world.profile(flow.users[1]).welcomes.isEmpty, "nor is that kept for ever")
    }

    @Test func `a Welcome whose beginning had to make room is asked for again when its next part comes`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 902, outside: 1)
        let (newcomer, address) = (flow.users[2], try #require(flow.address(2)))
        let isCut = Mutex(false)
        // In place of the whole one comes a part without its beginning; and nothing more of the conversation.
        flow.world.lie = { device, frame in
            guard device == newcomer, case .entry(let position, .welcome(let one)) = frame, !isCut.withLock({ $0 }) else { return [frame] }
            isCut.withLock { $0 = true }
            return [part(1, of: 3, one.key, number: one.number, at: position)]
        }
        flow.wish(.add(flow.id, [address]), by: 0)
        try flow.world.run(for: .seconds(60))
        #expect(isCut.withLock { $0 })
        #expect(flow.members(at: 2).count == 3)
        flow.send(by: 0)
        flow.send(by: 2)
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(60)))
    }
}

private func part(
    _ index: UInt16, of count: UInt16, _ key: ConversationKey, number: SequenceNumber = 5, at position: QueuePosition = .zero
) -> NodeFrame {
    let bytes = [UInt8](repeating: 0, count: Limits.partBytesMax)
    return .entry(position, .welcome(WelcomePart(key: key, number: number, index: index, count: count, bytes: bytes)))
}
