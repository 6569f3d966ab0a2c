internal import Cryptography
internal import Vocabulary

// The path of a message inside the node (DESIGN 5): from a submission to the queues, from the queues to devices and nodes.
extension Node {
    /// A submission for a conversation that this node is hub of.
    /// - Returns: the refusal, if it was refused; its answer travels to whoever submitted.
    mutating func order(_ submission: Submission, from sender: RosterEntry) -> Refusal? {
        if case .testimony(let testimony) = submission.kind {
            receive(testimony, in: submission.conversation, from: sender)
            return nil
        }
        if let refusal = recover(submission.conversation) { return refusal }
        // As it is before a commit: who is removed by it learns of it.
        let fanOut = fanOut(of: submission.conversation)
        let home = directory.home(of: sender.user).flatMap { $0 == id ? nil : $0 }
        let host = hubHost(for: submission, obstacle: obstacle(to: submission, from: sender, of: home, fanOut), home: home)
        if case .found = submission.kind {
            guard directory.home(of: sender.user) == id else {
                return Refusal(.notPermitted, "A conversation is founded at its creator's home.")
            }
            guard traffic.foundings.take(sender.user, at: now) else {
                return Refusal(.rateLimited, "The user founds conversations too fast.")
            }
        }
        if submission.kind.isHandshake, !traffic.handshakes.take(sender.device, at: now) {
            return Refusal(.rateLimited, "The device commits too often.")
        }
        var writes: [StoreWrite] = []
        let outcome = hub.submit(submission, from: sender, host: host, writes: &writes)
        // Before it is let go from the log, which it may be with who is removed.
        if case .accepted(let accepted) = outcome {
            for left in accepted.removed {
                let isHere = directory.home(of: left.entry.user) == id
                enqueueUnread(isHere ? left.unread : [], for: left.entry.device, of: submission.conversation)
            }
        }
        write(writes)
        switch outcome {
        case .refused(let refusal):
            count("refused_\(refusal.code)")
            return refusal
        case .founded, .repeated:
            return nil
        case .accepted(let accepted):
            count("accepted")
            deliver(accepted, fanOut, home: home)
            return nil
        }
    }

    private func hubHost(for submission: Submission, obstacle: Refusal?, home: NodeID?) -> HubHost {
        // Captured, directory and membership would be copied for every message.
        if case .application = submission.kind { return HubHost(upTime: upTime, obstacle: obstacle, home: home) }
        return hubHost(obstacle: obstacle, home: home)
    }

    func hubHost(obstacle: Refusal?, home: NodeID? = nil) -> HubHost {
        HubHost(
            wall: wall.seconds, upTime: upTime, obstacle: obstacle, home: home,
            refusal: { [directory, membership] in Self.refusal(of: $0, directory, membership) },
            unreadFrom: { [logReaders] in logReaders.readers(of: $1)[$0.device] },
            isGone: { [directory] entry in
                directory.record(of: entry.user)?.devices.contains { $0.device == entry.device } == false
            })
    }

    /// Where the devices of a conversation of ours live.
    mutating func fanOut(of conversation: ConversationID) -> FanOut? {
        if let known = hub.knownFanOut(of: conversation, version: traffic.places) { return known }
        return hub.fanOut(of: conversation, version: traffic.places) { [directory, membership, id] user in
            directory.home(of: user).flatMap { $0 == id || membership.evaluation.isMember($0) ? $0 : nil }
        }
    }

