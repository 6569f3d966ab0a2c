public import Groups
public import MLS
public import Vocabulary

/// Names a question of the shell's, so that it finds who waits for the answer; never stored, never sent.
public struct Ticket: Hashable, Sendable {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }
}

/// Where a text goes.
public enum Target: Hashable, Sendable {
    case address(Address)
    /// A group, by its conversation id.
    case group(ConversationID)
}

/// A text that the user wants sent. The id is chosen by whoever asks, so that asking twice sends once.
public struct OutgoingText: Hashable, Sendable {
    public let message: MessageID
    public let target: Target
    public let text: String
    public let sent: Timestamp

    public init(message: MessageID, target: Target, text: String, sent: Timestamp) {
        (self.message, self.target, self.text, self.sent) = (message, target, text, sent)
    }

    public init(message: MessageID, address: Address, text: String, sent: Timestamp) {
        self.init(message: message, target: .address(address), text: text, sent: sent)
    }
}

/// What the user decides about a contact.
public enum ContactDecision: Hashable, Sendable {
    case verify
    case trust
    case block(Bool)
    /// Of somebody unknown who wrote: taken for a contact, or never shown again.
    case accept
    case decline
}

/// What the user wants of a group.
public enum GroupWish: Hashable, Sendable {
    case create(name: String, members: [Address])
    case add(ConversationID, [Address])
    case remove(ConversationID, [Address])
    case leave(ConversationID)
    case rename(ConversationID, String)
    case role(ConversationID, Address, Role)
    /// To go on in a new group, with one's own home as its hub.
    case reset(ConversationID)
}

/// What came of it. `waiting`: whom we could not add yet, and why; it is tried again until it works or its time is over. `already`: who was to
/// be added and was in it.
public struct GroupOutcome: Hashable, Sendable {
    public let conversation: ConversationID
    public let waiting: [UserID: Refusal]
    public let already: Set<UserID>

    public init(conversation: ConversationID, waiting: [UserID: Refusal] = [:], already: Set<UserID> = []) {
        (self.conversation, self.waiting, self.already) = (conversation, waiting, already)
    }
}

public struct Settings: Hashable, Sendable {
    public var sendsReadReceipts: Bool
    public var sharesLastSeen: Bool
    /// Whoever holds it may see when we are online; made anew when somebody is blocked.
    public internal(set) var presenceToken: Bytes32
    /// Somebody was blocked or declined once: the home is told the list, however short, at the start of each session.
    public internal(set) var hasBlocked = false
    /// The last restoration of our home from a backup that we have heard of; 0: none.
    public internal(set) var homeRestoration: UInt64 = 0

    public init(sendsReadReceipts: Bool = true, sharesLastSeen: Bool = true, presenceToken: Bytes32) {
        (self.sendsReadReceipts, self.sharesLastSeen, self.presenceToken) = (sendsReadReceipts, sharesLastSeen, presenceToken)
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(1))
        writer.write(UInt8(sendsReadReceipts ? 1 : 0))
        writer.write(UInt8(sharesLastSeen ? 1 : 0))
        writer.write(fixed: presenceToken.bytes)
        writer.write(UInt8(hasBlocked ? 1 : 0))
        writer.write(homeRestoration)
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of settings") }
        (sendsReadReceipts, sharesLastSeen) = (try reader.integer(UInt8.self) == 1, try reader.integer(UInt8.self) == 1)
        presenceToken = try reader.bytes32()
        hasBlocked = try reader.integer(UInt8.self) == 1
        if !reader.isEmpty { homeRestoration = try reader.integer() }
        try reader.finish()
    }
}

extension Device {
    public enum Input: Sendable {
        /// The wall clock, once at the start of each batch of inputs.
        case wallClockRead(Timestamp)
        /// Somebody wants a session; it is kept up from now on.
        case sessionWanted
        /// TLS and WebSocket stand; the hash is SHA-256 over the DER form of the certificate that the node showed.
        case connected(certificateHash: Bytes32)
        case connectionLost(String)
        /// So was it because of what the node sent: the sentence says what was against the protocol.
        case protocolViolated(String)
        case received(NodeFrame)
        /// The last input of a batch: what is owed for the batch as a whole leaves now.
        case batchEnded
        case sendRequested(OutgoingText)
        case contactRequested(Ticket, Address)
        case contactDecided(Address, ContactDecision)
        case groupRequested(Ticket, GroupWish)
        /// The user has seen everything of this conversation through a number.
        case shown(ConversationID, through: SequenceNumber)
        case settingsChanged(sendsReadReceipts: Bool?, sharesLastSeen: Bool?)
        /// Whose presence is wanted from now on, in this process; the whole list.
        case presenceWanted([Address])
        case typing(ConversationID, Bool)
        /// The user wants to see who is in a large group (`ClientLimits.namesAskedMax`).
        case namesWanted(ConversationID)
        case deadlineReached
        /// The session is about to be closed by us: what is held back is said now.
        case ending
    }

