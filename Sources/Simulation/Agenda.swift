internal import Vocabulary

/// What is to happen when, in one order: by time, then by the order it was put in. A binary heap.
struct Agenda<Event> {
    private struct Entry {
        let at: Instant
        let order: UInt64
        let event: Event

        func precedes(_ other: Entry) -> Bool { (at, order) < (other.at, other.order) }
    }

    private var heap: [Entry] = []
    private var next: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }
    var first: Instant? { heap.first?.at }

    mutating func add(_ event: Event, at time: Instant) {
        heap.append(Entry(at: time, order: next, event: event))
        next += 1
        var child = heap.count - 1
        while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func takeFirst() -> (at: Instant, event: Event)? {
        guard let top = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = last
            var parent = 0
            while true {
                // No array of the two: this is done for each event.
                var least = parent * 2 + 1
                guard least < heap.count else { break }
                if least + 1 < heap.count, heap[least + 1].precedes(heap[least]) { least += 1 }
                guard heap[least].precedes(heap[parent]) else { break }
                heap.swapAt(least, parent)
                parent = least
            }
        }
        return (top.at, top.event)
    }
}
