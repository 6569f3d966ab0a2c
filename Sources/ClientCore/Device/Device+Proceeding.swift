internal import Cryptography
internal import Groups
internal import MLS
internal import Vocabulary

// What a conversation has to do next. Called whenever something about it changed; does one thing at a time, and nothing twice.

extension Device {
    func hasWork(in conversation: Conversation) -> Bool {
        guard conversation.standing == .accepted || conversation.standing == .leaving || conversation.standing == .request else {
            return false
        }
        return conversation.isStale || conversation.standing == .leaving || !conversation.intents.isEmpty
            || !outbox.waiting(in: conversation.id).isEmpty
    }

    mutating func proceed(with id: ConversationID, at now: Instant, using random: inout some RandomNumberGenerator) {
        guard let one = conversations[id], one.standing == .accepted || one.standing == .leaving || one.standing == .request, one.isFounded,
            one.committing == nil
        else { return }
        guard one.passage?.isSettled != false else { return awaitSettlement(of: one, at: now) }
        if let until = one.awaitsCommit {
            guard until <= now else {
                due[id] = until
                return
            }
            if !one.isStale, answered.remove(id) == nil {
                awaitCommit(id, until: now + ClientLimits.refetchAfter)
                return isLive && caughtUp ? ask(.group(id)) : ()
            }
            // It was promised and has not come: the hub holds it back.
            if !one.isStale { raise(.gap, one.key, one.head.next) }
            change(id) { ($0.awaitsCommit, $0.isStale) = (nil, true) }
        }
        if let time = due[id], time <= now { due[id] = nil }
        if let time = restingUntil[id] {
            guard time <= now else {
                due[id] = time
                return
            }
            restingUntil[id] = nil
        }
        if conversations[id]?.isStale == true || groups[id] == nil { return isLive && caughtUp ? ask(.group(id)) : () }
        guard let group = groups[id], group.isActive else { return }
        if one.standing == .leaving || one.intents.contains(where: { $0.change == .leave }) { return leave(id, at: now, using: &random) }
        if !group.pendingProposals.isEmpty {
            // Who has something to say commits at once; the others when their turn comes.
            guard isLive, caughtUp else { return }
            let isWanted = !one.intents.isEmpty || !outbox.waiting(in: id).isEmpty
            let isLeftAlone = hubless.contains(id)
            if isWanted || !isLeftAlone && (one.commitAt ?? now) <= now { return commit(nil, [], in: id, at: now, using: &random) }
            due[id] = isLeftAlone ? nil : one.commitAt
            return
        }
        // Texts wait for members to come in, or the first would miss what is said; not for what can wait, nor for who cannot be reached.
        // Nor do other changes wait for the answer about whom we have been trying to add for a while.
        let isAsking = one.intents.first(where: \.change.isAdd).map { !$0.isFresh(at: wall) && isClaiming(for: $0, in: id) } ?? false
        let isHeldBack = isAsking || claimAgainAt[id].map { $0 > now } ?? false
        let dueRoles = dueRoles(in: id)
        if dueRoles?.isEmpty == true, !one.intents.contains(where: \.change.isAdd) { return forgetRoles(in: id) }
        let isDue = { (intent: Intent) in
            switch intent.change {
            case .refresh: false
            case .add: !isHeldBack
            // They wait for whom they are meant for.
            case .roles: dueRoles?.isEmpty == false
            case .remove, .rename, .role, .leave: true
            }
        }
        if let intent = one.intents.first(where: isDue) {
            guard isLive, caughtUp else { return }
            guard intent.until > wall else { return drop(intent, in: id, Refusal(.expired, "it could not be done in time")) }
            switch intent.change {
            case .add(let users):
                let known = Set(groups.roster(of: id).map(\.user))
                let missing = users.filter { !known.contains($0) }
                guard !missing.isEmpty else { return done(intent, in: id) }
                if !isClaiming(for: intent, in: id) {
                    ask(.claim(id, Array(missing.prefix(ClientLimits.addedPerCommitMax))))
                    touched.insert(id)
                }
                if claimAgainAt[id] == nil, intent.isFresh(at: wall) { return }
            case .remove, .rename, .role, .roles: return commit(intent, [], in: id, at: now, using: &random)
            case .refresh, .leave: return
            }
        }
        if hasOthers(in: id) || !one.profile.isDirect { sealWaiting(in: id, using: &random) }
        if conversations[id]?.isStale == true {
            touched = touched.union([id])
            return
        }
        if let time = claimAgainAt[id], time > now { due[id] = time }
        guard let refresh = one.intents.first(where: { $0.change == .refresh }), isLive, caughtUp, let time = one.refreshAt else { return }
        if time <= now { commit(refresh, [], in: id, at: now, using: &random) } else { due[id] = min(due[id] ?? time, time) }
    }

