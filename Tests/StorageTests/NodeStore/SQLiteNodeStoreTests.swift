import Storage
import Testing
import Vocabulary

@Suite struct SQLiteNodeStoreTests {
    let folder: Folder
    let store: JournaledNodeStore

    init() throws {
        folder = try Folder()
        store = try openStore(folder)
    }

    // MARK: Records

    @Test func `a record has its latest value, and tables do not mix`() throws {
        try store.commit([.put(.ticket, "a", "1"), .put(.head, "a", "2")])
        try store.commit([.put(.ticket, "a", "3"), .put(.ticket, "", "")])
        #expect(try store.value(.ticket, key: Array("a".utf8)) == Array("3".utf8))
        #expect(try store.value(.ticket, key: Array("b".utf8)) == nil)
        #expect(try store.shown(.ticket) == ["=", "a=3"])
        #expect(try store.shown(.head) == ["a=2"])
        try store.commit([.remove(.ticket, key: Array("a".utf8)), .remove(.ticket, key: Array("never".utf8))])
        #expect(try store.shown(.ticket) == ["="])
    }

    @Test func `of several writes to one record in a batch the last counts`() throws {
        try store.commit([.put(.meta, "a", "1"), .remove(.meta, key: Array("a".utf8)), .put(.meta, "b", "1"), .put(.meta, "b", "2")])
        #expect(try store.shown(.meta) == ["b=2"])
        try store.commit([.remove(.meta, key: Array("b".utf8)), .put(.meta, "b", "3")])
        #expect(try store.shown(.meta) == ["b=3"])
    }

    @Test func `values come rising by key`() throws {
        let keys = (0..<50).map { "k\(($0 * 37) % 50 + 100)" }
        try store.commit(keys.map { .put(.userRecord, $0, "x") })
        #expect(try store.shown(.userRecord) == keys.sorted().map { "\($0)=x" })
    }

    // MARK: Queues

    @Test func `queues keep their entries apart, in the order of positions`() throws {
        try store.commit([.enqueue(3, to: .phone, "c"), .enqueue(1, to: .phone, "a"), .enqueue(2, to: .tower, "b")])
        #expect(try store.waiting(.phone) == ["1:a:-", "3:c:-"])
        #expect(try store.waiting(.tower) == ["2:b:-"])
        #expect(try store.waiting(.laptop).isEmpty)
    }

    @Test func `a page holds no more entries and bytes than asked for, but always one`() throws {
        let key = EventKey.event(1)
        try store.commit([.store(key, "12345678"), .enqueue(1, to: .phone, "aa", event: key)])
        try store.commit((2...9).map { .enqueue($0, to: .phone, "bb") })
        func positions(after: QueuePosition = .zero, limit: Int = 100, bytesMax: Int = .max) throws -> [UInt64] {
            try store.page(.phone, after: after, limit: limit, bytesMax: bytesMax).map(\.position.value)
        }
        #expect(try positions(limit: 3) == [1, 2, 3])
        #expect(try positions(after: 7) == [8, 9])
        #expect(try positions(bytesMax: 12) == [1, 2])
        #expect(try positions(bytesMax: 11) == [1])
        #expect(try positions(bytesMax: 0) == [1])
        #expect(try positions(limit: 0).isEmpty)
        #expect(try positions(limit: -1).isEmpty)
        #expect(try positions(after: 9).isEmpty)
        #expect(try positions(after: QueuePosition(unchecked: .max)).isEmpty)
    }

    @Test func `dequeue takes everything through a position, withdraw one entry of that queue`() throws {
        try store.commit((1...6).map { .enqueue($0, to: $0 == 2 ? .tower : .phone, "x") })
        try store.commit([.dequeue(.phone, through: 3), .withdraw(.phone, 5), .withdraw(.laptop, 6)])
        #expect(try store.outline(.phone).map(\.position) == [4, 6])
        #expect(try store.outline(.tower).map(\.position) == [2])
        try store.commit([.dequeue(.phone, through: QueuePosition(unchecked: .max)), .dequeue(.laptop, through: 5)])
        #expect(try store.outline(.phone).isEmpty)
    }

    @Test func `an outline tells each entry's bytes with its event's`() throws {
        try store.commit([
            .store(.event(1), "12345678"), .enqueue(1, to: .phone, "abc", event: .event(1)), .enqueue(2, to: .phone, "ab"),
        ])
        try store.commit([.enqueue(3, to: .phone, "", event: .event(1))])
        #expect(try store.outline(.phone).map(\.bytes) == [11, 2, 8])
    }

    @Test func `an outline of 100,000 entries is whole and rising`() throws {
        for start in stride(from: UInt64(1), through: 100_000, by: 2_000) {
            try store.commit((start..<start + 2_000).map { .enqueue($0, to: $0 % 5 == 0 ? .laptop : .phone, "x") })
            try store.maintain()
        }
        let (phone, laptop) = (try store.outline(.phone), try store.outline(.laptop))
        #expect(phone.map(\.position.value) == (1...100_000).filter { $0 % 5 != 0 })
        #expect(laptop.map(\.position.value) == (1...100_000).filter { $0 % 5 == 0 })
        #expect(phone.allSatisfy { $0.bytes == 1 })
        try store.commit([.dequeue(.phone, through: 100_000)])
        #expect(try store.outline(.phone).isEmpty)
        #expect(try store.outline(.laptop).count == 20_000)
    }

