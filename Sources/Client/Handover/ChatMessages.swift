/// What a full-screen client says while its `chat` request runs. Threads are named by the ids that it was told.
public enum ChatWord: Codable, Sendable, Equatable {
    /// Nothing is known: answered with everything.
    case start
    /// Answered with the newest page; from then on its lines are told as they come.
    case open(String)
    /// What comes before a line, by its `ChatLine.id`.
    case older(String, before: String)
    /// Lists a thread with this address though nothing was written in it yet.
    case begin(String)
    /// The id is chosen by whoever says it: said again, after an owner that went away, it is still one message.
    case send(message: String, thread: String, text: String)
    case typing(String, Bool)
    /// Everything up to this sequence is shown.
    case read(String, through: Int64)
    /// Another request; its answers come back under the same number.
    indirect case ask(UInt64, Request)
}

/// What it is told.
public enum ChatReply: Codable, Sendable, Equatable {
    /// The first: somebody listens.
    case began
    case me(String)
    /// All threads follow, one `row` each, until `listed`.
    case listing
    case row(ChatRow)
    case listed
    case removed(String)
    /// `readThrough`: what others wrote after that sequence was not shown yet.
    case page(String, [ChatLine], hasOlder: Bool, readThrough: Int64)
    case older(String, [ChatLine], hasOlder: Bool)
    case line(String, ChatLine)
    case lineRemoved(String, line: String)
    case state(String, message: String, state: String, reason: String?)
    case typing(String, [String])
    case presence(String, PresenceEvent.State)
    /// Why there is no session; nil: there is one.
    case connection(String?)
    case problem(ClientError)
    case sendRefused(message: String, ClientError)
    indirect case answer(UInt64, Reply)
}

/// One thread in the list: everything with one user, or a group.
public struct ChatRow: Codable, Sendable, Equatable {
    public let thread: String
    /// An address, a group's name, or what stands for a user without an address.
    public let title: String
    /// nil for what is between two.
    public let group: String?
    /// Of a group, when they changed since the thread was last told.
    public var members: [String]?
    public let unread: Int
    /// A stranger's, on which the user has not decided.
    public let isRequest: Bool
    public let isVerified: Bool
    public let hasAlarm: Bool
}

public enum ChatLine: Codable, Sendable, Equatable {
    case message(MessageLine)
    /// Numbers that are missing.
    case hole(id: String, count: Int)
    /// `after`: the sequence of the message that it came after; nil: at the end.
    case alarm(id: String, text: String, time: Int64, after: Int64?)

    /// Ours by its message id, since it moves when it gets its number; those of others by their place.
    public var id: String {
        switch self {
        case .message(let line): line.isOutgoing ? line.id : "@\(line.sequence)"
        case .hole(let id, _), .alarm(let id, _, _, _): id
        }
    }
}
