import Foundation
import Storage
import Testing
import Vocabulary

@Suite struct StoreCrashTests {
    /// Commit `n` puts record `n`, event `n` and entry `n`.
    static func writes(_ number: UInt64) -> [StoreWrite] {
        [
            .put(.head, "\(number)", "x"), .store(.event(number), "e\(number)", held: true),
            .enqueue(number, to: .phone, "c\(number)", event: .event(number)),
        ]
    }

    /// - Returns: how many commits are there; all three parts of each must be.
    func commits(_ store: some NodeStore) throws -> UInt64 {
        let numbers = try store.outline(.phone).map(\.position.value)
        let count = UInt64(numbers.count)
        #expect(numbers == (0..<count).map { $0 + 1 })
        #expect(try store.waiting(.phone) == numbers.map { "\($0):c\($0):e\($0)" })
        #expect(try store.heldEvents(.number(1), after: .zero, bytesMax: .max).events.map(\.number.value) == numbers)
        #expect(Set(try store.shown(.head)) == Set(numbers.map { "\($0)=x" }))
        return count
    }

    @Test func `whatever was committed is there after a crash, checkpoint or not`() throws {
        let folder = try Folder()
        let store = try openStore(folder)
        for number in UInt64(1)...12 {
            try store.commit(Self.writes(number))
            if number % 5 == 0 { try store.maintain(idle: true) }
            #expect(try commits(openStore(folder.copied())) == number)
        }
    }

    @Test func `a log that was cut anywhere yields the commits before the cut, whole`() throws {
        let folder = try Folder()
        let store = try openTables(folder)
        try store.commit(Self.writes(1))
        try store.maintain(idle: true)
        var ends: [Int] = []
        for number in UInt64(2)...6 {
            try store.commit(Self.writes(number))
            ends.append(folder.bytes("store.db-wal").count)
        }
        let copy = try folder.copied()
        let log = copy.bytes("store.db-wal")
        for cut in stride(from: 0, through: log.count, by: 1_999) {
            let crashed = try copy.copied()
            try crashed.write(Array(log.prefix(cut)), to: "store.db-wal")
            #expect(try commits(openTables(crashed)) == 1 + UInt64(ends.count { $0 <= cut }))
        }
    }

    @Test func `a journal that was cut anywhere yields the commits before the cut, whole`() throws {
        let folder = try Folder()
        let store = try openStore(folder, journalBytes: 64 << 10)
        try store.commit(Self.writes(1))
        try store.maintain(idle: true)
        for number in UInt64(2)...6 { try store.commit(Self.writes(number)) }
        let copy = try folder.copied()
        let journal = copy.bytes("journal")
        // The frames of the generation that counts, behind its empty first one: a page each.
        let half = journal[..<(64 << 10)].contains { $0 != 0 } ? 0 : 64 << 10
        for cut in stride(from: 0, through: 6 * 4096, by: 509) {
            let crashed = try copy.copied()
            var bytes = journal
            for index in half + 4096 + cut..<half + (64 << 10) { bytes[index] = 0 }
            try crashed.write(bytes, to: "journal")
            // A small frame is whole before its page is.
            let found = try commits(openStore(crashed))
            #expect(found >= 1 + UInt64(min(5, cut / 4096)) && found <= 2 + UInt64(min(4, cut / 4096)))
        }
    }

    @Test(arguments: ["missing", "empty", "cut short", "zeroed"]) func `a journal that is not the one that was written is noticed`(
        fault: String
    ) throws {
        let folder = try Folder()
        let store = try openStore(folder, journalBytes: 64 << 10)
        func damaged() throws -> Folder {
            let copy = try folder.copied()
            let bytes = copy.bytes("journal")
            switch fault {
            case "missing": try copy.remove("journal")
            case "empty": try copy.write([], to: "journal")
            case "cut short": try copy.write(Array(bytes.prefix(bytes.count / 2)), to: "journal")
            default: try copy.write([UInt8](repeating: 0, count: bytes.count), to: "journal")
            }
            return copy
        }
        func expectNoticed() throws {
            let error = #expect(throws: StoreError.self) { try openStore(damaged()) }
            guard case .corrupt = error else { return #expect(Bool(false), "\(String(describing: error))") }
        }
        // Of a new store, with something in it, and brought into the tables.
        try expectNoticed()
        try store.commit(Self.writes(1))
        try expectNoticed()
        try store.maintain(idle: true)
        try expectNoticed()
        // A backup is the tables alone.
        let backup = try damaged()
        if fault == "missing" {
            try JournaledNodeStore.forgetJournal(folder: backup.path, key: storageKey())
            #expect(try commits(openStore(backup)) == 1)
        }
    }

    @Test func `a crash between the fold's two halves leaves one or the other`() throws {
        let folder = try Folder()
        let store = try openStore(folder, journalBytes: 32 << 10)
        // Eight pages a generation: several folds, with young frames prepared in the other half each time.
        for number in UInt64(1)...30 {
            try store.commit(Self.writes(number))
            #expect(try commits(openStore(folder.copied())) == number)
        }
        // The tables from before the last folds with the journal of now do not go together.
        let old = try folder.copied()
        for number in UInt64(31)...60 { try store.commit(Self.writes(number)) }
        let mixed = try old.copied()
        try mixed.write(folder.bytes("journal"), to: "journal")
        let error = #expect(throws: StoreError.self) { try openStore(mixed) }
        guard case .corrupt = error else { return #expect(Bool(false), "\(String(describing: error))") }
    }

    /// What stays young at a fold is written in several frames, the events before the entries that refer to them.
    @Test func `a crash after a fold with much that is young leaves every entry with its event`() throws {
        let folder = try Folder()
        let store = try openStore(folder, journalBytes: 2 << 20)
        let text = String(repeating: "e", count: 3_000)
        for number in UInt64(1)...500 {
            let key = EventKey.event(number)
            try store.commit([
                .store(key, text), .enqueue(2 * number - 1, to: .phone, event: key), .enqueue(2 * number, to: .tower, event: key),
            ])
            guard number % 50 == 0 else { continue }
            let found = try openStore(folder.copied())
            for destination in [Destination.phone, .tower] {
                let page = try found.page(destination, after: .zero, limit: .max, bytesMax: .max)
                #expect(page.count == Int(number) && page.allSatisfy { $0.event?.count == text.utf8.count })
            }
        }
    }

    @Test func `a killed process loses nothing that was committed`() async throws {
        let folder = try Folder()
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String] in
            let store = try JournaledNodeStore(folder: path, key: storageKey())
            for number in UInt64(1)...25 { try store.commit(StoreCrashTests.writes(number)) }
            kill(getpid(), SIGKILL)
        }
        #expect(try commits(openStore(folder)) == 25)
    }
}
