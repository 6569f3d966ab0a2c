public import Vocabulary

/// Names a question of the shell's, so that it finds who waits for the answer; never stored, never sent.
public struct Ticket: Hashable, Sendable {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }
}

/// A text that the user wants sent. The id is chosen by whoever asks, so that asking twice sends once.
public struct OutgoingText: Hashable, Sendable {
    public let message: MessageID
    public let address: Address
    public let text: String
    public let sent: Timestamp

    public init(message: MessageID, address: Address, text: String, sent: Timestamp) {
        (self.message, self.address, self.text, self.sent) = (message, address, text, sent)
    }
}

/// What the user decides about a contact.
public enum ContactDecision: Hashable, Sendable {
    case verify
    case trust
    case block(Bool)
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
        case received(NodeFrame)
        /// The last input of a batch: what is owed for the batch as a whole leaves now.
        case batchEnded
        case sendRequested(OutgoingText)
        case contactRequested(Ticket, Address)
        case contactDecided(Address, ContactDecision)
        case deadlineReached
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
        case sessionChanged(SessionChange)
        /// For logs and people; decides nothing.
        case note(DeviceNote)
    }
}

/// What is to be stored. Each replaces what was stored under its key.
public enum ClientWrite: Sendable {
    case account(Account)
    case contact(Contact)
    case conversation(Conversation)
    case message(MessageRecord)
    case status(MessageID, MessageStatus)
    case outbox(OutboxItem)
    case outboxRemoved(MessageID)
    case alarm(Alarm, ConversationKey, Timestamp)
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
    case wrongNode(expected: NodeID)
    case refused(Refusal)

    public var explanation: Explanation {
        switch self {
        case .unreachable(let endpoint, let reason):
            Explanation(
                what: "The node at \(endpoint) cannot be reached.", why: Printable.line(reason),
                remedy: "Check the network and that the node runs; courier tries again by itself while it runs.")
        case .wrongNode(let expected):
            Explanation(
                what: "What answers is not the node of the invitation.", why: "It could not prove to hold the node key \(expected.short).",
                remedy: "Somebody may be intercepting the connection: ask the node's operator before you go on.")
        case .refused(let refusal): refusal.explanation
        }
    }
}

/// What a hub did that it must not.
public enum Alarm: UInt8, Hashable, Sendable {
    case otherHub = 1
    case gap = 2
    case chainBroken = 3
    case forkedReceipt = 4
    case foreignSender = 5
    case tooManyConversations = 6
}

public enum DeviceNote: Equatable, Sendable {
    case alarm(Alarm)
    case undecryptable(CipherError)
    case badRecord
    case recordRolledBack
    case recordEquivocated
    case unsignedReceipt
    case unexpectedFrame
    case keyChanged(Address)
}

/// Why a text is not taken into the outbox.
public enum SendError: Explained, Equatable {
    case notJoined
    case empty
    case tooLong(bytes: Int)
    case outboxFull
    case toOneself
    case keyChanged(Address)
    case blocked(Address)

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
                remedy: "Run: courier contact block \(address) --undo")
        }
    }
}
