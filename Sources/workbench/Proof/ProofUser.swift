internal import ClientCore
internal import Cryptography
internal import Glibc
internal import Histories
internal import MLS
internal import NIOCore
internal import NIOSSL
internal import Synchronization
internal import Vocabulary

/// A user with one device: its real logic (`Device`) over the real protocol, with a memory for a store. Writes to its partners as fast as
/// they take it, and notes all that it sees in the history: before it tells its node, as a store would have it.
///
/// Unchecked: used on its event loop only, apart from `init` and what never changes.
final class ProofUser: @unchecked Sendable {
    struct Pace {
        /// Messages without a number at one time.
        var window = 4
        /// Messages not delivered to all at one time: what a node that is away holds up.
        var undelivered = 64
        var textBytes = 100
        /// From one message to the next, at least: a run of an hour is about time, and keeps what it has seen in memory.
        var rest = Duration.zero
    }

    let index: Int
    let home: Int
    let loop: any EventLoop
    private let history: ProofHistory
    private let tls: NIOSSLContext
    private let signatures: LoadGroupSignatures
    private let progress: Progress
    private var account: Account
    private var random: SeededGenerator
    private var device: Device?
    /// What goes on when the user comes back.
    private var resting: Device?
    private var connection: LoadConnection?
    private var pending: [Device.Input] = []
    private var isStepping = false
    private var timer: Scheduled<Void>?
    private var timerDue: Instant?
    /// How far this device's clock is ahead: who waits to dial again is made to by a jump.
    private var ahead = Duration.zero

    /// As others write it; empty until the node has admitted the user.
    private(set) var name = ""
    private var partners: [Address] = []
    private var targets: [Target] = []
    private var pace = Pace()
    private var restsUntil = Instant.start
    private(set) var isSending = false
    private var lastFailure: String?
    private var written = 0
    private var open: [MessageID: MessageState] = [:]
    /// Why messages wait, as their user is told.
    private var waitsFor: [MessageID: String] = [:]
    private var unnumbered = 0
    private var places: [MessageID: ConversationKey] = [:]
    /// Whether each could be read.
    private var known: [[UInt8]: Bool] = [:]
    private var heard: [ConversationID: [DeviceID: UInt64]] = [:]
    /// Where a message was: before that nobody who reads the history knows who is in a direct conversation.
    private var spoken: Set<ConversationID> = []
    /// Groups that this user has founded; conversations that it is in.
    private(set) var groups: [ConversationID] = []
    private(set) var entered: Set<ConversationID> = []

    /// What the fleet watches.
    final class Progress: Sendable {
        let registered = Atomic(0)
        let live = Atomic(0)
        /// Messages delivered to all, or failed.
        let settled = Atomic(0)
        let groupsDone = Atomic(0)
        let refused = Mutex<String?>(nil)
        let remarks = Mutex<[String: Int]>([:])
        /// What came of claims: each KeyPackage, and how often it came. The last resort of a device may come again.
        let packages = Mutex<[[UInt8]: Int]>([:])
    }

    init(
        index: Int, home: Int, link: InvitationLink, tls: NIOSSLContext, loop: any EventLoop, signatures: LoadGroupSignatures, seed: UInt64,
        history: ProofHistory, progress: Progress
    ) throws {
        (self.index, self.home, self.loop, self.tls, self.signatures) = (index, home, loop, tls, signatures)
        (self.history, self.progress) = (history, progress)
        random = SeededGenerator(seed: seed &+ UInt64(index) &* 0xd134_2543_de82_ef95)
        account = Account(link: link, handle: try Handle("u\(index)"), using: &random)
    }

    var address: Address? { account.address }
    var isLive: Bool { device?.isLive == true }
    /// What has no end yet, for people.
    var stuck: String {
        let items = open.sorted { $0.key < $1.key }.prefix(3).map { item in
            "\(Self.name(of: item.key)) \(item.value)\(waitsFor[item.key].map { " (\($0))" } ?? "")"
        }
        let last = lastFailure.map { ", last without a session: \($0)" } ?? ""
        return "\(name) live=\(isLive) member=\(account.isMember)\(last) open=\(open.count) [\(items.joined(separator: ", "))]"
    }
    var openCount: Int { open.count }

