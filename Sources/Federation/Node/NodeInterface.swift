public import Vocabulary

/// What the world tells a node.
public enum NodeInput: Sendable {
    /// The wall clock's reading: data only.
    case clockRead(Timestamp)

    case sessionOpened(SessionID)
    case sessionFrame(SessionID, ClientFrame)
    case sessionClosed(SessionID)

    case linkOpened(LinkID, peer: NodeID, dialled: Bool)
    case linkFrame(LinkID, LinkFrame)
    case linkClosed(LinkID)
    case dialFailed(NodeID)

    case paged(PageOrder, [StoredEntry])
    /// Rows that `rowsNeeded` or `load` asked for.
    indirect case loaded(LoadedRows)
    /// The disk is nearly full, or has room again.
    case spaceChanged(isLow: Bool)
    /// What the disk has for more, in bytes.
    case spaceRead(Int)

    case listening(clients: Endpoint, peers: Endpoint)
    case admin(RequestID, AdminRequest)
    /// The operator wants the node to stop: say goodbye to everybody.
    case stopping

    case deadlineReached
    /// The last input of a batch.
    case batchEnded
}

/// What a node orders. Everything but `write` is done after the batch's writes are on disk.
public enum NodeEffect: Sendable {
    case write(StoreWrite)
    case sendSession(SessionID, NodeFrame)
    case closeSession(SessionID, Refusal?)
    case sendLink(LinkID, LinkFrame)
    case closeLink(LinkID, Refusal?)
    case dial(NodeID, [Endpoint])
    case page(PageOrder)
    /// Answered by `loaded`, unless there are no rows.
    case load(RowsNeeded)
    indirect case answer(RequestID, Result<AdminAnswer, AdminError>)
    /// The keys that may not connect any more.
    case expelled([NodeID])
    case note(NodeNote)
}

/// To read entries of a queue back from disk.
public struct PageOrder: Hashable, Sendable {
    public let destination: Destination
    public let after: QueuePosition
    public let entriesMax: Int
    public let bytesMax: Int
    let attachment: UInt64

    init(_ page: Queues.Page) {
        (destination, after, attachment) = (page.destination, page.after, page.attachment)
        (entriesMax, bytesMax) = (page.entriesMax, page.bytesMax)
    }

    var page: Queues.Page {
        Queues.Page(destination: destination, after: after, attachment: attachment, entriesMax: entriesMax, bytesMax: bytesMax)
    }
}

/// For logs and metrics; decides nothing. Names no user, address or payload.
public enum NodeNote: Hashable, Sendable {
    case linkUp(NodeID)
    case linkDown(NodeID)
    case linkRefused(NodeID, Refusal)
    case memberStateChanged(NodeID, LivenessClaim.State)
    case membershipChanged
    case expelled(NodeID)
    case registered
    case sessionRefused(Refusal.Code)
    case messageRefused(Refusal.Code)
    case badRecords(count: Int, kind: String, from: NodeID?)
    case badStatements(count: Int, from: NodeID?)
    case corruptRow(StoreTable)
    case spaceLow(Bool)
}

/// What an operator asks of a running node.
public enum AdminRequest: Hashable, Sendable {
    case members
    case inviteNode(name: NodeName, expires: Timestamp, isAdmin: Bool)
    case expel(name: NodeName, reason: String)
    case createInvitation(uses: Int, expires: Timestamp)
    case users
    case user(Address)
    case status
    /// What fills the node: the largest so many.
    case queues(Int)
    /// For the shell, in its turn.
    case backup(BackupStep)
}

/// The store's file is to hold still from now on, or for longer, or may go on.
public enum BackupStep: Sendable { case begin, keep, end }

public enum AdminAnswer: Sendable {
    case members([MemberReport])
    case ticket(String)
    case done
    case invitation(String)
    case users([UserReport])
    case status(NodeStatus)
    case queues(QueuesReport)
    case backup(BackupStep)
}

