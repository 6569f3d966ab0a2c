internal import ClientCore
internal import Groups
internal import Vocabulary

// What is asked of groups.

extension Owner {
    /// By id, by the beginning of the id (six digits or more), or by name; those that we are in come first. Groups that others have taken the
    /// place of stand for those.
    func group(named text: String) throws(ClientError) -> Conversation {
        let all = device.conversations.groups
        if let id = ConversationID(hex: text), let one = all.first(where: { $0.id == id }) { return current(one) }
        let digits = text.lowercased()
        let isPrefix = text.count >= 6 && text.allSatisfy(\.isHexDigit)
        let isNamed = { (one: Conversation) in one.profile.name == text || (isPrefix && one.id.hex.hasPrefix(digits)) }
        var matches = device.conversations.currentGroups.filter(isNamed)
        if matches.isEmpty {
            for one in all.filter(isNamed).map(current) where !matches.contains(where: { $0.id == one.id }) { matches.append(one) }
        }
        let current = matches.filter { $0.standing == .accepted || $0.standing == .leaving }
        let found = current.isEmpty ? matches : current
        if found.count > 1 {
            throw ClientError(
                .data, what: "\(found.count) groups are called that.",
                why: found.map { "\($0.id.hex) (\(Printable.line($0.profile.name)))" }.prefix(8).joined(separator: ", "),
                remedy: "Name one by its id, or by six or more digits of it.")
        }
        guard let one = found.first else {
            let shown = Printable.line(text)
            throw ClientError(
                .data, what: "There is no group \(shown).", why: "This profile is in no group of that name or id.",
                remedy: "See: courier group list; an address of a user has an @ in it.")
        }
        return one
    }

    private func current(_ one: Conversation) -> Conversation { device.conversations[device.conversations.current(of: one.id)] ?? one }

    /// What a group is called by, whatever has taken its place since.
    func name(_ id: ConversationID) -> String { device.conversations.root(of: id).hex }

    func line(_ one: Conversation, withMembers: Bool) -> GroupLine {
        var devices: [UserID: Int] = [:]
        for entry in members(of: one.id) { devices[entry.user, default: 0] += 1 }
        let members = devices.sorted { $0.key < $1.key }.map { user, count in
            GroupLine.Member(address: display(user), user: user.hex, role: one.profile.role(of: user).name, devices: count)
        }
        let standing =
            switch one.standing {
            case .request, .accepted: "member"
            case .leaving: "leaving"
            case .removed, .declined: "removed"
            case .broken: "broken"
            }
        return GroupLine(
            id: name(one.id), name: one.profile.name, standing: standing, role: one.profile.role(of: device.account.userID).name,
            hub: one.key.hub.hex, members: withMembers ? members.sorted { $0.address < $1.address } : members,
            unread: (try? store.unshownCount(of: device.conversations.thread(of: one.id).map { .group($0) })) ?? 0,
            pending: one.intents.compactMap { sentence($0.change) },
            conversation: device.conversations.root(of: one.id) == one.id ? nil : one.id.hex,
            goesOnFrom: device.conversations.predecessor(of: one.id)?.hex, needsReset: needsReset(one.id) ? true : nil)
    }

    /// What was wanted of a group; nil for what nobody asked for.
    func sentence(_ change: Intent.Change) -> String? {
        switch change {
        case .add(let users): "add " + users.map { display($0) }.joined(separator: ", ")
        case .remove(let users): "remove " + users.map { display($0) }.joined(separator: ", ")
        case .rename(let name): "rename to \(name)"
        case .role(let user, let role): "make \(display(user)) \(role.name)"
        case .roles(let roles):
            "make " + roles.sorted { $0.key < $1.key }.map { "\(display($0.key)) \($0.value.name)" }.joined(separator: ", ")
        case .leave: "leave"
        case .refresh: nil
        }
    }

    // MARK: Changes

