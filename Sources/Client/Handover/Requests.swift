/// What a command asks of the profile's owner, be that this process or another one.
public enum Request: Codable, Sendable, Equatable {
    case join(link: String, handle: String)
    case whoami
    /// The id is chosen by whoever asks: asked again, after an owner that went away, it is still one message. `target`: an address, or a group
    /// by id, the beginning of its id, or name.
    case send(message: String, target: String, text: String)
    /// `events`: also what is not a message: receipts, presence, typing.
    case receive(follow: Bool, events: Bool)
    case history(target: String)
    case outbox
    case contacts
    case contact(address: String, ContactAction)
    case groups
    case group(GroupAction)
    case receipts(message: String)
    case presence(address: String, follow: Bool)
    case requests
    case settings(SettingsChange?)
    case alarms
    /// Everything, as it happens, for a full-screen client; what that wants it says by `ChatWord`s.
    case chat
}

public enum ContactAction: Codable, Sendable, Equatable {
    case show
    case verify(code: String?)
    case trust
    case block(Bool)
    case accept
    case decline
}

/// Groups are named by id, by the beginning of the id, or by name.
public enum GroupAction: Codable, Sendable, Equatable {
    case create(name: String, members: [String])
    case info(String)
    case add(String, [String])
    case remove(String, [String])
    case leave(String)
    case rename(String, String)
    case role(String, address: String, role: String)
    /// To go on in a new group, whose hub is one's own home.
    case reset(String)

    /// What the group is called by; nil of one that is to be created.
    var group: String? {
        switch self {
        case .create: nil
        case .info(let group), .add(let group, _), .remove(let group, _), .leave(let group), .rename(let group, _), .role(let group, _, _),
            .reset(let group):
            group
        }
    }

    /// It is about users who are to be in the group already.
    var namesMembers: Bool {
        switch self {
        case .remove, .role: true
        case .create, .info, .add, .leave, .rename, .reset: false
        }
    }

    /// Who is in the group decides whether it can be done: best known when it is decided.
    var concernsMembers: Bool {
        switch self {
        case .remove, .role, .reset: true
        case .create, .info, .add, .leave, .rename: false
        }
    }
}

extension Request {
    /// What then goes wrong says so itself.
    var changesGroup: Bool {
        switch self {
        case .group(.info): false
        case .group: true
        default: false
        }
    }

    /// Holds at once on this device, and is of use once the node has it too.
    var decides: Bool {
        switch self {
        case .contact, .settings: true
        default: false
        }
    }
}

public struct SettingsChange: Codable, Sendable, Equatable {
    public var readReceipts: Bool?
    public var lastSeen: Bool?

    public init(readReceipts: Bool? = nil, lastSeen: Bool? = nil) { (self.readReceipts, self.lastSeen) = (readReceipts, lastSeen) }
}

/// What the requesting side says while its request runs.
package enum Said: Codable, Sendable, Equatable {
    case request(Request)
    /// Written and flushed to where the user reads.
    case shown([Int64])
    case chat(ChatWord)
}
