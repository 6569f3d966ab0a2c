internal import Cryptography
public import Federation
public import Vocabulary

struct SimulatedNode {
    let key: SigningKey
    var store: MemoryStore
    var core: Node?
    /// The core's, as of its last step: to ask it where it stands would copy it.
    var deadline: Instant?
    /// Counts starts: what was meant for an earlier life is not delivered to this one.
    var life = 0
    var wokenAt: Instant?
    /// In a row.
    var futileWakes = 0
    var wireOfLink: [LinkID: UInt64] = [:]
    var wireOfSession: [SessionID: UInt64] = [:]
    var disk = DiskState()
    var clockError = Duration.zero
    /// Gone for good.
    var isExpelled = false
    var id: NodeID { NodeID(raw: key.publicKey) }
}

extension World {
    static let certificateHash = Bytes32.zero

    public func nodeID(_ index: Int) -> NodeID { nodes[index].id }
    public func node(_ index: Int) -> Node? { nodes[index].core }
    public func store(_ index: Int) -> MemoryStore { nodes[index].store }
    public var nodeCount: Int { nodes.count }
    /// In a row, of one core.
    static let futileWakesMax = 10

    /// Users who have registered long ago, spread over the nodes: every node has their records, which are in memory once for all of them.
    /// For worlds that have run no further than their start; on no disk, so that a node that starts again asks the others for them.
    public mutating func populate(users count: Int) throws {
        guard let federation = nodes.first?.core?.federation else { return }
        var users = [[UserID]](repeating: [], count: nodes.count)
        var rows: [(key: [UInt8], value: [UInt8])] = []
        rows.reserveCapacity(count)
        for number in 0..<count {
            let home = number % nodes.count
            let record = try record("user-\(number)", at: nodes[home].key, of: federation)
            users[home].append(record.user)
            rows.append((record.user.bytes, record.signed.encoded()))
        }
        let directory = try Directory(node: nodes[0].id, federation: federation, records: rows)
        for index in nodes.indices { nodes[index].core?.share(directory, local: users[index]) }
    }

    private mutating func record(
        _ name: String, at node: SigningKey, of federation: FederationID
    ) throws -> (user: UserID, signed: SignedUserRecord) {
        let (identity, device) = (SigningKey(using: &random), DeviceID(raw: SigningKey(using: &random).publicKey))
        let (user, home, handle) = (UserID(raw: identity.publicKey), NodeID(raw: node.publicKey), try Handle(name))
        let certificate = identity.sign(DeviceCertificate.body(user: user, device: device), for: .deviceCertificate)
        let issued = node.sign(HandleCertificate.body(federation: federation, handle: handle, user: user), for: .handleCertificate)
        let body = UserRecord(
            federation: federation, user: user, handle: handle, issuer: home, handleCertificate: issued, home: home,
            devices: [DeviceEntry(device: device, certificate: certificate, extensions: [])], version: 1, previous: .zero,
            published: wall.seconds
        ).encoded()
        return (
            user,
            SignedUserRecord(
                body: body, userSignature: identity.sign(body, for: .userRecord), homeSignature: node.sign(body, for: .homeConsent))
        )
    }

    mutating func start(node index: Int) throws {
        guard nodes[index].core == nil else { return }
        let store = nodes[index].store
        spoil(store, of: index)
        let rows = try NodeRows(
            values: { table throws(StoreError) in try store.values(table) }, highestPosition: try store.highestPosition())
        var core = try Node(
            key: nodes[index].key, software: "simulated", certificateHash: Self.certificateHash, rows: rows, at: now,
            wall: wall(node: index))
        // Groups are small here, and shall be large ones all the same.
        core.logReadersMin = 2
        let destinations = core.destinations
        for destination in destinations { core.restore(destination, outline: try store.outline(destination)) }
        try store.dropQueues(except: destinations)
        nodes[index].core = core
        nodes[index].life += 1
        nodes[index].wokenAt = nil
        try turn(node: index, .clockRead(wall(node: index)))
        if nodes[index].disk.isFull, nodes[index].core != nil {
            nodes[index].disk.isToldFull = true
            try turn(node: index, .spaceChanged(isLow: true))
        }
        try turn(node: index, .listening(clients: Self.endpoint(index), peers: Self.endpoint(index)))
    }

