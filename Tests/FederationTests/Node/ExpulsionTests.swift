import Cryptography
import Federation
import Groups
import Testing
import Vocabulary

/// Alice and Bob on node 0, Dora on node 1, Emil on node 2.
private struct Station {
    let alice, bob, dora, emil: Person
    var relay: Relay

    init() throws {
        var coast = Coast(nodes: 3)
        (alice, bob) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0))
        (dora, emil) = (try coast.person("dora", at: 1), try coast.person("emil", at: 2))
        relay = try coast.relay(0)
        try relay.signIn(alice, as: 5)
        try relay.link(2, to: Coast.id(2))
    }

    mutating func expel(_ node: Int) throws -> [NodeEffect] {
        try relay.step(.linkFrame(LinkID(2), .statements([Coast.fixture.expel(node, by: 0, n: 3)])))
    }
}

@Suite struct ExpulsionTests {
    @Test func `what waits for an expelled node is given up with word to its senders`() throws {
        var station = try Station()
        try station.relay.found(1, [station.alice, station.dora], in: 5)
        try station.relay.submit(.say("to dora", 1, hub: station.relay.id), in: 5)
        try station.relay.submit(.say("for a hub there", 2, in: 9, hub: Coast.id(1)), in: 5)
        let effects = try station.expel(1)
        let failures = effects.failures(to: 5)
        #expect(failures.map(\.message) == [.numbered(1), .numbered(2)])
        // The one has lost its recipient, the other its hub.
        #expect(failures.map(\.refusal.code) == [.nodeExpelled, .unknownHub])
        try #expect(station.relay.store.outline(.node(Coast.id(1))).isEmpty)
    }

    @Test func `a sender on a third node is told through the queue to its home`() throws {
        // The founder hands its group over to the second member and goes, so that only the third could get anything.
        var anchorage = try Anchorage.group([0, 2, 1])
        let profile = GroupProfile(kind: .group, name: "sailors", roles: [anchorage.members[1].person.id: .owner])
        let handover = try anchorage.members[0].commit(
            [.groupContextExtensions(profile.groupContext)], message: anchorage.nextMessage())
        try #expect(anchorage.refusals(anchorage.submit(handover, by: 0)).isEmpty)
        try #expect(anchorage.refusals(anchorage.remove(0, by: 1)).isEmpty)
        try anchorage.say("x", by: 1)
        let said = MessageID.numbered(anchorage.message)
        let statement = Coast.fixture.expel(1, by: 0, n: 3)
        let items = try anchorage.relay.step(.linkFrame(LinkID(2_000), .statements([statement]))).items(on: 2_000)
        let device = anchorage.members[1].device
        #expect(items.contains { if case .failed(let failure, device) = $0 { failure.message == said } else { false } })
    }

    @Test func `a message that others can still get does not fail`() throws {
        var station = try Station()
        try station.relay.found(1, [station.alice, station.bob, station.dora], in: 5)
        try station.relay.submit(.say("to both", 1, hub: station.relay.id), in: 5)
        try #expect(station.expel(1).failures(to: 5).isEmpty)
        try #expect(station.relay.submit(.say("again", 2, hub: station.relay.id), in: 5).acceptances(to: 5).count == 1)
        try #expect(station.relay.store.outline(.node(Coast.id(1))).isEmpty)
    }

    @Test func `nor does it where the conversation is not in memory`() throws {
        var station = try Station()
        try station.relay.found(1, [station.alice, station.bob, station.dora], in: 5)
        try station.relay.submit(.say("to both", 1, hub: station.relay.id), in: 5)
        try station.relay.restart()
        try station.relay.signIn(station.alice, as: 5)
        try station.relay.link(2, to: Coast.id(2))
        try #expect(station.expel(1).failures(to: 5).isEmpty)
        try #expect(station.relay.store.outline(.node(Coast.id(1))).isEmpty)
    }

    @Test func `nothing is put into the queue of an expelled node any more`() throws {
        var station = try Station()
        try station.relay.found(1, [station.alice, station.bob, station.dora], in: 5)
        try station.relay.link(1, to: Coast.id(1))
        let said = Submission.say("from dora", 1, hub: station.relay.id)
        let event = try #require(
            try station.relay.receive(.submission(said, sender: station.dora.entry), at: 1, on: 1).events(to: 5).first)
        _ = try station.expel(1)
        try station.relay.acknowledge(0, [station.alice.watermark(event.key, through: event.number, chain: event.chain)], in: 5)
        try #expect(station.relay.store.outline(.node(Coast.id(1))).isEmpty)
    }

    @Test func `a new message to nobody but an expelled node's users is refused`() throws {
        var station = try Station()
        try station.relay.found(1, [station.alice, station.dora], in: 5)
        _ = try station.expel(1)
        try #expect(station.relay.submit(.say("x", 1, hub: station.relay.id), in: 5).refusals(to: 5) == [.nodeExpelled])
        try #expect(station.relay.submit(.say("x", 2, in: 9, hub: Coast.id(1)), in: 5).refusals(to: 5) == [.unknownHub])
    }

    @Test func `a node that was expelled itself takes nothing it could not pass on`() throws {
        var coast = Coast(nodes: 3)
        let dora = try coast.person("dora", at: 1)
        var relay = try coast.relay(1, statements: coast.statements + [Coast.fixture.expel(1, by: 0, n: 3)])
        try relay.signIn(dora, as: 5)
        try #expect(relay.submit(.say("x", 1, in: 9, hub: Coast.id(0)), in: 5).refusals(to: 5) == [.nodeExpelled])
        try #expect(relay.found(1, [dora], in: 5).refusals(to: 5) == [.nodeExpelled])
    }

    @Test func `what waited for a node that was expelled while this one was down is given up at the start`() throws {
        var station = try Station()
        try station.relay.found(1, [station.alice, station.dora], in: 5)
        let entries = try station.relay.submit(.say("to dora", 1, hub: station.relay.id), in: 5).entries(to: 5)
        try station.relay.acknowledge(try #require(entries.last?.position), in: 5)
        let statement = Coast.fixture.expel(1, by: 0, n: 3)
        var other = try Membership(key: station.relay.key, statements: [Coast.fixture.genesis])
        let made = other.step(.received([statement], from: Coast.id(2)), at: .start, using: &station.relay.random)
        try station.relay.store.commit(made.compactMap { if case .write(let write) = $0 { write } else { nil } })
        try station.relay.restart()
        try #expect(station.relay.signIn(station.alice, as: 6).failures(to: 6).map(\.message) == [.numbered(1)])
    }
}
