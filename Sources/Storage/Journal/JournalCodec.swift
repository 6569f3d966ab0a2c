package import Vocabulary

/// How writes stand in the journal's frames, before they are sealed: a tag, then the parts in a fixed order, lengths as four bytes,
/// little-endian. Private to one store: a frame is read by the program that wrote it or a later one.
package enum JournalCodec {
    private enum Tag {
        static let put: UInt8 = 1
        static let remove: UInt8 = 2
        static let storeEvent: UInt8 = 3
        static let holdEvent: UInt8 = 4
        static let releaseEvent: UInt8 = 5
        static let enqueue: UInt8 = 6
        static let enqueueEvent: UInt8 = 7
        static let dequeue: UInt8 = 8
        static let withdraw: UInt8 = 9
        /// The highest position that was given, to an entry that did not last.
        static let highest: UInt8 = 10
        /// At a generation's beginning: what comes before it.
        static let follows: UInt8 = 11
        /// Many in a row: the first, and how many.
        static let releaseEvents: UInt8 = 12
    }

    // MARK: Writing

    package static func append(_ write: StoreWrite, to bytes: inout [UInt8]) {
        switch write {
        case .put(let table, let key, let value):
            bytes.append(Tag.put)
            bytes.append(table.rawValue)
            append(opaque: key, to: &bytes)
            append(opaque: value, to: &bytes)
        case .remove(let table, let key):
            bytes.append(Tag.remove)
            bytes.append(table.rawValue)
            append(opaque: key, to: &bytes)
        case .storeEvent(let key, let body, let held):
            bytes.append(held ? Tag.holdEvent : Tag.storeEvent)
            append(key, to: &bytes)
            append(opaque: body, to: &bytes)
        case .releaseEvent(let key):
            bytes.append(Tag.releaseEvent)
            append(key, to: &bytes)
        case .enqueue(let entry):
            bytes.append(entry.event == nil ? Tag.enqueue : Tag.enqueueEvent)
            append(entry.destination, to: &bytes)
            append(entry.position.value, to: &bytes)
            if let event = entry.event { append(event, to: &bytes) }
            append(opaque: entry.content, to: &bytes)
        case .dequeue(let destination, let through):
            bytes.append(Tag.dequeue)
            append(destination, to: &bytes)
            append(through.value, to: &bytes)
        case .withdraw(let destination, let position):
            bytes.append(Tag.withdraw)
            append(destination, to: &bytes)
            append(position.value, to: &bytes)
        }
    }

    /// What `append` takes at most.
    static func bytesMax(of write: StoreWrite) -> Int {
        // Tags, ids, numbers and lengths.
        let fixed = 128
        return switch write {
        case .put(_, let key, let value): fixed + key.count + value.count
        case .remove(_, let key): fixed + key.count
        case .storeEvent(_, let body, _): fixed + body.count
        case .enqueue(let entry): fixed + entry.content.count
        case .releaseEvent, .dequeue, .withdraw: fixed
        }
    }

    package static func append(highest position: QueuePosition, to bytes: inout [UInt8]) {
        bytes.append(Tag.highest)
        append(position.value, to: &bytes)
    }

    /// What one `releaseEvents` stands for at most, so that few bytes never read as more than fits in memory.
    private static let releasedMax: Int64 = 1_024

    static func append(_ released: Overlay.Released, to bytes: inout [UInt8]) {
        var row = released.rows.lowerBound
        while row <= released.rows.upperBound {
            let count = min(releasedMax, released.rows.upperBound - row + 1)
            bytes.append(Tag.releaseEvents)
            append(EventKey(conversation: released.conversation, row: row), to: &bytes)
            append(UInt64(count), to: &bytes)
            row += count
        }
    }

    /// - Parameter mark: the end of the generation before.
    static func append(follows mark: Journal.Mark, to bytes: inout [UInt8]) {
        bytes.append(Tag.follows)
        append(mark.generation, to: &bytes)
        append(mark.number, to: &bytes)
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func append(opaque part: [UInt8], to bytes: inout [UInt8]) {
        append(UInt32(clamping: part.count), to: &bytes)
        bytes.append(contentsOf: part)
    }

    private static func append(_ destination: Destination, to bytes: inout [UInt8]) {
        switch destination {
        case .device(let id):
            bytes.append(0)
            id.raw.withMemory { bytes.append(contentsOf: $0) }
        case .node(let id):
            bytes.append(1)
            id.raw.withMemory { bytes.append(contentsOf: $0) }
        }
    }

    private static func append(_ key: EventKey, to bytes: inout [UInt8]) {
        key.conversation.hub.raw.withMemory { bytes.append(contentsOf: $0) }
        key.conversation.conversation.raw.withMemory { bytes.append(contentsOf: $0) }
        append(key.number.value, to: &bytes)
        append(key.part, to: &bytes)
    }

    // MARK: Reading

    /// - Throws: `corrupt` for what `append` did not write: a frame that authenticates holds nothing else.
    package static func writes(_ bytes: [UInt8]) throws(StoreError) -> (writes: [StoreWrite], highest: QueuePosition) {
        var found: [StoreWrite] = []
        var highest = QueuePosition.zero
        var reader = Reader(rest: bytes[...])
        while !reader.rest.isEmpty {
            switch try reader.byte() {
            case Tag.put: found.append(.put(try reader.table(), key: try reader.opaque(), value: try reader.opaque()))
            case Tag.remove: found.append(.remove(try reader.table(), key: try reader.opaque()))
            case Tag.storeEvent: found.append(.storeEvent(try reader.eventKey(), bytes: try reader.opaque(), held: false))
            case Tag.holdEvent: found.append(.storeEvent(try reader.eventKey(), bytes: try reader.opaque(), held: true))
            case Tag.releaseEvent: found.append(.releaseEvent(try reader.eventKey()))
            case Tag.releaseEvents:
                let (first, count): (EventKey, UInt64) = (try reader.eventKey(), try reader.integer())
                let (end, overflow) = first.number.value.addingReportingOverflow(count)
                guard count <= UInt64(releasedMax), !overflow, end <= counterMax + 1 else { throw Reader.damaged }
                for number in first.number.value..<end {
                    let key = EventKey(conversation: first.conversation, number: SequenceNumber(unchecked: number), part: first.part)
                    found.append(.releaseEvent(key))
                }
            case Tag.enqueue:
                let (destination, position) = (try reader.destination(), try reader.counter(QueuePosition.self))
                found.append(
                    .enqueue(QueueEntry(position: position, destination: destination, content: try reader.opaque(), event: nil)))
            case Tag.enqueueEvent:
                let (destination, position) = (try reader.destination(), try reader.counter(QueuePosition.self))
                let event = try reader.eventKey()
                found.append(
                    .enqueue(QueueEntry(position: position, destination: destination, content: try reader.opaque(), event: event)))
            case Tag.dequeue: found.append(.dequeue(try reader.destination(), through: try reader.counter()))
            case Tag.withdraw: found.append(.withdraw(try reader.destination(), try reader.counter()))
            case Tag.highest: highest = max(highest, try reader.counter())
            case Tag.follows: _ = try reader.mark()
            default: throw Reader.damaged
            }
        }
        return (found, highest)
    }

    /// Where the generation that begins so comes after; nil in one that does not say it.
    static func follows(_ bytes: [UInt8]) throws(StoreError) -> Journal.Mark? {
        var reader = Reader(rest: bytes[...])
        guard bytes.first == Tag.follows, try reader.byte() == Tag.follows else { return nil }
        return try reader.mark()
    }

    /// Whether a generation's first frame says no more than that it begins.
    static func isFirst(_ bytes: [UInt8]) -> Bool { bytes.isEmpty || bytes.count == 17 && bytes[0] == Tag.follows }

    private struct Reader {
        static let damaged = StoreError.corrupt("a frame of the journal does not decode")
        var rest: ArraySlice<UInt8>

        mutating func take(_ count: Int) throws(StoreError) -> ArraySlice<UInt8> {
            guard count <= rest.count else { throw Self.damaged }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }

        mutating func byte() throws(StoreError) -> UInt8 {
            guard let byte = rest.popFirst() else { throw Self.damaged }
            return byte
        }

        mutating func integer<T: FixedWidthInteger & UnsignedInteger>(_: T.Type = T.self) throws(StoreError) -> T {
            var value: T = 0
            for byte in try take(T.bitWidth / 8).reversed() { value = value << 8 | T(byte) }
            return value
        }

        mutating func opaque() throws(StoreError) -> [UInt8] { Array(try take(Int(clamping: integer(UInt32.self)))) }

        mutating func table() throws(StoreError) -> StoreTable {
            guard let table = StoreTable(rawValue: try byte()) else { throw Self.damaged }
            return table
        }

        mutating func counter<T: Counter>(_: T.Type = T.self) throws(StoreError) -> T {
            guard let counter = T(try integer(UInt64.self)) else { throw Self.damaged }
            return counter
        }

        mutating func id<T: Identifier32>() throws(StoreError) -> T {
            guard let id = T(try take(32)) else { throw Self.damaged }
            return id
        }

        mutating func mark() throws(StoreError) -> Journal.Mark { Journal.Mark(generation: try integer(), number: try integer()) }

        mutating func destination() throws(StoreError) -> Destination {
            switch try byte() {
            case 0: .device(try id())
            case 1: .node(try id())
            default: throw Self.damaged
            }
        }

        mutating func eventKey() throws(StoreError) -> EventKey {
            let hub: NodeID = try id()
            guard let conversation = ConversationID(try take(16)) else { throw Self.damaged }
            let key = ConversationKey(hub: hub, conversation: conversation)
            return EventKey(conversation: key, number: try counter(), part: try integer())
        }
    }
}
