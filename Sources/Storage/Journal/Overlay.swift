internal import Vocabulary

/// What the journal's writes come to, on top of the tables: of several values of a record the last, nothing for an entry that came and
/// went, an event's bytes for as long as something needs them. Most of what a busy node writes comes and goes here and never reaches
/// the tables.
struct Overlay {
    struct Event {
        /// nil: the tables have them.
        var bytes: [UInt8]?
        /// nil, where the tables have the event: stays as it is there.
        var held: Bool?
        /// Entries of this overlay that refer to it.
        var entries = 0
        /// The journal's page that it came with.
        var page: Int

        var isInTables: Bool { bytes == nil }
        var isNobodys: Bool { bytes != nil && held != true && entries == 0 }
    }

    struct Entry {
        let entry: QueueEntry
        let page: Int
    }

    /// What changes in one queue.
    struct Queue {
        /// Rising; those before `front` are gone.
        fileprivate(set) var lines: [Entry] = []
        fileprivate var front = 0
        /// Through here the tables' entries are gone.
        fileprivate(set) var through: QueuePosition?
        /// Of the tables' entries.
        fileprivate(set) var withdrawn: [QueuePosition] = []

        var entries: ArraySlice<Entry> { lines[front...] }
        func entries(after position: QueuePosition) -> ArraySlice<Entry> { lines[firstIndex(above: position)...] }
        var isEmpty: Bool { front == lines.count && through == nil && withdrawn.isEmpty }

        fileprivate mutating func add(_ line: Entry) {
            let position = line.entry.position
            guard let last = lines.last?.entry.position, last > position else { return lines.append(line) }
            lines.insert(line, at: firstIndex(above: position))
        }

        private func firstIndex(above position: QueuePosition) -> Int {
            var (low, high) = (front, lines.count)
            while low < high {
                let middle = (low + high) / 2
                if lines[middle].entry.position <= position { low = middle + 1 } else { high = middle }
            }
            return low
        }

        /// - Returns: the events that what went referred to.
        fileprivate mutating func dequeue(_ limit: QueuePosition) -> [EventKey] {
            var gone: [EventKey] = []
            while front < lines.count, lines[front].entry.position <= limit {
                if let key = lines[front].entry.event { gone.append(key) }
                front += 1
            }
            if front == lines.count {
                lines.removeAll(keepingCapacity: lines.capacity <= 64)
                front = 0
            } else if front >= 64, front * 2 >= lines.count {
                lines.removeFirst(front)
                front = 0
            }
            through = max(through ?? .zero, limit)
            return gone
        }

        /// - Returns: the event that it referred to.
        fileprivate mutating func withdraw(_ position: QueuePosition) -> EventKey? {
            let index = firstIndex(above: position) - 1
            if index >= front, lines[index].entry.position == position { return lines.remove(at: index).entry.event }
            withdrawn.append(position)
            return nil
        }
    }

    private(set) var events: [EventKey: Event] = [:]
    /// Released, as far as the tables have them; what `events` says of one of them came later. Of whoever catches up it is thousands, one
    /// after the other.
    private var released: [ConversationKey: RowRanges] = [:]
    private(set) var queues: [Destination: Queue] = [:]
    private(set) var records: [Batch.RecordName: [UInt8]?] = [:]
    /// Conversations with an event here, and how many.
    private var conversations: [ConversationKey: Int] = [:]
    /// The highest position of any entry that was added, kept or not.
    private(set) var highest = QueuePosition.zero
    /// Events that may have become nobody's.
    private var loose: [EventKey] = []

    var isEmpty: Bool { events.isEmpty && released.isEmpty && queues.isEmpty && records.isEmpty }

    mutating func raise(to position: QueuePosition) { highest = max(highest, position) }

    func touches(_ conversation: ConversationKey) -> Bool { conversations[conversation] != nil || released[conversation] != nil }

    /// Of an event that the tables have; nil: as it is there.
    func isHeld(_ key: EventKey) -> Bool? { events[key]?.held ?? (isReleased(key) ? false : nil) }

    private func isReleased(_ key: EventKey) -> Bool { released[key.conversation]?.contains(key.row) == true }

    // MARK: Writes

    /// What was committed at once.
    struct Commit {
        let writes: [StoreWrite]
        /// Of the journal, where they stand.
        let page: Int
    }

