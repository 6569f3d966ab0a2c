internal import Cryptography
internal import Groups
internal import MLS
internal import Vocabulary

// Numbers that are missing: asked for again, and if they cannot be had the conversation is rejoined and the user told.

extension Device {
    /// Kept until what is in front of it has come. Not acknowledged: our watermark stays where it is, and the entry at home.
    mutating func hold(_ item: Conversation.Held, at now: Instant) {
        let id = item.key.conversation
        keepAtHome(id)
        let room = ClientLimits.heldBytesTotalMax - conversations.heldBytes - item.bytes
        let isNew = conversations.update(id) { one -> Bool in
            // The hub's word on a message of ours stays: what is fetched again is the event for others, which we cannot open.
            let isAccepted = if case .accepted? = one.held[item.number] { true } else { false }
            let isOfFew = one.held.count < ClientLimits.heldMax && one.heldBytes + item.bytes <= ClientLimits.heldBytesMax
            if isOfFew, room >= 0, !isAccepted { one.hold(item) }
            return one.refetch == nil
        }
        // That something is missing outlives session and process. A restoration's number says nothing of those before it.
        let isRestoration = if case .event(let envelope) = item { envelope.kind == .restoration } else { false }
        if !isRestoration, let one = conversations[id], item.number > one.given { change(id) { $0.given = item.number } }
        if isNew == true { refetch(id, at: now) }
    }

    /// Asks for the first of what is missing: of a hole, or, if that is not known, of whatever the hub has beyond what we have.
    mutating func refetch(_ id: ConversationID, try tries: Int = 1, isOpen: Bool = false, at now: Instant) {
        guard isLive, let one = conversations[id] else { return }
        let hole = one.hole ?? one.head.next...SequenceNumber(unchecked: counterMax)
        let most = min(one.head.value + UInt64(Limits.refetchedMax), counterMax)
        let through = min(hole.upperBound, SequenceNumber(unchecked: most))
        _ = conversations.update(id) {
            $0.refetch = Conversation.Refetch(until: now + ClientLimits.refetchAfter, tries: tries, through: through, isOpen: isOpen)
        }
        if !one.held.isEmpty || one.isBehind { emit(.hole(id, count: Int(clamping: hole.upperBound.value - hole.lowerBound.value + 1))) }
        emit(.send(.refetch(one.key, from: hole.lowerBound, through: through)))
    }

    /// Something of what was asked for has come: all of it, or what was asked for at once is followed by the rest.
    mutating func fetchMore(_ id: ConversationID, at now: Instant) {
        guard let one = conversations[id] else { return }
        answered.remove(id)
        guard let wait = one.refetch else {
            if !one.held.isEmpty { refetch(id, at: now) }
            return
        }
        if one.held.isEmpty, !one.isBehind, !wait.isOpen {
            _ = conversations.update(id) { $0.refetch = nil }
        } else if one.head >= wait.through {
            refetch(id, isOpen: wait.isOpen && one.held.isEmpty, at: now)
        }
    }

    var nextRefetch: Instant? { conversations.refetching.compactMap { conversations[$0]?.refetch?.until }.min() }

    mutating func refetchOverdue(at now: Instant, using random: inout some RandomNumberGenerator) {
        guard isLive else { return }
        for id in conversations.refetching.sorted() {
            guard let one = conversations[id], let wait = one.refetch, wait.until <= now else { continue }
            if !one.standing.isFollowed || one.held.isEmpty && (one.isStale || !one.isBehind) {
                // There is nothing beyond what we have, or it is not ours any more.
                _ = conversations.update(one.id) { $0.refetch = nil }
            } else if wait.tries < ClientLimits.refetchesMax {
                refetch(one.id, try: wait.tries + 1, at: now)
            } else if let word = one.firstHeld, one.isNewRestoration(word) {
                // What the hub's copy had for us is gone; the conversation goes on with what the hub says, and that something is missing is told.
                pass(word, mayLack: true, at: now, using: &random)
                followHeld(one.id, at: now, using: &random)
            } else if !one.isStale, answered.remove(one.id) == nil {
                // A hub that is out of reach, or out of the federation, holds nothing back.
                ask(.group(one.id))
                refetch(one.id, try: wait.tries, at: now)
            } else {
                // They are gone. What is left is to go on from where the hub stands. An old copy of us lacks what we have said to have: that
                // is nobody's fault, and it comes back in anyway.
                if !one.isStale { raise(.gap, one.key, one.head.next) }
                takenBehindGap(in: one.id, before: SequenceNumber(unchecked: counterMax))
                // That a commit of ours is numbered may be among them. By which we come back in is told whatever is missing.
                if !groups.isRejoin(one.id) { lost(in: one.id) }
                change(one.id) {
                    $0.refetch = nil
                    $0.forgetHeld()
                    $0.isStale = true
                    // What settles a restoration that was begun may be among them: we come into whatever group the hub has by then.
                    $0.passage?.isSettled = true
                    $0.passage?.mayReturn = true
                }
            }
        }
    }

