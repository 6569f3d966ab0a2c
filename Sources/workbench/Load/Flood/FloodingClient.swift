internal import ClientCore
internal import Cryptography
internal import NIOCore
internal import Vocabulary

/// Two users of the node: one sends messages as fast as its socket takes them, the other all kinds of requests, right and wrong.
///
/// Unchecked: used on its users' loop only, apart from `init`.
final class FloodingClient: Flood, @unchecked Sendable {
    let tally = FloodTally()
    let traffic: LoadTraffic?
    private let end = FloodSwitch()
    private let crowd: LoadCrowd
    private let sender, asker: LoadUser
    private var random = SeededGenerator(seed: 1)
    private var nuisances: [ClientFrame] = []
    private var next = 0

    init(at federation: LoadFederation, seed: UInt64) throws {
        crowd = try LoadCrowd(count: 2, links: [federation.invitation(at: 0, uses: 2)], threads: 1, seed: seed, first: 50_000)
        (sender, asker) = (crowd.users[0], crowd.users[1])
        _ = try crowd.open("flooders registered", pending: 2)
        traffic = LoadTraffic(crowd, pairs: 1, bytes: 400)
    }

    /// What costs the node most: signatures to check, look-ups at others, lists.
    private func makeNuisances() -> [ClientFrame] {
        let (account, stranger) = (asker.account, SigningKey(using: &random))
        let users = (0..<Limits.claimedUsersMax).map { _ in UserID(raw: random.bytes32()) }
        let key = ConversationKey(hub: account.home, conversation: ConversationID(raw: Bytes16(random.next(), random.next())))
        let mark = account.device.sign([], for: .session)
        let watermarks = (0..<Limits.watermarksPerFrameMax).map { _ in
            Watermark(
                key: ConversationKey(hub: account.home, conversation: ConversationID(raw: Bytes16(random.next(), random.next()))),
                device: account.deviceID, through: 1, chain: .zero, signature: mark)
        }
        var frames: [ClientFrame] = [
            .acknowledge(through: 0, watermarks: watermarks), .claimKeyPackages(RequestID(1), users), .fetchGroup(RequestID(2), key),
            .refetch(key, from: 1, through: SequenceNumber(unchecked: counterMax)),
            .publishKeyPackages(
                RequestID(3), KeyPackageSupply(replaces: true, packages: [[UInt8](repeating: 7, count: 4_000)], lastResort: nil)),
            .setBlocked(RequestID(4), users: users, conversations: [key]), .subscribe(users.map { PresenceWish(user: $0, token: .zero) }),
            .lookup(RequestID(5), .user(UserID(raw: stranger.publicKey))), .ping(7),
            .signal(Signal(key: key, sender: account.entry, epoch: 1, sealed: [1, 2, 3])),
        ]
        if let record = account.record { frames.append(.publish(RequestID(6), record)) }
        return frames
    }

    func begin() throws {
        try traffic?.becomeOpaque()
        try FloodLoop.yielding(sender.loop)
        try sender.loop.submit {
            self.nuisances = self.makeNuisances()
            for user in [self.sender, self.asker] { user.onEvent = { [weak self] in self?.heard($1, by: $0) } }
            self.pour()
        }.wait()
    }

    private func pour() {
        guard !end.isOff else { return }
        var count = 0
        // Some hundred a turn, so that answers are read too.
        while sender.isWritable, count < 200, sender.say(using: &random) != nil { count += 1 }
        sender.flush()
        var asked = 0
        while asker.isWritable, asked < 20 {
            asker.write(nuisances[next % nuisances.count])
            next += 1
            asked += 1
        }
        asker.flush()
        tally.sent(count + asked)
        sender.loop.assumeIsolated().scheduleTask(in: .microseconds(500)) { self.pour() }
    }

    private func heard(_ event: LoadUser.Event, by user: LoadUser) {
        switch event {
        case .state(_, .failed, let refusal?), .answered(let refusal), .refused(let refusal): tally.refused(refusal)
        case .ended:
            tally.ended()
            guard !end.isOff else { return }
            tally.connected()
            user.loop.assumeIsolated().scheduleTask(in: .milliseconds(20)) { if !self.end.isOff { user.startVoice() } }
        case .up, .down, .state, .received: break
        }
    }

    func stop() {
        if end.turnOff() { crowd.stop() }
    }
}
