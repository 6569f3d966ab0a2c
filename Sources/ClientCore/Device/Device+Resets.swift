internal import Cryptography
internal import Groups
internal import MLS
public import Vocabulary

// Groups that go on in another one, since their hub is gone or they cannot be entered any more: a new group with the same name, members and roles,
// whose profile says what it goes on from. Nothing of it is done by itself. Source: docs/protocol/conversations.md §10.

extension Device {
    // MARK: Founding

    /// - Returns: the new group; nil where this user may not.
    mutating func reset(_ old: ConversationID, using random: inout some RandomNumberGenerator) -> Conversation? {
        guard let one = conversations[old], maySucceed(account.userID, one) else { return nil }
        var members = Set(roster(old).map(\.user)).subtracting(leaving(old))
        // What is wanted and nobody has judged yet counts as far as this user may do it.
        let mine = one.profile.role(of: account.userID)
        for intent in one.intents {
            switch intent.change {
            case .add(let users): if mine >= one.profile.mayAdd { members.formUnion(users) }
            case .remove(let users):
                if mine >= one.profile.mayRemove { members.subtract(users.filter { one.profile.role(of: $0) < mine }) }
            case .rename, .role, .roles, .refresh, .leave: break
            }
        }
        members.insert(account.userID)
        let rules = one.profile
        let profile = GroupProfile(
            kind: .group, name: rules.name, roles: [account.userID: .owner], mayAdd: rules.mayAdd, mayRemove: rules.mayRemove,
            mayRename: rules.mayRename)
        let others = members.subtracting([account.userID]).sorted()
        guard let new = found(profile, adding: others, inPlaceOf: one.key, using: &random) else { return nil }
        var roles = rules.roles.filter { members.contains($0.key) }
        // Who founds a group is its owner, until those who were are in.
        if mine == .owner { roles[account.userID] = nil }
        if !roles.isEmpty {
            let intent = Intent(id: random.next() >> 12, .roles(roles), until: wall + ClientLimits.intentLifetime)
            change(new.id) { $0.intents.append(intent) }
        }
        // They go on in the new one.
        change(old) { one in one.intents.removeAll { $0.change != .leave } }
        takePlace(new.id)
        return conversations[new.id]
    }

    /// Those of the wanted roles that can be given now; nil where none are wanted.
    mutating func dueRoles(in id: ConversationID) -> [UserID: Role]? {
        guard let one = conversations[id] else { return nil }
        // Who is no owner any more gives none.
        guard one.profile.role(of: account.userID) == .owner else { return one.intents.contains(where: \.change.isRoles) ? [:] : nil }
        for case .roles(let wanted) in one.intents.map(\.change) {
            let users = Set(roster(id).map(\.user))
            var due = wanted.filter { users.contains($0.key) && one.profile.role(of: $0.key) != $0.value }
            let after = one.profile.roles.merging(due) { _, new in new }
            // A group keeps an owner; and who has still to add somebody, or to make one an owner, goes on as one. Not so who is to be an admin:
            // the others do not go on here while the founder is more than before.
            let isAwaited = { (user: UserID) in one.intents.contains { $0.adds(any: [user]) } }
            let isNeeded =
                wanted.contains { $0.value == .owner && $0.key != account.userID && isAwaited($0.key) }
                || one.intents.contains(where: \.change.isAdd) && wanted[account.userID].map { $0 < one.profile.mayAdd } ?? false
            if isNeeded || !users.contains(where: { after[$0] == .owner }) { due[account.userID] = nil }
            return due
        }
        return nil
    }

    /// Those who are left will not come in any more.
    mutating func forgetRoles(in id: ConversationID) {
        for intent in conversations[id]?.intents ?? [] { if case .roles = intent.change { done(intent, in: id) } }
    }

    mutating func keepRoles(_ left: [UserID: Role], in id: ConversationID) {
        change(id) { one in
            for index in one.intents.indices { if case .roles = one.intents[index].change { one.intents[index].change = .roles(left) } }
        }
    }

    // MARK: Taking another's place

