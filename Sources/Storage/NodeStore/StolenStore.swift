internal import Glibc
public import Vocabulary

/// What somebody with a node's disk, but without `storage.key`, has of the queues: read from a copy of the files, row by row.
/// For demonstrations and tests; a node itself never reads its store like this.
package struct StolenStore {
    /// One queue entry as it stands in the file.
    package struct Entry: Sendable {
        package let position: Int64
        /// The queue's name: a keyed hash of the destination.
        package let queue: [UInt8]
        /// The entry's own part; where the message is stored once for several, the body is in `body`.
        package let sealed: [UInt8]
        package let body: [UInt8]
    }

    package let entries: [Entry]

    /// - Parameters:
    ///   - folder: the data folder of a node, running or not; the files are copied, since a running node holds them alone.
    ///   - scratch: an existing folder for the copy.
    package init(of folder: String, scratch: String) throws(StoreError) {
        let copy = scratch + "/stolen.db"
        for suffix in ["", "-wal"] { try Self.copy(folder + "/store.db" + suffix, to: copy + suffix) }
        let database = try Database(
            path: copy, options: .init(applicationID: Schema.applicationID, migrations: Schema.migrations))
        defer { database.close() }
        var found: [Entry] = []
        try database.rows(
            """
            SELECT entry.position, entry.queue, entry.sealed, coalesce(event.sealed, x'') FROM entry LEFT JOIN event ON event.id = entry.event
            ORDER BY entry.position
            """
        ) { row throws(StoreError) in
            found.append(
                Entry(position: try row.integer(0), queue: try row.blob(1), sealed: try row.blob(2), body: try row.blob(3)))
        }
        entries = found
    }

    private static func copy(_ source: String, to target: String) throws(StoreError) {
        let from = open(source, O_RDONLY | O_CLOEXEC)
        guard from >= 0 else {
            // A node that stopped leaves no log.
            if errno == ENOENT, source.hasSuffix("-wal") { return }
            throw .io("opening \(source): \(systemText(errno))")
        }
        defer { _ = close(from) }
        let to = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard to >= 0 else { throw .io("opening \(target): \(systemText(errno))") }
        defer { _ = close(to) }
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(from, &part, part.count)
            guard count > 0 else { return }
            guard write(to, part, count) == count else { throw .io("writing \(target): \(systemText(errno))") }
        }
    }
}