    @Test func `a position above 2^53, or given twice, is refused and nothing of its batch is kept`() throws {
        for bad in [counterMax + 1, UInt64(Int64.max), UInt64.max, 7] {
            #expect(throws: StoreError.self) {
                try store.commit([.put(.meta, "a", "b"), .enqueue(7, to: .phone), .enqueue(bad, to: .laptop)])
            }
        }
        #expect(try store.shown(.meta).isEmpty)
        try store.commit([.enqueue(counterMax, to: .phone)])
        #expect(throws: StoreError.self) { try store.commit([.enqueue(counterMax, to: .laptop)]) }
        #expect(try store.waiting(.laptop).isEmpty)
    }

    // MARK: The highest position

    @Test func `the highest position ever given outlives its entry, also one that never touched the disk`() throws {
        #expect(try store.highestPosition() == 0)
        try store.commit([.enqueue(5, to: .phone)])
        #expect(try store.highestPosition() == 5)
        try store.commit([.dequeue(.phone, through: 5)])
        #expect(try openStore(folder.copied()).highestPosition() == 5)
        try store.commit([.enqueue(9, to: .phone), .withdraw(.phone, 9)])
        #expect(try store.highestPosition() == 9)
        #expect(try openStore(folder.copied()).highestPosition() == 9)
        try store.commit([.enqueue(20, to: .phone), .enqueue(30, to: .tower)])
        try store.commit([.dequeue(.phone, through: 20)])
        #expect(try openStore(folder.copied()).highestPosition() == 30)
    }

    // MARK: Events

    @Test func `an event lives until its last entry is gone`() throws {
        try store.commit([.store(.event(1), "hello"), .enqueue(1, to: .phone, event: .event(1))])
        try store.commit([.enqueue(2, to: .laptop, event: .event(1))])
        #expect(try store.waiting(.laptop) == ["2:entry:hello"])
        try store.commit([.dequeue(.phone, through: 1)])
        #expect(try store.event(.event(1)) == Array("hello".utf8))
        try store.commit([.withdraw(.laptop, 2)])
        #expect(try store.event(.event(1)) == nil)
    }

    @Test func `a held event lives until it is released and its entries are gone`() throws {
        try store.commit([.store(.event(1), held: true), .store(.event(2), held: true), .enqueue(1, to: .phone, event: .event(1))])
        try store.commit([.releaseEvent(.event(1)), .releaseEvent(.event(2)), .releaseEvent(.event(3))])
        #expect(try store.event(.event(1)) != nil)
        #expect(try store.event(.event(2)) == nil)
        try store.commit([.dequeue(.phone, through: 1)])
        #expect(try store.event(.event(1)) == nil)
    }

    @Test func `storing an event that is there changes nothing, but can hold it`() throws {
        try store.commit([.store(.event(1), "first"), .enqueue(1, to: .phone, event: .event(1))])
        try store.commit([.store(.event(1), "second")])
        #expect(try store.heldEvents(.number(1), after: .zero, bytesMax: .max).events.isEmpty)
        try store.commit([.store(.event(1), "third", held: true), .dequeue(.phone, through: 1)])
        #expect(try store.heldEvents(.number(1), after: .zero, bytesMax: .max).events.map { text($0.bytes) } == ["first"])
        try store.commit([.store(.event(1), "fourth")])
        #expect(try store.heldEvents(.number(1), after: .zero, bytesMax: .max).events.count == 1)
    }

    @Test func `an event that nobody holds and nothing refers to is not kept`() throws {
        try store.commit([.store(.event(1)), .store(.event(2), held: true), .releaseEvent(.event(2))])
        #expect(try store.event(.event(1)) == nil)
        #expect(try store.event(.event(2)) == nil)
    }

    @Test func `held events of a conversation come rising, without those of others`() throws {
        try store.commit([300, 2, 70_000].map { .store(.event($0), "e\($0)", held: true) })
        try store.commit([.store(.event(5, of: 2), held: true), .store(.event(4)), .enqueue(1, to: .phone, event: .event(4))])
        let held = try store.heldEvents(.number(1), after: .zero, bytesMax: .max).events
        #expect(held.map { "\($0.number) \(text($0.bytes))" } == ["2 e2", "300 e300", "70000 e70000"])
        #expect(try store.heldEvents(.number(3), after: .zero, bytesMax: .max).events.isEmpty)
    }

    @Test func `an entry cannot refer to an event that is not stored`() throws {
        #expect(throws: StoreError.self) { try store.commit([.put(.meta, "a", "b"), .enqueue(1, to: .phone, event: .event(1))]) }
        #expect(try store.shown(.meta).isEmpty)
        #expect(try store.waiting(.phone).isEmpty)
    }

    @Test func `what comes and goes within one batch leaves no row`() throws {
        try store.commit([
            .store(.event(1)), .enqueue(1, to: .phone, event: .event(1)), .enqueue(2, to: .phone, event: .event(1)),
            .withdraw(.phone, 2), .dequeue(.phone, through: 1), .store(.event(2), held: true), .releaseEvent(.event(2)),
        ])
        try store.close()
        let rows = try openRows(folder)
        let count = try rows.first("SELECT (SELECT count(*) FROM entry) + (SELECT count(*) FROM event)") { row throws(StoreError) in
            try row.integer(0)
        }
        #expect(count == 0)
    }

    @Test func `the largest payload a frame can carry is kept whole`() throws {
        let payload = [UInt8](repeating: 7, count: Limits.frameBytesMax)
        try store.commit([.storeEvent(.event(1), bytes: payload, held: false), .enqueue(1, to: .phone, event: .event(1))])
        #expect(try store.page(.phone, after: 0, limit: 1, bytesMax: 0).first?.event == payload)
    }
}
