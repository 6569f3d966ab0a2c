import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §7.7 to §7.9 and the tree checks of §12.4.3.1.
@Suite struct TreeTests {
    let suite = CipherSuite.x25519ChaCha20Poly1305.implementation!

    func fleet(_ count: Int, warm: Bool = true) throws -> Fleet {
        var fleet = try Fleet(seed: UInt64(count))
        try fleet.add((1..<count).map { "m\($0)" }, by: "ann", refreshesPath: false)
        if warm { for name in fleet.order { try fleet.commit(name) } }
        return fleet
    }

    func refused(_ tree: RatchetTree, _ group: Group) -> MLSError? {
        do throws(MLSError) {
            _ = try PublicGroup(group.forgedInfo(tree), host: .fixture())
            return nil
        } catch { return error }
    }

    @Test func `removing the rightmost members over several levels truncates, and the hash follows`() throws {
        var fleet = try fleet(9)
        #expect(fleet["ann"].tree.leafCount == 16)
        try fleet.commit("ann", CommitPlan((4...8).map { .remove(UInt32($0)) }))
        #expect(fleet["ann"].tree.leafCount == 4)
        #expect(fleet.agrees)
        var fresh = try RatchetTree(exactly: fleet["m1"].ratchetTree)
        #expect(fresh.treeHash(suite) == fleet["m1"].context.treeHash)
        try fleet.add(["x", "y"], by: "m2")
        #expect(fleet.agrees)
    }

    @Test func `a path has no key that any node has, however the tree grew, shrank and was stored`() throws {
        var fleet = try fleet(9)
        try fleet.commit("ann", CommitPlan((4...8).map { .remove(UInt32($0)) }))
        try fleet.add(["x", "y", "z"], by: "m2")
        try fleet.commit("x")
        var store = StoredGroup()
        store.apply(fleet["m1"].stored)
        let members = [fleet["m1"], try Group(restoring: store)]
        let pending = try fleet["ann"].commit(host: fleet.host, using: &fleet.random)
        guard case .publicMessage(let message) = try MLSMessage(pending.message).body,
            case .commit(let commit) = message.content.body, let path = commit.path
        else { throw MLSError.wrongContentType }
        let tree = fleet["ann"].tree
        let keys = (0..<tree.nodeCount).compactMap { tree.encryptionKey($0) }
        #expect(keys.count > 10)
        for key in keys {
            let nodes = [UpdatePath.Node(encryptionKey: key, secrets: path.nodes[0].secrets)] + path.nodes.dropFirst()
            let forged = try fleet["ann"].forged(.commit(Commit(items: [], path: UpdatePath(leaf: path.leaf, nodes: nodes))))
            for var member in members {
                #expect(throws: MLSError.invalidPath(.keyInUse)) { try member.process(forged, host: fleet.host) }
            }
        }
        for var member in members { _ = try member.process(pending.message, host: fleet.host) }
    }

