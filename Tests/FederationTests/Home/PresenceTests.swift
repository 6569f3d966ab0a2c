import Cryptography
import Federation
import Testing
import Vocabulary

private let token = PresenceHarbour.token(1)
private let wrong = PresenceHarbour.token(2)

/// Dora lives on node 1 and is online in session 5; alice (1) and bob (2) live on node 0.
private struct Bay {
    let alice, bob, dora: Person
    var town: Town

    init(nodes: Int = 3, linked: Bool = true) throws {
        var coast = Coast(nodes: nodes)
        (alice, bob, dora) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0), try coast.person("dora", at: 1))
        town = try Town(coast, linked: linked)
        try town.signIn(alice, as: 1, at: 0)
        try town.signIn(bob, as: 2, at: 0)
        try come()
        town.forget()
    }

    /// Dora signs in and shows herself.
    mutating func come(_ session: UInt64 = 5) throws {
        try town.signIn(dora, as: session, at: 1)
        try town.say(.presence(PresenceSettings(token: Hash.blake2b(token.bytes), sharesLastSeen: true)), in: session, at: 1)
    }

    mutating func watch(_ user: UserID, by token: Bytes32, in session: UInt64) throws {
        try town.say(.subscribe([PresenceWish(user: user, token: token)]), in: session, at: 0)
    }

    func seen(_ session: UInt64) -> Presence? { town.presence(of: dora, to: session, at: 0) }
}

@Suite struct PresenceTests {
    @Test func `a user of another node is seen online, and gone`() throws {
        var bay = try Bay()
        try bay.watch(bay.dora.id, by: token, in: 1)
        #expect(bay.seen(1) == .online)
        try bay.town.wait(.seconds(2))
        try bay.town.step(1, .sessionClosed(SessionID(5)))
        #expect(bay.seen(1) == .offline(lastSeen: Coast.wall.seconds - Coast.wall.seconds % 60))
    }

    @Test func `nothing of it is written anywhere`() throws {
        var bay = try Bay()
        try bay.watch(bay.dora.id, by: token, in: 1)
        try bay.town.wait(.seconds(2))
        try bay.town.step(1, .sessionClosed(SessionID(5)))
        try bay.come(6)
        let tables = bay.town.writes.values.joined().compactMap { if case .put(let table, _, _) = $0 { table } else { nil } }
        #expect(Set(tables).isSubset(of: [.meta, .linkCursor]))
        #expect(!bay.town.writes.values.joined().contains { if case .enqueue = $0 { true } else { false } })
    }

