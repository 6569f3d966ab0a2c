internal import Cryptography
internal import Vocabulary

extension Device {
    /// Into the outbox first; everything else follows from there, now or in a later session.
    mutating func send(_ text: OutgoingText, at now: Instant, using random: inout some RandomNumberGenerator) {
        if let item = outbox[text.message] {
            return emit(.stateChanged(text.message, MessageStatus(item.state, refusal: item.refusal)))
        }
        if let error = obstacle(to: text) { return emit(.sendRefused(text.message, error)) }
        // Behind an earlier text that waits for the contact's record this one waits too: what is written first is numbered first.
        let isFirst = outbox.unresolved(for: text.address).isEmpty
        let item = outbox.add(text.message, to: text.address, stage: .unresolved(text: text.text, sent: text.sent))
        let peer = contacts[text.address].map { Peer.user($0.user) } ?? .address(text.address)
        let status = MessageStatus(.queued)
        write(
            .message(
                MessageRecord(
                    message: text.message, peer: peer, conversation: nil, body: .outgoing(text.text), sent: text.sent, status: status)))
        emit(.stateChanged(text.message, status))
        if isFirst, let contact = contacts[text.address], contact.record != nil, isFresh(contact, at: now) || !isLive {
            seal(item, to: contact, using: &random)
            submit()
        } else {
            write(.outbox(item))
            if isLive, !has({ $0 == .resolution(text.address) }) { ask(.resolution(text.address)) }
        }
    }

    private func obstacle(to text: OutgoingText) -> SendError? {
        let bytes = text.text.utf8.count
        if !account.isMember { return .notJoined }
        if bytes == 0 { return .empty }
        if bytes > Limits.textBytesMax { return .tooLong(bytes: bytes) }
        if outbox.count >= ClientLimits.outboxItemsMax { return .outboxFull }
        if text.address == account.address { return .toOneself }
        if contacts.claimant(of: text.address) != nil { return .keyChanged(text.address) }
        if contacts[text.address]?.isBlocked == true { return .blocked(text.address) }
        return nil
    }

    func isFresh(_ contact: Contact, at now: Instant) -> Bool {
        guard let confirmed = freshness[contact.user] else { return false }
        return now - confirmed < ClientLimits.recordFreshFor
    }

    /// From text to the bytes that every retry sends, in the conversation with the contact, which is founded first if there is none.
    mutating func seal(_ item: OutboxItem, to contact: Contact, using random: inout some RandomNumberGenerator) {
        guard case .unresolved(let text, let sent) = item.stage else { return }
        let devices = contact.record?.devices ?? []
        guard !devices.isEmpty else {
            return fail(item.message, Refusal(.recordInvalid, "the contact has no device that can be written to"))
        }
        var conversation =
            conversations.toSendIn(with: contact.user) ?? found(with: contact, at: item.address, devices: devices, using: &random)
        let place = MessagePlace(key: conversation.key, sender: account.entry, message: item.message)
        let payload: [UInt8]
        do {
            payload = try account.cipher.seal(MessageContent(text: text, sent: sent), at: place, to: devices, using: &random)
        } catch { return fail(item.message, Refusal(.tooLarge, error.explanation.why)) }
        var added = false
        for device in devices where conversation.add(peerDevice: device.device) { added = true }
        if added {
            conversations[conversation.key.conversation] = conversation
            write(.conversation(conversation))
        }
        var item = item
        item.stage = .sealed(
            Submission(
                message: item.message, conversation: conversation.key.conversation, hub: conversation.key.hub,
                kind: .application(epoch: 0, payload: payload)))
        item.refusal = nil
        outbox.keep(item)
        write(.outbox(item))
        write(
            .message(
                MessageRecord(
                    message: item.message, peer: .user(contact.user), conversation: conversation.key, body: .outgoing(text), sent: sent,
                    status: MessageStatus(.queued))))
        outbox.enqueue(item.message)
    }

