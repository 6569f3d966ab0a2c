internal import Groups
internal import MLS
internal import Vocabulary

/// What a handshake makes of a group, once the hub finds nothing wrong with it.
struct GroupStep: Sendable {
    let follower: GroupFollower
    var removed: [RosterEntry] = []
    /// By an Add: for the Welcome.
    var added: [RosterEntry] = []
    /// By an external commit.
    var newcomer: RosterEntry?
    var welcome: [UInt8]?
    var tree: [UInt8] = []
}

/// The hub's judgement of handshakes: everything that can be seen to be wrong without secrets is refused (RFC 9420 §12.4, §14; DESIGN 6).
/// Nothing here changes anything.
enum GroupJudgement {
    private static func mlsHost(_ host: HubHost) -> GroupHost { GroupHost(now: host.wall, refusal: { MemberLeaf.refusal($0) }) }

    /// Runs MLS code; what it refuses is the sender's fault.
    private static func checking<T>(_ work: () throws -> T) throws(Refusal) -> T {
        do { return try work() } catch let refusal as Refusal { throw refusal } catch let error as any Explained {
            throw Refusal(.handshakeInvalid, "\(error.explanation.what) \(error.explanation.why)")
        } catch { throw Refusal(.handshakeInvalid, "The handshake cannot be read.") }
    }

    // MARK: Founding

    /// A group of the creator's device alone.
    static func founding(_ info: [UInt8], key: ConversationKey, by sender: RosterEntry, host: HubHost) throws(Refusal) -> GroupFollower {
        guard info.count <= Limits.groupInfoBytesMax else { throw Refusal(.tooLarge, "The GroupInfo is too long.") }
        let group = try checking { () throws in
            let group = try PublicGroup(info, host: mlsHost(host))
            try group.accepts(info, host: mlsHost(host))
            return group
        }
        guard group.id == key.groupID else { throw Refusal(.handshakeInvalid, "The group's id is not that of the conversation.") }
        guard group.epoch == 0, group.roster == [sender], group.memberCount == 1 else {
            throw Refusal(.handshakeInvalid, "A conversation begins in epoch 0 with the device that founds it alone.")
        }
        guard let profile = GroupProfile(group.context.extensions), profile.groupContext == group.context.extensions else {
            throw Refusal(.handshakeInvalid, "The group has no profile, or other extensions.")
        }
        guard profile.isSound(by: sender.user) else {
            throw Refusal(.notPermitted, "The profile does not have the creator as one of two users, or as the only owner.")
        }
        // Who may is the members' to judge: of the other conversation this hub knows nothing.
        if let succession = profile.succession, profile.isDirect || succession.founder != sender || !succession.holds(for: key) {
            throw Refusal(.notPermitted, "The creator has not signed for what the group goes on from.")
        }
        try check(leavesOf: group, at: group.members.map(\.index))
        return GroupFollower(group, info: info)
    }

    // MARK: Commits

    static func commit(
        _ bundle: CommitBundle, on follower: GroupFollower, roster: Roster, by sender: RosterEntry, host: HubHost
    ) throws(Refusal) -> GroupStep {
        guard bundle.groupInfo.count <= Limits.groupInfoBytesMax, bundle.commit.count <= Limits.handshakeBytesMax else {
            throw Refusal(.tooLarge, "The commit or its GroupInfo is too long.")
        }
        let before = try checking { try follower.ready() }
        let message = try checking { try MLSMessage(bundle.commit) }
        let (committer, proposals) = try checking { try before.proposals(in: message) }
        let isExternal = try isExternal(committer, sender, roster: roster, in: before)
        if let why = GroupPolicy.refusal(
            of: proposals, extensions: before.context.extensions, roster: roster.entries, newcomer: isExternal ? sender : nil,
            entry: { before.entry($0) })
        {
            throw Refusal(.notPermitted, "Not permitted: \(why).")
        }
        if isExternal {
            try checkResync(proposals, of: sender, in: before)
        } else {
            try checkTakesUp(proposals, all: before.pendingProposals.count)
        }
        try checkRemovals(proposals, in: before, roster: roster, host: host)
        try checkAdditions(proposals, welcome: bundle.welcome, host: host)

        var after = before
        let summary = try checking { () throws in
            guard case .commit(let summary, _) = try after.process(message, host: mlsHost(host)) else {
                throw MLSError.wrongContentType
            }
            try after.accepts(bundle.groupInfo, host: mlsHost(host))
            return summary
        }
        guard after.memberCount <= Limits.rosterDevicesMax else {
            throw Refusal(.rosterInvalid, "A conversation has at most \(Limits.rosterDevicesMax) devices.")
        }
        try check(leavesOf: after, at: summary.added + [summary.committer])
        let removed = summary.removed.compactMap { MemberLeaf.entry(of: $0.node) }
        let added = summary.added.compactMap { after.entry($0) }
        var step = GroupStep(follower: GroupFollower(after, info: bundle.groupInfo), removed: removed, tree: after.ratchetTree)
        if isExternal {
            guard added == [sender] else { throw Refusal(.notOnRoster, "The newcomer's leaf is not the submitting device's.") }
            step.newcomer = sender
        } else {
            (step.added, step.welcome) = (added, bundle.welcome)
        }
        return step
    }

