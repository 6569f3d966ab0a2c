internal import Cryptography
internal import Groups
internal import MLS
internal import Vocabulary

// What comes out of the device's queue. Number and chain decide what is new; queue positions decide nothing, so that a node restored from
// a backup, which counts them anew, is no trouble.

extension Conversation.Held {
    var key: ConversationKey {
        switch self {
        case .event(let envelope): envelope.key
        case .accepted(let acceptance): acceptance.key
        }
    }
    var chain: Digest {
        switch self {
        case .event(let envelope): envelope.chain
        case .accepted(let acceptance): acceptance.chain
        }
    }

    var number: SequenceNumber {
        switch self {
        case .event(let envelope): envelope.number
        case .accepted(let acceptance): acceptance.number
        }
    }
    /// Nil: this very device.
    var author: UserID? { if case .event(let envelope) = self { envelope.sender.user } else { nil } }
}

extension Device {
    /// An event, or the hub's word that stands for one of our own.
    mutating func take(_ item: Conversation.Held, at now: Instant, using random: inout some RandomNumberGenerator) {
        let id = item.key.conversation
        guard let conversation = conversations[id] else {
            if case .event(let envelope) = item, envelope.kind == .restoration { return pass(envelope, at: now, using: &random) }
            return meet(item.key, item.number, of: item.author, at: now)
        }
        guard conversation.key == item.key else { return raise(.otherHub, item.key, item.number) }
        hubless.remove(id)
        guard conversation.standing.isFollowed else {
            if case .event(let envelope) = item { leaveAgain(conversation, after: envelope, using: &random) }
            return meetAgain(item, at: now)
        }
        guard item.number > conversation.head else { return seen(item, in: conversation) }
        if case .event(let envelope) = item, envelope.kind == .restoration { return pass(envelope, at: now, using: &random) }
        // Not in yet: what lies before we are is not ours to follow.
        let isIn = groups[id]?.isActive == true && !conversation.isOutside
        if conversation.isStale, !isIn, conversation.committing == nil { return keepAtHome(id) }
        if let acceptance = ourReturn(item) {
            accepted(acceptance, at: now, using: &random)
            return followHeld(id, at: now, using: &random)
        }
        guard item.number == conversation.head.next else { return hold(item, at: now) }
        switch item {
        case .event(let envelope): follow(envelope, at: now, using: &random)
        case .accepted(let acceptance): accepted(acceptance, at: now, using: &random)
        }
        followHeld(id, at: now, using: &random)
    }

    /// The commit by which we come back in is numbered. What lies before it is gone for us anyway, and may not be had any more, since for the
    /// hub we begin with it: so it waits for nothing.
    private func ourReturn(_ item: Conversation.Held) -> Acceptance? {
        guard let one = conversations[item.key.conversation], groups.isRejoin(one.id), let message = one.committing else { return nil }
        switch item {
        case .accepted(let acceptance): return acceptance.message == message ? acceptance : nil
        case .event(let envelope):
            // The acceptance went with the store of a home that was restored.
            guard envelope.message == message, envelope.sender == account.entry,
                case .commit(let bundle)? = outbox[message]?.submission?.kind, bundle.commit == envelope.payload
            else { return nil }
            return Acceptance(key: envelope.key, number: envelope.number, message: message, chain: envelope.chain)
        }
    }

    /// What had to wait for what has come.
    mutating func followHeld(_ id: ConversationID, at now: Instant, using random: inout some RandomNumberGenerator) {
        while let next = conversations[id]?.nextHeld, conversations[id]?.standing.isFollowed == true {
            switch next {
            case .event(let envelope): follow(envelope, at: now, using: &random)
            case .accepted(let acceptance): accepted(acceptance, at: now, using: &random)
            }
            guard let head = conversations[id]?.head, head >= next.number else { break }
        }
        _ = conversations.update(id) { one in one.forgetHeld(through: one.head) }
        fetchMore(id, at: now)
    }

    /// A number that we have: once more, or from a hub that was set back and gives its numbers a second time.
    private mutating func seen(_ item: Conversation.Held, in conversation: Conversation) {
        let id = conversation.id
        if let chain = conversation.chain(at: item.number), chain != item.chain { return close(id, .forkedHistory, item.number) }
        advanced.insert(id)
        taken(item)
    }

