import Cryptography
import MLS
import Testing
import Vocabulary

@Suite struct SecretTreeTests {
    let suite = CipherSuite.x25519ChaCha20Poly1305.implementation!
    let place = SecretTree.Place(leaf: 2, kind: .application)
    let tree = SecretTree(leafCount: 8, encryptionSecret: Secret(Array(repeating: 7, count: 32)))

    func open(_ generation: UInt32, _ tree: inout SecretTree, window: UInt32 = 16) throws -> MessageKey {
        let opening = try tree.opening(place, generation: generation, window: window, suite)
        tree.consume(opening)
        return opening.key
    }

    @Test func `keys come in any order within the window, each once`() throws {
        var (inOrder, mixed) = (tree, tree)
        let keys = try (0..<4).map { try open(UInt32($0), &inOrder) }
        #expect(try open(3, &mixed) == keys[3])
        #expect(try open(1, &mixed) == keys[1])
        #expect(try open(2, &mixed) == keys[2])
        #expect(try open(0, &mixed) == keys[0])
        for generation in UInt32(0)..<4 {
            #expect(throws: MLSError.generationConsumed(generation)) { try open(generation, &mixed) }
        }
    }

    @Test func `the gap may be as wide as the window and no wider`() throws {
        var tree = tree
        #expect(throws: MLSError.generationTooFarAhead(17, max: 16)) { try open(17, &tree) }
        #expect(throws: MLSError.generationTooFarAhead(.max, max: 16)) { try open(.max, &tree) }
        _ = try open(16, &tree)
        _ = try open(0, &tree)  // 16 generations back: still there
        _ = try open(33, &tree)
        #expect(throws: MLSError.generationConsumed(1)) { try open(1, &tree) }
    }

    @Test func `what is kept stays bounded under a hostile generation`() throws {
        var tree = tree
        for step in UInt32(1)...20 { _ = try open(step * 17 - 1, &tree) }
        #expect(tree.ratchets[place]!.skipped.count <= 16)
    }

    @Test func `working a key out changes nothing`() throws {
        let before = tree
        _ = try tree.opening(place, generation: 5, window: 16, suite)
        #expect(tree == before)
    }

    @Test func `used keys, passed ratchet secrets and unfolded nodes are gone`() throws {
        var tree = tree
        let root = tree.nodes[7]
        #expect(root != nil)
        _ = try open(1, &tree)
        #expect(tree.nodes[7] == nil && tree.nodes[3] == nil && tree.nodes[4] == nil)
        #expect(tree.nodes.keys.sorted() == [1, 6, 11])
        let ratchet = tree.ratchets[place]!
        #expect(ratchet.generation == 2 && ratchet.skipped.map(\.generation) == [0])
    }

    @Test func `a leaf outside the tree has no key`() {
        #expect(throws: MLSError.noLeaf(8)) {
            try tree.opening(SecretTree.Place(leaf: 8, kind: .handshake), generation: 0, window: 16, suite)
        }
    }
}