    /// Whether a user may found a group in the place of this one: an owner or admin who is in it, by the copy that we have of it as a member.
    mutating func maySucceed(_ user: UserID, _ one: Conversation) -> Bool {
        guard !one.profile.isDirect, one.profile.role(of: user) >= .admin, isMember(of: one) else { return false }
        return roster(one.id).contains { $0.user == user }
    }

    /// In it, or in it when its hub went; neither put out nor gone.
    mutating func isMember(of one: Conversation) -> Bool {
        switch one.standing {
        case .request, .leaving, .declined: return false
        case .accepted, .removed, .broken:
            guard let group = groups[one.id], group.isActive, !one.intents.contains(where: { $0.change == .leave }) else { return false }
            return !group.pendingProposals.contains { $0.proposal == .remove(group.ownLeaf) }
        }
    }

    /// Whether a group is what its founder may make of another: an owner what it likes; an admin one that is its owners' as the other was. A group
    /// has its founder as its only owner at first, so an admin's takes the place once it has given that back. Where all owners have gone
    /// with their nodes the founder stays the owner.
    private mutating func isFaithful(_ new: Conversation, to old: Conversation, by founder: UserID) -> Bool {
        // Whatever waits to be done in it is one's own.
        if founder == account.userID { return true }
        let (was, now) = (old.profile, new.profile)
        guard was.role(of: founder) < .owner else { return true }
        guard now.mayAdd == was.mayAdd, now.mayRemove == was.mayRemove, now.mayRename == was.mayRename,
            now.name == was.name || was.role(of: founder) >= was.mayRename
        else { return false }
        let (present, before) = (Set(roster(new.id).map(\.user)), Set(roster(old.id).map(\.user)))
        // Nobody comes in by it whom the founder could not have added, and nobody is more than before.
        guard was.role(of: founder) >= was.mayAdd || present.isSubset(of: before),
            present.allSatisfy({ now.role(of: $0) <= max(was.role(of: $0), $0 == founder ? .owner : .member) })
        else { return false }
        let owners = before.subtracting(leaving(old.id)).filter { was.role(of: $0) == .owner }
        // Of each that is missing it is asked whether it can be had.
        let missing = owners.filter { !present.contains($0) || now.role(of: $0) < .owner }.sorted().filter { !isGone($0) }
        guard missing.isEmpty else { return false }
        let left = present.filter { now.role(of: $0) == .owner }
        return owners.isDisjoint(with: present) || left.isSubset(of: owners)
    }

    /// Whether the node that a user's name is of has left the federation, by our home's word; if that is not known, it is asked.
    private mutating func isGone(_ user: UserID) -> Bool {
        guard user != account.userID else { return false }
        if ownersGone.contains(user) { return true }
        guard let address = contacts[user]?.address else {
            if unlisted.contains(user) { return true }
            met(user)
            return false
        }
        ask(.owner(user, address))
        return false
    }

    private mutating func leaving(_ id: ConversationID) -> Set<UserID> {
        guard let group = groups[id] else { return [] }
        return leavers(of: group.pendingProposals.map { ($0.proposal, $0.sender) }, in: group)
    }

    /// A group has been entered or has changed: it may take another's place, or another may take its place.
    mutating func takePlaces(around id: ConversationID) {
        takePlace(id)
        for claimant in conversations.claimants(of: id) { takePlace(claimant) }
    }

    /// Something else has changed that they wait for.
    mutating func takePlaces() {
        for claimant in conversations.claimants { takePlace(claimant) }
    }

