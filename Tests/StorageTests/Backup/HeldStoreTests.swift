import Foundation
import Storage
import Testing
import Vocabulary

/// What `posthouse backup create` and `store check` rest upon: a file that holds still while the store goes on.
@Suite struct HeldStoreTests {
    private func contents(_ folder: Folder) throws -> [String] {
        let store = try openStore(folder)
        defer { try? store.close() }
        return try store.shown(.head)
    }

    @Test func `what is copied is the store as it was at one moment, whatever is committed meanwhile`() throws {
        let folder = try Folder()
        let store = try openStore(folder, journalBytes: 64 << 10)
        for number in 1...20 { try store.commit([.put(.head, "\(number)", "x")]) }
        let size = try store.beginBackup()
        let copy = try Folder()
        let first = folder.bytes("store.db")
        #expect(first.count == size && store.isBackupUnderWay)
        for number in 21...600 {
            try store.commit([.put(.head, "\(number)", String(repeating: "y", count: 500))])
            if number % 100 == 0 { try store.maintain(idle: true) }
        }
        #expect(folder.bytes("store.db") == first)
        try copy.write(first, to: "store.db")
        #expect(try store.endBackup() && !store.isBackupUnderWay)
        try store.maintain(idle: true)
        #expect(folder.bytes("store.db") != first)
        try store.close()
        try JournaledNodeStore.forgetJournal(folder: copy.path, key: storageKey())
        #expect(try contents(copy).count == 20)
        #expect(try contents(folder).count == 600)
    }

    @Test func `a crash while it is held loses nothing`() throws {
        let folder = try Folder()
        let store = try openStore(folder)
        _ = try store.beginBackup()
        for number in 1...50 { try store.commit([.put(.head, "\(number)", "x")]) }
        try store.maintain(idle: true)
        #expect(try contents(folder.copied()).count == 50)
    }

    @Test func `every row is read, and what is damaged is counted by table`() throws {
        let folder = try Folder()
        let store = try openStore(folder)
        for number in UInt64(1)...20 { try store.commit(StoreCrashTests.writes(number)) }
        _ = try store.beginBackup()
        let whole = try StoreCheck.run(path: folder.file("store.db"), key: storageKey())
        #expect(whole.isWhole && whole.rows["event"] ?? 0 > 0 && whole.rows["entry"] ?? 0 > 0 && whole.rows["head"] ?? 0 > 0)
        try store.endBackup()
        try store.close()
        let rows = try openRows(folder)
        try rows.run("UPDATE event SET sealed = zeroblob(60) WHERE id < 3")
        try rows.run("UPDATE entry SET bytes = bytes, sealed = zeroblob(50) WHERE position = 5")
        try rows.checkpoint(truncate: true)
        rows.close()
        let report = try StoreCheck.run(path: folder.file("store.db"), key: storageKey())
        #expect(report.damaged["event"] == 2 && report.damaged["entry"] == 1 && !report.isWhole)
        // And the store runs without them, and says so.
        let again = try openStore(folder)
        let entries = try again.page(.phone, after: .zero, limit: 100, bytesMax: .max)
        #expect(!entries.contains { $0.position == 5 } && !entries.isEmpty)
        #expect(again.damagedRows["entry"] ?? 0 >= 1)
    }
}
