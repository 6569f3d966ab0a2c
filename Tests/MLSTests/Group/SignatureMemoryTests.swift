import Cryptography
import MLS
import Testing
import Vocabulary

/// What is remembered of signatures spares work, and changes no verdict.
@Suite struct SignatureMemoryTests {
    final class Memory: SignatureMemory, @unchecked Sendable {  // one thread only
        private(set) var digests: Set<[UInt8]> = []
        private(set) var hits = 0

        func contains(_ digest: [UInt8]) -> Bool {
            hits += digests.contains(digest) ? 1 : 0
            return digests.contains(digest)
        }
        func insert(_ digest: [UInt8]) { digests.insert(digest) }
    }

    var fleet: Fleet
    let memory = Memory()

    init() throws {
        fleet = try Fleet(seed: 180)
        fleet.host.signatures = memory
    }

    @Test mutating func `a signature is checked once: fetched, committed, processed, joined`() throws {
        try fleet.add(["bob"], by: "ann")
        let own = try fleet.keyPackage("cid")
        let before = memory.digests.count
        let fetched = try KeyPackage.fetched(own.published, host: fleet.host)
        #expect(memory.digests.count == before + 2)
        let (known, hits) = (memory.digests.count, memory.hits)
        var plan = CommitPlan([.add(fetched)])
        plan.refreshesPath = false
        let pending = try fleet.commit("ann", plan)
        // By committer and receiver, the package and its leaf each.
        #expect(memory.digests.count == known && memory.hits == hits + 4)
        _ = try Group.join(pending.welcome ?? [], with: own, host: fleet.host)
        _ = try Group.join(pending.welcome ?? [], with: own, host: fleet.host)
        // Cid's leaf was known, bob's from its Add; ann's path leaf was seen by bob, or is learnt by the first join.
        #expect(memory.digests.count <= known + 1 && memory.hits >= hits + 4 + 5)
    }

    @Test mutating func `what does not hold is refused again and again, also beside what does`() throws {
        let own = try fleet.keyPackage("bob")
        _ = try KeyPackage.fetched(own.published, host: fleet.host)
        var bytes = own.published
        bytes[bytes.count - 1] ^= 1
        for _ in 0..<3 {
            #expect(throws: MLSError.invalidKeyPackage(.signature)) { try KeyPackage.fetched(bytes, host: fleet.host) }
        }
        try fleet.add(["cid"], by: "ann")
        try fleet.commit("cid")
        _ = try PublicGroup(fleet["ann"].groupInfo(), host: fleet.host)
        // A leaf that holds at its place does not at another.
        var moved = fleet["ann"].tree
        moved.set(leaf: 0, fleet["ann"].member(1))
        moved.set(leaf: 1, fleet["ann"].member(0))
        let bare = try RatchetTree(leaves: moved.leaves, parents: moved.parents.map { _ in nil })
        let info = try fleet["ann"].forgedInfo(bare)
        for _ in 0..<2 { #expect(throws: MLSError.self) { try PublicGroup(info, host: fleet.host) } }
        var spoiled = fleet["ann"].tree
        var leaf = try #require(spoiled.leaf(1)).encoded
        leaf[leaf.count - 1] ^= 1
        spoiled.set(leaf: 1, try LeafNode(exactly: leaf))
        let single = try RatchetTree(leaves: spoiled.leaves, parents: spoiled.parents.map { _ in nil })
        let forged = try fleet["ann"].forgedInfo(single)
        for _ in 0..<2 { #expect(throws: MLSError.invalidLeaf(.signature)) { try PublicGroup(forged, host: fleet.host) } }
    }

    @Test mutating func `a Welcome parts into Welcomes that each of their newcomers joins by`() throws {
        let packages = try ["bob", "cid", "dan"].map { try fleet.keyPackage($0) }
        let pending = try fleet.commit("ann", CommitPlan(packages.map { .add($0.package) }))
        let whole = try MLSMessage(pending.welcome ?? [])
        for own in packages {
            let part = try #require(whole.welcome(for: [own.reference, [1, 2, 3]]))
            #expect(part.welcomedReferences == [own.reference] && part.bytes.count < whole.bytes.count - 200)
            #expect(try Group.join(part.bytes, with: own, host: fleet.host).epochAuthenticator == fleet["ann"].epochAuthenticator)
        }
        #expect(whole.welcome(for: []) == nil)
        let other = try #require(whole.welcome(for: [packages[0].reference]))
        #expect(throws: MLSError.noMatchingKeyPackage) { try Group.join(other.bytes, with: packages[1], host: fleet.host) }
        #expect(try MLSMessage(packages[0].published).welcome(for: [packages[0].reference]) == nil)
    }
}
