internal import Groups
internal import Vocabulary

/// What somebody wants of a group, until it is so or cannot be.
struct PendingWish: Sendable {
    let wish: GroupWish
    /// Not resolved yet.
    var unresolved: [Address]
    var users: [UserID] = []
    /// Once the group is known.
    var conversation: ConversationID?
    var intent: UInt64?
    /// Who was to be added and cannot be: said when the rest is done.
    var refused: [UserID: Refusal] = [:]
    /// Who was to be added and was in the group when that was asked.
    var already: Set<UserID> = []

    func outcome(in id: ConversationID, _ refusals: [UserID: Refusal]) -> GroupOutcome {
        GroupOutcome(conversation: id, waiting: refused.merging(refusals) { _, new in new }, already: already)
    }
}

// What the user asks of groups. Source: docs/protocol/conversations.md §1, §2.
extension Device {
    mutating func begin(_ wish: GroupWish, for ticket: Ticket, using random: inout some RandomNumberGenerator) {
        let wish = wish.conversation.map { wish.in(conversations.current(of: $0)) } ?? wish
        guard account.isMember else { return emit(.groupRefused(ticket, Refusal(.notPermitted, "this profile has not joined a node"))) }
        var pending = PendingWish(wish: wish, unresolved: [], conversation: wish.conversation)
        if let id = wish.conversation {
            guard let one = conversations[id], !one.profile.isDirect else {
                return emit(.groupRefused(ticket, Refusal(.unknownConversation, "this profile is in no such group")))
            }
            // Whether a reset may be is seen by more than that.
            let isReset = if case .reset = wish { true } else { false }
            guard one.standing == .accepted || isReset else {
                return emit(.groupRefused(ticket, Refusal(.notOnRoster, "you are not in the group")))
            }
        }
        for address in wish.addresses {
            if let contact = contacts[address], contact.record != nil || address == account.address {
                pending.users.append(contact.user)
            } else if address == account.address {
                pending.users.append(account.userID)
            } else if !pending.unresolved.contains(address) {
                pending.unresolved.append(address)
            }
        }
        wishes[ticket] = pending
        guard !pending.unresolved.isEmpty else { return carryOut(ticket, using: &random) }
        guard isLive else { return report(ticket, unreachable: !isTrying) }
        for address in pending.unresolved { ask(.member(ticket, address)) }
    }

    mutating func resolved(
        _ address: Address, as contact: Contact, for ticket: Ticket, using random: inout some RandomNumberGenerator
    ) {
        guard var pending = wishes[ticket], pending.unresolved.contains(address) else { return }
        guard contact.standing == .pinned else {
            return giveUp(ticket, Refusal(.blocked, "the identity key of \(address) has changed; see: courier contact trust"))
        }
        pending.unresolved.removeAll { $0 == address }
        pending.users.append(contact.user)
        wishes[ticket] = pending
        if pending.unresolved.isEmpty { carryOut(ticket, using: &random) }
    }

    private mutating func carryOut(_ ticket: Ticket, using random: inout some RandomNumberGenerator) {
        guard var pending = wishes[ticket] else { return }
        let users = Array(Set(pending.users)).sorted()
        let until = wall + ClientLimits.intentLifetime
        let id = random.next() >> 12
        switch pending.wish {
        case .create(let name, _):
            guard isFit(name, for: ticket) else { return }
            let others = users.filter { $0 != account.userID }
            for user in others { markAccepted(user) }
            let profile = GroupProfile(kind: .group, name: name, roles: [account.userID: .owner])
            guard let one = found(profile, adding: others, using: &random) else {
                return giveUp(ticket, Refusal(.unknown, "the group could not be made"))
            }
            pending.conversation = one.id
            pending.intent = one.intents.first?.id
            touched.insert(one.id)
        case .add(let group, _):
            for user in users { markAccepted(user) }
            pending.already = Set(roster(group).map(\.user)).intersection(users)
            want(.add(users), in: group, id, until, &pending)
        case .remove(let group, _):
            guard areIn(group, users, for: ticket) else { return }
            // Whoever was to be added is not any more, also if there is nobody to be removed yet.
            forgetAdding(Set(users), in: group)
            want(.remove(users.filter { $0 != account.userID }), in: group, id, until, &pending)
        case .rename(let group, let name):
            guard isFit(name, for: ticket) else { return }
            want(.rename(name), in: group, id, until, &pending)
        case .role(let group, _, let role):
            guard let user = users.first, areIn(group, users, for: ticket) else { return }
            let owners = conversations[group]?.profile.roles.filter { $0.value == .owner }.map(\.key) ?? []
            guard role == .owner || owners != [user] else {
                return giveUp(ticket, Refusal(.notPermitted, "make somebody else owner first"))
            }
            want(.role(user, role), in: group, id, until, &pending)
        case .leave(let group):
            let users = Set(roster(group).map(\.user)).subtracting([account.userID])
            let owners = conversations[group]?.profile.roles.filter { $0.value == .owner && users.contains($0.key) } ?? [:]
            if conversations[group]?.profile.role(of: account.userID) == .owner, owners.isEmpty, !users.isEmpty {
                return giveUp(ticket, Refusal(.notPermitted, "you are its only owner: make somebody else owner first"))
            }
            want(.leave, in: group, id, until, &pending)
            // Nor of what it goes on from.
            for old in conversations.thread(of: group) where old != group && conversations[old]?.standing == .accepted {
                change(old) { $0.intents.append(Intent(id: id, .leave, until: until)) }
            }
        case .reset(let group):
            if conversations[group]?.isFounded == false {
                // It is being done already.
                pending.conversation = group
            } else {
                guard let one = reset(group, using: &random) else {
                    return giveUp(ticket, Refusal(.notPermitted, "only an owner or admin who is in the group founds it anew"))
                }
                pending.conversation = one.id
                pending.intent = one.intents.first(where: \.change.isAdd)?.id
            }
        }
        wishes[ticket] = pending
        guard let group = pending.conversation else { return }
        emit(.groupBegun(ticket, group))
        tell(group, [:])
    }

