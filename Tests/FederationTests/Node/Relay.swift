import Cryptography
import Federation
import MLS
import Simulation
import Vocabulary

/// A federation's keys and statements, and people with records, of which nodes are made.
struct Coast {
    static let fixture = MembershipFixture()
    static let wall = Timestamp(milliseconds: 1_800_000_000_000)

    let nodes: Int
    private(set) var people: [Person] = []
    private var random = SeededGenerator(seed: 77)

    init(nodes: Int) { self.nodes = nodes }

    var federation: FederationID { Self.fixture.federation }

    static func id(_ index: Int) -> NodeID { MembershipFixture.id(index) }

    static func site(_ index: Int) -> Site {
        var random = SeededGenerator(seed: UInt64(1000 + index))
        return Site(using: &random)
    }

    /// Somebody whose record every node made from here on has.
    mutating func person(_ name: String, at node: Int) throws -> Person {
        let person = try Person(name, at: Self.site(node), using: &random)
        people.append(person)
        return person
    }

    var statements: [SignedStatement] {
        [Self.fixture.genesis] + (1..<max(nodes, 1)).map { Self.fixture.admit($0, by: 0, n: UInt64($0)) }
            + (0..<nodes).map { Self.fixture.descriptor($0, version: 1) }
    }

    func relay(_ index: Int, statements: [SignedStatement]? = nil) throws -> Relay {
        let store = MemoryStore()
        try store.commit(try Membership(key: MembershipFixture.key(index), statements: statements ?? self.statements).writes)
        for person in people {
            try store.commit([.put(.userRecord, key: person.id.bytes, value: try person.record(federation: federation).encoded())])
        }
        return try Relay(key: MembershipFixture.key(index), store: store)
    }
}

/// A node with a disk in memory and nothing else of the world: what it writes is written, what it reads from disk is read, and the rest
/// is shown to the test.
struct Relay {
    static let certificateHash = Bytes32([UInt8](repeating: 9, count: 32)) ?? .zero

    let key: SigningKey
    let store: MemoryStore
    var core: Node
    var now = Instant.start
    var wall = Coast.wall
    var random = SeededGenerator(seed: 3)

    var id: NodeID { NodeID(raw: key.publicKey) }

    init(key: SigningKey, store: MemoryStore) throws {
        (self.key, self.store) = (key, store)
        core = try Self.start(key, store, at: now, wall: wall)
        try listen()
    }

    private static func start(_ key: SigningKey, _ store: MemoryStore, at now: Instant, wall: Timestamp) throws -> Node {
        let rows = try NodeRows(
            values: { table throws(StoreError) in try store.values(table) }, highestPosition: try store.highestPosition())
        var core = try Node(key: key, software: "test", certificateHash: certificateHash, rows: rows, at: now, wall: wall)
        let destinations = core.destinations
        for destination in destinations { core.restore(destination, outline: try store.outline(destination)) }
        try store.dropQueues(except: destinations)
        return core
    }

    mutating func listen() throws {
        let endpoint = Endpoint(host: "127.0.0.1", port: 7443)
        try step(.listening(clients: endpoint, peers: endpoint))
    }

    /// The process dies and comes back; what was committed is there.
    mutating func restart() throws {
        core = try Self.start(key, store, at: now, wall: wall)
        try listen()
    }

    /// One batch: stepped, committed, then released; so on while the disk answers.
    @discardableResult
    mutating func step(_ inputs: NodeInput...) throws -> [NodeEffect] { try batch(inputs) }

    @discardableResult
    mutating func batch(_ inputs: [NodeInput]) throws -> [NodeEffect] {
        var effects = core.step(.clockRead(wall), at: now, using: &random)
        for input in inputs {
            for needed in core.rowsNeeded(for: input) {
                guard let rows = try store.rows(needed, hub: id) else { continue }
                effects += core.step(.loaded(rows), at: now, using: &random)
            }
            effects += core.step(input, at: now, using: &random)
        }
        effects += core.step(.batchEnded, at: now, using: &random)
        try store.commit(effects.compactMap { if case .write(let write) = $0 { write } else { nil } })
        var answers: [NodeInput] = []
        for effect in effects {
            switch effect {
            case .page(let order):
                let page = try store.page(order.destination, after: order.after, limit: order.entriesMax, bytesMax: order.bytesMax)
                answers.append(.paged(order, page))
            case .load(let needed): if let rows = try store.rows(needed, hub: id) { answers.append(.loaded(rows)) }
            default: break
            }
        }
        return answers.isEmpty ? effects : effects + (try batch(answers))
    }