    @Test func `a session's end ends its wishes, and a new one has none`() throws {
        var bay = try Bay()
        try bay.watch(bay.dora.id, by: token, in: 1)
        try bay.town.step(0, .sessionClosed(SessionID(1)))
        #expect(bay.town.said[[0, 1]]?.last == .presenceUnwanted([bay.dora.id]))
        try bay.town.signIn(bay.alice, as: 3, at: 0)
        try bay.town.wait(.seconds(2))
        bay.town.forget()
        try bay.town.step(1, .sessionClosed(SessionID(5)))
        try bay.town.wait(.seconds(2))
        #expect(
            bay.town.frames(to: 3, at: 0).isEmpty
                && bay.town.said[[1, 0]]?.contains { if case .presence = $0 { true } else { false } } != true)
    }

    @Test func `a session that takes the place of another does not make the user flap`() throws {
        var bay = try Bay()
        try bay.watch(bay.dora.id, by: token, in: 1)
        try bay.town.wait(.seconds(2))
        bay.town.forget()
        try bay.town.signIn(bay.dora, as: 6, at: 1)
        try bay.town.wait(.seconds(3))
        #expect(bay.seen(1) == nil, "nothing was told")
    }

    @Test func `a user who signs in without a word stays as visible as before`() throws {
        var bay = try Bay()
        try bay.watch(bay.dora.id, by: token, in: 1)
        try bay.town.step(1, .sessionClosed(SessionID(5)))
        try bay.town.wait(.seconds(2))
        try bay.town.signIn(bay.dora, as: 6, at: 1)
        try bay.town.wait(.seconds(2))
        #expect(bay.seen(1) == .online)
    }

    @Test func `blocking hides a user from a local asker at once`() throws {
        var bay = try Bay()
        try bay.town.say(.presence(PresenceSettings(token: Hash.blake2b(token.bytes), sharesLastSeen: true)), in: 2, at: 0)
        try bay.watch(bay.bob.id, by: token, in: 1)
        #expect(bay.town.presence(of: bay.bob, to: 1, at: 0) == .online)
        try bay.town.wait(.seconds(2))
        try bay.town.say(.setBlocked(RequestID(1), users: [bay.alice.id], conversations: []), in: 2, at: 0)
        #expect(bay.town.presence(of: bay.bob, to: 1, at: 0) == .offline(lastSeen: nil))
        // And after a restart, from the list on disk.
        try bay.town.relays[0].restart()
        try bay.town.signIn(bay.alice, as: 1, at: 0)
        try bay.town.signIn(bay.bob, as: 2, at: 0)
        try bay.town.say(.presence(PresenceSettings(token: Hash.blake2b(token.bytes), sharesLastSeen: true)), in: 2, at: 0)
        try bay.watch(bay.bob.id, by: token, in: 1)
        #expect(bay.town.presence(of: bay.bob, to: 1, at: 0) == .unheard)
    }

    @Test func `the users of a node that hangs are offline within ten seconds`() throws {
        var bay = try Bay()
        try bay.watch(bay.dora.id, by: token, in: 1)
        try bay.town.wait(.seconds(5))
        #expect(bay.seen(1) == .online)
        bay.town.hanging = [1]
        try bay.town.wait(.seconds(10), by: .milliseconds(50))
        #expect(bay.seen(1) == .unreachable)
        bay.town.hanging = []
        try bay.town.wait(.seconds(10), by: .milliseconds(50))
        #expect(bay.seen(1) == .online, "and seen again when it answers again")
    }

    @Test func `a node that was killed and came back is asked again`() throws {
        var bay = try Bay()
        try bay.watch(bay.dora.id, by: token, in: 1)
        try bay.town.disconnect(0, 1)
        try bay.town.wait(.seconds(6))
        #expect(bay.seen(1) == .unreachable)
        try bay.town.relays[1].restart()
        try bay.town.connect(0, 1)
        try bay.come()
        try bay.town.wait(.seconds(2))
        #expect(bay.seen(1) == .online)
    }

    @Test func `a user whose home was restarted is not said to share nothing before its device was there`() throws {
        var bay = try Bay()
        try bay.watch(bay.dora.id, by: token, in: 1)
        try bay.town.disconnect(0, 1)
        try bay.town.relays[1].restart()
        try bay.town.connect(0, 1)
        try bay.town.wait(.seconds(2))
        #expect(bay.seen(1) == .unheard)
        try bay.come()
        try bay.town.wait(.seconds(2))
        #expect(bay.seen(1) == .online)
    }

    @Test func `a record that makes a user known starts what was wished before`() throws {
        var bay = try Bay()
        var random = SeededGenerator(seed: 99)
        let late = try Person("late", at: Coast.site(1), using: &random)
        try bay.watch(late.id, by: token, in: 1)
        #expect(bay.town.presence(of: late, to: 1, at: 0) == .unheard)
        bay.town.forget()
        try bay.town.forge(.records([late.record(federation: Coast.fixture.federation)]), from: 1, to: 0)
        #expect(bay.town.said[[0, 1]]?.contains(.presenceWanted([PresenceWish(user: late.id, token: token)])) == true)
    }

    @Test func `a node may not tell of other nodes' users, nor a stranger of anybody's`() throws {
        var bay = try Bay()
        try bay.watch(bay.dora.id, by: token, in: 1)
        try bay.town.wait(.seconds(2))
        bay.town.forget()
        let lie = LinkFrame.presence([PresenceNews(user: bay.dora.id, presence: .offline(lastSeen: 60), token: token)])
        try bay.town.forge(lie, from: 2, to: 0)
        try bay.town.forge(.presence([PresenceNews(user: bay.bob.id, presence: .online, token: token)]), from: 2, to: 0)
        try bay.town.wait(.seconds(2))
        #expect(bay.seen(1) == nil)
        // On a link that is not established yet nothing of it is taken.
        try bay.town.step(0, .linkOpened(LinkID(77), peer: bay.town.relays[1].id, dialled: false))
        let early = try bay.town.step(0, .linkFrame(LinkID(77), .presenceWanted([PresenceWish(user: bay.bob.id, token: token)])))
        #expect(early.frames(on: 77).isEmpty)
    }

    @Test func `a hostile node's endless wishes are bounded and cost it nothing but its own`() throws {
        var bay = try Bay()
        for round in 0..<4 {
            let wishes = (0..<500).map { PresenceWish(user: PresenceHarbour.user(round * 500 + $0), token: wrong) }
            let effects = try bay.town.forge(.presenceWanted(wishes), from: 1, to: 0)
            #expect(effects.closedLinks.isEmpty && effects.writes.isEmpty)
            for case .presence(let news) in effects.frames(on: Town.link(0, 1).value) {
                #expect(news.allSatisfy { $0.presence == .unheard } && news.count <= Limits.presenceWishesMax)
            }
        }
    }

    @Test func `lists of wishes beyond the rate end the session`() throws {
        var bay = try Bay()
        for _ in 0..<Int(Limits.subscriptionBurst) { try bay.watch(bay.dora.id, by: token, in: 1) }
        #expect(bay.town.told[0]?.closing(1) == nil)
        try bay.watch(bay.dora.id, by: token, in: 1)
        #expect(bay.town.told[0]?.closing(1) == .rateLimited)
    }
}
