internal import ClientCore
internal import Cryptography
internal import Federation
internal import Groups
internal import MLS
internal import Simulation
internal import Vocabulary

/// Two nodes and five users who have done most of what there is to do: whatever they said is where fuzzing begins, and the state they are in
/// is what is attacked.
///
/// Unchecked: made once and only read; whoever goes on from it copies core and store.
struct HonestWorld: @unchecked Sendable {
    enum Failure: Error { case notJoined, noConversation, noTicket, noSession }

    let world: World
    let tape: Tape
    /// Of the group that the first four are in; node 0 is its hub.
    let key: ConversationKey
    let federation: FederationID
    /// The hub, with a ticket for a new node and an invitation for a new user open.
    let hub: Node
    let store: MemoryStore
    let ticket: String
    let invitation: InvitationLink
    /// Items of users' outboxes, of a time when their node was away.
    let outbox: [OutboxItem]
    let random = SeededGenerator(seed: 99)

    private static let made = Result { try HonestWorld() }
    static func shared() throws -> HonestWorld { try made.get() }

    /// Users 0, 2 and 4 live at node 0, the others at node 1. User 4 is in no conversation.
    static let users = 5

    private init() throws {
        var world = try World(nodes: 2, seed: 7)
        world.tape = Tape()
        let users = try (0..<Self.users).map { try world.addUser("user\($0)", at: $0 % 2) }
        let areIn = try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(60))
        guard areIn else { throw Failure.notJoined }
        let addresses = users.compactMap { world.address($0) }
        guard addresses.count == users.count else { throw Failure.notJoined }
        world.tell(.groupRequested(ClientCore.Ticket(1), .create(name: "crew", members: Array(addresses[1...3]))), to: 0)
        try world.run(for: .seconds(20))
        guard let group = world.profile(0).conversations.values.first(where: { !$0.profile.isDirect }) else { throw Failure.noConversation }
        let id = group.id

        for user in 0...3 { _ = world.send("hello from \(user)", from: user, to: id) }
        _ = world.send("between us", from: 0, to: addresses[1])
        _ = world.send("and back", from: 1, to: addresses[0])
        try world.run(for: .seconds(20))
        world.tell(.presenceWanted([addresses[0], addresses[2]]), to: 1)
        world.tell(.typing(id, true), to: 0)
        world.tell(.typing(id, false), to: 0)
        world.tell(.groupRequested(ClientCore.Ticket(2), .rename(id, "crew and guests")), to: 0)
        world.tell(.groupRequested(ClientCore.Ticket(3), .role(id, addresses[1], .admin)), to: 0)
        world.tell(.settingsChanged(sendsReadReceipts: nil, sharesLastSeen: false), to: 2)
        world.tell(.contactRequested(ClientCore.Ticket(4), addresses[3]), to: 2)
        try world.run(for: .seconds(20))
        world.tell(.groupRequested(ClientCore.Ticket(5), .leave(id)), to: 3)
        world.tell(.contactDecided(addresses[3], .block(true)), to: 2)
        try world.run(for: .seconds(20))
        // A node is away, so that devices and the other node hold what is meant for it; a device too.
        world.kill(node: 0, for: .seconds(5))
        _ = world.send("while the node is away", from: 2, to: id)
        _ = world.send("from the other node", from: 1, to: id)
        outbox = [2, 1].flatMap { world.profile($0).outbox.values.sorted { $0.order < $1.order } }
        try world.run(for: .seconds(30))
        world.kill(device: 1, for: .seconds(10))
        _ = world.send("what waits for a device", from: 0, to: id)
        try world.run(for: .seconds(30))

