import Federation
import Testing
import Vocabulary

private typealias Harbour = PresenceHarbour

@Suite struct PresenceDeskTests {
    /// User 1 lives at node 0 and shows itself by token 1; user 2 watches in session 20.
    private func harbour(nodes: Int = 2, watcherAt node: Int = 1, sharesLastSeen: Bool = true) -> Harbour {
        var harbour = Harbour(nodes: nodes)
        harbour.signIn(10, 1, at: 0)
        harbour.show(1, by: 1, sharesLastSeen: sharesLastSeen, at: 0)
        harbour.signIn(20, 2, at: node)
        harbour.watch(20, [(1, 1)], at: node)
        return harbour
    }

    @Test(arguments: [0, 1]) func `who holds the token sees a user come and go, here and from another node`(node: Int) {
        var harbour = harbour(watcherAt: node)
        #expect(harbour.seen(1, by: 20) == .online)
        harbour.wait(.seconds(2))
        harbour.signOut(10, at: 0)
        #expect(harbour.seen(1, by: 20) == .offline(lastSeen: Harbour.sixty))
        harbour.wait(.seconds(2))
        harbour.signIn(11, 1, at: 0)
        #expect(harbour.seen(1, by: 20) == .online)
    }

    @Test(arguments: [0, 1]) func `a wrong token, an unknown user and one who shows itself to nobody look alike`(node: Int) {
        var harbour = Harbour(nodes: 2)
        harbour.signIn(10, 1, at: 0)
        harbour.show(1, by: 1, at: 0)
        harbour.signIn(11, 3, at: 0)
        harbour.show(3, by: nil, at: 0)
        harbour.signIn(20, 2, at: node)
        harbour.watch(20, [(1, 9), (3, 3), (77, 1)], at: node)
        for user in [1, 3, 77] { #expect(harbour.seen(user, by: 20) == .unheard) }
        harbour.wait(.seconds(2))
        harbour.forgetTraffic()
        harbour.signOut(10, at: 0)
        harbour.signOut(11, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.frames(to: 20) == 0, "what is hidden does not show by moving")
    }

    @Test(arguments: [0, 1]) func `last seen is a whole minute, and told only where it is shared`(node: Int) {
        var harbour = harbour(watcherAt: node, sharesLastSeen: false)
        harbour.signOut(10, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .offline(lastSeen: nil))
        harbour.show(1, by: 1, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .offline(lastSeen: Harbour.sixty))
    }

    @Test func `a user is online while any device is`() {
        var harbour = harbour()
        harbour.signIn(11, 1, at: 0)
        harbour.signOut(10, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .online)
        harbour.signOut(11, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) != .online)
    }

    @Test(arguments: [0, 1]) func `after the token was rotated the old one shows nothing and the new one all`(node: Int) {
        var harbour = harbour(watcherAt: node)
        harbour.signIn(21, 3, at: node)
        harbour.watch(21, [(1, 2)], at: node)
        #expect(harbour.seen(1, by: 21) == .unheard)
        harbour.show(1, by: 2, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .offline(lastSeen: nil))
        #expect(harbour.seen(1, by: 21) == .online)
    }

