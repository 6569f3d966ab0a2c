import Federation
import Testing
import Vocabulary

/// Queues with the disk they order, as small as it can be.
private struct Desk {
    var queues = Queues(highest: 0)
    var disk: [Destination: [StoredEntry]] = [:]
    var sent: [QueuePosition] = []
    /// How often it was said that all had been sent.
    var caughtUp = 0
    let to: Destination

    init(_ to: Destination = Desk.device(1)) { self.to = to }

    static func device(_ number: UInt8) -> Destination {
        .device(DeviceID(raw: Bytes32([UInt8](repeating: number, count: 32)) ?? .zero))
    }

    @discardableResult
    mutating func append(bytes: Int = 10, slot: Queues.Slot? = nil) -> QueuePosition {
        let position = queues.nextPosition
        let (writes, push) = queues.append(to: to, content: [UInt8](repeating: 1, count: bytes), event: nil, bytes: bytes, slot: slot)
        perform(writes)
        if let push { sent.append(push.1) }
        return position
    }

    mutating func perform(_ writes: [StoreWrite]) {
        for write in writes {
            switch write {
            case .enqueue(let entry):
                disk[to, default: []].append(StoredEntry(position: entry.position, content: entry.content, event: nil))
            case .dequeue(_, let through): disk[to]?.removeAll { $0.position <= through }
            case .withdraw(_, let position): disk[to]?.removeAll { $0.position == position }
            default: break
            }
        }
    }

    func read(_ page: Queues.Page) -> [StoredEntry] {
        Array((disk[to] ?? []).filter { $0.position > page.after }.prefix(page.entriesMax))
    }

    /// Sends all that the window allows.
    mutating func goOn() {
        while let page = queues.nextPage(of: to) {
            guard let answer = queues.paged(page, read(page)) else { return }
            sent += answer.entries.map(\.position)
        }
        caughtUp += queues.hasCaughtUp(to) ? 1 : 0
    }

    /// Orders a page, as the first half of `goOn`.
    mutating func order() throws -> Queues.Page {
        let page = queues.nextPage(of: to)
        return try #require(page)
    }

    /// What was read arrives, as the second half.
    @discardableResult
    mutating func arrive(_ page: Queues.Page, _ stored: [StoredEntry]) -> Bool {
        guard let answer = queues.paged(page, stored) else { return false }
        sent += answer.entries.map(\.position)
        return true
    }

    mutating func attach(_ session: UInt64 = 1) {
        sent = []
        queues.attach(.session(SessionID(session)), to: to)
        goOn()
    }

    mutating func acknowledge(_ position: QueuePosition) {
        perform(queues.acknowledge(to, through: position))
        goOn()
    }
}

private func slot(_ number: UInt8) -> Queues.Slot {
    let bytes = Bytes32([UInt8](repeating: number, count: 32)) ?? .zero
    return Queues.Slot(key: ConversationKey(hub: NodeID(raw: bytes), conversation: .numbered(1)), device: DeviceID(raw: bytes))
}

@Suite struct QueuesTests {
    @Test func `entries are sent at once, in order, while somebody takes them and the window has room`() {
        var desk = Desk()
        desk.append()
        #expect(desk.sent.isEmpty)
        desk.attach()
        let second = desk.append()
        #expect(desk.sent.count == 2 && desk.sent.last == second && desk.sent == desk.sent.sorted())
    }

    @Test func `no more than a window goes out unacknowledged, and then page by page`() {
        var desk = Desk()
        desk.attach()
        let positions = (0..<1_000).map { _ in desk.append() }
        #expect(desk.sent == Array(positions.prefix(Limits.pushWindowEntries)))
        while let last = desk.sent.last, desk.sent.count < 1_000 {
            let before = desk.sent.count
            desk.acknowledge(last)
            #expect(desk.sent.count > before && desk.sent.count - before <= Limits.pushWindowEntries)
            guard desk.sent.count > before else { break }
        }
        #expect(desk.sent == positions)
    }

