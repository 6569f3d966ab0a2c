import Cryptography
import Federation
import Testing
import Vocabulary

/// Alice (session 1) lives on node 0 with bob; dora (session 5) on node 1, faro on node 2.
private struct Region {
    let alice, bob, dora, faro: Person
    var town: Town

    init(linked: Bool = true) throws {
        var coast = Coast(nodes: 3)
        (alice, bob) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0))
        (dora, faro) = (try coast.person("dora", at: 1), try coast.person("faro", at: 2))
        town = try Town(coast, linked: linked)
        try town.signIn(alice, as: 1, at: 0)
        for (person, session, node) in [(bob, UInt64(2), 0), (dora, 5, 1), (faro, 6, 2)] {
            try town.signIn(person, as: session, at: node)
            try town.say(.publishKeyPackages(RequestID(1), person.supply(0..<2)), in: session, at: node)
        }
        town.forget()
    }

    mutating func claim(_ people: [UserID], _ request: UInt64 = 1) throws {
        try town.say(.claimKeyPackages(RequestID(request), people), in: 1, at: 0)
    }

    var claimed: [[ClaimedKeyPackages]] { town.claimed(1, at: 0) }

    /// The ids of the claims that node 0 sent to another.
    func asked(_ node: Int) -> [RequestID] {
        (town.said[[0, node]] ?? []).compactMap { if case .claimKeyPackages(let id, _, _) = $0 { id } else { nil } }
    }
}

private let unknown = Refusal(.unknownUser, "No such user is known.")
private let unreachable = Refusal(.busy, "The user's node cannot be reached.")

