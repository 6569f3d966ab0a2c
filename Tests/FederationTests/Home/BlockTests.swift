import Federation
import Testing
import Vocabulary

/// Alice (session 1) and bob (2) live on node 0; dora on node 1, which is hub of conversations 8 and 9.
private struct Quay {
    let alice, bob, dora: Person
    var relay: Relay
    private var position: UInt64 = 0

    init() throws {
        var coast = Coast(nodes: 2)
        (alice, bob, dora) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0), try coast.person("dora", at: 1))
        relay = try coast.relay(0)
        try relay.signIn(alice, as: 1)
        try relay.signIn(bob, as: 2)
        try relay.link(9, to: Coast.id(1))
    }

    func key(_ conversation: UInt64) -> ConversationKey { ConversationKey(hub: Coast.id(1), conversation: .numbered(conversation)) }

    mutating func block(users: [UserID] = [], _ conversations: [UInt64] = []) throws -> [NodeEffect] {
        try relay.step(.sessionFrame(SessionID(1), .setBlocked(RequestID(1), users: users, conversations: conversations.map(key))))
    }

    mutating func event(in conversation: UInt64, number: UInt64 = 1) throws -> [NodeEffect] {
        position += 1
        let envelope = Envelope(
            key: key(conversation), number: SequenceNumber(unchecked: number), sender: dora.entry, message: .numbered(position),
            kind: .application,
            epoch: 1, payload: [1, 2], chain: .zero)
        return try relay.receive(.event(envelope, recipients: [alice.deviceID, bob.deviceID]), at: position, on: 9)
    }

    mutating func welcome(in conversation: UInt64, by adder: Person) throws -> [NodeEffect] {
        position += 1
        let parcel = WelcomeParcel(sender: adder.entry, chain: .zero, welcome: [1], tree: [2]).encoded()
        let part = WelcomePart(key: key(conversation), number: 1, index: 0, count: 1, bytes: parcel)
        return try relay.receive(.welcome(part, recipients: [alice.deviceID, bob.deviceID]), at: position, on: 9)
    }
}

@Suite struct BlockTests {
    @Test func `events of a blocked conversation are dropped for who blocked it alone, and silently`() throws {
        var quay = try Quay()
        try #expect(quay.block([8]).done(1) == [RequestID(1)])
        let effects = try quay.event(in: 8)
        #expect(effects.events(to: 1).isEmpty && effects.events(to: 2).count == 1)
        #expect(effects.items(on: 9).isEmpty, "nobody is told")
        try #expect(quay.event(in: 9).events(to: 1).count == 1)
    }

    @Test func `an event that nobody here wants leaves nothing on disk, and is acknowledged`() throws {
        var quay = try Quay()
        _ = try quay.block([8])
        try quay.relay.step(.sessionFrame(SessionID(2), .setBlocked(RequestID(1), users: [], conversations: [quay.key(8)])))
        let effects = try quay.event(in: 8)
        #expect(effects.storedEvents == 0 && effects.acknowledgements(on: 9) == [1])
    }

    @Test func `a list is on disk when it is answered, and takes the place of the one before`() throws {
        var quay = try Quay()
        _ = try quay.block([8])
        try quay.relay.restart()
        try quay.relay.signIn(quay.alice, as: 1)
        try quay.relay.link(9, to: Coast.id(1))
        try #expect(quay.event(in: 8).events(to: 1).isEmpty)
        _ = try quay.block([9])
        try #expect(quay.event(in: 8, number: 2).events(to: 1).count == 1)
        try #expect(quay.event(in: 9).events(to: 1).isEmpty)
        let writes = try quay.block().writes
        #expect(writes == [.remove(.blocked, key: quay.alice.id.bytes)])
    }

    @Test func `who is blocked cannot add the one who blocked`() throws {
        var quay = try Quay()
        _ = try quay.block(users: [quay.dora.id])
        let welcomes = try quay.welcome(in: 8, by: quay.dora)
        #expect(welcomes.items(to: 1).isEmpty && welcomes.items(to: 2).count == 1)
        try #expect(quay.welcome(in: 9, by: quay.bob).items(to: 1).count == 1)
    }

    @Test func `messages of a common group still come from who is blocked`() throws {
        var quay = try Quay()
        _ = try quay.block(users: [quay.dora.id])
        try #expect(quay.event(in: 8).events(to: 1).count == 1)
    }

    @Test func `lists are bounded in length and frequency`() throws {
        var quay = try Quay()
        try #expect(quay.block(users: (0...Limits.blockedMax).map { PresenceHarbour.user($0) }).refusals(to: 1) == [.tooLarge])
        var codes: [Refusal.Code] = []
        for _ in 0..<50 { codes += try quay.block([8]).refusals(to: 1) }
        #expect(Set(codes) == [.rateLimited] && codes.count >= 10)
        var list = BlockList()
        var writes: [StoreWrite] = []
        let users = (0..<Limits.blockedMax).map { PresenceHarbour.user($0) }
        #expect(list.set(users, [], by: PresenceHarbour.user(1), writes: &writes) == nil)
        #expect(list.blocks(users[5], for: PresenceHarbour.user(1)) && !list.blocks(users[5], for: PresenceHarbour.user(2)))
    }
}
