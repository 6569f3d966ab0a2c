public import Vocabulary

/// A node's disk in memory: what was committed survives a crash of the node, what was not never happened.
public final class MemoryStore: NodeStore {
    private struct Event {
        var bytes: [UInt8]
        var references: Int
        var isHeld: Bool
    }

    private struct Contents {
        var records: [StoreTable: [[UInt8]: [UInt8]]] = [:]
        var events: [EventKey: Event] = [:]
        var queues: [Destination: [QueueEntry]] = [:]
        var highest = QueuePosition.zero
    }

    /// What a bad disk does: planted, to see that a check finds it.
    public enum Defect: Sendable {
        /// One commit in so many never happens.
        case forgetsCommits(every: Int)
        /// A commit is on disk only when the next one comes: a crash takes the last.
        case commitsLate
    }

    private var disk = Contents()
    /// Before the last commit; kept for a disk that commits late.
    private var before: Contents?
    public var defect: Defect?
    public private(set) var commits = 0

    public init() {}

    /// What is on the disk now, on another one.
    public func copy() -> MemoryStore {
        let copy = MemoryStore()
        copy.disk = disk
        return copy
    }

    /// Events and entries that are still there.
    public var leftOvers: (events: Int, entries: Int) { (disk.events.count, disk.queues.values.reduce(0) { $0 + $1.count }) }

    /// All small records: for tests that nothing changed.
    public var values: [StoreTable: [[UInt8]: [UInt8]]] { disk.records }

    public func commit(_ writes: [StoreWrite]) throws(StoreError) {
        commits += 1
        switch defect {
        case .forgetsCommits(let period) where commits % period == 0: return
        case .commitsLate: before = disk
        default: break
        }
        for write in writes {
            switch write {
            case .put(let table, let key, let value): disk.records[table, default: [:]][key] = value
            case .remove(let table, let key): disk.records[table]?[key] = nil
            case .storeEvent(let key, let bytes, let held):
                var event = disk.events[key] ?? Event(bytes: bytes, references: 0, isHeld: false)
                event.isHeld = event.isHeld || held
                disk.events[key] = event
            case .releaseEvent(let key):
                disk.events[key]?.isHeld = false
                forget(key)
            case .enqueue(let entry):
                disk.queues[entry.destination, default: []].append(entry)
                disk.highest = max(disk.highest, entry.position)
                if let key = entry.event { disk.events[key]?.references += 1 }
            case .dequeue(let destination, let through):
                let gone = disk.queues[destination]?.prefix { $0.position <= through } ?? []
                disk.queues[destination]?.removeFirst(gone.count)
                for entry in gone { release(entry) }
            case .withdraw(let destination, let position):
                guard let index = disk.queues[destination]?.firstIndex(where: { $0.position == position }),
                    let entry = disk.queues[destination]?.remove(at: index)
                else { continue }
                release(entry)
            }
        }
    }

    /// The node's process dies.
    public func crash() {
        if let before { disk = before }
        before = nil
    }

    private func release(_ entry: QueueEntry) {
        guard let key = entry.event else { return }
        disk.events[key]?.references -= 1
        forget(key)
    }

    private func forget(_ key: EventKey) {
        if let event = disk.events[key], !event.isHeld, event.references <= 0 { disk.events[key] = nil }
    }

    public func value(_ table: StoreTable, key: [UInt8]) throws(StoreError) -> [UInt8]? { disk.records[table]?[key] }

    public func values(_ table: StoreTable) throws(StoreError) -> [(key: [UInt8], value: [UInt8])] {
        (disk.records[table] ?? [:]).map { (key: $0.key, value: $0.value) }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }

    public func event(_ key: EventKey) throws(StoreError) -> [UInt8]? { disk.events[key]?.bytes }

    public func heldEvents(_ conversation: ConversationKey) throws(StoreError) -> [(number: SequenceNumber, bytes: [UInt8])] {
        disk.events.filter { $0.key.conversation == conversation && $0.key.part == 0 && $0.value.isHeld }.map {
            (number: $0.key.number, bytes: $0.value.bytes)
        }
        .sorted { $0.number < $1.number }
    }

    public func page(
        _ destination: Destination, after: QueuePosition, limit: Int, bytesMax: Int
    ) throws(StoreError) -> [StoredEntry] {
        var found: [StoredEntry] = []
        var bytes = 0
        for entry in disk.queues[destination] ?? [] where entry.position > after && found.count < limit {
            let event = entry.event.flatMap { disk.events[$0]?.bytes }
            bytes += entry.content.count + (event?.count ?? 0)
            guard found.isEmpty || bytes <= bytesMax else { break }
            found.append(StoredEntry(position: entry.position, content: entry.content, event: event))
        }
        return found
    }

    public func outline(_ destination: Destination) throws(StoreError) -> [(position: QueuePosition, bytes: Int)] {
        (disk.queues[destination] ?? []).map { entry in
            (position: entry.position, bytes: entry.content.count + (entry.event.flatMap { disk.events[$0]?.bytes.count } ?? 0))
        }
    }

    public func highestPosition() throws(StoreError) -> QueuePosition { disk.highest }
}
