internal import Cryptography
internal import Groups
internal import MLS
internal import Vocabulary

// From text to sealed bytes, and what became of them.

extension Device {
    /// Into the outbox first; everything else follows from there, now or in a later session.
    mutating func send(_ text: OutgoingText, at now: Instant, using random: inout some RandomNumberGenerator) {
        if let item = outbox[text.message] {
            return emit(.stateChanged(text.message, MessageStatus(item.state, number: item.number, refusal: item.refusal)))
        }
        if let error = obstacle(to: text) { return emit(.sendRefused(text.message, error)) }
        // A group that was founded anew is meant by each of its ids.
        var target = text.target
        if case .group(let group) = target { target = .group(conversations.current(of: group)) }
        let (peer, id): (Peer, ConversationID?) =
            switch target {
            case .group(let group): (.group(group), group)
            case .address(let address): (contacts[address].map { .user($0.user) } ?? .address(address), nil)
            }
        // Behind an earlier text that waits for the contact's record this one waits too: what is written first is numbered first.
        var isFirst = true
        if case .address(let address) = text.target { isFirst = outbox.unresolved(for: address).isEmpty }
        let item = outbox.add(text.message, to: target, in: id, .text(text.text, sent: text.sent), .waiting)
        let status = MessageStatus(.queued)
        write(
            .message(
                MessageRecord(
                    message: text.message, peer: peer, author: account.userID, conversation: id.flatMap { conversations[$0]?.key },
                    body: .outgoing(text.text), sent: text.sent, status: status)))
        write(.outbox(item))
        emit(.stateChanged(text.message, status))
        switch target {
        case .group(let group): touched.insert(group)
        case .address(let address):
            if isFirst, let contact = contacts[address], contact.record != nil, isFresh(contact, at: now) || !isLive {
                direct(item, to: contact, using: &random)
            } else if isLive {
                ask(.resolution(address))
            }
        }
    }

    private mutating func obstacle(to text: OutgoingText) -> SendError? {
        let bytes = text.text.utf8.count
        if !account.isMember { return .notJoined }
        if bytes == 0 { return .empty }
        if bytes > Limits.textBytesMax { return .tooLong(bytes: bytes) }
        if outbox.count >= ClientLimits.outboxItemsMax { return .outboxFull }
        switch text.target {
        case .group(let id):
            guard let group = conversations[conversations.current(of: id)], !group.profile.isDirect else { return .unknownGroup }
            if group.standing == .accepted { return nil }
            return needsReset(group.id) ? .groupEnded(callName(group.id)) : .notInGroup
        case .address(let address):
            if address == account.address { return .toOneself }
            if contacts.claimant(of: address) != nil { return .keyChanged(address) }
            if contacts[address]?.isBlocked == true { return .blocked(address) }
            return nil
        }
    }

    func isFresh(_ contact: Contact, at now: Instant) -> Bool {
        guard let confirmed = freshness[contact.user] else { return false }
        return now - confirmed < ClientLimits.recordFreshFor
    }

    /// The recipient is known: into the conversation with the user, which is founded if there is none.
    mutating func direct(_ item: OutboxItem, to contact: Contact, using random: inout some RandomNumberGenerator) {
        accept(contact)
        guard let conversation = conversations.toSendIn(with: contact.user) ?? foundDirect(with: contact.user, using: &random) else {
            return fail(item.message, Refusal(.unknown, "the conversation could not be made"))
        }
        var item = item
        item.conversation = conversation.id
        item.refusal = nil
        outbox.keep(item)
        write(.outbox(item))
        if case .text(let text, let sent) = item.body {
            write(
                .message(
                    MessageRecord(
                        message: item.message, peer: .user(contact.user), author: account.userID, conversation: conversation.key,
                        body: .outgoing(text), sent: sent, status: MessageStatus(.queued))))
        }
        touched.insert(conversation.id)
    }

