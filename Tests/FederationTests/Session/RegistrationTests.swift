import Cryptography
import Federation
import Testing
import Vocabulary

private let wall = Timestamp(milliseconds: 1_000_000_000)

/// A registrar with the rows it wrote.
private struct Office {
    var registrar = Registrar(invitations: [], reservations: [])
    var rows: [StoreTable: [[UInt8]: [UInt8]]] = [:]
    var random = SeededGenerator(seed: 2)

    mutating func perform(_ writes: [StoreWrite]) {
        for write in writes {
            switch write {
            case .put(let table, let key, let value): rows[table, default: [:]][key] = value
            case .remove(let table, let key): rows[table]?[key] = nil
            default: break
            }
        }
    }

    mutating func invite(uses: Int = 1, expires: Timestamp = wall + .days(1), at time: Timestamp = wall) throws -> [UInt8] {
        var writes: [StoreWrite] = []
        let secret = registrar.invite(uses: uses, expires: expires, at: time, using: &random, writes: &writes)
        perform(writes)
        return try #require(secret)
    }

    mutating func hasNoRoom(at time: Timestamp) -> Bool {
        var writes: [StoreWrite] = []
        return registrar.invite(uses: 1, expires: time + .days(1), at: time, using: &random, writes: &writes) == nil && writes.isEmpty
    }

    mutating func register(
        _ handle: String, _ user: UInt8, _ secret: [UInt8], holder: UserID? = nil, at time: Timestamp = wall
    ) throws -> Refusal.Code? {
        var writes: [StoreWrite] = []
        let refusal = registrar.register(
            secret: secret, user: Self.user(user), handle: try Handle(handle), holder: holder, wall: time, writes: &writes)
        perform(writes)
        return refusal?.code
    }

    mutating func restart() {
        func all(_ table: StoreTable) -> [(key: [UInt8], value: [UInt8])] { (rows[table] ?? [:]).map { (key: $0.key, value: $0.value) } }
        registrar = Registrar(invitations: all(.invitation), reservations: all(.reservation))
    }

    static func user(_ number: UInt8) -> UserID { UserID(raw: Bytes32([UInt8](repeating: number, count: 32)) ?? .zero) }
}

@Suite struct RegistrarTests {
    @Test func `an invitation that was never made is refused`() throws {
        var office = Office()
        _ = try office.invite()
        try #expect(office.register("alice", 1, [1, 2, 3]) == .invitationInvalid)
        try #expect(office.register("alice", 1, []) == .invitationInvalid)
    }

    @Test func `an invitation is good for so many uses`() throws {
        var office = Office()
        let secret = try office.invite(uses: 2)
        try #expect(office.register("alice", 1, secret) == nil)
        try #expect(office.register("bob", 2, secret) == nil)
        try #expect(office.register("carol", 3, secret) == .invitationUsed)
    }

    @Test func `a clock that is years ahead for a moment takes no invitation for good`() throws {
        var office = Office()
        let secret = try office.invite()
        let late = wall + .days(400)
        try #expect(office.register("alice", 1, secret, at: late) == .invitationExpired)
        _ = try office.invite(expires: late + .days(1), at: late)
        office.restart()
        try #expect(office.register("alice", 1, secret) == nil)
    }

    @Test func `among too many invitations one that expired a month ago makes room for one, the first of them`() throws {
        var office = Office()
        let first = try office.invite(expires: wall + .hours(1))
        let second = try office.invite(expires: wall + .hours(2))
        for _ in 2..<Registrar.invitationsMax { _ = try office.invite() }
        let (early, soon) = (office.hasNoRoom(at: wall), office.hasNoRoom(at: wall + .days(30)))
        #expect(early && soon)
        _ = try office.invite(at: wall + .days(31))
        #expect(office.rows[.invitation]?.count == Registrar.invitationsMax)
        try #expect(office.register("alice", 1, first) == .invitationInvalid)
        try #expect(office.register("alice", 1, second) == nil)
    }