public struct MemberReport: Hashable, Sendable {
    public let name: String
    public let id: NodeID
    public let role: String
    /// self, alive, suspect, dead, expelled, unknown or name-conflict.
    public let state: String
    public let seenSecondsAgo: Double?
    public let rttMilliseconds: Double?
    public let queued: Int
    public let software: String?
    public let peers: [Endpoint]
    /// Why it was expelled: another operator's text.
    public let reason: String?
    /// The node itself.
    public let isSelf: Bool
}

public struct UserReport: Hashable, Sendable {
    public let address: String
    public let user: UserID
    public let home: NodeID
    public let homeName: String
    public let devices: [DeviceID]
    public let version: UInt64
    /// One-time KeyPackages of all the devices that are left; nil for users of other nodes, and in a list.
    public var keyPackages: Int?
}

/// What fills a node, the largest first.
public struct QueuesReport: Hashable, Sendable {
    public struct Queue: Hashable, Sendable {
        /// Of the node, or the address of the device's user.
        public let name: String
        public let device: DeviceID?
        public let entries: Int
        public let bytes: Int
        public let oldestSeconds: Double?
    }

    /// What stands on whose account; what waited when the node started stands on nobody's.
    public struct Cause: Hashable, Sendable {
        /// A user's address, or the name of a node: of all that comes from there.
        public let name: String
        public let isNode: Bool
        public let queueBytes: Int
        public let logBytes: Int
    }

    public let queues: [Queue]
    public let causes: [Cause]
}

public struct NodeStatus: Hashable, Sendable {
    public var name: String
    public var id: NodeID
    public var federation: FederationID
    public var federationName: String
    public var role: String
    public var usersHere: Int
    public var usersKnown: Int
    public var sessions: Int
    public var queuedMessages: Int
    public var queuedBytes: Int
    /// Devices that were away and have a conversation of this node to read in its log; once for each of these.
    public var logReaders: Int
    public var peersUp: Int
    public var members: Int
    public var upTimeSeconds: UInt64
    public var refusingForSpace: Bool
    /// Conversations whose members a restored hub is asking where they stand, and whether there are more to come.
    public var recovering: Int
    public var isTakingUp: Bool
    /// The last restoration from a backup, in milliseconds since 1970; 0: none.
    public var restored: UInt64
    public var clients: Endpoint?
    public var peersAddress: Endpoint?
    /// Of the entry that has waited longest in any queue.
    public var oldestSeconds: Double?
    public var counters: [String: Int]
}

public enum AdminError: Explained, Equatable {
    /// The node has no right to it, rather than that it cannot be done.
    public var isForbidden: Bool { self == .membership(.notAdmin) || self == .membership(.cannotExpelSelf) }

    case membership(MembershipError)
    case unknownNode(String)
    case expelledAlready(String)
    case unknownUser(String)
    case noAddress
    case tooMany(String)

    public var explanation: Explanation {
        switch self {
        case .unknownNode(let name):
            Explanation(
                what: "No member is named \(name).", why: "The federation's statements name no such node.",
                remedy: "See `posthouse federation members`.")
        case .expelledAlready(let name):
            Explanation(
                what: "\(name) was expelled already.", why: "Expulsion is final: its key never comes back.",
                remedy: "Nothing needs to be done.")
        case .unknownUser(let address):
            Explanation(
                what: "No user is known as \(address).", why: "This node's replica has no such record.",
                remedy: "See `posthouse user list`.")
        case .membership(let error): error.explanation
        case .noAddress:
            Explanation(
                what: "The node does not listen yet.", why: "Invitations and tickets carry its addresses.",
                remedy: "Start it with `posthouse run` and try again.")
        case .tooMany(let what):
            Explanation(
                what: "There are too many \(what).", why: "Each is kept until it is used or expires.", remedy: "Wait until some expire.")
        }
    }
}