@Suite struct ClaimTests {
    @Test func `a claim over three nodes is answered once, in its order`() throws {
        var region = try Region()
        let nobody = PresenceHarbour.user(1)
        try region.claim([region.faro.id, nobody, region.bob.id, region.dora.id])
        try #expect(
            region.claimed == [
                [
                    ClaimedKeyPackages(user: region.faro.id, packages: [region.faro.keyPackage(0)]),
                    ClaimedKeyPackages(user: nobody, refusal: unknown),
                    ClaimedKeyPackages(user: region.bob.id, packages: [region.bob.keyPackage(0)]),
                    ClaimedKeyPackages(user: region.dora.id, packages: [region.dora.keyPackage(0)]),
                ]
            ])
        try region.claim([region.dora.id])
        try #expect(region.claimed.last?.first?.packages == [region.dora.keyPackage(1)])
        try region.claim([region.dora.id])
        #expect(region.claimed.last?.first?.refusal == unknown, "none left and unknown look alike")
    }

    @Test func `an unknown user is answered at once, whatever the other nodes do`() throws {
        var region = try Region(linked: false)
        try region.claim([PresenceHarbour.user(1)])
        #expect(region.claimed.count == 1)
    }

    @Test func `blocked, unknown to its home and without packages are alike from afar too`() throws {
        var region = try Region()
        try region.town.say(.setBlocked(RequestID(2), users: [region.alice.id], conversations: []), in: 5, at: 1)
        try region.claim([region.dora.id])
        let blocked = region.town.said[[1, 0]]?.last
        try region.claim([region.faro.id])
        try region.claim([region.faro.id])
        try region.claim([region.faro.id])
        let empty = region.town.said[[2, 0]]?.last
        guard case .keyPackages(_, let first)? = blocked, case .keyPackages(_, let second)? = empty else {
            return #expect(Bool(false), "no answers")
        }
        #expect(first.map(\.refusal) == second.map(\.refusal) && first.map(\.refusal) == [unknown])
        // Bob is not blocked, and lives on the same node as who is.
        try region.town.say(.claimKeyPackages(RequestID(9), [region.dora.id]), in: 2, at: 0)
        #expect(region.town.claimed(2, at: 0).last?.first?.refusal == nil)
    }

    @Test func `a node that does not answer makes its users busy after five seconds, and the others come along`() throws {
        var region = try Region()
        region.town.hanging = [1]
        try region.claim([region.dora.id, region.bob.id, region.faro.id])
        try region.town.wait(.milliseconds(4_800))
        #expect(region.claimed.isEmpty)
        try region.town.wait(.milliseconds(400))
        #expect(region.claimed.map { $0.map(\.refusal) } == [[unreachable, nil, nil]])
    }

    @Test func `the users of a node that is held for dead are busy at once`() throws {
        var region = try Region()
        try region.town.disconnect(0, 1)
        region.town.hanging = [1]
        try region.town.wait(.seconds(15), by: .milliseconds(50))
        region.town.forget()
        try region.claim([region.dora.id, region.bob.id])
        #expect(region.claimed.map { $0.map(\.refusal) } == [[unreachable, nil]])
    }

    @Test func `whoever has asked in vain while a node was away is not refused when it is back`() throws {
        var region = try Region()
        try region.town.disconnect(0, 1)
        region.town.hanging = [1]
        // Held for alive at first, and waited for; then for dead.
        for _ in 0..<30 {
            try region.claim([region.dora.id])
            try region.town.wait(.seconds(2), by: .milliseconds(100))
        }
        try region.town.wait(.seconds(6), by: .milliseconds(100))
        #expect(region.claimed.count == 30 && region.claimed.allSatisfy { $0.map(\.refusal) == [unreachable] })
        region.town.hanging = []
        try region.town.connect(0, 1)
        region.town.forget()
        try region.claim([region.dora.id])
        try region.town.wait(.seconds(1), by: .milliseconds(100))
        #expect(region.claimed.map { $0.map(\.refusal) } == [[nil]])
    }

    @Test func `a late answer is dropped`() throws {
        var region = try Region()
        region.town.hanging = [1]
        try region.claim([region.dora.id])
        try region.town.wait(.seconds(6))
        region.town.hanging = []
        let asked = try #require(region.asked(1).first)
        let late = ClaimedKeyPackages(user: region.dora.id, packages: [try region.dora.keyPackage(0)])
        let effects = try region.town.forge(.keyPackages(asked, [late]), from: 1, to: 0)
        #expect(effects.frames(to: 1).isEmpty && effects.closedLinks.isEmpty)
        #expect(region.claimed.count == 1)
    }

    @Test func `without a link the node is called, and asked if it comes in time`() throws {
        var region = try Region(linked: false)
        try region.claim([region.dora.id, region.faro.id])
        try region.town.wait(.seconds(2))
        #expect(region.claimed.isEmpty)
        try region.town.connect(0, 1)
        try region.town.wait(.seconds(4))
        #expect(region.claimed.map { $0.map(\.refusal) } == [[nil, unreachable]])
    }

    @Test func `a link that breaks under the claim is no loss if it comes back in time`() throws {
        var region = try Region()
        region.town.hanging = [1]
        try region.claim([region.dora.id])
        region.town.hanging = []
        try region.town.disconnect(0, 1)
        try region.town.wait(.seconds(1))
        try region.town.connect(0, 1)
        try #expect(region.claimed.map { $0.map(\.packages) } == [[[region.dora.keyPackage(0)]]])
    }

    @Test func `another node cannot answer for the one that was asked`() throws {
        var region = try Region()
        region.town.hanging = [1]
        try region.claim([region.dora.id])
        let asked = try #require(region.asked(1).first)
        let lie = ClaimedKeyPackages(user: region.dora.id, packages: [[6, 6, 6]])
        try region.town.forge(.keyPackages(asked, [lie]), from: 2, to: 0)
        try region.town.forge(.refusedRequest(asked, unknown), from: 2, to: 0)
        #expect(region.claimed.isEmpty)
        try region.town.forge(.refusedRequest(asked, unknown), from: 1, to: 0)
    }

    @Test func `what a node answers beyond the question, too much or in its own words does not reach the asker`() throws {
        var region = try Region()
        region.town.hanging = [1, 2]
        let cases: [([ClaimedKeyPackages], Refusal?)] = [
            ([ClaimedKeyPackages(user: region.dora.id, refusal: Refusal(.blocked, "Dora says no."))], unreachable),
            ([ClaimedKeyPackages(user: region.dora.id, refusal: Refusal(.unknownUser, "She blocked you."))], unknown),
            (
                [ClaimedKeyPackages(user: region.dora.id, refusal: Refusal(.rateLimited, "x"))],
                Refusal(.rateLimited, "This user was asked for too often of late.")
            ),
            ([ClaimedKeyPackages(user: region.dora.id, packages: [])], unknown),
            ([ClaimedKeyPackages(user: region.dora.id, packages: Array(repeating: [1], count: Limits.devicesPerUserMax + 1))], unknown),
            ([ClaimedKeyPackages(user: region.dora.id, packages: [[UInt8](repeating: 1, count: Limits.keyPackageBytesMax + 1)])], unknown),
            ([ClaimedKeyPackages(user: region.bob.id, packages: [[1]])], unreachable),
            ([], unreachable),
        ]
        for (index, (lie, refusal)) in cases.enumerated() {
            try region.claim([region.dora.id], UInt64(index))
            let asked = try #require(region.asked(1).last)
            try region.town.forge(.keyPackages(asked, lie), from: 1, to: 0)
            #expect(region.claimed.last == [ClaimedKeyPackages(user: region.dora.id, refusal: refusal ?? unknown)])
        }
        #expect(region.claimed.count == cases.count)
    }

    @Test func `all answers together fit a frame`() throws {
        var region = try Region()
        region.town.hanging = [1, 2]
        try region.claim([region.dora.id, region.faro.id])
        let large = Array(repeating: [UInt8](repeating: 1, count: Limits.keyPackageBytesMax), count: 10)
        try region.town.forge(
            .keyPackages(try #require(region.asked(1).last), [ClaimedKeyPackages(user: region.dora.id, packages: large)]), from: 1, to: 0)
        try region.town.forge(
            .keyPackages(try #require(region.asked(2).last), [ClaimedKeyPackages(user: region.faro.id, packages: large)]), from: 2, to: 0)
        #expect(region.claimed.map { $0.map { $0.refusal?.code } } == [[nil, .busy]])
    }

    @Test func `a node asks for its own users alone`() throws {
        var region = try Region()
        let question = { (asker: UserID) in LinkFrame.claimKeyPackages(RequestID(7), by: asker, [region.bob.id]) }
        // Node 1 in the name of node 2's user, of ours, and of somebody nobody knows.
        for asker in [region.faro.id, region.alice.id] {
            let effects = try region.town.forge(question(asker), from: 1, to: 0)
            #expect(effects.frames(on: Town.link(0, 1).value).isEmpty && effects.writes.isEmpty)
        }
        let stranger = try region.town.forge(question(PresenceHarbour.user(3)), from: 1, to: 0)
        guard case .refusedRequest(RequestID(7), let refusal)? = stranger.frames(on: Town.link(0, 1).value).first else {
            return #expect(Bool(false), "its record may be on its way")
        }
        #expect(refusal.code == .busy && stranger.writes.isEmpty)
    }

    @Test func `a node that asks in the name of its users is bounded as they are`() throws {
        var region = try Region()
        var codes: [Refusal.Code?] = []
        for request in UInt64(0)..<22 {
            let effects = try region.town.forge(.claimKeyPackages(RequestID(request), by: region.dora.id, [region.bob.id]), from: 1, to: 0)
            for case .keyPackages(_, let claimed) in effects.frames(on: Town.link(0, 1).value) { codes += claimed.map { $0.refusal?.code } }
        }
        #expect(codes == [nil, nil] + Array(repeating: .unknownUser, count: 18) + [.rateLimited, .rateLimited])
    }

    @Test func `a node is not handed packages of users that live elsewhere`() throws {
        var region = try Region()
        let effects = try region.town.forge(.claimKeyPackages(RequestID(1), by: region.dora.id, [region.faro.id]), from: 1, to: 0)
        #expect(
            effects.frames(on: Town.link(0, 1).value) == [
                .keyPackages(RequestID(1), [ClaimedKeyPackages(user: region.faro.id, refusal: unknown)])
            ])
    }

    @Test func `a session that ended is not answered, and claims under way are bounded`() throws {
        var region = try Region(linked: false)
        for request in 0..<UInt64(Limits.claimsPerSessionMax) {
            try region.claim([request % 2 == 0 ? region.dora.id : region.faro.id], request)
        }
        try region.claim([region.dora.id], 99)
        #expect(region.town.told[0]?.refusals(to: 1) == [.busy])
        try region.town.step(0, .sessionClosed(SessionID(1)))
        region.town.forget()
        try region.town.wait(.seconds(6))
        #expect(region.town.frames(to: 1, at: 0).isEmpty)
    }
}
