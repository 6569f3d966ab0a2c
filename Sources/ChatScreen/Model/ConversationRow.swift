public enum Presence: Hashable, Sendable {
    /// Not told, or not asked for: groups, strangers, those who switched it off.
    case unknown
    case online
    /// For people, in local time: `09:41`, `yesterday`.
    case lastSeen(String)
}

/// One conversation as the list shows it. All texts are as others wrote them; the screen escapes them.
public struct ConversationRow: Hashable, Sendable, Identifiable {
    /// Opaque: whatever the client calls it; handed back in requests.
    public var id: String
    /// A contact's address, a group's name.
    public var title: String
    public var isGroup: Bool
    /// Addresses of the others: for completion and for the count of members.
    public var members: [String]
    public var unread: Int
    public var presence: Presence
    /// Who is typing; for the title's line.
    public var typing: [String]
    /// A stranger's first contact, not yet accepted.
    public var isRequest: Bool
    public var isVerified: Bool
    public var hasAlarm: Bool

    public init(
        id: String, title: String, isGroup: Bool = false, members: [String] = [], unread: Int = 0, presence: Presence = .unknown,
        typing: [String] = [], isRequest: Bool = false, isVerified: Bool = false, hasAlarm: Bool = false
    ) {
        self.id = id
        self.title = title
        self.isGroup = isGroup
        self.members = members
        self.unread = unread
        self.presence = presence
        self.typing = typing
        self.isRequest = isRequest
        self.isVerified = isVerified
        self.hasAlarm = hasAlarm
    }
}
