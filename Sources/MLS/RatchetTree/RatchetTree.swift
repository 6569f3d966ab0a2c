package import Vocabulary

/// An inner node (RFC 9420 §7.1). Never changes once made: the trees of all epochs share it.
package final class ParentNode: Equatable, Sendable, WireCodable {
    package let encryptionKey: [UInt8]
    package let parentHash: [UInt8]
    /// Leaves below that do not know the node's private key; rising.
    package let unmergedLeaves: [UInt32]

    package init(encryptionKey: [UInt8], parentHash: [UInt8], unmergedLeaves: [UInt32] = []) {
        (self.encryptionKey, self.parentHash, self.unmergedLeaves) = (encryptionKey, parentHash, unmergedLeaves)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        encryptionKey = try reader.bytes()
        parentHash = try reader.bytes()
        unmergedLeaves = try reader.indices()
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(opaque: encryptionKey)
        writer.write(opaque: parentHash)
        writer.write(indices: unmergedLeaves)
    }

    func adding(unmerged leaf: UInt32) -> ParentNode {
        var leaves = unmergedLeaves
        leaves.insert(leaf, at: leaves.firstIndex { $0 > leaf } ?? leaves.count)
        return ParentNode(encryptionKey: encryptionKey, parentHash: parentHash, unmergedLeaves: leaves)
    }

    /// Searches by halves: the list must rise.
    func isUnmerged(_ leaf: UInt32) -> Bool {
        var (low, high) = (0, unmergedLeaves.count)
        while low < high {
            let middle = (low + high) / 2
            if unmergedLeaves[middle] < leaf { low = middle + 1 } else { high = middle }
        }
        return low < unmergedLeaves.count && unmergedLeaves[low] == leaf
    }

    package static func == (x: ParentNode, y: ParentNode) -> Bool {
        x === y
            || (x.encryptionKey == y.encryptionKey && x.parentHash == y.parentHash && x.unmergedLeaves == y.unmergedLeaves)
    }
}

