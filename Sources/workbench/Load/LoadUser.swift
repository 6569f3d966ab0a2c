internal import ClientCore
internal import Cryptography
internal import Glibc
internal import NIOCore
internal import NIOSSL
internal import Vocabulary

/// A user with one device, whose logic is the real one (`Device`) and whose store is memory: an outcome counts as stored at once.
///
/// Unchecked: used on its event loop only, apart from `init`.
final class LoadUser: @unchecked Sendable {
    enum Event {
        case up
        case down(SessionFailure)
        case refused(Refusal)
        case state(MessageID, MessageState, Refusal?)
        /// So many events, by a user without a device's logic.
        case received(Int)
        /// A request was refused, by a user without a device's logic.
        case answered(Refusal)
        case ended(String)
    }

    let loop: any EventLoop
    var onEvent: (LoadUser, Event) -> Void = { _, _ in }
    private(set) var account: Account
    private let source: String
    private let tls: NIOSSLContext
    private var random: SeededGenerator
    private var device: Device?
    private var connection: LoadConnection?
    private var pending: [Device.Input] = []
    private var isStepping = false
    private var timer: Scheduled<Void>?
    private var timerDue: Instant?
    /// The last message that the device submitted, to be said again in other words.
    private var lastSubmission: Submission?
    /// Whose messages are welcome.
    var accepts: Address?
    /// Speaks in the device's place once it is there.
    private var voice: LoadVoice?

    /// - Parameter index: chooses the handle and the source address. A node bounds what one address may have pending
    ///   (`Limits.connectionsPendingPerAddressMax`), so users come from many.
    init(index: Int, link: InvitationLink, tls: NIOSSLContext, loop: any EventLoop, seed: UInt64) throws {
        (self.loop, self.tls) = (loop, tls)
        source = "127.0.1.\(1 + index % 32)"
        random = SeededGenerator(seed: seed &+ UInt64(index) &* 0xd134_2543_de82_ef95)
        account = Account(link: link, handle: try Handle("user-\(index)"), using: &random)
    }

    var address: Address? { account.address }

    /// Keeps a session up from now on.
    func start() {
        guard device == nil else { return }
        device = Device(DeviceSnapshot(account: account))
        take([.sessionWanted])
    }

    /// Ends the session and forgets everything but the account.
    func stop() {
        timer?.cancel()
        (timer, timerDue, device) = (nil, nil, nil)
        pending = []
        voice = nil
        connection?.close()
        connection = nil
    }

    /// A session without a device's logic from the start.
    func startVoice() {
        guard voice == nil, device == nil else { return }
        voice = LoadVoice(account: account, template: lastSubmission) { [unowned self] event in self.onEvent(self, event) }
        connect(to: account.endpoint)
    }

    /// From now on the session is used without the device's logic: payloads are opaque, so that nodes are measured and not clients.
    ///
    /// - Returns: false for who has no session.
    func becomeVoice() -> Bool {
        guard let connection, device != nil else { return false }
        timer?.cancel()
        (timer, timerDue, device) = (nil, nil, nil)
        pending = []
        voice = LoadVoice(account: account, template: lastSubmission) { [unowned self] event in self.onEvent(self, event) }
        _ = connection
        return true
    }

    /// - Returns: nil for who has nothing to say again.
    func say(using random: inout SeededGenerator) -> MessageID? {
        guard let voice, let connection, let frame = voice.next(using: &random) else { return nil }
        connection.write(.submit(frame))
        return frame.message
    }

    func flush() { connection?.flush() }

    /// Whether the socket takes more: what it does not take waits in this process.
    var isWritable: Bool { connection?.isWritable ?? false }

    /// Whatever it is, without the device's knowledge.
    func write(_ frame: ClientFrame) { connection?.write(frame) }

    /// - Returns: the message's id, by which its states are told.
    func send(_ text: String, to address: Address) -> MessageID {
        let message = MessageID.random(using: &random)
        take([.sendRequested(OutgoingText(message: message, address: address, text: text, sent: LoadClock.wall))])
        return message
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
            for effect in effects { perform(effect) }
        }
        isStepping = false
        connection?.flush()
        arm()
    }

    private func perform(_ effect: Device.Effect) {
        switch effect {
        case .write(.account(let account)): self.account = account
        case .messagesArrived:
            // A stranger's request tells nobody that it has arrived until it is accepted.
            if let accepts { pending.append(.contactDecided(accepts, .accept)) }
        case .write, .contactFound, .contactRefused, .groupBegun, .groupDone, .groupRefused, .receipt, .presence, .typing, .hole,
            .note:
            break
        case .connect(let endpoint): connect(to: endpoint)
        case .disconnect:
            connection?.close()
            connection = nil
        case .send(let frame):
            if case .submit(let submission) = frame, case .application = submission.kind { lastSubmission = submission }
            connection?.write(frame)
        case .stateChanged(let message, let status): onEvent(self, .state(message, status.state, status.refusal))
        case .sendRefused(let message, let error):
            onEvent(self, .state(message, .failed, Refusal(.unknown, error.explanation.why)))
        case .sessionChanged(.up): onEvent(self, .up)
        case .sessionChanged(.down(let failure)): onEvent(self, .down(failure))
        case .sessionChanged(.joinRefused(let refusal)): onEvent(self, .refused(refusal))
        case .sessionChanged: break
        }
    }

    private func connect(to endpoint: Endpoint) {
        connection?.close()
        let connection = LoadConnection { [weak self] connection, event in
            guard let self, self.connection === connection else { return }
            switch event {
            case .opened(let hash):
                guard let voice = self.voice else { return self.take([.connected(certificateHash: hash)]) }
                connection.write(voice.hello(certificateHash: hash))
                connection.flush()
            case .frames(let frames):
                guard let voice = self.voice else { return self.take(frames.map { .received($0) }) }
                if let answer = voice.receive(frames) { connection.write(answer) }
                connection.flush()
            case .closed(let reason):
                self.connection = nil
                if self.voice == nil { return self.take([.connectionLost(reason)]) }
                self.voice = nil
                self.onEvent(self, .ended(reason))
            }
        }
        self.connection = connection
        let (source, tls, loop) = (source, tls, loop)
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

enum LoadClock {
    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
    }

    static var wall: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000)
    }
}
