import Cryptography
import Federation
import Testing
import Vocabulary

/// Alice at the hub, Bob and Carol too, Dora on another node; after the commit that added them, three messages of Alice's.
private struct Room {
    let alice, bob, dora: Person
    var relay: Relay
    var chains: [Digest] = []
    let peer = Coast.id(1)

    init() throws {
        var coast = Coast(nodes: 3)
        (alice, bob, dora) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0), try coast.person("dora", at: 1))
        relay = try coast.relay(0)
        try relay.signIn(alice, as: 1)
        try relay.signIn(bob, as: 2)
        try relay.link(7, to: peer)
        try relay.link(8, to: Coast.id(2))
        try relay.found(1, [alice, bob, dora], in: 1)
        for index in UInt64(1)...3 {
            let effects = try relay.submit(.say("\(index)", index, hub: relay.id), in: 1)
            chains.append(try #require(effects.acceptances(to: 1).first?.chain))
        }
    }

    /// Through so many of the messages.
    func mark(_ person: Person, _ through: Int) -> Watermark {
        person.watermark(relay.key(1), through: SequenceNumber(unchecked: UInt64(through) + 1), chain: chains[through - 1])
    }

    /// Messages alone; the commit goes with the first of them.
    var held: Int { get throws { try relay.store.heldEvents(relay.key(1), after: .zero, bytesMax: .max).events.count { $0.number > 1 } } }
}

@Suite struct WatermarkTests {
    @Test func `the log keeps an event until every roster device covers it`() throws {
        var room = try Room()
        try room.relay.acknowledge(0, [room.mark(room.alice, 3)], in: 1)
        try room.relay.acknowledge(0, [room.mark(room.bob, 2)], in: 2)
        try #expect(room.held == 3)
        try room.relay.receive(.watermark(room.mark(room.dora, 1)), at: 1, on: 7)
        try #expect(room.held == 2)
        try room.relay.receive(.watermark(room.mark(room.dora, 3)), at: 2, on: 7)
        try #expect(room.held == 1)
        try room.relay.acknowledge(0, [room.mark(room.bob, 3)], in: 2)
        try #expect(room.held == 0)
    }

    @Test func `a receipt goes to the senders it newly covers, and only to them`() throws {
        var room = try Room()
        let first = try room.relay.acknowledge(0, [room.mark(room.bob, 2)], in: 2)
        #expect(first.receipts(to: 1) == [room.mark(room.bob, 2)] && first.receipts(to: 2).isEmpty && first.items(on: 7).isEmpty)
        let again = try room.relay.acknowledge(0, [room.mark(room.bob, 2)], in: 2)
        #expect(again.receipts(to: 1).isEmpty && again.writes.isEmpty)
        try #expect(room.relay.acknowledge(0, [room.mark(room.bob, 1)], in: 2).receipts(to: 1).isEmpty)
        // Its own messages are no news to a device.
        try #expect(room.relay.acknowledge(0, [room.mark(room.alice, 3)], in: 1).receipts(to: 1).isEmpty)
    }

    @Test func `a receipt for a sender on another node goes to its home`() throws {
        var room = try Room()
        let effects = try room.relay.receive(.submission(.say("from dora", 50, hub: room.relay.id), sender: room.dora.entry), at: 1, on: 7)
        let chain = try #require(effects.events(to: 2).first?.chain)
        #expect(effects.items(on: 7).contains { if case .accepted(_, room.dora.deviceID) = $0 { true } else { false } })
        let mark = room.bob.watermark(room.relay.key(1), through: 5, chain: chain)
        let covered = try room.relay.acknowledge(0, [mark], in: 2)
        #expect(covered.items(on: 7) == [.receipt(mark, devices: [room.dora.deviceID])])
        #expect(covered.receipts(to: 1) == [mark])
    }