        guard var hub = world.node(0), world.session(of: 0) != nil, world.link(from: 0, to: 1) != nil else { throw Failure.noSession }
        (tape, key) = (world.tape ?? Tape(), group.key)
        store = world.store(0).copy()
        guard let federation = world.profile(0).account.grant?.federation else { throw Failure.notJoined }
        self.federation = federation
        var random = self.random
        let expires = Timestamp(milliseconds: Int64(world.seconds) * 1000) + .days(1)
        let requests: [AdminRequest] = [
            .inviteNode(name: try NodeName("tower"), expires: expires, isAdmin: false), .createInvitation(uses: 3, expires: expires),
        ]
        var (ticket, invitation): (String?, InvitationLink?)
        for request in requests {
            let effects =
                hub.step(.admin(RequestID(1), request), at: world.now, using: &random)
                + hub.step(.batchEnded, at: world.now, using: &random)
            try store.commit(effects.compactMap { if case .write(let write) = $0 { write } else { nil } })
            for case .answer(_, .success(let answer)) in effects {
                if case .ticket(let text) = answer { ticket = text }
                if case .invitation(let text) = answer { invitation = InvitationLink(text) }
            }
        }
        guard let ticket, let invitation else { throw Failure.noTicket }
        (self.world, self.hub, self.ticket, self.invitation) = (world, hub, ticket, invitation)
    }

    var wall: Timestamp { Timestamp(milliseconds: Int64(world.seconds) * 1000) }
    var profiles: [SimulatedProfile] { (0..<Self.users).map { world.profile($0) } }

    func account(_ user: Int) -> Account { world.profile(user).account }

    /// A node over these rows, as after a restart.
    func node(from rows: NodeRows) throws -> Node {
        try Node(
            key: world.key(ofNode: 0), software: "fuzzed", certificateHash: .zero, rows: rows, at: world.now, wall: wall)
    }
}

// MARK: What is stored, for the targets that read it

extension HonestWorld {
    var records: [SignedUserRecord] {
        world.store(0).values[.userRecord, default: [:]].sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .compactMap { try? PackedRecord(row: $0.value, key: $0.key, in: federation).signed(in: federation) }
    }

    var statements: [SignedStatement] {
        world.store(0).values[.statement, default: [:]].sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .compactMap { try? SignedStatement(decoding: $0.value) }
    }

    var groups: [StoredGroup] {
        (0...1).compactMap { try? world.profile($0).snapshot().groups[key.conversation] }
    }

    var keyPackages: [[UInt8]] { Array(((try? world.profile(0).snapshot().keyPackages) ?? []).prefix(3)) }
    var keyPackageRow: [UInt8]? { world.store(0).values[.keyPackages]?.sorted { $0.key.lexicographicallyPrecedes($1.key) }.first?.value }

    /// An event of the tape as a node would store it.
    var storedEvent: [UInt8]? {
        for case .entry(_, .event(let envelope)) in tape.nodeFrames.map(\.frame) {
            return StoredEvent(expires: 1_000_000, envelope: envelope).encoded()
        }
        return nil
    }

    /// Contents of queue entries, of nodes and of devices by turns.
    var queued: [[UInt8]] {
        var ofNodes: [[UInt8]] = []
        for case .entry(_, let item) in tape.linkFrames.map(\.frame) { ofNodes.append(item.stored.content) }
        var ofDevices: [[UInt8]] = []
        for case .entry(_, let item) in tape.nodeFrames.map(\.frame) { ofDevices.append(item.stored.content) }
        return zip(ofNodes, ofDevices).flatMap { [$0, $1] }
    }

    /// A write of each kind, as a node makes them.
    var writes: [StoreWrite] {
        var writes: [StoreWrite] = []
        for (table, rows) in world.store(0).values.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            for (key, value) in rows.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }).prefix(2) {
                writes += [.put(table, key: key, value: value), .remove(table, key: key)]
            }
        }
        let node = Destination.node(NodeID(raw: world.key(ofNode: 1).publicKey))
        let device = Destination.device(account(0).deviceID)
        let event = EventKey(conversation: key, number: 3, part: 1)
        writes += [
            .storeEvent(event, bytes: storedEvent ?? [], held: true), .storeEvent(event, bytes: [1], held: false), .releaseEvent(event),
            .enqueue(QueueEntry(position: 9, destination: device, content: [2], event: event)),
            .enqueue(QueueEntry(position: 10, destination: node, content: [3, 4], event: nil)), .dequeue(node, through: 10),
            .withdraw(device, 9),
        ]
        return writes
    }
}
