import Federation
import RelayNode
import Testing
import Vocabulary

@Suite struct PageTurnsTests {
    private let start = Instant.start + .seconds(1)
    private let key = ConversationKey(hub: NodeID(raw: .zero), conversation: ConversationID(raw: Bytes16(1, 2)))

    private func read(after input: NodeInput, at now: Instant) -> PageTurns {
        var turns = PageTurns()
        turns.heard(input, at: now)
        turns.read(from: now, to: now + .milliseconds(2))
        return turns
    }

    @Test func `while others write queues are read for a twentieth of the time, and alone all of it`() {
        let submission = Submission(
            message: MessageID(raw: Bytes16(0, 1)), conversation: key.conversation, hub: key.hub, kind: .application(epoch: 0, payload: []))
        let busy = read(after: .sessionFrame(SessionID(1), .submit(submission)), at: start)
        let end = start + .milliseconds(2)
        #expect(busy.rest(at: end) == end + .milliseconds(38))
        #expect(busy.rest(at: end + .milliseconds(38)) == nil)
        #expect(read(after: .sessionFrame(SessionID(1), .acknowledge(through: 1, watermarks: [])), at: start).rest(at: end) == nil)
        #expect(read(after: .linkFrame(LinkID(1), .acknowledge(through: 1)), at: start).rest(at: end) == nil)
    }

    @Test func `while others write a page is small, so that nobody waits for a large one`() {
        let failure = Failure(key: key, message: MessageID(raw: Bytes16(0, 1)), refusal: Refusal(.expired, ""))
        let busy = read(after: .linkFrame(LinkID(1), .entry(1, .failed(failure, device: DeviceID(raw: .zero)))), at: start)
        #expect(busy.entriesMax(at: start) == PageTurns.entriesMax)
        #expect(busy.entriesMax(at: start + PageTurns.othersMax) == .max)
        #expect(PageTurns().entriesMax(at: start) == .max)
    }

    @Test func `nobody rests for others who have stopped writing`() {
        let failure = Failure(key: key, message: MessageID(raw: Bytes16(0, 1)), refusal: Refusal(.expired, ""))
        let device = DeviceID(raw: .zero)
        var turns = read(after: .linkFrame(LinkID(1), .entry(1, .failed(failure, device: device))), at: start)
        #expect(turns.rest(at: start + .milliseconds(3)) != nil)
        turns.read(from: start, to: start + .seconds(1))
        #expect(turns.rest(at: start + .seconds(1)) == nil)
    }
}
