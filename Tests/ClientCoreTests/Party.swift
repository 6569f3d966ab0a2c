import ClientCore
import Cryptography
import Vocabulary

/// A device with its store and its connection, and what it was told.
struct Party {
    var device: Device
    var store: [String: ClientWrite] = [:]
    var random: SeededGenerator
    var now = Instant.start
    var isConnected = false
    var told: [MessageID: [MessageStatus]] = [:]
    var refused: [MessageID: SendError] = [:]
    var shown: [MessageRecord] = []
    var alarms: [Alarm] = []
    var changes: [SessionChange] = []
    var notes: [DeviceNote] = []
    var contactAnswers: [Ticket: Result<Contact, Refusal>] = [:]
    /// Frames on their way to the node, and the queue entries it has had pushed.
    var outgoing: [ClientFrame] = []
    var pushed: QueuePosition = .zero

    init(_ handle: String, at home: HomeDouble, seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        let account = Account(link: home.link(), handle: try Handle(handle), using: &random)
        store["account"] = .account(account)
        device = Device(DeviceSnapshot(account: account))
    }

    var id: DeviceID { device.account.deviceID }

    mutating func feed(_ inputs: [Device.Input]) {
        var effects: [Device.Effect] = []
        for input in [.wallClockRead(Timestamp(milliseconds: 1_000_000))] + inputs + [.batchEnded] {
            effects += device.step(input, at: now, using: &random)
        }
        for effect in effects { perform(effect) }
    }

    private mutating func perform(_ effect: Device.Effect) {
        switch effect {
        case .write(let write): keep(write)
        case .connect: isConnected = true
        case .disconnect:
            isConnected = false
            outgoing = []
        case .send(let frame): outgoing.append(frame)
        case .stateChanged(let message, let status): told[message, default: []].append(status)
        case .sendRefused(let message, let error): refused[message] = error
        case .messagesArrived: break
        case .contactFound(let ticket, let contact): contactAnswers[ticket] = .success(contact)
        case .contactRefused(let ticket, let refusal): contactAnswers[ticket] = .failure(refusal)
        case .sessionChanged(let change): changes.append(change)
        case .note(let note): notes.append(note)
        }
    }

    private mutating func keep(_ write: ClientWrite) {
        switch write {
        case .account: store["account"] = write
        case .contact(let contact): store["contact \(contact.user.hex)"] = write
        case .conversation(let one): store["conversation \(one.key.conversation.hex)"] = write
        case .outbox(let item): store["outbox \(item.message.hex)"] = write
        case .outboxRemoved(let message): store["outbox \(message.hex)"] = nil
        case .message(let record):
            let key = "message \(Hex.encode(record.rowKey))"
            if !record.isOutgoing, store[key] == nil { shown.append(record) }
            if record.isOutgoing || store[key] == nil { store[key] = write }
        case .status: break
        case .alarm(let alarm, _, _): alarms.append(alarm)
        }
    }

    /// A crash: all that is not in the store is gone, and what is there has been through its stored form.
    mutating func restart() throws {
        var snapshot: DeviceSnapshot?
        for case .account(let account) in store.values { snapshot = DeviceSnapshot(account: try Account(decoding: account.encoded())) }
        guard var snapshot else { return }
        for key in store.keys.sorted() {
            switch store[key] {
            case .contact(let contact): snapshot.contacts.append(try Contact(decoding: contact.encoded()))
            case .conversation(let one): snapshot.conversations.append(try Conversation(decoding: one.encoded()))
            case .outbox(let item): snapshot.outbox.append(try OutboxItem(decoding: item.encoded()))
            default: break
            }
        }
        device = Device(snapshot)
        isConnected = false
        outgoing = []
        pushed = .zero
    }

    mutating func send(_ text: String, to address: String) throws -> MessageID {
        let id = MessageID.random(using: &random)
        let outgoing = OutgoingText(
            message: id, address: try Address(address), text: text, sent: Timestamp(milliseconds: 1_700_000_000_000))
        feed([.sendRequested(outgoing)])
        return id
    }

    func states(of message: MessageID) -> [MessageState] { (told[message] ?? []).map(\.state) }
    var texts: [String] { shown.compactMap { if case .incoming(let text) = $0.body { text } else { nil } } }
}

/// One node and its users; nothing moves but by `run`.
struct World {
    var home: HomeDouble
    var parties: [String: Party] = [:]

    init(_ handles: String...) throws {
        home = try HomeDouble(seed: 1)
        for (index, handle) in handles.enumerated() { parties[handle] = try Party(handle, at: home, seed: UInt64(index) + 10) }
    }

    subscript(_ handle: String) -> Party {
        get { parties[handle]! }
        set { parties[handle] = newValue }
    }

    mutating func connect(_ handle: String) {
        self[handle].feed([.sessionWanted])
        guard self[handle].isConnected else { return }
        self[handle].pushed = .zero
        self[handle].feed([.connected(certificateHash: HomeDouble.certificateHash)])
        run()
    }

    mutating func disconnect(_ handle: String) {
        self[handle].isConnected = false
        self[handle].outgoing = []
        self[handle].feed([.connectionLost("test")])
    }

    /// Carries frames until nobody has anything to say.
    mutating func run() {
        var isMoving = true
        while isMoving {
            isMoving = false
            for handle in parties.keys.sorted() where self[handle].isConnected {
                let frames = self[handle].outgoing
                self[handle].outgoing = []
                var answers: [NodeFrame] = []
                for frame in frames {
                    let answer = home.answer(frame, from: self[handle].id)
                    for case .entry(let position, _) in answer { self[handle].pushed = max(self[handle].pushed, position) }
                    answers += answer
                }
                if self[handle].device.isLive {
                    for (position, item) in home.queues[self[handle].id] ?? [] where position > self[handle].pushed {
                        self[handle].pushed = position
                        answers.append(.entry(position, item))
                    }
                }
                guard !frames.isEmpty || !answers.isEmpty else { continue }
                isMoving = true
                if !answers.isEmpty { self[handle].feed(answers.map { .received($0) }) }
            }
        }
    }

    mutating func send(_ text: String, from handle: String, to address: String) throws -> MessageID {
        let id = try self[handle].send(text, to: address)
        run()
        return id
    }
}
