internal import ClientCore
internal import Groups
internal import Vocabulary

// What the profile holds, as lines for whoever asked. Names and texts go out as others wrote them: who shows them escapes them.

extension Owner {
    var me: Me {
        let account = device.account
        return Me(
            address: account.address.map { "\($0)" }, handle: "\(account.handle)", user: account.userID.hex, device: account.deviceID.hex,
            node: account.home.hex, endpoint: "\(account.endpoint)", federation: account.grant?.federation.hex, isMember: account.isMember)
    }

    /// A user's address, or what stands for it while there is none or a contested one.
    func display(_ user: UserID) -> String {
        if case .known(let address, _) = device.name(of: user) { "\(address)" } else { "unknown:\(user.short)" }
    }

    func isVerified(_ user: UserID) -> Bool {
        if case .known(_, true) = device.name(of: user) { user != device.account.userID } else { false }
    }

    /// By what has taken its place.
    private func groupName(_ id: ConversationID) -> String {
        device.conversations[device.conversations.current(of: id)]?.profile.name ?? "?"
    }

    /// What happened, and of a group what can be done about it.
    func text(of alarm: AlarmRecord) -> String {
        let id = alarm.key.conversation
        guard needsReset(id) else { return alarm.alarm.text }
        return alarm.alarm.text + " An owner or admin can go on with the group in a new one: courier group reset \(name(id).prefix(8))"
    }

    func place(of id: ConversationID) -> Place {
        let profile = device.conversations[id]?.profile
        return Place(
            conversation: id.hex, groupName: profile.flatMap { $0.isDirect ? nil : $0.name },
            peer: profile?.peer(of: device.account.userID).map { display($0) })
    }

    // MARK: Messages

    /// Of a stranger about whom the user has still to decide.
    func isRequest(_ record: MessageRecord) -> Bool {
        guard record.isRequest, case .user(let user) = record.peer else { return false }
        return device.contacts[user]?.isAccepted != true
    }

    func line(_ stored: ProfileStore.Stored, from peer: String, isVerified: Bool = false) -> MessageLine {
        let record = stored.record
        let kind: MessageLine.Kind =
            switch record.body {
            case .outgoing(let text), .incoming(let text): .text(text)
            case .undecryptable(let reason): .undecryptable(reason)
            case .membership(let change): .membership(line(change))
            }
        var (group, name): (String?, String?) = (nil, nil)
        if case .group(let id) = record.peer { (group, name) = (self.name(id), groupName(id)) }
        return MessageLine(
            sequence: stored.sequence, id: record.message.hex, conversation: record.conversation?.conversation.hex, group: group,
            groupName: name, isOutgoing: record.isOutgoing, isRequest: isRequest(record), peer: peer, number: record.status.number?.value,
            sent: record.sent.milliseconds, kind: kind, state: record.isOutgoing ? record.status.state.name : nil,
            reason: record.status.refusal.map { Printable.line("\($0.code): \($0.detail)") }, isVerified: isVerified)
    }

    func groupLine(_ stored: ProfileStore.Stored) -> MessageLine {
        guard let author = stored.record.author else { return line(stored, from: "?") }
        return line(stored, from: display(author), isVerified: isVerified(author))
    }

    /// The other side, whoever wrote it; in a group the author.
    func historyLine(_ stored: ProfileStore.Stored) -> MessageLine {
        switch stored.record.peer {
        case .group: return groupLine(stored)
        case .address(let address): return line(stored, from: "\(address)")
        case .user(let user):
            // A key that the user gave up, or has still to decide about, had this address all the same.
            let address = device.contacts[user]?.address.map { "\($0)" }
            return line(stored, from: address ?? display(user), isVerified: device.contacts[user]?.isVerified ?? false)
        }
    }

    private func line(_ change: MembershipChange) -> MembershipLine {
        func line(_ name: String, _ users: [UserID] = [], roles: [String] = [], renamed: String? = nil, missing: UInt64? = nil)
            -> MembershipLine
        {
            MembershipLine(change: name, who: users.map { display($0) }, roles: roles, name: renamed, missing: missing)
        }
        switch change {
        case .added(let users): return line("added", users)
        case .removed(let users): return line("removed", users)
        case .left(let users): return line("left", users)
        case .rejoined(let users): return line("rejoined", users)
        case .present(let users): return line("present", users)
        case .renamed(let name): return line("renamed", renamed: name)
        case .roles(let roles):
            let sorted = roles.sorted { $0.key < $1.key }
            return line("roles", sorted.map(\.key), roles: sorted.map(\.value.name))
        case .joined: return line("joined", [device.account.userID])
        case .reset(let missing): return line("reset", missing)
        case .restored(let missing): return line("restored", missing: missing)
        }
    }

    // MARK: The rest

    func line(_ item: OutboxItem) -> OutboxLine {
        var (to, group): (String, String?)
        switch item.target {
        case .address(let address): (to, group) = ("\(address)", nil)
        case .group(let id): (to, group) = (place(of: id).title, name(id))
        }
        let reason: String
        if let refusal = item.refusal {
            reason = Printable.line("\(refusal.code): \(refusal.detail)")
        } else if item.state == .sent {
            reason = "the conversation's hub has not confirmed it yet"
        } else if device.isLive {
            reason = "it is being handed to the node"
        } else if let lastFailure {
            reason = lastFailure.explanation.why
        } else {
            reason = "the node has not been asked yet: it goes out with the next command that reaches it"
        }
        return OutboxLine(id: item.message.hex, to: to, group: group, state: item.state.name, reason: reason)
    }

    func line(_ contact: Contact, after decision: Job.Decision? = nil) -> ContactLine {
        ContactLine(
            address: contact.address.map { "\($0)" } ?? "?", user: contact.user.hex, standing: "\(contact.standing)",
            isVerified: contact.isVerified, isBlocked: contact.isBlocked, isAccepted: contact.isAccepted,
            devices: contact.record?.devices.count ?? 0, version: contact.record?.version, home: contact.record?.home.hex,
            safetyNumber: SafetyNumber.text(device.account.userID, contact.user), decision: decision?.name, already: decision?.already)
    }

    func line(_ alarm: AlarmRecord) -> AlarmLine {
        AlarmLine(
            name: alarm.alarm.name, detail: text(of: alarm), place: place(of: alarm.key.conversation), number: alarm.number?.value,
            time: alarm.time.milliseconds)
    }
}

extension MessageRecord {
    /// Who is named in it besides its author.
    var concerned: [UserID] {
        guard case .membership(let change) = body else { return [] }
        return switch change {
        case .added(let users), .removed(let users), .left(let users), .rejoined(let users), .present(let users),
            .reset(without: let users):
            users
        case .roles(let roles): roles.keys.sorted()
        case .renamed, .joined, .restored: []
        }
    }
}