    static let isVerbose = getenv("PROOF_DEBUG") != nil

    // MARK: Orders

    func start() {
        var device = Device(DeviceSnapshot(account: account))
        device.signatures = signatures
        self.device = device
        take([.sessionWanted])
    }

    func stop() {
        isSending = false
        timer?.cancel()
        (timer, timerDue, device) = (nil, nil, nil)
        pending = []
        connection?.close()
        connection = nil
    }

    /// Without a session until `comeBack`: a computer that was closed.
    func leave() {
        guard let device else { return }
        timer?.cancel()
        (timer, timerDue, resting, self.device) = (nil, nil, device, nil)
        connection?.close()
        connection = nil
    }

    func comeBack() {
        guard let resting else { return }
        (device, self.resting) = (resting, nil)
        take([.connectionLost("was away")])
        hurry()
    }

    /// Writes to these from now on, in turn, if `isSending`; and takes them for no strangers.
    func know(_ addresses: [Address]) {
        partners += addresses
        targets += addresses.map { .address($0) }
    }

    func write(into group: ConversationID) { targets.append(.group(group)) }

    func setSending(_ flag: Bool, _ pace: Pace) {
        (isSending, self.pace) = (flag, pace)
        pump()
        take([])
    }

    func found(_ group: String, with members: [Address]) { take([.groupRequested(Ticket(1), .create(name: group, members: members))]) }
    func wish(_ wish: GroupWish) { take([.groupRequested(Ticket(2), wish)]) }

    /// Partners are no strangers, also if they were not known by name when they first wrote.
    func acceptPartners() { take(partners.map { .contactDecided($0, .accept) }) }

    /// Whoever waits before it dials again dials now.
    func hurry() {
        guard let device, !device.isLive, connection == nil, let due = device.nextDeadline else { return }
        let wait = due - clock
        if wait > .zero { ahead += wait }
        take([.deadlineReached])
    }

    // MARK: Writing

    private static let mark: UInt64 = 0x7072_6f6f_6600_0000
    private static func name(of message: MessageID) -> String {
        let bytes = message.bytes
        func number(_ from: Int) -> Int { bytes[from..<(from + 4)].reduce(0) { $0 << 8 | Int($1) } }
        return "\(number(8))-\(number(12))"
    }

    private func pump() {
        guard isSending, !targets.isEmpty, isLive || written == 0 else { return }
        while unnumbered < pace.window, open.count < pace.undelivered, restsUntil <= LoadClock.now {
            written += 1
            let message = MessageID(raw: Bytes16(Self.mark, UInt64(index) << 32 | UInt64(written)))
            let target = targets[written % targets.count]
            let recipient: HistoryEvent.Recipient =
                switch target {
                case .address(let address): .user(address.description)
                case .group(let id): .group(Self.name(of: id))
                }
            open[message] = .queued
            unnumbered += 1
            history.note(name, .invoke(message: Self.name(of: message), to: recipient))
            let text = Self.name(of: message) + " " + String(repeating: "x", count: pace.textBytes)
            pending.append(.sendRequested(OutgoingText(message: message, target: target, text: text, sent: LoadClock.wall)))
            if pace.rest > .zero { rest() }
        }
    }

