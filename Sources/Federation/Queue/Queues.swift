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

    private var queues: [Destination: Boxed<Queue>] = [:]
    private var shares = Shares()
    private var attachments: UInt64 = 0
    package private(set) var nextPosition: QueuePosition
    package private(set) var entries = 0
    package private(set) var bytes = 0

    /// - Parameter restoration: of the node, the last; 0 for none. Positions begin well ahead of the clock then: the copy may be older than
    ///   positions that were given by a clock which was ahead of what it is now, and a peer passes over what it believes to have read.
    package init(highest: QueuePosition, restoration: UInt64 = 0) {
        nextPosition = highest.next
        guard restoration > 0 else { return }
        let clock = min(restoration, counterMax / 2000) * 1000 + UInt64(Limits.restoredClockError.nanoseconds / 1000)
        nextPosition = max(nextPosition, QueuePosition(unchecked: clock))
    }

    /// Positions follow the wall clock in microseconds, as long as it rises: so an entry tells its age, and a node restored from an old
    /// copy gives no position twice. That they rise is certain; the rest is as good as the clock.
    package mutating func clockRead(_ wall: Timestamp) {
        let clock = min(UInt64(wall.milliseconds), counterMax / 2000) * 1000
        if clock > nextPosition.value { nextPosition = QueuePosition(unchecked: clock) }
    }

    /// When the entry that has waited longest came, by the wall clock.
    package var oldest: Timestamp? {
        queues.values.compactMap(\.value.outline.first?.position).min().map { Timestamp(milliseconds: Int64($0 / 1000)) }
    }

    /// How much waits in one queue, and the first of it.
    package struct Size: Hashable, Sendable {
        package let destination: Destination
        package let entries: Int
        package let bytes: Int
        package let oldest: QueuePosition?
    }

    /// The queues with the most bytes.
    package func largest(_ count: Int) -> [Size] {
        queues.lazy.filter { $0.value.value.outline.count > 0 }.largest(count) { $0.value.value.outline.bytes }.map { destination, queue in
            let outline = queue.value.outline
            return Size(
                destination: destination, entries: outline.count, bytes: outline.bytes,
                oldest: outline.first.map { QueuePosition(unchecked: $0.position) })
        }
    }

    /// Users of whose messages most waits for other nodes.
    package func largestSenders(_ count: Int) -> [UserID] { shares.largestSenders(count) }

    /// What a user's messages that wait for other nodes take.
    /// - Parameter home: the user's, where it is another node.
    package func bytes(onAccountOf user: UserID, of home: NodeID?) -> Int { shares.size(of: .messages(user, of: home)).bytes }

    // MARK: Filling

    package mutating func restore(_ destination: Destination, lines: [(position: QueuePosition, bytes: Int)]) {
        var queue = Queue()
        for line in lines {
            guard queue.outline.append(.init(position: line.position.value, bytes: UInt32(clamping: line.bytes))) else { continue }
            nextPosition = max(nextPosition, line.position.next)
        }
        entries += queue.outline.count
        bytes += queue.outline.bytes
        if queue.outline.count > 0 { queues[destination] = Boxed(queue) }
    }

    /// Why nothing more may be added to any queue.
    package var refusal: Refusal? { entries < Limits.queueEntriesTotalMax ? nil : Refusal(.queueFull, "The node's queues are full.") }

    /// Whom the item in a slot concerns that has not been sent yet and that the next one takes the place of.
    package func unsent(_ slot: Slot, for destination: Destination) -> [DeviceID] { queues[destination]?.value.unsent(slot)?.devices ?? [] }

    /// - Returns: why nothing more may be added to this queue.
    package func refusal(for destination: Destination) -> Refusal? {
        if let refusal { return refusal }
        guard let outline = queues[destination]?.value.outline else { return nil }
        let isFull =
            switch destination {
            // What hubs at other nodes have sent is on their account, so that none of them keeps the others out.
            case .device: !Self.hasRoom(outline.unshared, Limits.queueEntriesPerDeviceMax, Limits.queueBytesPerDeviceMax)
            case .node: outline.count >= Limits.queueEntriesPerNodeMax
            }
        return isFull ? Refusal(.queueFull, "The recipient's queue is full.") : nil
    }

    /// - Parameter isHandshake: for which there is twice the room: who waits for nobody any more must be able to say so.
    /// - Returns: why nothing more may be added on this account.
    package func refusal(of origin: Origin, isHandshake: Bool = false) -> Refusal? {
        if let refusal { return refusal }
        let size = shares.size(of: origin)
        switch origin {
        case .messages:
            let factor = isHandshake ? 2 : 1
            if Self.hasRoom(size, Limits.queueEntriesPerUserMax * factor, Limits.queueBytesPerUserMax * factor) { return nil }
            return Refusal(.queueFull, "Too much of this user's waits for other nodes.")
        case .receipts:
            if size.entries < Limits.queueReceiptsPerUserMax { return nil }
            return Refusal(.queueFull, "Too many receipts of this user's wait for other nodes.")
        case .answers:
            if size.entries < Limits.queueAnswersPerUserMax { return nil }
            return Refusal(.queueFull, "Too many answers wait for this user's devices.")
        case .hub(let hub, _):
            if Self.hasRoom(size, Limits.queueEntriesPerDeviceMax, Limits.queueBytesPerDeviceMax),
                !isUsedUp(shares.entries(of: hub), Limits.queueEntriesPerNodeMax, size)
            {
                return nil
            }
            return Refusal(.queueFull, "The recipient's queue is full.")
        }
    }

    /// Who takes what comes is not kept from it by what waits for others, as long as there is room for that.
    /// - Parameter ofHub: entries that stand on a hub's account.
    private func isUsedUp(_ ofHub: Int, _ entriesMax: Int, _ own: (entries: Int, bytes: Int)) -> Bool {
        ofHub >= entriesMax && (own.entries >= Limits.pushWindowEntries || entries >= Limits.queueEntriesTotalMax / 2)
    }

    package func entries(onAccountOf origin: Origin) -> Int { shares.size(of: origin).entries }

    /// Bytes that a member node has caused to wait: what its users sent to other nodes, what it sent as a hub to devices here.
    package func bytes(onAccountOf node: NodeID) -> Int { shares.bytes(of: node) }

    /// And those of one device here.
    package func bytes(ofHub hub: NodeID, for device: DeviceID) -> Int { shares.size(of: .hub(hub, for: device)).bytes }

    private static func hasRoom(_ size: (entries: Int, bytes: Int), _ entriesMax: Int, _ bytesMax: Int) -> Bool {
        size.entries < entriesMax && size.bytes < bytesMax
    }

    /// Far beyond the bound that `refusal` keeps new messages to: not even what follows from messages is added any more.
    package func isOverfull(_ destination: Destination, of origin: Origin? = nil) -> Bool {
        if entries >= Limits.queueEntriesTotalMax + Limits.queueEntriesPerNodeMax { return true }
        switch (destination, origin) {
        case (.device, .hub(let hub, let device)):
            let size = shares.size(of: .hub(hub, for: device))
            return size.entries >= Limits.queueEntriesPerDeviceMax * 2
                || isUsedUp(shares.entries(of: hub), Limits.queueEntriesPerNodeMax * 2, size)
        case (.device, .answers(let user, let hub)):
            let size = shares.size(of: .answers(user, of: hub))
            return size.entries >= Limits.queueAnswersPerUserMax * 2
                || isUsedUp(shares.answers(of: hub), Limits.queueEntriesPerNodeMax, size)
        case (.device, _): return (queues[destination]?.value.outline.unshared.entries ?? 0) >= Limits.queueEntriesPerDeviceMax * 2
        case (.node, _): return count(of: destination) >= Limits.queueEntriesPerNodeMax * 2
        }
    }

    /// Adds an entry. A newer watermark takes the place of one that has not been sent yet.
    ///
    /// - Returns: the writes, and where to send the item at once: everything before it was sent and the window has room.
    package mutating func append(
        to destination: Destination, content: [UInt8], event: EventKey?, bytes size: Int, slot: Slot? = nil, slotDevices: [DeviceID] = [],
        of origin: Origin? = nil
    ) -> (writes: [StoreWrite], push: (Receiver, QueuePosition)?) {
        let position = takePosition()
        let bytes = UInt32(clamping: size)
        let line = Outline.Line(position: position.value, bytes: bytes, share: shares.add(origin, bytes: bytes))
        let (withdrawn, receiver) = queues[destination, default: Boxed(Queue())].value
            .append(line, slot: slot, devices: slotDevices, window: Self.window(destination))
        entries += 1
        self.bytes += size
        var writes: [StoreWrite] = []
        if let withdrawn {
            (entries, self.bytes) = (entries - 1, self.bytes - Int(withdrawn.bytes))
            shares.remove(withdrawn)
            writes.reserveCapacity(2)
            writes.append(.withdraw(destination, QueuePosition(unchecked: withdrawn.position)))
        }
        writes.append(.enqueue(QueueEntry(position: position, destination: destination, content: content, event: event)))
        return (writes, receiver.map { ($0, position) })
    }

    /// Adds an entry whose item is not at hand: it is read from disk when its turn comes.
    package mutating func append(to destination: Destination, content: [UInt8], event: EventKey, bytes size: Int) -> [StoreWrite] {
        let position = takePosition()
        queues[destination, default: Boxed(Queue())].value.append(Outline.Line(position: position.value, bytes: UInt32(clamping: size)))
        (entries, bytes) = (entries + 1, bytes + size)
        return [.enqueue(QueueEntry(position: position, destination: destination, content: content, event: event))]
    }

    /// For what is sent without an entry, behind all that was sent.
    package mutating func takePosition() -> QueuePosition {
        defer { nextPosition = nextPosition.next }
        return nextPosition
    }

    /// Whether all that is in the queue was sent to its receiver.
    package func isDrained(_ destination: Destination) -> Bool { queues[destination]?.value.isDrained ?? true }

    // MARK: Emptying

    /// A receiver came: everything unacknowledged is sent to it, from the front.
    package mutating func attach(_ receiver: Receiver, to destination: Destination) {
        attachments += 1
        queues[destination, default: Boxed(Queue())].value.attach(receiver, attachments)
    }

    /// - Returns: false when another receiver has taken its place already.
    @discardableResult
    package mutating func detach(_ receiver: Receiver, from destination: Destination) -> Bool {
        guard queues[destination]?.value.receiver == receiver else { return false }
        queues[destination]?.value.receiver = nil
        queues[destination]?.value.isPaging = false
        forgetIfIdle(destination)
        return true
    }

    package func receiver(of destination: Destination) -> Receiver? { queues[destination]?.value.receiver }
    package func count(of destination: Destination) -> Int { queues[destination]?.value.outline.count ?? 0 }
    package func bytes(of destination: Destination) -> Int { queues[destination]?.value.outline.bytes ?? 0 }

    /// The destinations with entries, in a fixed order.
    package var waiting: [Destination] { queues.filter { $0.value.value.outline.count > 0 }.keys.sorted() }

    /// - Returns: the writes; none when nothing new was acknowledged.
    package mutating func acknowledge(_ destination: Destination, through position: QueuePosition) -> [StoreWrite] {
        guard let index = queues.index(forKey: destination),
            let gone = queues.values[index].value.acknowledge(through: position.value, &shares)
        else { return [] }
        (entries, bytes) = (entries - gone.entries, bytes - gone.bytes)
        forgetIfIdle(destination)
        return [.dequeue(destination, through: position)]
    }

    /// Everything, whoever was to take it.
    package mutating func withdrawAll(of destination: Destination) -> [StoreWrite] {
        guard let last = queues[destination]?.value.outline.last else { return [] }
        return acknowledge(destination, through: QueuePosition(unchecked: last.position))
    }

    /// What to read back from disk next, if something waits, somebody takes it and the window has room.
    package mutating func nextPage(of destination: Destination) -> Page? {
        guard let index = queues.index(forKey: destination),
            let page = queues.values[index].value.startPaging(window: Self.window(destination))
        else { return nil }
        return Page(
            destination: destination, after: QueuePosition(unchecked: page.after), attachment: page.attachment,
            entriesMax: min(page.room.entries, Limits.pageEntriesMax), bytesMax: page.room.bytes)
    }

    /// Entries came back from disk.
    /// - Returns: those to send, and to whom.
    package mutating func paged(_ page: Page, _ stored: [StoredEntry]) -> (receiver: Receiver, entries: [StoredEntry])? {
        guard let index = queues.index(forKey: page.destination) else { return nil }
        return queues.values[index].value.paged(stored, attachment: page.attachment)
    }

    /// Takes out one entry that was paged and is not to be sent.
    package mutating func withdraw(_ destination: Destination, _ position: QueuePosition) -> StoreWrite {
        if let index = queues.index(forKey: destination), let line = queues.values[index].value.remove(position.value) {
            (entries, bytes) = (entries - 1, bytes - Int(line.bytes))
            shares.remove(line)
        }
        return .withdraw(destination, position)
    }

    /// True once after `attach`, when all that waited then was sent.
    package mutating func hasCaughtUp(_ destination: Destination) -> Bool {
        guard let index = queues.index(forKey: destination) else { return false }
        return queues.values[index].value.catchesUp()
    }

    private static func window(_ destination: Destination) -> (entries: Int, bytes: Int) {
        switch destination {
        case .device: (Limits.pushWindowEntries, Limits.pushWindowBytes)
        case .node: (Limits.linkWindowEntries, Limits.linkWindowBytes)
        }
    }

    private mutating func forgetIfIdle(_ destination: Destination) {
        guard let queue = queues[destination]?.value, queue.receiver == nil, queue.outline.count == 0 else { return }
        queues[destination] = nil
    }
}
