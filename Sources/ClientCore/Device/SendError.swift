public import Vocabulary

/// Why a text is not taken into the outbox.
public enum SendError: Explained, Equatable {
    case notJoined
    case empty
    case tooLong(bytes: Int)
    case outboxFull
    case toOneself
    case keyChanged(Address)
    case blocked(Address)
    case unknownGroup
    case notInGroup
    /// The group goes on only in a new one; its name for a command.
    case groupEnded(String)

    public var explanation: Explanation {
        switch self {
        case .notJoined:
            Explanation(
                what: "Nothing can be sent yet.", why: "This profile has not joined a node.",
                remedy: "Run: courier join LINK --handle NAME")
        case .empty:
            Explanation(
                what: "There is nothing to send.", why: "The text is empty.", remedy: "Give a text, or - and text on standard input.")
        case .tooLong(let bytes):
            Explanation(
                what: "The message is too long.", why: "It has \(bytes) bytes; a text has at most \(Limits.textBytesMax).",
                remedy: "Send it in parts.")
        case .outboxFull:
            Explanation(
                what: "The message was not taken.", why: "\(ClientLimits.outboxItemsMax) messages wait in the outbox already.",
                remedy: "Wait until some of them are delivered: courier outbox")
        case .toOneself:
            Explanation(what: "The message was not taken.", why: "The address is your own.", remedy: "Give somebody else's address.")
        case .keyChanged(let address):
            Explanation(
                what: "The identity key of \(address) has changed; nothing was sent.",
                why: "Either the contact began anew, or somebody poses as the contact.",
                remedy: "Compare safety numbers (courier contact show \(address)); then: courier contact trust \(address)")
        case .blocked(let address):
            Explanation(
                what: "Nothing was sent.", why: "You have blocked \(address).",
                remedy: "Run: courier contact unblock \(address)")
        case .unknownGroup:
            Explanation(
                what: "There is no such group.", why: "This profile is in no group of that name or id.", remedy: "See: courier group list")
        case .notInGroup:
            Explanation(what: "Nothing was sent.", why: "You are not in this group any more.", remedy: "Ask a member to add you again.")
        case .groupEnded(let group):
            Explanation(
                what: "Nothing was sent.", why: "The group cannot be entered any more: its node is gone, or has contradicted itself.",
                remedy: "An owner or admin can go on with it in a new one: courier group reset \(group)")
        }
    }
}