    /// Why the hub takes nothing new of this now; what it took before stays taken, so a repeat is answered all the same.
    /// - Parameter home: the sender's, where it is another node.
    private func obstacle(to submission: Submission, from sender: RosterEntry, of home: NodeID?, _ fanOut: FanOut?) -> Refusal? {
        if isSpaceLow { return Refusal(.diskFull, "The hub's disk is full.") }
        if !membership.isSelfMember { return Refusal(.nodeExpelled, "This node was expelled from the federation.") }
        guard let fanOut else { return nil }
        if case .application = submission.kind, hub.userCount(of: submission.conversation) > 1, !fanOut.isReachable(for: sender.user) {
            return Self.nobodyReachable
        }
        if let refusal = queues.refusal { return refusal }
        // Whom a commit adds may live elsewhere.
        let isHandshake = submission.kind.isHandshake
        if isHandshake || !fanOut.remote.isEmpty,
            let refusal = queues.refusal(of: .messages(sender.user, of: home), isHandshake: isHandshake)
        {
            return refusal
        }
        let reserve = isHandshake ? Limits.logHandshakeBytesReserve : 0
        guard hub.logBytes(of: sender.user) < Limits.logBytesPerUserMax + reserve else { return Self.tooMuchInLogs }
        if let home, let refusal = refusal(ofNode: home, reserve: reserve) { return refusal }
        // One full queue must not stop a group: its device is passed over, sees the gap and asks for what it lacks.
        return fanOut.isLarge ? nil : roomRefusal(for: fanOut)
    }

    private static let tooMuchInLogs = Refusal(.queueFull, "Too much of this user's waits for devices that have not taken it.")

    /// Why nothing more is kept of what a member node causes, through users that it may have made up: it may have a quarter of the room that
    /// there would be without it, and what one user may in any case. Others of the same conversations go on.
    func refusal(ofNode node: NodeID, reserve: Int = 0) -> Refusal? {
        let kept = hub.logBytes(ofHome: node) + queues.bytes(onAccountOf: node)
        return kept < max(Limits.bytesPerNodeMin, space / 3) + reserve ? nil : Self.tooMuchOfNode
    }

    private static let tooMuchOfNode = Refusal(
        .queueFull, "Too much of what comes from the sender's node waits for devices that have not taken it: try again when they have.")

    private func roomRefusal(for fanOut: FanOut) -> Refusal? {
        for device in fanOut.local { if let refusal = queues.refusal(for: .device(device)) { return refusal } }
        for share in fanOut.remote { if let refusal = queues.refusal(for: .node(share.node)) { return refusal } }
        return nil
    }

    /// One copy to each other node, one entry to each local device; the sender's own device gets the acceptance in its place, and whom it
    /// adds the Welcome.
    /// - Parameter home: the sender's, where it is another node.
    private mutating func deliver(_ accepted: Hub.Accepted, _ fanOut: FanOut?, home: NodeID?) {
        let (envelope, sender) = (accepted.envelope, accepted.envelope.sender)
        if directory.home(of: sender.user) == id {
            enqueue(.accepted(accepted.acceptance), for: sender.device)
        } else if let home = directory.home(of: sender.user) {
            enqueue(.accepted(accepted.acceptance, device: sender.device), for: home, on: .messages(sender.user, of: home))
        }
        let newcomers = Set(accepted.newcomers.map(\.device))
        if let fanOut {
            let removed = Set(accepted.removed.map(\.entry.device))
            spread(envelope, to: fanOut, removing: removed) { $0 == sender.device || newcomers.contains($0) }
            for share in fanOut.remote {
                let devices = share.devices.filter { $0 != sender.device && !newcomers.contains($0) }
                // Within a frame: the recipients of one entry are bounded.
                for recipients in devices.chunks(of: Limits.recipientsPerEntryMax) {
                    enqueueForMember(
                        .event(envelope, recipients: recipients), for: share.node, of: fanOut, on: .messages(sender.user, of: home))
                }
            }
        }
        if !accepted.newcomers.isEmpty { welcome(accepted, home: home) }
    }

    private mutating func welcome(_ accepted: Hub.Accepted, home: NodeID?) {
        guard let now = self.fanOut(of: accepted.envelope.key.conversation) else { return }
        let newcomers = Set(accepted.newcomers.map(\.device))
        let origin = Queues.Origin.messages(accepted.envelope.sender.user, of: home)
        for device in now.local where newcomers.contains(device) {
            for part in accepted.welcome { enqueueForMember(.welcome(part), for: device, of: now) }
        }
        for share in now.remote {
            for recipients in share.devices.filter({ newcomers.contains($0) }).chunks(of: Limits.recipientsPerEntryMax) {
                for part in accepted.welcome {
                    enqueueForMember(.welcome(part, recipients: recipients), for: share.node, of: now, on: origin)
                }
            }
        }
    }