    /// The hub says how its restoration ended, unless it has left the federation meanwhile: then our home says so when it is asked for the group.
    private mutating func awaitSettlement(of one: Conversation, at now: Instant) {
        guard isLive, caughtUp, hasWork(in: one) else { return }
        if let time = restingUntil[one.id], time <= now { ask(.group(one.id)) }
        restingUntil[one.id] = restingUntil[one.id].flatMap { $0 > now ? $0 : nil } ?? now + ClientLimits.probeAfter
        due[one.id] = restingUntil[one.id]
    }

    // MARK: Fresh keys

    /// Fresh keys of our own after joining, the later the more members do the same (MLS checklist C 9, 11). Nothing depends on them for being
    /// right or read: they end what a thief of the KeyPackage's leaf key could still follow (RFC 9420 §16.6). That key is this group's alone,
    /// unless it is a last resort's, which others may have used too and which is kept for a while: its place is taken soon.
    mutating func awaitRefresh(_ id: ConversationID, at now: Instant, using random: inout some RandomNumberGenerator) {
        let isShared = groups[id].flatMap { $0.member($0.ownLeaf) }.map(keyPackages.holds) ?? false
        let wait = refreshWait(in: id, isDue: isShared, using: &random)
        let due = wall + wait
        change(id) { one in
            one.refreshAt = now + wait
            for index in one.intents.indices where one.intents[index].change == .refresh { one.intents[index].until = due }
        }
    }

    /// A session has begun: whatever time was drawn holds, so that a device that is never there for long comes to it too.
    mutating func resumeRefresh(_ id: ConversationID, at now: Instant, using random: inout some RandomNumberGenerator) {
        guard let due = conversations[id]?.intents.first(where: { $0.change == .refresh })?.until else { return }
        let left = Duration.milliseconds(due.milliseconds - wall.milliseconds)
        let wait =
            left > .zero ? min(left, refreshWait(in: id, isDue: false, using: &random)) : refreshWait(in: id, isDue: true, using: &random)
        _ = conversations.update(id) { $0.refreshAt = now + wait }
        touched.insert(id)
    }

    private mutating func refreshWait(in id: ConversationID, isDue: Bool, using random: inout some RandomNumberGenerator) -> Duration {
        let members = Int64(roster(id).count)
        let apart = isDue ? ClientLimits.dueRefreshMillisecondsPerMember : ClientLimits.refreshMillisecondsPerMember
        let spread = 2_000 + members * max(ClientLimits.refreshMillisecondsMin, members * apart)
        return .milliseconds(2_000 + Int64.random(in: 0...spread, using: &random))
    }

    var caughtUp: Bool { if case .live(true, _, _) = phase { true } else { false } }

    private mutating func hasOthers(in id: ConversationID) -> Bool {
        groups.roster(of: id).contains { $0.user != account.userID }
    }

    // MARK: Founding

    /// A direct conversation, with our home as its hub. That it exists, the group in it and the wish to add the other are one transaction.
    mutating func foundDirect(with peer: UserID, using random: inout some RandomNumberGenerator) -> Conversation? {
        found(.direct(account.userID, peer), adding: [peer], using: &random)
    }

    mutating func found(
        _ profile: GroupProfile, adding users: [UserID], inPlaceOf old: ConversationKey? = nil,
        using random: inout some RandomNumberGenerator
    ) -> Conversation? {
        let key = ConversationKey(hub: account.home, conversation: .random(using: &random))
        var profile = profile
        if let old {
            profile.succession = Succession(
                of: old, by: key, founder: account.entry, device: account.device, certificate: account.certificate)
        }
        let founding = MessageID.random(using: &random)
        do throws(MLSError) {
            var group = try Group.create(
                id: key.groupID, member: try account.identity(at: wall), extensions: profile.groupContext, host: host, using: &random)
            let info = try group.groupInfo(includesTree: true)
            var conversation = Conversation(
                key: key, profile: profile, origin: .ours(founding: founding, isFounded: false), standing: .accepted)
            if let markKey = try? MarkKey(of: group) { conversation.markKeys = [markKey] }
            if !users.isEmpty {
                conversation.intents = [Intent(id: random.next() >> 12, .add(users.sorted()), until: wall + ClientLimits.intentLifetime)]
            }
            let delta = group.takeChanges()
            groups[key.conversation] = group
            conversations[key.conversation] = conversation
            let submission = Submission(
                message: founding, conversation: key.conversation, hub: key.hub, kind: .found(groupInfo: info), order: order.next())
            let item = outbox.add(founding, to: .group(key.conversation), in: key.conversation, .founding, .sealed(submission))
            write(.conversation(conversation))
            write(.group(key.conversation, delta))
            write(.outbox(item))
            write(.order(order))
            outbox.enqueue(founding)
            return conversation
        } catch {
            emit(.note(.badHandshake("\(error)")))
            return nil
        }
    }