    /// Seals what waits in a conversation, in the order in which it was written.
    mutating func sealWaiting(in id: ConversationID, using random: inout some RandomNumberGenerator) {
        guard let conversation = conversations[id] else { return }
        var hasSealed = false
        for var item in outbox.waiting(in: id) {
            let content: Content
            switch item.body {
            case .text(let text, let sent): content = Content(.text(text), sent: sent, frankingKey: random.bytes32())
            case .token(let token, let sent): content = Content(.presenceToken(token), sent: sent, frankingKey: random.bytes32())
            case .receiptsWanted(let sent): content = Content(.receiptsWanted, sent: sent, frankingKey: random.bytes32())
            case .founding, .handshake, .numbered: continue
            }
            let bytes = content.encoded()
            let binding = MessageBinding(
                message: item.message, head: conversation.head, chain: conversation.chain,
                franking: Content.franking(of: bytes, key: content.frankingKey))
            do throws(MLSError) {
                let sealed = try groups.update(id) { group throws(MLSError) in
                    let payload = try group.seal(
                        bytes, authenticatedData: binding.encoded(), paddedTo: ClientLimits.paddingMultiple, using: &random)
                    return (payload: payload, epoch: group.epoch)
                }
                guard let sealed else { return }
                item.stage = .sealed(
                    Submission(
                        message: item.message, conversation: id, hub: conversation.key.hub,
                        kind: .application(epoch: Epoch(unchecked: sealed.epoch), payload: sealed.payload), order: order.next()))
            } catch {
                emit(.note(.undecryptable("\(error)")))
                change(id) { $0.isStale = true }
                break
            }
            // Whatever the home holds of it are other bytes: these are handed over until it says that it has them.
            (item.refusal, item.submitted) = (nil, nil)
            outbox.keep(item)
            write(.outbox(item))
            outbox.enqueueAnew(item.message)
            hasSealed = true
        }
        if hasSealed {
            storeGroup(id)
            write(.order(order))
        }
    }

    /// The conversation has moved on: what is sealed for the epoch that is over will be refused, and is sealed anew.
    mutating func unseal(in id: ConversationID) {
        for var item in outbox.sealed(in: id) {
            guard item.isSaid else { continue }
            item.stage = .waiting
            outbox.answered(item.message)
            outbox.keep(item)
            write(.outbox(item))
        }
        touched.insert(id)
    }

    mutating func storeGroup(_ id: ConversationID) {
        let delta = try? groups.update(id) { group throws(MLSError) in group.takeChanges() }
        if let delta, !delta.isEmpty { write(.group(id, delta)) }
    }

    /// Hands over what is ready, as far as the window reaches.
    mutating func submit() {
        guard isLive else { return }
        let before = order.handedOver
        while let item = outbox.takeNext() {
            guard let submission = item.submission else { continue }
            order.handedOver = max(order.handedOver, submission.order)
            emit(.send(.submit(submission)))
        }
        if order.handedOver > before { write(.order(order)) }
    }

    // MARK: What became of it

    /// On the home's disk.
    mutating func sent(_ message: MessageID) {
        guard outbox.homeAnswered(message), var item = outbox[message] else { return }
        outbox.answered(message)
        if item.isFounding {
            founded(item)
        } else if item.submission != nil, item.state == .queued || item.submitted == nil {
            let isNews = item.state == .queued
            // What was accepted once stays so for its sender, though its hub or home was restored and it goes again.
            (item.state, item.refusal, item.submitted) = (max(item.state, .sent), nil, wall)
            outbox.keep(item)
            write(.outbox(item))
            if item.isText, isNews { report(message, MessageStatus(.sent)) }
        }
    }

