package import Vocabulary

/// Holds watermarks of large conversations back: a device's is looked at as it comes, then at most once in an interval, the newest for all
/// that came in between. So the hub checks one signature and tells the senders once for many of a device's watermarks. What is held back is
/// on disk, or a crash would swallow it.
package struct GatheredWatermarks: Sendable {
    private struct Slot: Hashable, Sendable {
        let key: ConversationKey
        let device: DeviceID
        var row: [UInt8] { key.conversation.bytes + device.bytes }
    }

    private var held: [Slot: Watermark] = [:]
    /// Slots of which one was let through within the last interval, and until when they hold back; in that order.
    private var waiting: Set<Slot> = []
    private var order: ArraySlice<(due: Instant, slot: Slot)> = []
    /// Due, of conversations that are on disk alone.
    private var asleep: [ConversationID: [Slot]] = [:]
    /// Changed since the rows were written.
    private var dirty: [Slot] = []

    /// - Parameter rows: of `StoreTable.pendingWatermark`: they are due at once.
    package init(rows: [(key: [UInt8], value: [UInt8])] = [], at now: Instant = .start) {
        for (_, value) in rows {
            var reader = ByteReader(value)
            guard let watermark = try? reader.watermark() else { continue }
            let slot = Slot(key: watermark.key, device: watermark.device)
            held[slot] = watermark
            waiting.insert(slot)
            order.append((now, slot))
        }
    }

    package var nextDeadline: Instant? { held.isEmpty ? nil : order.first?.due }

    /// - Parameter watermark: news, and not ahead of what the hub has numbered; its signature is not looked at.
    /// - Returns: whether to go on with it at once; else it is kept, unless a newer one is.
    package mutating func admit(_ watermark: Watermark, at now: Instant) -> Bool {
        forget(at: now)
        let slot = Slot(key: watermark.key, device: watermark.device)
        guard waiting.contains(slot) else {
            wait(slot, at: now)
            return true
        }
        if let old = held[slot], old.through >= watermark.through { return false }
        held[slot] = watermark
        dirty.append(slot)
        return false
    }

    /// What has waited long enough, in the order in which it came.
    /// - Parameters:
    ///   - max: how many at most: each is a signature to check. More are due at once.
    ///   - isAsleep: of these conversations it is kept until `woken`.
    /// - Returns: the watermarks, and the conversations to load.
    package mutating func due(
        at now: Instant, max: Int, isAsleep: (ConversationID) -> Bool
    ) -> (watermarks: [Watermark], sleeping: [ConversationID]) {
        var due: (watermarks: [Watermark], sleeping: [ConversationID]) = ([], [])
        while let first = order.first, first.due <= now, due.watermarks.count < max {
            order.removeFirst()
            let slot = first.slot
            guard let watermark = held[slot] else {
                waiting.remove(slot)
                continue
            }
            if isAsleep(slot.key.conversation) {
                if asleep[slot.key.conversation] == nil { due.sleeping.append(slot.key.conversation) }
                asleep[slot.key.conversation, default: []].append(slot)
                continue
            }
            due.watermarks.append(watermark)
            letGo(slot, at: now)
        }
        return due
    }

    /// What was due of a conversation that is in memory again.
    package mutating func woken(_ conversation: ConversationID, at now: Instant) -> [Watermark] {
        guard let slots = asleep.removeValue(forKey: conversation) else { return [] }
        return slots.compactMap { slot in
            guard let watermark = held[slot] else { return nil }
            letGo(slot, at: now)
            return watermark
        }
    }

    /// The rows that changed, once a batch.
    package mutating func takeWrites() -> [StoreWrite] {
        guard !dirty.isEmpty else { return [] }
        defer { dirty.removeAll(keepingCapacity: true) }
        var seen: Set<Slot> = []
        return dirty.filter { seen.insert($0).inserted }.map { slot in
            guard let watermark = held[slot] else { return .remove(.pendingWatermark, key: slot.row) }
            var writer = ByteWriter()
            writer.write(watermark)
            return .put(.pendingWatermark, key: slot.row, value: writer.bytes)
        }
    }

    private mutating func letGo(_ slot: Slot, at now: Instant) {
        held[slot] = nil
        dirty.append(slot)
        wait(slot, at: now)
    }

    private mutating func wait(_ slot: Slot, at now: Instant) {
        waiting.insert(slot)
        order.append((now + Limits.receiptInterval, slot))
    }

    /// Slots whose interval ended with nothing held back.
    private mutating func forget(at now: Instant) {
        while let first = order.first, first.due <= now, held[first.slot] == nil {
            order.removeFirst()
            waiting.remove(first.slot)
        }
        if order.startIndex > 1_024, order.startIndex > order.count { order = ArraySlice(Array(order)) }
    }
}
