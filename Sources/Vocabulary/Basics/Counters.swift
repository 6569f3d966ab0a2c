/// A counter that came from, or goes to, outside: 0...2^53, checked once, so that arithmetic on it cannot trap
/// and every JSON reader holds it exactly.
public protocol Counter: Hashable, Comparable, Sendable, CustomStringConvertible {
    var value: UInt64 { get }
    init(unchecked value: UInt64)
}

public let counterMax: UInt64 = 1 << 53

extension Counter {
    /// - Returns: nil above 2^53.
    @inlinable
    public init?(_ value: UInt64) {
        guard value <= counterMax else { return nil }
        self.init(unchecked: value)
    }

    /// The next one; stays at 2^53, which no honest counter reaches.
    @inlinable public var next: Self { Self(unchecked: Swift.min(value + 1, counterMax)) }
    public var description: String { String(value) }
    @inlinable public static func < (x: Self, y: Self) -> Bool { x.value < y.value }
}

/// The place of an event in its conversation: 1, 2, 3 … without gaps. Zero is "before the first".
public struct SequenceNumber: Counter, ExpressibleByIntegerLiteral {
    public static let zero: SequenceNumber = 0
    public let value: UInt64
    @inlinable public init(unchecked value: UInt64) { self.value = value }
    public init(integerLiteral value: UInt64) { self.init(unchecked: value) }
}

/// The place of an item in the queues of one node: rising, with gaps.
public struct QueuePosition: Counter, ExpressibleByIntegerLiteral {
    public static let zero: QueuePosition = 0
    public let value: UInt64
    @inlinable public init(unchecked value: UInt64) { self.value = value }
    public init(integerLiteral value: UInt64) { self.init(unchecked: value) }
}

/// An MLS epoch (RFC 9420 §8).
public struct Epoch: Counter, ExpressibleByIntegerLiteral {
    public let value: UInt64
    @inlinable public init(unchecked value: UInt64) { self.value = value }
    public init(integerLiteral value: UInt64) { self.init(unchecked: value) }
}
