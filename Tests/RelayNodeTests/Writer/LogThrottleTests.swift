import RelayNode
import Testing
import Vocabulary

@Suite struct LogThrottleTests {
    @Test func `what a node causes again and again fills no log, is counted, and hides nothing of others`() {
        var throttle = LogThrottle()
        let (loud, other) = (NodeID(raw: Bytes32([UInt8](repeating: 1, count: 32)) ?? .zero), NodeID(raw: .zero))
        let start = Instant.start + .seconds(1)
        func lines(_ count: Int, at now: Instant) -> [Int] { (0..<count).compactMap { _ in throttle.take("bad", of: loud, at: now) } }
        #expect(lines(1_000, at: start) == Array(repeating: 0, count: LogThrottle.atOnce))
        #expect(throttle.take("bad", of: other, at: start) == 0 && throttle.take("worse", of: loud, at: start) == 0)
        let later = start + LogThrottle.interval
        #expect(lines(1_000, at: later) == [1_000 - LogThrottle.atOnce])
        #expect(lines(1_000, at: later + LogThrottle.interval) == [999])
        // Silent for a while, it is heard as at first.
        #expect(lines(1, at: later + LogThrottle.interval * 2) == [999])
        #expect(lines(1_000, at: later + LogThrottle.interval * 3).count == LogThrottle.atOnce)
    }

    @Test func `strangers with a new key each share a pace, and what is long ago makes room for others`() {
        var throttle = LogThrottle()
        let start = Instant.start + .seconds(1)
        func lines(_ strangers: Range<Int>, at now: Instant) -> Int {
            strangers.count { number in
                let bytes = (0..<32).map { $0 < 4 ? UInt8(truncatingIfNeeded: number >> ($0 * 8)) : 0 }
                return throttle.take("refused", of: NodeID(raw: Bytes32(bytes) ?? .zero), at: now) != nil
            }
        }
        #expect(lines(1..<100_000, at: start) <= LogThrottle.nodesMax + LogThrottle.atOnce)
        #expect(throttle.take("bad", of: NodeID(raw: .zero), at: start) == 0)
        #expect(lines(200_000..<200_010, at: start + LogThrottle.interval * 3) == 10)
    }
}
