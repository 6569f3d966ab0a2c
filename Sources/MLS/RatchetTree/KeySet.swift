/// Twelve bits of a public key, random in all but chosen keys: nearly every key that is not in a small set is known by them.
struct KeyMark {
    fileprivate let bits: UInt16

    /// - Parameter key: nil for a blank node.
    init(_ key: [UInt8]?) {
        guard let key, key.count > 2 else {
            bits = 0
            return
        }
        bits = UInt16(key[1] & 63) << 6 | UInt16(key[2] & 63)
    }
}

/// The marks of all keys of a tree, side by side: for who follows a commit, a look at each key itself would be most of the work, since the
/// nodes of a thousand members lie all over the memory.
struct KeyMarks {
    /// By node.
    private(set) var encryption: [KeyMark] = []
    /// By leaf.
    private(set) var signature: [KeyMark] = []

    mutating func resize(leaves: Int) {
        let excess = signature.count - leaves
        if excess > 0 {
            signature.removeLast(excess)
            encryption.removeLast(2 * excess)
        } else {
            signature.append(contentsOf: repeatElement(KeyMark(nil), count: -excess))
            encryption.append(contentsOf: repeatElement(KeyMark(nil), count: 2 * leaves - 1 - encryption.count))
        }
    }

    mutating func set(leaf index: Int, _ leaf: LeafNode?) {
        signature[index] = KeyMark(leaf?.signatureKey)
        encryption[2 * index] = KeyMark(leaf?.encryptionKey)
    }

    mutating func set(parent index: Int, _ parent: ParentNode?) { encryption[2 * index + 1] = KeyMark(parent?.encryptionKey) }
}

extension KeyMarks {
    init(leaves: NodeList<LeafNode>, parents: NodeList<ParentNode>) {
        resize(leaves: leaves.count)
        for (index, leaf) in leaves.enumerated() { set(leaf: index, leaf) }
        for (index, parent) in parents.enumerated() { set(parent: index, parent) }
    }
}

/// Public keys, to be looked for among all of a tree's.
struct KeySet {
    /// Hashed at once and not, as a `[UInt8]` would be, byte by byte.
    private struct Key: Hashable {
        let bytes: [UInt8]
        func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
    }

    private var keys: Set<Key> = []
    /// Which marks the keys have, a bit each.
    private var marks = [UInt64](repeating: 0, count: 64)

    /// - Returns: false if it was in already.
    mutating func insert(_ key: [UInt8]) -> Bool {
        let bits = KeyMark(key).bits
        marks[Int(bits >> 6)] |= 1 << UInt64(bits & 63)
        return keys.insert(Key(bytes: key)).inserted
    }

    func contains(_ key: [UInt8]) -> Bool { mayContain(KeyMark(key)) && keys.contains(Key(bytes: key)) }

    /// - Returns: false if no key of the mark is in.
    func mayContain(_ mark: KeyMark) -> Bool { marks[Int(mark.bits >> 6)] & 1 << UInt64(mark.bits & 63) != 0 }
}
