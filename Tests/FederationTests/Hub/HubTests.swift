import Cryptography
import Federation
import Testing
import Vocabulary

/// Alice and Bob at the hub itself, with a conversation of theirs.
private struct Room {
    let alice, bob, carol: Person
    var relay: Relay

    init() throws {
        var coast = Coast(nodes: 1)
        (alice, bob, carol) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0), try coast.person("carol", at: 0))
        relay = try coast.relay(0)
        try relay.signIn(alice, as: 1)
        try relay.signIn(bob, as: 2)
        try relay.submit(.create(1, hub: relay.id, [alice, bob]), in: 1)
    }

    mutating func say(_ text: String, _ message: UInt64, in session: UInt64 = 1, timeToLive: UInt32 = 0) throws -> [NodeEffect] {
        try relay.submit(.say(text, message, hub: relay.id, timeToLive: timeToLive), in: session)
    }
}

@Suite struct HubTests {
    @Test func `numbers are without gaps and every event carries the chain as documented`() throws {
        var room = try Room()
        var chain = Chain.start(room.relay.key(1))
        for index in UInt64(1)...20 {
            let isAlice = index % 3 != 0
            let effects = try room.say("text \(index)", index, in: isAlice ? 1 : 2)
            let sender = isAlice ? room.alice : room.bob
            chain = Chain.next(
                after: chain, number: SequenceNumber(unchecked: index), sender: sender.entry, message: .numbered(index), kind: .application,
                epoch: 0, payload: Array("text \(index)".utf8))
            let event = effects.events(to: isAlice ? 2 : 1).first
            let acceptance = effects.acceptances(to: isAlice ? 1 : 2).first
            #expect(event?.number.value == index && event?.chain == chain && event?.sender == sender.entry)
            #expect(acceptance?.number.value == index && acceptance?.chain == chain)
            #expect(effects.events(to: isAlice ? 1 : 2).isEmpty, "the sending device gets the acceptance in the event's place")
        }
    }

    @Test func `sent comes before accepted`() throws {
        var room = try Room()
        let frames = try room.say("hello", 1).frames(to: 1)
        #expect(frames.count == 2 && frames.first == .sent(.numbered(1)))
    }

    @Test func `a repeat is told sent again and makes no second event`() throws {
        var room = try Room()
        try #expect(room.say("hello", 1).events(to: 2).count == 1)
        let repeated = try room.say("hello", 1)
        #expect(repeated.frames(to: 1) == [.sent(.numbered(1))])
        #expect(repeated.events(to: 2).isEmpty && repeated.storedEvents == 0)
        try #expect(room.say("next", 2).acceptances(to: 1).map(\.number) == [2])
    }

    @Test func `another payload or another sender under one message id is refused`() throws {
        var room = try Room()
        _ = try room.say("hello", 1)
        try #expect(room.say("other", 1).refusals(to: 1) == [.messageIdReused])
        try #expect(room.say("hello", 1, in: 2).refusals(to: 2) == [.messageIdReused])
    }

    @Test func `who is not on the roster is refused, and nothing is kept`() throws {
        var room = try Room()
        try room.relay.signIn(room.carol, as: 3)
        let effects = try room.say("let me in", 1, in: 3)
        #expect(effects.refusals(to: 3) == [.notOnRoster] && effects.storedEvents == 0 && effects.events(to: 2).isEmpty)
    }

    @Test func `an unknown conversation is refused`() throws {
        var room = try Room()
        try #expect(room.relay.submit(.say("x", 1, in: 9, hub: room.relay.id), in: 1).refusals(to: 1) == [.unknownConversation])
    }

    @Test func `a creation may be repeated, in another order too, but not changed`() throws {
        var room = try Room()
        let hub = room.relay.id
        try #expect(room.relay.submit(.create(1, hub: hub, [room.bob, room.alice]), in: 1).frames(to: 1) == [.sent(.numbered(1_000))])
        try #expect(room.relay.submit(.create(1, hub: hub, [room.alice]), in: 1).refusals(to: 1) == [.conversationExists])
        try #expect(room.relay.submit(.create(1, hub: hub, [room.alice, room.bob]), in: 2).refusals(to: 2) == [.conversationExists])
        try #expect(room.say("still there", 1).acceptances(to: 1).count == 1)
    }