    /// - Throws: for a commit that is not the submitting device's own.
    private static func isExternal(
        _ committer: Sender, _ sender: RosterEntry, roster: Roster, in group: PublicGroup
    ) throws(Refusal) -> Bool {
        switch committer {
        case .member(let leaf):
            guard group.entry(leaf) == sender else { throw Refusal(.notOnRoster, "The committer's leaf is not the submitting device's.") }
            return false
        case .newMemberCommit:
            guard roster.containsUser(sender.user) else { throw Refusal(.notOnRoster, "The user is not in the conversation.") }
            return true
        case .external, .newMemberProposal: throw Refusal(.handshakeInvalid, "Only members commit.")
        }
    }

    /// A device that comes back may take its own former leaf away, and no other.
    private static func checkResync(_ proposals: [CommittedProposal], of sender: RosterEntry, in group: PublicGroup) throws(Refusal) {
        for case .remove(let leaf) in proposals.map(\.proposal) where group.entry(leaf) != sender {
            throw Refusal(.notPermitted, "A device that rejoins removes no other.")
        }
    }

    private static func checkTakesUp(_ proposals: [CommittedProposal], all pending: Int) throws(Refusal) {
        guard proposals.count(where: \.isByReference) >= pending else {
            throw Refusal(.proposalsMissing, "The commit leaves out proposals that wait for it.")
        }
    }

    /// Others remove a user whole, but for devices that the user gave up.
    private static func checkRemovals(
        _ proposals: [CommittedProposal], in group: PublicGroup, roster: Roster, host: HubHost
    ) throws(Refusal) {
        var gone: Set<RosterEntry> = []
        var byOthers: [RosterEntry] = []
        for item in proposals {
            guard case .remove(let leaf) = item.proposal, let target = group.entry(leaf) else { continue }
            gone.insert(target)
            if case .member(let actor) = item.sender, group.entry(actor)?.user != target.user { byOthers.append(target) }
        }
        for target in byOthers {
            guard roster.devices(of: target.user).allSatisfy({ gone.contains($0) }) || host.isGone(target) else {
                throw Refusal(.notPermitted, "Not permitted: the removal of some devices of another user.")
            }
        }
    }

    /// Everybody added is known, and gets the Welcome; nobody else does.
    private static func checkAdditions(_ proposals: [CommittedProposal], welcome: [UInt8]?, host: HubHost) throws(Refusal) {
        var references: [[UInt8]] = []
        for case .add(let package) in proposals.map(\.proposal) {
            guard let entry = MemberLeaf.entry(of: package.leaf) else { throw Refusal(.handshakeInvalid, "An added leaf names nobody.") }
            if let refusal = host.refusal(entry) { throw refusal }
            guard let reference = package.reference else { throw Refusal(.handshakeInvalid, "An added KeyPackage is of an unknown suite.") }
            references.append(reference)
        }
        guard !references.isEmpty else {
            guard welcome == nil else { throw Refusal(.handshakeInvalid, "A Welcome for nobody.") }
            return
        }
        guard let welcome else { throw Refusal(.handshakeInvalid, "The Welcome for those added is missing.") }
        guard welcome.count <= Limits.handshakeBytesMax else { throw Refusal(.tooLarge, "The Welcome is too long.") }
        let message = try checking { try MLSMessage(welcome) }
        let order: ([UInt8], [UInt8]) -> Bool = { $0.lexicographicallyPrecedes($1) }
        guard message.kind == .welcome, message.welcomedReferences.sorted(by: order) == references.sorted(by: order) else {
            throw Refusal(.handshakeInvalid, "The Welcome is not for those whom the commit adds.")
        }
    }

