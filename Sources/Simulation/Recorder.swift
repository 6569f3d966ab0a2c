internal import ClientCore
public import Histories
public import Vocabulary

/// Writes down what happens at the devices, in the one format of histories, and hands it to the judge as it comes.
public struct Recorder {
    public private(set) var checker: HistoryChecker
    /// Hears every event too.
    public var sink: (@Sendable (HistoryEvent) -> Void)?
    public private(set) var count = 0
    private var names: [String] = []
    private var addresses: [UserID: String] = [:]
    /// Of messages of our own.
    private var places: [MessageID: (conversation: ConversationID?, number: UInt64?)] = [:]
    private var heads: [[ConversationID: SequenceNumber]] = []

    public init(_ rules: HistoryRules = HistoryRules(isExact: true)) { checker = HistoryChecker(rules) }

    public mutating func note(_ what: HistoryEvent.What, of client: String, at now: Instant) {
        let event = HistoryEvent(now.nanoseconds, client, what)
        count += 1
        checker.take(event)
        sink?(event)
    }

    public mutating func conclude() -> [Violation] { checker.conclude() }

    mutating func name(_ device: Int, _ user: UserID, _ address: String) {
        names.append(address)
        heads.append([:])
        addresses[user] = address
    }

    public func name(of device: Int) -> String { names[device] }
    private func address(_ user: UserID) -> String { addresses[user] ?? user.hex }

    // MARK: What devices do

    mutating func invoked(_ message: MessageID, to target: Target, by device: Int, at now: Instant) {
        switch target {
        case .address(let address):
            places[message] = (nil, nil)
            note(.invoke(message: message.hex, to: .user("\(address)")), of: names[device], at: now)
        case .group(let id):
            places[message] = (id, nil)
            note(.invoke(message: message.hex, to: .group(id.hex)), of: names[device], at: now)
        }
    }

    mutating func restored(_ device: Int, at now: Instant) {
        heads[device] = [:]
        note(.restored, of: names[device], at: now)
    }

    mutating func came(_ conversation: Conversation, at device: Int, _ now: Instant) {
        let known = heads[device][conversation.id]
        if known == nil, conversation.head == .zero, !conversation.profile.isDirect {
            note(.found(conversation: conversation.id.hex), of: names[device], at: now)
        }
        let isIn = conversation.standing != .removed && conversation.standing != .broken
        guard isIn, conversation.head > known ?? .zero || known == nil else { return }
        heads[device][conversation.id] = conversation.head
        guard conversation.head > .zero else { return }
        let place = HistoryEvent.Place(conversation.id.hex, conversation.head.value)
        note(.head(place, chain: String(conversation.chain.hex.prefix(16))), of: names[device], at: now)
    }

    mutating func stored(_ record: MessageRecord, at device: Int, _ now: Instant) {
        guard let key = record.conversation else { return }
        let id = key.conversation
        if record.isOutgoing {
            // An old copy of its sender can begin another conversation with it.
            let known = places[record.message]
            places[record.message] = (id, known?.conversation == id ? known?.number : nil)
            return
        }
        guard let number = record.status.number else { return }
        let place = HistoryEvent.Place(id.hex, number.value)
        switch record.body {
        case .outgoing: break
        case .incoming:
            note(
                .show(message: record.message.hex, author: record.author.map { address($0) } ?? "?", place), of: names[device], at: now)
        case .undecryptable(let reason): note(.tombstone(place, reason: reason), of: names[device], at: now)
        case .membership(let change):
            // A direct conversation is its two users', whatever their devices do; but who came back in tells that it lacks something.
            if case .rejoined = change {} else { guard case .group = record.peer else { return } }
            let (kind, who): (HistoryEvent.Change, [UserID]) =
                switch change {
                case .added(let who): (.added, who)
                case .removed(let who): (.removed, who)
                case .left(let who): (.left, who)
                case .rejoined(let who): (.rejoined, who)
                case .joined, .reset: (.joined, [])
                case .renamed, .roles, .restored, .present: (.other, [])
                }
            note(.change(place, kind, who: who.map { address($0) }.sorted()), of: names[device], at: now)
        }
    }

    mutating func changed(_ message: MessageID, _ status: MessageStatus, at device: Int, _ now: Instant) {
        guard let known = places[message] else { return }
        let number = status.number?.value ?? known.number
        places[message] = (known.conversation, number)
        guard let state = HistoryEvent.State(name: status.state.name) else {
            let reason = status.refusal?.detail ?? ""
            let isCertain = status.refusal?.code.leavesOpen != true
            return note(
                isCertain ? .fail(message: message.hex, reason: reason) : .info(message: message.hex, reason: reason), of: names[device],
                at: now)
        }
        let place = number.flatMap { number in known.conversation.map { HistoryEvent.Place($0.hex, number) } }
        note(.ok(message: message.hex, state, place), of: names[device], at: now)
    }

    mutating func refused(_ message: MessageID, at device: Int, _ now: Instant) {
        guard places[message] != nil else { return }
        note(.fail(message: message.hex, reason: "refused"), of: names[device], at: now)
    }

    mutating func heard(_ news: ReceiptNews, at device: Int, _ now: Instant) {
        guard let number = news.messages.compactMap({ places[$0]?.number }).max(), let state = HistoryEvent.State(name: news.state.name)
        else { return }
        let place = HistoryEvent.Place(news.conversation.hex, number)
        note(.receipt(place, by: address(news.by.user), state), of: names[device], at: now)
    }

    mutating func alarmed(_ alarm: AlarmRecord, at device: Int, _ now: Instant) {
        note(
            .alarm(alarm.alarm.name, conversation: alarm.key.conversation.hex, number: alarm.number?.value), of: names[device], at: now)
    }
}

extension World {
    mutating func record(_ write: ClientWrite, isNew: Bool, of device: Int) {
        guard recorder != nil else { return }
        switch write {
        case .message(let record):
            guard isNew else { return }
            for record in spoiled(record, of: device) { recorder?.stored(record, at: device, now) }
        case .conversation(let conversation): recorder?.came(conversation, at: device, now)
        case .alarm(let alarm): recorder?.alarmed(alarm, at: device, now)
        case .account, .settings, .contact, .conversationRemoved, .status, .outbox, .outboxRemoved, .group, .pending, .keyPackage,
            .receipts, .order, .welcome:
            break
        }
    }

    mutating func record(_ effect: Device.Effect, of device: Int) {
        switch effect {
        case .stateChanged(let message, let status):
            let told = spoiled(status)
            recorder?.changed(message, told, at: device, now)
        case .sendRefused(let message, _): recorder?.refused(message, at: device, now)
        case .receipt(let news): recorder?.heard(news, at: device, now)
        case .write, .connect, .disconnect, .send, .messagesArrived, .contactFound, .contactRefused, .groupBegun, .groupDone, .groupRefused,
            .presence, .typing, .hole, .sessionChanged, .note:
            break
        }
    }
}
