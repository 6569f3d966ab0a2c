internal import CSQLite
public import Vocabulary

/// What is bound to a `?` of a statement.
public enum SQLValue: Sendable {
    case integer(Int64)
    case blob([UInt8])
    case text(String)
    case null
}

/// A row while it is being read: valid inside the closure it is handed to only. Columns count from 0.
///
/// Reading a column as what it is not is `corrupt`: SQLite would convert silently, and what has changed its type was not written by us.
public struct Row: ~Copyable {
    let statement: OpaquePointer

    public func integer(_ column: Int32) throws(StoreError) -> Int64 {
        guard sqlite3_column_type(statement, column) == SQLITE_INTEGER else { throw wrongType(column, "an integer") }
        return sqlite3_column_int64(statement, column)
    }

    public func blob(_ column: Int32) throws(StoreError) -> [UInt8] {
        guard sqlite3_column_type(statement, column) == SQLITE_BLOB else { throw wrongType(column, "a blob") }
        guard let base = sqlite3_column_blob(statement, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(statement, column))))
    }

    /// Strict UTF-8.
    public func text(_ column: Int32) throws(StoreError) -> String {
        guard sqlite3_column_type(statement, column) == SQLITE_TEXT, let base = sqlite3_column_text(statement, column) else {
            throw wrongType(column, "text")
        }
        let bytes = UnsafeBufferPointer(start: base, count: Int(sqlite3_column_bytes(statement, column)))
        guard let text = String(validating: bytes, as: UTF8.self) else { throw wrongType(column, "UTF-8") }
        return text
    }

    public func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

    /// SQLite's own conversion, for pragmas.
    func anyAsText(_ column: Int32) -> String { sqlite3_column_text(statement, column).map { String(cString: $0) } ?? "" }

    private func wrongType(_ column: Int32, _ wanted: String) -> StoreError {
        let name = sqlite3_column_name(statement, column).map { String(cString: $0) } ?? "?"
        return .corrupt("column \(name) is not \(wanted)")
    }
}

/// One prepared statement, kept by its `Database` for the next use. Always left reset: a statement in mid-step would hold
/// a read transaction open and keep checkpoints from finishing.
final class Statement {
    private let handle: OpaquePointer
    private let connection: OpaquePointer
    /// Running: a second use of the same SQL inside a row closure needs a statement of its own.
    private(set) var isBusy = false

    init(_ sql: String, on connection: OpaquePointer) throws(StoreError) {
        var made: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &made, nil)
        guard code == SQLITE_OK, let made else { throw StoreError(code: code, connection: connection, doing: "preparing \(sql)") }
        (handle, self.connection) = (made, connection)
    }

    deinit { sqlite3_finalize(handle) }

    /// Binds, steps through the rows until `each` returns false, and resets.
    func run(_ values: [SQLValue], each: (borrowing Row) throws(StoreError) -> Bool) throws(StoreError) {
        isBusy = true
        defer {
            sqlite3_reset(handle)
            sqlite3_clear_bindings(handle)
            isBusy = false
        }
        for (index, value) in values.enumerated() {
            let code = bind(value, at: Int32(truncatingIfNeeded: index + 1))
            guard code == SQLITE_OK else { throw StoreError(code: code, connection: connection, doing: "binding") }
        }
        while true {
            let code = sqlite3_step(handle)
            switch code {
            case SQLITE_ROW: guard try each(Row(statement: handle)) else { return }
            case SQLITE_DONE: return
            default:
                // The SQL has its values bound, not written in: it tells nothing of them.
                let sql = sqlite3_sql(handle).map { String(cString: $0) } ?? "SQL"
                throw StoreError(code: sqlite3_extended_errcode(connection), connection: connection, doing: sql)
            }
        }
    }

    private func bind(_ value: SQLValue, at index: Int32) -> Int32 {
        switch value {
        case .integer(let integer): sqlite3_bind_int64(handle, index, integer)
        case .blob(let bytes) where bytes.isEmpty: sqlite3_bind_zeroblob(handle, index, 0)
        case .blob(let bytes): sqlite3_bind_blob64(handle, index, bytes, UInt64(bytes.count), SQLite.transient)
        case .text(let text): sqlite3_bind_text64(handle, index, text, UInt64(text.utf8.count), SQLite.transient, UInt8(SQLITE_UTF8))
        case .null: sqlite3_bind_null(handle, index)
        }
    }
}
