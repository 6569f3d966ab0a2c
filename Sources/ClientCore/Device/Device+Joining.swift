internal import Cryptography
internal import Groups
internal import MLS
internal import Vocabulary

// Coming into a conversation: by Welcome, or on our own by external commit (RFC 9420 §12.4.3).

extension Device {
    // MARK: Welcome

    mutating func take(_ part: WelcomePart, at now: Instant, using random: inout some RandomNumberGenerator) {
        let id = part.key.conversation
        // What is of no use when it is whole is not gathered either. Told of once.
        if let known = conversations[id] {
            guard known.key == part.key else { return part.index == 0 ? raise(.otherHub, part.key, part.number) : () }
            guard part.number > known.head, known.standing != .broken, known.standing != .declined else { return }
        } else if !conversations.hasRoom(of: part.key.hub, isHome: part.key.hub == account.home) {
            return part.index == 0 ? raise(.tooManyConversations, part.key, nil) : ()
        }
        let step = groups.welcomes.add(part, at: wall)
        storeWelcomes()
        let bytes: [UInt8]
        switch step {
        case .whole(let whole): bytes = whole
        case .unfinished, .known: return
        case .beginningMissing: return askAgain(for: part, at: now)
        case .malformed: return emit(.note(.badHandshake("a Welcome whose parts are not full")))
        }
        do throws(MLSError) {
            guard let parcel = try? WelcomeParcel(decoding: bytes) else { throw .malformed(.truncated) }
            guard let own = keyPackages.first(of: try MLSMessage(parcel.welcome).welcomedReferences) else {
                return comeInAnyway(part, parcel)
            }
            var (group, signer) = try Group.joinNamingSigner(parcel.welcome, with: own, tree: parcel.tree, host: host)
            guard group.id == part.key.groupID, let profile = GroupProfile(group.context.extensions) else { throw .wrongGroup }
            let entries = group.members.compactMap { MemberLeaf.entry(of: $0.leaf) }
            // Who adds has signed the group as it is: else a hub could make one up in somebody's name.
            guard group.member(signer).flatMap(MemberLeaf.entry) == parcel.sender, isAmongItsOwn(entries, profile) else {
                raise(.badHandshake, part.key, part.number)
                throw .wrongGroup
            }
            if let known = conversations[id], groups[id] != nil, !isStill(known, profile, by: parcel.sender.user) {
                emit(.note(.badHandshake("a Welcome into a group that we were in, by somebody whom we do not know")))
                meetAgain(known, by: part.number, at: now)
                return
            }
            let before = Set(roster(id).map(\.user))
            // Whoever gave it up, since its restored hub did not know us, still has its group.
            if let known = conversations[id], known.standing != .removed, !known.isOutside, groups[id]?.isActive == true {
                guard isLetInAgain(to: known, by: parcel.sender.user, with: own) else { return }
                takeBack(in: known, beyond: .zero)
            } else if conversations[id]?.committing != nil {
                return
            }
            let delta = group.takeChanges()
            groups[id] = group
            write(.group(id, delta))
            if own.package.isLastResort { rotateLastResort(own, using: &random) } else { forget(own.reference) }
            enter(part, parcel, profile, entries, before: before, at: now, using: &random)
        } catch {
            emit(.note(.badHandshake("\(error)")))
        }
    }

    /// Its beginning had to make room, or is too old: the hub has it.
    private mutating func askAgain(for part: WelcomePart, at now: Instant) {
        emit(.note(.badHandshake("a Welcome whose parts are not in order")))
        guard let known = conversations[part.key.conversation] else { return meet(part.key, part.number, of: nil, isOfUse: false, at: now) }
        meetAgain(known, by: part.number, at: now)
    }

    /// What is to come of a Welcome may have been at home for as long as anything is.
    mutating func forgetOldWelcomes() {
        groups.welcomes.expire(at: wall)
        storeWelcomes()
    }

    private mutating func forgetWelcomes(of id: ConversationID) {
        groups.welcomes.remove(id)
        storeWelcomes()
    }

