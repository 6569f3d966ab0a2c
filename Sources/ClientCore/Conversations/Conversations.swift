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
    private var tallies: [NodeID: Tally] = [:]
    private(set) var placeholders = 0
    /// Of all that is held.
    package private(set) var heldBytes = 0
    private let me: UserID

    /// Of one hub.
    private struct Tally {
        var all = 0
        var placeholders = 0
    }

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
            let before = byID.updateOrRemove(newValue, for: id)
            count(before, -1)
            count(newValue, 1)
            note(id, isRefetching: newValue?.refetch != nil)
            if let profile = newValue?.profile { note(id, profile) }
            guard newValue == nil, let peer = before?.profile.peer(of: me) else { return }
            byPeer[peer]?.removeAll { $0 == id }
            if byPeer[peer]?.isEmpty == true { byPeer[peer] = nil }
        }
    }

    /// Changes one in place, so that what it holds is not copied.
    mutating func update<T>(_ id: ConversationID, _ body: (inout Conversation) -> T) -> T? {
        guard let index = byID.index(forKey: id) else { return nil }
        let (kind, succession) = (byID.values[index].profile.kind, byID.values[index].profile.succession)
        let (wasPlaceholder, bytes) = (byID.values[index].isPlaceholder, byID.values[index].heldBytes)
        let result = body(&byID.values[index])
        heldBytes += byID.values[index].heldBytes - bytes
        if wasPlaceholder != byID.values[index].isPlaceholder { count(placeholder: byID.values[index].key.hub, wasPlaceholder ? -1 : 1) }
        note(id, isRefetching: byID.values[index].refetch != nil)
        // Whom one is with that we were told of before we were in it is known only then.
        let profile = byID.values[index].profile
        if profile.kind != kind || profile.succession != succession { note(id, profile) }
        return result
    }

    private mutating func count(_ one: Conversation?, _ step: Int) {
        guard let one else { return }
        heldBytes += step * one.heldBytes
        tallies[one.key.hub, default: Tally()].all += step
        if one.isPlaceholder { count(placeholder: one.key.hub, step) }
    }

    private mutating func count(placeholder hub: NodeID, _ step: Int) {
        placeholders += step
        tallies[hub, default: Tally()].placeholders += step
    }

    /// Whether there is room for one more that somebody else begins.
    /// - Parameter isHeardOf: nothing is known of it but that it exists.
    func hasRoom(of hub: NodeID, isHome: Bool, isHeardOf: Bool = false) -> Bool {
        let tally = tallies[hub] ?? Tally()
        guard byID.count < Limits.conversationsResidentMax, isHome || tally.all < ClientLimits.conversationsPerHubMax else { return false }
        return !isHeardOf || tally.placeholders < ClientLimits.placeholdersPerHubMax && placeholders < ClientLimits.placeholdersMax
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

    /// The one of the thread that goes on: of several that took one's place an owner's, and of these the lowest, on every client alike.
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

    private func heirs(of id: ConversationID) -> [ConversationID] {
        let all = claimants(of: id).filter { byID[$0]?.hasSucceeded == true }
        return all.filter { isOwners($0, after: id) } + all.filter { !isOwners($0, after: id) }
    }

    private func isOwners(_ new: ConversationID, after old: ConversationID) -> Bool {
        guard let founder = byID[new]?.profile.succession?.founder.user else { return false }
        return byID[old]?.profile.role(of: founder) == .owner
    }

    /// Whether an owner goes on with the group already.
    func hasOwnersHeir(_ id: ConversationID) -> Bool {
        heirs(of: id).contains { isOwners($0, after: id) && byID[$0]?.isStillborn == false }
    }

    /// Groups, of each thread the one that goes on.
    public var currentGroups: [Conversation] { successors.isEmpty ? groups : groups.filter { current(of: $0.id) == $0.id } }

    /// Where to send to this user.
    func toSendIn(with peer: UserID) -> Conversation? {
        let usable = direct(with: peer).filter { !$0.isPlaceholder && ($0.standing == .accepted || $0.standing == .request) }
        // One that both are in goes before one that waits for the other to come in.
        return usable.first { $0.origin == .theirs || $0.head > .zero } ?? usable.first
    }
}

extension Dictionary {
    /// - Returns: what was there.
    fileprivate mutating func updateOrRemove(_ value: Value?, for key: Key) -> Value? {
        guard let value else { return removeValue(forKey: key) }
        return updateValue(value, forKey: key)
    }
}