    @Test func `the window counts bytes, and takes one entry of any size`() {
        var desk = Desk()
        desk.attach()
        for _ in 0..<5 { desk.append(bytes: Limits.pushWindowBytes * 2 / 5) }
        #expect(desk.sent.count == 2)
        var other = Desk()
        other.attach()
        other.append(bytes: Limits.pushWindowBytes * 3)
        #expect(other.sent.count == 1)
    }

    @Test func `a window that opened is filled from disk although nothing new comes`() {
        var desk = Desk()
        for _ in 0..<300 { desk.append() }
        desk.attach()
        #expect(desk.sent.count == Limits.pushWindowEntries)
        desk.acknowledge(desk.sent[Limits.pushWindowEntries - 1])
        #expect(desk.sent.count == 300)
    }

    @Test func `acknowledged entries are gone and the acknowledgement of nothing new writes nothing`() {
        var desk = Desk()
        desk.attach()
        let positions = (0..<3).map { _ in desk.append() }
        #expect(desk.queues.acknowledge(desk.to, through: positions[1]) == [.dequeue(desk.to, through: positions[1])])
        #expect(desk.queues.acknowledge(desk.to, through: positions[1]).isEmpty)
        #expect(desk.queues.acknowledge(desk.to, through: 0).isEmpty)
        #expect(desk.queues.count(of: desk.to) == 1 && desk.queues.entries == 1 && desk.queues.bytes == 10)
        #expect(desk.queues.acknowledge(Desk.device(9), through: 5).isEmpty)
    }

    @Test func `who attaches again is sent everything that is not acknowledged`() {
        var desk = Desk()
        desk.attach()
        let positions = (0..<5).map { _ in desk.append() }
        desk.acknowledge(positions[1])
        desk.queues.detach(.session(SessionID(1)), from: desk.to)
        let late = desk.append()
        desk.attach(2)
        #expect(desk.sent == Array(positions[2...]) + [late])
    }

    @Test func `a page that was ordered for an earlier receiver is not sent to a later one`() throws {
        var desk = Desk()
        desk.append()
        desk.queues.attach(.session(SessionID(1)), to: desk.to)
        let page = try desk.order()
        desk.queues.attach(.session(SessionID(2)), to: desk.to)
        #expect(desk.arrive(page, desk.read(page)) == false)
        desk.goOn()
        #expect(desk.sent.count == 1)
    }

    @Test func `detaching takes away only the receiver that is there`() {
        var desk = Desk()
        desk.attach(1)
        desk.attach(2)
        #expect(desk.queues.detach(.session(SessionID(1)), from: desk.to) == false)
        #expect(desk.queues.receiver(of: desk.to) == .session(SessionID(2)))
        #expect(desk.queues.detach(.session(SessionID(2)), from: desk.to) == true)
        #expect(desk.queues.receiver(of: desk.to) == nil)
    }

    @Test func `a newer watermark takes the place of one that was not sent, and of that only`() {
        var desk = Desk()
        let old = desk.append(slot: slot(1))
        let other = desk.append(slot: slot(2))
        let new = desk.append(slot: slot(1))
        #expect(desk.queues.count(of: desk.to) == 2)
        desk.attach()
        #expect(desk.sent == [other, new] && !desk.sent.contains(old))
        // It was sent: the newer one follows it.
        let newest = desk.append(slot: slot(1))
        #expect(desk.sent == [other, new, newest] && desk.queues.count(of: desk.to) == 3)
    }

    @Test func `a watermark replaced while its page was read is not sent and takes no room in the window`() throws {
        var desk = Desk()
        for _ in 0..<Limits.pushWindowEntries - 1 { desk.append() }
        desk.append(slot: slot(1))
        desk.queues.attach(.session(SessionID(1)), to: desk.to)
        let page = try desk.order()
        let stored = desk.read(page)
        let new = desk.append(slot: slot(1))
        desk.arrive(page, stored)
        desk.goOn()
        #expect(desk.sent.count == Limits.pushWindowEntries && desk.sent.last == new)
        desk.acknowledge(new)
        let positions = (0..<Limits.pushWindowEntries).map { _ in desk.append() }
        #expect(desk.sent.suffix(Limits.pushWindowEntries) == ArraySlice(positions))
    }