    /// The hub has numbered a message of ours at a place that is not ours to follow: before we came back in, or behind what cannot be had.
    /// That it was taken is ours to know, or it would be sent once more, and numbered again by a hub that needs not remember it.
    mutating func taken(_ item: Conversation.Held) {
        let id = item.key.conversation
        guard case .accepted(let acceptance) = item, let own = outbox[acceptance.message], own.conversation == id, own.isText,
            !own.isNumbered
        else { return }
        guard mayBeNumbered(own, acceptance.number, in: id) else { return close(id, .forkedHistory, acceptance.number) }
        outbox.answered(acceptance.message)
        numbered(own, acceptance.number, chain: acceptance.chain, in: id)
        cover(id)
    }

    /// Behind what we had seen when we sealed it no hub can have numbered a message, nor in the place of what we have followed since: who says
    /// so has dropped it, and would have what others have said of that number pass for its receipts.
    private func mayBeNumbered(_ own: OutboxItem, _ number: SequenceNumber, in id: ConversationID) -> Bool {
        guard let one = conversations[id] else { return false }
        if number <= one.head, number > max(one.joined, one.followed) { return false }
        guard case .application(_, let payload)? = own.submission?.kind, let data = (try? MLSMessage(payload))?.authenticatedData,
            let binding = try? MessageBinding(decoding: data)
        else { return true }
        return binding.head < number
    }

    private mutating func follow(_ envelope: Envelope, at now: Instant, using random: inout some RandomNumberGenerator) {
        let id = envelope.key.conversation
        if envelope.kind == .restoration { return pass(envelope, at: now, using: &random) }
        guard let conversation = conversations[id] else { return }
        let step = conversation.step(
            envelope.number, chain: envelope.chain, sender: envelope.sender, message: envelope.message, kind: envelope.kind,
            epoch: envelope.epoch, payload: envelope.payload)
        switch step {
        case .known, .gap: return
        case .chainBroken: return close(id, .chainBroken, envelope.number)
        case .next(let digest):
            // Taken apart once: a commit to a large group is long.
            let message = Result { () throws(MLSError) in try MLSMessage(envelope.payload) }
            guard isBound(envelope, try? message.get(), in: conversation) else { return }
            _ = conversations.update(id) { $0.advance(to: digest) }
            advanced.insert(id)
            if let own = unnumbered(envelope, in: id) {
                // The acceptance went with the store of a home that was restored; what was asked for again says the same.
                let acceptance = Acceptance(key: envelope.key, number: envelope.number, message: envelope.message, chain: digest)
                settle(own, acceptance, envelope.payload, at: now, using: &random)
                change(id) { _ in }
                return release(aheadIn: id)
            }
            switch envelope.kind {
            case .application: open(envelope, message, at: now, using: &random)
            case .commit: apply(envelope, message, at: now, using: &random)
            case .proposal: consider(envelope, message, at: now, using: &random)
            case .restoration: break
            }
            change(id) { _ in }
            release(aheadIn: id)
        }
    }

    /// What is still to be numbered, as far as we know, and was sent by this device.
    private func unnumbered(_ envelope: Envelope, in id: ConversationID) -> OutboxItem? {
        guard envelope.sender == account.entry, let own = outbox[envelope.message], own.conversation == id, !own.isNumbered else {
            return nil
        }
        switch own.submission?.kind {
        // Another commit than the one that we have the secrets of is none of ours any more.
        case .commit(let bundle): return bundle.commit == envelope.payload && !groups.isRejoin(id) ? own : nil
        case .proposal(_, let bytes): return bytes == envelope.payload ? own : nil
        case .application, .found, .testimony, nil: return own.isSaid ? own : nil
        }
    }

    /// Whether the sender made these bytes for this place, and has seen the history that we have.
    private mutating func isBound(_ envelope: Envelope, _ message: MLSMessage?, in conversation: Conversation) -> Bool {
        guard let message, let place = message.place, place.group == envelope.key.groupID, let data = message.authenticatedData,
            let binding = try? MessageBinding(decoding: data)
            // A member's nonsense, not the hub's: it is passed in its place.
        else { return true }
        guard binding.message == envelope.message else {
            close(conversation.id, .repeated, envelope.number)
            return false
        }
        guard binding.head < envelope.number else {
            close(conversation.id, .forkedHistory, envelope.number)
            return false
        }
        // What it saw before we came in is not ours to compare.
        if let chain = conversation.chain(at: binding.head), chain != binding.chain {
            close(conversation.id, .forkedHistory, envelope.number)
            return false
        }
        return true
    }

