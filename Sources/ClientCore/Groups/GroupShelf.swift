internal import Groups
internal import MLS
internal import Vocabulary

/// The MLS groups of this device, brought to life as they are needed.
struct GroupShelf: Sendable {
    private var stored: [ConversationID: StoredGroup]
    private var alive: [ConversationID: Group] = [:]
    /// As of an epoch: the roster of a large group is asked for often and worked out once.
    private var rosters: [ConversationID: (epoch: UInt64, entries: [RosterEntry])] = [:]
    /// Commits of ours under way, as stored.
    private var pending: [ConversationID: Pending]
    var welcomes: UnfinishedWelcomes

    init(stored: [ConversationID: StoredGroup], pending: [ConversationID: [UInt8]], welcomes: [UnfinishedWelcome]) {
        (self.stored, self.welcomes) = (stored, UnfinishedWelcomes(welcomes))
        self.pending = pending.compactMapValues(Pending.init)
    }

    /// What we have sent and the hub has not decided.
    enum Pending: Sendable {
        /// `PendingCommit.stored`.
        case commit([UInt8])
        /// The group as it will be after our external commit: `StoredGroup.blob`.
        case rejoin([UInt8])

        var encoded: [UInt8] {
            switch self {
            case .commit(let bytes): [1] + bytes
            case .rejoin(let bytes): [2] + bytes
            }
        }

        init?(_ bytes: [UInt8]) {
            switch bytes.first {
            case 1: self = .commit(Array(bytes.dropFirst()))
            case 2: self = .rejoin(Array(bytes.dropFirst()))
            default: return nil
            }
        }
    }

    /// - Returns: nil where there is none, or what is stored does not make one.
    subscript(id: ConversationID) -> Group? {
        mutating get {
            if let group = alive[id] { return group }
            guard let records = stored.removeValue(forKey: id), let group = try? Group(restoring: records) else { return nil }
            alive[id] = group
            return group
        }
        set {
            stored[id] = nil
            rosters[id] = nil
            alive[id] = newValue
        }
    }

    /// Works on a group in place, so that its ratchets are not copied; a throwing `body` leaves it as it was.
    mutating func update<T>(_ id: ConversationID, _ body: (inout Group) throws(MLSError) -> T) throws(MLSError) -> T? {
        guard self[id] != nil, let index = alive.index(forKey: id) else { return nil }
        return try body(&alive.values[index])
    }

    mutating func setPending(_ new: Pending?, for id: ConversationID) { pending[id] = new }
    func pendingCommit(of id: ConversationID) -> [UInt8]? { if case .commit(let bytes)? = pending[id] { bytes } else { nil } }
    func pendingRejoin(of id: ConversationID) -> [UInt8]? { if case .rejoin(let bytes)? = pending[id] { bytes } else { nil } }
    func isRejoin(_ id: ConversationID) -> Bool { pendingRejoin(of: id) != nil }

    mutating func roster(of id: ConversationID) -> [RosterEntry] {
        guard let group = self[id], group.isActive else { return [] }
        if let known = rosters[id], known.epoch == group.epoch { return known.entries }
        let entries = group.members.compactMap { MemberLeaf.entry(of: $0.leaf) }
        rosters[id] = (group.epoch, entries)
        return entries
    }

    /// A commit that changed nobody's membership: the roster of the epoch before is that of this one.
    mutating func keepRoster(of id: ConversationID, from epoch: UInt64) {
        guard rosters[id]?.epoch == epoch, let now = alive[id]?.epoch else { return }
        rosters[id]?.epoch = now
    }
}