    @Test func `a roster must hold its creator, no device twice, and only known users with their own devices`() throws {
        var room = try Room()
        let (hub, alice, bob) = (room.relay.id, room.alice, room.bob)
        try #expect(room.relay.submit(.create(2, hub: hub, [bob]), in: 1).refusals(to: 1) == [.rosterInvalid])
        try #expect(room.relay.submit(.create(2, hub: hub, [alice, bob, bob]), in: 1).refusals(to: 1) == [.rosterInvalid])
        func create(_ entry: RosterEntry) -> Submission {
            Submission(message: .numbered(5), conversation: .numbered(2), hub: hub, kind: .create(roster: [alice.entry, entry]))
        }
        let swapped = create(RosterEntry(user: bob.id, device: room.carol.deviceID))
        try #expect(room.relay.submit(swapped, in: 1).refusals(to: 1) == [.rosterInvalid])
        let stranger = create(RosterEntry(user: UserID(raw: room.carol.deviceID.raw), device: room.carol.deviceID))
        try #expect(room.relay.submit(stranger, in: 1).refusals(to: 1) == [.unknownUser])
        try #expect(room.relay.submit(.create(2, hub: hub, [alice, bob]), in: 1).refusals(to: 1) == [])
    }

    @Test func `a conversation that was loaded from disk goes on with number and chain and knows repeats`() throws {
        var room = try Room()
        _ = try room.say("one", 1)
        let two = try room.say("two", 2)
        try room.relay.restart()
        try room.relay.signIn(room.alice, as: 11)
        try room.relay.signIn(room.bob, as: 12)
        try #expect(room.say("two", 2, in: 11).storedEvents == 0)
        try #expect(room.say("other", 2, in: 11).refusals(to: 11) == [.messageIdReused])
        let three = try room.say("three", 3, in: 11)
        let chain = Chain.next(
            after: try #require(two.events(to: 2).first?.chain), number: 3, sender: room.alice.entry, message: .numbered(3),
            kind: .application,
            epoch: 0, payload: Array("three".utf8))
        #expect(three.events(to: 12).map(\.number) == [3] && three.events(to: 12).map(\.chain) == [chain])
    }

    @Test func `number and chain go on also when every event was delivered and forgotten`() throws {
        var room = try Room()
        let event = try #require(try room.say("one", 1).events(to: 2).first)
        for (person, session) in [(room.alice, UInt64(1)), (room.bob, 2)] {
            try room.relay.acknowledge(0, [person.watermark(room.relay.key(1), through: 1, chain: event.chain)], in: session)
        }
        try #expect(room.relay.store.heldEvents(room.relay.key(1)).isEmpty)
        try room.relay.restart()
        try room.relay.signIn(room.alice, as: 11)
        let acceptance = try room.say("two", 2, in: 11).acceptances(to: 11).last
        #expect(acceptance?.number == 2)
        #expect(
            acceptance?.chain
                == Chain.next(
                    after: event.chain, number: 2, sender: room.alice.entry, message: .numbered(2), kind: .application, epoch: 0,
                    payload: Array("two".utf8)))
    }

    @Test func `damaged rows leave a conversation unknown and stop nothing`() throws {
        var hub = Hub(node: Coast.id(0))
        #expect(throws: CodecError.self) {
            try hub.load(.numbered(1), rows: ConversationRows(roster: [0, 1, 2], head: nil, watermarks: [], events: []))
        }
        #expect(!hub.isResident(.numbered(1)))
    }

    @Test func `sleeping conversations are visited round and round`() throws {
        var hub = Hub(node: Coast.id(0), conversations: (0..<5).map { .numbered($0) })
        #expect(hub.sleeping(3) == [.numbered(0), .numbered(1), .numbered(2)])
        #expect(hub.sleeping(3) == [.numbered(3), .numbered(4), .numbered(0)])
    }
}