    /// SIGKILL: what was not committed never happened; the kernel closes the connections.
    public mutating func kill(node index: Int, for down: Duration) { kill(node: index, for: down, isTorn: true) }

    mutating func kill(node index: Int, for down: Duration, isTorn: Bool) {
        guard nodes[index].core != nil else { return }
        nodes[index].core = nil
        nodes[index].store.crash(isTorn: isTorn)
        nodes[index].disk.forget()
        nodes[index].life += 1
        nodes[index].wireOfLink = [:]
        nodes[index].wireOfSession = [:]
        closeWires { end in
            switch end {
            case .node(index, _), .session(index, _): true
            default: false
            }
        }
        agenda.add(.restartNode(index), at: now + down)
    }

    /// Puts an old copy of a node's store in place of the one on disk.
    ///
    /// - Parameter isMarked: as `posthouse backup restore` does it; else as somebody who copies files, or lies.
    public mutating func restore(_ copy: MemoryStore, node index: Int, isMarked: Bool = true) throws {
        kill(node: index, for: .milliseconds(10))
        let store = copy.copy()
        if isMarked { try store.markRestored(at: wall) }
        nodes[index].store = store
    }

    mutating func wake(node index: Int) throws {
        // An earlier one took its place, and has armed anew since.
        guard nodes[index].wokenAt == now else { return }
        nodes[index].wokenAt = nil
        guard nodes[index].core != nil, let deadline = nodes[index].deadline else { return }
        guard deadline <= now else { return arm(node: index) }
        try turn(node: index, .deadlineReached)
        let isOverdue = nodes[index].core != nil && nodes[index].deadline.map { $0 <= now } ?? false
        nodes[index].futileWakes = isOverdue ? nodes[index].futileWakes + 1 : 0
        noteFutile(nodes[index].futileWakes, of: "node\(index)")
    }

    /// A core whose deadline stays in the past after it was stepped for it keeps its thread busy for nothing.
    mutating func noteFutile(_ wakes: Int, of name: String) {
        guard wakes == Self.futileWakesMax + 1 else { return }
        recorder?.note(.gauge("wakes for nothing", value: Int64(wakes), bound: Int64(Self.futileWakesMax)), of: name, at: now)
    }

    private mutating func arm(node index: Int) {
        guard nodes[index].core != nil, let deadline = nodes[index].deadline else { return }
        // Never at once: what is overdue comes round after a moment, as it does in a thread.
        let time = max(deadline, now + .microseconds(100))
        if let woken = nodes[index].wokenAt, woken <= time { return }
        nodes[index].wokenAt = time
        agenda.add(.wakeNode(index, life: nodes[index].life), at: time)
    }

    /// As the writer does it: step, commit, then release.
    mutating func turn(node index: Int, _ input: NodeInput) throws {
        // Taken out, here and below, so that there is one of it.
        guard var core = nodes[index].core.take() else { return }
        let needs = core.rowsNeeded(for: input)
        if !needs.isEmpty {
            // What is read must be all that was written.
            nodes[index].core = core
            try commitNow(node: index)
            guard let same = nodes[index].core.take() else { return }
            core = same
        }
        record(input, at: index)
        let store = nodes[index].store
        var effects = core.step(.clockRead(wall(node: index)), at: now, using: &random)
        for needed in needs {
            guard let rows = try store.rows(needed, hub: core.id) else { continue }
            effects += core.step(.loaded(rows), at: now, using: &random)
        }
        effects += core.step(input, at: now, using: &random)
        effects += core.step(.batchEnded, at: now, using: &random)
        nodes[index].deadline = core.nextDeadline
        nodes[index].core = core
        switch input {
        case .linkClosed(let link): nodes[index].wireOfLink[link] = nil
        case .sessionClosed(let session): nodes[index].wireOfSession[session] = nil
        default: break
        }
        try commit(effects, of: index)
        arm(node: index)
    }

