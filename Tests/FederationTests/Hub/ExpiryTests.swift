import Cryptography
import Federation
import Testing
import Vocabulary

private struct Room {
    let alice, bob: Person
    var relay: Relay

    /// Both have the commit that added Bob, who is away since.
    init() throws {
        var coast = Coast(nodes: 1)
        (alice, bob) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0))
        relay = try coast.relay(0)
        try relay.signIn(alice, as: 1)
        try relay.signIn(bob, as: 9)
        let founding = try relay.found(1, [alice, bob], in: 1)
        let chain = try #require(founding.acceptances(to: 1).first?.chain)
        for (person, session) in [(alice, UInt64(1)), (bob, 9)] {
            let position = try #require(founding.entries(to: session).last?.position)
            try relay.acknowledge(position, [person.watermark(relay.key(1), through: 1, chain: chain)], in: session)
        }
        try relay.step(.sessionClosed(SessionID(9)))
    }

    /// Waits without falling silent, as a client does.
    mutating func wait(_ duration: Duration) throws -> [NodeEffect] {
        var effects: [NodeEffect] = []
        let end = relay.now + duration
        while relay.now < end {
            effects += try relay.step(.sessionFrame(SessionID(1), .ping(1)))
            effects += try relay.wait(.seconds(50))
        }
        return effects
    }

    mutating func say(_ message: UInt64, timeToLive: UInt32) throws -> [NodeEffect] {
        try relay.submit(.say("\(message)", message, hub: relay.id, timeToLive: timeToLive), in: 1)
    }
}

@Suite struct ExpiryTests {
    @Test func `a message that nobody took in time fails once at its sender and never appears`() throws {
        var room = try Room()
        try room.relay.acknowledge(try #require(try room.say(1, timeToLive: 60).entries(to: 1).first?.position), in: 1)
        try #expect(room.wait(.seconds(50)).failures(to: 1).isEmpty)
        let failures = try room.wait(.seconds(100)).failures(to: 1)
        #expect(failures.map(\.refusal.code) == [.expired] && failures.map(\.message) == [.numbered(1)])
        try #expect(room.wait(.seconds(200)).failures(to: 1).isEmpty)
        let session = try room.relay.signIn(room.bob, as: 2)
        #expect(session.events(to: 2).isEmpty && session.frames(to: 2).contains(.caughtUp))
        #expect(room.relay.store.leftOvers.events == 0)
    }

    @Test func `what waits for a device beside something expired comes all the same`() throws {
        var room = try Room()
        _ = try room.say(1, timeToLive: 60)
        _ = try room.say(2, timeToLive: 3_600)
        _ = try room.wait(.seconds(100))
        try #expect(room.relay.signIn(room.bob, as: 2).events(to: 2).map(\.number) == [3])
        let third = try room.say(3, timeToLive: 60)
        #expect(third.events(to: 2).map(\.number) == [4])
    }

    @Test func `a message that another user's device has does not fail when its time ends`() throws {
        var room = try Room()
        _ = try room.say(1, timeToLive: 60)
        let event = try #require(try room.relay.signIn(room.bob, as: 2).events(to: 2).first)
        try room.relay.acknowledge(0, [room.bob.watermark(room.relay.key(1), through: event.number, chain: event.chain)], in: 2)
        try #expect(room.wait(.seconds(200)).failures(to: 1).isEmpty)
        try #expect(room.relay.store.heldEvents(room.relay.key(1), after: .zero, bytesMax: .max).events.isEmpty)
    }

    @Test func `a jump of the wall clock expires nothing`() throws {
        var room = try Room()
        _ = try room.say(1, timeToLive: 60)
        room.relay.wall = room.relay.wall + .days(400)
        try #expect(room.wait(.seconds(10)).failures(to: 1).isEmpty)
        room.relay.wall = room.relay.wall + .days(-900)
        let session = try room.relay.signIn(room.bob, as: 2)
        #expect(session.events(to: 2).count == 1)
    }

    @Test func `time during which the hub was down does not count`() throws {
        var room = try Room()
        _ = try room.say(1, timeToLive: 300)
        _ = try room.wait(.seconds(100))
        room.relay.wall = room.relay.wall + .days(3)
        room.relay.now = room.relay.now + .days(3)
        try room.relay.restart()
        try room.relay.signIn(room.alice, as: 1)
        try #expect(room.wait(.seconds(50)).failures(to: 1).isEmpty)
        try #expect(room.wait(.seconds(300)).failures(to: 1).count == 1)
    }

    @Test func `a message with little time does not end silently behind one with much`() throws {
        var room = try Room()
        _ = try room.say(1, timeToLive: 3_600)
        _ = try room.say(2, timeToLive: 10)
        try #expect(room.wait(.seconds(100)).failures(to: 1).isEmpty)
        // Either its sender hears of it or the recipient gets it.
        try #expect(room.relay.signIn(room.bob, as: 2).events(to: 2).map(\.number) == [2, 3])
    }

    @Test func `a conversation that sleeps on disk is found when its message expires`() throws {
        var room = try Room()
        _ = try room.say(1, timeToLive: 60)
        try room.relay.restart()
        try room.relay.signIn(room.alice, as: 1)
        try #expect(room.wait(.seconds(150)).failures(to: 1).count == 1)
    }

    @Test func `a page of expired messages larger than the window does not stop the queue`() throws {
        var room = try Room()
        let large = String(repeating: "x", count: Limits.payloadBytesMax - 256)
        for index in UInt64(1)...40 { try room.relay.submit(.say(large, index, hub: room.relay.id, timeToLive: 60), in: 1) }
        _ = try room.say(41, timeToLive: 3_600)
        // Expired by the clock, and no sweep has come yet.
        room.relay.now = room.relay.now + .seconds(61)
        try #expect(room.relay.signIn(room.bob, as: 2).events(to: 2).map(\.number) == [42])
    }
}
