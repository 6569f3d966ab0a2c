internal import Cryptography
internal import Groups
internal import MLS
internal import Vocabulary

// Our own commits: made and stored, sent with the same bytes until the hub has decided, merged when it has numbered them (RFC 9420 §14).

extension Device {
    /// - Parameter intent: what it is for; nil: only what others have proposed.
    mutating func commit(
        _ intent: Intent?, _ packages: [KeyPackage], in id: ConversationID, at now: Instant,
        using random: inout some RandomNumberGenerator
    ) {
        guard let one = conversations[id], let group = groups[id] else { return }
        var packages = packages
        let message = MessageID.random(using: &random)
        do throws(MLSError) {
            while true {
                let proposals = try proposals(for: intent, packages, in: group, one)
                // What the intent wants is so already.
                if let intent, proposals.isEmpty, intent.change != .refresh, group.pendingProposals.isEmpty { return done(intent, in: id) }
                var plan = CommitPlan(proposals)
                plan.includesTree = false
                plan.refreshesPath = packages.isEmpty
                plan.authenticatedData = MessageBinding(message: message, head: one.head, chain: one.chain).encoded()
                let pending = try group.commit(plan, host: host, using: &random)
                let bundle = CommitBundle(
                    epoch: Epoch(unchecked: group.epoch), commit: pending.message, welcome: pending.welcome,
                    groupInfo: try pending.groupInfo(includesTree: false))
                let size = bundle.commit.count + (bundle.welcome?.count ?? 0) + bundle.groupInfo.count
                if size > Limits.bundleBytesMax, packages.count > 1 {
                    packages.removeLast(packages.count / 2)
                    continue
                }
                guard size <= Limits.bundleBytesMax else { throw .limitReached("a commit of \(size) bytes") }
                return submit(bundle, as: message, .commit(pending.stored(for: group)), in: one, using: &random)
            }
        } catch {
            emit(.note(.badHandshake("\(error)")))
            guard let intent else { return }
            // One KeyPackage that cannot be added keeps nobody else out: it is found by halves.
            if packages.count > 1 { return commit(intent, Array(packages.prefix(packages.count / 2)), in: id, at: now, using: &random) }
            let refusal = Refusal(.handshakeInvalid, error.explanation.what)
            if let package = packages.first, let user = MemberLeaf.entry(of: package.leaf)?.user {
                giveUp(on: [user], of: intent, in: id, [user: refusal])
                touched.insert(id)
                return tell(id, [:])
            }
            drop(intent, in: id, refusal)
        }
    }

    mutating func submit(
        _ bundle: CommitBundle, as message: MessageID, _ pending: GroupShelf.Pending, in one: Conversation,
        using random: inout some RandomNumberGenerator
    ) {
        groups.setPending(pending, for: one.id)
        write(.pending(one.id, pending.encoded))
        change(one.id) {
            $0.committing = message
            $0.commitAt = nil
        }
        let submission = Submission(message: message, conversation: one.id, hub: one.key.hub, kind: .commit(bundle), order: order.next())
        let item = outbox.add(message, to: .group(one.id), in: one.id, .handshake(.commit), .sealed(submission))
        write(.outbox(item))
        write(.order(order))
        outbox.enqueue(message)
    }

    private mutating func proposals(
        for intent: Intent?, _ packages: [KeyPackage], in group: Group, _ one: Conversation
    ) throws(MLSError) -> [Proposal] {
        var profile = one.profile
        var proposals: [Proposal] = []
        switch intent?.change {
        case .add:
            proposals = packages.map { .add($0) }
            // Who left and comes back is a member like any other.
            let present = group.members.compactMap { MemberLeaf.entry(of: $0.leaf)?.user }
            for user in Set(profile.roles.keys).subtracting(present) { profile.set(.member, of: user) }
        case .remove(let users):
            let proposed = Set(group.pendingProposals.compactMap { if case .remove(let leaf) = $0.proposal { leaf } else { nil } })
            for member in group.members where member.index != group.ownLeaf && !proposed.contains(member.index) {
                guard let entry = MemberLeaf.entry(of: member.leaf), users.contains(entry.user) else { continue }
                proposals.append(.remove(member.index))
                profile.set(.member, of: entry.user)
            }
        case .rename(let name): profile.name = name
        case .role(let user, let role): profile.set(role, of: user)
        case .roles: for (user, role) in dueRoles(in: one.id) ?? [:] { profile.set(role, of: user) }
        case .refresh, .leave, nil: break
        }
        if profile != one.profile { proposals.append(.groupContextExtensions(profile.groupContext)) }
        return proposals
    }

    // MARK: What became of it

    /// The hub has numbered our commit: now it is so.
    mutating func merge(
        _ acceptance: Acceptance, in id: ConversationID, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        guard let stored = groups.pendingCommit(of: id), let item = outbox[acceptance.message] else { return }
        do throws(MLSError) {
            let host = host
            let before = roster(id)
            let gone = groups[id].map { leavers(of: $0.pendingProposals.map { ($0.proposal, $0.sender) }, in: $0) } ?? []
            let summary = try groups.update(id) { group throws(MLSError) in
                let pending = try PendingCommit(stored: stored, for: group)
                try group.merge(pending, host: host)
                return pending.summary
            }
            over(item, in: id)
            guard let summary else { return }
            entered(
                EpochNews(
                    summary: summary, author: account.userID, message: acceptance.message, number: acceptance.number, before: before,
                    leavers: gone), in: id)
            finishIntents(in: id, using: &random)
        } catch {
            // Ours and numbered, but not to be entered: as with any commit that we cannot follow.
            emit(.note(.badHandshake("\(error)")))
            over(item, in: id)
            change(id) {
                $0.isStale = true
                $0.stopTaking()
            }
        }
    }

