public import Vocabulary

/// Every conversation this device takes part in. A conversation id is one conversation: the same id at another hub is an attack.
public struct Conversations: Sendable {
    private var byID: [ConversationID: Conversation] = [:]
    /// Sorted; the first that works is the one to send in, so that two which began at once become one.
    private var byPeer: [UserID: [ConversationID]] = [:]

    init(_ conversations: [Conversation]) {
        for conversation in conversations { self[conversation.key.conversation] = conversation }
    }

    public var count: Int { byID.count }

    public internal(set) subscript(id: ConversationID) -> Conversation? {
        get { byID[id] }
        set {
            byID[id] = newValue
            guard let peer = newValue?.peer, !(byPeer[peer]?.contains(id) ?? false) else { return }
            byPeer[peer, default: []].append(id)
            byPeer[peer]?.sort()
        }
    }

    /// Where to send to this user: the lowest id of those that are sound.
    func toSendIn(with peer: UserID) -> Conversation? {
        for id in byPeer[peer] ?? [] {
            if let conversation = byID[id], !conversation.isBroken { return conversation }
        }
        return nil
    }
}
