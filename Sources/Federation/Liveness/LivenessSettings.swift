internal import Vocabulary

/// How eager failure detection is. The defaults notice a dead node of a small federation in 4 to 8 seconds.
public struct LivenessSettings: Equatable, Sendable {
    /// One probe per interval, whatever the size of the federation. Lower: faster detection, more traffic.
    public var probeInterval = Duration.seconds(1)
    /// How long a direct ping waits before others are asked, at a round trip below a third of it. Lower: more indirect pings.
    public var pingTimeout = Duration.milliseconds(300)
    /// Others asked to ping a silent node (SWIM's k).
    public var helpers = 3
    /// A suspicion without any confirmation ends after `suspicionFactorMax` times the least time (Lifeguard's β) …
    public var suspicionFactorMax = 2
    /// … and the least time is this many intervals, times log10 of the members beyond ten (Lifeguard's α). Higher: fewer live nodes
    /// are called dead, dead ones are noticed later.
    public var suspicionIntervals = 3
    /// Confirmations that bring a suspicion down to its least time (Lifeguard's K).
    public var confirmations = 3
    /// How many of those who learn of a suspicion ping the suspect at once, on average. Higher: fewer live nodes are called dead, more
    /// traffic at a failure.
    public var callers = 8
    /// A claim is passed on this many times log10(members + 1), rounded up (SWIM's λ).
    public var retransmissionFactor = 3
    /// Intervals and timeouts are stretched up to this many times when this node itself is slow (Lifeguard's S).
    public var healthMax = 8
    /// Every so many intervals one dead member is pinged too: how partitions heal.
    public var deadProbeEvery = 4

    public init() {}

    /// Source: Lifeguard §IV-B: `max(min, max − (max − min) · log(c + 1) / log(K + 1))`.
    /// - Parameter members: this node included.
    public func suspicionTimeout(confirmedBy count: Int, members: Int) -> Duration {
        let least = probeInterval * suspicionIntervals * Logarithm.scale(members) / 100
        // With too few others to confirm, waiting for confirmations would only delay.
        let wanted = min(confirmations, members - 2)
        guard wanted > 0 else { return least }
        let most = least * suspicionFactorMax
        let progress = Logarithm.hundredths(of: count + 1) * 100 / Logarithm.hundredths(of: wanted + 1)
        return max(least, most - (most - least) * min(progress, 100) / 100)
    }

    func retransmissions(members: Int) -> Int {
        (retransmissionFactor * Logarithm.hundredths(of: members + 1) + 99) / 100
    }
}

/// log10 in hundredths, without Foundation.
enum Logarithm {
    /// 100 · log10(x), rounded down; 0 for x < 1.
    static func hundredths(of x: Int) -> Int {
        guard x > 1 else { return 0 }
        // log10(x) = log2(x) · 0.30103; log2 by bits, then linear between two powers (at most 0.09 too low).
        let power = x.bitWidth - 1 - x.leadingZeroBitCount
        let low = 1 << power
        let log2 = power * 1000 + (x - low) * 1000 / low
        return log2 * 30103 / 1_000_000
    }

    /// 100 · max(1, log10(members)).
    static func scale(_ members: Int) -> Int { max(100, hundredths(of: members)) }
}
