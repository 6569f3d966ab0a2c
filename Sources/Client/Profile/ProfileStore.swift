internal import ClientCore
internal import Cryptography
internal import Storage
internal import Vocabulary

/// The profile on disk. Every row is sealed with its place as associated data and found by a keyed hash: without the key the file
/// shows how many messages there are and how long, and nothing else. Synchronous; for the owner's event loop alone.
final class ProfileStore {
    enum Kind: UInt8 {
        case account = 1
        case contact, conversation, outbox
        case message = 16
        case status, peer, alarm
    }

    /// A message as it is shown.
    struct Stored {
        let sequence: Int64
        let record: MessageRecord
    }

    private static let migrations = [
        """
        CREATE TABLE item(kind INTEGER NOT NULL, key BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID;
        CREATE TABLE message(seq INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, peer BLOB NOT NULL, shown INTEGER NOT NULL,
            body BLOB NOT NULL, status BLOB NOT NULL);
        CREATE INDEX message_peer ON message(peer, seq);
        CREATE INDEX message_unshown ON message(seq) WHERE shown = 0;
        CREATE TABLE alarm(seq INTEGER PRIMARY KEY, body BLOB NOT NULL)
        """
    ]
    /// "cour".
    private static let applicationID: Int32 = 0x636f_7572
    /// The log is brought into the file when it has grown to this.
    private static let walBytesMax = 4 << 20

    private let database: Database
    private let rows: SealingKey
    private let hashing: Secret
    private var random = SystemRandom()

    init(path: String, key: SealingKey) throws(StoreError) {
        guard let rows = try? SealingKey(key.derived(for: "posthouse profile rows 1")) else { throw .unusable("the profile's key") }
        self.rows = rows
        hashing = key.derived(for: "posthouse profile keys 1")
        database = try Database(path: path, options: .init(applicationID: Self.applicationID, migrations: Self.migrations))
    }

    /// Leaves no log behind.
    func close() {
        try? database.checkpoint(truncate: true)
        database.close()
    }

    // MARK: Loading

    func account() throws(StoreError) -> Account? {
        guard let bytes = try items(.account).first else { return nil }
        return try decoded { () throws(CodecError) in try Account(decoding: bytes) }
    }

    func snapshot() throws(StoreError) -> DeviceSnapshot? {
        guard let account = try account() else { return nil }
        var snapshot = DeviceSnapshot(account: account)
        for bytes in try items(.contact) {
            snapshot.contacts.append(try decoded { () throws(CodecError) in try Contact(decoding: bytes) })
        }
        for bytes in try items(.conversation) {
            snapshot.conversations.append(try decoded { () throws(CodecError) in try Conversation(decoding: bytes) })
        }
        for bytes in try items(.outbox) {
            snapshot.outbox.append(try decoded { () throws(CodecError) in try OutboxItem(decoding: bytes) })
        }
        return snapshot
    }

    private func items(_ kind: Kind) throws(StoreError) -> [[UInt8]] {
        var found: [[UInt8]] = []
        try database.rows("SELECT key, body FROM item WHERE kind = ?", .integer(Int64(kind.rawValue))) { row throws(StoreError) in
            found.append(try open(try row.blob(1), kind, try row.blob(0)))
        }
        return found
    }

    // MARK: One commit a batch

    func commit(_ writes: [ClientWrite]) throws(StoreError) {
        try database.transaction { () throws(StoreError) in
            for write in writes { try perform(write) }
        }
        if database.walBytes > Self.walBytesMax { try database.checkpoint(truncate: false) }
    }

    private func perform(_ write: ClientWrite) throws(StoreError) {
        switch write {
        case .account(let account): try put(.account, [], account.encoded())
        case .contact(let contact): try put(.contact, contact.user.bytes, contact.encoded())
        case .conversation(let one): try put(.conversation, one.key.conversation.bytes, one.encoded())
        case .outbox(let item): try put(.outbox, item.message.bytes, item.encoded())
        case .outboxRemoved(let message):
            try database.run(
                "DELETE FROM item WHERE kind = ? AND key = ?", .integer(Int64(Kind.outbox.rawValue)),
                .blob(hash(.outbox, message.bytes)))
        case .message(let record): try put(record)
        case .status(let message, let status):
            let key = hash(.message, MessageRecord.outgoingRowKey(message))
            try database.run("UPDATE message SET status = ? WHERE key = ?", .blob(seal(status.encoded(), .status, key)), .blob(key))
        case .alarm(let alarm, let key, let time):
            var writer = ByteWriter()
            writer.write(alarm.rawValue)
            writer.write(key)
            writer.write(UInt64(time.milliseconds))
            try database.run("INSERT INTO alarm(body) VALUES (?)", .blob(seal(writer.bytes, .alarm, [])))
        }
    }

