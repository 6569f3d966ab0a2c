public import Groups
public import Vocabulary

/// How far a message of ours has come. Each is tied to one durable act (DESIGN §1).
public enum MessageState: UInt8, Hashable, Comparable, Sendable, CaseIterable {
    case queued = 1
    case sent, accepted, delivered, read
    case failed = 16

    public var name: String { "\(self)" }
    public static func < (x: MessageState, y: MessageState) -> Bool { x.rawValue < y.rawValue }
}

/// What changes about a stored message of ours; told to whoever waits for it once it is on disk.
public struct MessageStatus: Hashable, Sendable {
    public let state: MessageState
    public let number: SequenceNumber?
    /// Why it failed, or why it still waits.
    public let refusal: Refusal?

    public init(_ state: MessageState, number: SequenceNumber? = nil, refusal: Refusal? = nil) {
        (self.state, self.number, self.refusal) = (state, number, refusal)
    }
}

/// Which thread a message belongs to: everything with one user, or a group. An address alone until the directory has told whose it is.
public enum Peer: Hashable, Sendable {
    case user(UserID)
    case address(Address)
    case group(ConversationID)
}

/// A change of who is in a conversation, or of what it is called.
public enum MembershipChange: Hashable, Sendable {
    case added([UserID])
    case removed([UserID])
    case left([UserID])
    /// A device of a member came back in.
    case rejoined([UserID])
    /// Who was in when this device came back, and was not when it was there last: by the word of the author, who knows the group.
    case present([UserID])
    case renamed(String)
    case roles([UserID: Role])
    /// This device came in.
    case joined
    /// The author founded the group in the place of another, which its thread goes on from; who was in that and is not in this one, as far as this
    /// device saw when it took the place.
    case reset(without: [UserID])
    /// The hub was restored from a backup; so many events from before, that others had, this device has not seen.
    case restored(missing: UInt64)
}

/// One message of the history.
public struct MessageRecord: Hashable, Sendable {
    public enum Body: Hashable, Sendable {
        case outgoing(String)
        case incoming(String)
        /// It came in its place and could not be opened; the reason, for people.
        case undecryptable(String)
        case membership(MembershipChange)
    }

    public let message: MessageID
    public let peer: Peer
    /// Who wrote it, or made the change; nil for what we wrote before there was a conversation, and
    /// for what the hub says.
    public let author: UserID?
    /// Of a stranger whom the user had not accepted when it came.
    public let isRequest: Bool
    public let conversation: ConversationKey?
    public let body: Body
    /// The sender's clock; for what could not be opened, ours.
    public let sent: Timestamp
    public let status: MessageStatus

    public init(
        message: MessageID, peer: Peer, author: UserID?, isRequest: Bool = false, conversation: ConversationKey?, body: Body,
        sent: Timestamp,
        status: MessageStatus
    ) {
        self.author = author
        self.isRequest = isRequest
        self.message = message
        self.peer = peer
        self.conversation = conversation
        self.body = body
        self.sent = sent
        self.status = status
    }

    public var isOutgoing: Bool {
        if case .outgoing = body { true } else { false }
    }

    /// A change of who takes part, and not what somebody wrote.
    public var isMembership: Bool {
        if case .membership = body { true } else { false }
    }

    /// Names the row. A message id is unique among those of its author: of others who take the same, each is shown. A message that comes a
    /// second time, under whatever number, meets the row of the first: it is shown once. So it does in another conversation, as from a sender
    /// who has gone back to an old copy of himself that did not know the first one. A change of a group is another one under each number: who
    /// makes it chooses its id, and could hide it behind an earlier one.
    public var rowKey: [UInt8] {
        var writer = ByteWriter()
        if isOutgoing || conversation == nil {
            writer.write(UInt8(0))
        } else if let author, !isMembership {
            writer.write(UInt8(2))
            writer.write(author)
        } else if let conversation {
            writer.write(UInt8(3))
            writer.write(conversation)
            writer.write(status.number ?? .zero)
        }
        writer.write(message)
        return writer.bytes
    }

    /// Whether this, which came later under the same id, is what could not be read in its first place: its sender's hub was restored, and
    /// it was sealed anew.
    public func reveals(_ first: MessageRecord) -> Bool {
        if case (.undecryptable, .incoming) = (first.body, body) { first.author == author } else { false }
    }

    public static func outgoingRowKey(_ message: MessageID) -> [UInt8] { [0] + message.bytes }
}
