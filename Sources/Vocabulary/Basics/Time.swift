/// A reading of the monotonic clock: only differences mean anything. Never stored, never sent.
public struct Instant: Hashable, Comparable, Sendable {
    public static let start = Instant(nanoseconds: 0)
    public let nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static func + (x: Instant, y: Duration) -> Instant {
        let sum = x.nanoseconds.addingReportingOverflow(y.nanoseconds)
        return Instant(nanoseconds: sum.overflow ? .max : sum.partialValue)
    }

    public static func - (x: Instant, y: Instant) -> Duration {
        let difference = x.nanoseconds.subtractingReportingOverflow(y.nanoseconds)
        return .nanoseconds(difference.overflow ? .max : difference.partialValue)
    }

    public static func < (x: Instant, y: Instant) -> Bool { x.nanoseconds < y.nanoseconds }
}

extension Duration {
    /// Saturates at ±292 years.
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let product = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !product.overflow else { return seconds < 0 ? .min : .max }
        let sum = product.partialValue.addingReportingOverflow(attoseconds / 1_000_000_000)
        return sum.overflow ? (seconds < 0 ? .min : .max) : sum.partialValue
    }

    public var milliseconds: Int64 { nanoseconds / 1_000_000 }
    public static func minutes(_ count: Int64) -> Duration { .seconds(count * 60) }
    public static func hours(_ count: Int64) -> Duration { .seconds(count * 3600) }
    public static func days(_ count: Int64) -> Duration { .seconds(count * 86400) }
}

/// Wall time in milliseconds since 1970 (UTC): data that people see and that sorts; nothing trusts it.
public struct Timestamp: Hashable, Comparable, Sendable {
    public let milliseconds: Int64

    /// Clamped to 0...2^53.
    public init(milliseconds: Int64) { self.milliseconds = Swift.max(0, Swift.min(milliseconds, Int64(counterMax))) }

    public var seconds: UInt64 { UInt64(milliseconds / 1000) }

    public static func + (x: Timestamp, y: Duration) -> Timestamp {
        Timestamp(milliseconds: x.milliseconds + Swift.max(-Int64(counterMax), Swift.min(y.milliseconds, Int64(counterMax))))
    }

    public static func < (x: Timestamp, y: Timestamp) -> Bool { x.milliseconds < y.milliseconds }
}
