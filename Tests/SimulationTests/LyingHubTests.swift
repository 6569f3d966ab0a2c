import ClientCore
import Cryptography
import Groups
import Lies
import Simulation
import Synchronization
import Testing
import Vocabulary

/// A hub that lies to one of its devices: each kind of lie raises its alarm, at or before the next message or receipt, and shows nothing false.
/// The core is the real one; what it says is changed on the way.
@Suite struct LyingHubTests {
    /// Three who have written to each other, and what was to be done is done.
    private func quiet(seed: UInt64, users: Int = 3) throws -> GroupFlow {
        var flow = try GroupFlow(users: users, nodes: 2, seed: seed)
        flow.send(by: 0)
        flow.send(by: 2)
        _ = try flow.settle(staying: Array(0..<users), within: .seconds(60))
        try flow.world.run(for: .seconds(30))
        return flow
    }

    private func listen(_ flow: inout GroupFlow, _ liar: Liar) {
        let devices = flow.devices
        flow.world.lie = { liar.tell(devices[$0], $1) }
    }

    /// Two members write in turns while the hub lies to the third, who then writes as well.
    /// - Parameter commits: whether the first event that is lied about is a commit.
    private func run(_ lie: Liar.Lie, seed: UInt64, commits: Bool = false) throws -> (alarms: [[Alarm]], flow: GroupFlow) {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: seed)
        flow.send(by: 0)
        flow.send(by: 2)
        _ = try flow.settle(staying: [0, 1, 2], within: .seconds(60))
        try flow.world.run(for: .seconds(30))
        listen(&flow, Liar(lie, in: flow.id, after: (flow.head(at: 0), flow.chain(at: 0)), to: flow.isOne(of: [1])))
        if commits {
            flow.wish(.rename(flow.id, "renamed"), by: 0)
            try flow.world.run(for: .seconds(1))
        }
        for round in 0..<4 {
            flow.send(by: round % 2 * 2)
            try flow.world.run(for: .seconds(1))
        }
        flow.send(by: 1)
        try flow.world.run(for: .seconds(30))
        let texts = flow.texts(at: 1)
        #expect(Set(texts).count == texts.count, "nothing is shown twice")
        return ((0..<3).map { flow.alarms(at: $0) }, flow)
    }

    @Test func `an honest hub raises none`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 800)
        for index in 0..<3 { flow.send(by: index) }
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(60)))
        #expect(flow.users.allSatisfy { flow.world.alarms($0) == 0 })
    }

    @Test(arguments: [true, false]) func `a record that a lying home made all nodes take is none for a client`(handle: Bool) throws {
        var flow = try Flow(nodes: 2, seed: 811)
        #expect(try flow.join())
        // As the world makes them.
        var random = SeededGenerator(seed: 811)
        let keys = (0..<2).map { _ in SigningKey(using: &random) }
        let bob = flow.world.profile(flow.users[1]).account
        let truth = try UserRecord(decoding: try #require(bob.record).body)
        #expect(NodeID(raw: keys[1].publicKey) == truth.home)
        let entry = truth.devices[0]
        let foreign = keys[1].sign(DeviceCertificate.body(user: truth.user, device: entry.device), for: .deviceCertificate)
        let made = UserRecord(
            federation: truth.federation, user: truth.user, handle: truth.handle, issuer: truth.issuer,
            handleCertificate: handle ? foreign : truth.handleCertificate, home: truth.home,
            devices: [DeviceEntry(device: entry.device, certificate: handle ? entry.certificate : foreign, extensions: [])],
            version: truth.version, previous: truth.previous, published: truth.published)
        let body = made.encoded()
        let signed = SignedUserRecord(
            body: body, userSignature: bob.identity.sign(body, for: .userRecord), homeSignature: keys[1].sign(body, for: .homeConsent))
        #expect(throws: Never.self) { try signed.verified(in: truth.federation, checking: .binding) }
        flow.world.lie = { _, frame in
            guard case .found(let request, let record, let address) = frame, record.body == bob.record?.body else { return [frame] }
            return [.found(request, signed, address: address)]
        }
        let wasSent = flow.send(from: flow.users[0], to: flow.users[1])
        #expect(wasSent)
        try flow.world.run(for: .seconds(20))
        #expect(flow.world.heard(flow.users[0]).contains { if case .note(.badRecord) = $0 { true } else { false } })
        #expect(flow.world.history(flow.users[1]).isEmpty)
    }

    @Test func `a dropped message is noticed at the next one`() throws {
        let (alarms, _) = try run(.drop, seed: 801)
        #expect(alarms[1] == [.forkedHistory], "\(alarms)")
    }

    @Test(arguments: [Liar.Lie.drop, .gap, .silence]) func `a commit that is held back is noticed`(lie: Liar.Lie) throws {
        let (alarms, _) = try run(lie, seed: 808, commits: true)
        #expect(alarms[1].first == (lie == .drop ? .forkedHistory : .gap), "\(alarms)")
    }

    @Test func `swapped messages are noticed`() throws {
        let (alarms, _) = try run(.swap, seed: 802)
        #expect(alarms[1] == [.forkedHistory], "\(alarms)")
    }

    @Test func `a repeated message is noticed and not shown again`() throws {
        let (alarms, _) = try run(.repeat, seed: 803)
        #expect(alarms[1].first == .repeated, "\(alarms)")
    }

    @Test func `an altered message is noticed and not shown`() throws {
        let (alarms, _) = try run(.altered, seed: 804)
        #expect(alarms[1].contains(.chainBroken), "\(alarms)")
    }

    @Test func `a message under another's name is noticed and not shown`() throws {
        let (alarms, _) = try run(.foreignSender, seed: 805)
        #expect(!alarms[1].isEmpty, "\(alarms)")
    }

    @Test func `a message that is held back is noticed and asked for`() throws {
        let (alarms, flow) = try run(.gap, seed: 806)
        #expect(alarms[1].contains(.gap), "\(alarms)")
        #expect(flow.world.heard(flow.users[1]).contains { if case .hole = $0 { true } else { false } })
    }

    /// The hub has the last word: whoever is out can ask for nothing any more.
    @Test(arguments: [false, true]) func `what is kept from a member who is put out then is noticed, also in another session`(
        isAway: Bool
    ) throws {
        var flow = try quiet(seed: 65)
        listen(&flow, Liar(.gap, in: flow.id, after: (flow.head(at: 0), flow.chain(at: 0)), to: flow.isOne(of: [1])))
        let (victim, address) = (flow.users[1], try #require(flow.address(1)))
        flow.send(by: 0)
        try flow.world.run(for: .seconds(1))
        flow.send(by: 2)
        if isAway {
            try flow.world.run(for: .seconds(1))
            #expect(flow.world.lacks(flow.id, at: victim))
            flow.world.kill(device: victim, for: .seconds(10))
        }
        flow.wish(.remove(flow.id, [address]), by: 0)
        try flow.world.run(for: .minutes(2))
        #expect(flow.alarms(at: 1) == [.gap])
        #expect(flow.world.profile(victim).conversations[flow.id]?.standing == .removed)
        #expect(!flow.world.lacks(flow.id, at: victim))
        #expect([0, 2].allSatisfy { flow.alarms(at: $0).isEmpty })
    }

    @Test func `a forged receipt is noticed and counts for nothing`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 807)
        listen(&flow, Liar(.forgedReceipt, in: flow.id, after: (1, .zero), to: flow.isOne(of: [0])))
        flow.world.setReading(false, device: flow.users[1])
        flow.world.setReading(false, device: flow.users[2])
        flow.send(by: 0)
        try flow.world.run(for: .seconds(10))
        #expect(flow.world.profile(flow.users[0]).alarms.contains { $0.alarm == .forgedReceipt })
        #expect(flow.sent.allSatisfy { flow.world.state($0.message, at: flow.users[0]) == .accepted })
    }

    /// A message, and the commit by which a device comes back in.
    @Test(arguments: [false, true]) func `an acceptance that is kept from a device comes when it asks, though nobody says anything more`(
        isReturn: Bool
    ) throws {
        var flow = try quiet(seed: 64)
        let (victim, old) = (flow.users[1], flow.world.profile(flow.users[1]))
        if isReturn {
            // What is taken since makes the copy an old one.
            flow.send(by: 0)
            try flow.world.run(for: .minutes(1))
        }
        let isKept = Mutex(false)
        flow.world.lie = { device, frame in
            guard device == victim, case .entry(_, .accepted) = frame else { return [frame] }
            isKept.withLock { $0 = true }
            return []
        }
        if isReturn { flow.world.restore(old, device: victim) } else { flow.send(by: 1) }
        try flow.world.run(for: .seconds(10))
        #expect(isKept.withLock { $0 })
        flow.world.lie = nil
        if isReturn { #expect(flow.world.profile(victim).conversations[flow.id]?.isStale == true) }
        try flow.world.run(for: .minutes(4))
        #expect(flow.world.profile(victim).conversations[flow.id]?.isStale == false)
        #expect(flow.world.profile(victim).conversations[flow.id]?.committing == nil)
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(30)))
    }
}
