public import Cryptography
public import Vocabulary

/// What a node's store holds when it starts, but for the queues, whose outlines follow, and conversations, loaded on demand.
public struct NodeRows: Sendable {
    public typealias Rows = [(key: [UInt8], value: [UInt8])]
    public var statements: Rows = []
    public var tickets: Rows = []
    public var invitations: Rows = []
    public var reservations: Rows = []
    public var records: Rows = []
    public var equivocations: Rows = []
    public var cursors: Rows = []
    /// The keys of `StoreTable.conversation`.
    public var conversations: [[UInt8]] = []
    public var orders: Rows = []
    public var blocked: Rows = []
    public var meta: Rows = []
    public var pendingWatermarks: Rows = []
    public var logReaders: Rows = []
    public var highestPosition: QueuePosition = 0

    public init() {}

    /// - Parameter values: the rows of one table, all of them.
    public init<E: Error>(values: (StoreTable) throws(E) -> Rows, highestPosition: QueuePosition) throws(E) {
        statements = try values(.statement)
        tickets = try values(.ticket)
        invitations = try values(.invitation)
        reservations = try values(.reservation)
        records = try values(.userRecord)
        equivocations = try values(.equivocation)
        cursors = try values(.linkCursor)
        conversations = try values(.conversation).map(\.key)
        orders = try values(.submissionOrder)
        blocked = try values(.blocked)
        meta = try values(.meta)
        pendingWatermarks = try values(.pendingWatermark)
        logReaders = try values(.logReader)
        self.highestPosition = highestPosition
    }
}

extension Node {
    static let upTimeKey = Array("up-time".utf8)
    static let listeningKey = Array("listening".utf8)
    static let incarnationKey = Array("incarnation".utf8)
    static let restoredKey = Array("restored".utf8)

    /// - Parameters:
    ///   - certificateHash: SHA-256 of the TLS certificate (DER) that clients are shown.
    ///   - wall: the wall clock now.
    /// - Throws: `MembershipError.noGenesis` for a store without a federation; `CodecError` for a row that does not decode.
    public init(
        key: SigningKey, software: String, certificateHash: Bytes32, rows: NodeRows, at now: Instant, wall: Timestamp
    ) throws {
        let statements = try rows.statements.map { try SignedStatement(decoding: $0.value) }
        membership = try Membership(key: key, statements: statements, tickets: rows.tickets)
        id = NodeID(raw: key.publicKey)
        self.key = key
        self.software = software
        directory = try Directory(
            node: id, federation: membership.federation, records: rows.records, equivocations: rows.equivocations,
            owners: rows.meta)
        sessions = Sessions(key: key, federation: membership.federation, certificateHash: certificateHash)
        var (cursors, acknowledged): ([NodeID: QueuePosition], [NodeID: QueuePosition]) = ([:], [:])
        for row in rows.cursors {
            guard let peer = NodeID(row.key) else { continue }
            var reader = ByteReader(row.value)
            cursors[peer] = try reader.counter()
            // Earlier versions wrote no more.
            if !reader.isEmpty { acknowledged[peer] = try reader.counter() }
        }
        links = Links(node: id, cursors: cursors, acknowledged: acknowledged)
        registrar = Registrar(invitations: rows.invitations, reservations: rows.reservations)
        orders = SubmissionOrders(rows: rows.orders)
        blocks = BlockList(rows: rows.blocked)
        desk = PresenceDesk(node: id, blocks: blocks.everybody)
        func meta(_ key: [UInt8]) -> UInt64 {
            guard let row = rows.meta.first(where: { $0.key == key }) else { return 0 }
            var reader = ByteReader(row.value)
            return (try? reader.counter(SequenceNumber.self).value) ?? 0
        }
        let restoration = meta(Self.restoredKey)
        queues = Queues(highest: rows.highestPosition, restoration: restoration)
        queues.clockRead(wall)
        hub = Hub(
            node: id, restoration: restoration, conversations: rows.conversations.compactMap { ConversationID($0) })
        incarnation = min(meta(Self.incarnationKey) + 1, counterMax)
        liveness = Liveness(node: id, incarnation: incarnation)
        upTimeBefore = meta(Self.upTimeKey)
        upTimeSaved = upTimeBefore
        started = now
        nextSweep = now + Self.sweepInterval
        self.now = now
        self.wall = wall
        var writer = ByteWriter()
        writer.write(incarnation)
        out.append(.write(.put(.meta, key: Self.incarnationKey, value: writer.bytes)))
        traffic.gathered = GatheredWatermarks(rows: rows.pendingWatermarks, at: now)
        logReaders = LogReaders(rows: rows.logReaders)
        if logReaders.unreadable > 0 { out.append(.note(.corruptRow(.logReader))) }
        if blocks.unreadable > 0 { out.append(.note(.corruptRow(.blocked))) }
        if orders.unreadable > 0 { out.append(.note(.corruptRow(.submissionOrder))) }
        refreshMembers()
    }

    public var federation: FederationID { membership.federation }

    /// Takes over a replica of the directory, whose rows are then in memory once: for a program in which many nodes live.
    /// - Parameter users: those of them who live here.
    package mutating func share(_ replica: Directory, local users: [UserID]) { directory.share(replica, local: users) }

    /// Whose queues may hold something.
    public var destinations: [Destination] {
        directory.localDevices.map { Destination.device($0) }
            + membership.evaluation.members.filter { $0.id != id }.map { Destination.node($0.id) }
    }

    public mutating func restore(_ destination: Destination, outline: [(position: QueuePosition, bytes: Int)]) {
        queues.restore(destination, lines: outline)
    }

    /// The keys that may not connect any more.
    public var expelledNodes: [NodeID] { membership.evaluation.members.filter(\.isExpelled).map(\.id) }
    public var openSessions: [SessionID] { sessions.all }
    public var openLinks: [LinkID] { links.all }
    /// Whose device it is, of this node's users.
    public func user(ofLocal device: DeviceID) -> UserID? { directory.user(ofLocal: device) }
    public var name: NodeName? { membership.evaluation[id]?.name }

    /// Where the node listened last, so that a port the system chose stays: clients and peers know it.
    public static func lastListening(_ rows: NodeRows) -> (clients: Endpoint, peers: Endpoint)? {
        guard let row = rows.meta.first(where: { $0.key == listeningKey }) else { return nil }
        var reader = ByteReader(row.value)
        guard let clients = try? reader.endpoint(), let peers = try? reader.endpoint() else { return nil }
        return (clients, peers)
    }
}
