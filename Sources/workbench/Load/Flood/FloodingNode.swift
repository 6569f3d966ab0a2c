internal import Cryptography
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import RelayNode
internal import Transport
internal import Vocabulary
internal import Wire

/// A member of the federation that has gone bad: the second node's process ends, and its key speaks here. Records that do not hold, records
/// of users that it makes up, statements, look-ups, submissions in users' names; and hundreds of frames of a few bytes with each.
///
/// Unchecked: used on its loop only, apart from `init`.
final class FloodingNode: Flood, ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let tally = FloodTally()
    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private let key: SigningKey
    private let tls: NIOSSLContext
    private let peer: NodeID
    private let peers: Endpoint
    private let federation: FederationID
    private var context: ChannelHandlerContext?
    private var inbound = LinkStream()
    private var frames: [[UInt8]] = []
    /// Cheap to say, and to deal with one by one.
    private let crumbs: [[UInt8]]
    private var next = 0
    private var position: UInt64 = 1
    private let end = FloodSwitch()
    private var random = SeededGenerator(seed: 5)

    init(at federation: LoadFederation) throws {
        let (harbor, tower) = (federation.nodes[0], federation.nodes[1])
        // Somebody of the second node tells which federation it is.
        let crowd = try LoadCrowd(count: 1, links: [federation.invitation(at: 1, uses: 1)], threads: 1, seed: 3, first: 60_000)
        _ = try crowd.open("a user of the second node", pending: 1)
        let account = try crowd.users[0].loop.submit { crowd.users[0].account }.wait()
        crowd.stop()
        guard let grant = account.grant else { throw LoadFailure("the second node granted nothing") }
        self.federation = grant.federation
        peers = try federation.peersEndpoint(of: 0)
        peer = try federation.invitation(at: 0, uses: 1).node
        tower.process.stop()
        key = try SigningKey(seed: try KeyFile.read(.node, at: "\(tower.data)/keys/node.key"))
        tls = try TLSContexts.peerDialer(try ServedCertificate(selfSigned: key))
        crumbs = (0..<500).map { number in
            let frame: LinkFrame =
                switch number % 3 {
                case 0: .acknowledge(through: QueuePosition(unchecked: UInt64(number)))
                case 1: .lookup(RequestID(UInt64(number)), .user(UserID(raw: .zero)))
                default: .presenceUnwanted([UserID(raw: .zero)])
                }
            return frame.serialized()
        }
        group = try FloodLoop.make()
        loop = group.next()
        frames = try makeFrames(NodeID(raw: key.publicKey))
        note("\(tower.name) has gone bad, and floods \(harbor.name)")
    }

    func begin() throws { try loop.submit { self.dial() }.wait() }

    // MARK: What it says

    private func makeFrames(_ own: NodeID) throws -> [[UInt8]] {
        let conversation = ConversationKey(hub: peer, conversation: ConversationID(raw: Bytes16(1, 2)))
        let users = (0..<Limits.claimedUsersMax).map { _ in UserID(raw: random.bytes32()) }
        let bad = try (0..<40).map { try record($0, of: own, holds: false) }
        let statements = (0..<40).map { index in
            let admit = Admit(
                federation: federation, subject: NodeID(raw: random.bytes32()), name: name(index), role: .member, n: UInt64(index + 1))
            return SignedStatement(body: Statement.admit(admit).encoded(), signer: own, signature: key.sign([], for: .statement))
        }
        let wishes = (0..<Limits.presenceWishesMax).map { _ in PresenceWish(user: UserID(raw: random.bytes32()), token: .zero) }
        var frames: [LinkFrame] = [
            .records(bad), .statements(statements), .lookup(RequestID(1), .user(users[0])),
            .claimKeyPackages(RequestID(2), by: users[1], users),
            .fetchGroup(RequestID(3), conversation, by: RosterEntry(user: users[2], device: DeviceID(raw: users[2].raw))),
            .reconcile(exchange: 1, initiator: true, message: [0x61, 0, 0, 2]), .presenceWanted(wishes),
            .recordsWanted((0..<Limits.recordsWantedMax).map { _ in Digest(raw: random.bytes32()) }),
            .liveness(.ping(sequence: 1, claims: [])),
        ]
        for index in 0..<30 { frames.append(.records([try record(1_000 + index, of: own, holds: true)])) }
        return frames.map { $0.serialized() }
    }

    private func name(_ index: Int) -> NodeName { (try? NodeName("sybil-\(index)")) ?? Self.fallback }
    private static let fallback: NodeName = {
        guard let name = try? NodeName("sybil") else { preconditionFailure("sybil is a name") }
        return name
    }()

    /// A user that it has made up: everything in the record is signed, unless it shall not hold.
    private func record(_ index: Int, of own: NodeID, holds: Bool) throws -> SignedUserRecord {
        let (user, device) = (SigningKey(using: &random), SigningKey(using: &random))
        let (id, handle) = (UserID(raw: user.publicKey), try Handle("sybil\(index)"))
        let deviceID = DeviceID(raw: device.publicKey)
        let entry = DeviceEntry(
            device: deviceID, certificate: user.sign(DeviceCertificate.body(user: id, device: deviceID), for: .deviceCertificate),
            extensions: [])
        let body = UserRecord(
            federation: federation, user: id, handle: handle, issuer: own,
            handleCertificate: key.sign(HandleCertificate.body(federation: federation, handle: handle, user: id), for: .handleCertificate),
            home: own, devices: [entry], version: 1, previous: .zero, published: 1_800_000_000
        ).encoded()
        return SignedUserRecord(
            body: body, userSignature: holds ? user.sign(body, for: .userRecord) : user.sign([1], for: .userRecord),
            homeSignature: key.sign(body, for: .homeConsent))
    }

    private func submission() -> [UInt8] {
        position += 1
        let user = RosterEntry(user: UserID(raw: random.bytes32()), device: DeviceID(raw: random.bytes32()))
        let submission = Submission(
            message: MessageID.random(using: &random), conversation: ConversationID(raw: Bytes16(1, position)), hub: peer,
            kind: .application(epoch: 1, payload: [UInt8](repeating: 1, count: 400)))
        return LinkFrame.entry(QueuePosition(unchecked: position), .submission(submission, sender: user)).serialized()
    }

    // MARK: The link

    private func dial() {
        guard !end.isOff, let address = try? SocketAddress(ipAddress: peers.host, port: Int(peers.port)) else { return }
        tally.connected()
        ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TLSHandlers.peerDialer(self.tls, expecting: self.peer))
                    try channel.pipeline.syncOperations.addHandler(self)
                }
            }
            .connect(to: address)
            .whenFailure { _ in self.loop.assumeIsolated().scheduleTask(in: .milliseconds(50)) { self.dial() } }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        write(LinkFrame.hello(versions: .current, federation: federation, readThrough: 0, statements: .zero).serialized())
        context.flush()
        pour()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        inbound.add(Self.unwrapInboundIn(data))
        while let bytes = try? inbound.next() { if let frame = try? LinkFrame(serialized: bytes) { heard(frame) } }
    }

    private func heard(_ frame: LinkFrame) {
        switch frame {
        case .goodbye(let refusal), .refusedRequest(_, let refusal): tally.refused(refusal)
        case .entry(_, .failed(let failure, _)): tally.refused(failure.refusal)
        case .keyPackages(_, let claimed): for refusal in claimed.compactMap(\.refusal) { tally.refused(refusal) }
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        inbound = LinkStream()
        tally.ended()
        guard !end.isOff else { return }
        loop.assumeIsolated().scheduleTask(in: .milliseconds(20)) { self.dial() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func pour() {
        guard !end.isOff, let context else { return }
        var count = 0
        while context.channel.isWritable, count < 50 {
            write(next % 4 == 3 ? submission() : frames[next % frames.count])
            next += 1
            count += 1
        }
        if context.channel.isWritable, next % 2 == 0 {
            for crumb in crumbs { write(crumb) }
            count += crumbs.count
        }
        context.flush()
        tally.sent(count)
        loop.assumeIsolated().scheduleTask(in: .microseconds(500)) { self.pour() }
    }

    private func write(_ frame: [UInt8]) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: frame.count + 4)
        buffer.writeInteger(UInt32(clamping: frame.count))
        buffer.writeBytes(frame)
        context.write(Self.wrapOutboundOut(buffer), promise: nil)
    }

    func stop() {
        if end.turnOff() { try? group.syncShutdownGracefully() }
    }
}
