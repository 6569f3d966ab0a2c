public import MLS
public import Vocabulary

/// Who may do what in a conversation. The same function for the hub, which refuses what it forbids, and for every member, who
/// takes a hub that let it pass for a liar.
public enum GroupPolicy {
    /// What an actor asks for, with what the group is now.
    fileprivate struct Request {
        let actor: UserID
        let profile: GroupProfile
        /// Before the commit.
        let roster: [RosterEntry]
        var role: Role { profile.role(of: actor) }
    }

    /// - Parameters:
    ///   - extensions: of the GroupContext before the commit.
    ///   - entry: whose leaf it is, before the commit.
    ///   - roster: every leaf before the commit.
    ///   - newcomer: with an external commit: whose it is.
    /// - Returns: why the commit may not be, nil when it may.
    public static func refusal(
        of proposals: [CommittedProposal], extensions: [MLSExtension], roster: [RosterEntry], newcomer: RosterEntry? = nil,
        entry: (UInt32) -> RosterEntry?
    ) -> String? {
        guard let profile = GroupProfile(extensions) else { return "the conversation has no profile" }
        // Fresh keys alone: nobody comes, goes or gets another role.
        guard !proposals.isEmpty else { return nil }
        var after = profile
        var gone: Set<UInt32> = []
        var users = roster.map(\.user)
        /// Whoever comes back in from outside, in the place of a former leaf.
        var returned: UserID?
        for item in proposals {
            let actor: UserID
            switch item.sender {
            case .member(let leaf):
                guard let sender = entry(leaf) else { return "an unknown sender" }
                actor = sender.user
            case .newMemberCommit:
                guard let newcomer, users.contains(newcomer.user) else { return "a newcomer whose user is not in the conversation" }
                actor = newcomer.user
                returned = newcomer.user
            case .external, .newMemberProposal: return "a proposal from outside"
            }
            let request = Request(actor: actor, profile: profile, roster: roster)
            switch item.proposal {
            case .add(let package):
                guard let added = MemberLeaf.entry(of: package.leaf) else { return "a member without name" }
                if let refusal = request.refusal(toAdd: added.user) { return refusal }
                users.append(added.user)
            case .remove(let leaf):
                guard let target = entry(leaf) else { return "the removal of nobody" }
                if let refusal = request.refusal(toRemove: target.user) { return refusal }
                gone.insert(leaf)
            case .groupContextExtensions(let new):
                guard new.filter({ $0.type != GroupProfile.type }) == extensions.filter({ $0.type != GroupProfile.type }),
                    let changed = GroupProfile(new)
                else { return "other extensions than the conversation's profile" }
                if let refusal = request.refusal(toChangeInto: changed) { return refusal }
                after = changed
            case .update, .externalInit: break
            case .preSharedKey: return "a pre-shared key"
            case .reInit: return "the end of the conversation"
            }
        }
        // Who left keeps a place in the list of roles, since nobody's commit needs to know of it; who comes in has none from before.
        let returning = after.roles.keys.filter { user in users.contains(user) && !roster.contains { $0.user == user } }
        guard returning.isEmpty else { return "a newcomer with a role from before" }
        guard case .group = profile.kind, roster.count > gone.count else { return nil }
        // Nobody went and no role changed: who owned it owns it.
        if gone.isEmpty, after == profile { return nil }
        let removed = roster.indices.isEmpty ? [] : removedUsers(gone, roster: roster, entry: entry)
        let remaining = Set(users).subtracting(removed).union(returned.map { [$0] } ?? [])
        guard remaining.contains(where: { after.role(of: $0) == .owner }) || remaining.isEmpty else {
            return "a group without an owner: make somebody else owner first"
        }
        return nil
    }

    /// Users none of whose devices stays.
    private static func removedUsers(_ gone: Set<UInt32>, roster: [RosterEntry], entry: (UInt32) -> RosterEntry?) -> Set<UserID> {
        let removed = gone.compactMap(entry)
        let staying = Set(roster).subtracting(removed)
        return Set(removed.map(\.user)).subtracting(staying.map(\.user))
    }
}

extension GroupPolicy.Request {
    func refusal(toAdd user: UserID) -> String? {
        if user == actor { return nil }
        if case .direct(let low, let high) = profile.kind {
            return user == low || user == high ? nil : "a third user in a direct conversation"
        }
        return role >= profile.mayAdd ? nil : "\(role.noun) may not add"
    }

    func refusal(toRemove user: UserID) -> String? {
        if user == actor { return nil }
        if profile.isDirect { return "the removal of the other user of a direct conversation" }
        guard role >= profile.mayRemove else { return "\(role.noun) may not remove" }
        return role > profile.role(of: user) || role == .owner && profile.role(of: user) < .owner
            ? nil : "\(role.noun) may not remove \(profile.role(of: user).noun)"
    }

    func refusal(toChangeInto new: GroupProfile) -> String? {
        guard new.kind == profile.kind else { return "another kind of conversation" }
        guard new.succession == profile.succession else { return "another conversation that this one goes on from" }
        if profile.isDirect { return new == profile ? nil : "a change to a direct conversation" }
        if new.name != profile.name, role < profile.mayRename { return "\(role.noun) may not rename" }
        var old = profile
        old.name = new.name
        // A remover takes away the role of whom it removes; whoever adds, the role that somebody who left had.
        for (user, had) in profile.roles where new.role(of: user) == .member {
            let isRemovable = had < role && role >= profile.mayRemove
            if isRemovable || !roster.contains(where: { $0.user == user }) { old.set(.member, of: user) }
        }
        return old == new || role == .owner ? nil : "only an owner changes roles and rules"
    }
}
