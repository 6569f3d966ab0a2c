internal import Cryptography
package import Vocabulary

// Handshakes: founding, commits, proposals. Judged by `GroupJudgement`; here they are numbered and change the conversation.
extension Hub {
    mutating func found(
        _ id: ConversationID, _ info: [UInt8], by sender: RosterEntry, host: HubHost, writes: inout [StoreWrite]
    ) -> Outcome {
        let founding = Hash.blake2b(info)
        if let known = conversations[id]?.value {
            return known.creator == sender.user && known.founding == founding
                ? .founded : .refused(Refusal(.conversationExists, "Another conversation has this id."))
        }
        if let obstacle = host.obstacle ?? host.refusal(sender) { return .refused(obstacle) }
        let key = ConversationKey(hub: node, conversation: id)
        let follower: GroupFollower
        do throws(Refusal) { follower = try GroupJudgement.founding(info, key: key, by: sender, host: host) } catch {
            return .refused(error)
        }
        var conversation = Conversation(key: key, creator: sender.user, roster: Roster([sender]), group: follower, founding: founding)
        conversation.lastUsed = nextUse()
        conversation.restored = restoration
        writes.append(.put(.conversation, key: ConversationRows.key(key), value: conversation.roomRow))
        writes.append(.put(.group, key: ConversationRows.key(key), value: follower.row))
        insert(conversation)
        return .founded
    }

    mutating func commit(
        _ submission: Submission, _ bundle: CommitBundle, from sender: RosterEntry, host: HubHost, writes: inout [StoreWrite]
    ) -> Outcome {
        let event = Conversation.NewEvent(
            message: submission.message, sender: sender, kind: .commit, epoch: bundle.epoch, payload: bundle.commit)
        return handshake(event, submission, mayBeNew: true, host: host, writes: &writes) { (group, roster) throws(Refusal) in
            try GroupJudgement.commit(bundle, on: group, roster: roster, by: sender, host: host)
        }
    }

    mutating func proposal(
        _ submission: Submission, _ epoch: Epoch, _ message: [UInt8], from sender: RosterEntry, host: HubHost, writes: inout [StoreWrite]
    ) -> Outcome {
        let event = Conversation.NewEvent(message: submission.message, sender: sender, kind: .proposal, epoch: epoch, payload: message)
        return handshake(event, submission, mayBeNew: false, host: host, writes: &writes) { (group, roster) throws(Refusal) in
            try GroupJudgement.proposal(message, on: group, roster: roster, by: sender, host: host)
        }
    }

    /// - Parameter mayBeNew: the device need not be in the conversation yet, if its user is.
    private mutating func handshake(
        _ event: Conversation.NewEvent, _ submission: Submission, mayBeNew: Bool, host: HubHost, writes: inout [StoreWrite],
        judge: (GroupFollower, Roster) throws(Refusal) -> GroupStep
    ) -> Outcome {
        var growth = 0
        defer { grew(by: growth) }
        var (released, charged): ([EventLog.Line], Int) = ([], 0)
        let key = ConversationKey(hub: node, conversation: submission.conversation)
        defer {
            charge(charged, to: event.sender.user, of: host.home)
            release(released, of: key, writes: &writes)
        }
        return with(submission.conversation) { conversation in
            let group = conversation.group
            let isIn = conversation.roster.contains(event.sender) || mayBeNew && conversation.roster.containsUser(event.sender.user)
            if let outcome = conversation.early(event, isOnRoster: isIn) { return outcome }
            if conversation.isOutdated(event.payload) { return .refused(.outdated) }
            if let refusal = group.staleness(of: event.epoch) { return .refused(refusal) }
            // Room of their own: a full log must not keep those in who fill it.
            guard conversation.log.count < Limits.logEventsPerConversationMax + Limits.logHandshakesReserve,
                conversation.log.size.bytes < Limits.logBytesPerConversationMax + Limits.logHandshakeBytesReserve
            else { return .refused(.logFull) }
            if let obstacle = host.obstacle { return .refused(obstacle) }
            do throws(Refusal) {
                let step = try judge(group, conversation.roster)
                let before = conversation.weight
                let accepted = try conversation.take(step, event, submission, host: host, writes: &writes)
                growth = conversation.weight - before
                charged = conversation.log.last?.bytes ?? 0
                released = conversation.prune()
                return .accepted(accepted)
            } catch { return .refused(error) }
        } ?? .refused(.unknownConversation)
    }

    /// What a device needs to rejoin: only for one whose user is in the conversation.
    package func parcel(_ id: ConversationID, for entry: RosterEntry) -> [AnswerPart]? {
        guard let conversation = conversations[id]?.value, conversation.roster.containsUser(entry.user),
            let group = try? conversation.group.ready()
        else { return nil }
        let parcel = GroupParcel(
            groupInfo: conversation.group.info, tree: group.ratchetTree, head: conversation.head, chain: conversation.chain)
        let parts = AnswerPart.parts(of: parcel.encoded())
        return parts.isEmpty ? nil : parts
    }
}

extension Conversation {
    /// Commit or proposal, group and GroupInfo, roster, Welcome, number and chain: one transaction.
    fileprivate mutating func take(
        _ step: GroupStep, _ event: NewEvent, _ submission: Submission, host: HubHost, writes: inout [StoreWrite]
    ) throws(Refusal) -> Hub.Accepted {
        let room = Int(Limits.partsMax) * Limits.partBytesMax - 1_024
        guard (step.welcome?.count ?? 0) + step.tree.count + step.follower.info.count < room else {
            throw Refusal(.tooLarge, "The group's tree is too long to be handed on.")
        }
        let envelope = number(event, timeToLive: submission.timeToLive, host: host, writes: &writes)
        var accepted = Hub.Accepted(envelope: envelope)
        group = step.follower
        if let welcome = step.welcome {
            let parcel = WelcomeParcel(sender: event.sender, chain: envelope.chain, welcome: welcome, tree: step.tree)
            accepted.newcomers = step.added
            accepted.welcome = WelcomePart.parts(of: parcel.encoded(), key: key, number: envelope.number)
            let expires = log.last?.expires ?? 0
            for part in accepted.welcome {
                writes.append(.storeEvent(part.eventKey, bytes: StoredWelcome(expires: expires, part: part).encoded(), held: true))
            }
            attach(accepted.welcome)
            writes.append(.put(.conversation, key: ConversationRows.key(key), value: roomRow))
        }
        let new = step.added + (step.newcomer.map { [$0] } ?? [])
        accepted.removed = step.removed.map { entry in
            let from = host.unreadFrom(entry, key.conversation)
            return (entry, from.flatMap { unread(by: entry, from: $0, through: envelope.number.previous, max: .max) }?.keys ?? [])
        }
        change(removed: step.removed, added: new)
        for entry in step.removed where !roster.contains(entry) {
            writes.append(.remove(.watermark, key: ConversationRows.watermarkKey(key, entry.device)))
        }
        for entry in new {
            guard let row = roster.row(of: entry.device) else { continue }
            writes.append(.put(.watermark, key: ConversationRows.watermarkKey(key, entry.device), value: row))
        }
        writes.append(.put(.group, key: ConversationRows.key(key), value: step.follower.row))
        return accepted
    }
}
