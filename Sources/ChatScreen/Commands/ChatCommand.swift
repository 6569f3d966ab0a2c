public import Vocabulary

/// What a user asks for with a line that begins with `/`, checked as far as it can be without the client.
public enum ChatCommand: Hashable, Sendable {
    public enum Role: String, Hashable, Sendable, CaseIterable { case owner, admin, member }

    case createGroup(name: String, members: [Address])
    case open(Address)
    // In a group:
    case add([Address])
    case remove([Address])
    case leave
    case reset
    case rename(String)
    case setRole(Address, Role)
    // In either; an address that is nil is the contact of the conversation.
    case info
    /// `code`: the safety number that the contact told, to be compared.
    case verify(Address?, code: String?)
    case trust(Address?)
    case block(Address?)
    case unblock(Address?)
    /// Who has a message of ours: its line's id.
    case receipts(line: String)
    case alarms
    // A request:
    case accept
    case decline
}

/// Why a line is no command: for people.
struct CommandError: Error, Hashable {
    let text: String
    init(_ text: String) { self.text = text }
}

/// The commands as people write them; help and completion read the same table.
enum CommandName: String, CaseIterable {
    case open, group, add, remove, leave, reset, rename, role, info
    case verify, trust, receipts, accept, decline, block, unblock, alarms, help, quit

    var usage: String {
        switch self {
        case .open: "/open ADDRESS"
        case .group: "/group NAME MEMBER..."
        case .add: "/add ADDRESS..."
        case .remove: "/remove ADDRESS..."
        case .leave, .reset, .info, .accept, .decline, .alarms, .help, .quit: "/\(rawValue)"
        case .rename: "/rename NAME"
        case .role: "/role ADDRESS owner|admin|member"
        case .verify: "/verify [ADDRESS] [SAFETY NUMBER]"
        case .trust: "/trust [ADDRESS]"
        case .receipts: "/receipts [N]"
        case .block: "/block [ADDRESS]"
        case .unblock: "/unblock [ADDRESS]"
        }
    }

    var meaning: String {
        switch self {
        case .open: "shows or begins a conversation"
        case .group: "creates a group; quote a longer name"
        case .add: "adds members to this group"
        case .remove: "removes members from this group"
        case .leave: "leaves this group"
        case .reset: "goes on in a new group, where the hub is lost"
        case .rename: "gives this group another name"
        case .role: "says what a member of this group may do"
        case .info: "who is here, and how it is secured"
        case .verify: "shows or compares the safety number"
        case .trust: "takes a contact's changed key as the contact's"
        case .receipts: "who has, who read your last (Nth) message"
        case .accept: "takes a stranger's request"
        case .decline: "removes a stranger's request"
        case .block: "nothing comes from the contact any more"
        case .unblock: "lifts that again"
        case .alarms: "what hubs did that they must not"
        case .help: "shows this"
        case .quit: "ends; so does Control-C"
        }
    }

    var takesAddresses: Bool {
        switch self {
        case .open, .group, .add, .remove, .role, .verify, .trust, .block, .unblock: true
        case .leave, .reset, .rename, .info, .receipts, .accept, .decline, .alarms, .help, .quit: false
        }
    }

    var needsGroup: Bool {
        switch self {
        case .add, .remove, .leave, .reset, .rename, .role: true
        case .open, .group, .info, .verify, .trust, .receipts, .accept, .decline, .block, .unblock, .alarms, .help, .quit: false
        }
    }

    var needsConversation: Bool {
        switch self {
        case .add, .remove, .leave, .reset, .rename, .role, .info, .receipts, .accept, .decline: true
        case .open, .group, .verify, .trust, .block, .unblock, .alarms, .help, .quit: false
        }
    }
}