    /// The home did not take it.
    mutating func refused(_ message: MessageID, _ refusal: Refusal, at now: Instant, using random: inout some RandomNumberGenerator) {
        guard outbox.homeAnswered(message), var item = outbox[message], !item.isNumbered else { return }
        if refusal.code.isTransient {
            outbox.delay(message, at: now, using: &random)
            item.refusal = refusal
            outbox.keep(item)
            write(.outbox(item))
            if item.isText { report(message, MessageStatus(item.state, refusal: refusal)) }
        } else {
            settle(item, refusal, at: now, using: &random)
        }
    }

    /// The hub, or a home on the way, gave it up.
    mutating func failed(_ failure: Failure, at now: Instant, using random: inout some RandomNumberGenerator) {
        if let one = conversations[failure.key.conversation], one.key != failure.key { return raise(.otherHub, failure.key, nil) }
        guard let item = outbox[failure.message], item.conversation == failure.key.conversation else {
            // Not about a message of ours: what was asked for again is of no conversation that the hub has.
            guard failure.refusal.code == .unknownConversation, let one = conversations[failure.key.conversation], one.key == failure.key,
                // One that is to let this device in will say so itself.
                one.isFounded, !groups.isRejoin(one.id)
            else { return }
            return forgotten(one.id, failure.refusal)
        }
        if failure.refusal.code == .recovering {
            // The hub's word that it was restored has come before: texts wait to be sealed anew already. What else is asked again.
            if case .handshake = item.body, let id = item.conversation {
                over(item, in: id)
                restingUntil[id] = now + ClientLimits.refetchAfter
            }
            return
        }
        settle(item, failure.refusal, at: now, using: &random)
    }

    /// Definite for these bytes.
    private mutating func settle(
        _ item: OutboxItem, _ refusal: Refusal, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        guard let id = item.conversation else { return fail(item.message, refusal) }
        if item.isNumbered, !refusal.code.isOfNumbered {
            // What has a number has it: this is about a copy that was handed over once more, as by a home that was restored.
            return refusal.code == .unknownConversation ? forgotten(id, refusal) : ()
        }
        outbox.answered(item.message)
        switch item.body {
        case .founding:
            if refusal.code == .conversationExists, let item = outbox[item.message] { return founded(item) }
            remove(item)
            change(id) { $0.standing = .broken }
            giveUp(id, refusal)
        case .handshake: handshakeRefused(item, refusal, at: now, using: &random)
        case .text, .token, .receiptsWanted:
            // From a direct one nobody is removed: its hub was set back to before we had come in.
            let isSetBack = refusal.code == .notOnRoster && conversations[id]?.profile.isDirect == true
            if refusal.code == .unknownConversation || isSetBack {
                fail(item.message, refusal)
                return forgotten(id, refusal)
            }
            // Whoever went on from an old copy of the profile may have sent it before, and nobody else can have used its id: it is there. Of
            // what no later self can have sent that is the hub's or the home's word alone.
            if refusal.code == .messageIdReused {
                guard inherited.contains(item.message) else { return fail(item.message, refusal.orThere) }
                remove(item)
                return item.isText ? report(item.message, MessageStatus(.accepted)) : ()
            }
            if refusal.code == .unknownHub { return hubLost(by: item, in: id, using: &random) }
            guard refusal.code == .staleEpoch else { return fail(item.message, refusal) }
            // Sealed anew already, or as soon as the commit that ended the epoch has come; what was refused will never appear. A refusal
            // that was not acknowledged comes again in the next session, when its message may have a number: it is about other bytes.
            guard case .application(let epoch, _)? = item.submission?.kind, let current = refusal.epoch, epoch < current else { return }
            var item = item
            item.stage = .waiting
            outbox.keep(item)
            write(.outbox(item))
            awaitCommit(id, at: now)
        case .numbered: fail(item.message, refusal)
        }
    }

