package import Vocabulary

/// One element of a reconciled set: the timestamp only sorts, the id is what the two sides compare.
/// Source: Negentropy Protocol V1, "Preparation".
package struct NegentropyItem: Hashable, Comparable, Sendable {
    /// Below 2^64 - 1, which stands for infinity.
    package let timestamp: UInt64
    package let id: Bytes32

    package init(timestamp: UInt64, id: Bytes32) { (self.timestamp, self.id) = (timestamp, id) }

    package static func < (x: NegentropyItem, y: NegentropyItem) -> Bool {
        x.timestamp != y.timestamp ? x.timestamp < y.timestamp : x.id < y.id
    }
}

/// The exclusive upper end of a range: a timestamp and the first bytes of an id, the others being zero.
struct NegentropyBound: Equatable {
    static let start = NegentropyBound(item: NegentropyItem(timestamp: 0, id: .zero), idBytes: 0)
    static let infinity = NegentropyBound(item: NegentropyItem(timestamp: .max, id: .zero), idBytes: 0)

    let item: NegentropyItem
    /// How many bytes of the id are sent: 0...32.
    let idBytes: Int

    /// The whole of an item: the range ends right before it.
    static func before(_ item: NegentropyItem) -> NegentropyBound { NegentropyBound(item: item, idBytes: 32) }

    /// The shortest bound that has `lower` below it and `upper` not.
    static func between(_ lower: NegentropyItem, _ upper: NegentropyItem) -> NegentropyBound {
        guard lower.timestamp == upper.timestamp else {
            return NegentropyBound(item: NegentropyItem(timestamp: upper.timestamp, id: .zero), idBytes: 0)
        }
        let (x, y) = (lower.id.bytes, upper.id.bytes)
        let shared = zip(x, y).prefix { $0 == $1 }.count
        let length = min(shared + 1, 32)
        let prefix = Array(y.prefix(length)) + [UInt8](repeating: 0, count: 32 - length)
        return NegentropyBound(item: NegentropyItem(timestamp: upper.timestamp, id: Bytes32(prefix) ?? upper.id), idBytes: length)
    }
}

/// The sum of ids as little-endian integers modulo 2^256: ids join and leave it in any order, and the sum of a range is the
/// difference of two sums.
/// Source: Negentropy Protocol V1, "Fingerprint Algorithm".
struct NegentropySum: Equatable, Sendable {
    static let zero = NegentropySum()
    /// Least significant first.
    private var a: UInt64 = 0, b: UInt64 = 0, c: UInt64 = 0, d: UInt64 = 0

    private init() {}

    init(_ id: Bytes32) {
        let words = id.words
        (a, b, c, d) = (words.0.byteSwapped, words.1.byteSwapped, words.2.byteSwapped, words.3.byteSwapped)
    }

    static func += (x: inout NegentropySum, y: NegentropySum) {
        var carry: UInt64 = 0
        func add(_ p: UInt64, _ q: UInt64) -> UInt64 {
            let (first, overflow) = p.addingReportingOverflow(q)
            let (sum, again) = first.addingReportingOverflow(carry)
            carry = overflow || again ? 1 : 0
            return sum
        }
        x.a = add(x.a, y.a)
        x.b = add(x.b, y.b)
        x.c = add(x.c, y.c)
        x.d = add(x.d, y.d)
    }

    static func -= (x: inout NegentropySum, y: NegentropySum) {
        var borrow: UInt64 = 0
        func subtract(_ p: UInt64, _ q: UInt64) -> UInt64 {
            let (first, overflow) = p.subtractingReportingOverflow(q)
            let (difference, again) = first.subtractingReportingOverflow(borrow)
            borrow = overflow || again ? 1 : 0
            return difference
        }
        x.a = subtract(x.a, y.a)
        x.b = subtract(x.b, y.b)
        x.c = subtract(x.c, y.c)
        x.d = subtract(x.d, y.d)
    }

    /// 32 bytes, least significant first.
    var bytes: [UInt8] {
        [a, b, c, d].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
    }
}