    mutating func perform(_ effect: NodeEffect, of index: Int) throws {
        switch effect {
        case .write, .note, .expelled, .answer: break
        case .sendSession(let session, let frame):
            guard let wire = nodes[index].wireOfSession[session], case .device(let device)? = wires[wire]?.ends[1] else { return }
            if answersRenewal(frame) { return }
            for frame in spoiled(lie?(device, frame) ?? [frame], from: index, to: device) {
                agenda.add(.device(device, life: devices[device].life, wire: wire, .received(frame)), at: arrival(on: wire, at: 1))
            }
        case .closeSession(let session, let refusal):
            guard let wire = nodes[index].wireOfSession[session], case .device(let device)? = wires[wire]?.ends[1] else { return }
            if let refusal {
                agenda.add(
                    .device(device, life: devices[device].life, wire: wire, .received(.goodbye(refusal))), at: arrival(on: wire, at: 1))
            }
            close(wire: wire, by: .session(index, session))
        case .sendLink(let link, let frame):
            for frame in spoiled(frame, from: index, to: peer(of: index, link)) { send(frame, from: index, link) }
        case .closeLink(let link, let refusal):
            guard let wire = nodes[index].wireOfLink[link] else { return }
            if let refusal { send(.goodbye(refusal), from: index, link) }
            close(wire: wire, by: .node(index, link))
        case .dial(let peer, let endpoints): dial(peer, endpoints, from: index)
        case .load(let needed):
            guard let rows = try nodes[index].store.rows(needed, hub: nodes[index].id) else { return }
            agenda.add(.node(index, life: nodes[index].life, .loaded(rows)), at: now + .microseconds(50))
        case .page(let order):
            let entries = try nodes[index].store.page(
                order.destination, after: order.after, limit: order.entriesMax, bytesMax: order.bytesMax)
            agenda.add(.node(index, life: nodes[index].life, .paged(order, entries)), at: now + .microseconds(50))
        }
    }

    /// The far end of a link.
    private func far(_ index: Int, _ link: LinkID) -> (wire: UInt64, end: Int, node: Int, link: LinkID)? {
        guard let wire = nodes[index].wireOfLink[link], let ends = wires[wire]?.ends else { return nil }
        let other = ends[0] == .node(index, link) ? 1 : 0
        guard case .node(let peer, let peerLink) = ends[other] else { return nil }
        return (wire, other, peer, peerLink)
    }

    private func peer(of index: Int, _ link: LinkID) -> Int? { far(index, link)?.node }

    mutating func send(_ frame: LinkFrame, from index: Int, _ link: LinkID) {
        guard let far = far(index, link) else { return }
        agenda.add(.node(far.node, life: nodes[far.node].life, .linkFrame(far.link, frame)), at: arrival(on: far.wire, at: far.end))
    }

    private mutating func dial(_ peer: NodeID, _ endpoints: [Endpoint], from index: Int) {
        let life = nodes[index].life
        guard let endpoint = endpoints.first, let other = Self.index(of: endpoint), other < nodes.count, nodes[other].core != nil,
            nodes[other].id == peer
        else { return agenda.add(.node(index, life: life, .dialFailed(peer)), at: now + .milliseconds(1)) }
        guard !isBlocked(index, other) else { return agenda.add(.node(index, life: life, .dialFailed(peer)), at: now + .seconds(3)) }
        let wire = nextWire
        nextWire += 1
        let (mine, its) = (LinkID(wire * 2), LinkID(wire * 2 + 1))
        wires[wire] = Wire(ends: [.node(index, mine), .node(other, its)])
        nodes[index].wireOfLink[mine] = wire
        nodes[other].wireOfLink[its] = wire
        agenda.add(.node(index, life: life, .linkOpened(mine, peer: peer, dialled: true)), at: arrival(on: wire, at: 0))
        agenda.add(
            .node(other, life: nodes[other].life, .linkOpened(its, peer: nodes[index].id, dialled: false)), at: arrival(on: wire, at: 1))
    }
}
