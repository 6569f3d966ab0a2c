internal import Cryptography
internal import Groups
internal import MLS
internal import Vocabulary

// Others' commits and proposals, and what a new epoch brings with it.

extension Device {
    /// A commit in its place. One that the group's rules forbid was let pass by a hub that should not have: nothing of it is believed.
    mutating func apply(
        _ envelope: Envelope, _ message: Result<MLSMessage, MLSError>, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        let id = envelope.key.conversation
        guard let one = conversations[id], let group = groups[id], group.isActive, !one.isStale else {
            // Of the epochs from here on nothing can be read, until we are back in. Who comes back in here, and what it says to lack, cannot be
            // checked without the group: that it did its leaf shows then (`doubtReceipts`).
            change(id) { $0.stopTaking() }
            return touched.formUnion([id])
        }
        let before = roster(id)
        do throws(MLSError) {
            let message = try message.get()
            let (_, proposals) = try group.proposals(in: message)
            let leavers = leavers(of: proposals.filter(\.isByReference).map { ($0.proposal, $0.sender) }, in: group)
            let refusal = GroupPolicy.refusal(
                of: proposals, extensions: group.context.extensions, roster: before, newcomer: envelope.sender,
                entry: { leaf in group.member(leaf).flatMap(MemberLeaf.entry) })
            if refusal != nil { return close(id, .forbiddenChange, envelope.number) }
            let host = host
            let received = try groups.update(id) { group throws(MLSError) in try group.process(message, host: host) }
            switch received {
            case .commit(let summary, let data):
                guard committer(of: summary, in: id) == envelope.sender else { return close(id, .foreignSender, envelope.number) }
                let news = EpochNews(
                    summary: summary, author: envelope.sender.user, message: envelope.message, number: envelope.number, before: before,
                    leavers: leavers, resumed: summary.isExternal ? (try? MessageBinding(decoding: data))?.resumed : nil)
                if summary.added.isEmpty, summary.removed.isEmpty { groups.keepRoster(of: id, from: group.epoch) }
                entered(news, in: id)
                let hasLost = conversations[id]?.committing != nil
                lost(in: id)
                // While many come, their fresh keys would only stand in the way of the next; so would ours, made anew at once after losing.
                if !summary.added.isEmpty || hasLost, conversations[id]?.refreshAt != nil { awaitRefresh(id, at: now, using: &random) }
                finishIntents(in: id, using: &random)
            case .removed(let summary):
                lost(in: id)
                storeGroup(id)
                note(
                    EpochNews(
                        summary: summary, author: envelope.sender.user, message: envelope.message, number: envelope.number, before: before,
                        leavers: leavers), in: id)
                out(of: id)
            case .application, .proposal, nil: throw .wrongContentType
            }
        } catch .identityRefused {
            // A device of nobody: what the hub must have seen.
            close(id, .forbiddenChange, envelope.number)
        } catch {
            // A commit that outsiders cannot see to be wrong. The group is not lost: we come back in with fresh keys.
            emit(.note(.badHandshake("\(error)")))
            // One of our own, of which we have not kept what it takes to follow it, is nobody's fault.
            if error != .ownMessage { raise(.badHandshake, envelope.key, envelope.number) }
            lost(in: id)
            change(id) {
                $0.isStale = true
                $0.stopTaking()
            }
        }
    }

    private mutating func committer(of summary: CommitSummary, in id: ConversationID) -> RosterEntry? {
        groups[id]?.member(summary.committer).flatMap(MemberLeaf.entry)
    }

    mutating func consider(
        _ envelope: Envelope, _ message: Result<MLSMessage, MLSError>, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        let id = envelope.key.conversation
        do throws(MLSError) {
            let host = host
            _ = try groups.update(id) { group throws(MLSError) in try group.process(message.get(), host: host) }
            storeGroup(id)
            awaitTurn(id, at: now, using: &random)
        } catch {
            emit(.note(.badHandshake("\(error)")))
        }
    }

    /// Somebody has to commit what was proposed: the members in the order of their leaves, a little apart, so that one does and the others find it done.
    mutating func awaitTurn(_ id: ConversationID, at now: Instant, using random: inout some RandomNumberGenerator) {
        guard let group = groups[id] else { return }
        let rank = group.members.firstIndex { $0.index == group.ownLeaf } ?? 0
        let turn = Duration.milliseconds(Int64(min(rank, 20)) * 250 + Int64.random(in: 20...270, using: &random))
        _ = conversations.update(id) { $0.commitAt = now + turn }
        touched.insert(id)
    }

    /// We have left: the group as a member may be out of it, but its word is not in yet.
    mutating func ownProposal(_ payload: [UInt8], _ item: OutboxItem, in id: ConversationID) {
        remove(item)
        change(id) {
            $0.standing = .leaving
            $0.intents = []
            $0.committing = nil
        }
        tell(id, [:])
    }

    // MARK: The new epoch

    /// Users who asked to be let out, among these proposals.
    func leavers(of proposals: [(proposal: Proposal, sender: Sender)], in group: Group) -> Set<UserID> {
        Set(
            proposals.compactMap { item in
                guard case .remove(let leaf) = item.proposal, case .member(leaf) = item.sender else { return nil }
                return group.member(leaf).flatMap(MemberLeaf.entry)?.user
            })
    }