    private mutating func storeWelcomes() {
        for (key, one) in groups.welcomes.takeChanged() { write(.welcome(key, one)) }
    }

    /// Into a conversation that we are in nobody adds us, and nothing is overwritten. But in a direct one whose hub was set back to its founding
    /// the other one is alone, and lets us in once more. That is no old Welcome said again, for whose epoch we have used keys: those of its
    /// KeyPackage we would not have any more.
    private func isLetInAgain(to known: Conversation, by sender: UserID, with own: OwnKeyPackage) -> Bool {
        known.profile.peer(of: account.userID) == sender && sender != account.userID && !own.package.isLastResort
    }

    /// A direct conversation whose hub was set back to its founding has its founder alone: the other one is let in again.
    private mutating func letIn(in id: ConversationID, using random: inout some RandomNumberGenerator) {
        guard let one = conversations[id], one.standing == .accepted, let peer = one.profile.peer(of: account.userID),
            peer != account.userID,
            !roster(id).contains(where: { $0.user == peer }), !one.intents.contains(where: \.change.isAdd)
        else { return }
        let intent = Intent(id: random.next() >> 12, .add([peer]), until: wall + ClientLimits.intentLifetime)
        change(id) { $0.intents.append(intent) }
    }

    private mutating func enter(
        _ part: WelcomePart, _ parcel: WelcomeParcel, _ profile: GroupProfile, _ entries: [RosterEntry], before: Set<UserID>,
        at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        let id = part.key.conversation
        forgetWelcomes(of: id)
        if entries.count <= ClientLimits.namesAskedMax { for entry in entries { met(entry.user) } } else { met(parcel.sender.user) }
        var one = Conversation(key: part.key, profile: profile, origin: .theirs, standing: standing(for: profile, from: parcel.sender.user))
        one.jump(to: part.number, chain: parcel.chain)
        one.joined = part.number
        one.intents = [Intent(id: random.next() >> 12, .refresh, until: wall)]
        if let group = groups[id], let markKey = try? MarkKey(of: group) { one.markKeys = [markKey] }
        // Sealing with its keys could use one a second time: that our later self entered by it we cannot know.
        one.isStale = order.isCatchingUp
        conversations[id] = one
        awaitRefresh(id, at: now, using: &random)
        receipts[id] = nil
        for entry in entries where entry.device != account.deviceID {
            let line = ReceiptLine(entry: entry, joined: part.number)
            receipts[id, default: Receipts()][entry.device] = line
            write(.receipts(id, entry.device, line))
        }
        advanced.insert(id)
        takePlaces(around: id)
        // That the group was founded in another's place says as much.
        guard !profile.isDirect, conversations[id]?.hasSucceeded != true else { return }
        let name = Hash.blake2b(part.key.groupID + withUnsafeBytes(of: part.number.value.bigEndian, Array.init)).bytes.prefix(16)
        let message = MessageID(Array(name)) ?? .random(using: &random)
        write(
            .message(
                MessageRecord(
                    message: message, peer: .group(id), author: parcel.sender.user, conversation: part.key, body: .membership(.joined),
                    sent: wall, status: MessageStatus(.delivered, number: part.number))))
        if !before.isEmpty {
            show(newcomers: Set(entries.map(\.user)).subtracting(before), in: id, behind: message, part.number, by: parcel.sender.user)
        }
        emit(.messagesArrived)
    }

    /// A stranger's direct conversation waits for the user's word; in a group one is among others.
    private func standing(for profile: GroupProfile, from sender: UserID) -> Conversation.Standing {
        guard let peer = profile.peer(of: account.userID) else { return .accepted }
        guard let contact = contacts[peer] else { return .request }
        if contact.isBlocked { return .declined }
        return contact.isAccepted || contact.isVerified ? .accepted : .request
    }

    /// The private half is gone (this profile was restored): we are on the roster all the same, and come in by external commit.
    private mutating func comeInAnyway(_ part: WelcomePart, _ parcel: WelcomeParcel) {
        guard conversations[part.key.conversation] == nil else { return }
        _ = hear(of: part.key, from: parcel.sender.user, (part.number, parcel.chain))
    }

