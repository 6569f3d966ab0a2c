/// Whom a queue is for.
public enum Destination: Hashable, Comparable, Sendable {
    case device(DeviceID)
    case node(NodeID)

    private var order: (Int, Bytes32) {
        switch self {
        case .device(let id): (0, id.raw)
        case .node(let id): (1, id.raw)
        }
    }

    public static func < (x: Destination, y: Destination) -> Bool { x.order < y.order }
}

/// Small records, each the latest value under its key. What keys and values are is the core's business.
public enum StoreTable: UInt8, Hashable, Sendable, CaseIterable {
    case meta = 1
    case statement
    case ticket
    case invitation
    case userRecord
    case equivocation
    /// Roster of a conversation we are hub of.
    case conversation
    /// Number and chain of a conversation's last event.
    case head
    /// A device's newest watermark in a conversation we are hub of.
    case watermark
    /// How far we have read another node's queue for us.
    case linkCursor
    /// The position of a pending watermark or receipt in a queue, so that a newer one replaces it.
    case pendingWatermark
    case reservation
    /// The public MLS group of a conversation we are hub of, and its GroupInfo.
    case group
    /// A local device's KeyPackages.
    case keyPackages
    /// Whom and what a local user has blocked.
    case blocked
    /// The highest order that a local device's submissions had.
    case submissionOrder
    /// From which event on a local device that was away has a conversation of ours still to read in the log.
    case logReader
}

/// One queue entry. `event`: the entry refers to that event's bytes, which are stored once for all entries.
public struct QueueEntry: Hashable, Sendable {
    public let position: QueuePosition
    public let destination: Destination
    public let content: [UInt8]
    public let event: EventKey?

    public init(position: QueuePosition, destination: Destination, content: [UInt8], event: EventKey?) {
        (self.position, self.destination, self.content, self.event) = (position, destination, content, event)
    }
}

/// An entry as it is paged back, with its event's bytes.
public struct StoredEntry: Hashable, Sendable {
    public let position: QueuePosition
    public let content: [UInt8]
    public let event: [UInt8]?

    public init(position: QueuePosition, content: [UInt8], event: [UInt8]?) {
        (self.position, self.content, self.event) = (position, content, event)
    }
}

/// One change; those of a batch are one transaction.
public indirect enum StoreWrite: Hashable, Sendable {
    case put(StoreTable, key: [UInt8], value: [UInt8])
    case remove(StoreTable, key: [UInt8])
    /// Stores an event's bytes. `held`: the hub's log holds a reference of its own until `releaseEvent`.
    /// An event lives while it is held or an entry refers to it. Storing one that is there changes nothing, but holds it if `held`.
    case storeEvent(EventKey, bytes: [UInt8], held: Bool)
    case releaseEvent(EventKey)
    /// Adds an entry and, if it names an event, a reference to it.
    case enqueue(QueueEntry)
    /// Deletes the entries of a queue through a position, with their references.
    case dequeue(Destination, through: QueuePosition)
    /// Deletes one entry, wherever it stands in its queue.
    case withdraw(Destination, QueuePosition)
}

/// What the world can do to a store.
public enum StoreError: Explained, Equatable {
    /// The disk is full: nothing of the batch was written; deleting may still work.
    case full
    /// A read, write or sync failed: what is on disk is unknown. The process must end (exit 74).
    case io(String)
    /// A file of the store is not at its path any more, while it is open: what is written to it nobody will find. The process must end
    /// (exit 74).
    case gone(path: String)
    /// A row does not authenticate or does not decode.
    case corrupt(String)
    /// Another process has the data folder.
    case inUse(String)
    /// Made by a newer version, with another key, or not ours.
    case unusable(String)

    public var explanation: Explanation {
        switch self {
        case .full:
            Explanation(what: "The disk is full.", why: "The store could not grow.", remedy: "Free space; the node recovers by itself.")
        case .io(let why):
            Explanation(
                what: "The store could not be read or written.", why: why,
                remedy: "Check the disk and the system's log, then start again: nothing that was acknowledged is lost.")
        case .gone(let path):
            Explanation(
                what: "The store is not where it was.", why: "\(path) was moved, replaced or deleted while it was in use.",
                remedy: "Put it back, or name the folder's new place with --data. If it is deleted, restore a backup.")
        case .corrupt(let why):
            Explanation(what: "The store is damaged.", why: why, remedy: "Restore it from a backup.")
        case .inUse(let why):
            Explanation(what: "The data folder is in use.", why: why, remedy: "Stop the other process, or name another folder with --data.")
        case .unusable(let why):
            Explanation(what: "The store cannot be used.", why: why, remedy: "Use the program version and storage.key it was made with.")
        }
    }
}

/// Events of a conversation's log.
public struct HeldEvents: Sendable {
    public var events: [(number: SequenceNumber, bytes: [UInt8])] = []
    /// There may be more behind the last.
    public var goesOn = false

    public init() {}

    /// - Returns: false for one too many.
    public mutating func take(_ number: SequenceNumber, _ bytes: [UInt8], room: inout Int) -> Bool {
        guard events.isEmpty || bytes.count <= room else {
            goesOn = true
            return false
        }
        room -= min(room, bytes.count)
        events.append((number, bytes))
        return true
    }
}

/// Where a node keeps what must survive it. Synchronous: the writer thread alone calls it.
public protocol NodeStore: AnyObject {
    /// All or nothing, and on disk when it returns.
    func commit(_ writes: [StoreWrite]) throws(StoreError)

    func value(_ table: StoreTable, key: [UInt8]) throws(StoreError) -> [UInt8]?
    func values(_ table: StoreTable) throws(StoreError) -> [(key: [UInt8], value: [UInt8])]

    func event(_ key: EventKey) throws(StoreError) -> [UInt8]?
    /// Held events of one conversation after a number, rising; no more than `bytesMax` bytes unless the first alone is larger.
    func heldEvents(_ conversation: ConversationKey, after: SequenceNumber, bytesMax: Int) throws(StoreError) -> HeldEvents

    /// Entries after a position, rising: at most `limit`, and no more than `bytesMax` bytes unless the first alone is larger.
    func page(_ destination: Destination, after: QueuePosition, limit: Int, bytesMax: Int) throws(StoreError) -> [StoredEntry]
    /// Every entry of a queue, rising: its position, and the bytes it and its event take. For the start.
    func outline(_ destination: Destination) throws(StoreError) -> [(position: QueuePosition, bytes: Int)]
    /// Deletes every queue but these: whoever they were for will never take them. For the start; what is on disk may go bit by bit later on.
    func dropQueues(except destinations: [Destination]) throws(StoreError)
    /// The highest position ever given to an entry of any queue.
    func highestPosition() throws(StoreError) -> QueuePosition
}