    mutating func entered(_ news: EpochNews, in id: ConversationID) {
        guard let group = groups[id] else { return }
        let after = roster(id)
        storeGroup(id)
        note(news, in: id)
        let markKey = try? MarkKey(of: group)
        answered.remove(id)
        change(id) { one in
            one.commitAt = nil
            one.awaitsCommit = nil
            if let markKey { one.markKeys = one.markKeys.suffix(ClientLimits.markKeysKept - 1) + [markKey] }
        }
        let (came, gone) = Self.changes(of: news.summary, in: group)
        for entry in came.sorted() {
            let line = ReceiptLine(entry: entry, joined: news.number)
            receipts[id, default: Receipts()][entry.device] = line
            write(.receipts(id, entry.device, line))
            if after.count <= ClientLimits.namesAskedMax { met(entry.user) }
        }
        if news.summary.isExternal, let entry = group.member(news.summary.committer).flatMap(MemberLeaf.entry), news.before.contains(entry)
        {
            cameBack(entry.device, at: news.number, having: news.resumed, in: id)
        }
        for entry in gone.sorted() {
            receipts[id]?[entry.device] = nil
            write(.receipts(id, entry.device, nil))
        }
        if !gone.isEmpty { noteFormer(Set(gone.map(\.user)), in: id) }
        unseal(in: id)
        cover(id)
        takePlaces(around: id)
    }

    /// A device is back in by its own commit, and lacks what lies between that and what it had. It says no more of what it lacks, and its hub
    /// passes on no watermark of what was before the commit: in a group that is its word for what it had. The other one of a direct conversation
    /// may not have accepted the request yet, and confirms nothing until then.
    private mutating func cameBack(_ device: DeviceID, at number: SequenceNumber, having resumed: SequenceNumber?, in id: ConversationID) {
        guard var line = receipts[id]?[device], let one = conversations[id] else { return }
        line.rejoin(at: number, having: resumed)
        if let resumed, resumed < number, !one.profile.isDirect { deliver(through: resumed, on: &line, in: id) }
        keep(line, in: id)
    }

    /// Devices that came in and that went out; one that took the place of its former leaf did neither.
    private static func changes(of summary: CommitSummary, in group: Group) -> (came: Set<RosterEntry>, gone: Set<RosterEntry>) {
        let came = Set(summary.added.compactMap { group.member($0).flatMap(MemberLeaf.entry) })
        let gone = Set(summary.removed.compactMap { MemberLeaf.entry(of: $0.node) })
        return (came.subtracting(gone), gone.subtracting(came))
    }

    /// What the history shows of a commit.
    private mutating func note(_ news: EpochNews, in id: ConversationID) {
        guard let one = conversations[id], let group = groups[id] else { return }
        let profile = GroupProfile(group.context.extensions) ?? one.profile
        defer { _ = conversations.update(id) { $0.profile = profile } }
        guard !one.profile.isDirect else { return }
        met(news.author)
        // Whoever had a device there before, or has one still, neither comes nor goes.
        let (came, went) = Self.changes(of: news.summary, in: group)
        let was = came.isEmpty ? [] : Set(news.before.map(\.user))
        let now = went.isEmpty && profile == one.profile ? [] : Set(group.members.compactMap { MemberLeaf.entry(of: $0.leaf)?.user })
        var changes: [MembershipChange] = []
        let added = Set(came.map(\.user)).subtracting(was).sorted()
        let gone = Set(went.map(\.user)).subtracting(now)
        let left = news.leavers.intersection(gone).sorted()
        if !added.isEmpty { changes.append(.added(added)) }
        if !left.isEmpty { changes.append(.left(left)) }
        let others = gone.subtracting(left).sorted()
        if !others.isEmpty { changes.append(.removed(others)) }
        if news.summary.isExternal { changes.append(.rejoined([news.author])) }
        if profile.name != one.profile.name { changes.append(.renamed(profile.name)) }
        let roles = one.profile.changedRoles(in: profile, among: now)
        if !roles.isEmpty { changes.append(.roles(roles)) }
        for (index, change) in changes.enumerated() {
            write(
                .message(
                    MessageRecord(
                        message: news.message.offset(by: index), peer: peer(of: one), author: news.author, conversation: one.key,
                        body: .membership(change), sent: wall, status: MessageStatus(.delivered, number: news.number))))
        }
        if !changes.isEmpty { emit(.messagesArrived) }
    }

    /// We are out; the group's secrets are gone.
    private mutating func out(of id: ConversationID) {
        let left = conversations[id]?.intents.filter { $0.change != .leave } ?? []
        noteDropped(left, in: id, Refusal(.notOnRoster, "you are not in the group any more"))
        change(id) {
            $0.standing = .removed
            $0.intents = []
            $0.committing = nil
            $0.markKeys = []
        }
        giveUp(id, Refusal(.notOnRoster, "you are not in the group any more"))
        giveUpWishes(in: id, nil)
    }
}

/// What a commit was, for the history and for whoever waits.
struct EpochNews {
    let summary: CommitSummary
    let author: UserID
    let message: MessageID
    let number: SequenceNumber
    let before: [RosterEntry]
    /// Who asked to be let out.
    let leavers: Set<UserID>
    /// Of a device that came back in: through here it had everything.
    var resumed: SequenceNumber?
}

extension MessageID {
    /// One event can be several lines of the history: each its own name.
    func offset(by index: Int) -> MessageID {
        guard index > 0 else { return self }
        var bytes = self.bytes
        bytes[15] ^= UInt8(truncatingIfNeeded: index)
        return MessageID(bytes) ?? self
    }
}