    @Test func `an entry that came while an empty page was read is sent`() throws {
        var desk = Desk()
        let first = desk.append()
        desk.queues.attach(.session(SessionID(1)), to: desk.to)
        let page = try desk.order()
        // Taken in the same batch: the page finds nothing.
        desk.perform(desk.queues.acknowledge(desk.to, through: first))
        let stored = desk.read(page)
        let second = desk.append()
        #expect(stored.isEmpty)
        desk.arrive(page, stored)
        desk.goOn()
        #expect(desk.sent == [second])
    }

    @Test func `a disk that lacks what memory has is believed, not asked for ever`() throws {
        var desk = Desk()
        desk.append()
        desk.disk = [:]
        desk.queues.attach(.session(SessionID(1)), to: desk.to)
        let page = try desk.order()
        desk.arrive(page, [])
        #expect(desk.queues.nextPage(of: desk.to) == nil)
    }

    @Test func `withdrawn entries give their room in the window back`() throws {
        var desk = Desk()
        for _ in 0..<32 { desk.append(bytes: 64 * 1024) }
        desk.queues.attach(.session(SessionID(1)), to: desk.to)
        var withdrawn = 0
        while let page = desk.queues.nextPage(of: desk.to) {
            let answer = desk.queues.paged(page, desk.read(page))
            for entry in answer?.entries ?? [] {
                desk.perform([desk.queues.withdraw(desk.to, entry.position)])
                withdrawn += 1
            }
        }
        #expect(withdrawn == 32 && desk.queues.entries == 0 && desk.queues.bytes == 0)
        desk.append()
        #expect(desk.sent.count == 1)
    }

    @Test func `that all was sent is said once after attaching, and not before`() {
        var desk = Desk()
        for _ in 0..<300 { desk.append() }
        desk.goOn()
        #expect(desk.caughtUp == 0)
        desk.attach()
        #expect(desk.caughtUp == 0)
        desk.acknowledge(desk.sent[200])
        #expect(desk.caughtUp == 1)
        desk.append()
        desk.goOn()
        #expect(desk.caughtUp == 1)
        desk.attach(2)
        desk.goOn()
        #expect(desk.caughtUp == 2, "said anew to who attaches anew")
    }

    @Test func `an empty queue has caught up at once`() {
        var desk = Desk()
        desk.attach()
        desk.goOn()
        #expect(desk.caughtUp == 1)
    }

    @Test func `a full queue refuses the new and keeps the old, and other queues take on`() {
        var desk = Desk()
        #expect(desk.queues.refusal(for: desk.to) == nil)
        desk.queues.restore(
            desk.to, lines: (1...Limits.queueEntriesPerDeviceMax).map { (position: QueuePosition(unchecked: UInt64($0)), bytes: 1) })
        #expect(desk.queues.refusal(for: desk.to)?.code == .queueFull)
        #expect(desk.queues.count(of: desk.to) == Limits.queueEntriesPerDeviceMax)
        #expect(desk.queues.refusal(for: Desk.device(2)) == nil)
        _ = desk.queues.acknowledge(desk.to, through: 1)
        #expect(desk.queues.refusal(for: desk.to) == nil)
    }

    @Test func `a queue is full by its bytes, too`() {
        var queues = Queues(highest: 0)
        queues.restore(Desk.device(1), lines: [(1, Limits.queueBytesPerDeviceMax - 1)])
        #expect(queues.refusal(for: Desk.device(1)) == nil)
        _ = queues.append(to: Desk.device(1), content: [1], event: nil, bytes: 1)
        #expect(queues.refusal(for: Desk.device(1))?.code == .queueFull)
    }

    @Test func `positions follow the clock and rise also when it falls`() {
        var desk = Desk()
        desk.queues.clockRead(Timestamp(milliseconds: 5_000))
        let first = desk.append()
        #expect(first.value == 5_000_000 && desk.queues.oldest == Timestamp(milliseconds: 5_000))
        desk.queues.clockRead(Timestamp(milliseconds: 1_000))
        let second = desk.append()
        desk.queues.clockRead(Timestamp(milliseconds: 6_000))
        let third = desk.append()
        #expect(second > first && third.value == 6_000_000)
        desk.queues.clockRead(Timestamp(milliseconds: .max))
        #expect(desk.append().value < counterMax)
    }

