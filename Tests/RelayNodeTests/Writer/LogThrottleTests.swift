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
}
