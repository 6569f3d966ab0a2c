internal import Cryptography
internal import MLS
internal import Vocabulary

// Messages, and what every numbered event goes through.
extension Hub {
    mutating func application(
        _ submission: Submission, _ epoch: Epoch, _ payload: [UInt8], from sender: RosterEntry, host: HubHost, writes: inout [StoreWrite]
    ) -> Outcome {
        let event = Conversation.NewEvent(
            message: submission.message, sender: sender, kind: .application, epoch: epoch, payload: payload)
        let outcome: Outcome? = with(submission.conversation) { conversation in
            if let outcome = conversation.early(event, isOnRoster: conversation.roster.contains(sender)) { return outcome }
            if conversation.isOutdated(payload) { return .refused(.outdated) }
            guard let outline = MessageOutline(privateMessage: payload), outline.kind == .application,
                outline.group.elementsEqual(conversation.groupID), outline.epoch == epoch.value
            else { return .refused(Refusal(.handshakeInvalid, "The payload is no message of this conversation and epoch.")) }
            if let refusal = conversation.group.staleness(of: epoch) { return .refused(refusal) }
            guard conversation.hasRoom(for: sender.user) else { return .refused(.logFull) }
            if let obstacle = host.obstacle { return .refused(obstacle) }
            let envelope = conversation.number(event, timeToLive: submission.timeToLive, host: host, writes: &writes)
            return .accepted(Accepted(envelope: envelope))
        }
        if case .accepted? = outcome { charge(EventLog.bytes(ofPayload: payload), to: sender.user, of: host.home) }
        return outcome ?? .refused(.unknownConversation)
    }
}

extension Conversation {
    /// What is said before anything else is looked at: a repeat is answered alike, whatever came since, also to who has left; then nobody
    /// from outside gets further.
    func early(_ event: NewEvent, isOnRoster: Bool) -> Hub.Outcome? {
        let line = log.line(for: event.message)
        if let line, line.sender == event.sender, line.payload == Hash.blake2b(event.payload) { return .repeated }
        guard isOnRoster else { return .refused(Refusal(.notOnRoster, "The device is not in the conversation.")) }
        return line == nil ? nil : .refused(Refusal(.messageIdReused, "Another message has this id."))
    }

    /// In a group nobody has more of the log than he leaves to others: who fills it while a device is away does not keep them from writing.
    func hasRoom(for user: UserID) -> Bool {
        let free = EventLog.Size(
            events: Limits.logEventsPerConversationMax - log.size.events, bytes: Limits.logBytesPerConversationMax - log.size.bytes)
        guard roster.userCount > 2 else { return free.events > 0 && free.bytes > 0 }
        let share = log.share(of: user)
        return share.events < free.events && share.bytes < free.bytes
    }

    /// Numbers an event: log, head and bytes in one transaction.
    mutating func number(_ event: NewEvent, timeToLive: UInt32, host: HubHost, writes: inout [StoreWrite]) -> Envelope {
        let longest = UInt64(Limits.timeToLiveDefault.components.seconds)
        let seconds = timeToLive == 0 ? longest : min(UInt64(timeToLive), longest)
        let (envelope, expires) = append(event, expires: host.upTime + seconds)
        writes.append(.storeEvent(envelope.eventKey, bytes: StoredEvent(expires: expires, envelope: envelope).encoded(), held: true))
        writes.append(.put(.head, key: ConversationRows.key(key), value: headRow))
        return envelope
    }
}

extension GroupFollower {
    func staleness(of epoch: Epoch) -> Refusal? {
        epoch == self.epoch
            ? nil : Refusal(.staleEpoch, "The conversation is in epoch \(self.epoch), not in \(epoch).", epoch: self.epoch)
    }
}

extension Refusal {
    static let unknownConversation = Refusal(.unknownConversation, "This hub does not know the conversation.")
    static let recovering = Refusal(.recovering, "The hub was restored from a backup and asks the members where they are.")
    static let outdated = Refusal(.recovering, "It was sealed before the hub was restored: seal it anew.")
    static let logFull = Refusal(.conversationFull, "Too many messages of this conversation wait for a device.")
}
