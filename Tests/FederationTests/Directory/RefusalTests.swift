import Cryptography
import Federation
import Testing
import Vocabulary

/// What a valid node may send and nobody believes: neither stored nor passed on, and counted.
@Suite struct DirectoryRefusalTests {
    /// Harbor, with tower and island linked; what tower sends must not reach island.
    private func world() throws -> World {
        var world = try World(nodes: 3)
        world.link(world.sites[0], world.sites[1])
        world.link(world.sites[0], world.sites[2])
        world.settle()
        return world
    }

    private func expectRefused(_ records: [SignedUserRecord], as refusal: DirectoryRefusal, in world: inout World) {
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let before = (world.refusals(of: harbor, refusal), world[harbor].userCount)
        world.effects = [:]
        // One a frame: of many that do not hold in one frame only a few are looked at.
        for record in records {
            let effects = world.step(harbor, .frameReceived(.records([record]), from: tower.id))
            #expect(effects.contains(.note(.refused(refusal, from: tower.id))))
        }
        #expect(world.refusals(of: harbor, refusal) == before.0 + UInt64(records.count))
        #expect(world[harbor].userCount == before.1)
        #expect(world.isQuiet(harbor))
    }

    @Test func `forged and altered records`() throws {
        var world = try world()
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let bob = try world.person("bob", at: tower)
        let mallory = try world.person("mallory", at: tower)
        let good = try bob.record()
        var altered = good.body
        altered[altered.count - 1] ^= 1
        var forged: [SignedUserRecord] = []
        for place in stride(from: 2, to: good.body.count, by: 23) {
            var body = good.body
            body[place] ^= 0x40
            forged.append(SignedUserRecord(body: body, userSignature: good.userSignature, homeSignature: good.homeSignature))
        }
        forged.append(SignedUserRecord(body: good.body, userSignature: mallory.key.sign(good.body, for: .userRecord), homeSignature: nil))
        forged.append(SignedUserRecord(body: good.body, userSignature: good.userSignature, homeSignature: nil))
        forged.append(
            SignedUserRecord(
                body: good.body, userSignature: good.userSignature, homeSignature: harbor.key.sign(good.body, for: .homeConsent)))
        // A handle of harbor's, certified by tower.
        forged.append(try Person("alice", at: harbor, using: &world.random).record(home: tower, certifiedBy: tower.key))
        // A first record that names one before it.
        forged.append(try mallory.record(version: 1, after: good))
        forged.append(SignedUserRecord(body: [], userSignature: good.userSignature, homeSignature: nil))
        // An altered federation is another federation's record: refused under that name.
        let other = forged.filter { (try? UserRecord(decoding: $0.body))?.federation != World.federation && $0.body.count > 66 }
        let plain = forged.filter { !other.contains($0) || (try? UserRecord(decoding: $0.body)) == nil }
        expectRefused(plain, as: .forged, in: &world)
    }

    @Test func `what the home has signed with the whole record is not checked twice, what another node must have signed is`() throws {
        var world = try world()
        let (harbor, tower, island) = (world.sites[0], world.sites[1], world.sites[2])
        let bob = try world.person("bob", at: tower)
        let carol = try world.person("carol", at: tower)
        // Their home is the issuer and lies; no client takes these records.
        for record in [try bob.record(certifiedBy: harbor.key), try carol.record(deviceCertifiedBy: harbor.key)] {
            #expect(throws: UserRecordError.self) { try record.verified(in: World.federation, checking: .all) }
            world.step(harbor, .frameReceived(.records([record]), from: tower.id))
        }
        #expect(world[harbor].home(of: bob.id) == tower.id && world[harbor].home(of: carol.id) == tower.id)
        // A handle of the island's, at home with tower, who has certified it.
        let dave = try Person("dave", at: island, using: &world.random)
        expectRefused([try dave.record(home: tower, certifiedBy: tower.key)], as: .forged, in: &world)
        world.step(harbor, .frameReceived(.records([try dave.record(home: tower)]), from: tower.id))
        #expect(world[harbor].home(of: dave.id) == tower.id)
    }

