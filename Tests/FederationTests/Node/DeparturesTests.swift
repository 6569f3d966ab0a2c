import Cryptography
import Federation
import Simulation
import Testing
import Vocabulary

/// Devices that are of no user of this node any more: nothing is kept for who will never come.
@Suite struct DeparturesTests {
    private static let ann: UInt64 = 5, bob: UInt64 = 6

    /// Ann is in a conversation with bob, whose device does not acknowledge what it is sent.
    private struct Harbor {
        let federation: FederationID
        let ann, bob: Person
        var relay: Relay
        var message: UInt64 = 40

        init(others: Int = 0) throws {
            var coast = Coast(nodes: 2)
            (ann, bob) = (try coast.person("ann", at: 0), try coast.person("bob", at: 0))
            let more = try (0..<others).map { try coast.person("other-\($0)", at: 0) }
            federation = coast.federation
            relay = try coast.relay(0)
            try relay.link(1_000, to: Coast.id(1))
            try relay.signIn(ann, as: DeparturesTests.ann)
            try relay.signIn(bob, as: DeparturesTests.bob)
            try relay.step(.sessionFrame(SessionID(DeparturesTests.bob), .publishKeyPackages(RequestID(1), bob.supply(0..<2))))
            try relay.found(1, [ann, bob] + more, in: DeparturesTests.ann)
        }

        mutating func say() throws {
            message += 1
            let said = try relay.submit(.say("hello", message, hub: relay.id), in: DeparturesTests.ann)
            #expect(said.refusals(to: DeparturesTests.ann).isEmpty && said.acceptances(to: DeparturesTests.ann).count == 1)
        }

        func waiting() throws -> Int { try relay.store.outline(.device(bob.deviceID)).count }

        /// Bob with another device in this one's place.
        func successor() throws -> (record: SignedUserRecord, device: SigningKey) {
            var random = SeededGenerator(seed: 8)
            let device = SigningKey(using: &random)
            let other = Person(key: bob.key, device: device, handle: bob.handle, issuer: bob.issuer)
            let first = try bob.record(federation: federation)
            return (try other.record(version: 2, after: first, federation: federation), device)
        }
    }

    @Test func `what waits for a device goes when its user takes it out, and no more is kept for it though rosters name it`() throws {
        var harbor = try Harbor()
        for _ in 0..<3 { try harbor.say() }
        try #expect(harbor.waiting() > 3)
        let published = try harbor.relay.step(.sessionFrame(SessionID(Self.bob), .publish(RequestID(2), harbor.successor().record)))
        #expect(published.refusals(to: Self.bob).isEmpty && published.closing(Self.bob) == .authenticationFailed)
        try #expect(harbor.waiting() == 0)
        try harbor.say()
        try #expect(harbor.waiting() == 0)
        // The log has it for who may still come.
        #expect(harbor.relay.store.leftOvers.events >= 4)
    }

    @Test func `a device that is taken out while it is away leaves no log to read`() throws {
        var harbor = try Harbor(others: 2)
        harbor.relay.core.logReadersMin = 2
        try harbor.relay.step(.sessionClosed(SessionID(Self.bob)))
        try harbor.say()
        try #expect(harbor.relay.store.values(.logReader).contains { $0.key.suffix(32) == harbor.bob.deviceID.bytes[...] })
        let record = try harbor.successor().record
        // Another device of the user's would publish it; here a peer brings what it has heard, signed by the home.
        try harbor.relay.step(.linkFrame(LinkID(1_000), .records([record])))
        try harbor.say()
        try #expect(!harbor.relay.store.values(.logReader).contains { $0.key.suffix(32) == harbor.bob.deviceID.bytes[...] })
        try #expect(harbor.waiting() == 0)
    }

    @Test func `a user who goes to another home leaves nothing here`() throws {
        var harbor = try Harbor()
        try harbor.say()
        let first = try harbor.bob.record(federation: harbor.federation)
        let moved = try harbor.bob.record(version: 2, after: first, home: Coast.site(1), federation: harbor.federation)
        let effects = try harbor.relay.step(.linkFrame(LinkID(1_000), .records([moved])))
        #expect(effects.closing(Self.bob) == .notHome)
        try #expect(harbor.waiting() == 0)
        try #expect(harbor.relay.store.value(.keyPackages, key: harbor.bob.deviceID.bytes) == nil)
        // What comes from now on goes there.
        try harbor.say()
        try #expect(harbor.waiting() == 0 && harbor.relay.store.outline(.node(Coast.id(1))).count == 1)
    }

    @Test func `a node that starts drops what waits for nobody, and nothing else`() throws {
        var harbor = try Harbor()
        try harbor.say()
        let before = try harbor.waiting()
        let stranger = Destination.device(DeviceID(raw: Bytes32([UInt8](repeating: 8, count: 32)) ?? .zero))
        let last = try harbor.relay.store.highestPosition()
        try harbor.relay.store.commit([.enqueue(QueueEntry(position: last.next, destination: stranger, content: [1], event: nil))])
        try harbor.relay.restart()
        try #expect(harbor.relay.store.outline(stranger).isEmpty && harbor.waiting() == before)
    }

    @Test func `a device that another user of this node has too has not left`() throws {
        var world = try World(nodes: 1)
        let site = world.sites[0]
        let bob = try world.person("bob", at: site)
        let other = try Person(
            key: world.person("eve", at: site).key, device: bob.device, handle: Handle("eve"), issuer: site)
        let mine = try world.person("mine", at: site).device
        let (first, listing) = (try bob.record(), try other.record())
        for record in [first, listing] { world.step(site, .published(record)) }
        let without = try Person(key: other.key, device: mine, handle: other.handle, issuer: site).record(version: 2, after: listing)
        func left(_ effects: [DirectoryEffect]) -> [DeviceID] {
            effects.flatMap { if case .left(let devices, _) = $0 { devices } else { [DeviceID]() } }
        }
        #expect(left(world.step(site, .published(without))).isEmpty)
        let next = try Person(key: bob.key, device: mine, handle: bob.handle, issuer: site).record(version: 2, after: first)
        #expect(left(world.step(site, .published(next))) == [bob.deviceID])
    }
}