    @Test func `a watermark ahead of the hub is ignored`() throws {
        var room = try Room()
        let mark = room.bob.watermark(room.relay.key(1), through: 5, chain: room.chains[2])
        let effects = try room.relay.acknowledge(0, [mark], in: 2)
        #expect(effects.receipts(to: 1).isEmpty && effects.writes.isEmpty)
        try #expect(room.relay.acknowledge(0, [room.mark(room.bob, 3)], in: 2).receipts(to: 1).count == 1)
    }

    @Test func `a watermark over another history is ignored`() throws {
        var room = try Room()
        let mark = room.bob.watermark(room.relay.key(1), through: 4, chain: room.chains[1])
        let effects = try room.relay.acknowledge(0, [mark], in: 2)
        #expect(effects.receipts(to: 1).isEmpty && effects.writes.isEmpty)
    }

    @Test func `another history is found out at the last number also when the log is empty`() throws {
        var room = try Room()
        room.relay.now = room.relay.now + .days(31)
        try room.relay.step(.deadlineReached)
        try #expect(room.held == 0)
        let wrong = room.bob.watermark(room.relay.key(1), through: 4, chain: room.chains[1])
        try room.relay.signIn(room.bob, as: 22)
        func marks(_ effects: [NodeEffect]) -> Int {
            effects.writes.count { if case .put(.watermark, _, _) = $0 { true } else { false } }
        }
        try #expect(marks(room.relay.acknowledge(0, [wrong], in: 22)) == 0)
        try #expect(marks(room.relay.acknowledge(0, [room.mark(room.bob, 3)], in: 22)) == 1)
    }

    @Test func `the watermark of a device that is not on the roster is ignored`() throws {
        var room = try Room()
        var random = SeededGenerator(seed: 4)
        let stranger = try Person("eve", at: Coast.site(1), using: &random)
        try #expect(room.relay.receive(.watermark(room.mark(stranger, 3)), at: 1, on: 7).receipts(to: 1).isEmpty)
    }

    @Test func `a watermark from a node that is not the device's home is ignored`() throws {
        var room = try Room()
        try #expect(room.relay.receive(.watermark(room.mark(room.dora, 3)), at: 1, on: 8).receipts(to: 1).isEmpty)
        try #expect(room.relay.receive(.watermark(room.mark(room.bob, 3)), at: 1, on: 7).receipts(to: 1).isEmpty)
        try #expect(room.relay.receive(.watermark(room.mark(room.dora, 3)), at: 2, on: 7).receipts(to: 1).count == 1)
    }

    @Test func `a session's watermarks count for its own device alone`() throws {
        var room = try Room()
        try #expect(room.relay.acknowledge(0, [room.mark(room.alice, 3), room.mark(room.dora, 3)], in: 2).receipts(to: 1).isEmpty)
    }

    @Test func `a device that signs no watermark of its own ends its session`() throws {
        var room = try Room()
        let good = room.mark(room.bob, 3)
        let bad = Watermark(
            key: good.key, device: good.device, through: good.through, chain: good.chain,
            signature: room.alice.watermark(good.key, through: good.through, chain: good.chain).signature)
        let effects = try room.relay.acknowledge(0, Array(repeating: bad, count: Limits.watermarksPerFrameMax), in: 2)
        #expect(effects.closing(2) == .badFrame)
        try #expect(room.held == 3)
        #expect(effects.count { if case .closeSession = $0 { true } else { false } } == 1, "one is looked at")
    }

    @Test func `watermarks are remembered over a restart`() throws {
        var room = try Room()
        try room.relay.acknowledge(0, [room.mark(room.bob, 3)], in: 2)
        try room.relay.acknowledge(0, [room.mark(room.alice, 3)], in: 1)
        try room.relay.restart()
        try room.relay.link(17, to: room.peer)
        try room.relay.receive(.watermark(room.mark(room.dora, 3)), at: 1, on: 17)
        try #expect(room.held == 0)
    }
}
