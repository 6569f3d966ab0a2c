public import Vocabulary

/// Who takes a queue's entries now.
public enum Receiver: Hashable, Sendable {
    case session(SessionID)
    case link(LinkID)
    /// Nobody will ever take them: the destination was expelled. Their senders are told.
    case nobody
}

/// All queues of a node: durable, in order, each for one destination. Entries go out within a window, are forgotten once
/// acknowledged, and wait on disk in between; memory holds a line of each.
/// Source: docs/protocol/node-link.md, "Queues"; DESIGN 5 and 8.
package struct Queues: Sendable {
    /// An order to read entries back from disk.
    package struct Page: Hashable, Sendable {
        package let destination: Destination
        package let after: QueuePosition
        let attachment: UInt64
        package let entriesMax: Int
        package let bytesMax: Int
    }

    /// One watermark's or receipt's slot in a queue: only the newest is worth sending.
    package struct Slot: Hashable, Sendable {
        package let key: ConversationKey
        package let device: DeviceID
        /// Of its read receipt rather than its watermark.
        package let isMark: Bool

        package init(key: ConversationKey, device: DeviceID, isMark: Bool = false) {
            (self.key, self.device, self.isMark) = (key, device, isMark)
        }
    }

    private struct Queue: Sendable {
        var outline = Outline()
        var receiver: Receiver?
        var attachment: UInt64 = 0
        /// Through here the present receiver has been sent everything.
        var pushed: UInt64 = 0
        var inFlight = (entries: 0, bytes: 0)
        var isPaging = false
        /// What stood last in the queue when the page under way was ordered.
        var pagedFrom: UInt64 = 0
        /// The receiver is told once everything through here was sent.
        var catchUp: UInt64?
        var slots: [Slot: (position: UInt64, devices: [DeviceID])] = [:]
        /// Through here the receiver has everything: to notice one that went back.
        var acknowledged: UInt64 = 0

        /// The entry in a slot, if it can still be taken out.
        func unsent(_ slot: Slot) -> (position: UInt64, devices: [DeviceID])? {
            guard let old = slots[slot], old.position > pushed || receiver == nil, old.position > acknowledged else { return nil }
            return old
        }

        var isDrained: Bool { outline.last.map { $0.position <= pushed } ?? true }

        /// What disk and memory call an entry's size can differ a little: an empty window is empty.
        mutating func tidyWindow() {
            let isEmpty = outline.first.map { $0.position > pushed } ?? true
            if isEmpty { inFlight = (0, 0) } else { inFlight = (max(1, inFlight.entries), max(0, inFlight.bytes)) }
        }
    }

    private var queues: [Destination: Queue] = [:]
    private var attachments: UInt64 = 0
    package private(set) var nextPosition: QueuePosition
    package private(set) var entries = 0
    package private(set) var bytes = 0

    package init(highest: QueuePosition) { nextPosition = highest.next }

    /// Positions follow the wall clock in microseconds, as long as it rises: so an entry tells its age, and a node restored from an old
    /// copy gives no position twice. That they rise is certain; the rest is as good as the clock.
    package mutating func clockRead(_ wall: Timestamp) {
        let clock = min(UInt64(wall.milliseconds), counterMax / 2000) * 1000
        if clock > nextPosition.value { nextPosition = QueuePosition(unchecked: clock) }
    }

    /// When the entry that has waited longest came, by the wall clock.
    package var oldest: Timestamp? {
        queues.values.compactMap(\.outline.first?.position).min().map { Timestamp(milliseconds: Int64($0 / 1000)) }
    }

    // MARK: Filling

    package mutating func restore(_ destination: Destination, lines: [(position: QueuePosition, bytes: Int)]) {
        var queue = Queue()
        for line in lines {
            guard queue.outline.append(.init(position: line.position.value, bytes: UInt32(clamping: line.bytes))) else { continue }
            nextPosition = max(nextPosition, line.position.next)
        }
        entries += queue.outline.count
        bytes += queue.outline.bytes
        if queue.outline.count > 0 { queues[destination] = queue }
    }

    /// Why nothing more may be added to any queue.
    package var refusal: Refusal? { entries < Limits.queueEntriesTotalMax ? nil : Refusal(.queueFull, "The node's queues are full.") }

    /// Whom the item in a slot concerns that has not been sent yet and that the next one takes the place of.
    package func unsent(_ slot: Slot, for destination: Destination) -> [DeviceID] { queues[destination]?.unsent(slot)?.devices ?? [] }

    /// - Returns: why nothing more may be added to this queue.
    package func refusal(for destination: Destination) -> Refusal? {
        if let refusal { return refusal }
        guard let queue = queues[destination] else { return nil }
        let (entriesMax, bytesMax) =
            switch destination {
            case .device: (Limits.queueEntriesPerDeviceMax, Limits.queueBytesPerDeviceMax)
            case .node: (Limits.queueEntriesPerNodeMax, Int.max)
            }
        guard queue.outline.count < entriesMax, queue.outline.bytes < bytesMax else {
            return Refusal(.queueFull, "The recipient's queue is full.")
        }
        return nil
    }

    /// Far beyond the bound that `refusal` keeps new messages to: not even what follows from messages is added any more.
    package func isOverfull(_ destination: Destination) -> Bool {
        let bound =
            switch destination {
            case .device: Limits.queueEntriesPerDeviceMax
            case .node: Limits.queueEntriesPerNodeMax
            }
        return entries >= Limits.queueEntriesTotalMax + Limits.queueEntriesPerNodeMax
            || (queues[destination]?.outline.count ?? 0) >= bound * 2
    }

    /// Adds an entry. A newer watermark takes the place of one that has not been sent yet.
    /// - Returns: the writes, and where to send the item at once: everything before it was sent and the window has room.
    package mutating func append(
        to destination: Destination, content: [UInt8], event: EventKey?, bytes size: Int, slot: Slot? = nil, slotDevices: [DeviceID] = []
    ) -> (writes: [StoreWrite], push: (Receiver, QueuePosition)?) {
        var queue = take(destination) ?? Queue()
        var writes: [StoreWrite] = []
        if let slot {
            if let old = queue.unsent(slot)?.position {
                (entries, bytes) = (entries - queue.outline.count, bytes - queue.outline.bytes)
                queue.outline.remove(position: old)
                (entries, bytes) = (entries + queue.outline.count, bytes + queue.outline.bytes)
                writes.append(.withdraw(destination, QueuePosition(unchecked: old)))
            }
            queue.slots[slot] = (nextPosition.value, slotDevices)
        }
        let position = nextPosition
        nextPosition = position.next
        let wasDrained = queue.isDrained
        _ = queue.outline.append(.init(position: position.value, bytes: UInt32(clamping: size)))
        entries += 1
        bytes += size
        writes.append(.enqueue(QueueEntry(position: position, destination: destination, content: content, event: event)))
        var push: (Receiver, QueuePosition)?
        if let receiver = queue.receiver, wasDrained, !queue.isPaging, hasWindow(queue, destination, for: size) {
            queue.pushed = position.value
            queue.inFlight = (queue.inFlight.entries + 1, queue.inFlight.bytes + size)
            push = (receiver, position)
        }
        queues[destination] = queue
        return (writes, push)
    }

    // MARK: Emptying

    /// A receiver came: everything unacknowledged is sent to it, from the front.
    package mutating func attach(_ receiver: Receiver, to destination: Destination) {
        var queue = queues[destination] ?? Queue()
        attachments += 1
        queue.receiver = receiver
        queue.attachment = attachments
        queue.pushed = 0
        queue.inFlight = (0, 0)
        queue.isPaging = false
        queue.catchUp = queue.outline.last?.position ?? 0
        queues[destination] = queue
    }

    /// - Returns: false when another receiver has taken its place already.
    @discardableResult
    package mutating func detach(_ receiver: Receiver, from destination: Destination) -> Bool {
        guard queues[destination]?.receiver == receiver else { return false }
        queues[destination]?.receiver = nil
        queues[destination]?.isPaging = false
        forgetIfIdle(destination)
        return true
    }

    package func receiver(of destination: Destination) -> Receiver? { queues[destination]?.receiver }
    package func count(of destination: Destination) -> Int { queues[destination]?.outline.count ?? 0 }
    package func bytes(of destination: Destination) -> Int { queues[destination]?.outline.bytes ?? 0 }

    /// The destinations with entries, in a fixed order.
    package var waiting: [Destination] { queues.filter { $0.value.outline.count > 0 }.keys.sorted() }

    /// - Returns: the writes; none when nothing new was acknowledged.
    package mutating func acknowledge(_ destination: Destination, through position: QueuePosition) -> [StoreWrite] {
        guard let first = queues[destination]?.outline.first, first.position <= position.value, var queue = take(destination) else {
            return []
        }
        while let line = queue.outline.first, line.position <= position.value {
            if line.position <= queue.pushed {
                queue.inFlight = (queue.inFlight.entries - 1, queue.inFlight.bytes - Int(line.bytes))
            }
            entries -= 1
            bytes -= Int(line.bytes)
            queue.outline.removeFirst()
        }
        queue.tidyWindow()
        queue.acknowledged = max(queue.acknowledged, position.value)
        if queue.outline.count == 0 { queue.slots = [:] }
        queues[destination] = queue
        forgetIfIdle(destination)
        return [.dequeue(destination, through: position)]
    }

    /// What to read back from disk next, if something waits, somebody takes it and the window has room.
    package mutating func nextPage(of destination: Destination) -> Page? {
        guard var queue = queues[destination], queue.receiver != nil, !queue.isPaging, !queue.isDrained else { return nil }
        let window = Self.window(destination)
        let room = (entries: window.entries - queue.inFlight.entries, bytes: window.bytes - queue.inFlight.bytes)
        // A page for every acknowledged entry would read the disk by the spoonful: half a window must be free.
        guard room.entries * 2 >= window.entries || queue.outline.count(above: queue.pushed) <= room.entries, room.bytes > 0 else {
            return nil
        }
        queue.isPaging = true
        queue.pagedFrom = queue.outline.last?.position ?? 0
        queues[destination] = queue
        return Page(
            destination: destination, after: QueuePosition(unchecked: queue.pushed), attachment: queue.attachment,
            entriesMax: min(room.entries, Limits.pageEntriesMax), bytesMax: room.bytes)
    }

    /// Entries came back from disk.
    /// - Returns: those to send, and to whom.
    package mutating func paged(_ page: Page, _ stored: [StoredEntry]) -> (receiver: Receiver, entries: [StoredEntry])? {
        guard var queue = queues[page.destination], queue.attachment == page.attachment, let receiver = queue.receiver else { return nil }
        queue.isPaging = false
        // What was withdrawn or acknowledged while the page was under way is not sent.
        let fresh = stored.filter { $0.position.value > queue.pushed && queue.outline.contains(position: $0.position.value) }
        for entry in fresh {
            queue.inFlight.entries += 1
            queue.inFlight.bytes += entry.content.count + (entry.event?.count ?? 0)
        }
        // Memory says that something waited and the disk has none of it: believe the disk, or this would be asked for ever. What came
        // after the page was ordered is not meant.
        queue.pushed = max(queue.pushed, stored.last?.position.value ?? queue.pagedFrom)
        queues[page.destination] = queue
        return (receiver, fresh)
    }

    /// Takes out one entry that was paged and is not to be sent.
    package mutating func withdraw(_ destination: Destination, _ position: QueuePosition) -> StoreWrite {
        if var queue = take(destination) {
            let before = (entries: queue.outline.count, bytes: queue.outline.bytes)
            queue.outline.remove(position: position.value)
            let gone = (entries: before.entries - queue.outline.count, bytes: before.bytes - queue.outline.bytes)
            (entries, bytes) = (entries - gone.entries, bytes - gone.bytes)
            queue.inFlight = (queue.inFlight.entries - gone.entries, queue.inFlight.bytes - gone.bytes)
            queue.tidyWindow()
            queues[destination] = queue
        }
        return .withdraw(destination, position)
    }

    /// True once after `attach`, when all that waited then was sent.
    package mutating func hasCaughtUp(_ destination: Destination) -> Bool {
        guard let queue = queues[destination], let target = queue.catchUp, queue.pushed >= target || queue.isDrained else { return false }
        queues[destination]?.catchUp = nil
        return true
    }

    /// Out of its place, to be put back: with a second owner each change of an outline would copy it.
    private mutating func take(_ destination: Destination) -> Queue? {
        guard let index = queues.index(forKey: destination) else { return nil }
        var queue = Queue()
        swap(&queue, &queues.values[index])
        return queue
    }

    private func hasWindow(_ queue: Queue, _ destination: Destination, for size: Int) -> Bool {
        let window = Self.window(destination)
        return queue.inFlight.entries < window.entries && (queue.inFlight.bytes + size <= window.bytes || queue.inFlight.entries == 0)
    }

    private static func window(_ destination: Destination) -> (entries: Int, bytes: Int) {
        switch destination {
        case .device: (Limits.pushWindowEntries, Limits.pushWindowBytes)
        case .node: (Limits.linkWindowEntries, Limits.linkWindowBytes)
        }
    }

    private mutating func forgetIfIdle(_ destination: Destination) {
        if let queue = queues[destination], queue.receiver == nil, queue.outline.count == 0 { queues[destination] = nil }
    }
}