    @Test func `the same request again is answered alike and takes no second use`() throws {
        var office = Office()
        let secret = try office.invite()
        for _ in 0..<3 { try #expect(office.register("alice", 1, secret) == nil) }
        office.restart()
        try #expect(office.register("alice", 1, secret) == nil)
        try #expect(office.registrar.isReserved(Handle("alice"), for: Office.user(1)))
        try #expect(!office.registrar.isReserved(Handle("alice"), for: Office.user(2)))
    }

    @Test func `a handle that is reserved or held by somebody else is taken, and costs no use`() throws {
        var office = Office()
        let secret = try office.invite(uses: 2)
        try #expect(office.register("alice", 1, secret) == nil)
        try #expect(office.register("alice", 2, secret) == .handleTaken)
        try #expect(office.register("bob", 2, secret, holder: Office.user(9)) == .handleTaken)
        try #expect(office.register("carol", 3, secret) == nil)
    }

    @Test func `the holder of a handle is answered alike and uses nothing`() throws {
        var office = Office()
        let secret = try office.invite()
        try #expect(office.register("alice", 1, secret) == nil)
        var writes: [StoreWrite] = []
        office.registrar.complete(try Handle("alice"), of: Office.user(1), writes: &writes)
        office.perform(writes)
        try #expect(office.register("alice", 1, secret, holder: Office.user(1)) == nil)
        #expect(office.rows[.reservation]?.isEmpty == true)
    }

    @Test func `a user gets no second handle, whether or not the first was published`() throws {
        var office = Office()
        let secret = try office.invite(uses: 9)
        try #expect(office.register("alice", 1, secret) == nil)
        try #expect(office.register("malice", 1, secret) == .handleTaken)
        office.restart()
        try #expect(office.register("malice", 1, secret) == .handleTaken)
        try #expect(office.register("malice", 2, secret) == nil, "it was not given")
    }

    @Test func `a handle that its user has left for another stays that user's`() throws {
        var office = Office()
        let secret = try office.invite(uses: 9)
        // One that was registered before this was kept, and then published under another name.
        for _ in 0..<2 { office.perform(office.registrar.keep(try Handle("alice"), for: Office.user(1))) }
        office.restart()
        try #expect(office.register("alice", 2, secret) == .handleTaken)
        try #expect(office.register("malice", 1, secret) == .handleTaken)
        try #expect(office.register("alice", 1, secret) == nil)
        try #expect(office.register("alice", 1, [1, 2, 3]) == .invitationInvalid)
    }

    @Test func `who reads the disk finds no secret`() throws {
        var office = Office()
        let secret = try office.invite()
        #expect(office.rows[.invitation]?.keys.contains(secret) == false && office.rows[.invitation]?.count == 1)
    }
}

@Suite struct RegistrationTests {
    private func invitation(_ relay: inout Relay, uses: Int = 1) throws -> [UInt8] {
        for case .answer(_, .success(.invitation(let text))) in try relay.step(
            .admin(RequestID(1), .createInvitation(uses: uses, expires: relay.wall + .days(1))))
        {
            return try #require(InvitationLink(text)).secret
        }
        return []
    }

    private func greet(_ relay: inout Relay, _ session: UInt64) throws {
        try relay.step(
            .sessionOpened(SessionID(session)), .sessionFrame(SessionID(session), .hello(versions: .current, nonce: Relay.nonce)))
    }

    private func newcomer(_ name: String) throws -> (Person, SignedUserRecord) {
        var random = SeededGenerator(seed: 5)
        let person = try Person(name, at: Coast.site(0), using: &random)
        let full = try person.record(federation: Coast.fixture.federation)
        return (person, SignedUserRecord(body: full.body, userSignature: full.userSignature, homeSignature: nil))
    }

    private func register(_ person: Person, _ secret: [UInt8]) -> ClientFrame {
        .register(RequestID(1), secret: secret, user: person.id, handle: person.handle)
    }

