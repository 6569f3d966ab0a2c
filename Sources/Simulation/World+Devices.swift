public import ClientCore
internal import Cryptography
internal import Federation
public import MLS
public import Vocabulary

/// What a device's disk holds: what was committed survives its crashes.
public struct SimulatedProfile: Sendable {
    public internal(set) var account: Account
    public internal(set) var settings: Settings?
    public internal(set) var contacts: [UserID: Contact] = [:]
    public internal(set) var conversations: [ConversationID: Conversation] = [:]
    public internal(set) var outbox: [MessageID: OutboxItem] = [:]
    var groups: [ConversationID: StoredGroup] = [:]
    var pending: [ConversationID: [UInt8]] = [:]
    var keyPackages: [[UInt8]: [UInt8]] = [:]
    public internal(set) var receipts: [ConversationID: [DeviceID: ReceiptLine]] = [:]
    var order = SubmissionOrder()
    public internal(set) var welcomes: [ConversationKey: UnfinishedWelcome] = [:]
    /// In the order in which it came; what came twice is kept once, as in the real store.
    public internal(set) var history: [MessageRecord] = []
    var rows: [[UInt8]: Int] = [:]
    public internal(set) var states: [MessageID: MessageState] = [:]
    public internal(set) var alarms: [AlarmRecord] = []

    init(account: Account) { self.account = account }

    /// Everything through its stored form, so that what cannot be decoded is found.
    package func snapshot() throws -> DeviceSnapshot {
        var snapshot = DeviceSnapshot(account: try Account(decoding: account.encoded()))
        snapshot.settings = try settings.map { try Settings(decoding: $0.encoded()) }
        snapshot.contacts = try contacts.sorted { $0.key < $1.key }.map { try Contact(decoding: $0.value.encoded()) }
        snapshot.conversations = try conversations.sorted { $0.key < $1.key }.map { try Conversation(decoding: $0.value.encoded()) }
        snapshot.outbox = try outbox.values.sorted { $0.order < $1.order }.map { try OutboxItem(decoding: $0.encoded()) }
        (snapshot.groups, snapshot.pending) = (groups, pending)
        snapshot.welcomes = try welcomes.sorted { $0.key < $1.key }.map { try UnfinishedWelcome(decoding: $0.value.encoded()) }
        snapshot.order = try SubmissionOrder(decoding: order.encoded())
        snapshot.keyPackages = keyPackages.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
        for (id, lines) in receipts.sorted(by: { $0.key < $1.key }) {
            for line in lines.sorted(by: { $0.key < $1.key }) {
                snapshot.receipts.append((id, try ReceiptLine(decoding: line.value.encoded())))
            }
        }
        return snapshot
    }

    /// - Returns: false for a message that is there already.
    @discardableResult
    package mutating func commit(_ write: ClientWrite) -> Bool {
        switch write {
        case .account(let account): self.account = account
        case .settings(let settings): self.settings = settings
        case .contact(let contact): contacts[contact.user] = contact
        case .conversation(let conversation): conversations[conversation.id] = conversation
        case .message(let record):
            if let index = rows[record.rowKey], record.isOutgoing {
                history[index] = record
            } else if let index = rows[record.rowKey] {
                guard record.reveals(history[index]) else { return false }
                history.remove(at: index)
                history.append(record)
                for (index, record) in history.enumerated() { rows[record.rowKey] = index }
            } else {
                rows[record.rowKey] = history.count
                history.append(record)
                states[record.message] = record.status.state
            }
        case .status(let message, let status): states[message] = status.state
        case .conversationRemoved(let id): conversations[id] = nil
        case .outbox(let item): outbox[item.message] = item
        case .outboxRemoved(let message): outbox[message] = nil
        case .alarm(let alarm): alarms.append(alarm)
        case .group(let id, let delta): groups[id, default: StoredGroup()].apply(delta)
        case .pending(let id, let bytes): pending[id] = bytes
        case .keyPackage(let reference, let bytes): keyPackages[reference] = bytes
        case .receipts(let id, let device, let line): receipts[id, default: [:]][device] = line
        case .order(let order): self.order = order
        case .welcome(let key, let one): welcomes[key] = one
        }
        return true
    }
}

struct SimulatedDevice {
    var disk: SimulatedProfile
    /// States in the order in which the shell would have told them.
    var told: [(message: MessageID, state: MessageState)] = []
    /// What the shell would have been told otherwise, in order.
    var heard: [Device.Effect] = []
    /// Shows what comes as it comes, as `receive --follow` does.
    var isReading = true
    /// Accepts whoever writes, as soon as the writer has a name.
    var isTrusting = true
    let home: Int
    var core: Device?
    /// The core's, as of its last step: to ask it where it stands would copy it.
    var deadline: Instant?
    var life = 0
    var wokenAt: Instant?
    /// In a row.
    var futileWakes = 0
    var wire: UInt64?
    var clockError = Duration.zero
}

