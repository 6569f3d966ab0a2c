internal import CSQLite
internal import Glibc
public import Vocabulary

/// One SQLite file, opened so that what a commit says is on disk is on disk. Synchronous; for one thread at a time.
///
/// WAL, `synchronous=FULL`, exclusive locking (no second process, no `-shm` file), deleted content overwritten. Nothing checkpoints by
/// itself, since automatic checkpoints swallow the errors of their syncs: whoever owns the database calls `checkpoint` now and then. One
/// connection writes; where it lets them (`Options.hasReaders`), others of the same process read beside it.
/// After an I/O error every further call fails with it: what is on disk is then unknown, and SQLite itself would say OK to the next commit.
public final class Database {
    public struct Options: Sendable {
        /// What the file says it is (`PRAGMA application_id`); a file that says something else is refused.
        public var applicationID: Int32
        /// SQL scripts, run once each in this order; only ever appended to.
        public var migrations: [String]
        /// Bytes of pages kept in memory. Raising it saves reads of a large file.
        public var cacheBytes: Int
        /// Connections of this process may read beside this one (`init(readingBeside:)`).
        public var hasReaders: Bool

        public init(applicationID: Int32, migrations: [String], cacheBytes: Int = 8 << 20, hasReaders: Bool = false) {
            (self.applicationID, self.migrations, self.cacheBytes, self.hasReaders) = (applicationID, migrations, cacheBytes, hasReaders)
        }
    }

    public let path: String
    let connection: OpaquePointer
    private var statements: [String: Statement] = [:]
    private var failure: StoreError?
    private var isClosed = false
    private(set) var pageBytes = 4096
    /// Frames of the write-ahead log since it last began anew; kept by SQLite's hook, which is why it has an address of its own.
    private let walFrames: UnsafeMutablePointer<Int32>

