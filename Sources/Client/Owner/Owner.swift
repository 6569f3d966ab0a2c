internal import ClientCore
internal import Cryptography
internal import Glibc
internal import Logging
internal import NIOCore
internal import Vocabulary

/// The one that has the profile: steps the core, commits each batch in one transaction, then releases what had to wait for it.
///
/// Unchecked: all of it runs on one event loop, that of the connection, so that a frame is handled where it is read: no hop and no
/// queue lies between a message's arrival and its acknowledgement.
final class Owner: @unchecked Sendable {
    typealias JobID = UInt64

    let loop: any EventLoop
    let store: ProfileStore
    private(set) var device: Device
    var jobs: [JobID: Job] = [:]
    /// News that somebody is about to show; and through where each conversation was shown since it was last said.
    var beingShown: Set<Int64> = []
    var shownThrough: [ConversationID: SequenceNumber] = [:]
    /// Whose messages each history request is about.
    var histories: [JobID: [Peer]] = [:]
    var presenceWanted: [Address] = []
    /// Until then a request that takes what is waiting also waits for what is on its way from here.
    private(set) var settleBy = Instant.start
    var chats: [JobID: Chat] = [:]
    /// The last reason for being without a session; nil while there is one or none was tried.
    private(set) var lastFailure: SessionFailure?
    /// Why there is no session, where none is being opened.
    var sessionFailure: SessionFailure? { device.isTrying ? nil : lastFailure }
    private let log: Logger
    private var connection: NodeConnection?
    private var random = SystemRandom()
    private var nextJob: JobID = 0
    private var pending: [Device.Input] = []
    private var isStepping = false
    private var timer: Scheduled<Void>?
    private var timerDue: Instant?
    private(set) var isStopped = false
    /// Set once the owner's own request is done: nothing more is handed out, what is in others' hands is waited for.
    private var ending: EventLoopPromise<Void>?

    init(store: ProfileStore, snapshot: DeviceSnapshot, loop: any EventLoop, log: Logger) {
        (self.store, self.loop, self.log) = (store, loop, log)
        device = Device(snapshot)
    }

    /// Waits until other processes have said what they showed, so that nothing is shown again; at most a second.
    func windDown(after own: JobID?) -> EventLoopFuture<Void> {
        loop.flatSubmit { [self] in
            let promise = loop.makePromise(of: Void.self)
            guard !isStopped, ending == nil else { return loop.makeSucceededVoidFuture() }
            ending = promise
            if let own { end(own) }
            loop.scheduleTask(in: .seconds(1)) { promise.succeed(()) }
            endIfIdle()
            return promise.futureResult
        }
    }

    var isEnding: Bool { ending != nil }

    func endIfIdle() {
        guard let ending, jobs.values.allSatisfy(\.inHand.isEmpty) else { return }
        ending.succeed(())
    }

    /// Closes the session, in which all that was held back is said; the store stays usable until this has returned.
    func stop() -> EventLoopFuture<Void> {
        loop.flatSubmit { [self] in
            feed(.ending)
            isStopped = true
            timer?.cancel()
            let closed = connection?.close() ?? loop.makeSucceededVoidFuture()
            connection = nil
            return closed.recover { _ in }.map { [self] in store.close() }
        }
    }

    // MARK: Requests

    /// - Parameter reply: called on the loop, in order.
    func begin(_ request: Request, reply: @escaping @Sendable (Reply) -> Void) -> JobID {
        loop.assertInEventLoop()
        nextJob += 1
        let job = Job(id: nextJob, request: request, reply: reply)
        jobs[job.id] = job
        start(job)
        return job.id
    }

    /// Nobody waits for the answers any more; what was not shown yet is for the next who asks.
    func end(_ id: JobID) {
        guard let job = jobs.removeValue(forKey: id), !isStopped else { return }
        histories[id] = nil
        if let chat = chats.removeValue(forKey: id) { end(chat) }
        let back = job.inHand.filter(\.value.isNews).map(\.key)
        beingShown.subtract(back)
        if !back.isEmpty { handToAll() }
        endIfIdle()
    }

    // MARK: The loop of input, commit, release

    func feed(_ inputs: Device.Input...) { feed(inputs) }

    func feed(_ inputs: [Device.Input]) {
        pending += inputs
        drain()
    }

    /// Who is in a group, rising by user.
    func members(of id: ConversationID) -> [RosterEntry] { device.members(of: id) }
    func needsReset(_ id: ConversationID) -> Bool { device.needsReset(id) }

    private func drain() {
        guard !isStepping, !isStopped else { return }
        isStepping = true
        defer { isStepping = false }
        while !pending.isEmpty, !isStopped {
            let inputs = [.wallClockRead(Clock.wall)] + pending + [.batchEnded]
            pending = []
            let now = Clock.now
            var effects: [Device.Effect] = []
            for input in inputs { effects += device.step(input, at: now, using: &random) }
            let writes = effects.compactMap { if case .write(let write) = $0 { write } else { nil } }
            if !writes.isEmpty {
                // The core is ahead of the disk when this fails: nothing of it may be said, and the owner ends.
                do { try store.commit(writes) } catch { return fail(error) }
            }
            var arrived = false
            for effect in effects {
                if case .messagesArrived = effect { arrived = true } else { perform(effect) }
            }
            connection?.flush()
            tell(writes.compactMap { if case .alarm(let alarm) = $0 { alarm } else { nil } })
            tellChats(writes)
            if arrived {
                watchPresence()
                handToAll()
            }
            settleAll()
        }
        arm()
    }

