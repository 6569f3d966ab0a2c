internal import Groups
public import Vocabulary

/// Every conversation this device takes part in. A conversation id is one conversation: the same id at another hub is an attack.
public struct Conversations: Sendable {
    private var byID: [ConversationID: Conversation] = [:]
    /// Direct ones, sorted: the first that works is the one to send in, so that two which began at once become one.
    private var byPeer: [UserID: [ConversationID]] = [:]
    /// Those that wait for missing numbers: asked for after each step, when looking at all would cost each what it costs to have many.
    private(set) var refetching: Set<ConversationID> = []
    private let me: UserID

    init(_ conversations: [Conversation], me: UserID) {
        self.me = me
        for conversation in conversations { self[conversation.id] = conversation }
    }

    public var count: Int { byID.count }
    public var all: [Conversation] { byID.values.sorted { $0.id < $1.id } }
    /// Proposals wait for a commit, which may be ours.
    var areAwaitingTurn: Bool { byID.values.contains { $0.commitAt != nil && $0.standing == .accepted } }
    public var groups: [Conversation] { all.filter { !$0.profile.isDirect } }

    public internal(set) subscript(id: ConversationID) -> Conversation? {
        get { byID[id] }
        set {
            byID[id] = newValue
            note(id, isRefetching: newValue?.refetch != nil)
            if let profile = newValue?.profile { note(id, profile) }
        }
    }

    /// Changes one in place, so that what it holds is not copied.
    mutating func update<T>(_ id: ConversationID, _ body: (inout Conversation) -> T) -> T? {
        guard let index = byID.index(forKey: id) else { return nil }
        let kind = byID.values[index].profile.kind
        let result = body(&byID.values[index])
        note(id, isRefetching: byID.values[index].refetch != nil)
        // Whom one is with that we were told of before we were in it is known only then.
        if byID.values[index].profile.kind != kind { note(id, byID.values[index].profile) }
        return result
    }

    private mutating func note(_ id: ConversationID, _ profile: GroupProfile) {
        guard let peer = profile.peer(of: me), !(byPeer[peer]?.contains(id) ?? false) else { return }
        byPeer[peer, default: []].append(id)
        byPeer[peer]?.sort()
    }

    private mutating func note(_ id: ConversationID, isRefetching: Bool) {
        if isRefetching { refetching.insert(id) } else if !refetching.isEmpty { refetching.remove(id) }
    }

    /// The direct conversations with a user, the lowest id first.
    public func direct(with peer: UserID) -> [Conversation] {
        // One that we were told of by its first event may have become a group, or another's.
        (byPeer[peer] ?? []).compactMap { byID[$0] }.filter { $0.profile.peer(of: me) == peer }
    }

    /// Where to send to this user.
    func toSendIn(with peer: UserID) -> Conversation? {
        let usable = direct(with: peer).filter { !$0.isPlaceholder && ($0.standing == .accepted || $0.standing == .request) }
        // One that both are in goes before one that waits for the other to come in.
        return usable.first { $0.origin == .theirs || $0.head > .zero } ?? usable.first
    }
}
