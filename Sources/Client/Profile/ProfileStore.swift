internal import ClientCore
internal import Cryptography
internal import MLS
internal import Storage
internal import Vocabulary

/// The profile on disk. Every row is sealed with its place as associated data and found by a keyed hash: without the key the file
/// shows how many messages and groups there are and how long, and nothing else. Synchronous; for the owner's event loop alone.
final class ProfileStore {
    enum Kind: UInt8 {
        case account = 1
        case contact, conversation, outbox
        case settings, pending, keyPackage, order, welcome
        case message = 16
        case status, peer, alarm
        /// In table `record`.
        case group = 32
        case receipts
        /// The hash of a conversation, under which its records are.
        case owner
    }

    /// The log is brought into the file when it has grown to this.
    private static let walBytesMax = 4 << 20

    let database: Database
    private let rows: SealingKey
    private let hashing: Secret
    private var random = SystemRandom()
    /// Whose profile it is: what this user did itself is not news.
    private var me: UserID?

    private init(path: String, key: SealingKey) throws(StoreError) {
        guard let rows = try? SealingKey(key.derived(for: "posthouse profile rows 1")) else { throw .unusable("the profile's key") }
        self.rows = rows
        hashing = key.derived(for: "posthouse profile keys 1")
        database = try Database(
            path: path, options: .init(applicationID: ProfileSchema.applicationID, migrations: ProfileSchema.migrations))
    }

    /// - Throws: `ClientError` for a profile of another format, else `StoreError`, of which `unusable` is a wrong key.
    static func open(_ location: ProfileLocation, key: SealingKey) throws -> ProfileStore {
        let store: ProfileStore
        do { store = try ProfileStore(path: location.database, key: key) } catch StoreError.unusable(let why) {
            throw ClientError(
                .configuration, what: "The profile \(location.folder) cannot be used.", why: why,
                remedy: "Use the version of courier that it was made with, or name another profile with --profile.")
        }
        let format = try store.database.first("SELECT number FROM format") { row throws(StoreError) in try row.integer(0) }
        guard format == ProfileSchema.format else {
            store.close()
            throw ClientError.oldFormat(location)
        }
        return store
    }

    /// Leaves no log behind.
    func close() {
        try? database.checkpoint(truncate: true)
        database.close()
    }

    // MARK: Loading

    func account() throws(StoreError) -> Account? {
        guard let bytes = try items(.account).first else { return nil }
        let account = try decoded { () throws(CodecError) in try Account(decoding: bytes) }
        me = account.userID
        return account
    }