/// The public ratchet tree (RFC 9420 §4, §7): a complete binary tree, by array. A value: an epoch's tree is copied, changed, and
/// kept or dropped as a whole. The hashes of subtrees are remembered until something below changes.
package struct RatchetTree: Sendable {
    /// A power of two of them.
    package private(set) var leaves: NodeList<LeafNode>
    /// Node `2i + 1` at `i`.
    package private(set) var parents: NodeList<ParentNode>
    var hashes: HashCache
    private(set) var marks: KeyMarks
    /// Types of credentials: those of all leaves are among them, and every leaf has all of them among its capabilities. Nil while that is
    /// not known; `checkFit` looks.
    var credentialTypes: [UInt16]?
    /// No leaf before this one is blank.
    private var firstBlank: UInt32 = 0

    package var leafCount: UInt32 { UInt32(leaves.count) }
    package var nodeCount: UInt32 { TreeMath.nodeCount(leaves: leafCount) }
    package var root: UInt32 { TreeMath.root(leaves: leafCount) }

    init(_ leaf: LeafNode) {
        (leaves, parents, hashes) = (NodeList([leaf]), NodeList([]), HashCache(nodes: 1))
        marks = KeyMarks(leaves: leaves, parents: parents)
    }

    // MARK: Nodes

    package func leaf(_ index: UInt32) -> LeafNode? { index < leafCount ? leaves[Int(index)] : nil }

    package func parent(_ node: UInt32) -> ParentNode? {
        let index = Int(node / 2)
        return node & 1 == 1 && index < parents.count ? parents[index] : nil
    }

    package func encryptionKey(_ node: UInt32) -> [UInt8]? {
        node & 1 == 0 ? leaf(node / 2)?.encryptionKey : parent(node)?.encryptionKey
    }

    package func isBlank(_ node: UInt32) -> Bool { node & 1 == 0 ? leaf(node / 2) == nil : parent(node) == nil }

    /// The members, by rising leaf index.
    package var members: [(index: UInt32, leaf: LeafNode)] {
        leaves.indices.compactMap { index in leaves[index].map { (UInt32(index), $0) } }
    }

    package mutating func set(parent node: UInt32, _ value: ParentNode?) {
        let index = Int(node / 2)
        guard node & 1 == 1, index < parents.count else { return }
        parents[index] = value
        marks.set(parent: index, value)
        hashes.forget(node)
    }

    /// Sets a leaf and forgets the hashes above it.
    package mutating func set(leaf index: UInt32, _ value: LeafNode?) {
        guard index < leafCount else { return }
        leaves[Int(index)] = value
        marks.set(leaf: Int(index), value)
        if let value, let types = credentialTypes, !types.contains(value.credential.type) || !value.supports(credentials: types) {
            credentialTypes = nil
        }
        hashes.forget(index * 2)
        for node in TreeMath.directPath(leaf: index, leaves: leafCount) { hashes.forget(node) }
        if value == nil { firstBlank = min(firstBlank, index) }
    }

    // MARK: Changes (§7.7, §12.1)

    /// Puts a newcomer into the leftmost blank leaf; the nodes above know it as unmerged.
    mutating func add(_ leaf: LeafNode) throws(MLSError) -> UInt32 {
        let index = try reserveLeaf()
        for node in TreeMath.directPath(leaf: index, leaves: leafCount) {
            if let parent = parent(node) { set(parent: node, parent.adding(unmerged: index)) }
        }
        set(leaf: index, leaf)
        return index
    }

    /// The leftmost blank leaf; extends a full tree.
    mutating func reserveLeaf() throws(MLSError) -> UInt32 {
        while firstBlank < leafCount, leaves[Int(firstBlank)] != nil { firstBlank += 1 }
        if firstBlank == leafCount {
            guard leafCount < TreeMath.leavesMax else { throw .limitReached("leaves of a tree") }
            leaves.resize(to: leaves.count * 2)
            parents.resize(to: leaves.count - 1)
            hashes.resize(nodes: Int(nodeCount))
            marks.resize(leaves: leaves.count)
        }
        return firstBlank
    }

    mutating func update(_ index: UInt32, _ leaf: LeafNode) {
        set(leaf: index, leaf)
        blankPath(index)
    }

    mutating func remove(_ index: UInt32) {
        set(leaf: index, nil)
        blankPath(index)
        truncate()
    }

    mutating func blankPath(_ index: UInt32) {
        for node in TreeMath.directPath(leaf: index, leaves: leafCount) { set(parent: node, nil) }
    }

    /// Halves the tree while its right half has no member.
    private mutating func truncate() {
        while leaves.count > 1, leaves[(leaves.count / 2)...].allSatisfy({ $0 == nil }) {
            leaves.resize(to: leaves.count / 2)
            parents.resize(to: leaves.count - 1)
            hashes.resize(nodes: Int(nodeCount))
            marks.resize(leaves: leaves.count)
        }
        firstBlank = min(firstBlank, leafCount)
    }

    // MARK: Resolutions (§4.1.1)

    /// - Parameter excluded: leaves to leave out: those that the same commit adds.
    package func resolution(_ node: UInt32, excluding excluded: Set<UInt32> = []) -> [UInt32] {
        var result: [UInt32] = []
        resolve(node, excluded, into: &result)
        return result
    }

    private func resolve(_ node: UInt32, _ excluded: Set<UInt32>, into result: inout [UInt32]) {
        if node & 1 == 0 {
            if leaf(node / 2) != nil, excluded.isEmpty || !excluded.contains(node / 2) { result.append(node) }
        } else if let parent = parent(node) {
            result.append(node)
            for leaf in parent.unmergedLeaves where leaf < leafCount && !excluded.contains(leaf) { result.append(leaf * 2) }
        } else if let left = TreeMath.left(node), let right = TreeMath.right(node) {
            resolve(left, excluded, into: &result)
            resolve(right, excluded, into: &result)
        }
    }

    private func hasMembers(_ node: UInt32) -> Bool {
        if !isBlank(node) { return true }
        guard let left = TreeMath.left(node), let right = TreeMath.right(node) else { return false }
        return hasMembers(left) || hasMembers(right)
    }

    /// The nodes above a leaf that get new keys, from the leaf upwards, each with its child off the path: those whose
    /// off-path child has nobody to tell are left out (§4.1.2).
    package func filteredDirectPath(_ leaf: UInt32) -> [(node: UInt32, copath: UInt32)] {
        var path: [(node: UInt32, copath: UInt32)] = []
        var child = leaf * 2
        while let node = TreeMath.parent(child, leaves: leafCount) {
            if let copath = TreeMath.sibling(child, leaves: leafCount), hasMembers(copath) { path.append((node, copath)) }
            child = node
        }
        return path
    }
}