    /// Opens or makes the file, mode 0600, and brings its schema up to date.
    ///
    /// - Throws: `inUse`: another process has it; `corrupt`: it is no database; `unusable`: it is somebody else's, of a newer
    ///   version, or does not keep the durability settings; `io`.
    public init(path: String, options: Options) throws(StoreError) {
        // SQLite would make it readable for all.
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .io("opening \(path): \(systemText(errno))") }
        _ = Glibc.close(file)
        let (size, log) = (fileBytes(path), fileBytes(path + "-wal"))
        if size == 0 { try Self.syncFolder(of: path) }
        // Where no log repairs it, SQLite would read what is missing of a page as zeros: as rows that were never there.
        guard size % 512 == 0 || log > 0 else { throw .corrupt("\(path) was cut short, to \(size) bytes") }
        self.path = path
        connection = try Self.connect(path, SQLITE_OPEN_READWRITE, vfs: options.hasReaders ? Self.processLocks : nil)
        walFrames = .allocate(capacity: 1)
        walFrames.initialize(to: 0)
        do throws(StoreError) {
            try configure(options)
            guard size % pageBytes == 0 || log > 0 else { throw .corrupt("\(path) was cut short, to \(size) bytes") }
            try migrate(options)
        } catch {
            close()
            throw error
        }
    }

    /// For reading alone, a file that holds still meanwhile: no lock is taken, and no write-ahead log is looked at.
    package init(reading path: String) throws(StoreError) {
        guard access(path, R_OK) == 0 else { throw .io("opening \(path): \(systemText(errno))") }
        let plain = Set("/-_.~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
        let name = path.utf8.map { plain.contains($0) ? String(UnicodeScalar($0)) : "%" + Hex.encode([$0]) }.joined()
        self.path = path
        connection = try Self.connect("file:\(name)?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI)
        walFrames = .allocate(capacity: 1)
        walFrames.initialize(to: 0)
        sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, 256 << 20)
    }

    /// For reading alone, beside the connection that writes (`Options.hasReaders`), on any one thread. To be closed before that one.
    init(readingBeside writer: Database, cacheBytes: Int) throws(StoreError) {
        path = writer.path
        connection = try Self.connect(path, SQLITE_OPEN_READONLY, vfs: Self.processLocks)
        walFrames = .allocate(capacity: 1)
        walFrames.initialize(to: 0)
        pageBytes = writer.pageBytes
        sqlite3_busy_timeout(connection, Self.besideTimeout)
        sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, 256 << 20)
        try script("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-\(cacheBytes >> 10)")
    }

    /// SQLite's way of locking a file against all other processes, and of sharing it, and what is known of its log, within this one.
    private static let processLocks = "unix-excl"
    /// Milliseconds that one connection waits for another of this process; none holds a lock for longer than a statement.
    private static let besideTimeout: Int32 = 10_000

    private static func connect(_ name: String, _ flags: Int32, vfs: String? = nil) throws(StoreError) -> OpaquePointer {
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(name, &opened, flags | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE, vfs)
        guard code == SQLITE_OK, let opened else {
            let error = StoreError(code: code, connection: opened, doing: "opening \(name)")
            sqlite3_close_v2(opened)
            throw error
        }
        return opened
    }

    deinit {
        close()
        walFrames.deallocate()
    }

    /// Gives the file back. Call `checkpoint(truncate: true)` first to hear of errors: SQLite checkpoints here too, but silently.
    /// Safe to call again.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        statements = [:]
        // After an I/O error nothing more is written, so not that checkpoint either: the file stays open until the process ends.
        if failure == nil { sqlite3_close_v2(connection) }
        failure = failure ?? .io("\(path) is closed")
    }

    // MARK: Running SQL

    /// A statement that yields no rows, or whose rows do not matter.
    public func run(_ sql: String, _ values: SQLValue...) throws(StoreError) {
        try run(sql, values) { _ throws(StoreError) in true }
    }

    /// Every row, in order.
    public func rows(
        _ sql: String, _ values: SQLValue..., each: (borrowing Row) throws(StoreError) -> Void
    ) throws(StoreError) {
        try run(sql, values) { row throws(StoreError) in
            try each(row)
            return true
        }
    }

    /// The first row, or nil.
    public func first<T>(
        _ sql: String, _ values: SQLValue..., read: (borrowing Row) throws(StoreError) -> T
    ) throws(StoreError) -> T? {
        var found: T?
        try run(sql, values) { row throws(StoreError) in
            found = try read(row)
            return false
        }
        return found
    }

    /// Rows until `each` returns false.
    public func run(
        _ sql: String, _ values: [SQLValue], each: (borrowing Row) throws(StoreError) -> Bool
    ) throws(StoreError) {
        try guarded { () throws(StoreError) in try statement(sql).run(values, each: each) }
    }

    /// Reads all of a table, each page once: pages that were kept would stay as holes between what the caller keeps of the rows.
    func scanning<R>(_ body: () throws(StoreError) -> R) throws(StoreError) -> R {
        let size = try setting("cache_size")
        try script("PRAGMA cache_size=-\(Self.scanBytes >> 10)")
        let result: R
        do throws(StoreError) { result = try body() } catch {
            try? script("PRAGMA cache_size=\(size)")
            throw error
        }
        try script("PRAGMA cache_size=\(size)")
        return result
    }

    private static let scanBytes = 256 << 10

    /// Several statements without values, for schemas and pragmas.
    public func script(_ sql: String) throws(StoreError) {
        try guarded { () throws(StoreError) in
            let code = sqlite3_exec(connection, sql, nil, nil, nil)
            guard code == SQLITE_OK else { throw StoreError(code: code, connection: connection, doing: "running SQL") }
        }
    }

    /// Rows that the last statement inserted, changed or deleted.
    public var changes: Int { isClosed ? 0 : Int(sqlite3_changes64(connection)) }

    /// The integer key of the row that the last INSERT made.
    public var lastInsertedID: Int64 { isClosed ? 0 : sqlite3_last_insert_rowid(connection) }

    /// All or nothing, and on disk when it returns. Inside another transaction it is part of that one.
    public func transaction<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
        if let failure { throw failure }
        guard sqlite3_get_autocommit(connection) != 0 else { return try body() }
        try run("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try run("COMMIT")
            return result
        } catch {
            // Some errors have rolled back already.
            if !isClosed, sqlite3_get_autocommit(connection) == 0 { sqlite3_exec(connection, "ROLLBACK", nil, nil, nil) }
            throw error
        }
    }

    // MARK: Standing still

    /// From here on everything is read as it is now, until `unpin`. Of a connection that only reads.
    func pin() throws(StoreError) {
        try run("BEGIN")
        // The point in time is that of the first read.
        try run("SELECT 1 FROM sqlite_schema")
    }

    func unpin() throws(StoreError) { try run("COMMIT") }

    // MARK: The log

    /// Bytes of the write-ahead log that a checkpoint would bring into the file.
    public var walBytes: Int { Int(walFrames.pointee) * (pageBytes + 24) }

    /// Brings the log into the file and syncs both.
    ///
    /// - Parameter truncate: leaves the log empty, so that nothing deleted stays in it. Otherwise it is written over from the start,
    ///   which makes the commits that follow faster than growing it anew.
    public func checkpoint(truncate: Bool) throws(StoreError) {
        try guarded { () throws(StoreError) in
            let mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE
            let code = sqlite3_wal_checkpoint_v2(connection, nil, mode, nil, nil)
            guard code == SQLITE_OK else { throw StoreError(code: code, connection: connection, doing: "checkpoint of \(path)") }
            walFrames.pointee = 0
        }
    }

    /// Reads everything and compares tables with their indexes. Takes seconds for a gigabyte: for `check`, not for the start.
    ///
    /// - Throws: `corrupt` with what was found first.
    public func checkIntegrity() throws(StoreError) {
        let found = try first("PRAGMA integrity_check(1)") { row throws(StoreError) in row.anyAsText(0) }
        guard found == "ok" else { throw .corrupt("\(path): \(found ?? "no answer")") }
    }

    // MARK: Within

    /// A new file's name is on disk only once its folder is.
    static func syncFolder(of path: String) throws(StoreError) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw .io("opening \(folder): \(systemText(errno))") }
        defer { _ = Glibc.close(file) }
        guard fsync(file) == 0 else { throw .io("fsync of \(folder): \(systemText(errno))") }
    }

    private func statement(_ sql: String) throws(StoreError) -> Statement {
        if let kept = statements[sql] { return kept.isBusy ? try Statement(sql, on: connection) : kept }
        let made = try Statement(sql, on: connection)
        statements[sql] = made
        return made
    }

    /// Every call goes through here, so that an I/O error is the last thing that happens.
    private func guarded<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
        if let failure { throw failure }
        do {
            return try body()
        } catch {
            if case .io = error { failure = error }
            throw error
        }
    }

    private func configure(_ options: Options) throws(StoreError) {
        // Until it is ours another process may have it, and is not waited for.
        sqlite3_busy_timeout(connection, 100)
        sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, 256 << 20)
        if !options.hasReaders { try script("PRAGMA locking_mode=EXCLUSIVE") }
        try script(
            """
            PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;
            PRAGMA cache_size=-\(max(options.cacheBytes >> 10, 64)); PRAGMA secure_delete=ON; PRAGMA journal_mode=WAL;
            PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0
            """)
        let durability = try (setting("journal_mode"), setting("synchronous"), setting("secure_delete"))
        guard durability == ("wal", "2", "1") else {
            throw .unusable("\(path): journal_mode, synchronous and secure_delete are \(durability), not wal, 2 and 1.")
        }
        pageBytes = Int(try setting("page_size")) ?? pageBytes
        if options.hasReaders { sqlite3_busy_timeout(connection, Self.besideTimeout) }
        sqlite3_wal_hook(
            connection,
            { context, _, _, frames in
                context?.assumingMemoryBound(to: Int32.self).pointee = frames
                return SQLITE_OK
            }, walFrames)
    }

    /// A pragma as text, whatever its type.
    package func setting(_ name: String) throws(StoreError) -> String {
        try first("PRAGMA \(name)") { row throws(StoreError) in row.anyAsText(0) } ?? ""
    }

    private func migrate(_ options: Options) throws(StoreError) {
        let version = Int(try setting("user_version")) ?? -1
        let application = try setting("application_id")
        let tables = try first("SELECT count(*) FROM sqlite_schema") { row throws(StoreError) in try row.integer(0) }
        if tables == 0, version == 0, application == "0" {
            try script("PRAGMA application_id=\(options.applicationID)")
        } else if application != String(options.applicationID) {
            throw .unusable("\(path) is a database, but not one of ours (application id \(application)).")
        }
        guard version >= 0, version <= options.migrations.count else {
            throw .unusable("\(path) was made by a newer version (schema \(version); this one knows \(options.migrations.count)).")
        }
        for (index, migration) in options.migrations.enumerated().dropFirst(version) {
            try transaction { () throws(StoreError) in try script(migration + ";\nPRAGMA user_version=\(index + 1)") }
        }
    }
}
