/// What a device tells its home at the start of a session about being seen.
public struct PresenceSettings: Hashable, Sendable {
    /// BLAKE2b-256 of the user's presence token: who can name the token may subscribe. Nil: nobody may.
    public let token: Digest?
    /// Whether subscribers learn when the user was last online.
    public let sharesLastSeen: Bool

    public init(token: Digest?, sharesLastSeen: Bool) { (self.token, self.sharesLastSeen) = (token, sharesLastSeen) }
}

/// Whose presence somebody wants, and the token that the user handed over inside a conversation.
public struct PresenceWish: Hashable, Sendable {
    public let user: UserID
    public let token: Bytes32

    public init(user: UserID, token: Bytes32) { (self.user, self.token) = (user, token) }
}

public enum Presence: Hashable, Sendable {
    case online
    /// The minute (seconds since 1970, a multiple of 60); nil where the user does not share it, and for a token that is not right any more and
    /// a blocked asker alike.
    case offline(lastSeen: UInt64?)
    /// The user's home has not heard of the user since it started, or was never told this token since: which of them, it does not say.
    case unheard
    /// The user's home cannot be asked, and has told no minute. Only towards clients.
    case unreachable
}

public struct PresenceNews: Hashable, Sendable {
    public let user: UserID
    public let presence: Presence
    /// Between nodes: the token of the wish that this answers, since two users of one node may hold different ones, one of them rotated away.
    /// Nil towards clients.
    public let token: Bytes32?

    public init(user: UserID, presence: Presence, token: Bytes32? = nil) {
        (self.user, self.presence, self.token) = (user, presence, token)
    }
}
