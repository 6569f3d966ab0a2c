package import Vocabulary

/// Holds receipts of large conversations back: a device's watermark goes on to others at once, then at most once in an interval, the newest
/// for all whom those in between concerned. What is held back is on disk, or a crash would swallow it.
package struct ReceiptRelays: Sendable {
    package struct Held: Hashable, Sendable {
        package let watermark: Watermark
        /// Rising.
        package let senders: [RosterEntry]
    }

    private struct Slot: Hashable, Sendable {
        let key: ConversationKey
        let device: DeviceID
        var row: [UInt8] { key.conversation.bytes + device.bytes }
    }

    private var held: [Slot: Held] = [:]
    /// Slots that were relayed within the last interval, and until when they hold back; in that order.
    private var waiting: Set<Slot> = []
    private var order: ArraySlice<(due: Instant, slot: Slot)> = []
    /// Changed since the rows were written.
    private var dirty: [Slot] = []

    /// - Parameter rows: of `StoreTable.pendingWatermark`: they are due at once.
    package init(rows: [(key: [UInt8], value: [UInt8])] = [], at now: Instant = .start) {
        for (_, value) in rows {
            var reader = ByteReader(value)
            guard let watermark = try? reader.watermark(),
                let senders = try? reader.vector(max: Limits.rosterDevicesMax, { reader throws(CodecError) in try reader.rosterEntry() })
            else { continue }
            let slot = Slot(key: watermark.key, device: watermark.device)
            held[slot] = Held(watermark: watermark, senders: senders)
            waiting.insert(slot)
            order.append((now, slot))
        }
    }

    package var nextDeadline: Instant? { held.isEmpty ? nil : order.first?.due }

    /// - Returns: whether to relay it at once; else it is kept.
    package mutating func admit(_ watermark: Watermark, senders: [RosterEntry], at now: Instant) -> Bool {
        forget(at: now)
        let slot = Slot(key: watermark.key, device: watermark.device)
        guard waiting.contains(slot) else {
            wait(slot, at: now)
            return true
        }
        let others = held[slot]?.senders ?? []
        held[slot] = Held(watermark: watermark, senders: others.isEmpty ? senders : Set(others).union(senders).sorted())
        dirty.append(slot)
        return false
    }

    /// What has waited long enough, in the order in which it came.
    package mutating func due(at now: Instant) -> [Held] {
        var due: [Held] = []
        while let first = order.first, first.due <= now {
            order.removeFirst()
            waiting.remove(first.slot)
            guard let item = held.removeValue(forKey: first.slot) else { continue }
            due.append(item)
            dirty.append(first.slot)
            wait(first.slot, at: now)
        }
        return due
    }

    /// The rows that changed, once a batch.
    package mutating func takeWrites() -> [StoreWrite] {
        guard !dirty.isEmpty else { return [] }
        defer { dirty.removeAll(keepingCapacity: true) }
        var seen: Set<Slot> = []
        return dirty.filter { seen.insert($0).inserted }.map { slot in
            guard let item = held[slot] else { return .remove(.pendingWatermark, key: slot.row) }
            var writer = ByteWriter()
            writer.write(item.watermark)
            writer.write(vector: item.senders) { $0.write($1) }
            return .put(.pendingWatermark, key: slot.row, value: writer.bytes)
        }
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