    /// The hub has answered, so it can be reached: what it has sent is right behind, or it holds something back.
    private mutating func waitOnceMore(in one: Conversation, at now: Instant) {
        answered.insert(one.id)
        if let wait = one.refetch { refetch(one.id, try: wait.tries, isOpen: wait.isOpen, at: now) }
        guard one.awaitsCommit != nil else { return }
        awaitCommit(one.id, until: now + ClientLimits.refetchAfter)
    }

    /// - Returns: whether the group was asked for to see whether the hub answers.
    mutating func isProbed(by one: Conversation, at now: Instant) -> Bool {
        guard !one.isStale, groups[one.id] != nil else { return false }
        if one.refetch != nil || one.awaitsCommit != nil { waitOnceMore(in: one, at: now) }
        return true
    }

    // MARK: A conversation that is gone

    /// A hub that was restored from a backup says nothing in a conversation that it has forgotten, and what was accepted there waits for
    /// receipts that never come: it is asked now and then, ever more rarely. So it is about what was handed on and has no number: what stands
    /// for that may have been kept from us, and the hub does not say it of itself a second time; and so is our home.
    mutating func probe(at now: Instant) {
        outbox.enqueueOverdue(at: wall)
        submit()
        // A home that was just restored may not have known them yet.
        for user in contacts.unnamed.filter(unlisted.contains).prefix(ClientLimits.lookupsMax) { ask(.name(user)) }
        // An owner's node may have been expelled meanwhile.
        takePlaces()
        let undecided = Set(outbox.all.filter { $0.submission != nil && $0.state > .queued }.compactMap(\.conversation))
        for one in conversations.all where one.standing.isFollowed && one.isFounded {
            guard one.awaiting.contains(where: { $0.state < .delivered }) || undecided.contains(one.id) else { continue }
            emit(.send(.refetch(one.key, from: one.head.next, through: one.head.next)))
        }
        probes += 1
        probeAt = now + min(ClientLimits.probeAfter * (1 << min(probes, 10)), ClientLimits.probeEveryMax)
    }

    /// The hub says that we are in no such conversation, and has given a number of it that lies behind what it still owes us. A hub that was
    /// restored, and has forgotten the conversation, had given what lies before as well: so it is withheld, also from whoever was removed
    /// meanwhile, who cannot ask for it any more.
    /// What a home that was restored has lost, and an old copy of what its later self had, is no fault of the hub's. The history shows what came behind what was missing.
    mutating func noteWithheld(in one: Conversation) {
        if one.isBehind, !one.isStale, one.forgottenAtHome != one.head { raise(.gap, one.key, one.head.next) }
        let isBlocked = one.profile.peer(of: account.userID).flatMap { contacts[$0]?.isBlocked } ?? false
        guard one.standing != .declined, !isBlocked else { return }
        for case .event(let envelope) in one.held.sorted(by: { $0.key < $1.key }).map(\.value) where envelope.kind == .application {
            record(envelope, .undecryptable("something before it is missing, and cannot be had any more"))
        }
    }

    /// What is held before a number will not be followed any more.
    mutating func takenBehindGap(in id: ConversationID, before number: SequenceNumber) {
        for (_, item) in (conversations[id]?.held ?? [:]).filter({ $0.key < number }).sorted(by: { $0.key < $1.key }) { taken(item) }
    }

    /// The hub refused an epoch as over: the commit that ended it must come.
    mutating func awaitCommit(_ id: ConversationID, at now: Instant) {
        guard conversations[id]?.awaitsCommit == nil else { return }
        awaitCommit(id, until: now + ClientLimits.refetchAfter * ClientLimits.refetchesMax)
    }

    mutating func awaitCommit(_ id: ConversationID, until: Instant) {
        _ = conversations.update(id) { $0.awaitsCommit = until }
        due[id] = until
    }

    // MARK: A Welcome that is missing

    /// Something of a conversation that we are in and do not know: our home was restored and has forgotten the Welcome, or this copy of us is
    /// older than the conversation. The hub still has the Welcome if we have never said to have it; else we come in by external commit.
    ///
    /// - Parameters:
    ///   - author: nil where only what our later self did there is told of.
    ///   - isOfUse: false for what comes once more with the Welcome: it need not wait at home.
    mutating func meet(
        _ key: ConversationKey, _ number: SequenceNumber, of author: UserID?, isOfUse: Bool = true, at now: Instant
    ) {
        guard let id = hear(of: key, from: author, nil) else { return }
        if isOfUse { keepAtHome(id) }
        awaitWelcome(key, after: .zero, by: number, at: now)
    }

