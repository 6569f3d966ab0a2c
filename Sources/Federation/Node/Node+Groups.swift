package import Vocabulary

/// What a node keeps, in memory alone, of conversations' requests and receipts under way.
struct ConversationTraffic: Sendable {
    /// Changes whenever directory or membership may say another thing about where devices live.
    var places: UInt64 = 1
    var gathered = GatheredWatermarks()
    var requests = GroupRequests()
    /// How often a device may ask for a group.
    var fetches = Buckets<DeviceID>(rate: 1, burst: 100)
    /// By whom they are for: more would fill the way to it.
    var signals = Buckets<DeviceID>(rate: Limits.signalsPerSecond, burst: Limits.signalBurst)
    /// By who says them: more would keep links, and hubs, busy with what nobody is shown.
    var signalsSaid = Buckets<DeviceID>(rate: Limits.signalsPerSecond, burst: Limits.signalBurst)
    /// How often a device may ask for what it lacks, and be told that there is no such conversation.
    var refetchesAsked = Buckets<DeviceID>(rate: Limits.refetchesPerSecond, burst: Limits.refetchBurst)
    var refetchesRefused = Buckets<DeviceID>(rate: Limits.refusedRefetchesPerSecond, burst: Limits.refusedRefetchBurst)

    /// Founding, commits and proposals: each costs the hub milliseconds in a large group, also where it is refused.
    var handshakes = Buckets<DeviceID>(rate: 10, burst: 200)
    /// Conversations that users found: each stays.
    var foundings = Buckets<UserID>(rate: Limits.foundingsPerSecond, burst: Limits.foundingBurst)
    /// What devices have asked to have once more and waits behind what is being read for them.
    var refetches: [DeviceID: [Refetch]] = [:]

    struct Refetch: Sendable {
        let key: ConversationKey
        let from, through: SequenceNumber
    }

    var nextDeadline: Instant? { [gathered.nextDeadline, requests.nextDeadline].compactMap { $0 }.min() }
}

// What a device needs to come back into a conversation, and what it lacks of one (docs/protocol/hub.md, "Coming back").
extension Node {
    // MARK: For a session

    mutating func fetchGroup(_ session: SessionID, _ request: RequestID, _ key: ConversationKey, by device: RosterEntry) {
        if key.hub == id {
            switch parcel(key, for: device) {
            case .success(let parts): for part in parts { out.append(.sendSession(session, .group(request, part))) }
            case .failure(let refusal): out.append(.sendSession(session, .refusedRequest(request, refusal)))
            }
            return
        }
        guard traffic.requests.hasRoom(for: session) else {
            return out.append(.sendSession(session, .refusedRequest(request, Refusal(.rateLimited, "Too many requests are under way."))))
        }
        if let refusal = self.refusal(forHub: key.hub) { return out.append(.sendSession(session, .refusedRequest(request, refusal))) }
        guard let link = links.link(to: key.hub) else {
            dial(key.hub)
            return out.append(.sendSession(session, .refusedRequest(request, Self.hubUnreachable)))
        }
        let mine = RequestID(nextLookup)
        nextLookup += 1
        traffic.requests.add(mine, .init(session: session, request: request, node: key.hub), at: now)
        out.append(.sendLink(link, .fetchGroup(mine, key, by: device)))
    }

    private static let hubUnreachable = Refusal(.busy, "The conversation's hub cannot be reached now.")

    mutating func received(_ part: AnswerPart, to request: RequestID, from peer: NodeID) {
        guard let waiting = traffic.requests.take(part, of: request, from: peer, at: now) else { return }
        out.append(.sendSession(waiting.session, .group(waiting.request, part)))
    }

    mutating func groupRefused(_ request: RequestID, _ refusal: Refusal, from peer: NodeID) {
        guard let waiting = traffic.requests[request], waiting.node == peer else { return }
        traffic.requests.remove(request)
        out.append(.sendSession(waiting.session, .refusedRequest(waiting.request, refusal)))
    }

    /// Gives requests up that have waited too long, or whose node is gone.
    mutating func giveUpGroupRequests(to gone: NodeID? = nil) {
        for waiting in traffic.requests.removeOverdue(at: now, of: gone) {
            out.append(.sendSession(waiting.session, .refusedRequest(waiting.request, Self.hubUnreachable)))
        }
    }

    // MARK: At the hub