    /// An event that nobody holds and nothing refers to at the batch's end is not kept.
    ///
    /// - Parameter isInTables: whether the tables have an event that is not known here.
    mutating func apply(_ batch: Commit, isInTables: (EventKey) throws(StoreError) -> Bool) throws(StoreError) {
        for write in batch.writes { try apply(write, page: batch.page, isInTables: isInTables) }
        endBatch()
    }

    private mutating func apply(_ write: StoreWrite, page: Int, isInTables: (EventKey) throws(StoreError) -> Bool) throws(StoreError) {
        switch write {
        case .put(let table, let key, let value): records[Batch.RecordName(table: table, key: key)] = .some(value)
        case .remove(let table, let key): records[Batch.RecordName(table: table, key: key)] = .some(nil)
        case .storeEvent(let key, let bytes, let held):
            if let place = events.index(forKey: key) {
                if held { events.values[place].held = true }
            } else if try isInTables(key) {
                if held { insert(Event(bytes: nil, held: true, page: page), key) }
            } else {
                insert(Event(bytes: bytes, held: held, page: page), key)
                if !held { loose.append(key) }
            }
        case .releaseEvent(let key):
            if let place = events.index(forKey: key) {
                events.values[place].held = false
                loose.append(key)
            } else {
                released[key.conversation, default: RowRanges()].insert(key.row)
            }
        case .enqueue(let entry):
            if let key = entry.event {
                if let place = events.index(forKey: key) {
                    events.values[place].entries += 1
                } else {
                    insert(Event(bytes: nil, held: nil, entries: 1, page: page), key)
                }
            }
            queues[entry.destination, default: Queue()].add(Entry(entry: entry, page: page))
            highest = max(highest, entry.position)
        case .dequeue(let destination, let through): dequeue(destination, through)
        case .withdraw(let destination, let position): withdraw(destination, position)
        }
    }

    private mutating func endBatch() {
        for key in loose {
            guard let place = events.index(forKey: key), events.values[place].isNobodys else { continue }
            events.remove(at: place)
            guard let place = conversations.index(forKey: key.conversation) else { continue }
            if conversations.values[place] > 1 { conversations.values[place] -= 1 } else { conversations.remove(at: place) }
        }
        loose.removeAll(keepingCapacity: true)
    }

    private mutating func insert(_ event: Event, _ key: EventKey) {
        if events.updateValue(event, forKey: key) == nil { conversations[key.conversation, default: 0] += 1 }
    }

    private mutating func dequeue(_ destination: Destination, _ through: QueuePosition) {
        for key in queues[destination, default: Queue()].dequeue(through) { drop(key) }
    }

    private mutating func withdraw(_ destination: Destination, _ position: QueuePosition) {
        if let key = queues[destination, default: Queue()].withdraw(position) { drop(key) }
    }

    private mutating func drop(_ key: EventKey) {
        if let place = events.index(forKey: key) { events.values[place].entries -= 1 }
        loose.append(key)
    }

    // MARK: Folding

    /// What goes into the tables, and what stays.
    struct Fold {
        /// Rising by position.
        var entries: [QueueEntry] = []
        /// With bytes: new to the tables. Without: there already.
        var events: [(key: EventKey, change: Event)] = []
        /// Events that entries which stay here refer to: the tables must keep them.
        var kept: Set<EventKey> = []
        var dequeues: [(destination: Destination, through: QueuePosition)] = []
        var withdrawals: [(destination: Destination, position: QueuePosition)] = []
        /// Of events that are in the tables, if they are anywhere; nothing else here speaks of them.
        var released: [Released] = []
        /// Rows that `dequeues` may cost. Nil: as many as there are.
        var rowsMax: Int?
        var records: [(name: Batch.RecordName, value: [UInt8]?)] = []
        var highest = QueuePosition.zero
        var remainder = Remainder()
    }

    /// What stays, and makes it anew.
    struct Remainder {
        /// All of those whose rows may be too many for this fold: a few bytes each, whatever they stand for.
        var dequeues: [(destination: Destination, through: QueuePosition)] = []
        var released: [Released] = []
        /// Of what is young.
        var writes: [StoreWrite] = []

        var isEmpty: Bool { dequeues.isEmpty && released.isEmpty && writes.isEmpty }
    }

    struct Released {
        let conversation: ConversationKey
        /// `EventKey.row`.
        let rows: ClosedRange<Int64>
    }

