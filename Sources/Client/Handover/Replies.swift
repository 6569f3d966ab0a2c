/// What the owner answers, in order; `done` or `refused` is the last.
public enum Reply: Codable, Sendable, Equatable {
    /// The request is being dealt with. Said at once, and again as long as it is: silence is a process that is stopped or stuck.
    case working
    case joined(Me)
    case me(Me)
    case state(StateLine)
    case message(MessageLine)
    /// The messages before this came together: time to flush and to say that they were shown.
    case page
    case waiting(OutboxLine)
    case contact(ContactLine)
    case group(GroupLine)
    /// The change of a group is in its list: it goes on whether somebody waits or not.
    case begun(group: String)
    /// What came of a change of a group.
    case changed(GroupResult)
    case receipts(ReceiptsLine)
    case request(RequestLine)
    case settings(SettingsLine)
    case alarm(AlarmLine)
    case receipt(ReceiptEvent)
    case presence(PresenceEvent)
    case typing(TypingEvent)
    case hole(HoleEvent)
    case chat(ChatReply)
    /// Everything that was waiting has been handed over.
    case settled
    /// There is a session.
    case up
    /// There is no session, and why.
    case down(ClientError)
    /// For people, on standard error.
    case warning(String)
    /// What was kept, and whose command has long ended, is refused: for people, on standard error.
    case late(ClientError)
    case refused(ClientError)
    case done
}

public struct Me: Codable, Sendable, Equatable {
    public let address: String?
    public let handle: String
    public let user, device, node, endpoint: String
    public let federation: String?
    public let isMember: Bool
}

/// Where something happened. All names in replies are as others wrote them.
public struct Place: Codable, Sendable, Equatable {
    public let conversation: String
    /// nil for what is between two users.
    public let groupName: String?
    /// The other one's address, where it is between two.
    public let peer: String?

    public var title: String { groupName ?? peer ?? "?" }
}

public struct StateLine: Codable, Sendable, Equatable {
    public let id: String
    public let state: String
    public let number: UInt64?
    /// The refusal's code by name, and its sentence.
    public let code, reason: String?
    /// The exit code that goes with a failure, or with a message that will come no further.
    public let failure: ClientError?
    /// Microseconds since the message was handed to the connection for the first time, where that was in this session.
    public let elapsed: UInt64?

    /// A message that has come no further than the outbox.
    public static func queued(_ id: String, reason: String?) -> StateLine {
        StateLine(id: id, state: "queued", number: nil, code: nil, reason: reason, failure: nil, elapsed: nil)
    }
}

public struct MessageLine: Codable, Sendable, Equatable {
    public enum Kind: Codable, Sendable, Equatable {
        case text(String)
        /// It could not be opened.
        case undecryptable(String)
        case membership(MembershipLine)
    }

    public let sequence: Int64
    public let id: String
    public let conversation: String?
    /// Set in groups, and only there.
    public let group, groupName: String?
    public let isOutgoing: Bool
    /// Of a stranger whom the user has not accepted.
    public let isRequest: Bool
    /// Whose it is: the other side's address, in a group the author's; what stands for it while there is none.
    public let peer: String
    public let number: UInt64?
    /// Milliseconds since 1970.
    public let sent: Int64
    public let kind: Kind
    public let state: String?
    public let reason: String?
    public let isVerified: Bool
}

public struct MembershipLine: Codable, Sendable, Equatable {
    /// added, removed, left, rejoined, present, renamed, roles, joined or restored.
    public let change: String
    public let who: [String]
    /// With `roles`: what each of `who` is now.
    public let roles: [String]
    /// With `renamed`.
    public let name: String?
    /// With `restored`: events from before the hub's restoration that others had and this device has not seen.
    public let missing: UInt64?
}

public struct OutboxLine: Codable, Sendable, Equatable {
    public let id: String
    /// An address, or a group's name.
    public let to: String
    public let group: String?
    public let state: String
    public let reason: String?
}

public struct ContactLine: Codable, Sendable, Equatable {
    public let address: String
    public let user: String
    /// pinned, claiming or former.
    public let standing: String
    public let isVerified, isBlocked, isAccepted: Bool
    public let devices: Int
    public let version: UInt64?
    public let home: String?
    public let safetyNumber: String
    /// What was decided, accepted or declined, and whether it was so before.
    public let decision: String?
    public let already: Bool?
}

public struct GroupLine: Codable, Sendable, Equatable {
    public struct Member: Codable, Sendable, Equatable {
        public let address, user, role: String
        public let devices: Int
    }

    public let id, name: String
    /// member, leaving, removed or broken.
    public let standing: String
    public let role: String
    public let hub: String
    public let members: [Member]
    public let unread: Int
    /// What is wanted and not yet so, for people.
    public let pending: [String]
    /// The conversation behind the id, where it is another one by now; and the one before it.
    public let conversation: String?
    public let goesOnFrom: String?
    /// It goes on only in a new one.
    public let needsReset: Bool?
}

public struct GroupResult: Codable, Sendable, Equatable {
    public struct Waiting: Codable, Sendable, Equatable {
        public let address, reason: String
        /// It is tried again until it works.
        public let isTriedAgain: Bool
    }

    public let id, name: String
    public let waiting: [Waiting]
    /// Addresses of those who were to be added and were in it.
    public let already: [String]?
}

public struct ReceiptsLine: Codable, Sendable, Equatable {
    public let message, conversation: String
    public let by, user, device: String
    /// Milliseconds since 1970; when we learned of it.
    public let delivered, read: Int64?
    /// The device came back into the conversation behind it, and never had it.
    public let lost: Bool?
}

public struct RequestLine: Codable, Sendable, Equatable {
    public let from: String
    public let user: String
    public let messages, unread: Int
    /// Of the first message.
    public let sent: Int64?
}

public struct SettingsLine: Codable, Sendable, Equatable {
    public let readReceipts, lastSeen: Bool
}

public struct AlarmLine: Codable, Sendable, Equatable {
    public let name, detail: String
    public let place: Place
    public let number: UInt64?
    public let time: Int64
}

public struct ReceiptEvent: Codable, Sendable, Equatable {
    public let messages: [String]
    public let by, device, state: String
    public let place: Place
}

public struct PresenceEvent: Codable, Sendable, Equatable {
    public enum State: Codable, Sendable, Equatable {
        case online
        /// Milliseconds since 1970, a whole minute.
        case lastSeen(Int64)
        case notShared
        /// A clause that says why.
        case unknown(reason: String)
    }

    public let address: String
    public let state: State
}

public struct TypingEvent: Codable, Sendable, Equatable {
    public let from: String
    public let isTyping: Bool
    public let place: Place
}

public struct HoleEvent: Codable, Sendable, Equatable {
    public let count: Int
    public let place: Place
}
