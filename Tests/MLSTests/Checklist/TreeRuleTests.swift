import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §7.8, §7.9, §7.6 and §12.4.3.1: more ways to spoil a tree or a path.
@Suite struct TreeRuleTests {
    let suite = CipherSuite.x25519ChaCha20Poly1305.implementation!

    func fleet(_ count: Int, warm: Bool = true) throws -> Fleet {
        var fleet = try Fleet(seed: UInt64(200 + count))
        try fleet.add((1..<count).map { "m\($0)" }, by: "ann", refreshesPath: false)
        if warm { for name in fleet.order { try fleet.commit(name) } }
        return fleet
    }

    func refused(_ tree: RatchetTree, _ group: Group) -> MLSError? {
        do throws(MLSError) {
            // Made anew, so that no remembered hash hides what was changed.
            let fresh = try RatchetTree(leaves: tree.leaves, parents: tree.parents)
            _ = try PublicGroup(group.forgedInfo(fresh), host: .fixture())
            return nil
        } catch { return error }
    }

    @Test func `every parent's hash and key are chained, whatever else in the tree is right`() throws {
        let group = try fleet(8)["ann"]
        #expect(refused(group.tree, group) == nil)
        let nodes = (0..<group.tree.nodeCount).filter { group.tree.parent($0) != nil }
        #expect(nodes.count == 7)
        for node in nodes {
            let old = try #require(group.tree.parent(node))
            let changes = [
                ParentNode(encryptionKey: Array(repeating: 3, count: 32), parentHash: old.parentHash),
                ParentNode(encryptionKey: old.encryptionKey, parentHash: Array(repeating: 3, count: 32)),
                // The null hash is the root's alone.
                ParentNode(encryptionKey: old.encryptionKey, parentHash: node == group.tree.root ? [0] : []),
            ]
            for changed in changes {
                var tree = group.tree
                tree.set(parent: node, changed)
                guard case .invalidTree(.parentHash) = refused(tree, group) else {
                    Issue.record("node \(node): \(String(describing: refused(tree, group)))")
                    continue
                }
            }
        }
    }

    @Test func `a leaf without a parent hash under a parent that needs one`() throws {
        let group = try fleet(2)["ann"]
        var tree = group.tree
        tree.set(leaf: 1, try ProposalRuleTests.leaf("m1", group, source: .update, at: 1))
        tree.set(leaf: 0, try ProposalRuleTests.leaf("ann", group, source: .commit(parentHash: []), at: 0))
        #expect(refused(tree, group) == .invalidTree(.parentHash(node: 1)))
        tree.set(leaf: 0, try ProposalRuleTests.leaf("ann", group, source: .update, at: 0))
        #expect(refused(tree, group) == .invalidTree(.parentHash(node: 1)))
    }

    @Test func `blank ancestors above changed unmerged leaves: a fresh joiner finds each tree valid`() throws {
        var fleet = try fleet(8)
        func check(_ step: String) throws {
            #expect(fleet.agrees, "\(step)")
            _ = try PublicGroup(fleet["ann"].groupInfo(), host: fleet.host)
        }
        try fleet.remove("m3", by: "m6")
        try check("removed")
        try fleet.add(["new"], by: "m7", refreshesPath: false)
        #expect(fleet["new"].ownLeaf == 3)
        try check("added as unmerged")
        let update = try fleet.proposeUpdate("new")
        try fleet.deliver(update, except: "new")
        var plan = CommitPlan()
        plan.refreshesPath = false
        try fleet.commit("m5", plan)
        try check("the unmerged leaf updated, its ancestors blank")
        try fleet.add(["newer"], by: "m1", refreshesPath: false)
        try fleet.commit("m2")
        try check("siblings' hashes as they were before the path")
        try fleet.remove("m2", by: "newer")
        try fleet.commit("new")
        try check("and after")
    }

    @Test func `one signature key or encryption key twice in the tree`() throws {
        let group = try fleet(4, warm: false)["ann"]
        var tree = group.tree
        tree.set(leaf: 2, try ProposalRuleTests.leaf("m1", group, source: .update, at: 2))
        #expect(refused(tree, group) == .invalidLeaf(.signatureKeyInUse))
        tree.set(
            leaf: 2, try ProposalRuleTests.leaf("m2", group, source: .update, key: group.member(3)?.encryptionKey, at: 2))
        #expect(refused(tree, group) == .invalidTree(.duplicateEncryptionKey))
    }

