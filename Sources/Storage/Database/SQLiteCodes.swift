internal import CSQLite
internal import Glibc
internal import Vocabulary

extension StoreError {
    /// What SQLite's last error on a connection means to us. Unknown codes are `corrupt`: our SQL is fixed and tested, so what makes
    /// it fail is a file that is not what it was (a lost table, a broken constraint), and bytes from a disk must not end the process.
    init(code: Int32, connection: OpaquePointer?, doing what: String) {
        // Of the system call that failed: SQLite's own record of it (`sqlite3_system_errno`) is not kept for a commit.
        let system = [SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_FULL].contains(code & 0xff) ? errno : 0
        let text = connection.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) } ?? String(cString: sqlite3_errstr(code))
        let why = "\(what): \(text) (SQLite \(code)\(system == 0 ? "" : ", \(systemText(system))"))"
        switch code & 0xff {
        case SQLITE_FULL: self = .full
        // A write that a quota refuses is like a full disk. A sync that fails never is, whatever its errno says.
        case SQLITE_IOERR where code == SQLite.ioErrorWrite && system == EDQUOT: self = .full
        case SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_NOMEM, SQLITE_NOLFS, SQLITE_AUTH: self = .io(why)
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL: self = .inUse(why)
        default: self = .corrupt(why)
        }
    }
}

/// Macros made of other macros are not imported.
enum SQLite {
    static let ioErrorWrite: Int32 = SQLITE_IOERR | (3 << 8)
    /// "Copy what I give you": the bytes are ours again when `bind` returns.
    static var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }
}

func systemText(_ code: Int32) -> String { String(cString: strerror(code)) }

/// - Returns: 0 where there is no such file.
func fileBytes(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
}