    @Test func `a home takes of its users only records of which every signature holds`() throws {
        var world = try world()
        let harbor = world.sites[0]
        let bob = try world.person("bob", at: harbor)
        let mallory = try world.person("mallory", at: harbor)
        let good = try bob.record()
        let bad = [
            try bob.record(certifiedBy: mallory.key), try bob.record(deviceCertifiedBy: mallory.key),
            SignedUserRecord(
                body: good.body, userSignature: mallory.key.sign(good.body, for: .userRecord), homeSignature: good.homeSignature),
            SignedUserRecord(body: good.body, userSignature: good.userSignature, homeSignature: nil),
        ]
        for record in bad { #expect(world.step(harbor, .published(record)) == [.note(.refused(.forged, from: nil))]) }
        world.step(harbor, .published(good))
        #expect(world[harbor].signedRecord(of: bob.id) == good)
    }

    @Test func `of a frame full of records that do not hold a few are looked at`() throws {
        var world = try world()
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let records = try (0..<100).map { index in
            let good = try world.person("bob\(index)", at: tower).record()
            return SignedUserRecord(
                body: good.body, userSignature: tower.key.sign(good.body, for: .userRecord), homeSignature: good.homeSignature)
        }
        world.step(harbor, .frameReceived(.records(records), from: tower.id))
        #expect(world.refusals(of: harbor, .forged) == 8)
        // A good one in the next frame is taken as ever.
        world.step(harbor, .frameReceived(.records([try world.person("bob", at: tower).record()]), from: tower.id))
        #expect(world[harbor].userCount == 1)
    }

    @Test func `records of another federation`() throws {
        var world = try world()
        let bob = try world.person("bob", at: world.sites[1])
        let record = try bob.record(federation: FederationID(raw: .zero))
        expectRefused([record], as: .otherFederation, in: &world)
    }

    @Test func `records of strangers, until membership knows them`() throws {
        var world = try world()
        var random = SeededGenerator(seed: 99)
        let stranger = Site(using: &random)
        let bob = try world.person("bob", at: stranger)
        let record = try bob.record()
        expectRefused([record], as: .unknownMember, in: &world)
        let harbor = world.sites[0]
        world.step(harbor, .membersChanged(active: world.sites.map(\.id) + [stranger.id], expelled: []))
        world.step(harbor, .frameReceived(.records([record]), from: world.sites[1].id))
        #expect(world[harbor].home(of: bob.id) == stranger.id)
    }

    @Test func `new records homed at an expelled node, while its names live on elsewhere`() throws {
        var world = try world()
        let (harbor, tower, island) = (world.sites[0], world.sites[1], world.sites[2])
        let bob = try world.person("bob", at: tower)
        let carol = try world.person("carol", at: tower)
        let (first, carols) = (try bob.record(), try carol.record())
        world.step(harbor, .frameReceived(.records([first, carols]), from: tower.id))
        for site in [harbor, island] { world.step(site, .membersChanged(active: [harbor.id, island.id], expelled: [tower.id])) }
        expectRefused([try bob.record(version: 2, after: first)], as: .expelledHome, in: &world)
        #expect(world[harbor].home(of: bob.id) == tower.id)
        let moved = try bob.record(version: 2, after: first, home: island)
        world.step(harbor, .frameReceived(.records([moved]), from: island.id))
        #expect(world[harbor].home(of: bob.id) == island.id)
    }

    @Test func `a replica that never took an expelled node's records agrees with one that did`() throws {
        var world = try World(nodes: 3)
        let (harbor, tower, island) = (world.sites[0], world.sites[1], world.sites[2])
        let people = try (0..<50).map { try world.person("user\($0)", at: tower) }
        for person in people { world.step(harbor, .frameReceived(.records([try person.record()]), from: tower.id)) }
        for site in [harbor, island] { world.step(site, .membersChanged(active: [harbor.id, island.id], expelled: [tower.id])) }
        world.link(harbor, island)
        world.bytesCarried = 0
        world.run(for: .seconds(20))
        #expect(world.refusals(of: island, .expelledHome) == 0)
        #expect(world.bytesCarried < 10_000)
    }

    @Test func `older records sent as if new`() throws {
        var world = try world()
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let bob = try world.person("bob", at: tower)
        let first = try bob.record()
        let second = try bob.record(version: 2, after: first)
        world.step(harbor, .frameReceived(.records([first, second]), from: tower.id))
        expectRefused([first], as: .rolledBack, in: &world)
        #expect(world[harbor].signedRecord(of: bob.id) == second)
        // What is held already is no news, and no fault.
        world.effects = [:]
        world.step(harbor, .frameReceived(.records([second]), from: tower.id))
        #expect(world.effects[harbor.id]?.isEmpty ?? true)
    }

    @Test func `a gap of versions is bridged`() throws {
        var world = try world()
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let bob = try world.person("bob", at: tower)
        let first = try bob.record()
        let second = try bob.record(version: 2, after: first)
        let third = try bob.record(version: 3, after: second)
        world.step(harbor, .frameReceived(.records([first]), from: tower.id))
        world.step(harbor, .frameReceived(.records([third]), from: tower.id))
        #expect(world[harbor].record(of: bob.id)?.version == 3)
    }

    @Test func `a user of our own who publishes out of order loses nothing`() throws {
        var world = try world()
        let harbor = world.sites[0]
        let alice = try world.person("alice", at: harbor)
        let first = try alice.record()
        world.step(harbor, .published(first))
        world.step(harbor, .published(try alice.record(published: 5)))
        world.step(harbor, .published(try alice.record(version: 2, after: try alice.record(published: 6))))
        #expect(world.refusals(of: harbor, .stale) == 2)
        #expect(world[harbor].signedRecord(of: alice.id) == first)
    }

    @Test func `a second user of one name`() throws {
        var world = try world()
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let (alice, other) = (try world.person("alice", at: harbor), try world.person("alice", at: harbor))
        world.step(harbor, .published(try alice.record()))
        world.step(harbor, .published(try other.record()))
        #expect(world[harbor].user(handle: alice.handle, issuer: harbor.id) == alice.id)
        // An issuer that certified several: the lowest id has the name on every node, and no more than the bound is kept.
        let crowd = try (0..<10).map { _ in try world.person("bob", at: tower) }
        for person in crowd { world.step(harbor, .frameReceived(.records([try person.record()]), from: tower.id)) }
        let kept = crowd.map(\.id).sorted().prefix(Limits.usersPerHandleMax)
        #expect(world[harbor].user(handle: crowd[0].handle, issuer: tower.id) == kept.first)
        #expect(crowd.map(\.id).filter { world[harbor].home(of: $0) != nil }.sorted() == Array(kept))
        #expect(world.effects[harbor.id]?.contains(.note(.handleConflict(issuer: tower.id))) == true)
    }

    @Test(arguments: UInt64(0)..<10) func `hostile reconciliation is counted, never fatal`(seed: UInt64) throws {
        var world = try World(nodes: 2, seed: seed)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        for number in 0..<100 { world.step(harbor, .published(try world.person("user\(number)", at: harbor).record())) }
        world.link(harbor, tower)
        var random = SeededGenerator(seed: seed)
        var exchange: UInt64 = 0
        for _ in 0..<400 {
            for case .send(_, .reconcile(let id, true, _)) in world.effects[harbor.id] ?? [] { exchange = id }
            let message = [0x61] + random.bytes(Int(random.next() % 200))
            let isInitiator = random.next().isMultiple(of: 2)
            world.step(
                harbor, .frameReceived(.reconcile(exchange: exchange, initiator: isInitiator, message: message), from: tower.id))
            world.now = world.now + .milliseconds(500)
            world.step(harbor, .deadlineReached)
        }
        world.step(
            harbor,
            .frameReceived(
                .reconcile(exchange: 1, initiator: true, message: [UInt8](repeating: 0x61, count: Limits.reconcileBytesMax + 1)),
                from: tower.id))
        #expect(world.refusals(of: harbor, .badReconciliation) > 100)
        #expect(world[harbor].userCount == 100)
    }

    @Test func `a peer that stops answering loses its exchange, not the directory its time`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        world.step(harbor, .linkUp(tower.id))
        world.directories[tower.id] = nil
        world.run(for: .seconds(60))
        let timeouts = (world.effects[harbor.id] ?? []).filter { $0 == .note(.exchangeTimedOut(tower.id)) }.count
        #expect((3...6).contains(timeouts))
    }
}