    /// - Parameters:
    ///   - youngFrom: what came at this page of the journal or later stays.
    ///   - rowsMax: rows of the tables that queues' entries, and as many that events may cost that go; the others go with a later fold. What
    ///     says that they go is small, and a fold that takes all of it could take seconds. Nil: all go.
    ///   - highest: no entry of a later commit has a position as low.
    func fold(youngFrom: Int, rowsMax: Int? = nil, highest highestGiven: QueuePosition = .zero) -> Fold {
        var fold = Fold()
        fold.rowsMax = rowsMax
        var needed: Set<EventKey> = []
        var staying: [QueueEntry] = []
        for (destination, queue) in queues {
            if let through = queue.through {
                fold.dequeues.append((destination, through))
                if rowsMax != nil { fold.remainder.dequeues.append((destination, min(through, max(highest, highestGiven)))) }
            }
            for position in queue.withdrawn { fold.withdrawals.append((destination, position)) }
            for line in queue.entries {
                if line.page < youngFrom {
                    fold.entries.append(line.entry)
                    if let key = line.entry.event { needed.insert(key) }
                } else {
                    staying.append(line.entry)
                    if let key = line.entry.event { fold.kept.insert(key) }
                }
            }
        }
        var released = released
        for (key, event) in events {
            if event.isInTables {
                var event = event
                if isReleased(key) {
                    event.held = event.held ?? false
                    released[key.conversation]?.remove(key.row)
                }
                fold.events.append((key, event))
            } else if event.page < youngFrom || needed.contains(key) {
                fold.events.append((key, event))
            } else if let bytes = event.bytes {
                fold.remainder.writes.append(.storeEvent(key, bytes: bytes, held: event.held == true))
            }
        }
        share(released, rowsMax: rowsMax, &fold)
        // In a fixed order: the same writes make the same file.
        fold.entries.sort { $0.position < $1.position }
        fold.events.sort { $0.key < $1.key }
        fold.dequeues.sort { $0.destination < $1.destination }
        fold.withdrawals.sort { ($0.destination, $0.position) < ($1.destination, $1.position) }
        for entry in staying.sorted(by: { $0.position < $1.position }) { fold.remainder.writes.append(.enqueue(entry)) }
        fold.records = records.map { (name: $0.key, value: $0.value) }
        fold.records.sort {
            $0.name.table == $1.name.table
                ? $0.name.key.lexicographicallyPrecedes($1.name.key) : $0.name.table.rawValue < $1.name.table.rawValue
        }
        fold.highest = highest
        return fold
    }

    /// Of every conversation as much as of the others, as long as it has so much: what was written at the same time stands on the same pages.
    private func share(_ released: [ConversationKey: RowRanges], rowsMax: Int?, _ fold: inout Fold) {
        var left = rowsMax ?? .max
        let all = released.map { (key: $0.key, ranges: $0.value, count: $0.value.count) }
        let inOrder = all.sorted { ($0.count, $0.key) < ($1.count, $1.key) }
        for (index, (conversation, ranges, count)) in inOrder.enumerated() {
            let taken = min(count, max(1, left / (inOrder.count - index)))
            left = max(0, left - taken)
            let (first, rest) = ranges.split(after: taken)
            fold.released += first.map { Released(conversation: conversation, rows: $0) }
            fold.remainder.released += rest.map { Released(conversation: conversation, rows: $0) }
        }
    }

    /// The fold is in the tables. What it was made from, and what came since, becomes what they lack now.
    ///
    /// - Parameters:
    ///   - unfinished: of its dequeues, those that were more than it could take.
    ///   - isInTables: as of now.
    mutating func folded(
        _ fold: Fold, unfinished: Set<Destination>, then later: [Commit], isInTables: (EventKey) throws(StoreError) -> Bool
    ) throws(StoreError) {
        let highest = highest
        self = Overlay()
        self.highest = highest
        for (destination, through) in fold.remainder.dequeues where unfinished.contains(destination) { dequeue(destination, through) }
        for one in fold.remainder.released { released[one.conversation, default: RowRanges()].append(one.rows) }
        // Everything that stays was judged before: what it refers to is in the remainder, or in the tables by now.
        try apply(Commit(writes: fold.remainder.writes, page: 0)) { _ throws(StoreError) in false }
        for batch in later { try apply(batch, isInTables: isInTables) }
    }
}
