internal import ClientCore
internal import Cryptography
internal import NIOCore
internal import NIOSSL
internal import Vocabulary

/// A member of a group: the real device over the real protocol, whose store is memory: an outcome counts as stored at once.
///
/// Unchecked: used on its event loop only, apart from `init` and what never changes.
final class LoadGroupMember: @unchecked Sendable {
    enum Event {
        /// Admitted, and with KeyPackages at home: others can add it.
        case registered
        /// Its place in the group: it has all through here.
        case reached(ConversationID, SequenceNumber)
        case arrived(MessageID)
        case state(MessageID, MessageState)
        case groupDone(waiting: Int)
        /// What must not be, in words.
        case trouble(String)
    }

    let index: Int
    let node: Int
    let loop: any EventLoop
    private let tls: NIOSSLContext
    private let signatures: LoadGroupSignatures
    private let onEvent: (LoadGroupMember, Event) -> Void
    private var account: Account
    private var random: SeededGenerator
    private var device: Device?
    private var connection: LoadConnection?
    private var pending: [Device.Input] = []
    private var isStepping = false
    private var timer: Scheduled<Void>?
    private var timerDue: Instant?
    private var bytesBefore = 0
    /// Away from the network; the dial that it would make meanwhile.
    private var isAway = false
    private var dial: Endpoint?
    /// The last message that the device submitted, to be said again in other words.
    private var lastSubmission: Submission?
    /// Speaks in the device's place once it is there.
    private var voice: LoadVoice?

    init(
        index: Int, node: Int, link: InvitationLink, tls: NIOSSLContext, loop: any EventLoop, signatures: LoadGroupSignatures, seed: UInt64,
        onEvent: @escaping (LoadGroupMember, Event) -> Void
    ) throws {
        (self.index, self.node, self.loop, self.tls, self.signatures, self.onEvent) = (index, node, loop, tls, signatures, onEvent)
        // Not the generator's own stride, or each user would draw the next one's numbers.
        random = SeededGenerator(seed: seed &+ UInt64(index) &* 0xd134_2543_de82_ef95)
        account = Account(link: link, handle: try Handle("user-\(index)"), using: &random)
    }

    var address: Address? { account.address }
    /// From its node, without TLS.
    var bytesReceived: Int { bytesBefore + (connection?.bytesReceived ?? 0) }

    func start() {
        var device = Device(DeviceSnapshot(account: account))
        device.signatures = signatures
        self.device = device
        take([.sessionWanted])
    }

    func stop() {
        timer?.cancel()
        (timer, timerDue, device) = (nil, nil, nil)
        pending = []
        voice = nil
        hangUp()
    }

    /// From now on the session is used without the device's logic: payloads are opaque, so that nodes are measured and not clients.
    ///
    /// - Parameter tell: what the voice notices.
    /// - Returns: false for who has no session.
    func becomeVoice(_ tell: @escaping (LoadUser.Event) -> Void) -> Bool {
        guard connection != nil, device != nil else { return false }
        timer?.cancel()
        (timer, timerDue, device) = (nil, nil, nil)
        pending = []
        voice = LoadVoice(account: account, template: lastSubmission, tell: tell)
        return true
    }

    /// - Returns: false for who has nothing to say again.
    func say(using random: inout SeededGenerator) -> Bool {
        guard let connection, let frame = voice?.next(using: &random) else { return false }
        connection.write(.submit(frame))
        return true
    }

    func flush() { connection?.flush() }

    func leaveNetwork() {
        isAway = true
        guard connection != nil else { return }
        hangUp()
        take([.connectionLost("away")])
    }

    func returnToNetwork() {
        isAway = false
        guard let endpoint = dial else { return }
        dial = nil
        connect(to: endpoint)
    }

    func create(_ name: String, with members: [Address]) { take([.groupRequested(Ticket(1), .create(name: name, members: members))]) }
    func rename(_ group: ConversationID, to name: String) { take([.groupRequested(Ticket(1), .rename(group, name))]) }

    func send(_ text: String, to group: ConversationID, as message: MessageID) {
        take([.sendRequested(OutgoingText(message: message, target: .group(group), text: text, sent: LoadClock.wall))])
    }