    /// A conversation that we are told we are in. Whose it is we learn with the group, and so who is in it: until then nobody is met, and one
    /// of which nobody else has said anything passes for one with ourselves.
    ///
    /// - Parameter place: from where on it is followed, where that is known.
    /// - Returns: nil where there is no room for another.
    mutating func hear(of key: ConversationKey, from author: UserID?, _ place: (SequenceNumber, Digest)?) -> ConversationID? {
        guard conversations.hasRoom(of: key.hub, isHome: key.hub == account.home, isHeardOf: true) else {
            raise(.tooManyConversations, key, nil)
            return nil
        }
        let profile = GroupProfile.direct(account.userID, author ?? account.userID)
        var one = Conversation(key: key, profile: profile, origin: .theirs, standing: .request)
        if let (number, chain) = place {
            one.stopTaking()
            one.jump(to: number, chain: chain)
        }
        one.isStale = true
        conversations[one.id] = one
        change(one.id) { _ in }
        return one.id
    }

    /// Of which we have only heard, and whose hub does not have it, or not with us: nothing of it was ever shown.
    ///
    /// - Returns: false for what we have been in.
    mutating func forget(heardOf id: ConversationID) -> Bool {
        guard let one = conversations[id], one.isPlaceholder, groups[id] == nil else { return false }
        conversations[id] = nil
        (receipts[id], attempts[id], unvouched[id], restingUntil[id]) = (nil, nil, nil, nil)
        touched.remove(id)
        write(.conversationRemoved(id))
        return true
    }

    /// Of a group that we are out of nothing comes any more: whoever added us since did so after this copy of us was made, or our home has
    /// forgotten the Welcome. Nor of what we gave up, as its hub did not know it: it goes on from a newer backup now.
    mutating func meetAgain(_ item: Conversation.Held, at now: Instant) {
        guard case .event(let envelope) = item, let one = conversations[item.key.conversation] else { return }
        if meetAgain(one, by: item.number, isRestoration: envelope.kind == .restoration, at: now) { keepAtHome(one.id) }
    }

    /// - Returns: whether it is asked for.
    @discardableResult
    mutating func meetAgain(_ one: Conversation, by number: SequenceNumber, isRestoration: Bool = false, at now: Instant) -> Bool {
        guard one.standing == .removed, one.head < number else { return false }
        guard isGivenUp(one) || !isRestoration && groups[one.id]?.isActive == false else { return false }
        // The group as it was stays until another is entered: whose word that is, is asked by it.
        change(one.id) { ($0.standing, $0.joined, $0.isStale) = (.request, .zero, true) }
        awaitWelcome(one.key, after: one.head, by: number, at: now)
        return true
    }

    /// Whether it ended though neither we nor the others wanted us out.
    mutating func isGivenUp(_ one: Conversation) -> Bool {
        one.standing == .removed && isMember(of: one) && roster(one.id).contains { $0.user != account.userID }
    }

    private mutating func awaitWelcome(_ key: ConversationKey, after head: SequenceNumber, by number: SequenceNumber, at now: Instant) {
        let last = min(number.value + UInt64(Limits.refetchedMax), counterMax)
        emit(.send(.refetch(key, from: head.next, through: SequenceNumber(unchecked: last))))
        restingUntil[key.conversation] = now + ClientLimits.refetchAfter
        touched.insert(key.conversation)
    }

    // MARK: An old copy

    /// The home has seen later submissions of this device than we have handed over: somebody restored an old copy of the profile. To send
    /// now could use a key a second time, as could what was sealed without a session, so every conversation is rejoined first.
    mutating func restored(seen: UInt64) {
        (order.last, order.handedOver, order.isCatchingUp) = (max(order.last, seen), seen, true)
        inherited.formUnion(outbox.all.map(\.message))
        write(.order(order))
        emit(.note(.restored))
        keyPackages.isDoubtful = true
        // One that is being entered has no group yet, but the keys of the commit that enters it: the later copy may have used them.
        for one in conversations.all
        where one.standing.isFollowed && one.isFounded && (groups[one.id] != nil || groups.isRejoin(one.id)) {
            if let item = one.committing.flatMap({ outbox[$0] }) { remove(item) }
            groups.setPending(nil, for: one.id)
            write(.pending(one.id, nil))
            change(one.id) {
                $0.isStale = true
                $0.committing = nil
            }
            unseal(in: one.id)
        }
    }
}
