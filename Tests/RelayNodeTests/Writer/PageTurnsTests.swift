import Federation
import RelayNode
import Testing
import Vocabulary

@Suite struct PageTurnsTests {
    private let start = Instant.start + .seconds(1)
    private let device = Destination.device(DeviceID(raw: .zero))
    private let submission = Submission(
        message: MessageID(raw: Bytes16(0, 1)), conversation: ConversationID(raw: Bytes16(1, 2)), hub: NodeID(raw: .zero),
        kind: .application(epoch: 0, payload: []))

    private func read(after input: NodeInput, at now: Instant) -> PageTurns {
        var turns = PageTurns()
        turns.heard(input, at: now)
        turns.read(until: now + .milliseconds(2), rest: PageTurns.rest(after: .milliseconds(2), forDevice: true))
        return turns
    }

    @Test func `while others write queues are read by devices for a thirtieth of the time, and alone all of it`() throws {
        let busy = read(after: .sessionFrame(SessionID(1), .submit(submission)), at: start)
        let end = start + .milliseconds(2)
        #expect(busy.rest(at: end) == end + .milliseconds(58))
        #expect(busy.rest(at: end + .milliseconds(58)) == nil)
        #expect(read(after: .sessionFrame(SessionID(1), .acknowledge(through: 1, watermarks: [])), at: start).rest(at: end) == nil)
        #expect(read(after: .linkFrame(LinkID(1), .acknowledge(through: 1)), at: start).rest(at: end) == nil)
        let signature = try #require(Signature(Array(repeating: 0, count: 64)))
        let receipt = Watermark(
            key: ConversationKey(hub: NodeID(raw: .zero), conversation: submission.conversation), device: DeviceID(raw: .zero), through: 1,
            chain: .zero, signature: signature)
        #expect(read(after: .linkFrame(LinkID(1), .entry(1, .receipt(receipt, devices: []))), at: start).rest(at: end) == nil)
    }

    @Test func `while others write a page is small, so that nobody waits for a large one`() {
        let busy = read(after: .sessionFrame(SessionID(1), .submit(submission)), at: start)
        #expect(busy.pageMax(of: device, at: start) == (PageTurns.entriesMax, PageTurns.bytesMax))
        #expect(busy.pageMax(of: device, at: start + PageTurns.othersMax) == (.max, .max))
        #expect(PageTurns().pageMax(of: device, at: start) == (.max, .max))
    }

    @Test func `a node that lacks much is given it more than seven times as fast as a device, in whole pages`() {
        let node = Destination.node(NodeID(raw: .zero))
        var turns = PageTurns()
        turns.heard(.sessionFrame(SessionID(1), .submit(submission)), at: start)
        turns.read(until: start + .milliseconds(2), rest: PageTurns.rest(after: .milliseconds(2), forDevice: false))
        #expect(turns.rest(at: start + .milliseconds(2)) == start + .milliseconds(8))
        #expect(turns.pageMax(of: node, at: start) == (.max, .max))
    }

    @Test func `what is asked for once more waits behind what is fetched first, and is not forgotten`() {
        var line = ReadingLine()
        let entry = RosterEntry(user: UserID(raw: .zero), device: DeviceID(raw: .zero))
        let (again, fresh) = (Reading.rows(.events([], for: entry)), Reading.rows(.log([], for: entry.device, in: SessionID(1))))
        for _ in 0..<3 { line.add(again) }
        for _ in 0..<10 { line.add(fresh) }
        #expect(line.count == 13)
        var order: [Reading] = []
        while let next = line.next() { order.append(next) }
        #expect(order == Array(repeating: fresh, count: ReadingLine.othersFirst) + [again, fresh, fresh, again, again])
        #expect(line.isEmpty)
    }

    @Test func `nobody rests for others who have stopped writing`() {
        let sender = RosterEntry(user: UserID(raw: .zero), device: DeviceID(raw: .zero))
        var turns = read(after: .linkFrame(LinkID(1), .entry(1, .submission(submission, sender: sender))), at: start)
        #expect(turns.rest(at: start + .milliseconds(3)) != nil)
        turns.read(until: start + .seconds(1), rest: .seconds(29))
        #expect(turns.rest(at: start + .seconds(1)) == nil)
    }
}
