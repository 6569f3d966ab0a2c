import Cryptography
import Federation
import Testing
import Vocabulary

/// One node; bob publishes in session 2, alice and carol claim in 1 and 3.
private struct Desk {
    let alice, bob, carol: Person
    var relay: Relay

    init() throws {
        var coast = Coast(nodes: 1)
        (alice, bob, carol) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0), try coast.person("carol", at: 0))
        relay = try coast.relay(0)
        try signIn()
    }

    mutating func signIn() throws {
        try relay.signIn(alice, as: 1)
        try relay.signIn(bob, as: 2)
        try relay.signIn(carol, as: 3)
    }

    mutating func say(_ frame: ClientFrame, _ session: UInt64) throws -> [NodeEffect] {
        try relay.step(.sessionFrame(SessionID(session), frame))
    }

    mutating func publish(_ supply: KeyPackageSupply) throws -> [NodeEffect] { try say(.publishKeyPackages(RequestID(1), supply), 2) }

    /// - Returns: what came for bob.
    mutating func claim(_ session: UInt64 = 1) throws -> ClaimedKeyPackages? {
        try say(.claimKeyPackages(RequestID(2), [bob.id]), session).claimed(session).first
    }
}

@Suite struct KeyPackageTests {
    @Test func `each is handed out once, the oldest first, and then the last resort again and again`() throws {
        var desk = try Desk()
        let supply = try desk.bob.supply(1..<4, lastResort: 9)
        try #expect(desk.publish(supply).done(2) == [RequestID(1)])
        for package in supply.packages { try #expect(desk.claim()?.packages == [package]) }
        for _ in 0..<3 { try #expect(desk.claim()?.packages == [supply.lastResort ?? []]) }
    }

    @Test func `one that was handed out is not again after a crash`() throws {
        var desk = try Desk()
        let supply = try desk.bob.supply(1..<3)
        _ = try desk.publish(supply)
        try #expect(desk.claim()?.packages == [supply.packages[0]])
        try desk.relay.restart()
        try desk.signIn()
        try #expect(desk.claim()?.packages == [supply.packages[1]])
        try #expect(desk.claim()?.refusal?.code == .unknownUser)
    }

    @Test func `a crash before the commit loses the answer, not the package`() throws {
        var desk = try Desk()
        let supply = try desk.bob.supply(1..<2)
        _ = try desk.publish(supply)
        let claim = NodeInput.sessionFrame(SessionID(1), .claimKeyPackages(RequestID(2), [desk.bob.id]))
        // Stepped, but never committed: so its effects are never released.
        for needed in desk.relay.core.rowsNeeded(for: claim) {
            guard let rows = try desk.relay.store.rows(needed, hub: desk.relay.id) else { continue }
            _ = desk.relay.core.step(.loaded(rows), at: desk.relay.now, using: &desk.relay.random)
        }
        let lost = desk.relay.core.step(claim, at: desk.relay.now, using: &desk.relay.random)
        #expect(lost.claimed(1).first?.packages == supply.packages)
        try desk.relay.restart()
        try desk.signIn()
        try #expect(desk.claim()?.packages == supply.packages)
    }

    @Test func `claims of one batch get different ones`() throws {
        var desk = try Desk()
        _ = try desk.publish(desk.bob.supply(1..<11))
        let effects = try desk.relay.batch(
            (0..<10).map { .sessionFrame(SessionID($0 % 2 == 0 ? 1 : 3), .claimKeyPackages(RequestID(UInt64($0)), [desk.bob.id])) })
        let packages = (effects.claimed(1) + effects.claimed(3)).flatMap(\.packages)
        #expect(packages.count == 10 && Set(packages).count == 10)
        #expect(effects.writes.count { if case .put(.keyPackages, _, _) = $0 { true } else { false } } == 1, "one row a device and batch")
    }

    @Test func `a publication that is repeated brings nothing back`() throws {
        var desk = try Desk()
        let supply = try desk.bob.supply(1..<3)
        _ = try desk.publish(supply)
        try #expect(desk.claim()?.packages == [supply.packages[0]])
        try #expect(desk.publish(supply).done(2).count == 1)
        try desk.relay.restart()
        try desk.signIn()
        _ = try desk.publish(supply)
        try #expect(desk.claim()?.packages == [supply.packages[1]])
        try #expect(desk.claim()?.refusal != nil)
    }

    @Test func `a publication that replaces leaves nothing of what was there`() throws {
        var desk = try Desk()
        _ = try desk.publish(desk.bob.supply(1..<6, lastResort: 8))
        let supply = try desk.bob.supply(20..<21, replaces: true)
        _ = try desk.publish(supply)
        try #expect(desk.claim()?.packages == supply.packages)
        try #expect(desk.claim()?.refusal != nil)
    }

    @Test func `what is not a valid package of the device is refused, and nothing is kept of its publication`() throws {
        var desk = try Desk()
        let good = try desk.bob.keyPackage(1)
        var damaged = try desk.bob.keyPackage(2)
        damaged[damaged.count - 1] ^= 1
        let bad: [KeyPackageSupply] = [
            KeyPackageSupply(replaces: false, packages: [good, try desk.carol.keyPackage(3)], lastResort: nil),
            KeyPackageSupply(replaces: false, packages: [good, damaged], lastResort: nil),
            KeyPackageSupply(replaces: false, packages: [good, [1, 2, 3]], lastResort: nil),
            KeyPackageSupply(replaces: false, packages: [good, []], lastResort: nil),
            KeyPackageSupply(replaces: false, packages: [try desk.bob.keyPackage(4, lastResort: true)], lastResort: nil),
            KeyPackageSupply(replaces: false, packages: [], lastResort: good),
        ]
        for supply in bad {
            let effects = try desk.publish(supply)
            #expect(effects.refusals(to: 2) == [.keyPackageInvalid] && effects.writes.isEmpty)
        }
        desk.relay.wall = Coast.wall + .days(2)
        try #expect(
            desk.publish(KeyPackageSupply(replaces: false, packages: [good], lastResort: nil)).refusals(to: 2) == [.keyPackageInvalid])
        try #expect(desk.claim()?.refusal?.code == .unknownUser)
    }

    @Test func `expired ones are not handed out`() throws {
        var desk = try Desk()
        let supply = KeyPackageSupply(
            replaces: false, packages: [try desk.bob.keyPackage(1, expires: 100), try desk.bob.keyPackage(2)], lastResort: nil)
        _ = try desk.publish(supply)
        desk.relay.wall = Coast.wall + .seconds(200)
        try #expect(desk.claim()?.packages == [supply.packages[1]])
    }

    @Test func `a home keeps a hundred of a device, twenty a publication, and takes so many publications`() throws {
        var desk = try Desk()
        for start in stride(from: UInt64(0), to: 100, by: 20) {
            try #expect(desk.publish(desk.bob.supply(start..<start + 20)).done(2).count == 1)
        }
        try #expect(desk.publish(desk.bob.supply(100..<101)).refusals(to: 2) == [.tooLarge])
        try #expect(desk.publish(desk.bob.supply(100..<121, replaces: true)).refusals(to: 2) == [.tooLarge])
        let empty = KeyPackageSupply(replaces: false, packages: [], lastResort: nil)
        var refusals: Set<Refusal.Code> = []
        for _ in 0..<Int(Limits.publicationBurst) { refusals.formUnion(try desk.publish(empty).refusals(to: 2)) }
        #expect(refusals == [.rateLimited])
    }

    @Test func `one user may ask for the same target twenty times, known or unknown`() throws {
        var desk = try Desk()
        _ = try desk.publish(desk.bob.supply(1..<2, lastResort: 9))
        let nobody = UserID(raw: desk.bob.deviceID.raw)
        var codes: [UserID: [Refusal.Code?]] = [:]
        for user in [desk.bob.id, nobody] {
            for _ in 0..<21 {
                codes[user, default: []].append(
                    try desk.say(.claimKeyPackages(RequestID(1), [user]), 1).claimed(1).first?.refusal?.code)
            }
        }
        #expect(codes[desk.bob.id] == Array(repeating: nil, count: 20) + [.rateLimited])
        #expect(codes[nobody] == Array(repeating: .unknownUser, count: 20) + [.rateLimited])
        try #expect(desk.claim(3)?.refusal == nil, "others are not concerned")
        desk.relay.now = desk.relay.now + .seconds(31)
        try #expect(desk.claim()?.refusal == nil)
    }

    @Test func `one user may claim two thousand users at once, and five more a second`() {
        var desk = KeyPackageDesk()
        let (asker, other) = (PresenceHarbour.user(60_000), PresenceHarbour.user(60_001))
        var refused = (0..<2_010).count { desk.admit(asker, claiming: PresenceHarbour.user($0), at: .start) != nil }
        #expect(refused == 10)
        refused = (0..<10).count { desk.admit(asker, claiming: PresenceHarbour.user(3_000 + $0), at: .start + .seconds(1)) != nil }
        #expect(refused == 5)
        #expect(desk.admit(other, claiming: PresenceHarbour.user(1), at: .start) == nil)
    }

    @Test func `nobody can empty a store: beyond a rate the last resort is handed out`() {
        var random = SeededGenerator(seed: 5)
        var desk = KeyPackageDesk()
        var stock = KeyPackageStock()
        let device = DeviceID(raw: SigningKey(using: &random).publicKey)
        let target = UserID(raw: SigningKey(using: &random).publicKey)
        var handed: [[UInt8]] = []
        for round in UInt8(0)..<3 {
            // A device that refills as often as it is emptied.
            stock = KeyPackageStock()
            let items = (UInt8(0)..<100).map { KeyPackageStock.Item(package: [1, round, $0], expires: .max) }
            #expect(stock.add(items, lastResort: KeyPackageStock.Item(package: [2], expires: .max), replaces: false) == nil)
            #expect(desk.load(device, stock.row, seconds: 0) == true)
            for _ in 0..<100 {
                var room = 1_000
                handed += desk.handOut(of: target, [device], oneTime: true, room: &room, at: .start)?.packages ?? []
            }
            _ = desk.endBatch()
        }
        #expect(handed.count == 300 && handed.count { $0 == [2] } == 100)
    }

    @Test func `what does not fit the answer is refused, and stays`() {
        var random = SeededGenerator(seed: 5)
        var desk = KeyPackageDesk()
        var stock = KeyPackageStock()
        let device = DeviceID(raw: SigningKey(using: &random).publicKey)
        let target = UserID(raw: SigningKey(using: &random).publicKey)
        #expect(stock.add([KeyPackageStock.Item(package: [1, 2, 3], expires: .max)], lastResort: nil, replaces: false) == nil)
        #expect(desk.load(device, stock.row, seconds: 0) == true)
        var room = 2
        #expect(desk.handOut(of: target, [device], oneTime: true, room: &room, at: .start) == nil)
        #expect(desk.count(of: device) == 1 && room == 2)
    }

    @Test func `an unknown user, one who blocked the asker, one who has none left and oneself look alike`() throws {
        var desk = try Desk()
        _ = try desk.publish(desk.bob.supply(1..<4, lastResort: 9))
        _ = try desk.say(.setBlocked(RequestID(1), users: [desk.alice.id], conversations: []), 2)
        let nobody = UserID(raw: desk.bob.deviceID.raw)
        let users = [desk.bob.id, desk.carol.id, nobody, desk.alice.id]
        let effects = try desk.say(.claimKeyPackages(RequestID(4), users), 1)
        let claimed = effects.claimed(1)
        #expect(claimed.map(\.user) == users && claimed.allSatisfy { $0.packages.isEmpty })
        #expect(Set(claimed.map(\.refusal)) == [Refusal(.unknownUser, "No such user is known.")])
        #expect(effects.writes.isEmpty, "who is blocked takes nothing away")
        try #expect(desk.claim(3)?.packages == [desk.bob.keyPackage(1)])
    }

    @Test func `a device is told how many are left when it signs in and when they become few`() throws {
        var desk = try Desk()
        _ = try desk.publish(desk.bob.supply(0..<20))
        _ = try desk.publish(desk.bob.supply(20..<22))
        var told: [UInt32] = []
        for _ in 0..<3 { told += try desk.say(.claimKeyPackages(RequestID(2), [desk.bob.id]), 1).keyPackagesLeft(2) }
        #expect(told == [20, 19])
        let frames = try desk.relay.signIn(desk.bob, as: 4).frames(to: 4)
        #expect(frames == [.ready(waiting: 0, order: 0, restored: 0), .keyPackagesLeft(19), .caughtUp])
        try #expect(desk.relay.signIn(desk.alice, as: 5).keyPackagesLeft(5) == [0])
    }

    @Test func `the operator sees how many are left`() throws {
        var desk = try Desk()
        _ = try desk.publish(desk.bob.supply(0..<7, lastResort: 9))
        _ = try desk.claim()
        let address = try Address("bob@node0")
        for case .answer(_, .success(.users(let users))) in try desk.relay.step(.admin(RequestID(1), .user(address))) {
            #expect(users.map(\.keyPackages) == [6])
        }
        for case .answer(_, .success(.users(let users))) in try desk.relay.step(.admin(RequestID(1), .users)) {
            #expect(users.allSatisfy { $0.keyPackages == nil })
        }
    }

    @Test func `while the disk is full nothing is published, and the last resort alone is handed out`() throws {
        var desk = try Desk()
        _ = try desk.publish(desk.bob.supply(0..<2, lastResort: 9))
        try desk.relay.step(.spaceChanged(isLow: true))
        try #expect(desk.publish(desk.bob.supply(3..<4)).refusals(to: 2) == [.diskFull])
        try #expect(desk.claim()?.packages == [desk.bob.keyPackage(9, lastResort: true)])
        let others = try desk.say(.claimKeyPackages(RequestID(3), [desk.carol.id, PresenceHarbour.user(1)]), 1).claimed(1)
        #expect(others.map { $0.refusal?.code } == [.busy, .busy], "nobody looks gone for good, and nobody different")
        try desk.relay.step(.spaceChanged(isLow: false))
        try #expect(desk.claim()?.packages == [desk.bob.keyPackage(0)])
    }

    @Test func `a claim names one to sixty-four users, each once`() throws {
        var desk = try Desk()
        for users in [[], Array(repeating: desk.bob.id, count: 2), (0..<65).map { PresenceHarbour.user($0) }] {
            try #expect(desk.say(.claimKeyPackages(RequestID(2), users), 1).refusals(to: 1) == [.tooLarge])
        }
    }

    @Test func `before it has signed in a session publishes and claims nothing`() throws {
        var desk = try Desk()
        for (session, frame) in [
            (UInt64(11), ClientFrame.publishKeyPackages(RequestID(1), try desk.bob.supply(0..<1))),
            (12, .claimKeyPackages(RequestID(1), [desk.bob.id])),
            (13, .setBlocked(RequestID(1), users: [], conversations: [])), (14, .subscribe([])),
            (15, .presence(PresenceSettings(token: nil, sharesLastSeen: true))),
        ] {
            try desk.relay.step(
                .sessionOpened(SessionID(session)), .sessionFrame(SessionID(session), .hello(versions: .current, nonce: Relay.nonce)))
            let effects = try desk.say(frame, session)
            #expect(effects.closing(session) == .badFrame && effects.writes.isEmpty)
        }
    }

    @Test func `a row that cannot be read is noted, and its device publishes anew`() throws {
        var desk = try Desk()
        try desk.relay.store.commit([.put(.keyPackages, key: desk.bob.deviceID.bytes, value: [0, 9, 1])])
        let effects = try desk.say(.claimKeyPackages(RequestID(2), [desk.bob.id]), 1)
        #expect(effects.contains { if case .note(.corruptRow(.keyPackages)) = $0 { true } else { false } })
        #expect(effects.claimed(1).first?.refusal?.code == .unknownUser)
        let supply = try desk.bob.supply(0..<1)
        _ = try desk.publish(supply)
        try #expect(desk.claim()?.packages == supply.packages)
    }

    @Test func `counters of others' choosing are bounded, and filling them forgets no empty one`() {
        var buckets = Buckets<UserID>(rate: 0.001, burst: 2, max: 100)
        let mine = PresenceHarbour.user(0)
        let first = [buckets.take(mine, at: .start), buckets.take(mine, at: .start), buckets.take(mine, at: .start)]
        #expect(first == [true, true, false])
        for user in 1..<1_000 { #expect(buckets.take(PresenceHarbour.user(user), at: .start) == true) }
        #expect(buckets.count <= 100)
        #expect(buckets.take(mine, at: .start) == false)
    }
}