    /// Lets time pass in steps of the sweep.
    @discardableResult
    mutating func wait(_ duration: Duration) throws -> [NodeEffect] {
        let end = now + duration
        var effects: [NodeEffect] = []
        while now < end {
            now = min(end, now + .seconds(5))
            effects += try step(.deadlineReached)
        }
        return effects
    }
}

// MARK: Sessions and links

extension Relay {
    static let nonce = Bytes32([UInt8](repeating: 4, count: 32)) ?? .zero

    /// Opens a session and signs in.
    @discardableResult
    mutating func signIn(_ person: Person, as session: UInt64) throws -> [NodeEffect] {
        let session = SessionID(session)
        let effects = try step(.sessionOpened(session), .sessionFrame(session, .hello(versions: .current, nonce: Self.nonce)))
        guard let nonce = effects.nonce(to: session) else { return effects }
        return try step(.sessionFrame(session, .authenticate(person.proof(node: id, nodeNonce: nonce))))
    }

    /// A link on which both have said hello.
    @discardableResult
    mutating func link(_ link: UInt64, to peer: NodeID, cursor: QueuePosition = 0, dialled: Bool = false) throws -> [NodeEffect] {
        try step(
            .linkOpened(LinkID(link), peer: peer, dialled: dialled),
            .linkFrame(
                LinkID(link), .hello(versions: .current, federation: Coast.fixture.federation, readThrough: cursor, statements: .zero)))
    }

    @discardableResult
    mutating func receive(_ item: NodeItem, at position: UInt64, on link: UInt64) throws -> [NodeEffect] {
        try step(.linkFrame(LinkID(link), .entry(QueuePosition(unchecked: position), item)))
    }

    @discardableResult
    mutating func submit(_ submission: Submission, in session: UInt64) throws -> [NodeEffect] {
        try step(.sessionFrame(SessionID(session), .submit(submission)))
    }

    @discardableResult
    mutating func acknowledge(_ position: QueuePosition, _ watermarks: [Watermark] = [], in session: UInt64) throws -> [NodeEffect] {
        try step(.sessionFrame(SessionID(session), .acknowledge(through: position, watermarks: watermarks)))
    }

    func key(_ conversation: UInt64) -> ConversationKey { ConversationKey(hub: id, conversation: .numbered(conversation)) }
}

extension Identifier16 {
    static func numbered(_ number: UInt64) -> Self { Self(raw: Bytes16(7, number)) }
}

extension Person {
    var deviceID: DeviceID { DeviceID(raw: device.publicKey) }
    var entry: RosterEntry { RosterEntry(user: id, device: deviceID) }

    func proof(node: NodeID, clientNonce: Bytes32 = Relay.nonce, nodeNonce: Bytes32, user: UserID? = nil) -> Authentication {
        let body = SessionProof.device(node: node, clientNonce: clientNonce, nodeNonce: nodeNonce, user: user ?? id, device: deviceID)
        return Authentication(user: user ?? id, device: deviceID, signature: device.sign(body, for: .session))
    }

    func watermark(_ key: ConversationKey, through: SequenceNumber, chain: Digest) -> Watermark {
        let body = Watermark.body(key: key, device: deviceID, through: through, chain: chain)
        return Watermark(key: key, device: deviceID, through: through, chain: chain, signature: device.sign(body, for: .watermark))
    }
}

extension Relay {
    /// Founds a conversation: the first of these people is in the session, and adds the others by a commit, which has number 1 and ends
    /// epoch 0.
    @discardableResult
    mutating func found(_ conversation: UInt64, _ people: [Person], in session: UInt64) throws -> [NodeEffect] {
        guard let first = people.first else { return [] }
        var founder = Sailor(first, session: session, seed: 1_000 + conversation)
        let effects = try submit(founder.found(key(conversation), message: 1_000), in: session)
        guard people.count > 1 else { return effects }
        let additions = try people.dropFirst().enumerated().map { index, person in
            var sailor = Sailor(person, session: 0, seed: 2_000 + UInt64(index))
            return Proposal.add(try sailor.package())
        }
        return effects + (try submit(founder.commit(additions, message: 1_001), in: session))
    }
}