    @Test func `an invited user registers, publishes and signs in, all in one session`() throws {
        var relay = try Coast(nodes: 1).relay(0)
        let secret = try invitation(&relay)
        let (person, record) = try newcomer("alice")
        let effects = try relay.step(
            .sessionOpened(SessionID(1)), .sessionFrame(SessionID(1), .hello(versions: .current, nonce: Relay.nonce)))
        let nonce = try #require(effects.nonce(to: SessionID(1)))
        guard
            case .granted(_, _, let issuer, _, let certificate)? = try relay.step(.sessionFrame(SessionID(1), register(person, secret)))
                .frames(to: 1).first
        else { return #expect(Bool(false), "not granted") }
        let body = HandleCertificate.body(federation: Coast.fixture.federation, handle: person.handle, user: person.id)
        #expect(issuer == relay.id && certificate.isValid(over: body, for: .handleCertificate, by: issuer))
        for _ in 0..<2 {
            let published = try relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), record))).frames(to: 1)
            guard case .published(_, let complete)? = published.first else { return #expect(Bool(false), "not published") }
            #expect(throws: Never.self) { try complete.verified(in: Coast.fixture.federation, checking: .all) }
        }
        let proof = person.proof(node: relay.id, nodeNonce: nonce)
        try #expect(
            relay.step(.sessionFrame(SessionID(1), .authenticate(proof))).frames(to: 1).first == .ready(waiting: 0, order: 0, restored: 0))
        try relay.restart()
        try #expect(relay.signIn(person, as: 2).frames(to: 2).contains(.ready(waiting: 0, order: 0, restored: 0)))
    }

    /// Its store may be from before.
    @Test func `a record that this node has signed is taken back from whoever shows it`() throws {
        var relay = try Coast(nodes: 1).relay(0)
        let (person, bare) = try newcomer("alice")
        let full = try person.record(federation: Coast.fixture.federation)
        let forged = SignedUserRecord(body: full.body, userSignature: full.userSignature, homeSignature: full.userSignature)
        try greet(&relay, 1)
        for record in [bare, forged] {
            try #expect(relay.step(.sessionFrame(SessionID(1), .publish(RequestID(1), record))).refusals(to: 1) == [.recordInvalid])
        }
        let frames = try relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), full))).frames(to: 1)
        #expect(frames == [.published(RequestID(2), full)])
        try #expect(relay.signIn(person, as: 2).frames(to: 2).contains(.ready(waiting: 0, order: 0, restored: 0)))
    }

    @Test func `a record that this node has signed is taken back although its handle was given to somebody else meanwhile`() throws {
        var coast = Coast(nodes: 1)
        // The store is from before the first of the two registered.
        let (person, _) = try newcomer("alice")
        let second = try coast.person("alice", at: 0)
        var relay = try coast.relay(0)
        let full = try person.record(federation: coast.federation)
        try greet(&relay, 1)
        let frames = try relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), full))).frames(to: 1)
        #expect(frames == [.published(RequestID(2), full)])
        for (session, user) in [(UInt64(2), person), (3, second)] {
            try #expect(relay.signIn(user, as: session).frames(to: session).contains(.ready(waiting: 0, order: 0, restored: 0)))
            let next = try user.record(version: 2, after: user.record(federation: coast.federation), federation: coast.federation)
            try #expect(relay.step(.sessionFrame(SessionID(session), .publish(RequestID(3), next))).refusals(to: session).isEmpty)
        }
    }

    /// A client keeps what it was granted and not the secret: it cannot register anew.
    @Test func `a registration that was cut off goes on in the next session, also after the node's crash`() throws {
        var relay = try Coast(nodes: 1).relay(0)
        let secret = try invitation(&relay)
        let (person, record) = try newcomer("alice")
        try greet(&relay, 1)
        try #expect(relay.step(.sessionFrame(SessionID(1), register(person, secret))).frames(to: 1).count == 1)
        try relay.restart()
        for session in UInt64(2)...3 {
            try greet(&relay, session)
            let frames = try relay.step(.sessionFrame(SessionID(session), .publish(RequestID(2), record))).frames(to: session)
            guard case .published(_, let complete)? = frames.first else { return #expect(Bool(false), "not published: \(frames)") }
            #expect(throws: Never.self) { try complete.verified(in: Coast.fixture.federation, checking: .all) }
        }
        // A later record is for a session of its user's.
        let full = try person.record(version: 2, after: record, federation: Coast.fixture.federation)
        let next = SignedUserRecord(body: full.body, userSignature: full.userSignature, homeSignature: nil)
        try #expect(relay.step(.sessionFrame(SessionID(3), .publish(RequestID(2), next))).refusals(to: 3) == [.recordInvalid])
        try #expect(relay.signIn(person, as: 4).frames(to: 4).contains(.ready(waiting: 0, order: 0, restored: 0)))
    }

    @Test func `a first record without a reservation is refused`() throws {
        var relay = try Coast(nodes: 1).relay(0)
        let secret = try invitation(&relay)
        let (person, record) = try newcomer("alice")
        try greet(&relay, 1)
        try #expect(relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), record))).refusals(to: 1) == [.recordInvalid])
        // A reservation for another handle is none for this.
        let other = ClientFrame.register(RequestID(1), secret: secret, user: person.id, handle: try Handle("other"))
        try relay.step(.sessionFrame(SessionID(1), other))
        try #expect(relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), record))).refusals(to: 1) == [.recordInvalid])
    }

    @Test func `a session publishes for its own user alone, and only valid records of this home`() throws {
        var relay = try Coast(nodes: 2).relay(0)
        let secret = try invitation(&relay, uses: 9)
        let (person, record) = try newcomer("alice")
        var random = SeededGenerator(seed: 6)
        let other = try Person("bob", at: Coast.site(0), using: &random)
        try greet(&relay, 1)
        try relay.step(.sessionFrame(SessionID(1), register(person, secret)))
        func publish(_ record: SignedUserRecord, _ relay: inout Relay) throws -> [Refusal.Code] {
            try relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), record))).refusals(to: 1)
        }
        try #expect(publish(other.record(federation: Coast.fixture.federation), &relay) == [.recordInvalid])
        try #expect(publish(person.record(), &relay) == [.recordInvalid], "of another federation")
        try #expect(publish(person.record(home: Coast.site(1), federation: Coast.fixture.federation), &relay) == [.recordInvalid])
        let forged = SignedUserRecord(body: record.body, userSignature: other.key.sign(record.body, for: .userRecord), homeSignature: nil)
        try #expect(publish(forged, &relay) == [.recordInvalid])
        let named = try person.record(federation: Coast.fixture.federation, certifiedBy: other.key)
        try #expect(publish(named, &relay) == [.recordInvalid], "a handle that nobody issued")
        let foreign = try person.record(federation: Coast.fixture.federation, deviceCertifiedBy: other.key)
        try #expect(publish(foreign, &relay) == [.recordInvalid], "a device that is not the user's")
        try #expect(publish(record, &relay) == [])
    }

    @Test func `who publishes version after version is slowed down, and only he`() throws {
        var coast = Coast(nodes: 1)
        let (alice, bob) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0))
        var relay = try coast.relay(0)
        try relay.signIn(alice, as: 1)
        try relay.signIn(bob, as: 2)
        func publish(_ record: SignedUserRecord, in session: UInt64) throws -> [Refusal.Code] {
            try relay.step(.sessionFrame(SessionID(session), .publish(RequestID(2), record))).refusals(to: session)
        }
        var last = try alice.record(federation: coast.federation)
        var refusals: [Refusal.Code] = []
        for version in 2...UInt64(Limits.publicationBurst) + 2 {
            let next = try alice.record(version: version, after: last, federation: coast.federation)
            refusals += try publish(next, in: 1)
            if refusals.isEmpty { last = next }
        }
        #expect(refusals == [.rateLimited])
        let first = try bob.record(version: 2, after: bob.record(federation: coast.federation), federation: coast.federation)
        try #expect(publish(first, in: 2).isEmpty)
        relay.now = relay.now + .seconds(1 / Limits.publicationsPerSecond)
        let next = try alice.record(version: UInt64(Limits.publicationBurst) + 2, after: last, federation: coast.federation)
        try #expect(publish(next, in: 1).isEmpty)
    }

    @Test func `a record that does not follow the last is stale, and the next one is taken`() throws {
        var coast = Coast(nodes: 1)
        let alice = try coast.person("alice", at: 0)
        var relay = try coast.relay(0)
        try relay.signIn(alice, as: 1)
        let first = try alice.record(federation: coast.federation)
        let other = try alice.record(published: 5, federation: coast.federation)
        try #expect(relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), other))).refusals(to: 1) == [.recordStale])
        let astray = try alice.record(version: 2, after: other, federation: coast.federation)
        try #expect(relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), astray))).refusals(to: 1) == [.recordStale])
        let skipped = try alice.record(version: 3, after: first, federation: coast.federation)
        try #expect(relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), skipped))).refusals(to: 1) == [.recordStale])
        let next = try alice.record(version: 2, after: first, federation: coast.federation)
        try #expect(relay.step(.sessionFrame(SessionID(1), .publish(RequestID(3), next))).frames(to: 1) == [.published(RequestID(3), next)])
        try #expect(relay.step(.sessionFrame(SessionID(1), .publish(RequestID(4), first))).refusals(to: 1) == [.recordStale])
    }

    @Test func `a device that leaves its user's record is shut out, and what was kept for it is gone`() throws {
        var coast = Coast(nodes: 1)
        let alice = try coast.person("alice", at: 0)
        var relay = try coast.relay(0)
        try relay.signIn(alice, as: 1)
        try relay.step(.sessionFrame(SessionID(1), .publishKeyPackages(RequestID(1), alice.supply(0..<2))))
        try relay.step(
            .sessionFrame(
                SessionID(1),
                .submit(
                    Submission(
                        message: .numbered(1), conversation: .numbered(1), hub: relay.id, kind: .application(epoch: 1, payload: [1]),
                        order: 7))))
        let first = try alice.record(federation: coast.federation)
        let known = try UserRecord(decoding: first.body)
        var random = SeededGenerator(seed: 8)
        let device = DeviceID(raw: SigningKey(using: &random).publicKey)
        let certificate = alice.key.sign(DeviceCertificate.body(user: alice.id, device: device), for: .deviceCertificate)
        let next = UserRecord(
            federation: known.federation, user: known.user, handle: known.handle, issuer: known.issuer,
            handleCertificate: known.handleCertificate,
            home: known.home,
            devices: [DeviceEntry(device: device, certificate: certificate, extensions: [])], version: 2, previous: first.digest,
            published: known.published)
        let signed = SignedUserRecord(
            body: next.encoded(), userSignature: alice.key.sign(next.encoded(), for: .userRecord), homeSignature: nil)
        let effects = try relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), signed)))
        #expect(effects.refusals(to: 1).isEmpty && effects.closing(1) == .authenticationFailed)
        try #expect(relay.store.value(.keyPackages, key: alice.deviceID.bytes) == nil)
        try #expect(relay.store.value(.submissionOrder, key: alice.deviceID.bytes) == nil)
        try #expect(relay.signIn(alice, as: 2).closing(2) == .authenticationFailed)
    }

    @Test func `a record that lists another user's device is refused, and nothing of that user's changes`() throws {
        var coast = Coast(nodes: 1)
        let (alice, mallory) = (try coast.person("alice", at: 0), try coast.person("mallory", at: 0))
        var relay = try coast.relay(0)
        try relay.signIn(alice, as: 1)
        try relay.signIn(mallory, as: 2)
        try relay.step(.sessionFrame(SessionID(1), .publishKeyPackages(RequestID(1), alice.supply(0..<2))))
        let first = try mallory.record(federation: coast.federation)
        let next = try mallory.record(listing: [mallory.deviceID, alice.deviceID], version: 2, after: first)
        try #expect(relay.step(.sessionFrame(SessionID(2), .publish(RequestID(2), next))).refusals(to: 2) == [.recordInvalid])
        let secret = try invitation(&relay)
        let (eve, _) = try newcomer("eve")
        try greet(&relay, 3)
        try relay.step(.sessionFrame(SessionID(3), register(eve, secret)))
        let start = try eve.record(listing: [alice.deviceID])
        try #expect(relay.step(.sessionFrame(SessionID(3), .publish(RequestID(2), start))).refusals(to: 3) == [.recordInvalid])
        #expect(relay.core.openSessions.contains(SessionID(1)) && relay.core.user(ofLocal: alice.deviceID) == alice.id)
        try #expect(relay.store.value(.keyPackages, key: alice.deviceID.bytes) != nil)
    }

    /// As an earlier version took it, or as a record comes back to a node that was restored.
    @Test func `a device that several users list is of the one who signed in with it, and the others can take nothing of it`() throws {
        var coast = Coast(nodes: 1)
        let alice = try coast.person("alice", at: 0)
        let others = try ["eve", "mallory", "mort"].map { try coast.person($0, at: 0) }
        var relay = try coast.relay(0)
        var listed: [SignedUserRecord] = []
        for other in others {
            let first = try other.record(federation: coast.federation)
            listed.append(try other.record(listing: [other.deviceID, alice.deviceID], version: 2, after: first))
        }
        try relay.store.commit(zip(others, listed).map { .put(.userRecord, key: $0.id.bytes, value: $1.encoded()) })
        try relay.restart()
        try relay.signIn(alice, as: 1)
        try relay.step(.sessionFrame(SessionID(1), .publishKeyPackages(RequestID(1), alice.supply(0..<2))))
        try relay.submit(.say("hello", 1, hub: relay.id).numbered(7), in: 1)
        #expect(relay.core.user(ofLocal: alice.deviceID) == alice.id)
        // Without it.
        let (mort, before) = (others[2], listed[2])
        try relay.signIn(mort, as: 2)
        let without = try mort.record(listing: [mort.deviceID], version: 3, after: before)
        let effects = try relay.step(.sessionFrame(SessionID(2), .publish(RequestID(2), without)))
        #expect(effects.refusals(to: 2).isEmpty && effects.closing(1) == nil)
        try #expect(relay.store.value(.keyPackages, key: alice.deviceID.bytes) != nil)
        try #expect(relay.store.value(.submissionOrder, key: alice.deviceID.bytes) != nil)
        try relay.restart()
        #expect(relay.core.user(ofLocal: alice.deviceID) == alice.id)
        // It is shut out by its own user, whoever lists it.
        try relay.signIn(alice, as: 1)
        var random = SeededGenerator(seed: 8)
        let fresh = DeviceID(raw: SigningKey(using: &random).publicKey)
        let gone = try alice.record(listing: [fresh], version: 2, after: alice.record(federation: coast.federation))
        try #expect(relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), gone))).closing(1) == .authenticationFailed)
        try #expect(relay.store.value(.keyPackages, key: alice.deviceID.bytes) == nil)
        #expect(relay.core.user(ofLocal: alice.deviceID) == nil)
    }

    @Test func `a user who has a handle gets no other`() throws {
        var coast = Coast(nodes: 1)
        let alice = try coast.person("alice", at: 0)
        var relay = try coast.relay(0)
        let secret = try invitation(&relay)
        try greet(&relay, 1)
        let other = ClientFrame.register(RequestID(1), secret: secret, user: alice.id, handle: try Handle("other"))
        try #expect(relay.step(.sessionFrame(SessionID(1), other)).refusals(to: 1) == [.handleTaken])
    }

    @Test func `who registers gets one handle, and asking again the same`() throws {
        var relay = try Coast(nodes: 1).relay(0)
        let secret = try invitation(&relay, uses: 9)
        let (person, record) = try newcomer("alice")
        try greet(&relay, 1)
        func ask(_ handle: String, by user: UserID) throws -> [Refusal.Code] {
            let frame = ClientFrame.register(RequestID(1), secret: secret, user: user, handle: try Handle(handle))
            return try relay.step(.sessionFrame(SessionID(1), frame)).refusals(to: 1)
        }
        try #expect(ask("alice", by: person.id).isEmpty)
        try #expect(ask("malice", by: person.id) == [.handleTaken])
        // Whoever has a certificate may publish it at any time.
        try relay.wait(.hours(2))
        try relay.restart()
        try greet(&relay, 1)
        try #expect(ask("alice", by: UserID(raw: .zero)) == [.handleTaken])
        try #expect(ask("alice", by: person.id).isEmpty)
        try #expect(relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), record))).refusals(to: 1).isEmpty)
        try #expect(ask("malice", by: person.id) == [.handleTaken])
        try #expect(ask("alice", by: person.id).isEmpty)
        try #expect(relay.store.values(.reservation).isEmpty, "the directory knows")
    }

    @Test func `a user of this node keeps handle and issuer from version to version`() throws {
        var coast = Coast(nodes: 2)
        let alice = try coast.person("alice", at: 0)
        var relay = try coast.relay(0)
        try relay.signIn(alice, as: 1)
        let first = try alice.record(federation: coast.federation)
        for (handle, issuer) in [("malice", 0), ("alice", 1)] {
            // With a certificate that holds.
            let other = Person(key: alice.key, device: alice.device, handle: try Handle(handle), issuer: Coast.site(issuer))
            let next = try other.record(version: 2, after: first, home: Coast.site(0), federation: coast.federation)
            try #expect(relay.step(.sessionFrame(SessionID(1), .publish(RequestID(2), next))).refusals(to: 1) == [.recordInvalid])
        }
        let next = try alice.record(version: 2, after: first, federation: coast.federation)
        try #expect(relay.step(.sessionFrame(SessionID(1), .publish(RequestID(3), next))).refusals(to: 1).isEmpty)
    }

    @Test(arguments: [false, true])
    func `a handle given once is given to nobody else, whatever its user publishes elsewhere`(isCheating: Bool) throws {
        var coast = Coast(nodes: 2)
        let alice = try coast.person("alice", at: 0)
        var relay = try coast.relay(0)
        let secret = try invitation(&relay, uses: 9)
        let first = try alice.record(federation: coast.federation)
        let other = Person(key: alice.key, device: alice.device, handle: try Handle("malice"), issuer: Coast.site(1))
        let next =
            isCheating
            ? try alice.record(published: 5, federation: coast.federation)
            : try other.record(version: 2, after: first, federation: coast.federation)
        try relay.link(1, to: Coast.id(1))
        try relay.step(.linkFrame(LinkID(1), .records([next])))
        try #expect(relay.store.values(.reservation).map(\.key) == [Array("alice".utf8)])
        for session in UInt64(1)...2 {
            try greet(&relay, session)
            let taker = ClientFrame.register(RequestID(1), secret: secret, user: UserID(raw: .zero), handle: alice.handle)
            try #expect(relay.step(.sessionFrame(SessionID(session), taker)).refusals(to: session) == [.handleTaken])
            try relay.restart()
        }
    }

    @Test func `a node whose disk is nearly full registers nobody`() throws {
        var relay = try Coast(nodes: 1).relay(0)
        let secret = try invitation(&relay)
        let (person, _) = try newcomer("alice")
        try relay.step(.spaceChanged(isLow: true))
        try greet(&relay, 1)
        try #expect(relay.step(.sessionFrame(SessionID(1), register(person, secret))).refusals(to: 1) == [.diskFull])
        try relay.step(.spaceChanged(isLow: false))
        try #expect(relay.step(.sessionFrame(SessionID(1), register(person, secret))).refusals(to: 1) == [])
    }
}

extension Person {
    /// Of its own home in the coast's federation, with these devices.
    fileprivate func record(
        listing devices: [DeviceID], version: UInt64 = 1, after previous: SignedUserRecord? = nil
    ) throws -> SignedUserRecord {
        let plain = try UserRecord(decoding: record(version: version, after: previous, federation: Coast.fixture.federation).body)
        let entries = devices.map {
            DeviceEntry(
                device: $0, certificate: key.sign(DeviceCertificate.body(user: id, device: $0), for: .deviceCertificate), extensions: [])
        }
        let body = UserRecord(
            federation: plain.federation, user: plain.user, handle: plain.handle, issuer: plain.issuer,
            handleCertificate: plain.handleCertificate, home: plain.home, devices: entries, version: version, previous: plain.previous,
            published: plain.published
        ).encoded()
        return SignedUserRecord(
            body: body, userSignature: key.sign(body, for: .userRecord), homeSignature: issuer.key.sign(body, for: .homeConsent))
    }
}

extension Submission {
    fileprivate func numbered(_ order: UInt64) -> Submission {
        Submission(message: message, conversation: conversation, hub: hub, kind: kind, timeToLive: timeToLive, order: order)
    }
}