    private func perform(_ effect: Device.Effect) {
        switch effect {
        case .write, .messagesArrived: break
        case .connect(let endpoint): connect(to: endpoint)
        case .disconnect:
            connection?.flush()
            connection?.close()
            connection = nil
        case .send(let frame):
            if case .submit(let submission) = frame { submitting(submission.message) }
            connection?.write(frame)
        case .stateChanged(let message, let status): tell(message, status)
        case .sendRefused(let message, let error): tell(message, error)
        case .contactFound(let ticket, let contact): tell(ticket, .success(contact))
        case .contactRefused(let ticket, let refusal): tell(ticket, .failure(refusal))
        case .groupBegun(let ticket, let id): jobs[ticket.value]?.reply(.begun(group: name(id)))
        case .groupDone(let ticket, let outcome): done(ticket, outcome)
        case .groupRefused(let ticket, let refusal): refused(ticket, refusal)
        case .receipt(let news): tell(news)
        case .presence(let user, let presence): tell(user, presence)
        case .typing(let id, let user, let isTyping): tellTyping(id, user, isTyping)
        case .hole(let id, let count): tellHole(id, count)
        case .sessionChanged(let change):
            switch change {
            case .down(let failure):
                lastFailure = failure
                log.notice("no session: \(failure.explanation.what) \(failure.explanation.why)")
            case .up(let waiting):
                lastFailure = nil
                log.info("session is up", metadata: ["waiting": "\(waiting)"])
            case .caughtUp:
                let grace = Duration.seconds(2)
                settleBy = Clock.now + grace
                loop.scheduleTask(in: .nanoseconds(grace.nanoseconds)) { [weak self] in self?.settleAll() }
            case .joined, .joinRefused: break
            }
            tell(change)
        case .note(let note): remark(note)
        }
    }

    private func remark(_ note: DeviceNote) {
        switch note {
        case .alarm(let alarm):
            log.warning("alarm \(alarm.name): \(alarm.text) See: courier alarms")
        case .keyChanged(let address): log.warning("the identity key of \(address) has changed: see courier contact show \(address)")
        case .recordEquivocated: log.warning("the directory shows two records of one version of a user: the known one stays in use")
        case .restored: log.warning("this profile is an old copy of itself: its conversations are entered anew before anything is sent")
        case .changeDropped(let id, let change, let refusal):
            // Of a direct conversation nobody has asked for the change, but to write; and the message says that it failed.
            guard let wanted = sentence(change), let profile = device.conversations[id]?.profile, !profile.isDirect else { break }
            let group = Printable.line(profile.name)
            let error = ClientError(ofGroup: refusal)
            let remedy = error.remedy.replacing("GROUP", with: name(id).prefix(8))
            let late = ClientError(
                error.code, what: "What was kept is not done in the group \(group): \(Printable.line(wanted)).", why: error.why,
                remedy: remedy)
            if jobs.isEmpty { log.warning("\(late.what) \(late.why)") } else { tell(late) }
        case .homeRestored: log.notice("the node was restored from a backup: what it may have lost is fetched from the other nodes")
        case .undecryptable, .badRecord, .recordRolledBack, .unexpectedFrame, .badHandshake: log.info("\(note)")
        }
    }

    private func connect(to endpoint: Endpoint) {
        connection?.close()
        let connection = NodeConnection(to: endpoint, on: loop) { [weak self] connection, event in
            guard let self, self.connection === connection else { return }
            switch event {
            case .opened(let hash): self.feed(.connected(certificateHash: hash))
            case .frames(let frames):
                self.pending += frames.map { .received($0) }
                self.drain()
            case .closed(.lost(let reason)):
                self.connection = nil
                self.feed(.connectionLost(reason))
            case .closed(.violated(let what)):
                self.connection = nil
                self.feed(.protocolViolated(what))
            }
        }
        self.connection = connection
        // Not from within this batch: a failure at once would come before the core has finished its step.
        loop.execute { connection.open() }
    }

    private func arm() {
        guard device.nextDeadline != timerDue || timer == nil else { return }
        timer?.cancel()
        timer = nil
        timerDue = device.nextDeadline
        guard let due = timerDue else { return }
        let delay = max((due - Clock.now).nanoseconds, 0)
        timer = loop.scheduleTask(in: .nanoseconds(delay)) { [weak self] in
            self?.timer = nil
            self?.timerDue = nil
            self?.feed(.deadlineReached)
        }
    }

    // MARK: The end

    /// The store failed: every request ends with it, and the owner does nothing more.
    func fail(_ error: StoreError) {
        guard !isStopped else { return }
        isStopped = true
        timer?.cancel()
        connection?.close()
        connection = nil
        for job in jobs.values.sorted(by: { $0.id < $1.id }) { job.reply(.refused(ClientError(error))) }
        jobs = [:]
    }
}

enum Clock {
    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
    }

    static var wall: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000)
    }
}