    @Test func `two users of one node with different tokens do not see by each other's`() {
        var harbour = harbour(watcherAt: 1)
        harbour.signIn(21, 3, at: 1)
        harbour.watch(21, [(1, 9)], at: 1)
        harbour.wait(.seconds(2))
        harbour.signOut(10, at: 0)
        harbour.wait(.seconds(2))
        harbour.signIn(11, 1, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .online)
        #expect(harbour.seen(1, by: 21) == .unheard)
        // The right one leaves, the wrong one stays and gains nothing.
        harbour.signOut(20, at: 1)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 21) == .unheard)
    }

    @Test func `a user who is blocked sees one who is offline and shares nothing`() {
        var harbour = harbour(watcherAt: 0)
        harbour.step(0, .blocksChanged(Harbour.user(1), [Harbour.user(2)]))
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .offline(lastSeen: nil))
        harbour.step(0, .blocksChanged(Harbour.user(1), []))
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .online)
    }

    @Test func `a list takes the place of the one before`() {
        var harbour = harbour()
        harbour.signIn(12, 4, at: 0)
        harbour.show(4, by: 4, at: 0)
        harbour.watch(20, [(4, 4)], at: 1)
        #expect(harbour.seen(4, by: 20) == .online)
        harbour.forgetTraffic()
        harbour.signOut(10, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.frames(to: 20) == 0 && harbour.frames(from: 0, to: 1).isEmpty)
    }

    @Test func `another node is asked once however many watch, and told when nobody does any more`() {
        var harbour = harbour()
        harbour.signIn(21, 3, at: 1)
        harbour.watch(21, [(1, 1)], at: 1)
        #expect(harbour.seen(1, by: 21) == .online)
        let wish = PresenceWish(user: Harbour.user(1), token: Harbour.token(1))
        #expect(harbour.frames(from: 1, to: 0) == [.presenceWanted([wish])])
        harbour.signOut(20, at: 1)
        #expect(harbour.frames(from: 1, to: 0).count == 1)
        harbour.signOut(21, at: 1)
        #expect(harbour.frames(from: 1, to: 0).last == .presenceUnwanted([Harbour.user(1)]))
        harbour.forgetTraffic()
        harbour.wait(.seconds(2))
        harbour.signOut(10, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.frames(from: 0, to: 1).isEmpty && harbour.desks[1].homes.isEmpty)
    }

    @Test func `a thousand flapping users cost a watching node one frame a user and second at most`() {
        var harbour = Harbour(nodes: 2)
        let users = Array(1...1_000)
        for user in users {
            harbour.signIn(UInt64(10_000 + user), user, at: 0)
            harbour.show(user, by: user, at: 0)
        }
        for (session, part) in [users[..<500], users[500...]].enumerated() {
            harbour.signIn(UInt64(session + 1), 2_000 + session, at: 1)
            harbour.watch(UInt64(session + 1), part.map { ($0, $0) }, at: 1)
        }
        #expect(users.allSatisfy { harbour.seen($0, by: $0 <= 500 ? 1 : 2) == .online })
        harbour.wait(.seconds(2))
        harbour.forgetTraffic()
        // Five seconds, each user gone and back ten times a second.
        for _ in 0..<50 {
            for user in users {
                harbour.signOut(UInt64(10_000 + user), at: 0)
                harbour.signIn(UInt64(10_000 + user), user, at: 0)
            }
            harbour.wait(.milliseconds(100))
        }
        var told: [UserID: Int] = [:]
        for case .presence(let news) in harbour.frames(from: 0, to: 1) { for item in news { told[item.user, default: 0] += 1 } }
        #expect(told.values.allSatisfy { $0 <= 6 }, "at most once a second, and once at its start")
        #expect(harbour.frames(from: 0, to: 1).count <= 6_000)
        harbour.wait(.seconds(3))
        #expect(users.allSatisfy { harbour.seen($0, by: $0 <= 500 ? 1 : 2) == .online }, "the newest wins in the end")
    }

    @Test func `a flap that ends where it began is not told twice`() {
        var harbour = harbour()
        harbour.wait(.seconds(2))
        harbour.forgetTraffic()
        harbour.signOut(10, at: 0)
        harbour.signIn(11, 1, at: 0)
        harbour.signOut(11, at: 0)
        harbour.wait(.seconds(3))
        #expect(harbour.frames(to: 20) == 1)
    }

    @Test func `the users of a node that died are offline, and what is shared is the minute it happened`() {
        var harbour = harbour()
        harbour.signIn(12, 4, at: 0)
        harbour.show(4, by: 4, sharesLastSeen: true, at: 0)
        harbour.signIn(21, 3, at: 1)
        harbour.watch(21, [(4, 4)], at: 1)
        harbour.signOut(12, at: 0)
        harbour.wait(.seconds(2))
        harbour.signIn(12, 4, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(4, by: 21) == .online)
        harbour.replace(0)
        harbour.step(1, .nodeDied(Harbour.node(0)))
        harbour.wait(.seconds(1))
        #expect(harbour.seen(1, by: 20) == .unreachable, "whether it shares was never said")
        #expect(harbour.seen(4, by: 21) == .offline(lastSeen: Harbour.sixty))
    }

    @Test func `a lost link alone counts after five seconds, and not if it comes back`() {
        var harbour = harbour()
        harbour.wait(.seconds(2))
        harbour.disconnect(0, 1)
        harbour.wait(.seconds(4))
        #expect(harbour.seen(1, by: 20) == .online)
        harbour.connect(0, 1)
        harbour.wait(.seconds(10))
        #expect(harbour.seen(1, by: 20) == .online)
        harbour.disconnect(0, 1)
        harbour.wait(.seconds(6))
        #expect(harbour.seen(1, by: 20) != .online)
    }

    @Test func `wishes are said again on a new link, and a restarted home learns its users anew`() {
        var harbour = harbour()
        harbour.replace(0)
        harbour.step(1, .linkDown(Harbour.node(0)))
        harbour.connect(0, 1)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .unheard)
        harbour.signIn(10, 1, at: 0)
        harbour.show(1, by: 1, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .online)
    }

    @Test(arguments: [0, 1]) func `of a user who shares nothing a home that restarted says so once it has heard so`(node: Int) {
        var harbour = harbour(watcherAt: node, sharesLastSeen: false)
        harbour.signOut(10, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .offline(lastSeen: nil))
        harbour.replace(0)
        harbour.step(1, .linkDown(Harbour.node(0)))
        harbour.connect(0, 1)
        if node == 0 {
            harbour.signIn(20, 2, at: 0)
            harbour.watch(20, [(1, 1)], at: 0)
        }
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .unheard)
        // A session alone is no word about who may see it.
        harbour.signIn(11, 1, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .unheard)
        harbour.show(1, by: 1, sharesLastSeen: false, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .online)
        harbour.signOut(11, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .offline(lastSeen: nil))
    }

    @Test(arguments: [0, 1]) func `who may not see a user does not see when it comes back to a home that restarted`(node: Int) {
        var harbour = Harbour(nodes: 2)
        // By a token that was rotated away before the restart; and blocked before it, here at home, by one that is right.
        harbour.signIn(20, 2, at: node)
        harbour.watch(20, [(1, 9)], at: node)
        harbour.step(0, .blocksChanged(Harbour.user(1), [Harbour.user(3)]))
        harbour.signIn(30, 3, at: 0)
        harbour.watch(30, [(1, 1)], at: 0)
        harbour.wait(.seconds(2))
        harbour.forgetTraffic()
        harbour.signIn(10, 1, at: 0)
        harbour.show(1, by: 1, at: 0)
        harbour.step(0, .blocksChanged(Harbour.user(1), [Harbour.user(3)]))
        harbour.wait(.seconds(2))
        harbour.signOut(10, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.frames(to: 20) == 0 && harbour.frames(to: 30) == 0)
        // Nor by asking once more.
        harbour.watch(20, [], at: node)
        harbour.watch(20, [(1, 9)], at: node)
        harbour.watch(30, [], at: 0)
        harbour.watch(30, [(1, 1)], at: 0)
        #expect(harbour.seen(1, by: 20) == .unheard && harbour.seen(1, by: 30) == .unheard)
        // Who was unblocked meanwhile and has seen the user is not told that nothing was heard.
        harbour.step(0, .blocksChanged(Harbour.user(1), []))
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 30) == .offline(lastSeen: Harbour.sixty))
        harbour.step(0, .blocksChanged(Harbour.user(1), [Harbour.user(3)]))
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 30) == .offline(lastSeen: nil))
    }

    @Test func `a user who ends sharing when it was last seen is not seen last when its node dies`() {
        var harbour = harbour()
        harbour.signOut(10, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .offline(lastSeen: Harbour.sixty))
        harbour.show(1, by: 1, sharesLastSeen: false, at: 0)
        harbour.wait(.seconds(2))
        harbour.signIn(11, 1, at: 0)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .online)
        harbour.replace(0)
        harbour.step(1, .nodeDied(Harbour.node(0)))
        harbour.wait(.seconds(1))
        #expect(harbour.seen(1, by: 20) == .unreachable)
    }

    @Test func `a node that is not linked is called, and asked when the link is up`() {
        var harbour = Harbour(nodes: 2, linked: false)
        harbour.signIn(10, 1, at: 0)
        harbour.show(1, by: 1, at: 0)
        harbour.signIn(20, 2, at: 1)
        harbour.watch(20, [(1, 1)], at: 1)
        #expect(harbour.seen(1, by: 20) == .unreachable, "something is said at once")
        #expect(harbour.calls == [[1, 0]] && harbour.desks[1].homes == [Harbour.node(0)])
        harbour.connect(0, 1)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .online)
    }

    @Test func `a user who shows nothing is not taken for one who cannot be reached, nor the other way round`() {
        var harbour = Harbour(nodes: 2, linked: false)
        harbour.signIn(10, 1, at: 0)
        harbour.show(1, by: 1, sharesLastSeen: false, at: 0)
        harbour.signOut(10, at: 0)
        harbour.signIn(20, 2, at: 1)
        harbour.watch(20, [(1, 1)], at: 1)
        #expect(harbour.seen(1, by: 20) == .unreachable)
        harbour.connect(0, 1)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .offline(lastSeen: nil))
        harbour.disconnect(0, 1)
        harbour.wait(.seconds(6))
        #expect(harbour.seen(1, by: 20) == .unreachable)
        harbour.connect(0, 1)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .offline(lastSeen: nil))
        // No node says so of its own users.
        harbour.step(1, .told([PresenceNews(user: Harbour.user(1), presence: .unreachable)], by: Harbour.node(0)))
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .offline(lastSeen: nil))
    }

    @Test func `a user who moves is asked for at the new home, and only that one is believed`() {
        var harbour = harbour(nodes: 3)
        harbour.step(1, .homeChanged(Harbour.user(1), Harbour.node(2)))
        harbour.step(0, .homeChanged(Harbour.user(1), Harbour.node(2)))
        harbour.signIn(30, 1, at: 2)
        harbour.show(1, by: 1, at: 2)
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .online)
        harbour.step(1, .told([PresenceNews(user: Harbour.user(1), presence: Presence.offline(lastSeen: 60))], by: Harbour.node(0)))
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .online)
        #expect(harbour.frames(from: 1, to: 0).last == .presenceUnwanted([Harbour.user(1)]))
    }

    @Test func `news of users nobody asked for, of another home's, or by a token not named is dropped`() {
        var harbour = harbour(nodes: 3)
        harbour.wait(.seconds(2))
        let gone = Presence.offline(lastSeen: 60)
        harbour.step(1, .told([PresenceNews(user: Harbour.user(1), presence: gone)], by: Harbour.node(2)))
        harbour.step(1, .told([PresenceNews(user: Harbour.user(2), presence: gone)], by: Harbour.node(0)))
        harbour.step(1, .told([PresenceNews(user: Harbour.user(1), presence: gone, token: Harbour.token(5))], by: Harbour.node(0)))
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .online)
        // Its own home may lie, but not about what a minute is.
        harbour.step(1, .told([PresenceNews(user: Harbour.user(1), presence: .offline(lastSeen: 61))], by: Harbour.node(0)))
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == gone)
        harbour.step(1, .told([PresenceNews(user: Harbour.user(1), presence: .offline(lastSeen: .max))], by: Harbour.node(0)))
        harbour.wait(.seconds(2))
        #expect(harbour.seen(1, by: 20) == .offline(lastSeen: nil))
    }

    @Test func `wishes beyond the bounds look like users who were not heard of`() {
        var harbour = Harbour(nodes: 2)
        harbour.signIn(20, 2, at: 1)
        harbour.watch(20, (0..<600).map { ($0 + 100, 1) }, at: 1)
        #expect(harbour.frames(to: 20) == 1)
        #expect(harbour.seen(100, by: 20) != nil && harbour.seen(100 + Limits.presenceWishesMax, by: 20) == nil)
        // One user by more tokens than a node may name.
        harbour.signIn(10, 1, at: 0)
        harbour.show(1, by: 99, at: 0)
        let wishes = (0...99).map { PresenceWish(user: Harbour.user(1), token: Harbour.token($0)) }
        harbour.step(0, .wanted(wishes, by: Harbour.node(1)))
        harbour.forgetTraffic()
        harbour.signOut(10, at: 0)
        #expect(harbour.frames(from: 0, to: 1).isEmpty, "the hundredth was answered and not kept")
    }

    @Test func `a node cannot learn by asking of users that live elsewhere`() {
        var harbour = harbour(nodes: 3)
        harbour.forgetTraffic()
        harbour.step(1, .wanted([PresenceWish(user: Harbour.user(1), token: Harbour.token(1))], by: Harbour.node(2)))
        let answer = PresenceNews(user: Harbour.user(1), presence: .unheard, token: Harbour.token(1))
        #expect(harbour.frames(from: 1, to: 2) == [.presence([answer])])
    }

    @Test func `a session that was not signed in watches nobody`() {
        var harbour = harbour()
        harbour.watch(99, [(1, 1)], at: 1)
        #expect(harbour.seen(1, by: 99) == nil)
    }
}
