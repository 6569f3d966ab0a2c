public import Vocabulary

// Reading: what the journal has gathered on top of what the tables have.
extension JournaledNodeStore {
    public func value(_ table: StoreTable, key: [UInt8]) throws(StoreError) -> [UInt8]? {
        try guarded { () throws(StoreError) in
            if let known = overlay.records[Batch.RecordName(table: table, key: key)] { return known }
            return try rows.value(table, key: key)
        }
    }

    /// Rising by key.
    public func values(_ table: StoreTable) throws(StoreError) -> [(key: [UInt8], value: [UInt8])] {
        try guarded { () throws(StoreError) in
            let changed = overlay.records.filter { $0.key.table == table }
            let standing = try rows.values(table)
            guard !changed.isEmpty else { return standing }
            var found = standing.filter { changed[Batch.RecordName(table: table, key: $0.key)] == nil }
            for (name, value) in changed { if let value { found.append((name.key, value)) } }
            return found.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        }
    }

    public func event(_ key: EventKey) throws(StoreError) -> [UInt8]? {
        try guarded { () throws(StoreError) in
            if let bytes = overlay.events[key]?.bytes { return bytes }
            // Whether one that is in the tables still lives is for them to say, but where nothing was said of it that could end it.
            if let held = overlay.isHeld(key) {
                if held { return try rows.event(key) }
            } else if try rows.isHeld(key) {
                return try rows.event(key)
            }
            _ = try settle()
            if let bytes = overlay.events[key]?.bytes { return bytes }
            return try rows.event(key)
        }
    }

    public func heldEvents(
        _ conversation: ConversationKey, after: SequenceNumber, bytesMax: Int
    ) throws(StoreError) -> HeldEvents {
        try guarded { () throws(StoreError) in
            let standing = try rows.heldEvents(conversation, after: after, bytesMax: bytesMax)
            guard overlay.touches(conversation) else { return standing }
            var found = standing.events.filter {
                let key = EventKey(conversation: conversation, number: $0.number)
                return overlay.events[key] == nil && overlay.isHeld(key) == nil
            }
            // Behind the last of them the tables may have more, which comes first.
            let last = standing.goesOn ? standing.events.last?.number : nil
            for (key, event) in overlay.events where key.conversation == conversation && key.part == 0 && key.number > after {
                if let last, key.number > last { continue }
                if let bytes = event.bytes {
                    if event.held == true { found.append((key.number, bytes)) }
                } else {
                    // As it stands there, unless something was said of it.
                    var isHeld = overlay.isHeld(key)
                    if isHeld == nil { isHeld = try rows.isHeld(key) }
                    if isHeld == true, let bytes = try rows.event(key) { found.append((key.number, bytes)) }
                }
            }
            var (all, room) = (HeldEvents(), bytesMax)
            for (number, bytes) in found.sorted(by: { $0.number < $1.number }) {
                guard all.take(number, bytes, room: &room) else { return all }
            }
            // Of all that the tables gave none may be held any more, with more behind them.
            if standing.goesOn, all.events.isEmpty, let last { return try heldEvents(conversation, after: last, bytesMax: bytesMax) }
            all.goesOn = standing.goesOn
            return all
        }
    }

    public func page(
        _ destination: Destination, after: QueuePosition, limit: Int, bytesMax: Int
    ) throws(StoreError) -> [StoredEntry] {
        try guarded { () throws(StoreError) in
            guard let queue = overlay.queues[destination], !queue.isEmpty else {
                return try rows.page(destination, after: after, limit: limit, bytesMax: bytesMax)
            }
            let start = max(after, queue.through ?? .zero)
            let withdrawn = Set(queue.withdrawn)
            let more = limit.addingReportingOverflow(withdrawn.count)
            let standing = try rows.page(
                destination, after: start, limit: more.overflow ? limit : more.partialValue, bytesMax: bytesMax
            ).filter { !withdrawn.contains($0.position) }
            var waiting = queue.entries(after: after)
            // Beyond the last that the tables gave they may have more: what waits here comes after all of theirs.
            if let first = waiting.first?.entry.position, let last = standing.last?.position, first < last {
                try fold()
                return try tables.page(destination, after: after, limit: limit, bytesMax: bytesMax)
            }
            var (found, total): ([StoredEntry], Int) = ([], 0)
            func take(_ entry: StoredEntry) -> Bool {
                total += entry.content.count + (entry.event?.count ?? 0)
                guard found.count < limit, found.isEmpty || total <= bytesMax else { return false }
                found.append(entry)
                return true
            }
            for entry in standing { guard take(entry) else { return found } }
            guard try !rows.hasEntries(destination, after: standing.last?.position ?? start, except: withdrawn) else { return found }
            while let line = waiting.popFirst() {
                let event = try bytes(of: line.entry)
                guard take(StoredEntry(position: line.entry.position, content: line.entry.content, event: event)) else { return found }
            }
            return found
        }
    }

    private func bytes(of entry: QueueEntry) throws(StoreError) -> [UInt8]? {
        guard let key = entry.event else { return nil }
        if let bytes = overlay.events[key]?.bytes { return bytes }
        guard let bytes = try rows.event(key) else { throw .corrupt("the event of a queue entry is missing") }
        return bytes
    }

    public func outline(_ destination: Destination) throws(StoreError) -> [(position: QueuePosition, bytes: Int)] {
        try guarded { () throws(StoreError) in
            guard let queue = overlay.queues[destination], !queue.isEmpty else { return try rows.outline(destination) }
            let (through, withdrawn) = (queue.through ?? .zero, Set(queue.withdrawn))
            var found = try rows.outline(destination).filter { $0.position > through && !withdrawn.contains($0.position) }
            for line in queue.entries {
                let event = try bytes(of: line.entry)
                found.append((line.entry.position, line.entry.content.count + (event?.count ?? 0)))
            }
            return found.sorted { $0.position < $1.position }
        }
    }

    public func highestPosition() throws(StoreError) -> QueuePosition {
        try guarded { () throws(StoreError) in highest }
    }
}
