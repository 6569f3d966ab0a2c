internal import Vocabulary

/// The writes of one commit, reduced to what they come to: of several about one record the last, nothing for an entry that is enqueued
/// and gone again, one sum for the references to an event. The outcome is that of the writes one after the other.
struct Batch {
    struct RecordName: Hashable {
        let table: StoreTable
        let key: [UInt8]
    }

    struct EventChange {
        /// As handed over; an event's bytes never change, so the first serve.
        var bytes: [UInt8]?
        /// nil: stays as it is.
        var hold: Bool?
        /// By the entries that this batch adds and keeps.
        var references = 0
    }

    /// In the order in which they were first named, so that the same writes make the same file.
    private(set) var recordNames: [RecordName] = []
    /// nil: removed.
    private(set) var records: [RecordName: [UInt8]?] = [:]
    private(set) var eventKeys: [EventKey] = []
    private(set) var events: [EventKey: EventChange] = [:]
    private(set) var dequeues: [(destination: Destination, through: QueuePosition)] = []
    private(set) var withdrawals: [(destination: Destination, position: QueuePosition)] = []
    /// The highest position of any entry in it, kept or not.
    private(set) var highest = QueuePosition.zero
    /// Gone again: nil.
    private var added: [QueueEntry?] = []
    private var addedAt: [QueuePosition: Int] = [:]
    private var addedTo: [Destination: [Int]] = [:]
    private var dequeueAt: [Destination: Int] = [:]

    var entries: [QueueEntry] { added.compactMap(\.self) }

    /// Whether it takes something away, and so should find room even on a full disk.
    var removes: Bool {
        !dequeues.isEmpty || !withdrawals.isEmpty || events.contains { $0.value.hold == false } || records.contains { $0.value == nil }
    }

    init(_ writes: [StoreWrite]) throws(StoreError) {
        for write in writes {
            switch write {
            case .put(let table, let key, let value): set(RecordName(table: table, key: key), to: value)
            case .remove(let table, let key): set(RecordName(table: table, key: key), to: nil)
            case .storeEvent(let key, let bytes, let held):
                change(key) { event in
                    event.bytes = event.bytes ?? bytes
                    if held { event.hold = true }
                }
            case .releaseEvent(let key): change(key) { $0.hold = false }
            case .enqueue(let entry): try add(entry)
            case .dequeue(let destination, let through): dequeue(destination, through)
            case .withdraw(let destination, let position): withdraw(destination, position)
            }
        }
    }

    private mutating func set(_ name: RecordName, to value: [UInt8]?) {
        if records.updateValue(value, forKey: name) == nil { recordNames.append(name) }
    }

    private mutating func change(_ key: EventKey, _ body: (inout EventChange) -> Void) {
        if events[key] == nil { eventKeys.append(key) }
        body(&events[key, default: EventChange()])
    }

    private mutating func add(_ entry: QueueEntry) throws(StoreError) {
        guard entry.position.value <= counterMax else { throw .corrupt("a queue position above 2^53") }
        guard addedAt.updateValue(added.count, forKey: entry.position) == nil else {
            throw .corrupt("queue position \(entry.position) was given twice")
        }
        addedTo[entry.destination, default: []].append(added.count)
        added.append(entry)
        highest = max(highest, entry.position)
        if let event = entry.event { change(event) { $0.references += 1 } }
    }

    private mutating func dequeue(_ destination: Destination, _ through: QueuePosition) {
        if let index = dequeueAt[destination] {
            dequeues[index].through = max(dequeues[index].through, through)
        } else {
            dequeueAt[destination] = dequeues.count
            dequeues.append((destination, through))
        }
        guard let waiting = addedTo.removeValue(forKey: destination) else { return }
        for index in waiting {
            guard let entry = added[index] else { continue }
            if entry.position <= through { drop(index, entry) } else { addedTo[destination, default: []].append(index) }
        }
    }

    private mutating func withdraw(_ destination: Destination, _ position: QueuePosition) {
        if let index = addedAt[position], let entry = added[index], entry.destination == destination {
            drop(index, entry)
        } else {
            withdrawals.append((destination, position))
        }
    }

    private mutating func drop(_ index: Int, _ entry: QueueEntry) {
        added[index] = nil
        if let event = entry.event { events[event]?.references -= 1 }
    }
}
