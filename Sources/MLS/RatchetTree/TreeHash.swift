internal import Vocabulary

/// Hashes of subtrees, side by side in one array: copying a tree then copies one block of memory.
struct HashCache: Sendable {
    private var bytes: [UInt8] = []
    private var known: [Bool]
    private var length = 0

    init(nodes: Int) { known = Array(repeating: false, count: nodes) }

    mutating func forget(_ node: UInt32) { if Int(node) < known.count { known[Int(node)] = false } }

    mutating func resize(nodes: Int) {
        if nodes < known.count {
            known.removeLast(known.count - nodes)
            if length > 0 { bytes.removeLast(bytes.count - nodes * length) }
        } else {
            bytes.append(contentsOf: repeatElement(0, count: (nodes - known.count) * length))
            known.append(contentsOf: repeatElement(false, count: nodes - known.count))
        }
    }

    subscript(node: UInt32) -> ArraySlice<UInt8>? {
        let index = Int(node)
        return index < known.count && known[index] ? bytes[index * length..<(index + 1) * length] : nil
    }

    mutating func remember(_ node: UInt32, _ hash: [UInt8]) {
        if length == 0 {
            length = hash.count
            bytes = Array(repeating: 0, count: known.count * length)
        }
        guard hash.count == length, Int(node) < known.count else { return }
        let start = Int(node) * length
        for index in 0..<length { bytes[start + index] = hash[index] }
        known[Int(node)] = true
    }
}

/// Tree hashes (RFC 9420 §7.8) and parent hashes (§7.9).
extension RatchetTree {
    package mutating func treeHash(_ suite: any SuiteProvider) -> [UInt8] { hash(root, suite) }

    package mutating func hash(_ node: UInt32, _ suite: any SuiteProvider) -> [UInt8] {
        if let known = hashes[node] { return Array(known) }
        let hash: [UInt8]
        if let left = TreeMath.left(node), let right = TreeMath.right(node) {
            let (leftHash, rightHash) = (self.hash(left, suite), self.hash(right, suite))
            hash = suite.hash(Self.input(parent(node), leftHash, rightHash))
        } else {
            hash = suite.hash(Self.input(node / 2, leaf(node / 2)))
        }
        hashes.remember(node, hash)
        return hash
    }

    private static func input(_ index: UInt32, _ leaf: LeafNode?) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 8 + (leaf?.encoded.count ?? 0))
        writer.write(UInt8(1))
        writer.write(index)
        writer.write(optional: leaf) { writer, leaf in writer.write(leaf) }
        return writer.bytes
    }

    private static func input(_ parent: ParentNode?, _ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 160 + 4 * (parent?.unmergedLeaves.count ?? 0))
        writer.write(UInt8(2))
        writer.write(optional: parent) { writer, parent in writer.write(parent) }
        writer.write(opaque: left)
        writer.write(opaque: right)
        return writer.bytes
    }

    /// The hash of a subtree as it was before some leaves were added: they blank, and out of all unmerged lists (§7.9).
    mutating func hash(_ node: UInt32, without removed: ArraySlice<UInt32>, _ suite: any SuiteProvider) -> [UInt8] {
        guard !removed.isEmpty else { return hash(node, suite) }
        guard let left = TreeMath.left(node), let right = TreeMath.right(node) else {
            return suite.hash(Self.input(node / 2, nil))
        }
        let border = TreeMath.span(right).first
        let split = removed.firstIndex { $0 >= border } ?? removed.endIndex
        let leftHash = hash(left, without: removed[..<split], suite)
        let rightHash = hash(right, without: removed[split...], suite)
        var parent = parent(node)
        if let current = parent, !current.unmergedLeaves.isEmpty {
            // Both lists rise.
            let gone = Set(removed)
            parent = ParentNode(
                encryptionKey: current.encryptionKey, parentHash: current.parentHash,
                unmergedLeaves: current.unmergedLeaves.filter { !gone.contains($0) })
        }
        return suite.hash(Self.input(parent, leftHash, rightHash))
    }

    /// ParentHashInput of a node with the child that is off the path.
    static func parentHash(
        _ encryptionKey: [UInt8], parentHash: [UInt8], sibling: [UInt8], _ suite: any SuiteProvider
    ) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 112)
        writer.write(opaque: encryptionKey)
        writer.write(opaque: parentHash)
        writer.write(opaque: sibling)
        return suite.hash(writer.bytes)
    }

    /// The leaves of a rising list that lie below a node.
    static func below(_ node: UInt32, _ leaves: [UInt32]) -> ArraySlice<UInt32> {
        let span = TreeMath.span(node)
        let start = leaves.firstIndex { $0 >= span.first } ?? leaves.endIndex
        let end = leaves[start...].firstIndex { $0 - span.first >= span.count } ?? leaves.endIndex
        return leaves[start..<end]
    }

    /// Each parent must be chained to exactly one node below it (§7.9.2), and so in the end to a leaf that signed for it.
    mutating func checkParentHashes(_ suite: any SuiteProvider) throws(MLSError) {
        for index in parents.indices {
            guard let parent = parents[index] else { continue }
            let node = UInt32(index) * 2 + 1
            guard let left = TreeMath.left(node), let right = TreeMath.right(node) else { continue }
            let chains =
                (isChained(parent, child: left, sibling: right, suite) ? 1 : 0)
                + (isChained(parent, child: right, sibling: left, suite) ? 1 : 0)
            guard chains == 1 else { throw .invalidTree(.parentHash(node: node)) }
        }
    }

    private mutating func isChained(_ parent: ParentNode, child: UInt32, sibling: UInt32, _ suite: any SuiteProvider) -> Bool {
        // In the child's resolution there must be, besides the leaves that the parent does not know, one node alone.
        let unmerged = Self.below(child, parent.unmergedLeaves)
        let resolution = resolution(child)
        guard resolution.count == unmerged.count + 1 else { return false }
        let known = Set(unmerged.map { $0 * 2 })
        let rest = resolution.filter { !known.contains($0) }
        guard rest.count == 1, let node = rest.first else { return false }
        let claimed: [UInt8]
        if node & 1 == 1 {
            guard let lower = self.parent(node) else { return false }
            claimed = lower.parentHash
        } else {
            guard let leaf = leaf(node / 2), case .commit(let parentHash) = leaf.source else { return false }
            claimed = parentHash
        }
        let siblingHash = hash(sibling, without: Self.below(sibling, parent.unmergedLeaves), suite)
        return claimed
            == Self.parentHash(parent.encryptionKey, parentHash: parent.parentHash, sibling: siblingHash, suite)
    }
}
