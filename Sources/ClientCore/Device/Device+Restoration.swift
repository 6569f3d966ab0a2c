internal import Cryptography
internal import Groups
internal import MLS
internal import Vocabulary

// A hub or a home that was restored from a backup and says so (docs/protocol/hub.md, "Restoration"). What a hub has forgotten without a
// word is found out by the chain, as ever.

extension Device {
    // MARK: The hub

    /// The hub's own word. It may jump ahead, once for each restoration: the numbers in between will never be given again.
    ///
    /// What the hub's copy has, and we have not, comes first: our home may have been restored as well, and what we have jumped over the hub
    /// would take for received.
    /// - Parameter mayLack: it does not come.
    mutating func pass(
        _ envelope: Envelope, mayLack: Bool = false, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        guard let restoration = try? Restoration(decoding: envelope.payload) else {
            return emit(.note(.badHandshake("a restoration that cannot be read")))
        }
        let id = envelope.key.conversation
        guard let one = conversations[id] else { return comeIn(after: restoration, envelope, at: now) }
        let computed = Chain.next(
            after: restoration.previous, number: envelope.number, sender: envelope.sender, message: envelope.message,
            kind: envelope.kind, epoch: envelope.epoch, payload: envelope.payload)
        guard computed == envelope.chain else { return close(id, .chainBroken, envelope.number) }
        let isNext = envelope.number == one.head.next
        guard !isNext || restoration.previous == one.chain else { return close(id, .chainBroken, envelope.number) }
        let isNew = restoration.id > (one.passage?.id ?? 0)
        guard isNew || isNext else { return hold(.event(envelope), at: now) }
        if isNew, one.head < restoration.from, !one.isStale, !mayLack { return hold(.event(envelope), at: now) }
        // What the copy had is what we had: else it is no copy, but another history.
        if isNew, let known = one.chain(at: restoration.from), known != restoration.chain {
            return close(id, .forkedHistory, envelope.number)
        }
        if isNew {
            // In others it may have nothing to say.
            probeAt = probeAt.map { min($0, now + ClientLimits.refetchAfter) }
            begin(restoration, in: one)
            change(id) { $0.skip(to: envelope.number, chain: envelope.chain) }
        } else {
            _ = conversations.update(id) { $0.advance(to: envelope.chain) }
        }
        advanced.insert(id)
        switch restoration.stage {
        case .begun: testify(in: id, using: &random)
        case .asked(let device): if device == account.deviceID { handOver(id, using: &random) }
        case .settled(let settlement): settle(settlement, envelope, in: id, using: &random)
        }
        change(id) { _ in }
        release(aheadIn: id)
    }

    /// What is on its way is taken back, and what the hub may have forgotten comes again: sealed anew, since the hub or members may have
    /// the bytes of before.
    private mutating func begin(_ restoration: Restoration, in one: Conversation) {
        change(one.id) { $0.passage = Passage(id: restoration.id, from: restoration.from, head: one.head, chain: one.chain) }
        takeBack(in: one, beyond: restoration.from)
    }

    /// - Parameter from: the last number that the hub's copy has.
    mutating func takeBack(in one: Conversation, beyond from: SequenceNumber) {
        let id = one.id
        if let item = one.committing.flatMap({ outbox[$0] }) { over(item, in: id) }
        for item in outbox.sealed(in: id) where !item.isFounding {
            guard item.isSaid else {
                over(item, in: id)
                continue
            }
            outbox.answered(item.message)
            again(item)
        }
        // Numbered beyond the copy, and not said to be there by everybody: whoever has it already shows it once.
        for mine in one.awaiting where mine.number > from && mine.state < .delivered {
            guard let item = outbox[mine.message] else { continue }
            if item.isText, item.body == .numbered {
                fail(mine.message, Refusal(.recovering, "the conversation's hub was restored from a backup that does not have it"))
            } else {
                again(item)
            }
        }
        _ = conversations.update(id) { $0.awaiting.removeAll { $0.number > from && $0.state < .delivered } }
    }

