/// Public keys, to be looked for among all of a tree's: in a group of a thousand that is half of what it costs to follow a commit.
struct KeySet {
    /// Hashed at once and not, as a `[UInt8]` would be, byte by byte.
    private struct Key: Hashable {
        let bytes: [UInt8]
        func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
    }

    private var keys: Set<Key> = []
    /// Which beginnings the keys have, a bit each: most keys that are not in a small set are known by it and need not be hashed.
    private var beginnings = [UInt64](repeating: 0, count: 64)

    /// - Returns: false if it was in already.
    mutating func insert(_ key: [UInt8]) -> Bool {
        let (word, bit) = Self.place(of: key)
        beginnings[word] |= bit
        return keys.insert(Key(bytes: key)).inserted
    }

    func contains(_ key: [UInt8]) -> Bool {
        let (word, bit) = Self.place(of: key)
        return beginnings[word] & bit != 0 && keys.contains(Key(bytes: key))
    }

    /// Twelve bits of the key, which are random in all but chosen keys.
    private static func place(of key: [UInt8]) -> (word: Int, bit: UInt64) {
        guard key.count > 2 else { return (0, 1) }
        return (Int(key[1] & 63), 1 << UInt64(key[2] & 63))
    }
}