    private func rest() {
        restsUntil = LoadClock.now + pace.rest
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(pace.rest.nanoseconds)) { [weak self] in
            guard let self else { return }
            pump()
            take([])
        }
    }

    static func name(of conversation: ConversationID) -> String { String(conversation.hex.prefix(14)) }

    // MARK: The loop of input and effects

    private var clock: Instant { LoadClock.now + ahead }

    private func take(_ inputs: [Device.Input]) {
        pending += inputs
        guard !isStepping else { return }
        isStepping = true
        while !pending.isEmpty, var device {
            // Moved out, so that stepping does not copy it.
            self.device = nil
            let batch = pending
            pending = []
            let now = clock
            var effects = device.step(.wallClockRead(LoadClock.wall), at: now, using: &random)
            for input in batch { effects += device.step(input, at: now, using: &random) }
            effects += device.step(.batchEnded, at: now, using: &random)
            self.device = device
            for effect in effects { if case .write(let write) = effect { store(write) } }
            for effect in effects { perform(effect) }
            pump()
        }
        isStepping = false
        connection?.flush()
        arm()
    }

    private func store(_ write: ClientWrite) {
        switch write {
        case .account(let account): self.account = account
        case .outbox(let item):
            if case .numbered(let id, _, _) = item.stage { places[item.message] = ConversationKey(hub: account.home, conversation: id) }
        case .message(let record): store(record)
        case .conversation(let one):
            entered.insert(one.id)
            let place = HistoryEvent.Place(Self.name(of: one.id), one.head.value)
            history.note(name, .head(place, chain: String(one.chain.hex.prefix(14))))
        case .receipts(let id, let device, let line):
            guard let line else { break }
            let through = line.deliveredThrough.value
            guard through > heard[id]?[device] ?? 0, spoken.contains(id) else { break }
            heard[id, default: [:]][device] = through
            let by = history.name(of: line.entry.user)
            history.note(name, .receipt(HistoryEvent.Place(Self.name(of: id), through), by: by, .delivered))
        case .alarm(let alarm):
            history.note(
                name, .alarm(alarm.alarm.name, conversation: Self.name(of: alarm.key.conversation), number: alarm.number?.value))
        default: break
        }
    }

    /// A row that is there stays as it is, as in a profile.
    private func store(_ record: MessageRecord) {
        guard !record.isOutgoing, let key = record.conversation else { return }
        let isReadable = if case .undecryptable = record.body { false } else { true }
        if let wasReadable = known[record.rowKey], wasReadable || !isReadable { return }
        known[record.rowKey] = isReadable
        let place = HistoryEvent.Place(Self.name(of: key.conversation), record.status.number?.value ?? 0)
        let author = record.author.map { history.name(of: $0) } ?? "nobody"
        switch record.body {
        case .outgoing: break
        case .incoming(let text):
            spoken.insert(key.conversation)
            // What is written in it, not only under which id it came.
            let written = text.split(separator: " ").first.map(String.init) ?? ""
            let id = Self.name(of: record.message)
            history.note(name, .show(message: written == id ? id : "\(id) says \(written)", author: author, place))
            if record.isRequest { for partner in partners { pending.append(.contactDecided(partner, .accept)) } }
            if index % 4 == 0, let number = record.status.number { pending.append(.shown(key.conversation, through: number)) }
        case .undecryptable(let reason): history.note(name, .tombstone(place, reason: reason))
        case .membership(let change):
            // A direct conversation is its two users', whatever their devices do; but who came back in tells that it lacks something.
            if case .rejoined = change {} else { guard case .group = record.peer else { return } }
            note(change, at: place)
        }
    }

    private func note(_ change: MembershipChange, at place: HistoryEvent.Place) {
        func note(_ kind: HistoryEvent.Change, _ who: [UserID]) {
            history.note(name, .change(place, kind, who: who.map { history.name(of: $0) }))
        }
        switch change {
        case .added(let who): note(.added, who)
        case .removed(let who): note(.removed, who)
        case .left(let who): note(.left, who)
        case .rejoined(let who): note(.rejoined, who)
        case .joined, .reset: note(.joined, [account.userID])
        case .renamed, .roles, .restored, .present: note(.other, [])
        }
    }

    private func perform(_ effect: Device.Effect) {
        switch effect {
        case .connect(let endpoint): connect(to: endpoint)
        case .disconnect:
            connection?.close()
            connection = nil
        case .send(let frame): connection?.write(frame)
        case .stateChanged(let message, let status): changed(message, status)
        case .sendRefused(let message, let error): failed(message, error.explanation.why)
        case .groupDone(let ticket, let outcome):
            if ticket == Ticket(1) {
                groups.append(outcome.conversation)
                history.note(name, .found(conversation: Self.name(of: outcome.conversation)))
            }
            progress.groupsDone.add(1, ordering: .relaxed)
        case .sessionChanged(.joined(let address)):
            name = address.description
            history.know(account.userID, as: name)
            progress.registered.add(1, ordering: .relaxed)
        case .sessionChanged(.joinRefused(let refusal)):
            progress.refused.withLock { $0 = "\(refusal.explanation)" }
        case .sessionChanged(.down(let failure)): lastFailure = failure.explanation.why
        case .sessionChanged(.up):
            progress.live.add(1, ordering: .relaxed)
            for partner in partners where !partners.isEmpty { pending.append(.contactDecided(partner, .accept)) }
        case .note(let note):
            // What honest nodes and members give no cause for; told beside what the checker finds.
            if case .undecryptable = note { break }
            progress.remarks.withLock { $0["\(note)", default: 0] += 1 }
            if Self.isVerbose { workbench.note("\(LoadClock.now.nanoseconds) \(name): \(note)") }
        default: break
        }
    }

    private func changed(_ message: MessageID, _ status: MessageStatus) {
        guard let before = open[message] else { return }
        waitsFor[message] = status.refusal.map { "\($0.code): \($0.explanation.why)" }
        let state: HistoryEvent.State
        switch status.state {
        case .queued: state = .queued
        case .sent: state = .sent
        case .accepted: state = .accepted
        case .delivered: state = .delivered
        case .read: state = .read
        case .failed:
            let reason = status.refusal.map { "\($0.explanation)" } ?? "no reason"
            return failed(message, reason, isCertain: status.refusal?.code.leavesOpen != true)
        }
        let place = places[message].flatMap { key in
            status.number.map { HistoryEvent.Place(Self.name(of: key.conversation), $0.value) }
        }
        if place != nil, let key = places[message] { spoken.insert(key.conversation) }
        history.note(name, .ok(message: Self.name(of: message), state, place, chain: nil))
        if before < .accepted, status.state >= .accepted { unnumbered -= 1 }
        open[message] = status.state
        // A group's message that a member has lost ends there (docs/protocol/conversations.md §5).
        if status.state >= .delivered || status.state == .accepted && status.refusal?.code == .expired { settled(message) }
    }

    /// - Parameter isCertain: it will never appear; else it may have.
    private func failed(_ message: MessageID, _ reason: String, isCertain: Bool = true) {
        guard let before = open[message] else { return }
        if before < .accepted { unnumbered -= 1 }
        let id = Self.name(of: message)
        history.note(name, isCertain ? .fail(message: id, reason: reason) : .info(message: id, reason: reason))
        settled(message)
    }

    private func settled(_ message: MessageID) {
        open[message] = nil
        waitsFor[message] = nil
        places[message] = nil
        progress.settled.add(1, ordering: .relaxed)
    }

    // MARK: The network

    private func connect(to endpoint: Endpoint) {
        connection?.close()
        let connection = LoadConnection { [weak self] connection, event in
            guard let self, self.connection === connection else { return }
            switch event {
            case .opened(let hash): self.take([.connected(certificateHash: hash)])
            case .frames(let frames):
                for case .keyPackages(_, let answers) in frames { self.count(answers.flatMap(\.packages)) }
                self.take(frames.map { .received($0) })
            case .closed(let reason):
                self.connection = nil
                self.take([.connectionLost(reason)])
            }
        }
        self.connection = connection
        // A node bounds what one address may have pending (`Limits.connectionsPendingPerAddressMax`), so users come from many.
        let source = endpoint.isLoopback ? "127.0.1.\(1 + index % 32)" : "0.0.0.0"
        let (tls, loop) = (tls, loop)
        loop.execute { connection.open(to: endpoint, from: source, over: tls, on: loop) }
    }

    private func count(_ packages: [[UInt8]]) {
        for bytes in packages {
            guard let message = try? MLSMessage(bytes), case .keyPackage(let package) = message.body, !package.isLastResort else {
                continue
            }
            progress.packages.withLock { $0[Hash.blake2b(bytes).bytes, default: 0] += 1 }
        }
    }

    private func arm() {
        guard let due = device?.nextDeadline else { return }
        if let timerDue, timerDue <= due { return }
        timer?.cancel()
        timerDue = due
        timer = loop.assumeIsolated().scheduleTask(in: .nanoseconds(max((due - clock).nanoseconds, 0))) { [weak self] in
            guard let self else { return }
            (self.timer, self.timerDue) = (nil, nil)
            guard let deadline = self.device?.nextDeadline else { return }
            if deadline <= self.clock { self.take([.deadlineReached]) } else { self.arm() }
        }
    }
}