    @Test func `of the ciphertexts of a path each is found in its place, and none behind the last`() throws {
        var sealed = HPKECiphertexts()
        // Lengths of one, two and four bytes.
        let items = [0, 63, 64, 16_384].map {
            HPKECiphertext(output: Array(repeating: 1, count: $0), ciphertext: Array(repeating: 2, count: $0 + 1))
        }
        for item in items { sealed.append(item) }
        let read = try HPKECiphertexts(exactly: sealed.encoded)
        #expect(read == sealed && read.count == items.count)
        for (place, item) in items.enumerated() { #expect(try read.item(at: place) == item) }
        #expect(throws: CodecError.truncated) { try read.item(at: items.count) }
        // The second half of a pair, a length that is not minimal, and bytes that are not there.
        for bad: [UInt8] in [[1, 0], [3, 0, 0x40, 0], [2, 0, 1]] {
            #expect(throws: MLSError.self) { try HPKECiphertexts(exactly: bad) }
        }
    }

    @Test func `trailing blanks, an even length, and nodes at the wrong place are refused`() throws {
        let fleet = try fleet(3)
        func decode(_ nodes: [UInt8?]) throws -> RatchetTree {
            var inner = ByteWriter()
            for kind in nodes {
                guard let kind else {
                    inner.write(UInt8(0))
                    continue
                }
                inner.write(UInt8(1))
                inner.write(kind)
                if kind == 1 {
                    inner.write(fleet["ann"].member(0)!)
                } else {
                    inner.write(ParentNode(encryptionKey: Array(repeating: 1, count: 32), parentHash: []))
                }
            }
            var writer = ByteWriter()
            writer.write(opaque: inner.bytes)
            return try RatchetTree(exactly: writer.bytes)
        }
        _ = try decode([1, 2, 1])
        for bad: [UInt8?] in [[], [nil], [1, nil], [1, 2], [1, 2, nil], [1, 1, 1], [2], [1, 2, 2], [1, 9, 1]] {
            #expect(throws: MLSError.self) { try decode(bad) }
        }
    }

    @Test func `an honest tree is taken; each way to spoil it is refused`() throws {
        var fleet = try fleet(6)
        try fleet.add(["new"], by: "ann", refreshesPath: false)
        let group = fleet["ann"]
        #expect(refused(group.tree, group) == nil)
        // A parent's key exchanged.
        let good = try #require(group.tree.parent(3))
        func with(_ node: UInt32, _ key: [UInt8]? = nil, _ hash: [UInt8]? = nil, _ unmerged: [UInt32]? = nil) -> RatchetTree {
            var tree = group.tree
            let old = tree.parent(node)!
            tree.set(
                parent: node,
                ParentNode(
                    encryptionKey: key ?? old.encryptionKey, parentHash: hash ?? old.parentHash,
                    unmergedLeaves: unmerged ?? old.unmergedLeaves))
            tree.set(leaf: 0, tree.leaf(0))
            tree.set(leaf: 7, tree.leaf(7))
            tree.set(leaf: 5, tree.leaf(5))
            return tree
        }
        #expect(refused(with(3, Array(repeating: 3, count: 32)), group) != nil)
        #expect(refused(with(3, nil, []), group) != nil)
        #expect(refused(with(7, nil, [1]), group) == .invalidTree(.parentHash(node: 7)))
        // Unmerged leaves: the newcomer is leaf 6, below nodes 13, 11 and 7.
        #expect(group.tree.parent(7)?.unmergedLeaves == [6])
        #expect(refused(with(7, nil, nil, []), group) != nil)
        #expect(refused(with(7, nil, nil, [6, 5]), group) == .invalidTree(.unmergedUnsorted))
        #expect(refused(with(7, nil, nil, [6, 6]), group) == .invalidTree(.unmergedUnsorted))
        #expect(refused(with(7, nil, nil, [7]), group) == .invalidTree(.unmergedBlank))
        #expect(refused(with(7, nil, nil, [99]), group) == .invalidTree(.unmergedOutside))
        #expect(refused(with(7, nil, nil, [4, 6]), group) == .invalidTree(.unmergedNotUpward))
        #expect(refused(with(3, nil, nil, [4]), group) == .invalidTree(.unmergedOutside))
        // Keys twice.
        #expect(refused(with(1, good.encryptionKey), group) == .invalidTree(.duplicateEncryptionKey))
        var twice = group.tree
        twice.set(leaf: 2, group.tree.leaf(1))
        #expect(refused(twice, group) == .invalidTree(.duplicateEncryptionKey))
        // A leaf in another's place.
        var swapped = group.tree
        swapped.set(leaf: 1, group.tree.leaf(2))
        swapped.set(leaf: 2, group.tree.leaf(1))
        #expect(refused(swapped, group) != nil)
    }

    @Test func `a GroupInfo of another tree, a blank signer, a false signature`() throws {
        var fleet = try fleet(3)
        let info = try fleet["ann"].groupInfo(includesTree: false)
        #expect(throws: MLSError.missingTree) { try PublicGroup(info, host: fleet.host) }
        let old = fleet["ann"].ratchetTree
        try fleet.commit("m1")
        #expect(throws: MLSError.treeHashMismatch) { try PublicGroup(info, tree: fleet["ann"].ratchetTree, host: fleet.host) }
        _ = try PublicGroup(info, tree: old, host: fleet.host)
        var tree = fleet["ann"].tree
        tree.set(leaf: 0, nil)
        #expect(refused(tree, fleet["ann"]) == .invalidGroupInfo(.signerBlank))
        var bad = try fleet["ann"].groupInfo()
        bad[bad.count - 1] ^= 1
        #expect(throws: MLSError.invalidGroupInfo(.signature)) { try PublicGroup(bad, host: fleet.host) }
    }

    @Test func `paths: length, number of ciphertexts, reused keys, secrets that do not fit`() throws {
        var fleet = try fleet(5)
        let pending = try fleet["ann"].commit(host: fleet.host, using: &fleet.random)
        guard case .publicMessage(let message) = try MLSMessage(pending.message).body,
            case .commit(let commit) = message.content.body, let path = commit.path
        else { return }
        func check(_ error: MLSError, _ nodes: [UpdatePath.Node], leaf: LeafNode? = nil, _ location: SourceLocation = #_sourceLocation)
            throws
        {
            let forged = try fleet["ann"].forged(
                .commit(Commit(items: [], path: UpdatePath(leaf: leaf ?? path.leaf, nodes: nodes))))
            var member = fleet["m1"]
            #expect(throws: error, sourceLocation: location) { try member.process(forged, host: fleet.host) }
            #expect(member == fleet["m1"], sourceLocation: location)
        }
        let nodes = path.nodes
        try check(.invalidPath(.length), Array(nodes.dropLast()))
        try check(.invalidPath(.length), nodes + [UpdatePath.Node(encryptionKey: Array(repeating: 8, count: 32), secrets: [])])
        try check(.invalidPath(.ciphertextCount), [UpdatePath.Node(encryptionKey: nodes[0].encryptionKey, secrets: [])] + nodes.dropFirst())
        let taken = fleet["ann"].tree.encryptionKey(2)!
        try check(.invalidPath(.keyInUse), [UpdatePath.Node(encryptionKey: taken, secrets: nodes[0].secrets)] + nodes.dropFirst())
        try check(.invalidPath(.keyInUse), [nodes[1]] + nodes.dropFirst())
        try check(
            .parentHashMismatch,
            [UpdatePath.Node(encryptionKey: Array(repeating: 8, count: 32), secrets: nodes[0].secrets)] + nodes.dropFirst())
        try check(.badKey("path node"), [UpdatePath.Node(encryptionKey: [8], secrets: nodes[0].secrets)] + nodes.dropFirst())
        let wrong = try nodes[1].secrets.item(at: 0)
        try check(
            .decryptionFailed("UpdatePathNode"),
            [UpdatePath.Node(encryptionKey: nodes[0].encryptionKey, secrets: [wrong])] + nodes.dropFirst())
        let old = fleet["ann"].member(0)!
        try check(
            .invalidPath(.sameLeafKey), nodes,
            leaf: try ProposalRuleTests.leaf(
                "ann", fleet["ann"], source: .commit(parentHash: []), key: old.encryptionKey))
        try check(.invalidLeaf(.wrongSource), nodes, leaf: try ProposalRuleTests.leaf("ann", fleet["ann"], source: .update))
        try check(
            .parentHashMismatch, nodes,
            leaf: try ProposalRuleTests.leaf(
                "ann", fleet["ann"], source: .commit(parentHash: Array(repeating: 0, count: 32))))
    }
}