extension RatchetTree: Equatable {
    package static func == (x: RatchetTree, y: RatchetTree) -> Bool { x.leaves == y.leaves && x.parents == y.parents }
}

extension RatchetTree: WireCodable {
    /// The `ratchet_tree` vector (§12.4.3.3): no blanks at the end.
    package func write(to writer: inout ByteWriter) {
        var last = Int(nodeCount) - 1
        while last > 0, isBlank(UInt32(last)) { last -= 1 }
        var inner = ByteWriter(reservingCapacity: leaves.count * 384)
        for node in 0...UInt32(last) {
            if node & 1 == 0 {
                inner.write(optional: leaves[Int(node / 2)]) { writer, leaf in
                    writer.write(UInt8(1))
                    writer.write(leaf)
                }
            } else {
                inner.write(optional: parents[Int(node / 2)]) { writer, parent in
                    writer.write(UInt8(2))
                    writer.write(parent)
                }
            }
        }
        writer.write(opaque: inner.bytes)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        var inner = ByteReader(try reader.opaque())
        var leaves: [LeafNode?] = []
        var parents: [ParentNode?] = []
        var node: UInt32 = 0
        var endsBlank = true
        while !inner.isEmpty {
            guard node < 2 * TreeMath.leavesMax - 1 else { throw .tooLong(bytes: Int(node), max: Int(TreeMath.leavesMax)) }
            endsBlank = false
            switch (try inner.integer(UInt8.self), node & 1) {
            case (0, let odd):
                endsBlank = true
                if odd == 0 { leaves.append(nil) } else { parents.append(nil) }
            case (1, let odd):
                let type: UInt8 = try inner.integer()
                guard type == (odd == 0 ? 1 : 2) else { throw .badValue("a node type: leaves stand at even places, parents at odd ones") }
                if odd == 0 { leaves.append(try inner.value()) } else { parents.append(try inner.value()) }
            default: throw .badValue("an optional's presence byte")
            }
            node += 1
        }
        guard !endsBlank else { throw .badValue("a tree that is empty or ends in a blank node") }
        guard node & 1 == 1 else { throw .badValue("a tree of an even number of nodes") }
        var count = 1
        while count < leaves.count { count *= 2 }
        (self.leaves, self.parents) = (NodeList(leaves), NodeList(parents))
        self.leaves.resize(to: count)
        self.parents.resize(to: count - 1)
        hashes = HashCache(nodes: 2 * count - 1)
        marks = KeyMarks(leaves: self.leaves, parents: self.parents)
    }

    package init(leaves: some Sequence<LeafNode?>, parents: some Sequence<ParentNode?>) throws(MLSError) {
        (self.leaves, self.parents) = (NodeList(leaves), NodeList(parents))
        let count = self.leaves.count
        guard count > 0, count <= TreeMath.leavesMax, count.nonzeroBitCount == 1, self.parents.count == count - 1 else {
            throw .invalidState("a number of leaves")
        }
        hashes = HashCache(nodes: count * 2 - 1)
        marks = KeyMarks(leaves: self.leaves, parents: self.parents)
    }
}