    public enum Effect: Sendable {
        /// Joins the one transaction of the batch.
        case write(ClientWrite)
        /// Released once the batch's transaction is on disk, as is everything below.
        case connect(Endpoint)
        case disconnect
        case send(ClientFrame)
        case stateChanged(MessageID, MessageStatus)
        case sendRefused(MessageID, SendError)
        /// There is more to show than before.
        case messagesArrived
        case contactFound(Ticket, Contact)
        case contactRefused(Ticket, Refusal)
        /// It is in the group's list of changes, and goes on whether somebody waits or not.
        case groupBegun(Ticket, ConversationID)
        case groupDone(Ticket, GroupOutcome)
        case groupRefused(Ticket, Refusal)
        /// Somebody has, or has read, messages of ours.
        case receipt(ReceiptNews)
        case presence(UserID, Presence)
        case typing(ConversationID, UserID, Bool)
        /// Numbers that are missing and were asked for.
        case hole(ConversationID, count: Int)
        case sessionChanged(SessionChange)
        /// For logs and people; decides nothing.
        case note(DeviceNote)
    }
}

/// What is to be stored. Each replaces what was stored under its key.
public enum ClientWrite: Sendable {
    case account(Account)
    case settings(Settings)
    case contact(Contact)
    case conversation(Conversation)
    case conversationRemoved(ConversationID)
    case message(MessageRecord)
    case status(MessageID, MessageStatus)
    case outbox(OutboxItem)
    case outboxRemoved(MessageID)
    case alarm(AlarmRecord)
    /// Records of an MLS group: to be applied to those stored (`StateDelta`: nil values and `replacesAll` delete).
    case group(ConversationID, StateDelta)
    /// A commit of ours under way, private to this device; nil: over.
    case pending(ConversationID, [UInt8]?)
    /// Private halves of a KeyPackage, under its reference; nil: used up.
    case keyPackage(reference: [UInt8], [UInt8]?)
    /// nil: the device is out of the conversation.
    case receipts(ConversationID, DeviceID, ReceiptLine?)
    case order(SubmissionOrder)
    /// What came of a Welcome so far; nil: it is whole, or of no use any more.
    case welcome(ConversationKey, UnfinishedWelcome?)
}

public enum SessionChange: Equatable, Sendable {
    /// The node has admitted the user: joining is complete.
    case joined(Address)
    /// Joining was refused, for good or for now.
    case joinRefused(Refusal)
    case up(waiting: UInt64)
    case caughtUp
    case down(SessionFailure)
}

/// Why there is no session.
public enum SessionFailure: Explained, Equatable {
    case unreachable(Endpoint, String)
    case misbehaved(Endpoint, String)
    /// It took the session, and then neither handed over what waits nor said that nothing does (`ClientLimits.stalledAfter`).
    case stalled(Endpoint)
    case wrongNode(expected: NodeID)
    case refused(Refusal)

    public var explanation: Explanation {
        switch self {
        case .unreachable(let endpoint, let reason):
            Explanation(
                what: "The node at \(endpoint) cannot be reached.", why: Printable.line(reason),
                remedy: "Check the network and that the node runs; courier tries again by itself while it runs.")
        case .misbehaved(let endpoint, let what):
            Explanation(
                what: "The node at \(endpoint) does not keep to the protocol.", why: Printable.line(what),
                remedy: "Tell its operator: node and courier should be of one version. courier tries again by itself while it runs.")
        case .stalled(let endpoint):
            Explanation(
                what: "The node at \(endpoint) does not hand over what waits there.",
                why: "It took the session, and nothing has come for \(ClientLimits.stalledAfter).",
                remedy: "Try again in a while; if it lasts, tell its operator. courier tries again by itself while it runs.")
        case .wrongNode(let expected):
            Explanation(
                what: "What answers is not the node of the invitation.", why: "It could not prove to hold the node key \(expected.short).",
                remedy: "Somebody may be intercepting the connection: ask the node's operator before you go on.")
        case .refused(let refusal): refusal.explanation
        }
    }
}

public enum DeviceNote: Equatable, Sendable {
    case alarm(Alarm)
    case undecryptable(String)
    case badRecord
    case recordRolledBack
    case recordEquivocated
    case unexpectedFrame
    case keyChanged(Address)
    /// A Welcome or a KeyPackage that does not hold.
    case badHandshake(String)
    /// This profile is an old copy of itself: it rejoins its conversations before it sends.
    case restored
    /// Our home was restored from a backup.
    case homeRestored
    /// A change of a group that was kept, and that nobody waits for any more, was refused or has become impossible.
    case changeDropped(ConversationID, Intent.Change, Refusal)
}