    /// Unless its queue is full.
    mutating func enqueueForMember(_ item: DeviceItem, for device: DeviceID, of fanOut: FanOut) {
        if fanOut.isLarge, queues.refusal(for: .device(device)) != nil { return count("entries_passed_over") }
        enqueue(item, for: device)
    }

    mutating func enqueueForMember(_ item: NodeItem, for node: NodeID, of fanOut: FanOut, on origin: Queues.Origin? = nil) {
        if fanOut.isLarge, queues.refusal(for: .node(node)) != nil { return count("entries_passed_over") }
        enqueue(item, for: node, on: origin)
    }

    /// Why a device cannot be in a conversation: its user must be known here, live at a member, and name the device.
    private static func refusal(of entry: RosterEntry, _ directory: Directory, _ membership: Membership) -> Refusal? {
        guard let record = directory.record(of: entry.user) else {
            return Refusal(.unknownUser, "The hub does not know every user of the roster yet.")
        }
        guard membership.evaluation.isMember(record.home) else {
            return Refusal(.unknownUser, "The node of a user of the roster is not a member of the federation.")
        }
        guard record.devices.contains(where: { $0.device == entry.device }) else {
            return Refusal(.rosterInvalid, "The roster names a device that its user's record does not.")
        }
        return nil
    }

    // MARK: Into the queues

    /// Whether anybody may come for what is in its queue. A roster goes on naming a device that its user has taken out.
    func isHere(_ device: DeviceID) -> Bool { queues.receiver(of: .device(device)) != nil || directory.isLocal(device) }

    /// - Parameters:
    ///   - hub: at another node, that sends it.
    ///   - account: on whose account it stands, if not on that of the hub.
    mutating func enqueue(
        _ item: DeviceItem, for device: DeviceID, slot: Queues.Slot? = nil, from hub: NodeID? = nil, on account: Queues.Origin? = nil
    ) {
        guard isHere(device) else { return count("entries_for_nobody") }
        if isBlocked(item, for: device) { return count("entries_blocked") }
        let origin = account ?? hub.map { Queues.Origin.hub($0, for: device) }
        guard !queues.isOverfull(.device(device), of: origin) else { return count("entries_dropped_overfull") }
        let stored = item.stored
        let size = stored.content.count + item.eventBytes
        let (writes, push) = queues.append(
            to: .device(device), content: stored.content, event: stored.event, bytes: size, slot: slot, of: origin)
        write(writes)
        if case (.session(let session), let position)? = push { out.append(.sendSession(session, .entry(position, item))) }
    }

    /// - Parameters:
    ///   - slotDevices: whom the item in the slot concerns, for the one that takes its place.
    ///   - origin: on whose account.
    mutating func enqueue(
        _ item: NodeItem, for node: NodeID, slot: Queues.Slot? = nil, slotDevices: [DeviceID] = [], on origin: Queues.Origin? = nil
    ) {
        // Nobody would ever take it.
        if membership.evaluation[node]?.isExpelled == true { return }
        guard !queues.isOverfull(.node(node)) else { return count("entries_dropped_overfull") }
        let stored = item.stored
        let size = stored.content.count + item.eventBytes
        let (writes, push) = queues.append(
            to: .node(node), content: stored.content, event: stored.event, bytes: size, slot: slot, slotDevices: slotDevices, of: origin)
        write(writes)
        if case (.link(let link), let position)? = push { out.append(.sendLink(link, .entry(position, item))) }
        if links.link(to: node) == nil { dial(node) }
    }

    /// Tells a sender, durably and wherever the sender lives, that a message will not appear.
    mutating func notify(_ sender: RosterEntry, of failure: Failure) {
        guard let home = directory.home(of: sender.user) else { return }
        if home == id {
            enqueue(.failed(failure), for: sender.device)
        } else {
            enqueue(.failed(failure, device: sender.device), for: home, on: .messages(sender.user, of: home))
        }
    }

    // MARK: Out of the queues

