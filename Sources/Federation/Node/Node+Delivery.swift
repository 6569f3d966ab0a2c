internal import Cryptography
internal import Vocabulary

// The path of a message inside the node (DESIGN 5): from a submission to the queues, from the queues to devices and nodes.
extension Node {
    /// A submission for a conversation that this node is hub of.
    /// - Returns: the refusal, if it was refused; its answer travels to whoever submitted.
    mutating func order(_ submission: Submission, from sender: RosterEntry) -> Refusal? {
        var writes: [StoreWrite] = []
        let obstacle = obstacle(to: submission, from: sender)
        let outcome = hub.submit(submission, from: sender, upTime: upTime, obstacle: obstacle, writes: &writes)
        out.append(contentsOf: writes.map(NodeEffect.write))
        switch outcome {
        case .refused(let refusal):
            count("refused_\(refusal.code)")
            return refusal
        case .created, .repeated:
            return nil
        case .accepted(let acceptance, let envelope, let roster):
            count("accepted")
            fanOut(envelope, acceptance, roster: roster)
            return nil
        }
    }

    /// Why the hub takes nothing new of this now; what it took before stays taken, so a repeat is answered all the same.
    private func obstacle(to submission: Submission, from sender: RosterEntry) -> Refusal? {
        if isSpaceLow { return Refusal(.diskFull, "The hub's disk is full.") }
        if !membership.isSelfMember { return Refusal(.nodeExpelled, "This node was expelled from the federation.") }
        if case .create(let roster) = submission.kind { return refusal(ofRoster: roster) }
        let roster = hub.roster(of: submission.conversation)
        if roster.contains(where: { $0.user != sender.user }), !isReachable(roster, for: sender) {
            return Refusal(.nodeExpelled, "The recipient's node was expelled from the federation.")
        }
        return roomRefusal(for: roster)
    }

    /// One copy to each other node, one entry to each local device; the sender's own device gets the acceptance in its place.
    private mutating func fanOut(_ envelope: Envelope, _ acceptance: Acceptance, roster: [RosterEntry]) {
        var remote: [NodeID: [DeviceID]] = [:]
        var homes: [UserID: NodeID] = [:]
        for entry in roster {
            guard let home = homes[entry.user] ?? directory.home(of: entry.user), membership.evaluation.isMember(home) else { continue }
            homes[entry.user] = home
            switch (home == id, entry == envelope.sender) {
            case (true, true): enqueue(.accepted(acceptance), for: entry.device)
            case (true, false): enqueue(.event(envelope), for: entry.device)
            case (false, true): enqueue(.accepted(acceptance, device: entry.device), for: home)
            case (false, false): remote[home, default: []].append(entry.device)
            }
        }
        for node in remote.keys.sorted() {
            // Within a frame: the recipients of one entry are bounded.
            for recipients in (remote[node] ?? []).chunks(of: Limits.recipientsPerEntryMax) {
                enqueue(.event(envelope, recipients: recipients), for: node)
            }
        }
    }

    /// Every roster user must be known, or the hub could not tell where the devices live.
    private func refusal(ofRoster roster: [RosterEntry]) -> Refusal? {
        for entry in roster {
            guard let record = directory.record(of: entry.user) else {
                return Refusal(.unknownUser, "The hub does not know every user of the roster yet.")
            }
            guard record.devices.contains(where: { $0.device == entry.device }) else {
                return Refusal(.rosterInvalid, "The roster names a device that its user's record does not.")
            }
        }
        return nil
    }

    private func roomRefusal(for roster: [RosterEntry]) -> Refusal? {
        for entry in roster {
            guard let home = directory.home(of: entry.user) else { continue }
            let destination: Destination = home == id ? .device(entry.device) : .node(home)
            if let refusal = queues.refusal(for: destination) { return refusal }
        }
        return nil
    }

    // MARK: Into the queues

    mutating func enqueue(_ item: DeviceItem, for device: DeviceID, slot: Queues.Slot? = nil) {
        guard !queues.isOverfull(.device(device)) else { return count("entries_dropped_overfull") }
        let stored = item.stored
        let size = stored.content.count + item.eventBytes
        let (writes, push) = queues.append(
            to: .device(device), content: stored.content, event: stored.event, bytes: size, slot: slot)
        out.append(contentsOf: writes.map(NodeEffect.write))
        if case (.session(let session), let position)? = push { out.append(.sendSession(session, .entry(position, item))) }
    }

