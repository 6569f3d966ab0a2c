internal import Vocabulary

// Whom and what local users have blocked. Source: docs/protocol/client-session.md, "Blocking".
extension Node {
    mutating func setBlocked(
        _ users: [UserID], _ conversations: [ConversationKey], _ request: RequestID, by device: RosterEntry, in session: SessionID
    ) {
        func refuse(_ refusal: Refusal) { out.append(.sendSession(session, .refusedRequest(request, refusal))) }
        if isSpaceLow { return refuse(Refusal(.diskFull, "The node's disk is full.")) }
        guard blockChanges.take(device.device, at: now) else { return refuse(Refusal(.rateLimited, "The list changed too often.")) }
        var writes: [StoreWrite] = []
        if let refusal = blocks.set(users, conversations, by: device.user, writes: &writes) { return refuse(refusal) }
        write(writes)
        out.append(.sendSession(session, .done(request)))
        presence(.blocksChanged(device.user, blocks.users(blockedBy: device.user)))
    }

    /// Whether a local device's user wants nothing of this conversation.
    func isBlocked(_ conversation: ConversationKey, for device: DeviceID) -> Bool {
        guard !blocks.isEmpty, let user = directory.user(ofLocal: device) else { return false }
        return blocks.blocks(conversation, for: user)
    }

    /// Whether an item is dropped rather than queued. What a device needs to know of its own messages is not.
    func isBlocked(_ item: DeviceItem, for device: DeviceID) -> Bool {
        switch item {
        case .event(let envelope): return isBlocked(envelope.key, for: device)
        case .welcome(let part):
            if isBlocked(part.key, for: device) { return true }
            // The adder stands at the start of the first part.
            guard !blocks.isEmpty, part.count == 1, let user = directory.user(ofLocal: device),
                let adder = UserID(part.bytes.prefix(32))
            else { return false }
            return blocks.blocks(adder, for: user)
        case .mark(let mark): return isBlocked(mark.key, for: device)
        case .accepted, .failed, .watermark: return false
        }
    }
}
