import Foundation
import Storage
import Testing
import Vocabulary

/// Bringing the journal into the tables while commits and reading go on.
@Suite struct FoldBesideTests {
    private let folder: Folder
    private let store: JournaledNodeStore

    init() throws {
        folder = try Folder()
        store = try openStore(folder, journalBytes: 4 << 20)
    }

    private func commit(_ numbers: ClosedRange<UInt64>) throws {
        for number in numbers { try store.commit(StoreCrashTests.writes(number)) }
    }

    /// What the store has, and what a crash now would leave of it.
    private func expect(_ count: UInt64) throws {
        #expect(try StoreCrashTests().commits(store) == count)
        #expect(try StoreCrashTests().commits(openStore(folder.copied())) == count)
    }

    /// - Returns: the fold, ready to be done.
    private func begin(wipes: Bool = true) throws -> StoreJob {
        try #require(try store.prepareFold(wipes: wipes)).result().get()
        return try #require(try store.beginFold())
    }

    @Test(arguments: [true, false]) func `what is committed meanwhile is there, before the tables have the rest and after`(
        wipes: Bool
    ) throws {
        try commit(1...5)
        let job = try begin(wipes: wipes)
        #expect(store.isFolding)
        try expect(5)
        try commit(6...9)
        try expect(9)
        try job.result().get()
        try expect(9)
        try commit(10...12)
        try expect(12)
        let tidying = try #require(try store.advance(after: job))
        try expect(12)
        try commit(13...14)
        try tidying.result().get()
        try expect(14)
        #expect(try store.advance(after: tidying) == nil)
        #expect(!store.isFolding)
        try expect(14)
        let again = try begin()
        try again.result().get()
        try expect(14)
    }

    @Test func `whoever cannot wait ends it`() throws {
        try commit(1...5)
        let job = try begin()
        try commit(6...7)
        _ = try store.beginBackup()
        #expect(!store.isFolding)
        #expect(try store.advance(after: job) == nil)
        #expect(try store.endBackup())
        try expect(7)
        // Prepared and forgotten: what is committed before it begins is not lost in it.
        try commit(8...8)
        try #require(try store.prepareFold(wipes: true)).result().get()
        try commit(9...9)
        #expect(try store.beginFold() == nil)
        try expect(9)
        _ = try begin()
        try commit(10...10)
        try store.close()
        #expect(try StoreCrashTests().commits(openStore(folder)) == 10)
    }

    @Test func `another thread folds while this one commits and reads`() throws {
        try commit(1...400)
        let job = try begin()
        let done = Thread { _ = job.result() }
        done.start()
        for number in UInt64(401)...500 {
            try commit(number...number)
            #expect(try store.waiting(.phone).count == Int(number))
        }
        #expect(try store.advance(after: job) != nil)
        try expect(500)
    }

    @Test func `what was deleted is gone from the disk when it is done, though commits went on`() throws {
        let canary = "the canary sings in the coal mine"
        try store.commit([.put(.meta, "bird", canary), .store(.event(1), canary, held: true)])
        try store.maintain(idle: true)
        try store.commit([.remove(.meta, key: Array("bird".utf8)), .releaseEvent(.event(1))])
        let job = try begin()
        try store.commit([.put(.meta, "other", "bird")])
        let before = folder.bytes("journal")
        let tidying = try #require(try store.advance(after: job))
        try tidying.result().get()
        // One half is empty: nothing that was in it can be opened any more, by whoever has the key.
        let after = folder.bytes("journal")
        let (first, second) = (after.prefix(after.count / 2), after.suffix(after.count / 2))
        #expect(first.allSatisfy { $0 == 0 } != second.allSatisfy { $0 == 0 })
        #expect(!before.prefix(after.count / 2).allSatisfy { $0 == 0 } && !before.suffix(after.count / 2).allSatisfy { $0 == 0 })
        #expect(folder.bytes("store.db-wal").isEmpty)
    }

