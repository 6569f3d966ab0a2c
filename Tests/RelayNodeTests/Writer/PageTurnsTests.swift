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
        turns.read(.fresh, in: .milliseconds(2), forDevice: true)
        turns.turnEnded(at: now + .milliseconds(2))
        return turns
    }

    private func due(_ turns: PageTurns, at now: Instant) -> Instant? { turns.next(of: (fresh: true, again: false), at: now)?.due }

    @Test func `while others write queues are read by devices for a thirtieth of the time, and alone all of it`() throws {
        let busy = read(after: .sessionFrame(SessionID(1), .submit(submission)), at: start)
        let end = start + .milliseconds(2)
        #expect(due(busy, at: end) == end + .milliseconds(58))
        #expect(due(busy, at: end + .milliseconds(58)) == end + .milliseconds(58))
        #expect(due(read(after: .sessionFrame(SessionID(1), .acknowledge(through: 1, watermarks: [])), at: start), at: end) == end)
        #expect(due(read(after: .linkFrame(LinkID(1), .acknowledge(through: 1)), at: start), at: end) == end)
        let signature = try #require(Signature(Array(repeating: 0, count: 64)))
        let receipt = Watermark(
            key: ConversationKey(hub: NodeID(raw: .zero), conversation: submission.conversation), device: DeviceID(raw: .zero), through: 1,
            chain: .zero, signature: signature)
        #expect(due(read(after: .linkFrame(LinkID(1), .entry(1, .receipt(receipt, devices: []))), at: start), at: end) == end)
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
        turns.read(.fresh, in: .milliseconds(2), forDevice: false)
        turns.turnEnded(at: start + .milliseconds(2))
        #expect(due(turns, at: start + .milliseconds(2)) == start + .milliseconds(8))
        #expect(turns.pageMax(of: node, at: start) == (.max, .max))
    }

    /// So much is read in each millisecond, with what is always asked for: how long in all of each kind.
    private func share(isFetched: Bool, othersWrite: Bool, again: Duration) -> (fresh: Duration, again: Duration) {
        var turns = PageTurns()
        var (fresh, all) = (Duration.zero, Duration.zero)
        var now = start
        let end = start + .seconds(30)
        while now < end {
            if othersWrite { turns.heard(.sessionFrame(SessionID(1), .submit(submission)), at: now) }
            let (kind, due) = turns.next(of: (fresh: isFetched, again: true), at: now) ?? (.fresh, now + .milliseconds(1))
            guard due <= now else {
                now = now + .milliseconds(1)
                continue
            }
            let time = kind == .again ? again : .microseconds(500)
            turns.read(kind, in: time, forDevice: true)
            now = now + time
            turns.turnEnded(at: now)
            if kind == .again { all += time } else { fresh += time }
        }
        return (fresh, all)
    }

    @Test func `what is asked for once more has a tenth of the time of what is fetched first, and no fresh page rests for it`() {
        let busy = share(isFetched: true, othersWrite: true, again: .milliseconds(5))
        #expect(busy.fresh > .milliseconds(900), "a thirtieth of 30 s")
        #expect(busy.again > .milliseconds(70) && busy.again < .milliseconds(130))
        let calm = share(isFetched: true, othersWrite: false, again: .milliseconds(5))
        #expect(calm.fresh > .seconds(26))
        #expect(calm.again > .seconds(2) && calm.again < .milliseconds(3_300))
        let alone = share(isFetched: false, othersWrite: true, again: .milliseconds(5))
        #expect(alone.again > .milliseconds(900) && alone.again < .milliseconds(1_100))
        #expect(share(isFetched: false, othersWrite: false, again: .milliseconds(5)).again > .seconds(29))
    }

    @Test func `between two pages of somebody's what is asked for once more does not take the time`() {
        var turns = read(after: .sessionFrame(SessionID(1), .submit(submission)), at: start)
        turns.read(.again, in: .milliseconds(1), forDevice: true)
        turns.turnEnded(at: start + .milliseconds(3))
        let now = start + .milliseconds(40)
        turns.heard(.sessionFrame(SessionID(1), .submit(submission)), at: now)
        #expect(turns.next(of: (fresh: false, again: true), at: now).map { $0.due > now } == true)
        #expect(turns.next(of: (fresh: true, again: true), at: start + .milliseconds(61)).map { $0.kind == .fresh } == true)
    }

    @Test func `who has many devices has no more turns than who has one`() {
        func device(_ number: UInt8) -> DeviceID { DeviceID(raw: Bytes32([UInt8](repeating: number, count: 32)) ?? .zero) }
        func user(_ number: UInt8) -> UserID { UserID(raw: Bytes32([UInt8](repeating: number, count: 32)) ?? .zero) }
        var line = ReadingLine()
        for number in 1...16 as ClosedRange<UInt8> {
            line.add(.rows(.log([], for: device(number), in: SessionID(1)))) { _ in user(1) }
            line.add(.rows(.events([], for: RosterEntry(user: user(1), device: device(number))))) { _ in nil }
        }
        let log = Reading.rows(.log([], for: device(20), in: SessionID(1)))
        let events = Reading.rows(.events([], for: RosterEntry(user: user(2), device: device(20))))
        line.add(log) { _ in user(2) }
        line.add(events) { _ in nil }
        #expect(line.count == 34 && line.waits == (true, true))
        _ = (line.next(.fresh), line.next(.again))
        #expect(line.next(.fresh) == log)
        #expect(line.next(.again) == events)
        while line.next(.fresh) != nil || line.next(.again) != nil {}
        #expect(line.isEmpty)
    }

    @Test func `nobody rests for others who have stopped writing`() {
        let sender = RosterEntry(user: UserID(raw: .zero), device: DeviceID(raw: .zero))
        var turns = read(after: .linkFrame(LinkID(1), .entry(1, .submission(submission, sender: sender))), at: start)
        #expect(due(turns, at: start + .milliseconds(3)).map { $0 > start + .milliseconds(3) } == true)
        turns.read(.fresh, in: .seconds(1), forDevice: true)
        turns.turnEnded(at: start + .seconds(1))
        #expect(due(turns, at: start + .seconds(1)) == start + .seconds(1))
    }
}