    // MARK: External commit

    /// The answer to `fetchGroup`, part by part.
    mutating func received(
        _ part: AnswerPart, of request: RequestID, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        guard case .group(let id)? = questions[request] else { return emit(.note(.unexpectedFrame)) }
        let before = parcels[request] ?? []
        guard before.count == Int(part.index) * Limits.partBytesMax, part.index < part.count, part.count <= Limits.partsMax else {
            return emit(.note(.unexpectedFrame))
        }
        parcels[request] = before + part.bytes
        guard part.index + 1 == part.count else { return }
        let bytes = parcels.removeValue(forKey: request) ?? []
        _ = answered(request)
        guard let one = conversations[id], !isProbed(by: one, at: now), one.committing == nil else { return }
        do throws(MLSError) {
            guard let parcel = try? GroupParcel(decoding: bytes) else { throw .malformed(.truncated) }
            guard let info = try MLSMessage(parcel.groupInfo).groupInfo, info.context.groupID == one.key.groupID else { throw .wrongGroup }
            let outline = try PublicGroup(parcel.groupInfo, tree: parcel.tree, host: host)
            switch voucher(for: outline, signedBy: info.signer, in: one) {
            case .known(let voucher): try rejoin(one, parcel, outline, voucher, using: &random)
            case .unknown: awaitVoucher(for: one, at: now, using: &random)
            case .none:
                if attempts[id, default: 0] == 0 { raise(.badHandshake, one.key, nil) }
                throw .wrongGroup
            }
        } catch {
            emit(.note(.badHandshake("\(error)")))
            noGroup(id, Refusal(.handshakeInvalid, error.explanation.what), at: now, using: &random)
        }
    }

    private mutating func rejoin(
        _ one: Conversation, _ parcel: GroupParcel, _ outline: PublicGroup, _ voucher: UserID,
        using random: inout some RandomNumberGenerator
    ) throws(MLSError) {
        guard let profile = GroupProfile(outline.context.extensions) else { throw .wrongGroup }
        // An older group than ours is no way forward: a hub that hands it out holds something back.
        let mayBeOlder = one.passage?.mayReturn == true || one.isOutside
        if let mine = groups[one.id], mine.isActive, outline.epoch < mine.epoch, !mayBeOlder {
            throw .wrongEpoch(sent: outline.epoch, current: mine.epoch)
        }
        let old = outline.members.first { MemberLeaf.entry(of: $0.leaf) == account.entry }?.index
        let message = MessageID.random(using: &random)
        let binding = MessageBinding(
            message: message, head: parcel.head, chain: parcel.chain, resumed: min(one.resumed ?? one.head, parcel.head))
        let join = try Group.joinExternally(
            parcel.groupInfo, tree: parcel.tree, as: try account.identity(at: wall), replacing: old,
            authenticatedData: binding.encoded(), host: host, using: &random)
        let bundle = CommitBundle(
            epoch: Epoch(unchecked: outline.epoch), commit: join.message, welcome: nil,
            groupInfo: try join.group.groupInfo(includesTree: false))
        var stored = StoredGroup()
        stored.apply(join.group.stored)
        let present = Set(outline.members.compactMap { MemberLeaf.entry(of: $0.leaf)?.user })
        show(changesOf: one, to: profile, among: present, at: parcel.chain, by: voucher)
        change(one.id) { $0.profile = profile }
        // What lies before is gone for us, and said to be; what comes from here on is followed by the chain.
        if parcel.head > one.head {
            takenBehindGap(in: one.id, before: parcel.head.next)
            doubtReceipts(in: one, through: parcel.head, outline.members.map(\.leaf))
            change(one.id) {
                $0.stopTaking()
                $0.jump(to: parcel.head, chain: parcel.chain)
            }
        }
        // Nor is what comes until the commit has its number: it says through where we had everything.
        change(one.id) { $0.stopTaking() }
        guard let one = conversations[one.id] else { return }
        vouchers[one.id] = voucher
        submit(bundle, as: message, .rejoin(stored.blob), in: one, using: &random)
    }