    /// All but the history.
    func snapshot() throws(StoreError) -> DeviceSnapshot? {
        guard let account = try account() else { return nil }
        var snapshot = DeviceSnapshot(account: account)
        if let bytes = try items(.settings).first {
            snapshot.settings = try decoded { () throws(CodecError) in try Settings(decoding: bytes) }
        }
        for bytes in try items(.contact) {
            snapshot.contacts.append(try decoded { () throws(CodecError) in try Contact(decoding: bytes) })
        }
        for bytes in try items(.conversation) {
            snapshot.conversations.append(try decoded { () throws(CodecError) in try Conversation(decoding: bytes) })
        }
        for bytes in try items(.outbox) {
            snapshot.outbox.append(try decoded { () throws(CodecError) in try OutboxItem(decoding: bytes) })
        }
        for id in snapshot.conversations.map(\.id) {
            let records = try records(.group, of: id)
            if !records.isEmpty { snapshot.groups[id] = StoredGroup(records: records) }
            for (_, bytes) in try self.records(.receipts, of: id) {
                snapshot.receipts.append((id, try decoded { () throws(CodecError) in try ReceiptLine(decoding: bytes) }))
            }
        }
        snapshot.pending = try byConversation(.pending)
        for bytes in try items(.welcome) {
            snapshot.welcomes.append(try decoded { () throws(CodecError) in try UnfinishedWelcome(decoding: bytes) })
        }
        snapshot.keyPackages = try items(.keyPackage)
        if let bytes = try items(.order).first {
            snapshot.order = try decoded { () throws(CodecError) in try SubmissionOrder(decoding: bytes) }
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

    /// Rows that begin with the id of their conversation.
    private func byConversation(_ kind: Kind) throws(StoreError) -> [ConversationID: [UInt8]] {
        var found: [ConversationID: [UInt8]] = [:]
        for bytes in try items(kind) {
            guard let id = ConversationID(bytes.prefix(16)) else { throw .corrupt("a row of the profile is too short") }
            found[id] = Array(bytes.dropFirst(16))
        }
        return found
    }

    /// Everything of one conversation: the key inside the sealed body, since the one outside is a hash.
    private func records(_ kind: Kind, of id: ConversationID) throws(StoreError) -> [(key: [UInt8], value: [UInt8])] {
        var found: [(key: [UInt8], value: [UInt8])] = []
        try database.rows(
            "SELECT key, body FROM record WHERE kind = ? AND owner = ?", .integer(Int64(kind.rawValue)), .blob(hash(.owner, id.bytes))
        ) { row throws(StoreError) in
            let bytes = try open(try row.blob(1), kind, try row.blob(0))
            found.append(
                try decoded { () throws(CodecError) in
                    var reader = ByteReader(bytes)
                    let (key, value) = (Array(try reader.opaque()), Array(try reader.opaque()))
                    try reader.finish()
                    return (key, value)
                })
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
        case .account(let account):
            me = account.userID
            try put(.account, [], account.encoded())
        case .settings(let settings): try put(.settings, [], settings.encoded())
        case .contact(let contact): try put(.contact, contact.user.bytes, contact.encoded())
        case .conversation(let one): try put(.conversation, one.id.bytes, one.encoded())
        case .conversationRemoved(let id): try remove(.conversation, id.bytes)
        case .outbox(let item): try put(.outbox, item.message.bytes, item.encoded())
        case .outboxRemoved(let message): try remove(.outbox, message.bytes)
        case .message(let record): try put(record, isNews: !record.isOutgoing && !record.isOwnDoing(of: me))
        case .status(let message, let status): try put(status, of: message)
        case .alarm(let alarm): try database.run("INSERT INTO alarm(body) VALUES (?)", .blob(seal(alarm.encoded(), .alarm, [])))
        case .group(let id, let delta):
            let owner = hash(.owner, id.bytes)
            if delta.replacesAll {
                try database.run("DELETE FROM record WHERE kind = ? AND owner = ?", .integer(Int64(Kind.group.rawValue)), .blob(owner))
            }
            for record in delta.records { try put(.group, owner, id, record.key, record.value) }
        case .receipts(let id, let device, let line): try put(.receipts, hash(.owner, id.bytes), id, device.bytes, line?.encoded())
        case .pending(let id, let bytes): try put(.pending, id.bytes, bytes.map { id.bytes + $0 })
        case .welcome(let key, let one): try put(.welcome, key.hub.bytes + key.conversation.bytes, one?.encoded())
        case .keyPackage(let reference, let bytes): try put(.keyPackage, reference, bytes)
        case .order(let order): try put(.order, [], order.encoded())
        }
    }

    /// - Parameter body: nil takes the row away.
    private func put(_ kind: Kind, _ key: [UInt8], _ body: [UInt8]?) throws(StoreError) {
        guard let body else { return try remove(kind, key) }
        let hashed = hash(kind, key)
        try database.run(
            "INSERT INTO item(kind, key, body) VALUES (?, ?, ?) ON CONFLICT(kind, key) DO UPDATE SET body = excluded.body",
            .integer(Int64(kind.rawValue)), .blob(hashed), .blob(seal(body, kind, hashed)))
    }

    private func remove(_ kind: Kind, _ key: [UInt8]) throws(StoreError) {
        try database.run(
            "DELETE FROM item WHERE kind = ? AND key = ?", .integer(Int64(kind.rawValue)), .blob(hash(kind, key)))
    }

    private func put(
        _ kind: Kind, _ owner: [UInt8], _ id: ConversationID, _ key: [UInt8], _ value: [UInt8]?
    ) throws(StoreError) {
        let hashed = hash(kind, id.bytes + key)
        guard let value else {
            return try database.run(
                "DELETE FROM record WHERE kind = ? AND owner = ? AND key = ?", .integer(Int64(kind.rawValue)), .blob(owner), .blob(hashed))
        }
        var writer = ByteWriter(reservingCapacity: key.count + value.count + 8)
        writer.write(opaque: key)
        writer.write(opaque: value)
        try database.run(
            """
            INSERT INTO record(kind, owner, key, body) VALUES (?, ?, ?, ?)
            ON CONFLICT(kind, owner, key) DO UPDATE SET body = excluded.body
            """,
            .integer(Int64(kind.rawValue)), .blob(owner), .blob(hashed), .blob(seal(writer.bytes, kind, hashed)))
    }

    // MARK: Sealing

    func hash(_ kind: Kind, _ key: [UInt8]) -> [UInt8] { Hash.keyed([kind.rawValue] + key, key: hashing) }

    func seal(_ body: [UInt8], _ kind: Kind, _ key: [UInt8]) -> [UInt8] {
        rows.seal(body, place: [kind.rawValue] + key, using: &random)
    }

    func open(_ box: [UInt8], _ kind: Kind, _ key: [UInt8]) throws(StoreError) -> [UInt8] {
        do { return try rows.open(box, place: [kind.rawValue] + key) } catch {
            throw .unusable("a row does not open with the profile's key")
        }
    }

    func decoded<T>(_ body: () throws(CodecError) -> T) throws(StoreError) -> T {
        do { return try body() } catch { throw .corrupt("a row of the profile does not decode: \(error)") }
    }
}

extension MessageRecord {
    /// A change of a group that the user has asked for: no news to them.
    fileprivate func isOwnDoing(of user: UserID?) -> Bool {
        guard case .membership(let change) = body, author == user else { return false }
        return switch change {
        case .joined, .present: false
        // Whoever happens to commit it hears of it like everybody else.
        case .left(let users): users.allSatisfy { $0 == user }
        case .added, .removed, .rejoined, .renamed, .roles, .reset, .restored: true
        }
    }
}
