import Cryptography
import Federation
import Testing
import Vocabulary

private struct Door {
    let alice, bob, away: Person
    var relay: Relay

    init() throws {
        var coast = Coast(nodes: 2)
        (alice, bob, away) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0), try coast.person("away", at: 1))
        relay = try coast.relay(0)
    }

    /// - Returns: the node's nonce.
    mutating func hello(_ session: UInt64, versions: VersionRange = .current) throws -> Bytes32? {
        try relay.step(
            .sessionOpened(SessionID(session)), .sessionFrame(SessionID(session), .hello(versions: versions, nonce: Relay.nonce))
        )
        .nonce(to: SessionID(session))
    }

    mutating func say(_ frame: ClientFrame, _ session: UInt64) throws -> [NodeEffect] {
        try relay.step(.sessionFrame(SessionID(session), frame))
    }
}

@Suite struct SessionTests {
    @Test func `the node proves its key over the client's nonce and the certificate it showed`() throws {
        var door = try Door()
        let frames = try door.relay.step(
            .sessionOpened(SessionID(1)), .sessionFrame(SessionID(1), .hello(versions: .current, nonce: Relay.nonce))
        ).frames(to: 1)
        guard case .welcome(let version, let node, let federation, let nonce, let hash, let signature)? = frames.first else {
            return #expect(Bool(false), "no welcome")
        }
        #expect(version == 1 && node == door.relay.id && federation == Coast.fixture.federation && hash == Relay.certificateHash)
        let proof = SessionProof.node(clientNonce: Relay.nonce, nodeNonce: nonce, certificateHash: hash)
        #expect(signature.isValid(over: proof, for: .nodeSession, by: node))
    }

    @Test func `a device that proves itself is told what waits, then that it has caught up`() throws {
        var door = try Door()
        let frames = try door.relay.signIn(door.alice, as: 1).frames(to: 1)
        #expect(frames == [.ready(waiting: 0, order: 0, restored: 0), .keyPackagesLeft(0), .caughtUp])
        try #expect(door.say(.ping(77), 1).frames(to: 1) == [.pong(77)])
    }

    @Test func `the highest common version is spoken, and without one the session ends`() throws {
        var door = try Door()
        try #expect(door.hello(1, versions: VersionRange(lowest: 0, highest: 9)) != nil)
        let effects = try door.relay.step(
            .sessionOpened(SessionID(2)),
            .sessionFrame(SessionID(2), .hello(versions: VersionRange(lowest: 2, highest: 9), nonce: Relay.nonce)))
        #expect(effects.closing(2) == .versionUnsupported)
        try #expect(door.say(.ping(1), 2).frames(to: 2).isEmpty, "a refused session is over")
    }

    @Test func `a proof over another nonce is refused`() throws {
        var door = try Door()
        let nonce = try #require(try door.hello(1))
        let wrong = door.alice.proof(node: door.relay.id, clientNonce: nonce, nodeNonce: nonce)
        try #expect(door.say(.authenticate(wrong), 1).closing(1) == .authenticationFailed)
    }

    @Test func `a proof that was made for another session is refused`() throws {
        var door = try Door()
        let first = try #require(try door.hello(1))
        let proof = door.alice.proof(node: door.relay.id, nodeNonce: first)
        try #expect(door.say(.authenticate(proof), 1).closing(1) == nil)
        let second = try #require(try door.hello(2))
        #expect(first != second)
        try #expect(door.say(.authenticate(proof), 2).closing(2) == .authenticationFailed)
    }

    @Test func `a proof for another node is refused: challenges cannot be passed on`() throws {
        var door = try Door()
        let nonce = try #require(try door.hello(1))
        let proof = door.alice.proof(node: Coast.id(1), nodeNonce: nonce)
        try #expect(door.say(.authenticate(proof), 1).closing(1) == .authenticationFailed)
    }

    @Test func `an unknown device, an unknown user and another user's device are refused alike`() throws {
        var door = try Door()
        var random = SeededGenerator(seed: 9)
        let stranger = try Person("eve", at: Coast.site(0), using: &random)
        var answers: Set<Refusal> = []
        for (session, person, user) in [(UInt64(1), stranger, stranger.id), (2, stranger, door.alice.id), (3, door.bob, door.alice.id)] {
            let nonce = try #require(try door.hello(session))
            let effects = try door.say(.authenticate(person.proof(node: door.relay.id, nodeNonce: nonce, user: user)), session)
            for case .closeSession(SessionID(session), let refusal?) in effects { answers.insert(refusal) }
        }
        #expect(answers.map(\.code) == [.authenticationFailed])
    }

