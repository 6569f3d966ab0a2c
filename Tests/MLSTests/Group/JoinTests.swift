import Cryptography
import Dispatch
import MLS
import Testing
import Vocabulary

/// A refused join leaves nothing behind: all checks come before anything exists.
@Suite struct JoinTests {
    /// The external key of ann's group.
    func external(_ fleet: Fleet) throws -> MLSExtension {
        try #require(try MLSMessage(fleet["ann"].groupInfo()).groupInfo?.extensions[type: MLSExtension.externalPub])
    }

    @Test func `a Welcome for another key package, for a known group, with another tree`() throws {
        var fleet = try Fleet(seed: 51)
        let (bob, cid) = (try fleet.keyPackage("bob"), try fleet.keyPackage("cid"))
        var plan = CommitPlan([.add(bob.package)])
        plan.includesTree = false
        let pending = try fleet.commit("ann", plan)
        let welcome = try #require(pending.welcome)
        #expect(pending.welcomedReferences == [bob.reference])
        #expect(throws: MLSError.noMatchingKeyPackage) { try Group.join(welcome, with: cid, host: fleet.host) }
        #expect(throws: MLSError.missingTree) { try Group.join(welcome, with: bob, host: fleet.host) }
        let known = GroupHost.fixture(known: [fleet["ann"].id])
        #expect(throws: MLSError.groupAlreadyKnown) {
            try Group.join(welcome, with: bob, tree: fleet["ann"].ratchetTree, host: known)
        }
        let group = try Group.join(welcome, with: bob, tree: fleet["ann"].ratchetTree, host: fleet.host)
        #expect(group.epochAuthenticator == fleet["ann"].epochAuthenticator)
        try fleet.commit("ann")
        #expect(throws: MLSError.treeHashMismatch) {
            try Group.join(welcome, with: bob, tree: fleet["ann"].ratchetTree, host: fleet.host)
        }
    }

    @Test func `a Welcome with any bit changed is refused`() throws {
        var fleet = try Fleet(seed: 52)
        let bob = try fleet.keyPackage("bob")
        let welcome = try #require(try fleet.commit("ann", CommitPlan([.add(bob.package)])).welcome)
        for index in stride(from: 0, to: welcome.count, by: 7) {
            var bad = welcome
            bad[index] ^= 0x10
            #expect(throws: MLSError.self) { try Group.join(bad, with: bob, host: fleet.host) }
        }
        _ = try Group.join(welcome, with: bob, host: fleet.host)
    }

    @Test func `the identity check sees every leaf of the tree at a join`() throws {
        var fleet = try Fleet(seed: 53)
        try fleet.add(["cid", "dan"], by: "ann")
        let bob = try fleet.keyPackage("bob")
        let welcome = try #require(try fleet.commit("ann", CommitPlan([.add(bob.package)])).welcome)
        let strict = GroupHost(now: noon, refusal: { $0.credential == .basic(Array("dan".utf8)) ? "unknown" : nil })
        #expect(throws: MLSError.identityRefused("unknown")) { try Group.join(welcome, with: bob, host: strict) }
    }

    @Test func `a last-resort key package is marked, and may be used twice`() throws {
        var (one, two) = (try Fleet(seed: 54), try Fleet(seed: 55))
        let own = try OwnKeyPackage.make(member: .fixture("bob"), lastResort: true, using: &one.random)
        #expect(try KeyPackage.fetched(own.published, host: one.host).isLastResort)
        for fleet in [one, two] {
            var fleet = fleet
            let welcome = try #require(try fleet.commit("ann", CommitPlan([.add(own.package)])).welcome)
            let group = try Group.join(welcome, with: own, host: fleet.host)
            #expect(group.epochAuthenticator == fleet["ann"].epochAuthenticator)
        }
        (one, two) = (two, one)
    }

    @Test func `a group extension that we do not support bars us`() throws {
        let capable = try MemberIdentity.fixture("ann", capabilities: Capabilities(extensions: [0xf123]))
        var random = SeededGenerator(seed: 56)
        let group = try Group.create(
            id: [1], member: capable, extensions: [MLSExtension(type: 0xf123, data: [])], host: .fixture(), using: &random)
        #expect(throws: MLSError.invalidGroupInfo(.extensionUnsupported(0xf123))) {
            try Group.joinExternally(group.groupInfo(), as: .fixture("bob"), host: .fixture(), using: &random)
        }
        #expect(throws: MLSError.invalidLeaf(.requiredExtension(0xf123))) {
            try Group.create(
                id: [1], member: .fixture("ann"), extensions: [MLSExtension(type: 0xf123, data: [])], host: .fixture(), using: &random)
        }
    }

    @Test func `a GroupInfo without the external key cannot be joined by, a known group only by resync`() throws {
        var fleet = try Fleet(seed: 57)
        let bare = try fleet["ann"].forgedInfo(fleet["ann"].tree)
        #expect(throws: MLSError.invalidGroupInfo(.noExternalKey)) {
            try Group.joinExternally(bare, as: .fixture("bob"), host: fleet.host, using: &fleet.random)
        }
        let known = GroupHost.fixture(known: [fleet["ann"].id])
        let info = try fleet["ann"].groupInfo()
        #expect(throws: MLSError.groupAlreadyKnown) {
            try Group.joinExternally(info, as: .fixture("bob"), host: known, using: &fleet.random)
        }
    }

    @Test func `signatures checked on several cores are checked as well`() throws {
        var fleet = try Fleet(seed: 66)
        try fleet.add((0..<130).map { "m\($0)" }, by: "ann", refreshesPath: false, joining: [])
        var host = fleet.host
        host.spread = { pieces, work in DispatchQueue.concurrentPerform(iterations: pieces, execute: work) }
        let info = try fleet["ann"].groupInfo()
        #expect(try PublicGroup(info, host: host) == PublicGroup(info, host: fleet.host))
        for spoiled: UInt32 in [1, 70, 130] {
            var tree = fleet["ann"].tree
            var bytes = try #require(tree.leaf(spoiled)).encoded
            bytes[bytes.count - 1] ^= 1
            tree.set(leaf: spoiled, try LeafNode(exactly: bytes))
            let bad = try fleet["ann"].forgedInfo(tree)
            #expect(throws: MLSError.invalidLeaf(.signature)) { try PublicGroup(bad, host: host) }
        }
        // A helper that does nothing makes no signature good.
        host.spread = { _, _ in }
        #expect(throws: MLSError.invalidLeaf(.signature)) { try PublicGroup(info, host: host) }
    }

    @Test func `epochs end before arithmetic does`() throws {
        var fleet = try Fleet(seed: 59)
        let info = try fleet["ann"].forgedInfo(fleet["ann"].tree, extensions: [external(fleet)], epoch: .max)
        #expect(throws: MLSError.limitReached("epochs")) {
            try Group.joinExternally(info, as: .fixture("bob"), host: fleet.host, using: &fleet.random)
        }
        var hub = try PublicGroup(info, host: fleet.host)
        let commit = try fleet["ann"].forged(.commit(Commit(items: [], path: nil)), epoch: .max)
        #expect(throws: MLSError.self) { try hub.process(commit, host: fleet.host) }
    }

    @Test func `lists that would be compared each with each are bounded`() throws {
        var fleet = try Fleet(seed: 60)
        try fleet.add(["bob"], by: "ann")
        let many = (0..<300).map { MLSExtension(type: UInt16(0xf000 + $0), data: []) }
        let message = try fleet["ann"].forged(.proposal(.groupContextExtensions(many)))
        #expect(throws: MLSError.limitReached("extensions in a list")) { try fleet["bob"].process(message, host: fleet.host) }
        let wide = try ProposalRuleTests.leaf(
            "ann", fleet["ann"], source: .update, capabilities: Capabilities(extensions: Array(repeating: 0xf000, count: 2000)))
        let update = try fleet["ann"].forged(.proposal(.update(wide)))
        #expect(throws: MLSError.limitReached("capabilities of a leaf")) { try fleet["bob"].process(update, host: fleet.host) }
    }

    @Test func `a group that we were removed from is restored as that`() throws {
        var fleet = try Fleet(seed: 65)
        try fleet.add(["bob", "cid"], by: "ann")
        var cid = fleet["cid"]
        let pending = try fleet["ann"].commit(
            CommitPlan([.remove(1), .remove(cid.ownLeaf)]), host: fleet.host, using: &fleet.random)
        _ = try cid.process(pending.message, host: fleet.host)
        var store = StoredGroup()
        store.apply(cid.takeChanges())
        let restored = try Group(restoring: store)
        #expect(!restored.isActive && restored == cid)
    }

    @Test func `another device's key and a stale GroupInfo do not get in`() throws {
        var fleet = try Fleet(seed: 58)
        try fleet.add(["bob"], by: "ann")
        let stale = try fleet["ann"].groupInfo()
        try fleet.commit("ann")
        let join = try Group.joinExternally(stale, as: .fixture("cid"), host: fleet.host, using: &fleet.random)
        #expect(throws: MLSError.wrongEpoch(sent: 1, current: 2)) { try fleet["bob"].process(join.message, host: fleet.host) }
        // A newcomer with a member's signature key, who does not replace it.
        let info = try fleet["ann"].groupInfo()
        #expect(throws: MLSError.invalidLeaf(.signatureKeyInUse)) {
            try Group.joinExternally(info, as: .fixture("bob"), host: fleet.host, using: &fleet.random)
        }
    }
}
