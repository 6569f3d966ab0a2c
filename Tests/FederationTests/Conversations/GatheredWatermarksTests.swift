import Federation
import Testing
import Vocabulary

private func watermark(_ device: UInt8, _ through: SequenceNumber, in conversation: UInt64 = 1) -> Watermark {
    guard let bytes = Bytes32([UInt8](repeating: device, count: 32)), let signature = Signature([UInt8](repeating: 0, count: 64)) else {
        preconditionFailure("32 and 64 bytes")
    }
    return Watermark(
        key: ConversationKey(hub: Coast.id(0), conversation: .numbered(conversation)), device: DeviceID(raw: bytes), through: through,
        chain: .zero, signature: signature)
}

/// What a hub holds back of watermarks, without the hub.
@Suite struct GatheredWatermarksTests {
    private let start = Instant.start

    /// With two of each device: the first is let through.
    private func desk(_ devices: ClosedRange<UInt8>) -> GatheredWatermarks {
        var gathered = GatheredWatermarks()
        for device in devices {
            _ = gathered.admit(watermark(device, 1), at: start)
            _ = gathered.admit(watermark(device, 2), at: start)
        }
        return gathered
    }

    private func due(_ gathered: inout GatheredWatermarks, at now: Instant, max: Int = 9) -> [Watermark] {
        gathered.due(at: now, max: max) { _ in false }.watermarks
    }

    @Test func `of those that come within a second only the first and the newest are looked at`() {
        var gathered = GatheredWatermarks()
        let first = gathered.admit(watermark(1, 1), at: start)
        let more = ([3, 5, 4] as [SequenceNumber]).map { gathered.admit(watermark(1, $0), at: start + .milliseconds(100)) }
        #expect(first && more == [false, false, false])
        let early = due(&gathered, at: start + .milliseconds(999))
        #expect(early.isEmpty && gathered.nextDeadline == start + .seconds(1))
        let late = due(&gathered, at: start + .seconds(1))
        #expect(late == [watermark(1, 5)] && gathered.nextDeadline == nil)
        // That one counts as the first of the next second; of other devices and conversations each has its own.
        let next = [watermark(1, 6), watermark(2, 6), watermark(1, 6, in: 2)].map { gathered.admit($0, at: start + .milliseconds(1_500)) }
        #expect(next == [false, true, true])
    }

    @Test func `so many are looked at in one step, and the rest are due at once`() {
        var gathered = desk(1...5)
        let now = start + .seconds(2)
        let some = due(&gathered, at: now, max: 3)
        #expect(some.count == 3 && gathered.nextDeadline.map { $0 <= now } == true)
        let rest = due(&gathered, at: now, max: 3)
        #expect(rest.count == 2 && gathered.nextDeadline == nil)
    }

    @Test func `those of a conversation that is on disk alone wait until it is loaded, the newest of each device`() {
        var gathered = desk(1...2)
        let now = start + .seconds(1)
        let due = gathered.due(at: now, max: 9) { _ in true }
        #expect(due.watermarks.isEmpty && due.sleeping == [.numbered(1)])
        let isLetThrough = gathered.admit(watermark(1, 3), at: now)
        let again = gathered.due(at: now + .seconds(5), max: 9) { _ in true }
        #expect(!isLetThrough && again.sleeping.isEmpty)
        let woken = gathered.woken(.numbered(1), at: now)
        #expect(woken == [watermark(1, 3), watermark(2, 2)])
        let twice = gathered.woken(.numbered(1), at: now)
        let writes = gathered.takeWrites()
        #expect(twice.isEmpty && writes.allSatisfy { if case .remove(.pendingWatermark, _) = $0 { true } else { false } })
    }

    @Test func `what is held back is on disk, the newest, until it is looked at`() {
        var gathered = GatheredWatermarks()
        for through in [1, 2, 3] as [SequenceNumber] { _ = gathered.admit(watermark(1, through), at: start) }
        let rows = gathered.takeWrites().compactMap { write -> (key: [UInt8], value: [UInt8])? in
            if case .put(.pendingWatermark, let key, let value) = write { (key, value) } else { nil }
        }
        let twice = gathered.takeWrites()
        #expect(rows.count == 1 && twice.isEmpty)
        var restarted = GatheredWatermarks(rows: rows, at: start)
        let held = due(&restarted, at: start)
        let gone = restarted.takeWrites().map { write -> [UInt8] in
            if case .remove(.pendingWatermark, let key) = write { key } else { [] }
        }
        #expect(held == [watermark(1, 3)] && gone == rows.map(\.key))
    }
}
