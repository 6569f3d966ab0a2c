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
    private var gathered = GatheredWatermarks()
    private let start = Instant.start

    private func awake(_: ConversationID) -> Bool { false }

    @Test func `of those that come within a second only the first and the newest are looked at`() {
        var gathered = gathered
        #expect(gathered.admit(watermark(1, 1), at: start))
        for through in [3, 5, 4] as [SequenceNumber] { #expect(!gathered.admit(watermark(1, through), at: start + .milliseconds(100))) }
        #expect(gathered.due(at: start + .milliseconds(999), max: 9, isAsleep: awake).watermarks.isEmpty)
        #expect(gathered.nextDeadline == start + .seconds(1))
        #expect(gathered.due(at: start + .seconds(1), max: 9, isAsleep: awake).watermarks == [watermark(1, 5)])
        #expect(gathered.nextDeadline == nil)
        // That one counts as the first of the next second.
        #expect(!gathered.admit(watermark(1, 6), at: start + .milliseconds(1_500)))
        #expect(gathered.admit(watermark(2, 6), at: start + .milliseconds(1_500)))
        #expect(gathered.admit(watermark(1, 6, in: 2), at: start + .milliseconds(1_500)))
    }

    @Test func `so many are looked at in one step, and the rest are due at once`() {
        var gathered = gathered
        for device in 1...5 as ClosedRange<UInt8> {
            _ = gathered.admit(watermark(device, 1), at: start)
            _ = gathered.admit(watermark(device, 2), at: start)
        }
        let now = start + .seconds(2)
        #expect(gathered.due(at: now, max: 3, isAsleep: awake).watermarks.count == 3)
        #expect(gathered.nextDeadline.map { $0 <= now } == true)
        #expect(gathered.due(at: now, max: 3, isAsleep: awake).watermarks.count == 2)
        #expect(gathered.nextDeadline == nil)
    }

    @Test func `those of a conversation that is on disk alone wait until it is loaded, the newest of each device`() {
        var gathered = gathered
        for device in [1, 2] as [UInt8] {
            _ = gathered.admit(watermark(device, 1), at: start)
            _ = gathered.admit(watermark(device, 2), at: start)
        }
        let now = start + .seconds(1)
        let due = gathered.due(at: now, max: 9) { _ in true }
        #expect(due.watermarks.isEmpty && due.sleeping == [.numbered(1)])
        #expect(!gathered.admit(watermark(1, 3), at: now))
        #expect(gathered.due(at: now + .seconds(5), max: 9) { _ in true }.sleeping.isEmpty)
        #expect(gathered.woken(.numbered(1), at: now) == [watermark(1, 3), watermark(2, 2)])
        #expect(gathered.woken(.numbered(1), at: now).isEmpty)
        #expect(gathered.takeWrites().allSatisfy { if case .remove(.pendingWatermark, _) = $0 { true } else { false } })
    }

    @Test func `what is held back is on disk, the newest, until it is looked at`() {
        var gathered = gathered
        for through in [1, 2, 3] as [SequenceNumber] { _ = gathered.admit(watermark(1, through), at: start) }
        let rows = gathered.takeWrites().compactMap { write -> (key: [UInt8], value: [UInt8])? in
            if case .put(.pendingWatermark, let key, let value) = write { (key, value) } else { nil }
        }
        #expect(rows.count == 1 && gathered.takeWrites().isEmpty)
        var restarted = GatheredWatermarks(rows: rows, at: start)
        #expect(restarted.due(at: start, max: 9, isAsleep: awake).watermarks == [watermark(1, 3)])
        #expect(restarted.takeWrites().map { if case .remove(.pendingWatermark, let key) = $0 { key } else { [] } } == rows.map(\.key))
    }
}
