internal import Groups
public import Vocabulary

/// Every conversation this device takes part in. A conversation id is one conversation: the same id at another hub is an attack.
public struct Conversations: Sendable {
    private var byID: [ConversationID: Conversation] = [:]
    /// Direct ones, sorted: the first that works is the one to send in, so that two which began at once become one.
    private var byPeer: [UserID: [ConversationID]] = [:]
    /// Groups by the one that they say they go on from, rising; whether each has taken its place is in it.
    private var successors: [ConversationID: [ConversationID]] = [:]
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
        let (kind, succession) = (byID.values[index].profile.kind, byID.values[index].profile.succession)
        let result = body(&byID.values[index])
        note(id, isRefetching: byID.values[index].refetch != nil)
        // Whom one is with that we were told of before we were in it is known only then.
        let profile = byID.values[index].profile
        if profile.kind != kind || profile.succession != succession { note(id, profile) }
        return result
    }

    private mutating func note(_ id: ConversationID, _ profile: GroupProfile) {
        if let old = profile.succession?.predecessor.conversation, !(successors[old]?.contains(id) ?? false) {
            successors[old, default: []].append(id)
            successors[old]?.sort()
        }
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

    // MARK: Groups that go on from others

    /// Those that say they go on from this one.
    func claimants(of id: ConversationID) -> [ConversationID] { successors[id] ?? [] }

    /// Those that say they go on from another and have not taken its place, rising.
    var claimants: [ConversationID] {
        successors.isEmpty ? [] : successors.values.joined().filter { byID[$0]?.hasSucceeded == false }.sorted()
    }

    /// The group whose place this one has taken.
    public func predecessor(of id: ConversationID) -> ConversationID? {
        guard let one = byID[id], one.hasSucceeded else { return nil }
        return one.profile.succession?.predecessor.conversation
    }

    /// Those before this one, the nearest first. `Device.takePlace` lets no circle in; should there be one on disk all the same, it is gone
    /// through once.
    func predecessors(of id: ConversationID) -> [ConversationID] {
        var all: [ConversationID] = []
        while let before = predecessor(of: all.last ?? id), before != id, !all.contains(before) { all.append(before) }
        return all
    }

    /// The first of a thread of groups that each go on from another; it names the thread.
    public func root(of id: ConversationID) -> ConversationID { predecessors(of: id).last ?? id }

    /// The one of the thread that goes on: of several that took one's place the lowest, on every client alike.
    public func current(of id: ConversationID) -> ConversationID {
        var (current, seen) = (root(of: id), Set<ConversationID>())
        while seen.insert(current).inserted, let next = heirs(of: current).first(where: { byID[$0]?.isStillborn == false }) {
            current = next
        }
        return current
    }

    /// All of the thread, each before those that go on from it.
    public func thread(of id: ConversationID) -> [ConversationID] {
        var all = [root(of: id)]
        var next = 0
        while next < all.count {
            all += heirs(of: all[next]).filter { !all.contains($0) }
            next += 1
        }
        return all
    }

    private func heirs(of id: ConversationID) -> [ConversationID] { claimants(of: id).filter { byID[$0]?.hasSucceeded == true } }

    /// Groups, of each thread the one that goes on.
    public var currentGroups: [Conversation] { successors.isEmpty ? groups : groups.filter { current(of: $0.id) == $0.id } }

    /// Where to send to this user.
    func toSendIn(with peer: UserID) -> Conversation? {
        let usable = direct(with: peer).filter { !$0.isPlaceholder && ($0.standing == .accepted || $0.standing == .request) }
        // One that both are in goes before one that waits for the other to come in.
        return usable.first { $0.origin == .theirs || $0.head > .zero } ?? usable.first
    }
}