    private mutating func isFit(_ name: String, for ticket: Ticket) -> Bool {
        let bytes = name.utf8.count
        guard !(1...GroupProfile.nameBytesMax).contains(bytes) else { return true }
        giveUp(ticket, Refusal(.tooLarge, "its name would have \(bytes) bytes; a group's name has 1 to \(GroupProfile.nameBytesMax)"))
        return false
    }

    private mutating func forgetAdding(_ users: Set<UserID>, in group: ConversationID) {
        guard conversations[group]?.intents.contains(where: { $0.adds(any: users) }) == true else { return }
        change(group) { one in one.intents = one.intents.compactMap { $0.adding { !users.contains($0) } } }
        tell(group, [:])
    }

    /// Whether all are in the group or about to be: nobody is told that something was done which was not.
    private mutating func areIn(_ group: ConversationID, _ users: [UserID], for ticket: Ticket) -> Bool {
        var known = Set(roster(group).map(\.user))
        for case .add(let coming) in (conversations[group]?.intents ?? []).map(\.change) { known.formUnion(coming) }
        guard let stranger = users.first(where: { !known.contains($0) }) else { return true }
        let name = contacts[stranger]?.address.map { "\($0)" } ?? "a user"
        giveUp(ticket, Refusal(.notOnRoster, "\(name) is not in the group"))
        return false
    }

    /// Writing to somebody, or wanting somebody in a group, makes the user no stranger.
    private mutating func markAccepted(_ user: UserID) {
        if let contact = contacts[user] { accept(contact) }
    }

    private mutating func want(
        _ change: Intent.Change, in group: ConversationID, _ id: UInt64, _ until: Timestamp, _ pending: inout PendingWish
    ) {
        pending.intent = id
        let intent = Intent(id: id, change, until: until)
        // Before those who could not be added so far.
        if change.isAdd { claimAgainAt[group] = nil }
        self.change(group) { $0.intents.insert(intent, at: change.isAdd ? 0 : $0.intents.endIndex) }
    }

    // MARK: Answers

    /// Whoever waits for a change of this conversation hears when it is so, and whom we could not reach.
    mutating func tell(_ id: ConversationID, _ refusals: [UserID: Refusal]) {
        guard let one = conversations[id] else { return }
        guard !wishes.isEmpty else { return }
        let intents = Set(one.intents.map(\.id))
        let members = refusals.isEmpty ? [] : Set(roster(id).map(\.user))
        for (ticket, pending) in wishes.sorted(by: { $0.key.value < $1.key.value }) where pending.conversation == id {
            let isOpen = !pending.unresolved.isEmpty || (pending.intent.map(intents.contains) ?? !one.isFounded)
            if !isOpen {
                wishes[ticket] = nil
                emit(.groupDone(ticket, pending.outcome(in: id, refusals)))
            } else if !refusals.isEmpty, one.committing == nil,
                case .add(let rest)? = one.intents.first(where: { $0.id == pending.intent })?.change,
                rest.allSatisfy({ refusals[$0] != nil || members.contains($0) })
            {
                // It goes on by itself; the command has said what it can.
                wishes[ticket] = nil
                emit(.groupDone(ticket, pending.outcome(in: id, refusals)))
            }
        }
    }

    mutating func giveUpWishes(in id: ConversationID, _ refusal: Refusal?) {
        let intents = Set(conversations[id]?.intents.map(\.id) ?? [])
        for (ticket, pending) in wishes.sorted(by: { $0.key.value < $1.key.value })
        where pending.conversation == id && !(pending.intent.map(intents.contains) ?? !pending.unresolved.isEmpty) {
            wishes[ticket] = nil
            if let refusal {
                emit(.groupRefused(ticket, refusal))
            } else {
                emit(.groupDone(ticket, GroupOutcome(conversation: id)))
            }
        }
    }

    mutating func giveUp(_ ticket: Ticket, _ refusal: Refusal) {
        guard wishes.removeValue(forKey: ticket) != nil else { return }
        emit(.groupRefused(ticket, refusal))
    }

    /// There is no session: what is in the group's own list of changes is done in a later one, the rest is told to whoever waits.
    mutating func report(_ ticket: Ticket, unreachable: Bool) {
        guard let pending = wishes[ticket], unreachable else { return }
        wishes[ticket] = nil
        emit(
            .groupRefused(
                ticket,
                Refusal(
                    .busy,
                    pending.intent == nil ? "the node cannot be reached" : "the node cannot be reached; it is done as soon as it can be")))
    }
}

extension GroupWish {
    var conversation: ConversationID? {
        switch self {
        case .create: nil
        case .add(let id, _), .remove(let id, _), .leave(let id), .rename(let id, _), .role(let id, _, _), .reset(let id): id
        }
    }

    func `in`(_ id: ConversationID) -> GroupWish {
        switch self {
        case .create: self
        case .add(_, let members): .add(id, members)
        case .remove(_, let members): .remove(id, members)
        case .leave: .leave(id)
        case .rename(_, let name): .rename(id, name)
        case .role(_, let address, let role): .role(id, address, role)
        case .reset: .reset(id)
        }
    }

    var addresses: [Address] {
        switch self {
        case .create(_, let members), .add(_, let members), .remove(_, let members): members
        case .role(_, let address, _): [address]
        case .leave, .rename, .reset: []
        }
    }
}
