internal import Cryptography
public import Federation
public import Vocabulary

struct SimulatedNode {
    let key: SigningKey
    var store: MemoryStore
    var core: Node?
    /// Counts starts: what was meant for an earlier life is not delivered to this one.
    var life = 0
    var wokenAt: Instant?
    var wireOfLink: [LinkID: UInt64] = [:]
    var wireOfSession: [SessionID: UInt64] = [:]
    var id: NodeID { NodeID(raw: key.publicKey) }
}

extension World {
    static let certificateHash = Bytes32.zero

    public func nodeID(_ index: Int) -> NodeID { nodes[index].id }
    public func node(_ index: Int) -> Node? { nodes[index].core }
    public func store(_ index: Int) -> MemoryStore { nodes[index].store }

    mutating func start(node index: Int) throws {
        guard nodes[index].core == nil else { return }
        let store = nodes[index].store
        let rows = try NodeRows(
            values: { table throws(StoreError) in try store.values(table) }, highestPosition: try store.highestPosition())
        var core = try Node(
            key: nodes[index].key, software: "simulated", certificateHash: Self.certificateHash, rows: rows, at: now, wall: wall)
        for destination in core.destinations { core.restore(destination, outline: try store.outline(destination)) }
        nodes[index].core = core
        nodes[index].life += 1
        nodes[index].wokenAt = nil
        try turn(node: index, .clockRead(wall))
        try turn(node: index, .listening(clients: Self.endpoint(index), peers: Self.endpoint(index)))
    }

    /// SIGKILL: what was not committed never happened; the kernel closes the connections.
    public mutating func kill(node index: Int, for down: Duration) {
        guard nodes[index].core != nil else { return }
        nodes[index].core = nil
        nodes[index].store.crash()
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
        nodes[index].wokenAt = nil
        guard let deadline = nodes[index].core?.nextDeadline else { return }
        if deadline <= now { try turn(node: index, .deadlineReached) } else { arm(node: index) }
    }

    private mutating func arm(node index: Int) {
        guard let deadline = nodes[index].core?.nextDeadline else { return }
        // Never at once: what is overdue comes round after a moment, as it does in a thread.
        let time = max(deadline, now + .microseconds(100))
        if let woken = nodes[index].wokenAt, woken <= time { return }
        nodes[index].wokenAt = time
        agenda.add(.wakeNode(index, life: nodes[index].life), at: time)
    }

    /// As the writer does it: step, commit, then release.
    mutating func turn(node index: Int, _ input: NodeInput) throws {
        guard var core = nodes[index].core else { return }
        nodes[index].core = nil
        let store = nodes[index].store
        var effects = core.step(.clockRead(wall), at: now, using: &random)
        for needed in core.rowsNeeded(for: input) {
            guard let rows = try store.rows(needed, hub: core.id) else { continue }
            effects += core.step(.loaded(rows), at: now, using: &random)
        }
        effects += core.step(input, at: now, using: &random)
        effects += core.step(.batchEnded, at: now, using: &random)
        nodes[index].core = core
        let writes = effects.compactMap { if case .write(let write) = $0 { write } else { nil } }
        if !writes.isEmpty { try store.commit(writes) }
        for effect in effects { try perform(effect, of: index) }
        switch input {
        case .linkClosed(let link): nodes[index].wireOfLink[link] = nil
        case .sessionClosed(let session): nodes[index].wireOfSession[session] = nil
        default: break
        }
        arm(node: index)
    }

    private mutating func perform(_ effect: NodeEffect, of index: Int) throws {
        switch effect {
        case .write, .note, .expelled, .answer: break
        case .sendSession(let session, let frame):
            guard let wire = nodes[index].wireOfSession[session], case .device(let device)? = wires[wire]?.ends[1] else { return }
            for frame in lie?(device, frame) ?? [frame] {
                agenda.add(.device(device, life: devices[device].life, .received(frame)), at: arrival(on: wire, at: 1))
            }
        case .closeSession(let session, let refusal):
            guard let wire = nodes[index].wireOfSession[session], case .device(let device)? = wires[wire]?.ends[1] else { return }
            if let refusal {
                agenda.add(.device(device, life: devices[device].life, .received(.goodbye(refusal))), at: arrival(on: wire, at: 1))
            }
            close(wire: wire)
        case .sendLink(let link, let frame): send(.linkFrame(link, frame), from: index, link)
        case .closeLink(let link, let refusal):
            guard let wire = nodes[index].wireOfLink[link] else { return }
            if let refusal { send(.linkFrame(link, .goodbye(refusal)), from: index, link) }
            close(wire: wire)
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

    private mutating func send(_ input: NodeInput, from index: Int, _ link: LinkID) {
        guard case .linkFrame(_, let frame) = input, let wire = nodes[index].wireOfLink[link], let ends = wires[wire]?.ends else { return }
        let other = ends[0] == .node(index, link) ? 1 : 0
        guard case .node(let peer, let peerLink) = ends[other] else { return }
        agenda.add(.node(peer, life: nodes[peer].life, .linkFrame(peerLink, frame)), at: arrival(on: wire, at: other))
    }

    private mutating func dial(_ peer: NodeID, _ endpoints: [Endpoint], from index: Int) {
        let life = nodes[index].life
        let time = now + .milliseconds(1)
        guard let endpoint = endpoints.first, let other = Self.index(of: endpoint), other < nodes.count, nodes[other].core != nil,
            nodes[other].id == peer
        else { return agenda.add(.node(index, life: life, .dialFailed(peer)), at: time) }
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