    @Test func `positions never come back over a restart, whatever the queues hold`() {
        var queues = Queues(highest: 700)
        #expect(queues.nextPosition == 701)
        queues.restore(Desk.device(1), lines: [(900, 1)])
        #expect(queues.nextPosition == 901)
        queues.clockRead(Timestamp(milliseconds: 0))
        #expect(queues.nextPosition == 901)
    }

    /// Its clock was ahead when the copy's successors gave theirs, and was set right since.
    @Test func `a restored node begins beyond positions that were given by a clock an hour ahead, and beyond its last restoration`() {
        let wall: UInt64 = 1_800_000_000_000
        let given = (wall + 3_600_000) * 1000 + 500
        var queues = Queues(highest: QueuePosition(unchecked: given - 400), restoration: wall)
        queues.clockRead(Timestamp(milliseconds: Int64(wall)))
        #expect(queues.nextPosition.value > given)
        let again = Queues(highest: QueuePosition(unchecked: given - 400), restoration: wall + 1)
        #expect(again.nextPosition > queues.nextPosition)
        #expect(Queues(highest: 0, restoration: counterMax).nextPosition.value < counterMax)
    }

    @Test func `lines that do not rise are not taken twice`() {
        var queues = Queues(highest: 0)
        queues.restore(Desk.device(1), lines: [(5, 1), (5, 1), (3, 1), (6, 1)])
        #expect(queues.count(of: Desk.device(1)) == 2 && queues.waiting == [Desk.device(1)])
    }

    @Test func `a long queue keeps its order and its count through taking and adding`() {
        var desk = Desk()
        var all: [QueuePosition] = []
        desk.attach()
        var taken: [QueuePosition] = []
        for round in 0..<200 {
            for _ in 0..<(round % 7 == 0 ? 300 : 40) { all.append(desk.append(slot: nil)) }
            if let last = desk.sent.last {
                taken = desk.sent
                desk.acknowledge(last)
            }
        }
        while let last = desk.sent.last, desk.queues.entries > 0 { desk.acknowledge(last) }
        taken = desk.sent
        #expect(taken == all && desk.queues.bytes == 0 && desk.disk[desk.to]?.isEmpty == true)
    }

    @Test func `a hub of which very much waits still reaches devices that take what comes, and what it answers does not count`() {
        var queues = Queues(highest: 0)
        let hub = NodeID(raw: Bytes32([UInt8](repeating: 9, count: 32)) ?? .zero)
        func device(_ number: Int) -> DeviceID { DeviceID(raw: Bytes32([UInt8(number)] + [UInt8](repeating: 3, count: 31)) ?? .zero) }
        func append(_ count: Int, to device: DeviceID, of origin: Queues.Origin) {
            for _ in 0..<count { _ = queues.append(to: .device(device), content: [1], event: nil, bytes: 1, of: origin) }
        }
        let here = device(100)
        // What answers users who are away, by a hub that tells the truth or does not.
        for number in 0..<12 {
            append(Limits.queueAnswersPerUserMax, to: device(number), of: .answers(UserID(raw: device(number).raw), of: hub))
        }
        append(Limits.pushWindowEntries, to: here, of: .hub(hub, for: here))
        #expect(queues.refusal(of: .hub(hub, for: here)) == nil)
        for number in 0..<12 { _ = queues.withdrawAll(of: .device(device(number))) }
        #expect(queues.entries == Limits.pushWindowEntries)
        // What it sends to others who are away.
        for number in 0..<10 { append(Limits.queueEntriesPerDeviceMax, to: device(number), of: .hub(hub, for: device(number))) }
        #expect(queues.refusal(of: .hub(hub, for: here))?.code == .queueFull)
        #expect(queues.refusal(of: .hub(hub, for: device(101))) == nil)
        // Not when the node is half full: or it could be filled by way of many devices.
        for number in 20..<30 {
            append(Limits.queueEntriesPerDeviceMax, to: device(number), of: .receipts(UserID(raw: device(number).raw)))
        }
        #expect(queues.refusal(of: .hub(hub, for: device(101)))?.code == .queueFull)
    }
}
