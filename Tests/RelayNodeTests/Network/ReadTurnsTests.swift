import RelayNode
import Testing
import Vocabulary

@Suite struct ReadTurnsTests {
    private let start = Instant.start + .seconds(10)

    @Test func `while users write, a read that took long is followed by a rest of several times as long, and a short one by none`() {
        var turns = ReadTurns()
        turns.readBegins(at: start)
        turns.readEnded(at: start + .microseconds(200))
        #expect(turns.rest(at: start + .microseconds(200), wrote: start) == nil)
        // What one read brings comes in several pieces.
        turns.readBegins(at: start)
        turns.readBegins(at: start + .milliseconds(1))
        let end = start + .milliseconds(2)
        turns.readEnded(at: end)
        #expect(turns.rest(at: end, wrote: start) == end + .milliseconds(6))
        #expect(turns.rest(at: end + .milliseconds(6), wrote: start) == nil)
    }

    @Test func `where nobody writes there is no rest`() {
        var turns = ReadTurns()
        turns.readBegins(at: start)
        turns.readEnded(at: start + .milliseconds(5))
        #expect(turns.rest(at: start + .milliseconds(5), wrote: nil) == nil)
        #expect(turns.rest(at: start + .milliseconds(5), wrote: .start + .seconds(9)) == nil)
    }

    @Test func `frames of unknown kinds have a bound in each read`() {
        var turns = ReadTurns()
        for _ in 0..<3 {
            turns.readBegins(at: start)
            let passed = (0..<1_000).count { _ in turns.passesOver() }
            #expect(passed == Limits.unknownFramesPerReadMax)
            turns.readEnded(at: start)
        }
    }
}