    /// Our commit is decided, one way or the other.
    func isOver(_ item: OutboxItem) -> Bool { outbox[item.message] == nil }

    mutating func over(_ item: OutboxItem, in id: ConversationID) {
        remove(item)
        groups.setPending(nil, for: id)
        write(.pending(id, nil))
        change(id) { $0.committing = nil }
    }

    /// Another's commit won: ours is made anew upon it.
    mutating func lost(in id: ConversationID) {
        guard let item = conversations[id]?.committing.flatMap({ outbox[$0] }) else { return }
        over(item, in: id)
    }

    mutating func handshakeRefused(
        _ item: OutboxItem, _ refusal: Refusal, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        guard let id = item.conversation, let one = conversations[id] else { return }
        let wasRejoin = groups.isRejoin(id)
        over(item, in: id)
        attempts[id, default: 0] += 1
        switch refusal.code {
        case .staleEpoch where !wasRejoin:
            // What won is on its way; if it came already, its epoch is ours by now.
            if let current = refusal.epoch, let mine = groups[id]?.epoch, mine < current.value { return awaitCommit(id, at: now) }
            restingUntil[id] = now + Backoff.delay(attempt: attempts[id] ?? 0, using: &random)
        case .staleEpoch, .proposalsMissing:
            restingUntil[id] = now + .milliseconds(20) + Backoff.delay(attempt: attempts[id] ?? 0, using: &random)
        default:
            if case .handshake(.proposal) = item.body {
                if refusal.code == .unknownHub { return letOut(of: id) }
                change(id) {
                    $0.intents.removeAll { $0.change == .leave }
                    if $0.standing == .leaving { $0.standing = .accepted }
                }
                return giveUpWishes(in: id, refusal)
            }
            if wasRejoin { return noGroup(id, refusal, at: now, using: &random) }
            if refusal.code == .notOnRoster || refusal.code == .unknownConversation { change(id) { $0.isStale = true } }
            if refusal.code == .unknownHub {
                hubless.insert(id)
                giveUp(id, hubGone(id), mayBeThere: true)
            }
            if let intent = one.intents.first { drop(intent, in: id, refusal) }
            // What others have proposed would be committed again at once, and refused again.
            restingUntil[id] = now + .milliseconds(20) + Backoff.delay(attempt: attempts[id] ?? 0, using: &random)
        }
        touched.insert(id)
    }

    /// Given up, and whoever waits for it is told.
    mutating func drop(_ intent: Intent, in id: ConversationID, _ refusal: Refusal) {
        noteDropped([intent], in: id, refusal)
        change(id) { $0.intents.removeAll { $0.id == intent.id } }
        giveUpWishes(in: id, refusal)
        guard case .add = intent.change, conversations[id]?.profile.isDirect == true,
            !roster(id).contains(where: { $0.user != account.userID })
        else { return }
        giveUp(id, refusal)
        change(id) { $0.standing = .removed }
    }

    /// Nobody waits for it any more, but somebody wanted it.
    mutating func noteDropped(_ intents: [Intent], in id: ConversationID, _ refusal: Refusal) {
        for intent in intents where intent.change != .refresh && !wishes.values.contains(where: { $0.intent == intent.id }) {
            emit(.note(.changeDropped(id, intent.change, refusal)))
        }
    }

    mutating func done(_ intent: Intent, in id: ConversationID) {
        change(id) { $0.intents.removeAll { $0.id == intent.id } }
        tell(id, [:])
    }

    /// Takes away the intents that the group fulfils by now.
    mutating func finishIntents(in id: ConversationID, using random: inout some RandomNumberGenerator) {
        guard let one = conversations[id] else { return }
        attempts[id] = nil
        let isRefreshed = hasKeysOfItsOwn(in: id)
        guard one.intents.contains(where: { $0.change != .refresh || isRefreshed }) else { return tell(id, [:]) }
        let users = Set(roster(id).map(\.user))
        // Who is in by now is added: if somebody removes them again, that holds.
        if one.intents.contains(where: { $0.adds(any: users) }) {
            change(id) { one in one.intents = one.intents.compactMap { $0.adding { !users.contains($0) } } }
        }
        for intent in conversations[id]?.intents ?? [] {
            switch intent.change {
            case .remove(let unwanted) where !unwanted.contains(where: users.contains): done(intent, in: id)
            case .rename(let name) where one.profile.name == name: done(intent, in: id)
            case .role(let user, let role) where one.profile.role(of: user) == role: done(intent, in: id)
            case .refresh where isRefreshed: done(intent, in: id)
            // Given once: who changes them afterwards has the last word.
            case .roles(let wanted):
                let left = wanted.filter { !users.contains($0.key) || one.profile.role(of: $0.key) != $0.value }
                if left.isEmpty { done(intent, in: id) } else { keepRoles(left, in: id) }
            case .add, .remove, .rename, .role, .refresh, .leave: break
            }
        }
        tell(id, [:])
    }

    /// Our leaf is of a commit of ours, no more of the KeyPackage by which we were added.
    private mutating func hasKeysOfItsOwn(in id: ConversationID) -> Bool {
        guard let group = groups[id], case .commit? = group.member(group.ownLeaf)?.source else { return false }
        return true
    }

    mutating func roster(_ id: ConversationID) -> [RosterEntry] { groups.roster(of: id) }
}
