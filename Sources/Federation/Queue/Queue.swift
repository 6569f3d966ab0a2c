internal import Vocabulary

extension Queues {
    /// One queue: what waits in it, who takes it, and how far that has come.
    struct Queue: Sendable {
        var outline = Outline()
        var receiver: Receiver?
        private var attachment: UInt64 = 0
        /// Through here the present receiver has been sent everything.
        private var pushed: UInt64 = 0
        private var inFlight = (entries: 0, bytes: 0)
        var isPaging = false
        /// What stood last in the queue when the page under way was ordered.
        private var pagedFrom: UInt64 = 0
        /// The receiver is told once everything through here was sent.
        private var catchUp: UInt64?
        private var slots: [Slot: (position: UInt64, devices: [DeviceID])] = [:]
        /// Through here the receiver has everything: to notice one that went back.
        private var acknowledged: UInt64 = 0

        /// The entry in a slot, if it can still be taken out.
        func unsent(_ slot: Slot) -> (position: UInt64, devices: [DeviceID])? {
            guard let old = slots[slot], old.position > pushed || receiver == nil, old.position > acknowledged else { return nil }
            return old
        }

        var isDrained: Bool { outline.last.map { $0.position <= pushed } ?? true }

        /// - Returns: the entry in the slot that it takes the place of, and who is to be sent the item at once.
        mutating func append(
            _ line: Outline.Line, slot: Slot?, devices: [DeviceID], window: (entries: Int, bytes: Int)
        ) -> (withdrawn: Outline.Line?, push: Receiver?) {
            var withdrawn: Outline.Line?
            if let slot {
                if let old = unsent(slot) { withdrawn = outline.remove(position: old.position) }
                slots[slot] = (line.position, devices)
            }
            let wasDrained = isDrained
            _ = outline.append(line)
            let size = Int(line.bytes)
            guard let receiver, wasDrained, !isPaging, inFlight.entries < window.entries,
                inFlight.bytes + size <= window.bytes || inFlight.entries == 0
            else { return (withdrawn, nil) }
            pushed = line.position
            inFlight = (inFlight.entries + 1, inFlight.bytes + size)
            return (withdrawn, receiver)
        }

        /// To be read from disk when its turn comes.
        mutating func append(_ line: Outline.Line) { _ = outline.append(line) }

        /// - Returns: what went; nil when nothing new was acknowledged.
        mutating func acknowledge(through position: UInt64, _ shares: inout Shares) -> (entries: Int, bytes: Int)? {
            guard let first = outline.first, first.position <= position else { return nil }
            var gone = (entries: 0, bytes: 0)
            while let line = outline.first, line.position <= position {
                if line.position <= pushed { inFlight = (inFlight.entries - 1, inFlight.bytes - Int(line.bytes)) }
                gone = (gone.entries + 1, gone.bytes + Int(line.bytes))
                shares.remove(line)
                outline.removeFirst()
            }
            tidyWindow()
            acknowledged = max(acknowledged, position)
            if outline.count == 0, !slots.isEmpty { slots.removeAll(keepingCapacity: slots.capacity <= 8) }
            return gone
        }

        mutating func attach(_ new: Receiver, _ number: UInt64) {
            (receiver, attachment) = (new, number)
            (pushed, inFlight, isPaging) = (0, (0, 0), false)
            catchUp = outline.last?.position ?? 0
        }

        mutating func startPaging(
            window: (entries: Int, bytes: Int)
        ) -> (after: UInt64, attachment: UInt64, room: (entries: Int, bytes: Int))? {
            guard receiver != nil, !isPaging, !isDrained else { return nil }
            let room = (entries: window.entries - inFlight.entries, bytes: window.bytes - inFlight.bytes)
            // A page for every acknowledged entry would read the disk by the spoonful: half a window must be free.
            guard room.entries * 2 >= window.entries || outline.count(above: pushed) <= room.entries, room.bytes > 0 else { return nil }
            isPaging = true
            pagedFrom = outline.last?.position ?? 0
            return (pushed, attachment, room)
        }

        mutating func paged(_ stored: [StoredEntry], attachment number: UInt64) -> (receiver: Receiver, entries: [StoredEntry])? {
            guard attachment == number, let receiver else { return nil }
            isPaging = false
            // What was withdrawn or acknowledged while the page was under way is not sent.
            let fresh = stored.filter { $0.position.value > pushed && outline.contains(position: $0.position.value) }
            for entry in fresh {
                inFlight.entries += 1
                inFlight.bytes += entry.content.count + (entry.event?.count ?? 0)
            }
            // Memory says that something waited and the disk has none of it: believe the disk, or this would be asked for ever. What came
            // after the page was ordered is not meant.
            pushed = max(pushed, stored.last?.position.value ?? pagedFrom)
            return (receiver, fresh)
        }

        mutating func catchesUp() -> Bool {
            guard let target = catchUp, pushed >= target || isDrained else { return false }
            catchUp = nil
            return true
        }

        /// - Returns: the entry that was there.
        mutating func remove(_ position: UInt64) -> Outline.Line? {
            guard let line = outline.remove(position: position) else { return nil }
            inFlight = (inFlight.entries - 1, inFlight.bytes - Int(line.bytes))
            tidyWindow()
            return line
        }

        /// What disk and memory call an entry's size can differ a little: an empty window is empty.
        mutating func tidyWindow() {
            let isEmpty = outline.first.map { $0.position > pushed } ?? true
            if isEmpty { inFlight = (0, 0) } else { inFlight = (max(1, inFlight.entries), max(0, inFlight.bytes)) }
        }
    }
}