extension Submission {
    /// A message as hubs see it: a PrivateMessage of the conversation and epoch, with something in it that only members could judge.
    static func say(
        _ text: String, _ message: UInt64, in conversation: UInt64 = 1, hub: NodeID, epoch: Epoch = 1, timeToLive: UInt32 = 0
    ) -> Submission {
        let key = ConversationKey(hub: hub, conversation: .numbered(conversation))
        return Submission(
            message: .numbered(message), conversation: key.conversation, hub: hub,
            kind: .application(epoch: epoch, payload: payload(text, key, epoch: epoch)), timeToLive: timeToLive)
    }

    static func payload(_ text: String, _ key: ConversationKey, epoch: Epoch = 1) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(1))
        writer.write(WireFormat.privateMessage)
        writer.write(opaque: key.groupID)
        writer.write(epoch)
        writer.write(ContentType.application.rawValue)
        // Authenticated data, sender data, ciphertext.
        for bytes in [[], [UInt8](repeating: 1, count: 28), Array(text.utf8)] { writer.write(opaque: bytes) }
        return writer.bytes
    }
}

extension [NodeEffect] {
    func frames(to session: UInt64) -> [NodeFrame] {
        compactMap { if case .sendSession(SessionID(session), let frame) = $0 { frame } else { nil } }
    }

    func nonce(to session: SessionID) -> Bytes32? {
        for case .welcome(_, _, _, let nonce, _, _) in frames(to: session.value) { return nonce }
        return nil
    }

    /// The entries sent to a session.
    func entries(to session: UInt64) -> [(position: QueuePosition, item: DeviceItem)] {
        frames(to: session).compactMap { if case .entry(let position, let item) = $0 { (position, item) } else { nil } }
    }

    func items(to session: UInt64) -> [DeviceItem] { entries(to: session).map(\.item) }

    func events(to session: UInt64) -> [Envelope] {
        items(to: session).compactMap { if case .event(let envelope) = $0 { envelope } else { nil } }
    }

    func acceptances(to session: UInt64) -> [Acceptance] {
        items(to: session).compactMap { if case .accepted(let acceptance) = $0 { acceptance } else { nil } }
    }

    func failures(to session: UInt64) -> [Failure] {
        items(to: session).compactMap { if case .failed(let failure) = $0 { failure } else { nil } }
    }

    func receipts(to session: UInt64) -> [Watermark] {
        items(to: session).compactMap { if case .watermark(let watermark) = $0 { watermark } else { nil } }
    }

    func refusals(to session: UInt64) -> [Refusal.Code] {
        frames(to: session).compactMap {
            switch $0 {
            case .refusedMessage(_, let refusal), .refusedRequest(_, let refusal): refusal.code
            default: nil
            }
        }
    }

    func closing(_ session: UInt64) -> Refusal.Code? {
        for case .closeSession(SessionID(session), let refusal) in self { return refusal?.code }
        return nil
    }

    func frames(on link: UInt64) -> [LinkFrame] {
        compactMap { if case .sendLink(LinkID(link), let frame) = $0 { frame } else { nil } }
    }

    func items(on link: UInt64) -> [NodeItem] {
        frames(on: link).compactMap { if case .entry(_, let item) = $0 { item } else { nil } }
    }

    func acknowledgements(on link: UInt64) -> [QueuePosition] {
        frames(on: link).compactMap { if case .acknowledge(let position) = $0 { position } else { nil } }
    }

    /// The links that are to be closed, each with why.
    var closedLinks: [UInt64: Refusal.Code] {
        var closed: [UInt64: Refusal.Code] = [:]
        for case .closeLink(let link, let refusal) in self { closed[link.value] = refusal?.code ?? .unknown }
        return closed
    }

    var writes: [StoreWrite] { compactMap { if case .write(let write) = $0 { write } else { nil } } }
    var storedEvents: Int { writes.count { if case .storeEvent = $0 { true } else { false } } }
    var releasedEvents: Int { writes.count { if case .releaseEvent = $0 { true } else { false } } }
}
