import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct EquivocationTests {
    @Test func `two records of one version: neither is used, the proof is kept and reaches every node`() throws {
        var world = try World(nodes: 5)
        for (one, other) in zip(world.sites, world.sites.dropFirst()) { world.link(one, other) }
        let (first, last) = (world.sites[0], world.sites[4])
        let eve = try world.person("eve", at: first)
        let (one, two) = (try eve.record(), try eve.record(published: 2))
        world.step(first, .frameReceived(.records([one]), from: world.sites[1].id))
        world.step(last, .frameReceived(.records([two]), from: world.sites[3].id))
        world.run(for: .seconds(60))
        for site in world.sites {
            #expect(world[site].home(of: eve.id) == nil)
            #expect(world[site].user(handle: eve.handle, issuer: first.id) == nil)
            #expect(world[site].equivocation(of: eve.id) != nil)
            #expect((world.effects[site.id] ?? []).contains(.note(.equivocation(eve.id))))
        }
        // A later record does not mend it.
        world.step(first, .frameReceived(.records([try eve.record(version: 2, after: one)]), from: world.sites[1].id))
        #expect(world[first].home(of: eve.id) == nil)
        #expect(world.refusals(of: first, .equivocated) > 0)
    }

    @Test func `a next version that names another predecessor is such a proof too`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let eve = try world.person("eve", at: tower)
        let (one, other) = (try eve.record(), try eve.record(published: 2))
        let next = try eve.record(version: 2, after: other)
        world.step(harbor, .frameReceived(.records([one, next]), from: tower.id))
        #expect(world[harbor].home(of: eve.id) == nil)
        #expect(world[harbor].equivocation(of: eve.id) != nil)
        // In the other order as well.
        world.step(tower, .frameReceived(.records([next, one]), from: harbor.id))
        #expect(world[tower].equivocation(of: eve.id) != nil)
    }

    @Test func `every node takes a proof of records that it would take`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let eve = try world.person("eve", at: tower)
        // A home that lies has let both pass.
        let (one, other) = (try eve.record(certifiedBy: eve.key), try eve.record(published: 2, deviceCertifiedBy: tower.key))
        world.step(harbor, .frameReceived(.equivocation(one, other), from: tower.id))
        #expect(world[harbor].equivocation(of: eve.id) != nil)
        // Of a handle that is another node's they prove nothing.
        let bob = try world.person("bob", at: harbor)
        let (first, second) = (
            try bob.record(home: tower, certifiedBy: tower.key), try bob.record(home: tower, published: 2, certifiedBy: tower.key)
        )
        world.step(harbor, .frameReceived(.equivocation(first, second), from: tower.id))
        #expect(world.refusals(of: harbor, .badProof) == 1)
        #expect(world[harbor].equivocation(of: bob.id) == nil)
    }

    @Test func `a proof that proves nothing harms nobody`() throws {
        var world = try World(nodes: 2)
        let (harbor, tower) = (world.sites[0], world.sites[1])
        let (bob, carol) = (try world.person("bob", at: tower), try world.person("carol", at: tower))
        let first = try bob.record()
        let second = try bob.record(version: 2, after: first)
        world.step(harbor, .frameReceived(.records([first]), from: tower.id))
        var altered = second.body
        altered[altered.count - 1] ^= 1
        let unsigned = SignedUserRecord(body: altered, userSignature: second.userSignature, homeSignature: second.homeSignature)
        for (one, two) in [(first, first), (first, second), (first, try carol.record()), (second, unsigned)] {
            world.step(harbor, .frameReceived(.equivocation(one, two), from: tower.id))
        }
        #expect(world.refusals(of: harbor, .badProof) == 4)
        #expect(world[harbor].signedRecord(of: bob.id) == first)
        #expect(world[harbor].equivocation(of: bob.id) == nil)
    }
}