    /// The hub has numbered our external commit: we are in.
    mutating func rejoined(
        _ acceptance: Acceptance, _ submission: Submission, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        let id = acceptance.key.conversation
        guard let blob = groups.pendingRejoin(of: id), let item = outbox[acceptance.message], let one = conversations[id],
            case .commit(let bundle) = submission.kind
        else { return }
        let step = one.step(
            acceptance.number, chain: acceptance.chain, sender: account.entry, message: acceptance.message, kind: .commit,
            epoch: bundle.epoch, payload: bundle.commit)
        guard step == .next(acceptance.chain) || step == .gap else {
            if step == .chainBroken { close(id, .chainBroken, acceptance.number) }
            return
        }
        let before = roster(id)
        over(item, in: id)
        do throws(MLSError) {
            var group = try Group(restoring: try StoredGroup(blob: blob))
            if let old = groups[id] { group.inheritPast(of: old, host: host) }
            let delta = group.stored
            _ = group.takeChanges()
            groups[id] = group
            write(.group(id, delta))
        } catch {
            emit(.note(.badHandshake("\(error)")))
            return
        }
        if step == .gap {
            // As with the parcel before: the hub's word for where we go on from, which is compared with what others saw.
            takenBehindGap(in: id, before: acceptance.number)
            _ = conversations.update(id) { $0.jump(to: acceptance.number, chain: acceptance.chain) }
        } else {
            _ = conversations.update(id) { $0.advance(to: acceptance.chain) }
        }
        change(id) {
            $0.isStale = false
            ($0.awaitsCommit, $0.resumed, $0.given) = (nil, nil, acceptance.number)
            // A hub that still finds out where it stands numbers nothing of ours: its word that it has was among what we came past.
            $0.passage?.isSettled = true
            $0.passage?.mayReturn = false
            if $0.joined == .zero { $0.joined = acceptance.number }
        }
        advanced.insert(id)
        (attempts[id], unvouched[id]) = (nil, nil)
        forgetWelcomes(of: id)
        let entries = roster(id)
        for entry in entries where receipts[id]?[entry.device] == nil && entry.device != account.deviceID {
            if entries.count <= ClientLimits.namesAskedMax { met(entry.user) }
            let line = ReceiptLine(entry: entry, joined: before.contains(entry) ? .zero : acceptance.number)
            receipts[id, default: Receipts()][entry.device] = line
            write(.receipts(id, entry.device, line))
        }
        // Nobody waits for who went meanwhile.
        noteFormer(Set(before.map(\.user)), in: id)
        let present = Set(entries.map(\.device))
        for device in (receipts[id]?.lines.keys.sorted() ?? []) where !present.contains(device) {
            receipts[id]?[device] = nil
            write(.receipts(id, device, nil))
        }
        if let group = groups[id], let profile = GroupProfile(group.context.extensions) {
            let markKey = try? MarkKey(of: group)
            let standing = standing(for: profile, from: account.userID)
            change(id) { one in
                one.profile = profile
                // What we were told of by an event alone, or by a Welcome that we could not open, may be a group.
                if one.standing == .request { one.standing = standing }
                if let markKey { one.markKeys = one.markKeys.suffix(ClientLimits.markKeysKept - 1) + [markKey] }
            }
        }
        takePlaces(around: id)
        letIn(in: id, using: &random)
        unseal(in: id)
        // What was said since we had the group cannot be read here: the history shows where that lies, ours as that of the others.
        write(
            .message(
                MessageRecord(
                    message: acceptance.message, peer: peer(of: one), author: account.userID, conversation: one.key,
                    body: .membership(.rejoined([account.userID])), sent: wall,
                    status: MessageStatus(.delivered, number: acceptance.number))))
        // By whose word is in memory alone, and a command may have ended in between.
        let voucher = vouchers.removeValue(forKey: id)
        let newcomers = Set(entries.map(\.user)).subtracting(before.map(\.user))
        show(newcomers: newcomers, in: id, behind: acceptance.message, acceptance.number, by: voucher)
        emit(.messagesArrived)
        cover(id)
    }