    private func put(_ kind: Kind, _ key: [UInt8], _ body: [UInt8]) throws(StoreError) {
        let hashed = hash(kind, key)
        try database.run(
            "INSERT INTO item(kind, key, body) VALUES (?, ?, ?) ON CONFLICT(kind, key) DO UPDATE SET body = excluded.body",
            .integer(Int64(kind.rawValue)), .blob(hashed), .blob(seal(body, kind, hashed)))
    }

    /// Of others' messages the first stays: a repeat under another number is not shown again. Our own are replaced as they get a place.
    private func put(_ record: MessageRecord) throws(StoreError) {
        let key = hash(.message, record.rowKey)
        let conflict = record.isOutgoing ? "UPDATE SET peer = excluded.peer, body = excluded.body" : "NOTHING"
        try database.run(
            "INSERT INTO message(key, peer, shown, body, status) VALUES (?, ?, ?, ?, ?) ON CONFLICT(key) DO \(conflict)",
            .blob(key), .blob(hash(record.peer)), .integer(record.isOutgoing ? 1 : 0), .blob(seal(record.encoded(), .message, key)),
            .blob(seal(record.status.encoded(), .status, key)))
    }

    // MARK: The history

    func status(of message: MessageID) throws(StoreError) -> MessageStatus? {
        let key = hash(.message, MessageRecord.outgoingRowKey(message))
        let sealed = try database.first("SELECT status FROM message WHERE key = ?", .blob(key)) { row throws(StoreError) in
            try row.blob(0)
        }
        guard let sealed else { return nil }
        let bytes = try open(sealed, .status, key)
        return try decoded { () throws(CodecError) in try MessageStatus(decoding: bytes) }
    }

    /// Not yet shown, in the order in which they came.
    func unshown(after sequence: Int64, limit: Int) throws(StoreError) -> [Stored] {
        try messages(
            "SELECT seq, key, body, status FROM message WHERE shown = 0 AND seq > ? ORDER BY seq LIMIT ?",
            [.integer(sequence), .integer(Int64(limit))])
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
                "SELECT seq, key, body, status FROM message WHERE peer = ? AND seq > ? ORDER BY seq LIMIT ?",
                [.blob(hash(peer)), .integer(sequence), .integer(Int64(limit))])
        }
        return Array(found.sorted { $0.sequence < $1.sequence }.prefix(limit))
    }

    func alarms() throws(StoreError) -> Int {
        Int(try database.first("SELECT count(*) FROM alarm") { row throws(StoreError) in try row.integer(0) } ?? 0)
    }

    private func messages(_ sql: String, _ values: [SQLValue]) throws(StoreError) -> [Stored] {
        var found: [Stored] = []
        try database.run(sql, values) { row throws(StoreError) in
            let key = try row.blob(1)
            let body = try open(try row.blob(2), .message, key)
            let status = try open(try row.blob(3), .status, key)
            let sequence = try row.integer(0)
            found.append(
                try decoded { () throws(CodecError) in
                    Stored(sequence: sequence, record: try MessageRecord(decoding: body, status: MessageStatus(decoding: status)))
                })
            return true
        }
        return found
    }

    // MARK: Sealing

    private func hash(_ kind: Kind, _ key: [UInt8]) -> [UInt8] { Hash.keyed([kind.rawValue] + key, key: hashing) }

    private func hash(_ peer: Peer) -> [UInt8] {
        switch peer {
        case .user(let user): hash(.peer, [1] + user.bytes)
        case .address(let address): hash(.peer, [2] + Array(address.description.utf8))
        }
    }

    private func seal(_ body: [UInt8], _ kind: Kind, _ key: [UInt8]) -> [UInt8] {
        rows.seal(body, place: [kind.rawValue] + key, using: &random)
    }

    private func open(_ box: [UInt8], _ kind: Kind, _ key: [UInt8]) throws(StoreError) -> [UInt8] {
        do { return try rows.open(box, place: [kind.rawValue] + key) } catch {
            throw .unusable("a row does not open with the profile's key")
        }
    }

    private func decoded<T>(_ body: () throws(CodecError) -> T) throws(StoreError) -> T {
        do { return try body() } catch { throw .corrupt("a row of the profile does not decode: \(error)") }
    }
}