    @Test func `a tree that is no full one, and one that would grow beyond the bound`() throws {
        let leaf = try #require(try Fleet(seed: 96)["ann"].member(0))
        for (leaves, parents) in [(0, 0), (3, 2), (2, 0), (2, 2), (4, 2)] {
            #expect(throws: MLSError.invalidState("a number of leaves")) {
                try RatchetTree(leaves: Array(repeating: leaf, count: leaves), parents: Array(repeating: nil, count: parents))
            }
        }
        let most = Int(Limits.mlsLeavesMax)
        var full = try RatchetTree(leaves: Array(repeating: leaf, count: most), parents: Array(repeating: nil, count: most - 1))
        var fleet = try Fleet(seed: 97)
        let package = try fleet.keyPackage("eve").package
        #expect(throws: MLSError.limitReached("leaves of a tree")) { try full.apply(.add(package), sender: 0) }
        #expect(throws: MLSError.invalidState("a number of leaves")) {
            try RatchetTree(leaves: Array(repeating: leaf, count: most * 2), parents: Array(repeating: nil, count: most * 2 - 1))
        }
    }

    // MARK: Paths

    @Test func `a path secret of another length, and one that does not give the path's keys`() throws {
        var fleet = try fleet(3)
        var context = fleet["ann"].context
        context.epoch += 1
        var tree = fleet["ann"].tree
        let made = try tree.freshPath(
            from: 0, signer: MemberIdentity.fixture("ann").signer, context: context, suite, using: &fleet.random)
        func path(sealing secret: [UInt8]?) throws -> UpdatePath {
            guard let secret else { return made.update }
            var random = SeededGenerator(seed: 1)
            let key = try #require(tree.encryptionKey(2))
            let sealed = try suite.seal(
                secret, to: key, label: "UpdatePathNode", context: made.context.encoded, using: &random)
            let first = UpdatePath.Node(encryptionKey: made.update.nodes[0].encryptionKey, secrets: [sealed])
            return UpdatePath(leaf: made.update.leaf, nodes: [first] + made.update.nodes.dropFirst())
        }
        let before = fleet["m1"]
        for (secret, error): ([UInt8]?, MLSError) in [
            // What is honest gets as far as the confirmation tag, which is forged.
            (nil, .invalidConfirmationTag), (Array(repeating: 1, count: 32), .invalidPath(.keyMismatch)),
            (Array(repeating: 1, count: 31), .invalidPath(.secretLength)), ([], .invalidPath(.secretLength)),
        ] {
            let forged = try fleet["ann"].forged(.commit(Commit(items: [], path: path(sealing: secret))))
            var member = before
            #expect(throws: error) { try member.process(forged, host: fleet.host) }
            #expect(member == before)
        }
    }

    @Test func `a path whose node keys nobody could seal to, or whose leaf claims the null hash`() throws {
        var fleet = try fleet(3)
        let pending = try fleet["ann"].commit(host: fleet.host, using: &fleet.random)
        guard case .publicMessage(let message) = try MLSMessage(pending.message).body,
            case .commit(let commit) = message.content.body, let path = commit.path
        else { throw MLSError.wrongContentType }
        var paths = WeakKeys.all.map { key in
            (
                MLSError.badKey("path node"),
                UpdatePath(
                    leaf: path.leaf,
                    nodes: [UpdatePath.Node(encryptionKey: key, secrets: path.nodes[0].secrets)] + path.nodes.dropFirst())
            )
        }
        let leaf = try ProposalRuleTests.leaf("ann", fleet["ann"], source: .commit(parentHash: []))
        paths.append((.parentHashMismatch, UpdatePath(leaf: leaf, nodes: path.nodes)))
        for (error, path) in paths {
            let forged = try fleet["ann"].forged(.commit(Commit(items: [], path: path)))
            var member = fleet["m1"]
            #expect(throws: error) { try member.process(forged, host: fleet.host) }
            #expect(member == fleet["m1"])
        }
    }
}