    /// What its sender was told of it stands.
    private mutating func again(_ item: OutboxItem) {
        var item = item
        (item.stage, item.submitted) = (.waiting, nil)
        outbox.keep(item)
        write(.outbox(item))
    }

    /// Says to the hub what we have.
    mutating func testify(in id: ConversationID, using random: inout some RandomNumberGenerator) {
        guard isLive, let one = conversations[id], let passage = one.passage, !passage.isSettled, one.standing.isFollowed else { return }
        let testimony = testimony(of: one, passage)
        send(testimony, in: one, using: &random)
    }

    private mutating func testimony(of one: Conversation, _ passage: Passage, part: AnswerPart? = nil) -> Testimony {
        let group = one.isStale ? nil : groups[one.id].flatMap { $0.isActive ? $0 : nil }
        return Testimony(
            restoration: passage.id,
            watermark: passage.head > .zero ? account.watermark(one.key, through: passage.head, chain: passage.chain) : nil,
            epoch: Epoch(unchecked: group?.epoch ?? 0), group: group?.digest ?? .zero, part: part)
    }

    /// The group as we have it, for a hub whose copy is older.
    private mutating func handOver(_ id: ConversationID, using random: inout some RandomNumberGenerator) {
        guard let one = conversations[id], let passage = one.passage, let group = groups[id], group.isActive, !one.isStale,
            let info = try? group.groupInfo(includesTree: false)
        else { return }
        let parcel = GroupParcel(groupInfo: info, tree: group.ratchetTree, head: passage.head, chain: passage.chain)
        for part in AnswerPart.parts(of: parcel.encoded()) {
            let testimony = testimony(of: one, passage, part: part)
            send(testimony, in: one, using: &random)
        }
    }

    /// Not through the outbox: what is lost is said again at the next session, or is not needed any more.
    private mutating func send(_ testimony: Testimony, in one: Conversation, using random: inout some RandomNumberGenerator) {
        emit(
            .send(
                .submit(
                    Submission(
                        message: .random(using: &random), conversation: one.id, hub: one.key.hub, kind: .testimony(testimony)))))
    }

    /// The conversation goes on; with our group, or we come into the one that it goes on with.
    private mutating func settle(
        _ settlement: Restoration.Settlement, _ envelope: Envelope, in id: ConversationID, using random: inout some RandomNumberGenerator
    ) {
        guard let one = conversations[id], let passage = one.passage else { return }
        let missing = settlement.head.value > passage.head.value ? settlement.head.value - passage.head.value : 0
        let group = groups[id]
        let isReadable = group?.isActive == true && group?.epoch == settlement.epoch.value && group?.digest == settlement.group
        // A proposal that waits may have been forgotten; a commit from outside takes none up.
        let isSame = isReadable && group?.pendingProposals.isEmpty == true
        let until = wall + ClientLimits.intentLifetime
        let intent = Intent(id: random.next() >> 12, .leave, until: until)
        change(id) {
            $0.passage?.isSettled = true
            if !isReadable { $0.stopTaking() }
            if !isSame {
                $0.isStale = true
                $0.passage?.mayReturn = true
            }
            if $0.standing == .leaving, !$0.intents.contains(where: { $0.change == .leave }) { $0.intents.append(intent) }
        }
        // What was put off until this is due now.
        (restingUntil[id], due[id]) = (nil, nil)
        unseal(in: id)
        note(restored: missing, envelope, in: one)
    }

    private mutating func note(restored missing: UInt64, _ envelope: Envelope, in one: Conversation) {
        guard one.standing == .accepted || one.standing == .leaving else { return }
        write(
            .message(
                MessageRecord(
                    message: envelope.message, peer: peer(of: one), author: nil, conversation: one.key,
                    body: .membership(.restored(missing: missing)), sent: wall,
                    status: MessageStatus(.delivered, number: envelope.number))))
        emit(.messagesArrived)
    }

