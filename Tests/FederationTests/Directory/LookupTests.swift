import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct LookupTests {
    private let harborName: NodeName
    init() throws { harborName = try NodeName("harbor") }

    @Test func `the replica answers first, the issuer when it does not know`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let alice = try world.person("alice", at: harbor)
        let record = try alice.record()
        world.step(harbor, .published(record))
        world.link(harbor, tower)
        let address = Address(handle: alice.handle, issuer: harborName)
        let asked = world.step(tower, .lookup(RequestID(9), address, issuer: harbor.id))
        #expect(asked.contains { if case .send(harbor.id, .lookup(_, .address(address))) = $0 { true } else { false } })
        world.settle()
        #expect(world.effects[tower.id]?.contains(.found(RequestID(9), record)) == true)
        let again = world.step(tower, .lookup(RequestID(10), address, issuer: harbor.id))
        #expect(again == [.found(RequestID(10), record)])
    }

    @Test func `unknown, unlinked and silent issuers are told apart`() throws {
        var world = try World(nodes: 3)
        let (harbor, tower, island) = (world.sites[0], world.sites[1], world.sites[2])
        world.link(harbor, tower)
        world.settle()
        let address = Address(handle: try Handle("nobody"), issuer: harborName)
        #expect(world.step(harbor, .lookup(RequestID(1), address, issuer: harbor.id)) == [.notFound(RequestID(1), .unknown)])
        #expect(world.step(tower, .lookup(RequestID(2), address, issuer: island.id)) == [.notFound(RequestID(2), .unreachable)])
        world.step(tower, .lookup(RequestID(3), address, issuer: harbor.id))
        world.settle()
        #expect(world.effects[tower.id]?.contains(.notFound(RequestID(3), .unknown)) == true)
        world.directories[harbor.id] = nil
        world.step(tower, .lookup(RequestID(4), address, issuer: harbor.id))
        world.run(for: Limits.lookupTimeout)
        #expect(world.effects[tower.id]?.contains(.notFound(RequestID(4), .unreachable)) == true)
        world.step(tower, .lookup(RequestID(5), address, issuer: harbor.id))
        #expect(world.step(tower, .linkDown(harbor.id)).contains(.notFound(RequestID(5), .unreachable)))
    }

    @Test func `an answer is checked like any record, and taken from the asked node alone`() throws {
        var world = try World(nodes: 3)
        let (harbor, tower, island) = (world.sites[0], world.sites[1], world.sites[2])
        world.step(tower, .linkUp(harbor.id))
        let (alice, bob) = (try world.person("alice", at: harbor), try world.person("bob", at: harbor))
        let good = try alice.record()
        let forged = SignedUserRecord(
            body: good.body, userSignature: bob.key.sign(good.body, for: .userRecord), homeSignature: good.homeSignature)
        func ask(_ request: UInt64) -> RequestID? {
            let address = Address(handle: alice.handle, issuer: harborName)
            for case .send(_, .lookup(let id, _)) in world.step(tower, .lookup(RequestID(request), address, issuer: harbor.id)) {
                return id
            }
            return nil
        }
        let first = try #require(ask(1))
        #expect(
            world.step(tower, .frameReceived(.found(first, good), from: island.id)).contains(.note(.refused(.unasked, from: island.id))))
        let refused = world.step(tower, .frameReceived(.found(first, forged), from: harbor.id))
        #expect(refused.contains(.notFound(RequestID(1), .unknown)) && refused.contains(.note(.refused(.forged, from: harbor.id))))
        // Another user's valid record is no answer either.
        let second = try #require(ask(2))
        #expect(
            world.step(tower, .frameReceived(.found(second, try bob.record()), from: harbor.id)).contains(.notFound(RequestID(2), .unknown))
        )
        let third = try #require(ask(3))
        #expect(world.step(tower, .frameReceived(.found(third, good), from: harbor.id)).contains(.found(RequestID(3), good)))
    }

    @Test func `waiting look-ups are bounded`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        world.step(tower, .linkUp(harbor.id))
        let address = Address(handle: try Handle("alice"), issuer: harborName)
        for number in 0..<Limits.lookupsPendingMax { world.step(tower, .lookup(RequestID(UInt64(number)), address, issuer: harbor.id)) }
        #expect(world.step(tower, .lookup(RequestID(99_999), address, issuer: harbor.id)) == [.notFound(RequestID(99_999), .busy)])
    }
}