    private mutating func takePlace(_ id: ConversationID) {
        guard let one = conversations[id], !one.hasSucceeded, !one.isPlaceholder, let succession = one.profile.succession,
            let old = conversations[succession.predecessor.conversation], old.key == succession.predecessor,
            // No circle, whoever signs for one.
            conversations.root(of: old.id) != id, maySucceed(succession.founder.user, old),
            // Whoever was put out of it meanwhile does not go on in it.
            groups[id]?.isActive == true,
            // Nor does an admin go on with what an owner goes on with: he may have been left out of it.
            old.profile.role(of: succession.founder.user) == .owner || !conversations.hasOwnersHeir(old.id),
            isFaithful(one, to: old, by: succession.founder.user),
            succession.holds(for: one.key)
        else { return }
        // Our own has nobody else in it yet.
        let before = succession.founder.user == account.userID ? [] : Set(roster(old.id).map(\.user)).subtracting(leaving(old.id))
        let present = Set(roster(id).map(\.user))
        let missing = before.subtracting(present).sorted()
        change(id) { $0.hasSucceeded = true }
        met(succession.founder.user)
        let name = Hash.blake2b(Array("posthouse reset".utf8) + one.key.groupID).bytes.prefix(16)
        if let message = MessageID(Array(name)) {
            write(
                .message(
                    MessageRecord(
                        message: message, peer: .group(id), author: succession.founder.user, conversation: one.key,
                        body: .membership(.reset(without: missing)), sent: wall,
                        status: MessageStatus(.delivered, number: one.joined == .zero ? nil : one.joined))))
            let newcomers = before.isEmpty ? [] : present.subtracting(before)
            show(newcomers: newcomers, in: id, behind: message, one.joined == .zero ? nil : one.joined, by: succession.founder.user)
            emit(.messagesArrived)
        }
        goOn(in: id)
    }

    /// What waits in the others of the thread goes into the one that goes on, or is told to have failed.
    private mutating func goOn(in id: ConversationID) {
        let current = conversations.current(of: id)
        guard let new = conversations[current] else { return }
        let isBefore = Set(conversations.predecessors(of: current))
        let over = Refusal(.conversationReset, "the group goes on in a new one; some may have the message")
        for old in conversations.thread(of: id) where old != current {
            for item in outbox.unnumbered(in: old) where item.isText {
                if item.submission == nil, item.state == .queued {
                    resend(item, in: new)
                } else if isBefore.contains(old) {
                    fail(item.message, over)
                }
            }
            guard isBefore.contains(old), conversations[old]?.intents.contains(where: { $0.change != .leave }) == true else { continue }
            let dropped = Refusal(.conversationReset, "the group goes on in a new one")
            noteDropped(conversations[old]?.intents.filter { $0.change != .leave } ?? [], in: old, dropped)
            change(old) { one in one.intents.removeAll { $0.change != .leave } }
            giveUpWishes(in: old, dropped)
        }
    }

    /// Nobody has it under its id: it goes into another group.
    private mutating func resend(_ item: OutboxItem, in new: Conversation) {
        guard case .text(let text, let sent) = item.body else { return }
        var item = item
        (item.conversation, item.refusal) = (new.id, nil)
        outbox.keep(item)
        write(.outbox(item))
        write(
            .message(
                MessageRecord(
                    message: item.message, peer: .group(new.id), author: account.userID, conversation: new.key, body: .outgoing(text),
                    sent: sent, status: MessageStatus(.queued))))
        touched.insert(new.id)
    }

    // MARK: When it is time

    /// The hub has left the federation for good.
    func hubGone(_ id: ConversationID) -> Refusal {
        Refusal(.unknownHub, "the conversation's hub is not in the federation any more\(advice(id))")
    }

    /// How a group can go on; empty for a direct conversation, where the next message begins a new one.
    func advice(_ id: ConversationID) -> String {
        guard let one = conversations[id], !one.profile.isDirect else { return "" }
        return "; an owner or admin can go on with the group in a new one: courier group reset \(callName(id))"
    }

    /// What a command can call a group by.
    func callName(_ id: ConversationID) -> String { String(conversations.root(of: id).hex.prefix(8)) }

    /// Whether a group goes on only in a new one, as far as this device knows: its hub is gone or contradicts itself, or does not let us in.
    public mutating func needsReset(_ id: ConversationID) -> Bool {
        guard let one = conversations[id], !one.profile.isDirect, conversations.current(of: id) == id, isMember(of: one) else {
            return false
        }
        return one.standing != .accepted || hubless.contains(id) || one.isStale && (attempts[id] ?? 0) >= ClientLimits.rejoinsHinted
    }
}
