internal import Vocabulary

/// Index arithmetic of complete binary trees kept as arrays (RFC 9420 appendix C): leaf `n` at `2n`, parents between. Total functions: of a
/// node that has no such relative the result is nil.
package enum TreeMath {
    /// Trees have at most this many leaves, so that no index overflows.
    package static let leavesMax = Limits.mlsLeavesMax

    package static func nodeCount(leaves: UInt32) -> UInt32 { leaves == 0 ? 0 : 2 * leaves - 1 }

    /// The height of a node over the leaves.
    package static func level(_ node: UInt32) -> UInt32 { UInt32((~node).trailingZeroBitCount) }

    /// Of a tree with a power of two of leaves.
    package static func root(leaves: UInt32) -> UInt32 { leaves - 1 }

    package static func left(_ node: UInt32) -> UInt32? {
        let level = level(node)
        return level == 0 ? nil : node ^ (1 << (level - 1))
    }

    package static func right(_ node: UInt32) -> UInt32? {
        let level = level(node)
        return level == 0 ? nil : node ^ (3 << (level - 1))
    }

    package static func parent(_ node: UInt32, leaves: UInt32) -> UInt32? {
        guard node != root(leaves: leaves), node < nodeCount(leaves: leaves) else { return nil }
        let level = level(node)
        let bit = node >> (level + 1) & 1
        return (node | 1 << level) ^ (bit << (level + 1))
    }

    package static func sibling(_ node: UInt32, leaves: UInt32) -> UInt32? {
        guard let parent = parent(node, leaves: leaves) else { return nil }
        return node < parent ? right(parent) : left(parent)
    }

    /// The first leaf and the number of leaves below a node.
    package static func span(_ node: UInt32) -> (first: UInt32, count: UInt32) {
        let half: UInt32 = (1 << level(node)) - 1
        return ((node - half) / 2, half + 1)
    }

    package static func contains(_ node: UInt32, leaf: UInt32) -> Bool {
        let span = span(node)
        return leaf >= span.first && leaf - span.first < span.count
    }

    /// From the leaf's parent up to the root.
    package static func directPath(leaf: UInt32, leaves: UInt32) -> [UInt32] {
        var path: [UInt32] = []
        var node = leaf * 2
        while let parent = parent(node, leaves: leaves) {
            path.append(parent)
            node = parent
        }
        return path
    }

    package static func commonAncestor(_ x: UInt32, _ y: UInt32) -> UInt32 {
        var (a, b) = (x * 2, y * 2)
        var shift: UInt32 = 0
        while a != b {
            a >>= 1
            b >>= 1
            shift += 1
        }
        return shift == 0 ? a : (a << shift) + (1 << (shift - 1)) - 1
    }
}
