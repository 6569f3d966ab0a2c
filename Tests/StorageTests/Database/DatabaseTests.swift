import Foundation
import Storage
import Testing
import Vocabulary

@Suite struct DatabaseTests {
    let folder: Folder
    static let options = Database.Options(
        applicationID: 77, migrations: ["CREATE TABLE note(id INTEGER PRIMARY KEY, body BLOB NOT NULL, name TEXT) STRICT"])

    init() throws { folder = try Folder() }

    func open(_ options: Database.Options = options) throws -> Database {
        try Database(path: folder.file("test.db"), options: options)
    }

    func count(_ database: Database) throws -> Int64? {
        try database.first("SELECT count(*) FROM note") { row throws(StoreError) in try row.integer(0) }
    }

    @Test func `the durability settings read back as they were set`() throws {
        let database = try open()
        #expect(try database.setting("journal_mode") == "wal")
        #expect(try database.setting("synchronous") == "2")
        #expect(try database.setting("wal_autocheckpoint") == "0")
        #expect(try database.setting("secure_delete") == "1")
        #expect(try database.setting("trusted_schema") == "0")
        #expect(try database.setting("locking_mode") == "exclusive")
    }

    @Test func `integers, blobs, texts and nulls come back as they went in`() throws {
        let database = try open()
        try database.run("INSERT INTO note VALUES(?,?,?)", .integer(.max), .blob([0, 255]), .text("naïve\u{0}x"))
        try database.run("INSERT INTO note VALUES(?,?,?)", .integer(.min), .blob([]), .null)
        var seen: [String] = []
        try database.rows("SELECT * FROM note ORDER BY id") { row throws(StoreError) in
            seen.append("\(try row.integer(0)) \(try row.blob(1)) \(row.isNull(2) ? "null" : try row.text(2))")
        }
        #expect(seen == ["\(Int64.min) [] null", "\(Int64.max) [0, 255] naïve\u{0}x"])
    }

    @Test func `a column read as another type is corrupt`() throws {
        let database = try open()
        try database.run("INSERT INTO note VALUES(1,?,'a')", .blob([1]))
        #expect(throws: StoreError.corrupt("column body is not an integer")) {
            try database.first("SELECT body FROM note") { row throws(StoreError) in try row.integer(0) }
        }
    }

    @Test func `a transaction that throws leaves nothing`() throws {
        let database = try open()
        #expect(throws: StoreError.full) {
            try database.transaction { () throws(StoreError) in
                try database.run("INSERT INTO note VALUES(1,?,'a')", .blob([1]))
                throw .full
            }
        }
        #expect(try count(database) == 0)
        try database.transaction { () throws(StoreError) in try database.run("INSERT INTO note VALUES(1,?,'a')", .blob([1])) }
        #expect(try count(database) == 1)
    }

    @Test func `the same statement can run inside its own rows`() throws {
        let database = try open()
        for id in 1...3 { try database.run("INSERT INTO note VALUES(?,?,'a')", .integer(Int64(id)), .blob([])) }
        var pairs = 0
        let sql = "SELECT id FROM note"
        try database.rows(sql) { _ throws(StoreError) in try database.rows(sql) { _ throws(StoreError) in pairs += 1 } }
        #expect(pairs == 9)
    }

    @Test func `every commit is in a copy of the files taken after it`() throws {
        let database = try open()
        for id in 1...5 {
            try database.run("INSERT INTO note VALUES(?,?,'a')", .integer(Int64(id)), .blob([]))
            let copy = try folder.copied()
            #expect(try count(Database(path: copy.file("test.db"), options: Self.options)) == Int64(id))
            if id == 3 { try database.checkpoint(truncate: false) }
        }
    }

    @Test func `a checkpoint that truncates leaves an empty log, and nothing of what was deleted`() throws {
        let database = try open()
        let canary = Array("canary-canary-canary".utf8)
        try database.run("INSERT INTO note VALUES(1,?,'a')", .blob(canary + [UInt8](repeating: 7, count: 20_000)))
        #expect(database.walBytes > 20_000)
        try database.checkpoint(truncate: true)
        #expect(folder.bytes("test.db").contains(canary))
        try database.run("DELETE FROM note")
        try database.checkpoint(truncate: true)
        #expect(folder.bytes("test.db-wal").isEmpty)
        #expect(!folder.bytes("test.db").contains(canary))
        #expect(database.walBytes == 0)
    }

    @Test func `a second opener is told that it is in use`() throws {
        let database = try open()
        try database.run("INSERT INTO note VALUES(1,?,'a')", .blob([1]))
        let error = #expect(throws: StoreError.self) { try open() }
        guard case .inUse = error else { return #expect(Bool(false), "\(String(describing: error))") }
    }

    @Test func `a file of another program, of a newer version, or no database at all is refused`() throws {
        try open().close()
        let other = #expect(throws: StoreError.self) { try open(.init(applicationID: 78, migrations: [])) }
        guard case .unusable = other else { return #expect(Bool(false), "\(String(describing: other))") }
        let newer = #expect(throws: StoreError.self) { try open(.init(applicationID: 77, migrations: [])) }
        guard case .unusable = newer else { return #expect(Bool(false), "\(String(describing: newer))") }
        try folder.write([UInt8](repeating: 65, count: 5000), to: "test.db")
        let garbage = #expect(throws: StoreError.self) { try open() }
        guard case .corrupt = garbage else { return #expect(Bool(false), "\(String(describing: garbage))") }
    }

    @Test func `migrations run once, in order, and later ones are added to an old file`() throws {
        var options = Self.options
        let database = try open()
        try database.run("INSERT INTO note VALUES(1,?,'a')", .blob([1]))
        database.close()
        options.migrations.append("ALTER TABLE note ADD COLUMN extra INTEGER; UPDATE note SET extra = 5")
        for _ in 0..<2 {
            let again = try open(options)
            #expect(try again.first("SELECT extra FROM note") { row throws(StoreError) in try row.integer(0) } == 5)
            again.close()
        }
    }

    @Test func `a closed database says so`() throws {
        let database = try open()
        database.close()
        database.close()
        #expect(throws: StoreError.self) { try database.run("SELECT 1") }
        #expect(throws: StoreError.self) { try database.checkpoint(truncate: true) }
    }

    @Test func `the file is for its owner alone`() throws {
        _ = try open()
        let mode = try FileManager.default.attributesOfItem(atPath: folder.file("test.db"))[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func `a folder that cannot be written is an I/O error that names the file`() throws {
        let error = #expect(throws: StoreError.self) { try Database(path: "/nonexistent/x.db", options: Self.options) }
        guard case .io(let why) = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(why.contains("/nonexistent/x.db"))
    }
}
