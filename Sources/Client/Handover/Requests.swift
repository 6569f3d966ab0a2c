/// What a command asks of the profile's owner, be that this process or another one.
public enum Request: Codable, Sendable, Equatable {
    case join(link: String, handle: String)
    case whoami
    /// The id is chosen by whoever asks: asked again, after an owner that went away, it is still one message.
    case send(message: String, address: String, text: String)
    case receive(follow: Bool)
    case history(address: String)
    case outbox
    case contacts
    case contact(address: String, ContactAction)
}

public enum ContactAction: Codable, Sendable, Equatable {
    case show
    case verify(code: String?)
    case trust
    case block(Bool)
}

/// What the requesting side says while its request runs.
enum Said: Codable, Sendable, Equatable {
    case request(Request)
    /// Written and flushed to where the user reads.
    case shown([Int64])
}

/// What the owner answers, in order; `done` or `refused` is the last.
public enum Reply: Codable, Sendable, Equatable {
    case joined(Me)
    case me(Me)
    case state(StateLine)
    case message(MessageLine)
    /// The messages before this came together: time to flush and to say that they were shown.
    case page
    case waiting(OutboxLine)
    case contact(ContactLine)
    /// Everything that was waiting has been handed over.
    case settled
    /// There is a session.
    case up
    /// There is no session, and why.
    case down(ClientError)
    /// For people, on standard error.
    case warning(String)
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

public struct StateLine: Codable, Sendable, Equatable {
    public let id: String
    public let state: String
    public let number: UInt64?
    /// The refusal's code by name, and its sentence.
    public let code, reason: String?
    /// The exit code that goes with a failure.
    public let failure: ClientError?
    /// Microseconds since the message was handed to the connection for the first time, where that was in this session.
    public let elapsed: UInt64?

    /// A message that has come no further than the outbox.
    public static func queued(_ id: String, reason: String?) -> StateLine {
        StateLine(id: id, state: "queued", number: nil, code: nil, reason: reason, failure: nil, elapsed: nil)
    }
}

public struct MessageLine: Codable, Sendable, Equatable {
    public let sequence: Int64
    public let id: String
    public let conversation: String?
    public let isOutgoing: Bool
    /// The other side's address, or what stands for it while there is none.
    public let peer: String
    public let number: UInt64?
    /// Milliseconds since 1970.
    public let sent: Int64
    /// nil: it could not be opened.
    public let text: String?
    public let problem: String?
    public let state: String?
    public let reason: String?
    public let isVerified: Bool
}

public struct OutboxLine: Codable, Sendable, Equatable {
    public let id, address, state: String
    public let reason: String?
}

public struct ContactLine: Codable, Sendable, Equatable {
    public let address: String
    public let user: String
    /// pinned, claiming or former.
    public let standing: String
    public let isVerified, isBlocked: Bool
    public let devices: Int
    public let version: UInt64?
    public let home: String?
    public let safetyNumber: String
}