    /// We came in while the hub was forgetting, and our Welcome was forgotten with it: in by external commit. Or the hub has forgotten nothing
    /// of it, and this copy of us is older than the conversation.
    private mutating func comeIn(after restoration: Restoration, _ envelope: Envelope, at now: Instant) {
        guard case .settled(let settlement) = restoration.stage else { return }
        guard let member = settlement.by else { return meet(envelope.key, envelope.number, of: nil, at: now) }
        _ = hear(of: envelope.key, from: member.user, (envelope.number, envelope.chain))
    }

    /// We are out, and the hub goes on from a copy that has us in, as nobody told it in time: the others would wait for our receipts. We come
    /// in once more to leave; if the group that it goes on with has us out, it says so when it is asked for it.
    mutating func leaveAgain(_ one: Conversation, after envelope: Envelope, using random: inout some RandomNumberGenerator) {
        guard envelope.kind == .restoration, one.standing == .removed, !one.profile.isDirect,
            let restoration = try? Restoration(decoding: envelope.payload), case .settled = restoration.stage,
            restoration.id > one.passage?.id ?? 0, envelope.number > one.head,
            // Whoever gave it up never wanted out (`meetAgain`).
            !isGivenUp(one)
        else { return }
        let intent = Intent(id: random.next() >> 12, .leave, until: wall + ClientLimits.intentLifetime)
        groups[one.id] = nil
        var passage = Passage(id: restoration.id, from: restoration.from, head: one.head, chain: one.chain)
        (passage.isSettled, passage.mayReturn) = (true, true)
        change(one.id) {
            $0.passage = passage
            $0.stopTaking()
            $0.jump(to: envelope.number, chain: envelope.chain)
            ($0.isStale, $0.standing, $0.intents) = (true, .leaving, [intent])
        }
    }

    // MARK: The home

    /// Our home was restored from a backup that we have not heard of yet: what it had for us and from us may be gone.
    mutating func homeRestored(_ restoration: UInt64) {
        guard restoration > settings.homeRestoration else { return }
        settings.homeRestoration = restoration
        write(.settings(settings))
        emit(.note(.homeRestored))
        // It hands out none of ours that it may have handed out before, and wants others.
        keyPackages.isDoubtful = true
        outbox.homeForgot()
        refill = Set(conversations.all.filter { $0.standing.isFollowed && $0.head > .zero }.map(\.id))
        for id in refill { _ = conversations.update(id) { $0.forgottenAtHome = $0.head } }
        // Receipts that it had for us are gone, and nobody says them again by himself: of what is numbered, as we know or will learn.
        var writer = ByteWriter()
        writer.write(restoration)
        let purpose = Hash.blake2b(writer.bytes).raw
        for one in conversations.all where one.standing == .accepted {
            let isOwed = one.awaiting.contains { $0.state < .delivered } || outbox.sealed(in: one.id).contains { $0.isText }
            guard isOwed, let message = MessageID.derived(from: account.deviceID, purpose, one.key) else { continue }
            write(.outbox(outbox.add(message, to: .group(one.id), in: one.id, .receiptsWanted(sent: wall), .waiting)))
            touched.insert(one.id)
        }
    }

    /// The hubs keep what we lack, and need our word for what we have.
    mutating func fetchForgotten(at now: Instant) {
        refill.formUnion(conversations.all.filter { $0.isBehind && !$0.isStale }.map(\.id))
        for id in refill.sorted() where conversations[id]?.standing.isFollowed == true {
            advanced.insert(id)
            refetch(id, isOpen: true, at: now)
        }
        refill = []
    }

    /// After an interruption everything that is not settled is said once more.
    mutating func testifyAgain(using random: inout some RandomNumberGenerator) {
        for one in conversations.all where one.passage?.isSettled == false { testify(in: one.id, using: &random) }
    }
}

extension MessageID {
    /// The same for the same purpose and conversation: said once, whatever happens in between.
    static func derived(from device: DeviceID, _ purpose: Bytes32, _ key: ConversationKey) -> MessageID? {
        MessageID(Array(Hash.blake2b(device.bytes + purpose.bytes + key.groupID).bytes.prefix(16)))
    }
}

extension Group {
    /// As the hub names it (`PublicGroup.digest`).
    var digest: Digest { Hash.blake2b(context.confirmedTranscriptHash + context.treeHash) }
}