    mutating func enqueue(_ item: NodeItem, for node: NodeID, slot: Queues.Slot? = nil) {
        // Nobody would ever take it.
        if membership.evaluation[node]?.isExpelled == true { return }
        guard !queues.isOverfull(.node(node)) else { return count("entries_dropped_overfull") }
        let stored = item.stored
        let size = stored.content.count + item.eventBytes
        let (writes, push) = queues.append(to: .node(node), content: stored.content, event: stored.event, bytes: size, slot: slot)
        out.append(contentsOf: writes.map(NodeEffect.write))
        if case (.link(let link), let position)? = push { out.append(.sendLink(link, .entry(position, item))) }
        if links.link(to: node) == nil { dial(node) }
    }

    /// Tells a sender, durably and wherever the sender lives, that a message will not appear.
    mutating func notify(_ sender: RosterEntry, of failure: Failure) {
        guard let home = directory.home(of: sender.user) else { return }
        if home == id {
            enqueue(.failed(failure), for: sender.device)
        } else {
            enqueue(.failed(failure, device: sender.device), for: home)
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

    /// What waits for an expelled node will never be taken: who sent it is told so.
    private mutating func discard(_ entries: [StoredEntry], of destination: Destination) {
        let refusal = Refusal(.nodeExpelled, "The recipient's node was expelled from the federation.")
        for entry in entries {
            switch try? NodeItem(content: entry.content, event: entry.event) {
            case .submission(let submission, let sender):
                let key = ConversationKey(hub: submission.hub, conversation: submission.conversation)
                notify(sender, of: Failure(key: key, message: submission.message, refusal: refusal))
            case .event(let envelope, _) where !isReachable(hub.roster(of: envelope.key.conversation), for: envelope.sender):
                notify(envelope.sender, of: Failure(key: envelope.key, message: envelope.message, refusal: refusal))
            case .event, .accepted, .failed, .watermark, .receipt, nil: break
            }
        }
        if let last = entries.last {
            out.append(contentsOf: queues.acknowledge(destination, through: last.position).map(NodeEffect.write))
        }
        goOn(destination)
    }

    /// Whether anybody but the sender lives on a node that is still a member. A roster that is not at hand is taken for a direct one.
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
        if queues.hasCaughtUp(destination), case .session(let session)? = queues.receiver(of: destination) {
            out.append(.sendSession(session, .caughtUp))
        }
    }

    // MARK: Watermarks

    /// A device's watermark for a conversation of ours: prunes the log and tells the senders it newly covers.
    mutating func cover(_ watermark: Watermark, of user: UserID?) {
        var writes: [StoreWrite] = []
        // The newest counts alone: one that its readers would drop must not stand in the place of a true one.
        guard watermark.isSigned else { return count("unsigned_watermarks_dropped") }
        guard let coverage = hub.receive(watermark, of: user, writes: &writes) else { return }
        out.append(contentsOf: writes.map(NodeEffect.write))
        var remote: [NodeID: [DeviceID]] = [:]
        let slot = Queues.Slot(key: watermark.key, device: watermark.device)
        for sender in coverage.covered {
            guard let home = directory.home(of: sender.user) else { continue }
            if home == id {
                enqueue(.watermark(watermark), for: sender.device, slot: slot)
            } else {
                remote[home, default: []].append(sender.device)
            }
        }
        for node in remote.keys.sorted() {
            for devices in (remote[node] ?? []).chunks(of: Limits.recipientsPerEntryMax) {
                enqueue(.receipt(watermark, devices: devices), for: node)
            }
        }
    }
}

extension Array {
    fileprivate func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}

extension DeviceItem {
    /// What the event an entry refers to takes.
    fileprivate var eventBytes: Int { if case .event(let envelope) = self { envelope.payload.count + 200 } else { 0 } }
}

extension NodeItem {
    fileprivate var eventBytes: Int { if case .event(let envelope, _) = self { envelope.payload.count + 200 } else { 0 } }
}
