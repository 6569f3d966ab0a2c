import Foundation
import Glibc
import Storage
import Testing
import Vocabulary

@Suite struct StoreDamageTests {
    /// A store with something in every table, closed.
    func filled() throws -> Folder {
        let folder = try Folder()
        let store = try openStore(folder)
        for number in UInt64(1)...20 { try store.commit(StoreCrashTests.writes(number)) }
        try store.close()
        return folder
    }

    /// Reads and writes all there is. What is read must be what was written.
    func use(_ folder: Folder) throws {
        let store = try openStore(folder)
        for entry in try store.page(.phone, after: .zero, limit: 100, bytesMax: .max) {
            #expect(entry.content == Array("c\(entry.position)".utf8))
            #expect(entry.event == Array("e\(entry.position)".utf8))
        }
        for event in try store.heldEvents(.number(1), after: .zero, bytesMax: .max).events {
            #expect(event.bytes == Array("e\(event.number)".utf8))
        }
        for record in try store.values(.head) { #expect(record.value == Array("x".utf8)) }
        _ = try store.outline(.phone)
        try store.commit([.dequeue(.phone, through: 5), .releaseEvent(.event(7)), .put(.head, "3", "y"), .enqueue(30, to: .phone, "new")])
        try store.maintain(idle: true)
        try store.close()
    }

    @Test(arguments: 0..<8) func `any byte of the file may be wrong: an error, or the truth, but no trap`(part: Int) throws {
        let folder = try filled()
        let original = folder.bytes("store.db")
        var refused = 0
        for index in stride(from: part * 13, to: original.count, by: 8 * 179) {
            var bytes = original
            bytes[index] ^= UInt8(truncatingIfNeeded: 1 << (index % 8)) | 0x80
            let copy = try Folder()
            try copy.write(bytes, to: "store.db")
            do { try use(copy) } catch is StoreError { refused += 1 }
        }
        // The first bytes are the file's header; further on what is damaged may be one row, which is passed over and counted.
        #expect(part > 0 || refused > 0)
    }

    @Test func `a file cut short is an error`() throws {
        let folder = try filled()
        let original = folder.bytes("store.db")
        for length in stride(from: 1, to: original.count, by: 4_096 + 333) {
            let copy = try Folder()
            try copy.write(Array(original.prefix(length)), to: "store.db")
            #expect(throws: StoreError.self, "\(length) of \(original.count) bytes") { try use(copy) }
        }
    }

    @Test func `after an I/O error every call fails with it, and what was acknowledged is kept`() throws {
        let folder = try Folder()
        let store = try openTables(folder)
        try store.commit([.put(.meta, "a", "1")])
        // The log's descriptor becomes one that cannot be written.
        try breakDescriptor(of: folder.file("store.db-wal"))
        let error = try #require(throws: StoreError.self) { try store.commit([.put(.meta, "b", "2")]) }
        guard case .io = error else { return #expect(Bool(false), "\(String(describing: error))") }
        let again = #expect(throws: StoreError.self) { try store.commit([.put(.meta, "c", "3")]) }
        #expect(again == error)
        #expect(throws: error) { try store.value(.meta, key: Array("a".utf8)) }
        #expect(throws: error) { try store.maintain() }
        #expect(throws: error) { try store.close() }
        #expect(try openTables(folder.copied()).shown(.meta) == ["a=1"])
    }

    @Test func `after an I/O error of the journal every call fails with it, and what was acknowledged is kept`() throws {
        let folder = try Folder()
        let store = try openStore(folder)
        try store.commit([.put(.meta, "a", "1")])
        try breakDescriptor(of: folder.file("journal"))
        let error = try #require(throws: StoreError.self) { try store.commit([.put(.meta, "b", "2")]) }
        guard case .io = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(throws: error) { try store.commit([.put(.meta, "c", "3")]) }
        #expect(throws: error) { try store.value(.meta, key: Array("a".utf8)) }
        #expect(throws: error) { try store.maintain(idle: true) }
        #expect(throws: error) { try store.close() }
        #expect(try openStore(folder.copied()).shown(.meta) == ["a=1"])
    }

    @Test func `damage to a frame that others follow is found, to the last one it is an unfinished write`() throws {
        let folder = try Folder()
        let store = try openStore(folder, journalBytes: 64 << 10)
        for number in UInt64(1)...4 { try store.commit(StoreCrashTests.writes(number)) }
        let copy = try folder.copied()
        let journal = copy.bytes("journal")
        // Behind the generation's empty first frame.
        let first = (journal[..<(64 << 10)].contains { $0 != 0 } ? 0 : 64 << 10) + 4096
        for frame in 0..<4 {
            let damaged = try copy.copied()
            var bytes = journal
            bytes[first + frame * 4096 + 100] ^= 1
            try damaged.write(bytes, to: "journal")
            if frame == 3 {
                #expect(try StoreCrashTests().commits(openStore(damaged)) == 3)
            } else {
                let error = #expect(throws: StoreError.self) { try openStore(damaged) }
                guard case .corrupt = error else { return #expect(Bool(false), "\(String(describing: error))") }
            }
        }
    }

    /// Of the last write nobody can tell damage from a crash in its middle.
    @Test(arguments: ["journal", "store.db-wal"]) func `a flipped bit beside the tables is refused, or costs the last write`(file: String)
        throws
    {
        let folder = try Folder()
        let store = try openStore(folder, journalBytes: 32 << 10)
        for number in UInt64(1)...40 { try store.commit(StoreCrashTests.writes(number)) }
        let copy = try folder.copied()
        let original = copy.bytes(file)
        #expect(original.count > 8_192)
        var refused = 0
        for part in 0..<80 {
            let damaged = try copy.copied()
            var bytes = original
            bytes[part * original.count / 80 + part] ^= 1 << UInt8(part % 8)
            try damaged.write(bytes, to: file)
            do {
                let commits = try StoreCrashTests().commits(openStore(damaged))
                #expect(commits >= 39, "byte \(part * original.count / 80 + part)")
            } catch is StoreError { refused += 1 }
        }
        #expect(refused > 0)
    }

    /// It becomes one that cannot be written.
    private func breakDescriptor(of path: String) throws {
        let files = FileManager.default
        let open = try files.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }
        let file = try #require(open.first { (try? files.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path })
        let null = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
        dup2(null, file)
        close(null)
    }

    @Test func `an index that does not fit its table is found by the integrity check`() throws {
        let folder = try filled()
        var store = try openStore(folder)
        try store.checkIntegrity()
        try store.close()
        let rows = try openRows(folder)
        try rows.script(
            """
            PRAGMA writable_schema=ON;
            UPDATE sqlite_schema SET sql = replace(sql, 'position, bytes', 'position') WHERE name = 'entry_by_queue'
            """)
        rows.close()
        #expect(throws: StoreError.self) {
            store = try openStore(folder)
            try store.checkIntegrity()
        }
    }

    @Test func `a store in use by another process is refused`() throws {
        let folder = try Folder()
        let store = try openStore(folder)
        let error = #expect(throws: StoreError.self) { try openStore(folder) }
        guard case .inUse = error else { return #expect(Bool(false), "\(String(describing: error))") }
        try store.close()
        #expect(throws: StoreError.self) { try store.commit([.put(.meta, "a", "1")]) }
    }

    @Test func `the store's durability settings read back as they were set`() throws {
        let database = try openStore(Folder()).database
        let settings = try ["journal_mode", "synchronous", "wal_autocheckpoint", "secure_delete"].map { try database.setting($0) }
        #expect(settings == ["wal", "2", "0", "1"])
    }
}