    @Test func `what came and went before a fold that leaves the young is overwritten by the next, though nothing came since`() throws {
        for number in UInt64(1)...10 {
            try store.commit([.enqueue(number, to: .phone), .dequeue(.phone, through: QueuePosition(unchecked: number))])
        }
        try store.commit([.dequeue(.phone, through: 10)])
        for wipes in [false, true] {
            var job: StoreJob? = try begin(wipes: wipes)
            while let one = job {
                try one.result().get()
                job = try store.advance(after: one)
            }
        }
        let bytes = folder.bytes("journal")
        let pages = stride(from: 0, to: bytes.count, by: 4096).filter { start in bytes[start..<start + 4096].contains { $0 != 0 } }
        #expect(pages.count == 1)
        #expect(try store.prepareFold(wipes: true) == nil)
    }

    /// - Returns: rows of the tables, as they are.
    private func rows(_ table: String) throws -> Int64? {
        try store.database.first("SELECT count(*) FROM \(table)") { row throws(StoreError) in try row.integer(0) }
    }

    private func endFold(_ first: StoreJob) throws {
        var job: StoreJob? = first
        while let one = job {
            try one.result().get()
            job = try store.advance(after: one)
        }
    }

    @Test func `rows that are to go and are more than a fold should take go with later ones, and nobody sees them meanwhile`() throws {
        let queues = [Destination.phone, .laptop, .tower]
        for number in UInt64(1)...40 {
            let key = EventKey.event(number, of: UInt8(number % 3))
            try store.commit(
                [.store(key, "e\(number)", held: true)]
                    + queues.enumerated().map { .enqueue(number * 3 + UInt64($0), to: $1, "c\(number)", event: key) })
        }
        try store.maintain(idle: true)
        #expect(try rows("entry") == 120)
        store.foldRowsMax = 30
        // All of one, half of the other, nothing of the third; the hub lets go of all but two, of which one is held anew.
        try store.commit(
            [.dequeue(.phone, through: QueuePosition(unchecked: 200)), .dequeue(.laptop, through: QueuePosition(unchecked: 60))]
                + (UInt64(1)...40).filter { $0 != 7 }.map { .releaseEvent(.event($0, of: UInt8($0 % 3))) }
                + [.store(.event(9, of: 0), "e9", held: true)])
        func check(_ store: JournaledNodeStore) throws {
            #expect(try store.outline(.phone).isEmpty && store.page(.phone, after: .zero, limit: 9, bytesMax: .max).isEmpty)
            #expect(try store.outline(.laptop).map(\.position.value) == (20...40).map { $0 * 3 + 1 })
            #expect(try store.page(.laptop, after: .zero, limit: 2, bytesMax: .max).map(\.event) == ["e20", "e21"].map { Array($0.utf8) })
            #expect(try store.page(.tower, after: .zero, limit: 100, bytesMax: .max).count == 40)
            #expect(try store.heldEvents(.number(0), after: .zero, bytesMax: .max).events.map(\.number.value) == [9])
            #expect(try store.heldEvents(.number(1), after: .zero, bytesMax: .max).events.map(\.number.value) == [7])
            #expect(try store.heldEvents(.number(2), after: .zero, bytesMax: .max).events.isEmpty)
        }
        var folds = 0
        repeat {
            let job = try begin(wipes: false)
            try check(store)
            try check(openStore(folder.copied()))
            if folds == 0 { try store.commit([.enqueue(500, to: .phone, "late", event: nil), .dequeue(.phone, through: 500)]) }
            try endFold(job)
            folds += 1
            try check(store)
            try check(openStore(folder.copied()))
        } while store.isFoldDue && folds < 20
        // 59 entries and 38 events, at most 30 of each at once, and as many of each queue.
        #expect(folds == 3)
        #expect(!store.isBehind)
        #expect(try rows("entry") == 61)
        try store.commit([.dequeue(.laptop, through: 500), .dequeue(.tower, through: 500)])
        try endFold(begin())
        #expect(try rows("entry") == 0 && rows("event") == 2)
        try store.checkIntegrity()
    }