    /// A leaf no larger than a KeyPackage may be: so tree and Welcome keep within what they may take.
    private static func check(leavesOf group: PublicGroup, at leaves: [UInt32]) throws(Refusal) {
        for leaf in leaves {
            guard let node = group.member(leaf), node.encoded.count <= Limits.keyPackageBytesMax else {
                throw Refusal(.tooLarge, "A leaf of the group is too long.")
            }
        }
    }

    // MARK: Adoption

    /// The group of a later epoch than the hub's own, from a member, for a hub that was restored from a backup. It shows by itself that it is
    /// signed by a member of it, not how it came to be.
    static func adoption(
        of parcel: GroupParcel, epoch: Epoch, by sender: RosterEntry, instead follower: GroupFollower, key: ConversationKey, host: HubHost
    ) throws(Refusal) -> GroupStep {
        guard parcel.groupInfo.count <= Limits.groupInfoBytesMax else { throw Refusal(.tooLarge, "The GroupInfo is too long.") }
        let (before, after) = try checking { () throws in
            let group = try PublicGroup(parcel.groupInfo, tree: parcel.tree, host: mlsHost(host))
            try group.accepts(parcel.groupInfo, host: mlsHost(host))
            return (try follower.ready(), group)
        }
        let (old, new) = (Set(before.roster), Set(after.roster))
        guard after.id == key.groupID, after.epoch == epoch.value, epoch > follower.epoch, new.contains(sender),
            new.count == after.memberCount, new.count <= Limits.rosterDevicesMax,
            let profile = GroupProfile(after.context.extensions), profile.groupContext == after.context.extensions,
            let known = GroupProfile(before.context.extensions), profile.isDirect == known.isDirect,
            !known.isDirect || profile.kind == known.kind, profile.succession == known.succession,
            // Whoever was no owner cannot say that it has become one, nor anybody else.
            known.isDirect || known.role(of: sender.user) == .owner || known.isKept(in: profile, among: Set(new.map(\.user)))
        else { throw Refusal(.handshakeInvalid, "The group is not what this conversation can have become.") }
        try check(leavesOf: after, at: after.members.map(\.index))
        var step = GroupStep(follower: GroupFollower(after, info: parcel.groupInfo))
        (step.removed, step.added) = (old.subtracting(new).sorted(), new.subtracting(old).sorted())
        return step
    }

    // MARK: Proposals

    /// A device that leaves: the only proposal that stands alone.
    static func proposal(
        _ message: [UInt8], on follower: GroupFollower, roster: Roster, by sender: RosterEntry, host: HubHost
    ) throws(Refusal) -> GroupStep {
        guard message.count <= Limits.handshakeBytesMax else { throw Refusal(.tooLarge, "The proposal is too long.") }
        var group = try checking { try follower.ready() }
        let proposal = try checking { try group.proposal(in: message) }
        guard case .member(let leaf) = proposal.sender, group.entry(leaf) == sender else {
            throw Refusal(.notOnRoster, "The proposal is not the submitting device's.")
        }
        guard proposal.proposal == .remove(leaf) else {
            throw Refusal(.notPermitted, "Not permitted: a proposal other than to leave.")
        }
        let pending = group.pendingProposals.map { CommittedProposal(pending: $0.proposal, by: $0.sender) }
        // Two of one device could never be committed, nor left out (RFC 9420 §12.2).
        guard !pending.contains(where: { $0.proposal == proposal.proposal }) else {
            throw Refusal(.notPermitted, "Not permitted: the device is leaving already.")
        }
        let host = mlsHost(host)
        if let why = GroupPolicy.refusal(
            of: pending + [proposal], extensions: group.context.extensions, roster: roster.entries, entry: { group.entry($0) })
        {
            throw Refusal(.notPermitted, "Not permitted: \(why).")
        }
        _ = try checking { try group.process(message, host: host) }
        return GroupStep(follower: GroupFollower(group, info: follower.info))
    }
}

extension GroupProfile {
    /// What a conversation may begin with.
    func isSound(by creator: UserID) -> Bool {
        switch kind {
        case .direct(let low, let high): name.isEmpty && roles.isEmpty && (creator == low || creator == high)
        case .group: roles == [creator: .owner]
        }
    }
}