    // MARK: Messages

    /// A message that does not open is recorded in its place and passed: one bad message must not stop what follows.
    private mutating func open(
        _ envelope: Envelope, _ message: Result<MLSMessage, MLSError>, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        let id = envelope.key.conversation
        guard let conversation = conversations[id], conversation.standing != .declined else { return }
        if contacts[envelope.sender.user]?.isBlocked == true, conversation.profile.isDirect { return }
        // Its sender is told that we never had it, so it is not shown either.
        guard conversation.resumed == nil else { return record(envelope, .undecryptable("this device was still to come back in")) }
        do throws(MLSError) {
            let host = host
            let received = try groups.update(id) { group throws(MLSError) in try group.process(message.get(), host: host) }
            guard case .application(let message)? = received else { return record(envelope, .undecryptable("it is no message")) }
            storeGroup(id)
            guard MemberLeaf.entry(of: message.leaf) == envelope.sender else {
                raise(.foreignSender, envelope.key, envelope.number)
                return
            }
            guard let content = try? Content(decoding: message.data), isFranked(message, content) else {
                return record(envelope, .undecryptable("its content is malformed"))
            }
            _ = conversations.update(id) { $0.note(author: envelope.sender.device, of: envelope.number) }
            met(envelope.sender.user)
            switch content.body {
            case .text(let text): record(envelope, .incoming(text), sent: content.sent)
            case .presenceToken(let token):
                guard conversation.profile.isDirect, var contact = contacts[envelope.sender.user] else { return }
                contact.presenceToken = token
                keep(contact)
                subscribe()
            case .receiptsWanted: break
            case .unknown: record(envelope, .undecryptable("a newer version of courier is needed to show it"), sent: content.sent)
            }
            handToken(to: envelope.sender.user, in: id)
        } catch {
            switch error {
            case .ownMessage: record(envelope, .undecryptable("this device sent it before it was restored"))
            case .generationConsumed:
                raise(.repeated, envelope.key, envelope.number)
            default:
                emit(.note(.undecryptable("\(error)")))
                record(envelope, .undecryptable("\(error.explanation.what)"))
            }
        }
    }

    private func isFranked(_ message: ApplicationMessage, _ content: Content) -> Bool {
        guard let binding = try? MessageBinding(decoding: message.authenticatedData) else { return false }
        return binding.franking == Content.franking(of: message.data, key: content.frankingKey)
    }

    mutating func record(_ envelope: Envelope, _ body: MessageRecord.Body, sent: Timestamp? = nil) {
        guard let conversation = conversations[envelope.key.conversation] else { return }
        write(
            .message(
                MessageRecord(
                    message: envelope.message, peer: peer(of: conversation), author: envelope.sender.user,
                    isRequest: conversation.standing == .request, conversation: envelope.key, body: body, sent: sent ?? wall,
                    status: MessageStatus(.delivered, number: envelope.number))))
        emit(.messagesArrived)
    }

    func peer(of conversation: Conversation) -> Peer {
        conversation.profile.peer(of: account.userID).map { .user($0) } ?? .group(conversation.id)
    }

    /// Somebody we have not heard of: the directory tells the name.
    mutating func met(_ user: UserID) {
        guard user != account.userID, contacts[user] == nil else { return }
        keep(Contact(user: user))
        ask(.name(user))
    }

    // MARK: Our own

    private mutating func accepted(_ acceptance: Acceptance, at now: Instant, using random: inout some RandomNumberGenerator) {
        let id = acceptance.key.conversation
        guard let conversation = conversations[id] else { return }
        guard let item = outbox[acceptance.message], item.conversation == id, let submission = item.submission else {
            // Ours, but not of this copy of us: the event itself tells what it was.
            return hold(.accepted(acceptance), at: now)
        }
        let (kind, epoch, payload): (EventKind, Epoch, [UInt8])
        switch submission.kind {
        case .application(let at, let bytes): (kind, epoch, payload) = (.application, at, bytes)
        case .commit(let bundle): (kind, epoch, payload) = (.commit, bundle.epoch, bundle.commit)
        case .proposal(let at, let bytes): (kind, epoch, payload) = (.proposal, at, bytes)
        case .found, .testimony: return
        }
        if kind == .commit, groups.isRejoin(id) { return rejoined(acceptance, submission, at: now, using: &random) }
        let step = conversation.step(
            acceptance.number, chain: acceptance.chain, sender: account.entry, message: acceptance.message, kind: kind, epoch: epoch,
            payload: payload)
        switch step {
        case .known, .gap: return
        case .chainBroken: return close(id, .chainBroken, acceptance.number)
        case .next(let digest):
            _ = conversations.update(id) { $0.advance(to: digest) }
            advanced.insert(id)
            settle(item, acceptance, payload, at: now, using: &random)
            change(id) { _ in }
            release(aheadIn: id)
        }
    }

