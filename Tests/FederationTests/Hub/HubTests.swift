import Cryptography
import Federation
import Testing
import Vocabulary

/// Alice and Bob at the hub itself, with a conversation of theirs: number 1 is the commit that added Bob.
private struct Room {
    let alice, bob, carol: Person
    var relay: Relay

    init() throws {
        var coast = Coast(nodes: 1)
        (alice, bob, carol) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0), try coast.person("carol", at: 0))
        relay = try coast.relay(0)
        try relay.signIn(alice, as: 1)
        try relay.signIn(bob, as: 2)
        try relay.found(1, [alice, bob], in: 1)
    }

    func payload(_ text: String) -> [UInt8] { Submission.payload(text, relay.key(1)) }

    mutating func say(_ text: String, _ message: UInt64, in session: UInt64 = 1, timeToLive: UInt32 = 0) throws -> [NodeEffect] {
        try relay.submit(.say(text, message, hub: relay.id, timeToLive: timeToLive), in: session)
    }
}

@Suite struct HubTests {
    @Test func `numbers are without gaps and every event carries the chain as documented`() throws {
        var room = try Room()
        let stored = try #require(try room.relay.store.heldEvents(room.relay.key(1), after: .zero, bytesMax: .max).events.first)
        let commit = try StoredEvent(decoding: stored.bytes).envelope
        var chain = Chain.next(
            after: Chain.start(room.relay.key(1)), number: 1, sender: room.alice.entry, message: .numbered(1_001), kind: .commit, epoch: 0,
            payload: commit.payload)
        #expect(commit.number == 1 && commit.chain == chain)
        for index in UInt64(2)...20 {
            let isAlice = index % 3 != 0
            let effects = try room.say("text \(index)", index, in: isAlice ? 1 : 2)
            let sender = isAlice ? room.alice : room.bob
            chain = Chain.next(
                after: chain, number: SequenceNumber(unchecked: index), sender: sender.entry, message: .numbered(index), kind: .application,
                epoch: 1, payload: room.payload("text \(index)"))
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
        try #expect(room.say("next", 2).acceptances(to: 1).map(\.number) == [3])
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
            after: try #require(two.events(to: 2).first?.chain), number: 4, sender: room.alice.entry, message: .numbered(3),
            kind: .application, epoch: 1, payload: room.payload("three"))
        #expect(three.events(to: 12).map(\.number) == [4] && three.events(to: 12).map(\.chain) == [chain])
    }

    @Test func `number and chain go on also when every event was delivered and forgotten`() throws {
        var room = try Room()
        let event = try #require(try room.say("one", 1).events(to: 2).first)
        for (person, session) in [(room.alice, UInt64(1)), (room.bob, 2)] {
            try room.relay.acknowledge(0, [person.watermark(room.relay.key(1), through: 2, chain: event.chain)], in: session)
        }
        try #expect(room.relay.store.heldEvents(room.relay.key(1), after: .zero, bytesMax: .max).events.isEmpty)
        try room.relay.restart()
        try room.relay.signIn(room.alice, as: 11)
        let acceptance = try room.say("two", 2, in: 11).acceptances(to: 11).last
        #expect(acceptance?.number == 3)
        #expect(
            acceptance?.chain
                == Chain.next(
                    after: event.chain, number: 3, sender: room.alice.entry, message: .numbered(2), kind: .application, epoch: 1,
                    payload: room.payload("two")))
    }

    @Test func `damaged rows leave a conversation unknown and stop nothing`() throws {
        var hub = Hub(node: Coast.id(0))
        #expect(throws: CodecError.self) {
            try hub.load(.numbered(1), rows: ConversationRows(founding: [0, 1, 2], group: [], head: nil, watermarks: []))
        }
        #expect(!hub.isResident(.numbered(1)))
    }

    @Test func `a conversation that nobody has made is not looked for on disk, one that sleeps there is`() throws {
        var room = try Room()
        func needed(_ conversation: UInt64) -> [RowsNeeded] {
            let submission = Submission.say("hello", 1, in: conversation, hub: room.relay.id)
            let asked = ConversationKey(hub: room.relay.id, conversation: .numbered(conversation))
            return room.relay.core.rowsNeeded(for: .sessionFrame(SessionID(1), .submit(submission)))
                + room.relay.core.rowsNeeded(for: .linkFrame(LinkID(1), .fetchGroup(RequestID(1), asked, by: room.alice.entry)))
        }
        #expect(needed(1).isEmpty && needed(99).isEmpty)
        try room.relay.restart()
        #expect(needed(1) == [.conversation(.numbered(1)), .conversation(.numbered(1))])
        #expect(needed(99).isEmpty)
    }

    @Test func `sleeping conversations are visited round and round`() throws {
        var hub = Hub(node: Coast.id(0), conversations: (0..<5).map { .numbered($0) })
        #expect(hub.sleeping(3) == [.numbered(0), .numbered(1), .numbered(2)])
        #expect(hub.sleeping(3) == [.numbered(3), .numbered(4), .numbered(0)])
    }
}
