internal import ClientCore
internal import Storage
internal import Vocabulary

// What a list of threads needs to know of each.

extension ProfileStore {
    /// How much is not shown, by the hash of its peer.
    func unshownCounts() throws(StoreError) -> [[UInt8]: Int] {
        var counts: [[UInt8]: Int] = [:]
        try database.rows(
            "SELECT peer, count(*) FROM message INDEXED BY message_unshown WHERE shown = 0 GROUP BY peer"
        ) { row throws(StoreError) in counts[try row.blob(0)] = Int(try row.integer(1)) }
        return counts
    }

    /// The place of the newest message of a thread; 0: there is none.
    func newest(of peers: [Peer]) throws(StoreError) -> Int64 {
        var newest: Int64 = 0
        for peer in peers {
            let sql = "SELECT coalesce(max(seq), 0) FROM message WHERE peer = ?"
            let last = try database.first(sql, .blob(hash(peer))) { row throws(StoreError) in try row.integer(0) }
            newest = max(newest, last ?? 0)
        }
        return newest
    }

    /// What of a thread is not shown, up to a place.
    func unshown(of peers: [Peer], through sequence: Int64, limit: Int) throws(StoreError) -> [Stored] {
        var found: [Stored] = []
        for peer in peers {
            found += try messages(
                """
                SELECT seq, key, body, status, shown FROM message INDEXED BY message_unshown
                WHERE peer = ? AND shown = 0 AND seq <= ? ORDER BY seq LIMIT ?
                """, [.blob(hash(peer)), .integer(sequence), .integer(Int64(limit))])
        }
        return Array(found.sorted { $0.sequence < $1.sequence }.prefix(limit))
    }

    /// One message, whoever wrote it.
    func message(_ record: MessageRecord) throws(StoreError) -> Stored? {
        try messages("SELECT seq, key, body, status, shown FROM message WHERE key = ?", [.blob(hash(.message, record.rowKey))]).first
    }
}