extension World {
    /// A new user of a node, who registers as soon as the world runs.
    public mutating func addUser(_ handle: String, at node: Int) throws -> Int {
        guard var core = nodes[node].core else { throw WorldError.nodeIsDown }
        let effects =
            core.step(.admin(RequestID(1), .createInvitation(uses: 1, expires: wall + .days(1))), at: now, using: &random)
            + core.step(.batchEnded, at: now, using: &random)
        nodes[node].core = core
        try nodes[node].store.commit(effects.compactMap { if case .write(let write) = $0 { write } else { nil } })
        for case .answer(_, .success(.invitation(let text))) in effects {
            guard let link = InvitationLink(text) else { continue }
            devices.append(
                SimulatedDevice(
                    disk: SimulatedProfile(account: Account(link: link, handle: try Handle(handle), using: &random)), home: node))
            let account = devices[devices.count - 1].disk.account
            recorder?.name(devices.count - 1, account.userID, "\(handle)@node\(node)")
            start(device: devices.count - 1)
            return devices.count - 1
        }
        throw WorldError.noInvitation
    }

    public enum WorldError: Error { case nodeIsDown, noInvitation }

    public func address(_ device: Int) -> Address? { devices[device].disk.account.address }
    /// Joined, and others can add the user.
    public func isMember(_ device: Int) -> Bool { devices[device].disk.account.isMember && devices[device].core?.isStocked == true }
    public func history(_ device: Int) -> [MessageRecord] { devices[device].disk.history }
    public func state(_ message: MessageID, at device: Int) -> MessageState? { devices[device].disk.states[message] }
    public func told(_ device: Int) -> [(message: MessageID, state: MessageState)] { devices[device].told }
    public func heard(_ device: Int) -> [Device.Effect] { devices[device].heard }
    public func alarms(_ device: Int) -> Int { devices[device].disk.alarms.count }
    /// What is not yet numbered.
    public func outboxCount(_ device: Int) -> Int { devices[device].disk.outbox.values.count { !$0.isNumbered } }
    public func profile(_ device: Int) -> SimulatedProfile { devices[device].disk }
    /// The group as a device has stored it, secrets and all.
    public func group(_ id: ConversationID, at device: Int) -> Group? {
        devices[device].disk.groups[id].flatMap { try? Group(restoring: $0) }
    }
    /// Whether a device waits for something that is missing: of its memory, not of its disk.
    package func heldBytes(_ device: Int) -> Int { devices[device].core?.conversations.heldBytes ?? 0 }
    public func lacks(_ id: ConversationID, at device: Int) -> Bool { devices[device].core?.conversations[id]?.hasHole ?? false }
    /// Seconds since 1970, as MLS asks for them.
    public var seconds: UInt64 { wall.seconds }
    public func members(of id: ConversationID, at device: Int) -> [RosterEntry] {
        guard var core = devices[device].core else { return [] }
        return core.members(of: id)
    }

    /// Whether a device shows what comes to it, as soon as it comes.
    public mutating func setReading(_ isReading: Bool, device: Int) { devices[device].isReading = isReading }

    public mutating func setTrusting(_ isTrusting: Bool, device: Int) { devices[device].isTrusting = isTrusting }

    /// Puts a copy of a profile in place of the one on disk, as somebody does who restores a backup.
    public mutating func restore(_ profile: SimulatedProfile, device index: Int) {
        if devices[index].core != nil {
            devices[index].core = nil
            devices[index].life += 1
            if let wire = devices[index].wire { close(wire: wire) }
            devices[index].wire = nil
        }
        devices[index].disk = profile
        recorder?.restored(index, at: now)
        start(device: index)
    }

    /// Whatever a user can do, done at once.
    public mutating func tell(_ input: Device.Input, to device: Int) { turn(device: device, [input]) }

    /// - Returns: the message's id; nil when the device is down.
    public mutating func send(_ text: String, from device: Int, to address: Address) -> MessageID? {
        send(text, from: device, to: .address(address))
    }

    public mutating func send(_ text: String, from device: Int, to group: ConversationID) -> MessageID? {
        send(text, from: device, to: .group(group))
    }

    private mutating func send(_ text: String, from device: Int, to target: Target) -> MessageID? {
        guard devices[device].core != nil else { return nil }
        let message = MessageID.random(using: &random)
        recorder?.invoked(message, to: target, by: device, at: now)
        turn(
            device: device,
            [.sendRequested(OutgoingText(message: message, target: target, text: text, sent: wall(device: device)))])
        return message
    }

    mutating func start(device index: Int) {
        guard devices[index].core == nil, let snapshot = try? devices[index].disk.snapshot() else { return }
        devices[index].core = Device(snapshot)
        devices[index].life += 1
        devices[index].wokenAt = nil
        turn(device: index, [.sessionWanted])
    }

    public mutating func kill(device index: Int, for down: Duration) {
        guard devices[index].core != nil else { return }
        devices[index].core = nil
        devices[index].life += 1
        if let wire = devices[index].wire { close(wire: wire) }
        devices[index].wire = nil
        agenda.add(.restartDevice(index), at: now + down)
    }

