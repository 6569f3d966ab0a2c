/// How far a message of ours has come; in a group, with all members.
public enum SendState: Hashable, Sendable {
    case queued, sent, accepted, delivered, read
    case failed(String)
}

/// One entry of a thread. All texts are as others wrote them; the screen escapes them.
public struct ThreadLine: Hashable, Sendable, Identifiable {
    public enum Kind: Hashable, Sendable {
        case received(from: String, String)
        case sent(String, SendState)
        /// It came in its place and could not be opened.
        case unreadable(from: String, reason: String)
        /// `anna@harbor added bob@tower`.
        case membership(String)
        /// Numbers that have not come yet.
        case hole(Int)
        /// A named alarm with its detail.
        case alarm(String)
    }

    /// Unique in the thread; a line with an id that is there already replaces that one.
    public var id: String
    /// Its place. Nil: at the end, until it has one (what is queued). Lines of one number keep the order in which they came.
    public var number: UInt64?
    /// Local day and time for people: `2026-11-24` and `09:41`.
    public var day, time: String
    public var kind: Kind

    public init(id: String, number: UInt64?, day: String, time: String, kind: Kind) {
        (self.id, self.number, self.day, self.time, self.kind) = (id, number, day, time, kind)
    }

    var isOwn: Bool {
        if case .sent = kind { true } else { false }
    }

    /// A message of ours without a number yet.
    var isOnItsWay: Bool {
        switch kind {
        case .sent(_, .queued), .sent(_, .sent): number == nil
        case .sent, .received, .unreadable, .membership, .hole, .alarm: false
        }
    }

    /// What it costs to keep.
    var bytes: Int {
        switch kind {
        case .received(let from, let text), .unreadable(let from, let text): from.utf8.count + text.utf8.count
        case .sent(let text, _), .membership(let text), .alarm(let text): text.utf8.count
        case .hole: 0
        }
    }
}
