public import Vocabulary

/// A node's disk in memory: what was committed survives a crash of the node, what was not never happened.
public final class MemoryStore: NodeStore {
    fileprivate struct Event: Sendable {
        var bytes: [UInt8]
        var references: Int
        var isHeld: Bool
    }

    fileprivate struct Contents: Sendable {
        var records: [StoreTable: [[UInt8]: [UInt8]]] = [:]
        var events: [EventKey: Event] = [:]
        var queues: [Destination: [QueueEntry]] = [:]
        var highest = QueuePosition.zero
    }

    /// What a bad disk does: planted, to see that a check finds it.
    public enum Defect: Sendable {
        /// One commit in so many never happens.
        case forgetsCommits(every: Int)
        /// A queue that is longer loses its oldest entry.
        case dropsOldest(above: Int)
        /// What is put there is not kept.
        case ignores(StoreTable)
        /// What leaves a node's queue leaves the log.
        case prunesOnNodeAck
    }

    /// A copy of all that is on it, as a backup has it.
    public struct Copy: Sendable { fileprivate let contents: Contents }

    private var disk = Contents()
    /// What is on the platter while a commit is on its way there, and that commit.
    private var platter: Contents?
    private var unsynced: [StoreWrite] = []
    public var defect: Defect?
    public private(set) var commits = 0

    public init() {}

    /// Another disk with the same on it.
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
        if case .forgetsCommits(let period) = defect, commits % period == 0 { return }
        for write in writes { disk.apply(write, defect) }
    }

    // MARK: In two steps

    /// A commit sets out for the disk: it is read back from here on, and is lost in a crash before `sync`, or is not.
    func stage(_ writes: [StoreWrite]) throws(StoreError) {
        if platter == nil { platter = disk }
        unsynced = writes
        try commit(writes)
    }

    /// It is there.
    func sync() {
        // Applied to both rather than copied: a copy of everything a commit would be the simulator's main work.
        if defect == nil { for write in unsynced { platter?.apply(write, nil) } } else { platter = disk }
        unsynced = []
    }

    /// The node's process dies.
    /// - Parameter isTorn: the commit that is on its way does not come to the disk.
    public func crash(isTorn: Bool = true) {
        if let platter, isTorn { disk = platter }
        (platter, unsynced) = (nil, [])
    }

    public var backup: Copy { Copy(contents: platter ?? disk) }

    /// An old copy is put in the disk's place, while the node is down.
    public func restore(_ copy: Copy) {
        disk = copy.contents
        (platter, unsynced) = (nil, [])
    }

    /// For bugs that are planted: a table as it was in a copy.
    func revert(_ table: StoreTable, to copy: Copy) { disk.records[table] = copy.contents.records[table] }

    public func value(_ table: StoreTable, key: [UInt8]) throws(StoreError) -> [UInt8]? { disk.records[table]?[key] }

    public func values(_ table: StoreTable) throws(StoreError) -> [(key: [UInt8], value: [UInt8])] {
        (disk.records[table] ?? [:]).map { (key: $0.key, value: $0.value) }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }

    public func event(_ key: EventKey) throws(StoreError) -> [UInt8]? { disk.events[key]?.bytes }

    public func heldEvents(
        _ conversation: ConversationKey, after: SequenceNumber, bytesMax: Int
    ) throws(StoreError) -> HeldEvents {
        let all = disk.events.filter { $0.key.conversation == conversation && $0.key.part == 0 && $0.value.isHeld && $0.key.number > after }
        var (found, room) = (HeldEvents(), bytesMax)
        for (key, event) in all.sorted(by: { $0.key.number < $1.key.number }) {
            guard found.take(key.number, event.bytes, room: &room) else { break }
        }
        return found
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

    public func dropQueues(except destinations: [Destination]) throws(StoreError) {
        let known = Set(destinations)
        let strays = disk.queues.keys.filter { !known.contains($0) }.sorted()
        for destination in strays { disk.apply(.dequeue(destination, through: disk.highest), nil) }
    }

    public func highestPosition() throws(StoreError) -> QueuePosition { disk.highest }
}

extension MemoryStore.Contents {
    mutating func apply(_ write: StoreWrite, _ defect: MemoryStore.Defect?) {
        switch write {
        case .put(let table, let key, let value):
            if case .ignores(table) = defect, records[table]?[key] != nil { return }
            records[table, default: [:]][key] = value
        case .remove(let table, let key): records[table]?[key] = nil
        case .storeEvent(let key, let bytes, let held):
            var event = events[key] ?? MemoryStore.Event(bytes: bytes, references: 0, isHeld: false)
            event.isHeld = event.isHeld || held
            events[key] = event
        case .releaseEvent(let key):
            events[key]?.isHeld = false
            forget(key)
        case .enqueue(let entry):
            queues[entry.destination, default: []].append(entry)
            highest = max(highest, entry.position)
            if let key = entry.event { events[key]?.references += 1 }
            guard case .dropsOldest(let most) = defect, let queue = queues[entry.destination], queue.count > most else { return }
            if let oldest = queues[entry.destination]?.removeFirst() { release(oldest) }
        case .dequeue(let destination, let through):
            let gone = queues[destination]?.prefix { $0.position <= through } ?? []
            queues[destination]?.removeFirst(gone.count)
            for entry in gone {
                if case .prunesOnNodeAck = defect, case .node = destination, let key = entry.event { events[key]?.isHeld = false }
                release(entry)
            }
        case .withdraw(let destination, let position):
            guard let index = queues[destination]?.firstIndex(where: { $0.position == position }),
                let entry = queues[destination]?.remove(at: index)
            else { return }
            release(entry)
        }
    }

    private mutating func release(_ entry: QueueEntry) {
        guard let key = entry.event else { return }
        events[key]?.references -= 1
        forget(key)
    }

    private mutating func forget(_ key: EventKey) {
        if let event = events[key], !event.isHeld, event.references <= 0 { events[key] = nil }
    }
}
