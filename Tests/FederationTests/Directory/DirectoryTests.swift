import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct DirectoryTests {
    @Test func `a published record is written, known, and pushed to linked peers`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        world.link(harbor, tower)
        let alice = try world.person("alice", at: harbor)
        let record = try alice.record()
        let effects = world.step(harbor, .published(record))
        #expect(effects.contains(.write(.put(.userRecord, key: alice.id.bytes, value: try PackedRecord(record, in: World.federation).row))))
        #expect(effects.contains(.send(tower.id, .records([record]))))
        #expect(effects.contains(.changed(alice.id, from: nil, to: harbor.id)))
        #expect(world[harbor].isLocal(DeviceID(raw: alice.device.publicKey)))
        world.settle()
        #expect(world[tower].home(of: alice.id) == harbor.id)
        #expect(world[tower].user(handle: alice.handle, issuer: harbor.id) == alice.id)
        #expect(!world[tower].isLocal(DeviceID(raw: alice.device.publicKey)))
    }

    @Test(arguments: UInt64(0)..<10) func `a record reaches all of five nodes in a line`(seed: UInt64) throws {
        var world = try World(nodes: 5, seed: seed)
        for (one, other) in zip(world.sites, world.sites.dropFirst()) { world.link(one, other) }
        let people = try world.sites.map { try world.person("alice", at: $0) }
        for person in people { world.step(person.issuer, .published(try person.record())) }
        world.run(for: .seconds(5))
        for site in world.sites {
            #expect(people.allSatisfy { world[site].user(handle: $0.handle, issuer: $0.issuer.id) == $0.id })
        }
    }

    @Test func `a node that was away catches up by reconciliation, both ways, and passes it on`() throws {
        var world = try World(nodes: 3)
        let (harbor, tower, island) = (world.sites[0], world.sites[1], world.sites[2])
        let people = try (0..<40).map { try world.person("user\($0)", at: $0.isMultiple(of: 2) ? harbor : tower) }
        for person in people { world.step(person.issuer, .published(try person.record())) }
        world.link(harbor, tower)
        world.link(tower, island)
        world.run(for: .seconds(30))
        for site in world.sites { #expect(world[site].userCount == 40) }
    }

    @Test func `of a peer that pushes very much some is passed on, and reconciliation brings the rest`() throws {
        var world = try World(nodes: 3)
        let (harbor, tower, island) = (world.sites[0], world.sites[1], world.sites[2])
        world.link(tower, island)
        world.settle()
        func passedOn(_ records: [SignedUserRecord]) -> Int {
            world.step(tower, .frameReceived(.records(records), from: harbor.id)).reduce(0) { count, effect in
                if case .send(island.id, .records(let fresh)) = effect { return count + fresh.count }
                if case .send(island.id, .packedRecords(let fresh)) = effect { return count + fresh.count }
                return count
            }
        }
        let people = try (0..<1_000).map { try world.person("user\($0)", at: harbor) }
        let records = try people.map { try $0.record() }
        var count = 0
        for start in stride(from: 0, to: records.count, by: 50) { count += passedOn(Array(records[start..<start + 50])) }
        #expect(count == Int(Limits.rumourBurst))
        #expect(world[tower].userCount == 1_000)
        world.run(for: .seconds(30))
        #expect(world[island].userCount == 1_000)
        // Whoever publishes then is heard of at once.
        #expect(passedOn([try world.person("late", at: harbor).record()]) == 1)
    }

    @Test func `more differences than one exchange holds are found by the next ones`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        for number in 0..<5_000 {
            let person = try world.person("user\(number)", at: harbor)
            world.step(harbor, .published(try person.record(published: UInt64(number))))
        }
        world.link(harbor, tower)
        world.run(for: .seconds(60))
        #expect(world[tower].userCount == 5_000)
    }

    @Test(arguments: [true, false]) func `two replicas of 100,000 that differ in a hundred exchange under 100 KiB`(
        firstLacks: Bool
    ) throws {
        // Records that only look signed: rows are taken as checked. Those that travel are real.
        var random = SeededGenerator(seed: 5)
        var made = try World(nodes: 2, seed: 9)
        let model = try made.person("model", at: made.sites[0]).record()
        let decoded = try UserRecord(decoding: model.body)
        let rows = try (0..<100_000).map { number -> (key: [UInt8], value: [UInt8]) in
            let user = UserID(raw: Bytes32(random.bytes(32)) ?? .zero)
            let record = UserRecord(
                federation: decoded.federation, user: user, handle: decoded.handle, issuer: NodeID(raw: user.raw),
                handleCertificate: decoded.handleCertificate, home: decoded.home, devices: decoded.devices, version: 1, previous: .zero,
                published: 1_700_000_000 + UInt64(number / 10_000))
            let signed = SignedUserRecord(
                body: record.encoded(), userSignature: model.userSignature, homeSignature: model.homeSignature)
            return (user.bytes, try PackedRecord(signed, in: decoded.federation).row)
        }
        var world = try World(nodes: 2, seed: 9, rows: rows)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let (full, other) = (harbor.id < tower.id) != firstLacks ? (harbor, tower) : (tower, harbor)
        for number in 0..<100 {
            let person = try world.person("new\(number)", at: full)
            world.step(full, .published(try person.record(published: 1_700_000_000 + UInt64(number) / 10)))
        }
        world.link(harbor, tower)
        world.settle()
        world.step(harbor, .deadlineReached)
        world.step(tower, .deadlineReached)
        world.settle()
        #expect(world[full].userCount == 100_100 && world[other].userCount == 100_100)
        #expect(world.bytesCarried < 100 * 1024)
    }

    @Test func `a peer that does not say that it takes packed records gets whole ones`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let record = try world.person("alice", at: harbor).record()
        world.step(harbor, .published(record))
        world.step(harbor, .linkUp(tower.id))
        let whole = world.step(harbor, .frameReceived(.recordsWanted([record.digest]), from: tower.id))
        #expect(whole == [.send(tower.id, .records([record]))])
        world.step(harbor, .frameReceived(.takesPackedRecords, from: tower.id))
        let packed = world.step(harbor, .frameReceived(.recordsWanted([record.digest]), from: tower.id))
        #expect(packed == [.send(tower.id, .packedRecords([try PackedRecord(record, in: World.federation)]))])
    }

    @Test func `rows as they were before are read`() throws {
        var world = try World(nodes: 2)
        let alice = try world.person("alice", at: world.sites[0])
        let record = try alice.record()
        let again = try Directory(
            node: world.sites[0].id, federation: World.federation, records: [(alice.id.bytes, record.encoded())])
        #expect(again.signedRecord(of: alice.id) == record)
    }

    @Test func `what is on disk is the directory again`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let (alice, bob) = (try world.person("alice", at: harbor), try world.person("bob", at: tower))
        world.step(harbor, .published(try alice.record()))
        world.step(harbor, .frameReceived(.records([try bob.record(), try bob.record(published: 2)]), from: tower.id))
        var rows: [StoreTable: [[UInt8]: [UInt8]]] = [:]
        for case .write(let write) in world.effects[harbor.id] ?? [] {
            switch write {
            case .put(let table, let key, let value): rows[table, default: [:]][key] = value
            case .remove(let table, let key): rows[table, default: [:]][key] = nil
            default: Issue.record("the directory writes small records only")
            }
        }
        let again = try Directory(
            node: harbor.id, federation: World.federation, records: (rows[.userRecord] ?? [:]).map { ($0.key, $0.value) },
            equivocations: (rows[.equivocation] ?? [:]).map { ($0.key, $0.value) })
        #expect(again.home(of: alice.id) == harbor.id && again.isLocal(DeviceID(raw: alice.device.publicKey)))
        #expect(again.home(of: bob.id) == nil && again.equivocation(of: bob.id) != nil)
        #expect(throws: CodecError.self) {
            _ = try Directory(node: harbor.id, federation: World.federation, records: [(alice.id.bytes, [1, 2, 3])])
        }
    }

    @Test func `a user who moves is found at the new home under the old address`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let alice = try world.person("alice", at: harbor)
        let first = try alice.record()
        world.step(harbor, .published(first))
        let moved = try alice.record(version: 2, after: first, home: tower)
        let effects = world.step(harbor, .frameReceived(.records([moved]), from: tower.id))
        #expect(effects.contains(.changed(alice.id, from: harbor.id, to: tower.id)))
        #expect(world[harbor].user(handle: alice.handle, issuer: harbor.id) == alice.id)
        #expect(world[harbor].home(of: alice.id) == tower.id)
        #expect(!world[harbor].isLocal(DeviceID(raw: alice.device.publicKey)))
    }

    @Test func `after many changes every user is found by id, name and digest, and nothing old is`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let people = try (0..<300).map { try world.person("user\($0)", at: harbor) }
        var newest: [UserID: SignedUserRecord] = [:]
        var old: [Digest] = []
        for version in UInt64(1)...4 {
            for person in people.shuffled(using: &world.random) where version == 1 || world.random.next() % 3 != 0 {
                let before = newest[person.id]
                let number = try before.map { try UserRecord(decoding: $0.body).version + 1 } ?? 1
                let record = try person.record(version: number, after: before)
                if let before { old.append(before.digest) }
                newest[person.id] = record
                world.step(harbor, .published(record))
            }
        }
        for person in people {
            let record = try #require(newest[person.id])
            #expect(world[harbor].signedRecord(of: person.id) == record)
            #expect(world[harbor].user(handle: person.handle, issuer: harbor.id) == person.id)
            let answer = world.step(harbor, .frameReceived(.recordsWanted([record.digest]), from: tower.id))
            #expect(answer == [.send(tower.id, .records([record]))])
        }
        for digest in old.prefix(100) {
            let answer = world.step(harbor, .frameReceived(.recordsWanted([digest]), from: tower.id))
            #expect(answer == [.send(tower.id, .records([]))])
        }
        #expect(world[harbor].records().map(\.handle) == people.map(\.handle).sorted())
    }

    @Test func `a flood of digests is answered in part`() throws {
        var world = try World(nodes: 2)
        let asked = (0..<4_000).map { _ in Digest(raw: Bytes32(world.random.bytes(32)) ?? .zero) }
        let answer = world.step(world.sites[0], .frameReceived(.recordsWanted(asked), from: world.sites[1].id))
        #expect(answer == [.send(world.sites[1].id, .records([]))])
    }
}