    /// The home says that the hub is no member any more.
    private mutating func hubLost(by item: OutboxItem, in id: ConversationID, using random: inout some RandomNumberGenerator) {
        // About bytes for another hub: meanwhile it went into another conversation, and waits there to be sealed.
        guard item.submission != nil else { return }
        hubless.insert(id)
        // Its owners may have gone with it.
        takePlaces()
        if outlivesHub(id) { return beginAnew(instead: id, using: &random) }
        // What its home had handed on may have its number all the same.
        fail(item.message, item.state > .queued ? hubGone(id).orThere : hubGone(id))
    }

    /// Whether both users of a direct conversation have another home than its hub, so that it can go on when that is gone.
    func outlivesHub(_ id: ConversationID) -> Bool {
        guard let one = conversations[id], let peer = one.profile.peer(of: account.userID), let home = contacts[peer]?.record?.home else {
            return false
        }
        return home != one.key.hub
    }

    /// A direct conversation whose hub is gone goes on in a new one, with what the hub did not have.
    mutating func beginAnew(instead id: ConversationID, using random: inout some RandomNumberGenerator) {
        let gone = hubGone(id)
        let contact = conversations[id]?.profile.peer(of: account.userID).flatMap { contacts[$0] }
        change(id) { $0.standing = .removed }
        for var item in outbox.unnumbered(in: id) {
            outbox.answered(item.message)
            if !item.isText {
                remove(item)
            } else if item.state == .queued, let contact {
                item.stage = .waiting
                direct(item, to: contact, using: &random)
            } else {
                fail(item.message, item.state > .queued ? gone.orThere : gone)
            }
        }
    }

    /// Founded after the backup that its hub was restored from: nobody has the conversation any more. A direct one goes on in a new one.
    private mutating func forgotten(_ id: ConversationID, _ refusal: Refusal) {
        guard let one = conversations[id], one.standing.isFollowed, !forget(heardOf: id) else { return }
        noteWithheld(in: one)
        giveUp(id, refusal, mayBeThere: true)
        loseReceipts(in: one)
        change(id) { $0.standing = .removed }
        giveUpWishes(in: id, refusal)
    }

    /// What the hub had taken may have gone with it, for all who had not got it yet: nobody will say which of it was shown.
    mutating func loseReceipts(in one: Conversation) {
        let lost = Refusal(.unknownConversation, "the hub does not have the conversation any more, or not with us").orThere
        for mine in one.awaiting where mine.state < .delivered { fail(mine.message, lost) }
    }

    mutating func remove(_ item: OutboxItem) {
        outbox.remove(item.message)
        write(.outboxRemoved(item.message))
    }

    /// Everything of a conversation that has no number yet.
    /// - Parameter mayBeThere: what was handed over may have got one that we shall not hear of.
    mutating func giveUp(_ id: ConversationID, _ refusal: Refusal, mayBeThere: Bool = false) {
        for item in outbox.unnumbered(in: id) {
            let isOut = item.submission != nil || item.state > .queued
            if item.isText { fail(item.message, mayBeThere && isOut ? refusal.orThere : refusal) } else { remove(item) }
        }
    }

    mutating func fail(_ message: MessageID, _ refusal: Refusal) {
        guard let item = outbox[message] else { return }
        remove(item)
        if case .numbered(let id, _, _) = item.stage { _ = conversations.update(id) { $0.awaiting.removeAll { $0.message == message } } }
        if item.isText { report(message, MessageStatus(.failed, number: item.number, refusal: refusal)) }
    }

    mutating func report(_ message: MessageID, _ status: MessageStatus) {
        write(.status(message, status))
        emit(.stateChanged(message, status))
    }
}

extension Refusal {
    /// A failure that is not certain: somebody may have the message.
    var orThere: Refusal { Refusal(.unknown, "\(detail); the message may have been delivered") }
}

extension Refusal.Code {
    /// Whether it can become of a message that was numbered: nobody took it in time, its recipient's home had no room for it, or is none any
    /// more. Everything else a hub says before it gives a number.
    fileprivate var isOfNumbered: Bool { [.expired, .queueFull, .nodeExpelled].contains(self) }
}
