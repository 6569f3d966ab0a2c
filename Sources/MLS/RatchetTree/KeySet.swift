/// Public keys, to be looked for among all of a tree's. Each is hashed at once and not, as a `[UInt8]` would be, byte by byte: in a group of
/// a thousand that was a third of what it costs to follow a commit.
struct KeySet {
    private struct Key: Hashable {
        let bytes: [UInt8]
        func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
    }

    private var keys: Set<Key> = []

    /// - Returns: false if it was in already.
    mutating func insert(_ key: [UInt8]) -> Bool { keys.insert(Key(bytes: key)).inserted }
    func contains(_ key: [UInt8]) -> Bool { keys.contains(Key(bytes: key)) }
}