    func change(_ action: GroupAction, for job: Job) throws {
        guard device.account.isMember else {
            throw ClientError(
                .configuration, what: "The group was not changed.", why: "This profile has not joined a node.",
                remedy: "Run: courier join LINK --handle NAME")
        }
        let wish: GroupWish
        switch action {
        case .create(let name, let members): wish = .create(name: name, members: try addresses(members))
        case .add(let name, let members): wish = .add(try group(named: name).id, try addresses(members))
        case .remove(let name, let members): wish = .remove(try group(named: name).id, try addresses(members))
        case .leave(let name): wish = .leave(try group(named: name).id)
        case .rename(let name, let new): wish = .rename(try group(named: name).id, new)
        case .role(let name, let address, let role):
            guard let role = Role(name: role) else {
                throw ClientError(
                    .usage, what: "\(Printable.line(role)) is no role.", why: "A member of a group is member, admin or owner.",
                    remedy: "courier group role GROUP ADDRESS admin")
            }
            wish = .role(try group(named: name).id, try Address(address), role)
        case .reset(let name): wish = .reset(try group(named: name).id)
        case .info: return
        }
        feed(.sessionWanted, .groupRequested(job.ticket, wish))
        guard jobs[job.id] != nil, let sessionFailure else { return }
        // None is tried any more: it is in the group's list by now, or could not be looked up.
        refused(job.ticket, Refusal(.busy, sessionFailure.explanation.why))
    }

    private func addresses(_ texts: [String]) throws(NameError) -> [Address] {
        var found: [Address] = []
        for text in texts { found.append(try Address(text)) }
        return found
    }

    func done(_ ticket: Ticket, _ outcome: GroupOutcome) {
        guard let job = jobs[ticket.value] else { return }
        finish(job, .changed(result(outcome)))
    }

    private func result(_ outcome: GroupOutcome) -> GroupResult {
        let one = device.conversations[outcome.conversation]
        let wanted = one?.intents.flatMap { intent -> [UserID] in if case .add(let users) = intent.change { users } else { [] } } ?? []
        return GroupResult(
            id: name(outcome.conversation), name: one?.profile.name ?? "?",
            waiting: outcome.waiting.map { user, refusal in
                GroupResult.Waiting(address: display(user), reason: Printable.line(refusal.detail), isTriedAgain: wanted.contains(user))
            }.sorted { $0.address < $1.address },
            already: outcome.already.isEmpty ? nil : outcome.already.map { display($0) }.sorted())
    }

    func refused(_ ticket: Ticket, _ refusal: Refusal) {
        guard let job = jobs[ticket.value], case .group(let action) = job.request else { return }
        if refusal.code.isTransient, let one = kept(action) {
            if case .create = action { job.reply(.changed(result(GroupOutcome(conversation: one.id)))) }
            return finish(
                job,
                .refused(
                    ClientError(
                        .kept, what: "The change is kept.", why: Printable.line(lastFailure?.explanation.why ?? refusal.detail),
                        remedy: "It is made with the next courier command that reaches the node, or with: courier receive --follow")))
        }
        if refusal.code.isTransient, let sessionFailure { return finish(job, .refused(ClientError(sessionFailure))) }
        var error = ClientError(ofGroup: refusal)
        // Somebody else is not in it, which is no want of permission.
        if refusal.code == .notOnRoster, action.namesMembers, action.group.flatMap({ try? group(named: $0) })?.standing == .accepted {
            error = ClientError(.data, error.explanation)
        }
        finish(job, .refused(error))
    }

    /// The group that has the change in its list.
    private func kept(_ action: GroupAction) -> Conversation? {
        if case .create(let name, _) = action {
            return device.conversations.groups.first { $0.profile.name == name && $0.head == .zero && $0.standing == .accepted }
        }
        return action.group.flatMap { try? group(named: $0) }.flatMap { $0.intents.contains { $0.change != .refresh } ? $0 : nil }
    }
}

extension ClientError {
    /// Why a change of a group was not made.
    init(ofGroup refusal: Refusal) {
        let plain = ClientError(refusal)
        let remedy: String? =
            switch refusal.code {
            case .notPermitted: "See who may: courier group info GROUP"
            case .notOnRoster, .unknownConversation:
                "See who is in it: courier group info GROUP; the groups that you are in: courier group list"
            case .tooLarge: "Choose another one."
            case .blocked: "Compare safety numbers: courier contact show ADDRESS; then: courier contact trust ADDRESS"
            default: nil
            }
        guard let remedy else {
            self = plain
            return
        }
        self.init(plain.code, what: "The group was not changed.", why: Printable.line(refusal.detail), remedy: remedy)
    }
}