    mutating func wake(device index: Int) {
        guard devices[index].wokenAt == now else { return }
        devices[index].wokenAt = nil
        guard devices[index].core != nil, let deadline = devices[index].deadline else { return }
        guard deadline <= now else { return arm(device: index) }
        turn(device: index, [.deadlineReached])
        let isOverdue = devices[index].core != nil && devices[index].deadline.map { $0 <= now } ?? false
        devices[index].futileWakes = isOverdue ? devices[index].futileWakes + 1 : 0
        noteFutile(devices[index].futileWakes, of: recorder?.name(of: index) ?? "device\(index)")
    }

    private mutating func arm(device index: Int) {
        guard devices[index].core != nil, let deadline = devices[index].deadline else { return }
        let time = max(deadline, now + .microseconds(100))
        if let woken = devices[index].wokenAt, woken <= time { return }
        devices[index].wokenAt = time
        agenda.add(.wakeDevice(index, life: devices[index].life), at: time)
    }

    mutating func turn(device index: Int, _ inputs: [Device.Input]) {
        guard var core = devices[index].core.take() else { return }
        record(inputs, at: index)
        if case .connectionLost? = inputs.first { devices[index].wire = nil }
        var effects = core.step(.wallClockRead(wall(device: index)), at: now, using: &random)
        for input in inputs { effects += core.step(input, at: now, using: &random) }
        effects += core.step(.batchEnded, at: now, using: &random)
        devices[index].deadline = core.nextDeadline
        devices[index].core = core
        if isSpoiled(effects, of: index) { return kill(device: index, for: .seconds(1)) }
        var shown: [ConversationID: SequenceNumber] = [:]
        for effect in effects {
            guard case .write(let write) = effect, !isForgotten(write, of: index) else { continue }
            let isNew = devices[index].disk.commit(write)
            record(write, isNew: isNew, of: index)
            if case .message(let record) = write, !record.isOutgoing, !record.isRequest, let key = record.conversation,
                let number = record.status.number
            {
                shown[key.conversation] = max(shown[key.conversation] ?? .zero, number)
            }
        }
        for effect in effects { perform(effect, of: index) }
        arm(device: index)
        var next: [Device.Input] = []
        if devices[index].isTrusting {
            for (address, one) in strangers(of: index) {
                next.append(.contactDecided(address, .accept))
                // Who accepts has read what the request said.
                if devices[index].isReading { shown[one.id] = max(shown[one.id] ?? .zero, one.head) }
            }
        }
        if devices[index].isReading { next += shown.sorted { $0.key < $1.key }.map { .shown($0.key, through: $0.value) } }
        if !next.isEmpty { turn(device: index, next) }
    }

    private func strangers(of index: Int) -> [(address: Address, conversation: Conversation)] {
        let disk = devices[index].disk
        return disk.conversations.values.filter { $0.standing == .request }.compactMap { one in
            one.profile.peer(of: disk.account.userID).flatMap { disk.contacts[$0]?.address }.map { (address: $0, conversation: one) }
        }.sorted { ($0.address, $0.conversation.id) < ($1.address, $1.conversation.id) }
    }

    mutating func perform(_ effect: Device.Effect, of index: Int) {
        switch effect {
        case .write, .messagesArrived: break
        case .sendRefused, .contactFound, .contactRefused, .sessionChanged, .note, .groupBegun, .groupDone, .groupRefused, .receipt,
            .presence, .typing, .hole, .stateChanged:
            // Long runs would gather all that was ever said.
            if recorder != nil { return record(effect, of: index) }
            if case .stateChanged(let message, let status) = effect {
                devices[index].told.append((message, status.state))
            } else {
                devices[index].heard.append(effect)
            }
        case .connect: connect(device: index)
        case .disconnect:
            guard let wire = devices[index].wire else { return }
            devices[index].wire = nil
            close(wire: wire, except: .device(index))
        case .send(let frame):
            guard let wire = devices[index].wire, case .session(let node, let session)? = wires[wire]?.ends[0] else { return }
            for frame in spoiled(plot?(index, frame) ?? [frame], of: index) {
                agenda.add(.node(node, life: nodes[node].life, .sessionFrame(session, frame)), at: arrival(on: wire, at: 0))
            }
        }
    }

    private mutating func connect(device index: Int) {
        let (node, life) = (devices[index].home, devices[index].life)
        guard nodes[node].core != nil else {
            return agenda.add(.device(index, life: life, wire: nil, .connectionLost("refused")), at: now + .milliseconds(1))
        }
        guard !isBlocked(node, host(device: index)) else {
            return agenda.add(.device(index, life: life, wire: nil, .connectionLost("time-out")), at: now + .seconds(3))
        }
        let wire = nextWire
        nextWire += 1
        let session = SessionID(wire)
        wires[wire] = Wire(ends: [.session(node, session), .device(index)])
        nodes[node].wireOfSession[session] = wire
        devices[index].wire = wire
        agenda.add(.node(node, life: nodes[node].life, .sessionOpened(session)), at: arrival(on: wire, at: 0))
        agenda.add(
            .device(index, life: life, wire: wire, .connected(certificateHash: Self.certificateHash)), at: arrival(on: wire, at: 1))
    }
}
