public import ClientCore
internal import Cryptography
internal import Federation
public import Vocabulary

/// A device with its profile: what was committed survives its crashes.
struct SimulatedDevice {
    var account: Account
    var contacts: [UserID: Contact] = [:]
    var conversations: [ConversationID: Conversation] = [:]
    var outbox: [MessageID: OutboxItem] = [:]
    var history: [MessageRecord] = []
    var states: [MessageID: MessageState] = [:]
    var alarms = 0
    /// States in the order in which the shell would have told them.
    var told: [(message: MessageID, state: MessageState)] = []
    let home: Int
    var core: Device?
    var life = 0
    var wokenAt: Instant?
    var wire: UInt64?

    var snapshot: DeviceSnapshot {
        DeviceSnapshot(
            account: account, contacts: contacts.sorted { $0.key < $1.key }.map(\.value),
            conversations: conversations.sorted { $0.key < $1.key }.map(\.value), outbox: outbox.values.sorted { $0.order < $1.order })
    }
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
            devices.append(SimulatedDevice(account: Account(link: link, handle: try Handle(handle), using: &random), home: node))
            start(device: devices.count - 1)
            return devices.count - 1
        }
        throw WorldError.noInvitation
    }

    public enum WorldError: Error { case nodeIsDown, noInvitation }

    public func address(_ device: Int) -> Address? { devices[device].account.address }
    public func isMember(_ device: Int) -> Bool { devices[device].account.isMember }
    public func history(_ device: Int) -> [MessageRecord] { devices[device].history }
    public func state(_ message: MessageID, at device: Int) -> MessageState? { devices[device].states[message] }
    public func told(_ device: Int) -> [(message: MessageID, state: MessageState)] { devices[device].told }
    public func alarms(_ device: Int) -> Int { devices[device].alarms }
    public func outboxCount(_ device: Int) -> Int { devices[device].outbox.count }

    /// - Returns: the message's id; nil when the device is down.
    public mutating func send(_ text: String, from device: Int, to address: Address) -> MessageID? {
        guard devices[device].core != nil else { return nil }
        let message = MessageID.random(using: &random)
        turn(device: device, [.sendRequested(OutgoingText(message: message, address: address, text: text, sent: wall))])
        return message
    }

    mutating func start(device index: Int) {
        guard devices[index].core == nil else { return }
        devices[index].core = Device(devices[index].snapshot)
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
        devices[index].wokenAt = nil
        guard let deadline = devices[index].core?.nextDeadline else { return }
        if deadline <= now { turn(device: index, [.deadlineReached]) } else { arm(device: index) }
    }

    private mutating func arm(device index: Int) {
        guard let deadline = devices[index].core?.nextDeadline else { return }
        let time = max(deadline, now + .microseconds(100))
        if let woken = devices[index].wokenAt, woken <= time { return }
        devices[index].wokenAt = time
        agenda.add(.wakeDevice(index, life: devices[index].life), at: time)
    }

    mutating func turn(device index: Int, _ inputs: [Device.Input]) {
        guard var core = devices[index].core else { return }
        devices[index].core = nil
        var effects = core.step(.wallClockRead(wall), at: now, using: &random)
        for input in inputs { effects += core.step(input, at: now, using: &random) }
        effects += core.step(.batchEnded, at: now, using: &random)
        devices[index].core = core
        for effect in effects { if case .write(let write) = effect { commit(write, to: index) } }
        for effect in effects { perform(effect, of: index) }
        arm(device: index)
    }

    private mutating func commit(_ write: ClientWrite, to index: Int) {
        switch write {
        case .account(let account): devices[index].account = account
        case .contact(let contact): devices[index].contacts[contact.user] = contact
        case .conversation(let conversation): devices[index].conversations[conversation.key.conversation] = conversation
        case .message(let record):
            devices[index].history.append(record)
            devices[index].states[record.message] = record.status.state
        case .status(let message, let status): devices[index].states[message] = status.state
        case .outbox(let item): devices[index].outbox[item.message] = item
        case .outboxRemoved(let message): devices[index].outbox[message] = nil
        case .alarm: devices[index].alarms += 1
        }
    }

    private mutating func perform(_ effect: Device.Effect, of index: Int) {
        switch effect {
        case .write, .sendRefused, .messagesArrived, .contactFound, .contactRefused, .sessionChanged, .note: break
        case .stateChanged(let message, let status): devices[index].told.append((message, status.state))
        case .connect: connect(device: index)
        case .disconnect:
            guard let wire = devices[index].wire else { return }
            devices[index].wire = nil
            close(wire: wire, except: .device(index))
        case .send(let frame):
            guard let wire = devices[index].wire, case .session(let node, let session)? = wires[wire]?.ends[0] else { return }
            agenda.add(.node(node, life: nodes[node].life, .sessionFrame(session, frame)), at: arrival(on: wire, at: 0))
        }
    }

    private mutating func connect(device index: Int) {
        let (node, life) = (devices[index].home, devices[index].life)
        guard nodes[node].core != nil else {
            return agenda.add(.device(index, life: life, .connectionLost("refused")), at: now + .milliseconds(1))
        }
        let wire = nextWire
        nextWire += 1
        let session = SessionID(wire)
        wires[wire] = Wire(ends: [.session(node, session), .device(index)])
        nodes[node].wireOfSession[session] = wire
        devices[index].wire = wire
        agenda.add(.node(node, life: nodes[node].life, .sessionOpened(session)), at: arrival(on: wire, at: 0))
        agenda.add(.device(index, life: life, .connected(certificateHash: Self.certificateHash)), at: arrival(on: wire, at: 1))
    }
}