    @Test func `queues of nobody go with the next folds, and what comes for one of them later stays`() throws {
        for number in UInt64(1)...20 {
            let key = EventKey.event(number)
            // Of the phone's some have an event of their own, some share it with the laptop.
            try store.commit(
                [.store(key, "e\(number)"), .enqueue(number * 3, to: .phone, event: key)]
                    + (number > 10 ? [.enqueue(number * 3 + 1, to: .laptop, event: key)] : [])
                    + [.enqueue(number * 3 + 2, to: .tower)])
        }
        try store.maintain(idle: true)
        #expect(try rows("entry") == 50 && rows("event") == 20)
        // Still in the journal.
        try store.commit([.store(.event(21), "late"), .enqueue(100, to: .phone, event: .event(21)), .enqueue(101, to: .laptop)])
        store.tables.strays.rowsMax = 7
        try store.dropQueues(except: [.laptop])
        #expect(try store.outline(.laptop).count == 11)
        #expect(store.isFoldDue)
        // Its device is somebody's again.
        try store.commit([.store(.event(22), "new"), .enqueue(200, to: .phone, event: .event(22))])
        var folds = 0
        while store.isFoldDue, folds < 9 {
            try endFold(begin(wipes: false))
            folds += 1
        }
        #expect(folds == 3 && !store.isBehind)
        #expect(try store.outline(.phone).map(\.position.value) == [200])
        #expect(try store.page(.phone, after: .zero, limit: 9, bytesMax: .max).map(\.event) == [Array("new".utf8)])
        #expect(try store.page(.laptop, after: .zero, limit: 99, bytesMax: .max).count == 11)
        try store.maintain(idle: true)
        #expect(try rows("entry") == 12 && rows("event") == 11)
        try store.checkIntegrity()
    }

    @Test func `a journal has room, or says that a commit would have to wait`() throws {
        let body = String(repeating: "x", count: 300_000)
        var number = UInt64(0)
        func writes() -> [StoreWrite] {
            number += 1
            return [.store(.event(number), body, held: true)]
        }
        while store.hasRoom(for: writes()) { try store.commit(writes()) }
        #expect(store.isFoldDue)
        // Taking away has room where nothing else has.
        #expect(store.hasRoom(for: [.releaseEvent(.event(2))]))
        let job = try begin(wipes: false)
        #expect(store.hasRoom(for: writes()))
        try endFold(job)
        // What never fits is not waited for.
        #expect(store.hasRoom(for: [.store(.event(1_000), String(repeating: "x", count: 5 << 20))]))
    }

    @Test func `while two generations count, a frame that is missing from the first is noticed`() throws {
        try commit(1...5)
        let page = 4096
        let written = folder.bytes("journal")
        let pages = stride(from: 0, to: written.count, by: page).filter { start in written[start..<start + page].contains { $0 != 0 } }
        let last = try #require(pages.last)
        let job = try begin()
        func withoutLast() throws -> Folder {
            let copy = try folder.copied()
            var bytes = copy.bytes("journal")
            for index in last..<last + page { bytes[index] = 0 }
            try copy.write(bytes, to: "journal")
            return copy
        }
        // Of the last one alone nobody can know: a crash before it was on disk looks like that.
        #expect(try StoreCrashTests().commits(openStore(withoutLast())) == 4)
        try commit(6...6)
        let error = #expect(throws: StoreError.self) { try openStore(withoutLast()) }
        guard case .corrupt = error else { return #expect(Bool(false), "\(String(describing: error))") }
        try job.result().get()
        #expect(try StoreCrashTests().commits(openStore(withoutLast())) == 6)
    }
}