    // MARK: The loop of input and effects

    private func take(_ inputs: [Device.Input]) {
        pending += inputs
        guard !isStepping else { return }
        isStepping = true
        while !pending.isEmpty, var device {
            // Moved out, so that stepping does not copy it.
            self.device = nil
            let batch = pending
            pending = []
            let now = LoadClock.now
            var effects = device.step(.wallClockRead(LoadClock.wall), at: now, using: &random)
            for input in batch { effects += device.step(input, at: now, using: &random) }
            effects += device.step(.batchEnded, at: now, using: &random)
            self.device = device
            var reached: (ConversationID, SequenceNumber)?
            for effect in effects {
                if case .write(.conversation(let one)) = effect { reached = (one.id, one.head) } else { perform(effect) }
            }
            if let reached { onEvent(self, .reached(reached.0, reached.1)) }
        }
        isStepping = false
        connection?.flush()
        arm()
    }

    private func perform(_ effect: Device.Effect) {
        switch effect {
        case .write(.account(let account)): self.account = account
        case .write(.message(let record)):
            switch record.body {
            case .incoming: onEvent(self, .arrived(record.message))
            case .undecryptable(let why): onEvent(self, .trouble("cannot open a message: \(why)"))
            default: break
            }
        case .connect(let endpoint): if isAway { dial = endpoint } else { connect(to: endpoint) }
        case .disconnect: hangUp()
        case .send(let frame):
            if case .submit(let submission) = frame, case .application = submission.kind { lastSubmission = submission }
            connection?.write(frame)
        case .stateChanged(let message, let status): onEvent(self, .state(message, status.state))
        case .sendRefused(_, let error): onEvent(self, .trouble("cannot send: \(error.explanation.why)"))
        case .groupDone(_, let outcome): onEvent(self, .groupDone(waiting: outcome.waiting.count))
        case .groupRefused(_, let refusal): onEvent(self, .trouble("the group is refused: \(refusal.detail)"))
        case .sessionChanged(.joined): onEvent(self, .registered)
        case .sessionChanged(.joinRefused(let refusal)): onEvent(self, .trouble("joining is refused: \(refusal.detail)"))
        case .sessionChanged(.down(let failure)): if !isAway { onEvent(self, .trouble("\(failure.explanation.why)")) }
        case .note(let note): onEvent(self, .trouble("\(note)"))
        default: break
        }
    }

    private func hangUp() {
        bytesBefore += connection?.bytesReceived ?? 0
        connection?.close()
        connection = nil
    }

    private func connect(to endpoint: Endpoint) {
        hangUp()
        let connection = LoadConnection { [weak self] connection, event in
            guard let self, self.connection === connection else { return }
            switch event {
            case .opened(let hash): self.take([.connected(certificateHash: hash)])
            case .frames(let frames):
                guard let voice = self.voice else { return self.take(frames.map { .received($0) }) }
                if let answer = voice.receive(frames) { connection.write(answer) }
                connection.flush()
            case .closed(let reason):
                self.hangUp()
                if self.voice == nil { return self.take([.connectionLost(reason)]) }
                self.voice = nil
                self.onEvent(self, .trouble("lost its session: \(reason)"))
            }
        }
        self.connection = connection
        // A node bounds what one address may have pending (`Limits.connectionsPendingPerAddressMax`), so users come from many.
        let (source, tls, loop) = ("127.0.1.\(1 + index % 32)", tls, loop)
        loop.execute { connection.open(to: endpoint, from: source, over: tls, on: loop) }
    }

    private func arm() {
        guard let due = device?.nextDeadline else { return }
        if let timerDue, timerDue <= due { return }
        timer?.cancel()
        timerDue = due
        timer = loop.assumeIsolated().scheduleTask(in: .nanoseconds(max((due - LoadClock.now).nanoseconds, 0))) { [weak self] in
            guard let self else { return }
            (self.timer, self.timerDue) = (nil, nil)
            guard let deadline = self.device?.nextDeadline else { return }
            if deadline <= LoadClock.now { self.take([.deadlineReached]) } else { self.arm() }
        }
    }
}
