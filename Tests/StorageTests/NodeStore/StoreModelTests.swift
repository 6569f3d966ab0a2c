import Cryptography
import Storage
import Testing
import Vocabulary

/// What `NodeStore` promises, write after write, in the simplest way.
private struct Model {
    var records: [StoreTable: [[UInt8]: [UInt8]]] = [:]
    var entries: [UInt64: QueueEntry] = [:]
    var events: [EventKey: (bytes: [UInt8], held: Bool)] = [:]
    var highest: UInt64 = 0

    /// One commit: what nobody holds and nothing refers to goes at its end.
    mutating func commit(_ writes: [StoreWrite]) {
        for write in writes {
            switch write {
            case .put(let table, let key, let value): records[table, default: [:]][key] = value
            case .remove(let table, let key): records[table, default: [:]][key] = nil
            case .storeEvent(let key, let bytes, let held):
                let old = events[key]
                events[key] = (old?.bytes ?? bytes, held || old?.held == true)
            case .releaseEvent(let key): events[key]?.held = false
            case .enqueue(let entry):
                entries[entry.position.value] = entry
                highest = max(highest, entry.position.value)
            case .dequeue(let destination, let through):
                entries = entries.filter { $0.value.destination != destination || $0.key > through.value }
            case .withdraw(let destination, let position):
                if entries[position.value]?.destination == destination { entries[position.value] = nil }
            }
        }
        events = events.filter { key, event in event.held || entries.values.contains { $0.event == key } }
    }
}