    @Test func `a user of another home is told which`() throws {
        var door = try Door()
        let effects = try door.relay.signIn(door.away, as: 1)
        #expect(effects.closing(1) == .notHome)
        for case .closeSession(_, let refusal?) in effects { #expect(refusal.detail.contains(Coast.id(1).hex)) }
    }

    @Test func `a second session of a device takes the place of the first`() throws {
        var door = try Door()
        try door.relay.signIn(door.alice, as: 1)
        let second = try door.relay.signIn(door.alice, as: 2)
        #expect(second.closing(1) == .replacedByNewerSession && second.closing(2) == nil)
        // The older one's end comes late and takes nothing away.
        try door.relay.step(.sessionClosed(SessionID(1)))
        try door.relay.found(1, [door.alice], in: 2)
        try #expect(door.relay.submit(.say("x", 1, hub: door.relay.id, epoch: 0), in: 2).acceptances(to: 2).count == 1)
    }

    @Test func `a replaced session is not served any more`() throws {
        var door = try Door()
        try door.relay.signIn(door.alice, as: 1)
        try door.relay.signIn(door.alice, as: 2)
        let effects = try door.relay.found(1, [door.alice], in: 1)
        #expect(effects.frames(to: 1).isEmpty && effects.writes.isEmpty)
    }

    @Test func `frames at the wrong time end the session`() throws {
        var door = try Door()
        try door.relay.step(.sessionOpened(SessionID(1)))
        try #expect(door.say(.ping(1), 1).closing(1) == .badFrame)
        _ = try door.hello(2)
        try #expect(door.say(.hello(versions: .current, nonce: Relay.nonce), 2).closing(2) == .badFrame)
        _ = try door.hello(3)
        try #expect(door.relay.found(1, [door.alice], in: 3).closing(3) == .badFrame)
        try door.relay.signIn(door.alice, as: 4)
        let proof = door.alice.proof(node: door.relay.id, nodeNonce: Relay.nonce)
        try #expect(door.say(.authenticate(proof), 4).closing(4) == .badFrame)
    }

    @Test func `eight frames are taken before authentication and no more`() throws {
        var door = try Door()
        _ = try door.hello(1)
        for token in UInt64(2)...8 { try #expect(door.say(.ping(token), 1).frames(to: 1) == [.pong(token)]) }
        try #expect(door.say(.ping(9), 1).closing(1) == .authenticationFailed)
    }

    @Test func `a session that does not authenticate in time ends, and one that does stays`() throws {
        var door = try Door()
        _ = try door.hello(1)
        try door.relay.signIn(door.alice, as: 2)
        let effects = try door.relay.wait(.seconds(20))
        #expect(effects.closing(1) == .authenticationFailed && effects.closing(2) == nil)
    }

    @Test func `a session that is silent for two minutes ends, one that pings stays`() throws {
        var door = try Door()
        try door.relay.signIn(door.alice, as: 1)
        try door.relay.signIn(door.bob, as: 2)
        var effects: [NodeEffect] = []
        for _ in 0..<4 {
            effects += try door.relay.wait(.seconds(40))
            effects += try door.say(.ping(1), 2)
        }
        #expect(effects.closing(1) == .busy && effects.closing(2) == nil)
    }

    @Test func `messages over the rate are refused without ending the session, other requests end it`() throws {
        var door = try Door()
        try door.relay.signIn(door.alice, as: 1)
        let session = SessionID(1)
        let burst = Int(Limits.requestBurst)
        let pings = try door.relay.batch((0..<burst).map { .sessionFrame(session, .ping(UInt64($0))) })
        #expect(pings.frames(to: 1).count == burst)
        let over = try door.relay.found(1, [door.alice], in: 1)
        #expect(over.refusals(to: 1) == [.rateLimited] && over.closing(1) == nil)
        door.relay.now = door.relay.now + .seconds(1)
        try #expect(door.relay.found(1, [door.alice], in: 1).refusals(to: 1).isEmpty)
        let more = try door.relay.batch((0..<burst).map { .sessionFrame(session, .ping(UInt64($0))) })
        #expect(more.closing(1) == .rateLimited)
    }

    @Test func `there are as many sessions as there may be, and then busy`() {
        var random = SeededGenerator(seed: 1)
        var sessions = Sessions(key: SigningKey(using: &random), federation: Coast.fixture.federation, certificateHash: .zero)
        for index in 0..<UInt64(Limits.sessionsMax) { #expect(sessions.open(SessionID(index), at: .start) == nil) }
        #expect(sessions.open(SessionID(UInt64.max), at: .start)?.code == .busy)
        #expect(sessions.close(SessionID(0)) == nil && sessions.count == Limits.sessionsMax - 1)
        #expect(sessions.open(SessionID(UInt64.max), at: .start) == nil)
    }

    @Test func `a look-up by user or address finds the record, and the unknown is refused`() throws {
        var door = try Door()
        try door.relay.signIn(door.alice, as: 1)
        let found = try door.say(.lookup(RequestID(5), .user(door.bob.id)), 1).frames(to: 1)
        guard case .found(RequestID(5), let record, let address)? = found.first else { return #expect(Bool(false), "not found") }
        try #expect(record == door.bob.record(federation: Coast.fixture.federation))
        #expect(address.description == "bob@node0")
        try #expect(door.say(.lookup(RequestID(6), .address(address)), 1).frames(to: 1).count == 1)
        let nobody = UserID(raw: door.bob.deviceID.raw)
        try #expect(door.say(.lookup(RequestID(7), .user(nobody)), 1).refusals(to: 1) == [.unknownUser])
    }

    @Test func `a node that stops says so to everybody and takes nobody new`() throws {
        var door = try Door()
        try door.relay.signIn(door.alice, as: 1)
        try #expect(door.relay.step(.stopping).closing(1) == .shuttingDown)
        try #expect(door.relay.step(.sessionOpened(SessionID(2))).closing(2) == .shuttingDown)
    }
}