    /// The hub has numbered it.
    private mutating func settle(
        _ item: OutboxItem, _ acceptance: Acceptance, _ payload: [UInt8], at now: Instant,
        using random: inout some RandomNumberGenerator
    ) {
        let id = acceptance.key.conversation
        outbox.answered(item.message)
        switch item.body {
        case .handshake(.commit): merge(acceptance, in: id, at: now, using: &random)
        case .handshake(.proposal): ownProposal(payload, item, in: id)
        case .text, .token, .receiptsWanted, .handshake, .founding, .numbered:
            numbered(item, acceptance.number, chain: acceptance.chain, in: id)
        }
        // With nobody else in it there is nobody to wait for.
        cover(id)
    }

    /// The hub has it: a text is kept until everybody has it, since a hub that is restored from a backup may need it once more.
    private mutating func numbered(_ item: OutboxItem, _ number: SequenceNumber, chain: Digest, in id: ConversationID) {
        guard item.isText else { return remove(item) }
        // What the hub has, the home had: where both are one node its two answers can come in either order.
        if item.state == .queued { report(item.message, MessageStatus(.sent)) }
        var item = item
        item.stage = .numbered(id, number, chain)
        (item.state, item.refusal) = (.accepted, nil)
        outbox.keep(item)
        write(.outbox(item))
        report(item.message, MessageStatus(.accepted, number: number))
        track(item, number: number, chain: chain, in: id)
    }

    /// From now on receipts are waited for; the oldest that nobody has read give way.
    private mutating func track(_ item: OutboxItem, number: SequenceNumber, chain: Digest, in id: ConversationID) {
        let gone = conversations.update(id) { one -> [MessageID] in
            // What is heard of late has its place among the others all the same.
            let index = one.awaiting.lastIndex { $0.number < number }.map { $0 + 1 } ?? 0
            one.awaiting.insert(.init(number: number, chain: chain, message: item.message, state: .accepted), at: index)
            guard one.awaiting.count > ClientLimits.awaitingMax else { return [] }
            let delivered = one.awaiting.prefix { $0.state == .delivered }
            one.awaiting.removeFirst(delivered.count)
            return delivered.map(\.message)
        }
        for message in gone ?? [] { if let item = outbox[message] { remove(item) } }
    }

    // MARK: Alarms

    /// Recorded and shown.
    mutating func raise(_ alarm: Alarm, _ key: ConversationKey, _ number: SequenceNumber?) {
        // Who makes conversations up makes their ids up.
        let place = alarm == .tooManyConversations ? nil : key.conversation
        let raised = AlarmPlace(alarm: alarm, hub: key.hub, conversation: place)
        let most = alarm == .tooManyConversations ? 1 : ClientLimits.alarmsAlikeMax
        guard alarms[raised, default: 0] < most, alarms.count < ClientLimits.alarmPlacesMax else { return }
        alarms[raised, default: 0] += 1
        write(.alarm(AlarmRecord(alarm: alarm, key: key, number: number, time: wall)))
        emit(.note(.alarm(alarm)))
    }

    /// The hub contradicted itself: nothing more of this conversation is believed. What it had not yet numbered of ours has an unknown
    /// fate and is given up.
    mutating func close(_ id: ConversationID, _ alarm: Alarm, _ number: SequenceNumber?) {
        guard let key = conversations[id]?.key else { return }
        change(id) {
            $0.standing = .broken
            $0.forgetHeld()
            $0.refetch = nil
        }
        advanced.remove(id)
        raise(alarm, key, number)
        giveUp(id, Refusal(.unknown, "the hub contradicted itself"), mayBeThere: true)
    }
}
