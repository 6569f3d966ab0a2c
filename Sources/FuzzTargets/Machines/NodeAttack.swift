internal import Cryptography
internal import Federation
internal import Simulation
internal import Vocabulary
internal import Wire

/// One script against one copy of the node. As its shell would, it commits what the node writes and reads back what the node asks for.
struct NodeAttack {
    private let scene: HonestWorld
    private let forger: Forger
    private let store: MemoryStore
    private var node: Node
    private var now: Instant
    private var random: SeededGenerator
    private var sessions: [Int: SessionID] = [:]
    private var link: LinkID?
    private var newcomer: (session: SessionID, nonce: Bytes32?)?
    private var stranger: LinkID?
    private var nextID: UInt64 = 1_000_000
    private var position: UInt64 = 10_000
    private var hasWritten = false
    /// Frames that decoded.
    private(set) var understood = 0

    init(_ scene: HonestWorld, _ forger: Forger) {
        (self.scene, self.forger, node, store) = (scene, forger, scene.hub, scene.store.copy())
        (now, random) = (scene.world.now, scene.random)
        for user in [0, 2, 4] { sessions[user] = scene.world.session(of: user) }
        link = scene.world.link(from: 0, to: 1)
    }

    mutating func perform(_ step: Script.Step) throws(Finding) {
        let (index, isForged) = (Int(step.kind & 0x7f) % NodeTarget.Kind.allCases.count, step.kind & 0x80 != 0)
        switch NodeTarget.Kind.allCases[index] {
        case .owner: try say(step.bytes, as: 0, isForged)
        case .member: try say(step.bytes, as: 2, isForged)
        case .peer: try linkSays(step.bytes, isForged)
        case .newcomer: try newcomerSays(step.bytes, isForged)
        case .stranger: try strangerSays(step.bytes)
        case .time: try pass(step.bytes)
        case .again: try renew(step.bytes.first ?? 0)
        }
    }

    // MARK: Who speaks

    private mutating func say(_ bytes: [UInt8], as user: Int, _ isForged: Bool) throws(Finding) {
        guard let session = sessions[user], var frame = try? ClientFrame(serialized: bytes) else { return }
        understood += 1
        if isForged { frame = forger.clientFrame(frame, of: scene.account(user).entry) }
        try turn(.sessionFrame(session, frame))
    }

    private mutating func linkSays(_ bytes: [UInt8], _ isForged: Bool) throws(Finding) {
        guard let link, var frame = try? LinkFrame(serialized: bytes) else { return }
        understood += 1
        if isForged {
            position += 1
            frame = forger.linkFrame(
                frame, next: QueuePosition(unchecked: position), federation: scene.federation, sender: scene.account(1).entry)
        }
        try turn(.linkFrame(link, frame))
    }

    private mutating func newcomerSays(_ bytes: [UInt8], _ isForged: Bool) throws(Finding) {
        guard var frame = try? ClientFrame(serialized: bytes) else { return }
        understood += 1
        let session = newcomer?.session ?? SessionID(fresh())
        if newcomer == nil {
            newcomer = (session, nil)
            try turn(.sessionOpened(session))
        }
        // With the right proof, of a device that has another session.
        if isForged, case .authenticate = frame, let nonce = newcomer?.nonce { frame = authentication(of: 2, nonce) }
        let effects = try turn(.sessionFrame(session, frame))
        for case .sendSession(session, .welcome(_, _, _, let nonce, _, _)) in effects { newcomer?.nonce = nonce }
    }

    private mutating func strangerSays(_ bytes: [UInt8]) throws(Finding) {
        guard let frame = try? LinkFrame(serialized: bytes) else { return }
        understood += 1
        let link = stranger ?? LinkID(fresh())
        if stranger == nil {
            stranger = link
            try turn(.linkOpened(link, peer: NodeID(raw: SigningKey(using: &random).publicKey), dialled: false))
        }
        try turn(.linkFrame(link, frame))
    }

    private func authentication(of user: Int, _ nonce: Bytes32) -> ClientFrame {
        let account = scene.account(user)
        let body = SessionProof.device(
            node: node.id, clientNonce: .zero, nodeNonce: nonce, user: account.userID, device: account.deviceID)
        return .authenticate(
            Authentication(user: account.userID, device: account.deviceID, signature: account.device.sign(body, for: .session)))
    }

    /// From a millisecond to some weeks.
    private mutating func pass(_ bytes: [UInt8]) throws(Finding) {
        let (mantissa, exponent) = (Int64(bytes.first ?? 1), Int64(bytes.dropFirst().first ?? 0) % 24)
        now = now + .milliseconds(mantissa << exponent)
        // Clients that mean well keep their session; so the judge's does.
        if let session = sessions[4] { try turn(.sessionFrame(session, .ping(1))) }
        try turn(.deadlineReached)
    }