    private mutating func parcel(_ key: ConversationKey, for device: RosterEntry) -> Result<[AnswerPart], Refusal> {
        guard traffic.fetches.take(device.device, at: now) else { return .failure(Refusal(.rateLimited, "The device asks too often.")) }
        if let refusal = recover(key.conversation) { return .failure(refusal) }
        return hub.parcel(key.conversation, for: device).map { .success($0) } ?? .failure(.unknownConversation)
    }

    mutating func answerGroup(_ request: RequestID, _ key: ConversationKey, by device: RosterEntry, on link: LinkID, from peer: NodeID) {
        guard key.hub == id, directory.home(of: device.user) == peer else {
            return out.append(.sendLink(link, .refusedRequest(request, .unknownConversation)))
        }
        switch parcel(key, for: device) {
        case .success(let parts): for part in parts { out.append(.sendLink(link, .group(request, part))) }
        case .failure(let refusal): out.append(.sendLink(link, .refusedRequest(request, refusal)))
        }
    }

    /// A device of ours asks. What is beyond the rate is dropped, as if its hub could not be reached: it asks again, or sees at the next event
    /// what it lacks.
    mutating func refetch(_ key: ConversationKey, from: SequenceNumber, through: SequenceNumber, by device: RosterEntry) {
        guard traffic.refetchesAsked.take(device.device, at: now),
            queues.entries(onAccountOf: .answers(device.user, of: key.hub)) < Limits.queueForRefusedRefetchMax
        else { return count("refetches_dropped") }
        if key.hub != id {
            guard let link = links.link(to: key.hub) else { return }
            out.append(.sendLink(link, .refetch(key, by: device.device, from: from, through: through)))
        } else if hub.contains(device, in: key.conversation) {
            refetch(key, by: device, from: from, through: through)
        } else {
            refuseRefetch(key, by: device.device, of: device.user, at: id)
        }
    }

    /// Events that a device lacks, out of the log once more. Not into a queue that is full: it has enough to read.
    mutating func refetch(_ key: ConversationKey, by device: RosterEntry, from: SequenceNumber, through: SequenceNumber) {
        guard key.hub == id, !isSpaceLow, let home = directory.home(of: device.user), membership.evaluation.isMember(home),
            queues.refusal(for: home == id ? .device(device.device) : .node(home)) == nil,
            traffic.refetches[device.device, default: []].count < Limits.refetchesWaitingMax
        else { return count("refetches_dropped") }
        let isIdle = traffic.refetches[device.device] == nil
        traffic.refetches[device.device, default: []].append(.init(key: key, from: from, through: through))
        if isIdle { reread([], for: device) }
    }

    /// A bounded number of bytes at a time, and for one question of a device at a time: it asks in a line for what takes megabytes.
    /// - Parameter rest: of the question that is being answered; then the next one's turn comes.
    private mutating func reread(_ rest: [EventKey], for device: RosterEntry) {
        var keys = rest
        while keys.isEmpty {
            guard let next = traffic.refetches[device.device]?.first else {
                traffic.refetches[device.device] = nil
                return
            }
            traffic.refetches[device.device]?.removeFirst()
            keys = hub.stored(next.key.conversation, for: device, from: next.from, through: next.through)
        }
        out.append(.load(.events(keys, for: device)))
    }

    /// A conversation that this hub does not have, or not with this device: after a restoration that may be news, so it is said. Not while
    /// the members have still to say who is in it, nor more often than anybody needs to hear it, nor where much else waits: it is an entry that
    /// stays, for a question that cost nothing.
    /// - Parameter user: known of a device of ours.
    mutating func refuseRefetch(_ key: ConversationKey, by device: DeviceID, of user: UserID? = nil, at home: NodeID) {
        guard key.hub == id, !hub.isAsleep(key.conversation), !hub.isRecovering(key.conversation), !isSpaceLow,
            queues.refusal(for: home == id ? .device(device) : .node(home)) == nil,
            home == id || queues.count(of: .node(home)) < Limits.queueForRefusedRefetchMax,
            traffic.refetchesRefused.take(device, at: now)
        else { return count("refetches_dropped") }
        let failure = Failure(key: key, message: MessageID(raw: Bytes16(0, 0)), refusal: .unknownConversation)
        if home == id {
            enqueue(.failed(failure), for: device, on: user.map { .answers($0, of: id) })
        } else {
            enqueue(.failed(failure, device: device), for: home)
        }
    }