    mutating func paged(_ order: PageOrder, _ stored: [StoredEntry]) {
        guard let (receiver, entries) = queues.paged(order.page, stored) else { return }
        if receiver == .nobody { return discard(entries, of: order.destination) }
        for entry in entries {
            // Its sender has been told, or is about to be, that it failed: it must not appear any more.
            if let event = entry.event, StoredEvent.expires(of: event) <= upTime {
                out.append(.write(queues.withdraw(order.destination, entry.position)))
                continue
            }
            switch receiver {
            case .session(let session):
                guard let item = try? DeviceItem(content: entry.content, event: entry.event) else {
                    out.append(.note(.corruptRow(.meta)))
                    continue
                }
                out.append(.sendSession(session, .entry(entry.position, item)))
            case .link(let link):
                guard let item = try? NodeItem(content: entry.content, event: entry.event) else {
                    out.append(.note(.corruptRow(.meta)))
                    continue
                }
                out.append(.sendLink(link, .entry(entry.position, item)))
            case .nobody: break
            }
        }
        goOn(order.destination)
    }

    private static let nobodyReachable = Refusal(.nodeExpelled, "Nobody else of the conversation has a node in the federation any more.")

    /// What waits for an expelled node will never be taken: who sent it is told so.
    private mutating func discard(_ entries: [StoredEntry], of destination: Destination) {
        for entry in entries {
            switch try? NodeItem(content: entry.content, event: entry.event) {
            case .submission(let submission, let sender):
                let key = ConversationKey(hub: submission.hub, conversation: submission.conversation)
                let refusal = Refusal(.unknownHub, "The conversation's hub was expelled from the federation.")
                notify(sender, of: Failure(key: key, message: submission.message, refusal: refusal))
            case .event(let envelope, _)
            where envelope.kind == .application && !isReachable(hub.roster(of: envelope.key.conversation), for: envelope.sender):
                notify(envelope.sender, of: Failure(key: envelope.key, message: envelope.message, refusal: Self.nobodyReachable))
            case .event, .accepted, .failed, .watermark, .receipt, .welcome, .mark, .marked, nil: break
            }
        }
        if let last = entries.last {
            write(queues.acknowledge(destination, through: last.position))
        }
        goOn(destination)
    }

    /// Whether anybody but the sender lives on a node that is still a member.
    private func isReachable(_ roster: [RosterEntry], for sender: RosterEntry) -> Bool {
        roster.contains { entry in
            guard entry.user != sender.user, let home = directory.home(of: entry.user) else { return false }
            return membership.evaluation.isMember(home)
        }
    }

    /// Takes up what waits for expelled nodes.
    mutating func discardForExpelled() {
        for node in expelledNodes where queues.receiver(of: .node(node)) != .nobody && queues.count(of: .node(node)) > 0 {
            queues.attach(.nobody, to: .node(node))
            goOn(.node(node))
        }
    }

    /// Sends what the window allows, and says so when a device has been sent all that waited for it.
    mutating func goOn(_ destination: Destination) {
        if let page = queues.nextPage(of: destination) { out.append(.page(PageOrder(page))) }
        if case .device(let device) = destination, logReaders.isReader(device) {
            readLogs(for: device)
            guard logReaders.hasBeenSentAll(device) else { return }
        }
        if queues.hasCaughtUp(destination), case .session(let session)? = queues.receiver(of: destination) {
            out.append(.sendSession(session, .caughtUp))
        }
    }
}

extension DeviceItem {
    /// What the event an entry refers to takes.
    fileprivate var eventBytes: Int {
        switch self {
        case .event(let envelope): EventLog.bytes(ofPayload: envelope.payload)
        case .welcome(let part): part.bytes.count + 96
        case .accepted, .failed, .watermark, .mark: 0
        }
    }
}

extension NodeItem {
    fileprivate var eventBytes: Int {
        switch self {
        case .event(let envelope, _): EventLog.bytes(ofPayload: envelope.payload)
        case .welcome(let part, _): part.bytes.count + 96
        case .submission, .accepted, .failed, .watermark, .receipt, .mark, .marked: 0
        }
    }
}