    private mutating func renew(_ choice: UInt8) throws(Finding) {
        switch choice % 3 {
        case 2:
            if let link { try turn(.linkClosed(link)) }
            let new = LinkID(fresh())
            link = new
            try turn(.linkOpened(new, peer: NodeID(raw: scene.world.key(ofNode: 1).publicKey), dialled: choice & 4 != 0))
            try turn(.linkFrame(new, .hello(versions: .current, federation: scene.federation, readThrough: 0, statements: .zero)))
        default:
            let user = choice % 3 == 0 ? 0 : 2
            if let old = sessions[user] { try turn(.sessionClosed(old)) }
            try signIn(user)
        }
    }

    private mutating func signIn(_ user: Int) throws(Finding) {
        let session = SessionID(fresh())
        sessions[user] = session
        try turn(.sessionOpened(session))
        let effects = try turn(.sessionFrame(session, .hello(versions: .current, nonce: .zero)))
        for case .sendSession(session, .welcome(_, _, _, let nonce, _, _)) in effects {
            try turn(.sessionFrame(session, authentication(of: user, nonce)))
        }
    }

    private mutating func fresh() -> UInt64 {
        nextID += 1
        return nextID
    }

    // MARK: As the shell does it

    @discardableResult
    private mutating func turn(_ input: NodeInput, depth: Int = 0) throws(Finding) -> [NodeEffect] {
        var effects = node.step(.clockRead(scene.wall + (now - scene.world.now)), at: now, using: &random)
        for needed in node.rowsNeeded(for: input) {
            if let rows = try? store.rows(needed, hub: node.id) { effects += node.step(.loaded(rows), at: now, using: &random) }
        }
        effects += node.step(input, at: now, using: &random)
        effects += node.step(.batchEnded, at: now, using: &random)
        let writes = effects.compactMap { if case .write(let write) = $0 { write } else { nil } }
        hasWritten = hasWritten || !writes.isEmpty
        try? store.commit(writes)
        var answers: [NodeInput] = []
        for effect in effects {
            switch effect {
            case .sendSession(_, let frame): try frame.checkCarried()
            case .sendLink(_, let frame): try frame.checkCarried()
            case .closeSession(let session, _): answers.append(.sessionClosed(session))
            case .closeLink(let link, _): answers.append(.linkClosed(link))
            case .page(let order):
                let page = try? store.page(order.destination, after: order.after, limit: order.entriesMax, bytesMax: order.bytesMax)
                answers.append(.paged(order, page ?? []))
            case .load(let needed): if let rows = try? store.rows(needed, hub: node.id) { answers.append(.loaded(rows)) }
            case .note(.corruptRow(let table)): throw Finding("the node wrote a row of \(table) that it cannot read")
            case .write, .dial, .answer, .expelled, .note: break
            }
        }
        forgetClosed(answers)
        try promise(depth < 200, "the node asks its disk for ever")
        for answer in answers { effects += try turn(answer, depth: depth + 1) }
        return effects
    }

    private mutating func forgetClosed(_ answers: [NodeInput]) {
        for answer in answers {
            switch answer {
            case .sessionClosed(let session):
                sessions = sessions.filter { $0.value != session }
                if newcomer?.session == session { newcomer = nil }
            case .linkClosed(let closed):
                if link == closed { link = nil }
                if stranger == closed { stranger = nil }
            default: break
            }
        }
    }

    // MARK: What must hold afterwards

    /// Others are served, the node is not busy with itself, and what it wrote is a store that it starts from.
    mutating func finish() throws(Finding) {
        if sessions[4] == nil { try signIn(4) }
        guard let session = sessions[4] else { throw Finding("somebody who did nothing cannot sign in") }
        let answers = try turn(.sessionFrame(session, .ping(42)))
        let isServed = answers.contains { if case .sendSession(session, .pong(42)) = $0 { true } else { false } }
        try promise(isServed, "somebody who did nothing is not answered")
        var rounds = 0
        while let deadline = node.nextDeadline, deadline <= now {
            try turn(.deadlineReached)
            rounds += 1
            try promise(rounds < 20, "the node's deadline stays in the past")
        }
        if hasWritten { try restart() }
    }

    private mutating func restart() throws(Finding) {
        do {
            let store = store
            let rows = try NodeRows(
                values: { table throws(StoreError) in try store.values(table) }, highestPosition: try store.highestPosition())
            node = try scene.node(from: rows)
            let destinations = node.destinations
            for destination in destinations { node.restore(destination, outline: try store.outline(destination)) }
            try store.dropQueues(except: destinations)
            for id in rows.conversations.compactMap({ ConversationID($0) }) {
                if let loaded = try store.rows(.conversation(id), hub: node.id) { try turn(.loaded(loaded)) }
            }
        } catch {
            throw (error as? Finding) ?? Finding("the node does not start from what it wrote: \(error)")
        }
        try turn(.deadlineReached)
    }
}