    mutating func refetched(_ page: LogPage, for device: RosterEntry) {
        var rest = page.rest
        defer { reread(rest, for: device) }
        for (key, bytes) in page.events {
            guard let home = directory.home(of: device.user), !isSpaceLow,
                queues.refusal(for: home == id ? .device(device.device) : .node(home)) == nil
            else {
                // It has enough to read.
                rest = []
                traffic.refetches[device.device] = []
                return
            }
            // It may have left since they were read; and when all have it an event is gone from the disk, where no queue may refer to it.
            guard hub.contains(device, in: key.conversation.conversation) else {
                rest = []
                return
            }
            guard hub.holds(key) else { continue }
            if key.part == 0 {
                guard let stored = try? StoredEvent(decoding: bytes) else { continue }
                if home == id {
                    enqueue(.event(stored.envelope), for: device.device)
                } else {
                    enqueue(.event(stored.envelope, recipients: [device.device]), for: home)
                }
            } else {
                guard let stored = try? StoredWelcome(decoding: bytes) else { continue }
                if home == id {
                    enqueue(.welcome(stored.part), for: device.device)
                } else {
                    enqueue(.welcome(stored.part, recipients: [device.device]), for: home)
                }
            }
        }
    }

    // MARK: Signals

    /// Of the moment: to whoever is connected, and never stored.
    mutating func signal(_ signal: Signal, from device: RosterEntry) {
        guard signal.sender == device else { return }
        guard traffic.signalsSaid.take(device.device, at: now) else { return count("signals_dropped") }
        if signal.key.hub == id { return relay(signal) }
        guard let link = links.link(to: signal.key.hub) else { return }
        out.append(.sendLink(link, .signal(signal, recipients: [])))
    }

    mutating func receive(_ signal: Signal, for recipients: [DeviceID], from peer: NodeID) {
        if signal.key.hub == id, recipients.isEmpty, directory.home(of: signal.sender.user) == peer {
            // A home that means well passes on no more.
            guard hub.contains(signal.sender, in: signal.key.conversation), traffic.signalsSaid.take(signal.sender.device, at: now)
            else { return count("signals_dropped") }
            return relay(signal)
        }
        guard signal.key.hub == peer, signal.sealed.count <= Limits.sealedMarkBytesMax else { return }
        for device in recipients.prefix(Limits.signalledDevicesMax) { show(signal, to: device) }
    }

    private mutating func relay(_ signal: Signal) {
        let conversation = signal.key.conversation
        guard signal.sealed.count <= Limits.sealedMarkBytesMax, hub.contains(signal.sender, in: conversation),
            hub.rosterCount(of: conversation) <= Limits.signalledDevicesMax, let fanOut = fanOut(of: conversation)
        else { return }
        for device in fanOut.local where device != signal.sender.device { show(signal, to: device) }
        for share in fanOut.remote {
            let devices = share.devices.filter { $0 != signal.sender.device }
            if let link = links.link(to: share.node), !devices.isEmpty { out.append(.sendLink(link, .signal(signal, recipients: devices))) }
        }
    }

    private mutating func show(_ signal: Signal, to device: DeviceID) {
        guard !isBlocked(signal.key, for: device), case .session(let session)? = queues.receiver(of: .device(device)) else { return }
        guard traffic.signals.take(device, at: now) else { return count("signals_dropped") }
        out.append(.sendSession(session, .signal(signal)))
    }
}

extension SubmissionKind {
    /// Whether it takes the group's cryptography to judge it.
    var isHandshake: Bool {
        switch self {
        case .found, .commit, .proposal: true
        case .application, .testimony: false
        }
    }
}

// MARK: For tests

extension Node {
    package func hubEpoch(_ conversation: ConversationID) -> Epoch? { hub.epoch(of: conversation) }
    package func hubRoster(_ conversation: ConversationID) -> [RosterEntry] { hub.roster(of: conversation) }
    package func hubHead(_ conversation: ConversationID) -> SequenceNumber? { hub.head(of: conversation) }
    package var hubRecovering: Int { hub.recovering.count }
    package var orderer: Hub { hub }
    package func device(of session: SessionID) -> RosterEntry? { sessions.device(of: session) }
    package func health(of node: NodeID) -> MemberHealth? { liveness[node] }
    package func answered(_ user: UserID, by hub: NodeID) -> Int { queues.entries(onAccountOf: .answers(user, of: hub)) }
    package var entriesPassedOver: Int { counters["entries_passed_over"] ?? 0 }
}
