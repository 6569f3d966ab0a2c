internal import ClientCore
internal import Cryptography
internal import Groups
internal import MLS
internal import Simulation
internal import Vocabulary
internal import Wire

/// One script against one copy of the device, which writes to a profile as it does to its store.
struct DeviceAttack {
    private let scene: HonestWorld
    private let forger: Forger
    private var device: Device
    private var profile: SimulatedProfile
    private var insider: Group
    private var now: Instant
    private var random: SeededGenerator
    private var position: UInt64 = 10_000
    /// The last question that the device has asked.
    private var request: RequestID?
    /// Its last hello, and that it waits for a connection.
    private var nonce: Bytes32?
    private var isConnecting = false
    private var wantsToProve = false
    private(set) var understood = 0

    init(_ scene: HonestWorld, _ forger: Forger, _ device: Device, insider: Group) {
        (self.scene, self.forger, self.device, self.insider) = (scene, forger, device, insider)
        profile = scene.world.profile(DeviceTarget.victim)
        (now, random) = (scene.world.now, scene.random)
    }

    private var wall: Timestamp { scene.wall + (now - scene.world.now) }
    private var host: GroupHost { GroupHost(now: wall.seconds, refusal: { MemberLeaf.refusal($0) }) }

    mutating func perform(_ step: Script.Step) throws(Finding) {
        let bytes = step.bytes
        switch DeviceTarget.Kind.allCases[Int(step.kind) % DeviceTarget.Kind.allCases.count] {
        case .says: if let frame = decoded(bytes) { try turn(.received(frame)) }
        case .lies: if let frame = decoded(bytes) { try turn(.received(mended(forger.nodeFrame(frame, answering: request)))) }
        case .sends: try send(bytes)
        case .commits: try commit(bytes)
        case .time:
            now = now + .milliseconds(Int64(bytes.first ?? 1) << (Int64(bytes.dropFirst().first ?? 0) % 24))
            try turn(.deadlineReached)
        case .again: try reconnect(order: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
        case .acts: try act(bytes)
        }
    }

    private mutating func decoded(_ bytes: [UInt8]) -> NodeFrame? {
        guard let frame = try? NodeFrame(serialized: bytes) else { return nil }
        understood += 1
        return frame
    }

    // MARK: The hub's part: what comes next, and where the chain is then

    private mutating func mended(_ frame: NodeFrame) -> NodeFrame {
        guard case .entry(_, let item) = frame else { return frame }
        position += 1
        let position = QueuePosition(unchecked: position)
        switch item {
        case .event(let envelope):
            let next = numbered(envelope.sender, envelope.message, envelope.kind, envelope.epoch, envelope.payload, envelope.key)
            return .entry(position, .event(next))
        case .accepted(let acceptance):
            guard let one = profile.conversations[acceptance.key.conversation] else { return frame }
            return .entry(
                position,
                .accepted(Acceptance(key: one.key, number: one.head.next, message: acceptance.message, chain: acceptance.chain)))
        case .failed, .watermark, .welcome, .mark: return .entry(position, item)
        }
    }

    private func numbered(
        _ sender: RosterEntry, _ message: MessageID, _ kind: EventKind, _ epoch: Epoch, _ payload: [UInt8], _ key: ConversationKey
    ) -> Envelope {
        let one = profile.conversations[key.conversation]
        let number = (one?.head ?? .zero).next
        let chain = Chain.next(
            after: one?.chain ?? .zero, number: number, sender: sender, message: message, kind: kind, epoch: epoch, payload: payload)
        return Envelope(
            key: key, number: number, sender: sender, message: message, kind: kind, epoch: epoch, payload: payload, chain: chain)
    }

    // MARK: The insider's part

    private mutating func send(_ bytes: [UInt8]) throws(Finding) {
        let key = Bytes32(bytes.dropFirst(2).prefix(32)) ?? .zero
        let (binding, message) = binding(franking: Content.franking(of: bytes, key: key))
        let epoch = Epoch(unchecked: insider.epoch)
        guard let sealed = try? insider.seal(bytes, authenticatedData: binding, using: &random) else { return }
        understood += 1
        try arrive(.application, epoch, sealed, message)
    }

    private mutating func commit(_ bytes: [UInt8]) throws(Finding) {
        let (binding, message) = binding(franking: .zero)
        let epoch = Epoch(unchecked: insider.epoch)
        let requirement = RequiredCapabilities(extensions: [MemberLeaf.certificateType, GroupProfile.type])
        var plan = CommitPlan([
            .groupContextExtensions([.requiring(requirement), MLSExtension(type: GroupProfile.type, data: bytes)])
        ])
        plan.authenticatedData = binding
        plan.includesTree = false
        guard let pending = try? insider.commit(plan, host: host, using: &random), (try? insider.merge(pending, host: host)) != nil else {
            return
        }
        understood += 1
        try arrive(.commit, epoch, pending.message, message)
    }

    private mutating func binding(franking: Digest) -> (bytes: [UInt8], message: MessageID) {
        let one = profile.conversations[scene.key.conversation]
        let message = MessageID.random(using: &random)
        let binding = MessageBinding(message: message, head: one?.head ?? .zero, chain: one?.chain ?? .zero, franking: franking)
        return (binding.encoded(), message)
    }

    private mutating func arrive(_ kind: EventKind, _ epoch: Epoch, _ payload: [UInt8], _ message: MessageID) throws(Finding) {
        position += 1
        let envelope = numbered(scene.account(0).entry, message, kind, epoch, payload, scene.key)
        try turn(.received(.entry(QueuePosition(unchecked: position), .event(envelope))))
    }

    // MARK: The connection

    private mutating func reconnect(order: UInt64) throws(Finding) {
        (nonce, wantsToProve) = (nil, false)
        try turn(.connectionLost("cut"))
        // Longer than any pause before the next try.
        now = now + .minutes(10)
        try turn(.deadlineReached)
        guard isConnecting else { return }
        isConnecting = false
        try turn(.connected(certificateHash: .zero))
        guard let nonce else { return }
        let home = scene.world.key(ofNode: 1)
        let proof = SessionProof.node(clientNonce: nonce, nodeNonce: .zero, certificateHash: .zero)
        try turn(
            .received(
                .welcome(
                    version: 1, node: NodeID(raw: home.publicKey), federation: scene.federation, nonce: .zero, certificateHash: .zero,
                    signature: home.sign(proof, for: .nodeSession))))
        guard wantsToProve else { return }
        try turn(.received(.ready(waiting: 0, order: min(order, counterMax), restored: 0)))
        try turn(.received(.caughtUp))
    }

    // MARK: The user

    private mutating func act(_ bytes: [UInt8]) throws(Finding) {
        let (choice, detail) = (bytes.first ?? 0, bytes.dropFirst().first ?? 0)
        let id = scene.key.conversation
        guard let address = scene.account(Int(detail) % HonestWorld.users).address else { return }
        let text = String(decoding: bytes.dropFirst(2), as: UTF8.self)
        func outgoing(_ target: Target) -> Device.Input {
            .sendRequested(OutgoingText(message: .random(using: &random), target: target, text: text, sent: wall))
        }
        let ticket = ClientCore.Ticket(100 + UInt64(choice))
        let input: Device.Input
        switch choice % 12 {
        case 0: input = outgoing(.group(id))
        case 1: input = outgoing(.address(address))
        case 2: input = .contactRequested(ticket, address)
        case 3: input = .contactDecided(address, [.verify, .trust, .block(true), .block(false), .accept, .decline][Int(detail) % 6])
        case 4: input = .groupRequested(ticket, .rename(id, text))
        case 5: input = .groupRequested(ticket, .add(id, [address]))
        case 6: input = .groupRequested(ticket, .remove(id, [address]))
        case 7: input = .groupRequested(ticket, .create(name: text, members: [address]))
        case 8: input = .shown(id, through: profile.conversations[id]?.head ?? .zero)
        case 9: input = .typing(id, detail & 1 == 0)
        case 10: input = .presenceWanted([address])
        default: input = .groupRequested(ticket, .leave(id))
        }
        try turn(input)
    }

    // MARK: As the shell does it

    private mutating func turn(_ input: Device.Input) throws(Finding) {
        let effects =
            device.step(.wallClockRead(wall), at: now, using: &random) + device.step(input, at: now, using: &random)
            + device.step(.batchEnded, at: now, using: &random)
        for effect in effects {
            switch effect {
            case .write(let write): profile.commit(write)
            case .connect: isConnecting = true
            case .send(let frame):
                try frame.checkCarried()
                note(frame)
            default: break
            }
        }
    }

    private mutating func note(_ frame: ClientFrame) {
        switch frame {
        case .hello(_, let nonce): self.nonce = nonce
        case .authenticate: wantsToProve = true
        case .lookup(let id, _), .claimKeyPackages(let id, _), .fetchGroup(let id, _), .publishKeyPackages(let id, _): request = id
        case .setBlocked(let id, _, _): request = id
        default: break
        }
    }

    // MARK: What must hold afterwards

    /// What it wrote is a profile that it starts from, and nothing was shown twice.
    mutating func finish() throws(Finding) {
        var rounds = 0
        while let deadline = device.nextDeadline, deadline <= now {
            try turn(.deadlineReached)
            rounds += 1
            try promise(rounds < 20, "the device's deadline stays in the past")
        }
        var shown: Set<[UInt8]> = []
        for record in profile.history {
            try promise(shown.insert(record.rowKey).inserted, "a message is shown twice")
            if case .incoming(let text) = record.body { try promise(text.utf8.count <= Limits.textBytesMax, "a text that is too long") }
        }
        do {
            device = Device(try profile.snapshot())
        } catch {
            throw Finding("the device does not start from what it wrote: \(error)")
        }
        try turn(.sessionWanted)
    }
}
