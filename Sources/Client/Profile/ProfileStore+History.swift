internal import ClientCore
internal import Storage
internal import Vocabulary

// Messages and alarms: what is read back piece by piece.

extension ProfileStore {
    /// A message as it is shown.
    struct Stored {
        let sequence: Int64
        let record: MessageRecord
        let isShown: Bool
    }

    /// Of others' messages the first stays: a repeat under another number is not shown again, unless the first could not be read. Our own are
    /// replaced as they get a place.
    ///
    /// - Parameter isNews: to be shown by whoever asks for what is new.
    func put(_ record: MessageRecord, isNews: Bool) throws(StoreError) {
        let key = hash(.message, record.rowKey)
        let conflict = record.isOutgoing ? "UPDATE SET peer = excluded.peer, body = excluded.body" : "NOTHING"
        try database.run(
            "INSERT INTO message(key, peer, shown, body, status) VALUES (?, ?, ?, ?, ?) ON CONFLICT(key) DO \(conflict)",
            .blob(key), .blob(hash(record.peer)), .integer(isNews ? 0 : 1), .blob(seal(record.encoded(), .message, key)),
            .blob(seal(record.status.encoded(), .status, key)))
        guard database.changes == 0, let first = try message(record), record.reveals(first.record) else { return }
        try database.run("DELETE FROM message WHERE key = ?", .blob(key))
        try put(record, isNews: isNews)
    }

    func put(_ status: MessageStatus, of message: MessageID) throws(StoreError) {
        let key = hash(.message, MessageRecord.outgoingRowKey(message))
        // With its number it has its place: behind all that was numbered before, whenever it was written.
        let place = status.state == .accepted ? ", seq = (SELECT max(seq) + 1 FROM message)" : ""
        try database.run("UPDATE message SET status = ?\(place) WHERE key = ?", .blob(seal(status.encoded(), .status, key)), .blob(key))
    }

    /// A message of ours.
    func message(_ message: MessageID) throws(StoreError) -> Stored? {
        try messages(
            "SELECT seq, key, body, status, shown FROM message WHERE key = ?",
            [.blob(hash(.message, MessageRecord.outgoingRowKey(message)))]
        ).first
    }

    /// The newest message of ours that is what is looked for, among the newest rows.
    func newestOwn(limit: Int, where isWanted: (Stored) -> Bool) throws(StoreError) -> Stored? {
        try messages(
            "SELECT seq, key, body, status, shown FROM message ORDER BY seq DESC LIMIT ?", [.integer(Int64(limit))]
        ).first { $0.record.isOutgoing && isWanted($0) }
    }

    /// Not yet shown, in the order in which they came.
    func unshown(after sequence: Int64, limit: Int) throws(StoreError) -> [Stored] {
        try messages(
            "SELECT seq, key, body, status, shown FROM message WHERE shown = 0 AND seq > ? ORDER BY seq LIMIT ?",
            [.integer(sequence), .integer(Int64(limit))])
    }

    /// How much of this thread is not shown.
    func unshownCount(of peers: [Peer]) throws(StoreError) -> Int {
        var count: Int64 = 0
        for peer in peers {
            count +=
                try database.first("SELECT count(*) FROM message WHERE peer = ? AND shown = 0", .blob(hash(peer))) {
                    row throws(StoreError) in
                    try row.integer(0)
                } ?? 0
        }
        return Int(count)
    }

    func markShown(_ sequences: [Int64]) throws(StoreError) {
        try database.transaction { () throws(StoreError) in
            for sequence in sequences { try database.run("UPDATE message SET shown = 1 WHERE seq = ?", .integer(sequence)) }
        }
    }

    func history(with peers: [Peer], after sequence: Int64, limit: Int) throws(StoreError) -> [Stored] {
        var found: [Stored] = []
        for peer in peers {
            found += try messages(
                "SELECT seq, key, body, status, shown FROM message WHERE peer = ? AND seq > ? ORDER BY seq LIMIT ?",
                [.blob(hash(peer)), .integer(sequence), .integer(Int64(limit))])
        }
        return Array(found.sorted { $0.sequence < $1.sequence }.prefix(limit))
    }

    /// The newest before a place, the oldest of them first.
    func history(with peers: [Peer], before sequence: Int64, limit: Int) throws(StoreError) -> [Stored] {
        var found: [Stored] = []
        for peer in peers {
            found += try messages(
                "SELECT seq, key, body, status, shown FROM message WHERE peer = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
                [.blob(hash(peer)), .integer(sequence), .integer(Int64(limit))])
        }
        return Array(found.sorted { $0.sequence < $1.sequence }.suffix(limit))
    }

    func messages(_ sql: String, _ values: [SQLValue]) throws(StoreError) -> [Stored] {
        var found: [Stored] = []
        try database.run(sql, values) { row throws(StoreError) in
            let key = try row.blob(1)
            let body = try open(try row.blob(2), .message, key)
            let status = try open(try row.blob(3), .status, key)
            let (sequence, isShown) = (try row.integer(0), try row.integer(4) != 0)
            found.append(
                try decoded { () throws(CodecError) in
                    Stored(
                        sequence: sequence, record: try MessageRecord(decoding: body, status: MessageStatus(decoding: status)),
                        isShown: isShown)
                })
            return true
        }
        return found
    }

    // MARK: Alarms

    /// In the order in which they were raised.
    func alarms() throws(StoreError) -> [AlarmRecord] {
        var found: [AlarmRecord] = []
        try database.rows("SELECT body FROM alarm ORDER BY seq") { row throws(StoreError) in
            let bytes = try open(try row.blob(0), .alarm, [])
            found.append(try decoded { () throws(CodecError) in try AlarmRecord(decoding: bytes) })
        }
        return found
    }

    func hash(_ peer: Peer) -> [UInt8] {
        switch peer {
        case .user(let user): hash(.peer, [1] + user.bytes)
        case .address(let address): hash(.peer, [2] + Array(address.description.utf8))
        case .group(let id): hash(.peer, [3] + id.bytes)
        }
    }
}