@Suite struct StoreModelTests {
    /// Random writes; an entry refers only to an event that is there or stored just before.
    private func batch(_ random: inout SeededGenerator, position: inout UInt64, model: Model) -> [StoreWrite] {
        var writes: [StoreWrite] = []
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            let destination = Destination.all[Int.random(in: 0..<3, using: &random)]
            let key = EventKey.event(UInt64.random(in: 1...6, using: &random), of: UInt8.random(in: 1...2, using: &random))
            let record = [UInt8.random(in: 0...4, using: &random)]
            switch Int.random(in: 0..<10, using: &random) {
            case 0: writes.append(.put(.watermark, key: record, value: random.bytes(3)))
            case 1: writes.append(.remove(.watermark, key: record))
            case 2: writes.append(.storeEvent(key, bytes: Array("\(key)".utf8), held: true))
            case 3: writes.append(.releaseEvent(key))
            case 4: writes.append(.dequeue(destination, through: QueuePosition(unchecked: UInt64.random(in: 0...position, using: &random))))
            case 5: writes.append(.withdraw(destination, QueuePosition(unchecked: UInt64.random(in: 0...position, using: &random))))
            default:
                position += UInt64.random(in: 1...3, using: &random)
                let event = Bool.random(using: &random) ? key : nil
                if let event { writes.append(.storeEvent(event, bytes: Array("\(event)".utf8), held: false)) }
                writes.append(.enqueue(position, to: destination, "c\(position)", event: event))
            }
        }
        return writes
    }

    /// - Parameter whole: all events too, for which a fold under way has to come to its end.
    private func check(_ store: some NodeStore, against model: Model, whole: Bool = true) throws {
        for destination in Destination.all {
            let expected = model.entries.filter { $0.value.destination == destination }.sorted { $0.key < $1.key }
            let events = expected.map { $0.value.event.flatMap { model.events[$0]?.bytes } }
            let page = try store.page(destination, after: .zero, limit: .max, bytesMax: .max)
            #expect(page.map(\.position.value) == expected.map(\.key))
            #expect(page.map(\.content) == expected.map(\.value.content))
            #expect(page.map(\.event) == events)
            let sizes = zip(expected, events).map { $0.value.content.count + ($1?.count ?? 0) }
            #expect(try store.outline(destination).map(\.bytes) == sizes)
        }
        for conversation in UInt8(1)...2 {
            for number in UInt64(1)...6 where whole || model.events[.event(number, of: conversation)]?.held == true {
                #expect(try store.event(.event(number, of: conversation)) == model.events[.event(number, of: conversation)]?.bytes)
            }
            let held = model.events.filter { $0.key.conversation == .number(conversation) && $0.value.held }.map(\.key.number).sorted()
            #expect(try store.heldEvents(.number(conversation), after: .zero, bytesMax: .max).events.map(\.number) == held)
            var (some, last): ([SequenceNumber], SequenceNumber?) = ([], .zero)
            while let after = last {
                let page = try store.heldEvents(.number(conversation), after: after, bytesMax: 1)
                #expect(page.events.count <= 1)
                some += page.events.map(\.number)
                last = page.goesOn ? page.events.last?.number : nil
            }
            #expect(some == held, "one at a time")
        }
        let records = (model.records[.watermark] ?? [:]).sorted { $0.key.lexicographicallyPrecedes($1.key) }
        let values = try store.values(.watermark)
        #expect(values.map(\.key) == records.map(\.key))
        #expect(values.map(\.value) == records.map(\.value))
        #expect(try store.highestPosition().value == model.highest)
    }

    /// Small generations, so that the journal is folded in the middle of everything.
    @Test(arguments: UInt64(0)..<12, [16 << 10, 1 << 20]) func `any batches leave what their writes one after the other would`(
        seed: UInt64, journalBytes: Int
    ) throws {
        var (random, position, model) = (SeededGenerator(seed: seed), UInt64(0), Model())
        let folder = try Folder()
        var store = try openStore(folder, journalBytes: journalBytes)
        for round in 0..<40 {
            let writes = batch(&random, position: &position, model: model)
            try store.commit(writes)
            model.commit(writes)
            if round % 3 != 2 { try check(store, against: model) }
            // What a crash now would leave.
            if round % 5 == 2 { try check(openStore(folder.copied()), against: model) }
            if round % 10 == 3 { try store.maintain(idle: true) }
            if round % 10 == 9 {
                try store.close()
                store = try openStore(folder)
                try check(store, against: model)
            }
        }
    }

    /// The steps of a fold at any moment between commits; some are never done.
    @Test(arguments: UInt64(0)..<16, [64 << 10, 1 << 20]) func `a fold beside commits and reading leaves the same`(
        seed: UInt64, journalBytes: Int
    ) throws {
        var (random, position, model) = (SeededGenerator(seed: seed &+ 200), UInt64(0), Model())
        let folder = try Folder()
        var store = try openStore(folder, journalBytes: journalBytes)
        var job: StoreJob?
        for round in 0..<80 {
            // Less than what one fold finds to take away: the rest stays for later ones.
            store.foldRowsMax = seed.isMultiple(of: 2) ? Int.random(in: 1...3, using: &random) : 1_000
            switch Int.random(in: 0..<7, using: &random) {
            case 0, 1: _ = try store.prepareFold(wipes: Bool.random(using: &random))
            case 2, 3: job = try store.beginFold() ?? job
            case 4: try job?.result().get()
            case 5:
                if let done = job { job = try store.advance(after: done) }
            default:
                let writes = batch(&random, position: &position, model: model)
                try store.commit(writes)
                model.commit(writes)
            }
            if round % 3 != 2 { try check(store, against: model, whole: round % 15 == 0) }
            if round % 5 == 2 { try check(openStore(folder.copied()), against: model) }
            if round % 20 == 19 {
                try store.close()
                store = try openStore(folder)
                job = nil
            }
        }
    }

    @Test(arguments: UInt64(0)..<8) func `batches without any reading in between leave the same`(seed: UInt64) throws {
        var (random, position, model) = (SeededGenerator(seed: seed &+ 100), UInt64(0), Model())
        let folder = try Folder()
        let store = try openStore(folder, journalBytes: 16 << 10)
        for round in 0..<60 {
            let writes = batch(&random, position: &position, model: model)
            try store.commit(writes)
            model.commit(writes)
            if round % 9 == 8 { try check(openStore(folder.copied()), against: model) }
        }
        try check(store, against: model)
    }

    @Test(arguments: UInt64(0)..<6) func `the tables alone leave the same`(seed: UInt64) throws {
        var (random, position, model) = (SeededGenerator(seed: seed), UInt64(0), Model())
        let folder = try Folder()
        let store = try openTables(folder)
        for round in 0..<40 {
            let writes = batch(&random, position: &position, model: model)
            try store.commit(writes)
            model.commit(writes)
            try check(store, against: model)
            if round % 10 == 3 { try store.maintain(idle: true) }
        }
    }
}
