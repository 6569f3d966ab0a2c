public import Vocabulary

/// What befalls the network. Wires are streams, as TCP's are: what is sent arrives in order, late or not at all, and when a connection is
/// reset what was on its way is gone. So loss, repetition and reordering come as they do in life: from what both sides do after a reset.
public struct Weather: Sendable {
    /// A machine: the nodes first, then the devices.
    public typealias Host = Int

    public struct Path: Hashable, Sendable {
        public let from, to: Host
        public init(from: Host, to: Host) { (self.from, self.to) = (from, to) }
    }

    public var delay: ClosedRange<Duration> = .microseconds(100)...(.milliseconds(5))
    /// Until when nothing arrives that is sent one way.
    private var blocked: [Path: Instant] = [:]
    private var slow: [Path: (extra: Duration, until: Instant)] = [:]

    public init() {}

    public mutating func block(_ path: Path, until: Instant) { blocked[path] = max(blocked[path] ?? until, until) }
    public mutating func delay(_ path: Path, by extra: Duration, until: Instant) { slow[path] = (extra, until) }
    public mutating func clear() { (blocked, slow) = ([:], [:]) }

    func isBlocked(_ path: Path, at now: Instant) -> Bool { (blocked[path] ?? .start) > now }

    /// - Returns: when what is sent now would arrive, were it alone on the wire.
    func arrival(_ path: Path, at now: Instant, using random: inout some RandomNumberGenerator) -> Instant {
        let range = delay.lowerBound.nanoseconds...delay.upperBound.nanoseconds
        var time = now + .nanoseconds(Int64.random(in: range, using: &random))
        if let slow = slow[path], slow.until > now { time = time + slow.extra }
        if let blocked = blocked[path], blocked > now { time = max(time, blocked) }
        return time
    }
}