    mutating func founded(_ item: OutboxItem) {
        remove(item)
        guard let id = item.conversation else { return }
        change(id) { $0.origin = .ours(founding: item.message, isFounded: true) }
        // With nobody to add it is complete.
        tell(id, [:])
    }

    // MARK: Whom to add

    private func isClaiming(for intent: Intent, in id: ConversationID) -> Bool {
        has { question in
            if case .claim(id, let users) = question { intent.adds(any: Set(users)) } else { false }
        }
    }

    /// KeyPackages came, or not.
    mutating func took(
        _ claimed: [ClaimedKeyPackages], of users: [UserID], for id: ConversationID, at now: Instant,
        using random: inout some RandomNumberGenerator
    ) {
        let asked = Set(users)
        guard let intent = conversations[id]?.intents.first(where: { $0.adds(any: asked) }) else {
            // This answer was to an earlier wish; a newer one has its turn.
            touched.insert(id)
            return
        }
        var packages: [KeyPackage] = []
        var refusals: [UserID: Refusal] = [:]
        for user in users {
            let answer = claimed.first { $0.user == user }
            let sound = (answer?.packages ?? []).compactMap { bytes -> KeyPackage? in
                guard let package = try? KeyPackage.fetched(bytes, host: host), let entry = MemberLeaf.entry(of: package.leaf),
                    entry.user == user,
                    contacts[user]?.record?.devices.contains(entry.device) ?? true
                else { return nil }
                return package
            }
            if sound.isEmpty {
                let why = answer?.packages.isEmpty == false ? "The user's KeyPackages cannot be used." : "No such user can be added."
                refusals[user] = answer?.refusal ?? Refusal(.unknownUser, why)
            } else {
                packages += sound
            }
        }
        let isFresh = intent.isFresh(at: wall)
        let definite = refusals.filter { !$0.value.code.isTransient && !(isFresh && $0.value.code == .unknownUser) }.keys.sorted()
        if !definite.isEmpty { giveUp(on: definite, of: intent, in: id, refusals) }
        if !isFresh || !definite.isEmpty || refusals.values.contains(where: \.code.isTransient) { tell(id, refusals) }
        if !packages.isEmpty, conversations[id]?.committing == nil {
            commit(conversations[id]?.intents.first { $0.id == intent.id } ?? intent, packages, in: id, at: now, using: &random)
        } else if refusals.count > definite.count {
            holdBack(intent, in: id, refusals.first { !definite.contains($0.key) }?.value, at: now, using: &random)
        } else {
            touched.insert(id)
        }
    }

    /// Later, after a growing random delay; what waits says why.
    private mutating func holdBack(
        _ intent: Intent, in id: ConversationID, _ refusal: Refusal?, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        attempts[id, default: 0] += 1
        // Another wish goes first the next time.
        change(id) { one in
            if let index = one.intents.firstIndex(where: { $0.id == intent.id }) { one.intents.append(one.intents.remove(at: index)) }
        }
        claimAgainAt[id] = now + .milliseconds(500) + Backoff.delay(attempt: (attempts[id] ?? 0) + 3, using: &random)
        touched.insert(id)
        if let refusal { tellWaiting(in: id, refusal) }
    }

    /// Why what waits goes on waiting.
    mutating func tellWaiting(in id: ConversationID, _ refusal: Refusal) {
        for var item in outbox.waiting(in: id) where item.isText && item.refusal != refusal {
            item.refusal = refusal
            outbox.keep(item)
            write(.outbox(item))
            report(item.message, MessageStatus(item.state, refusal: refusal))
        }
    }

    mutating func giveUp(on users: [UserID], of intent: Intent, in id: ConversationID, _ refusals: [UserID: Refusal]) {
        change(id) { one in
            guard let index = one.intents.firstIndex(of: intent), case .add(let all) = intent.change else { return }
            let rest = all.filter { !users.contains($0) }
            if rest.isEmpty { one.intents.remove(at: index) } else { one.intents[index].change = .add(rest) }
        }
        for user in users {
            if let refusal = refusals[user] { noteDropped([Intent(id: intent.id, .add([user]), until: intent.until)], in: id, refusal) }
        }
        for (ticket, pending) in wishes where pending.intent == intent.id {
            wishes[ticket]?.refused.merge(refusals.filter { users.contains($0.key) }) { _, new in new }
        }
        // With nobody to talk to a direct conversation is none.
        guard conversations[id]?.profile.isDirect == true, !hasOthers(in: id), let refusal = refusals.values.first else { return }
        giveUp(id, refusal)
        change(id) { $0.standing = .removed }
    }
}