    /// No way in for now, or for good.
    mutating func noGroup(
        _ id: ConversationID, _ refusal: Refusal, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        // What it is refused for while it recovers is no answer yet.
        if conversations[id]?.passage?.isSettled == false, refusal.code != .unknownHub { return }
        if refusal.code == .unknownHub, outlivesHub(id) { return beginAnew(instead: id, using: &random) }
        attempts[id, default: 0] += 1
        let tries = attempts[id] ?? 0
        guard !refusal.code.isTransient, tries >= ClientLimits.rejoinsMax || refusal.code == .unknownConversation else {
            restingUntil[id] = now + .milliseconds(200) + Backoff.delay(attempt: tries, using: &random)
            touched.insert(id)
            if tries >= ClientLimits.rejoinsHinted { tellWaiting(in: id, Refusal(refusal.code, refusal.detail + advice(id))) }
            return
        }
        guard !forget(heardOf: id) else { return }
        // The group does not let us in. A direct conversation goes on in a new one.
        giveUp(id, Refusal(.notOnRoster, "the conversation cannot be entered any more\(advice(id))"), mayBeThere: true)
        if refusal.code == .unknownConversation, let one = conversations[id] {
            noteWithheld(in: one)
            loseReceipts(in: one)
        }
        change(id) { $0.standing = .removed }
        giveUpWishes(in: id, refusal)
    }

    // MARK: Leaving

    /// A member cannot remove itself: it proposes to be, and the next who commits does it (RFC 9420 §12.1.3).
    mutating func leave(_ id: ConversationID, at now: Instant, using random: inout some RandomNumberGenerator) {
        guard isLive, caughtUp, let one = conversations[id], let group = groups[id] else { return }
        // What has its number waits for whoever commits next. A commit from outside takes no proposal up (RFC 9420 §12.4.3.2), nor does one
        // of ours by which we came back in: then it is said once more.
        let isProposed = group.pendingProposals.contains { $0.proposal == .remove(group.ownLeaf) }
        guard one.intents.contains(where: { $0.change == .leave }) || !isProposed else { return }
        let others = roster(id).contains { $0.user != account.userID }
        guard others else {
            change(id) {
                $0.standing = .removed
                $0.intents = []
            }
            return tell(id, [:])
        }
        let message = MessageID.random(using: &random)
        let binding = MessageBinding(message: message, head: one.head, chain: one.chain)
        do throws(MLSError) {
            let host = host
            let own = group.ownLeaf
            let proposal = try groups.update(id) { group throws(MLSError) in
                try group.propose(.remove(own), authenticatedData: binding.encoded(), host: host, using: &random)
            }
            guard let proposal else { return }
            storeGroup(id)
            let submission = Submission(
                message: message, conversation: id, hub: one.key.hub,
                kind: .proposal(epoch: Epoch(unchecked: group.epoch), message: proposal), order: order.next())
            let item = outbox.add(message, to: .group(id), in: id, .handshake(.proposal), .sealed(submission))
            write(.outbox(item))
            write(.order(order))
            change(id) { $0.committing = message }
            outbox.enqueue(message)
        } catch {
            emit(.note(.badHandshake("\(error)")))
        }
    }

    /// A leave that has its number waits for another member's commit, and none comes once the hub is expelled. Nothing that we send would be
    /// refused: so we ask. What a hub answers that is there changes nothing.
    mutating func askWhetherLeft() {
        for one in conversations.groups where one.standing == .leaving { ask(.group(one.id)) }
    }

    /// Where nobody orders the group any more there is nobody to be let out by.
    mutating func letOut(of id: ConversationID) {
        giveUp(id, hubGone(id), mayBeThere: true)
        change(id) { ($0.standing, $0.intents) = (.removed, []) }
        giveUpWishes(in: id, nil)
    }
}
