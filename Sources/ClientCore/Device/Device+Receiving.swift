internal import Cryptography
internal import Vocabulary

// What comes out of the device's queue. Number and chain decide what is new; queue positions decide nothing, so that a node restored from
// a backup, which counts them anew, is no trouble.

extension Device {
    mutating func take(_ envelope: Envelope) {
        let id = envelope.key.conversation
        if conversations[id] == nil {
            guard conversations.count < Limits.conversationsResidentMax else { return raise(.tooManyConversations, envelope.key) }
            guard envelope.sender.user != account.userID else { return raise(.foreignSender, envelope.key) }
            guard envelope.number == 1 else { return raise(.gap, envelope.key) }
            conversations[id] = Conversation(key: envelope.key, peer: envelope.sender.user, origin: .theirs, peerDevices: [])
        }
        guard var conversation = conversations[id] else { return }
        guard conversation.key == envelope.key else { return raise(.otherHub, envelope.key) }
        guard !conversation.isBroken else { return }
        let step = conversation.step(
            envelope.number, chain: envelope.chain, sender: envelope.sender, message: envelope.message, kind: envelope.kind,
            epoch: envelope.epoch, payload: envelope.payload)
        switch step {
        case .known: advanced.insert(id)
        case .gap: close(&conversation, .gap)
        case .chainBroken: close(&conversation, .chainBroken)
        case .next(let digest):
            conversation.advance(to: digest)
            open(envelope, in: &conversation)
            conversations[id] = conversation
            write(.conversation(conversation))
            advanced.insert(id)
            release(heldIn: id)
        }
    }

    /// A message that does not open is recorded in its place and passed: one bad message must not stop what follows.
    private mutating func open(_ envelope: Envelope, in conversation: inout Conversation) {
        guard envelope.sender.user == conversation.peer else {
            write(.alarm(.foreignSender, envelope.key, wall))
            return emit(.note(.alarm(.foreignSender)))
        }
        if contacts[envelope.sender.user]?.isBlocked == true { return }
        let body: MessageRecord.Body
        var sent = wall
        do {
            let place = MessagePlace(key: envelope.key, sender: envelope.sender, message: envelope.message)
            let content = try account.cipher.open(envelope.payload, at: place)
            _ = conversation.add(peerDevice: envelope.sender.device)
            (body, sent) = (.incoming(content.text), content.sent)
        } catch {
            body = .undecryptable("\(error)")
            emit(.note(.undecryptable(error)))
        }
        write(
            .message(
                MessageRecord(
                    message: envelope.message, peer: .user(envelope.sender.user), conversation: envelope.key, body: body, sent: sent,
                    status: MessageStatus(.delivered, number: envelope.number))))
        emit(.messagesArrived)
        guard contacts[envelope.sender.user] == nil else { return }
        let contact = Contact(user: envelope.sender.user)
        contacts.keep(contact)
        write(.contact(contact))
        ask(.name(contact.user))
    }

    /// Our own message got its number: to us this stands for the event.
    mutating func accepted(_ acceptance: Acceptance) {
        let id = acceptance.key.conversation
        guard var conversation = conversations[id] else { return raise(.gap, acceptance.key) }
        guard conversation.key == acceptance.key else { return raise(.otherHub, acceptance.key) }
        guard !conversation.isBroken else { return }
        guard acceptance.number > conversation.head else {
            advanced.insert(id)
            return
        }
        guard var item = outbox[acceptance.message], item.conversation == id,
            case .application(let epoch, let payload) = item.submission?.kind
        else { return close(&conversation, .gap) }
        let step = conversation.step(
            acceptance.number, chain: acceptance.chain, sender: account.entry, message: acceptance.message, kind: .application,
            epoch: epoch, payload: payload)
        switch step {
        case .known: break
        case .gap: close(&conversation, .gap)
        case .chainBroken: close(&conversation, .chainBroken)
        case .next(let digest):
            conversation.advance(to: digest)
            conversation.awaiting.append(.init(number: acceptance.number, chain: digest, message: acceptance.message))
            conversations[id] = conversation
            outbox.answered(acceptance.message)
            // What the hub has, the home had: where both are one node its two answers can come in either order.
            if item.state == .queued { report(acceptance.message, MessageStatus(.sent)) }
            item.stage = .numbered(id, acceptance.number, digest)
            item.state = .accepted
            item.refusal = nil
            outbox.keep(item)
            write(.conversation(conversation))
            write(.outbox(item))
            report(acceptance.message, MessageStatus(.accepted, number: acceptance.number))
            advanced.insert(id)
            release(heldIn: id)
            submit()
        }
    }

    /// A device of the peer's says that it has everything through a number: what no node can forge.
    mutating func confirmed(_ watermark: Watermark) {
        let id = watermark.key.conversation
        guard watermark.device != account.deviceID, var conversation = conversations[id], conversation.key == watermark.key else { return }
        let devices = conversation.peerDevices + (contacts[conversation.peer]?.record?.devices.map(\.device) ?? [])
        guard devices.contains(watermark.device), watermark.isSigned else { return emit(.note(.unsignedReceipt)) }
        guard watermark.through <= conversation.head else {
            // Honest hubs send what is covered before the receipt; whoever does not, waits.
            conversation.held = watermark
            conversations[id] = conversation
            return write(.conversation(conversation))
        }
        if let chain = conversation.chain(at: watermark.through), chain != watermark.chain {
            return close(&conversation, .forkedReceipt)
        }
        let covered = conversation.awaiting.prefix { $0.number <= watermark.through }
        guard !covered.isEmpty else { return }
        for one in covered {
            outbox.remove(one.message)
            write(.outboxRemoved(one.message))
            report(one.message, MessageStatus(.delivered, number: one.number))
        }
        conversation.awaiting.removeFirst(covered.count)
        conversations[id] = conversation
    }

    private mutating func release(heldIn id: ConversationID) {
        guard var conversation = conversations[id], let held = conversation.held, held.through <= conversation.head else { return }
        conversation.held = nil
        conversations[id] = conversation
        write(.conversation(conversation))
        confirmed(held)
    }

    mutating func report(_ message: MessageID, _ status: MessageStatus) {
        write(.status(message, status))
        emit(.stateChanged(message, status))
    }

    // MARK: Alarms

    /// Recorded and shown; the conversation as we know it is not touched by what belongs to another hub.
    private mutating func raise(_ alarm: Alarm, _ key: ConversationKey) {
        write(.alarm(alarm, key, wall))
        emit(.note(.alarm(alarm)))
    }

    /// The hub contradicted itself. What it had not yet numbered of ours has an unknown fate and is given up.
    private mutating func close(_ conversation: inout Conversation, _ alarm: Alarm) {
        conversation.isBroken = true
        conversations[conversation.key.conversation] = conversation
        write(.conversation(conversation))
        raise(alarm, conversation.key)
        giveUp(conversation.key.conversation, Refusal(.unknown, "the hub contradicted itself; the message may have been delivered"))
    }
}