    /// A new conversation with our home as its hub. Its founding is an outbox item like any other.
    private mutating func found(
        with contact: Contact, at address: Address, devices: [RecipientDevice], using random: inout some RandomNumberGenerator
    ) -> Conversation {
        let key = ConversationKey(hub: account.home, conversation: .random(using: &random))
        let creation = MessageID.random(using: &random)
        let roster = ([account.entry] + devices.map { RosterEntry(user: contact.user, device: $0.device) }).sorted()
        let conversation = Conversation(
            key: key, peer: contact.user, origin: .ours(creation: creation, isCreated: false), peerDevices: devices.map(\.device))
        conversations[key.conversation] = conversation
        let submission = Submission(message: creation, conversation: key.conversation, hub: key.hub, kind: .create(roster: roster))
        let item = outbox.add(creation, to: address, stage: .sealed(submission))
        write(.conversation(conversation))
        write(.outbox(item))
        outbox.enqueue(creation)
        return conversation
    }

    /// Hands over what is ready, as far as the window reaches. What belongs to a conversation that the hub does not know yet waits.
    mutating func submit() {
        guard isLive else { return }
        while let item = outbox.takeNext(unless: { [conversations] item in
            guard !item.isCreation, let id = item.conversation else { return false }
            return conversations[id]?.pendingCreation != nil
        }) {
            guard let submission = item.submission else { continue }
            var item = item
            item.submitted = wall
            outbox.keep(item)
            emit(.send(.submit(submission)))
        }
    }

    // MARK: What became of it

    /// On the home's disk.
    mutating func sent(_ message: MessageID) {
        guard var item = outbox[message] else { return }
        outbox.answered(message)
        if item.isCreation {
            created(message, item)
        } else if item.state == .queued, item.submission != nil {
            item.state = .sent
            item.refusal = nil
            outbox.keep(item)
            write(.outbox(item))
            report(message, MessageStatus(.sent))
        }
        submit()
    }

    private mutating func created(_ message: MessageID, _ item: OutboxItem) {
        outbox.remove(message)
        write(.outboxRemoved(message))
        guard let id = item.conversation, var conversation = conversations[id] else { return }
        conversation.origin = .ours(creation: message, isCreated: true)
        conversations[id] = conversation
        write(.conversation(conversation))
        outbox.release(id)
    }

    /// The home did not take it.
    mutating func refused(_ message: MessageID, _ refusal: Refusal, at now: Instant, using random: inout some RandomNumberGenerator) {
        guard var item = outbox[message], !item.isNumbered else { return }
        if item.isCreation, refusal.code == .conversationExists {
            outbox.answered(message)
            created(message, item)
        } else if refusal.code.isTransient {
            outbox.delay(message, at: now, using: &random)
            item.refusal = refusal
            outbox.keep(item)
            write(.outbox(item))
            // Those that wait for a founding wait for the same reason.
            if !item.isCreation { report(message, MessageStatus(item.state, refusal: refusal)) }
        } else {
            giveUp(item, refusal)
        }
        submit()
    }

    /// The hub, or a home on the way, gave it up.
    mutating func failed(_ failure: Failure) {
        guard let item = outbox[failure.message], item.conversation == failure.key.conversation else { return }
        if item.isCreation, failure.refusal.code == .conversationExists { return created(failure.message, item) }
        giveUp(item, failure.refusal)
        submit()
    }

    private mutating func giveUp(_ item: OutboxItem, _ refusal: Refusal) {
        guard item.isCreation, let id = item.conversation else { return fail(item.message, refusal) }
        outbox.remove(item.message)
        write(.outboxRemoved(item.message))
        if var conversation = conversations[id] {
            conversation.isBroken = true
            conversations[id] = conversation
            write(.conversation(conversation))
        }
        giveUp(id, refusal)
    }

    /// Everything of a conversation that has no number yet.
    mutating func giveUp(_ id: ConversationID, _ refusal: Refusal) {
        for item in outbox.all where item.conversation == id && !item.isNumbered {
            if item.isCreation {
                outbox.remove(item.message)
                write(.outboxRemoved(item.message))
            } else {
                fail(item.message, refusal)
            }
        }
    }

    mutating func fail(_ message: MessageID, _ refusal: Refusal) {
        let item = outbox[message]
        outbox.remove(message)
        write(.outboxRemoved(message))
        var number: SequenceNumber?
        if case .numbered(let id, let given, _) = item?.stage {
            number = given
            conversations[id]?.awaiting.removeAll { $0.message == message }
        }
        report(message, MessageStatus(.failed, number: number, refusal: refusal))
    }
}
