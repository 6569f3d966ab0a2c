/// A bug that is planted, to see that the judge finds it. All are in the simulator's shell, which interprets what the cores order and feeds
/// them: the product has no switch for any of them.
public enum Plant: String, Sendable, CaseIterable {
    // The node's writer
    /// What waits for the disk is said at once.
    case acknowledgesBeforeCommit
    /// One commit in so many never happens, and all goes on.
    case losesCommits
    /// How far a peer's queue was read is stored in a transaction of its own, before what was read.
    case storesCursorApart
    case acknowledgesOnFullDisk

    // The node's store
    /// The conversations' heads are those of the start before.
    case reusesNumbers
    case dropsOldestOnQuota
    case handsOutKeyPackagesTwice
    /// What another node says to have is deleted from the hub's log, though its devices have not said so.
    case prunesOnNodeAck

    // What a node says
    case resumesWrongCursor
    case skipsNodeInFanOut
    case acceptsOlderRecords
    case forgesReceipts
    case losesReceipts
    case refusesWhatItTook

    // The client's shell
    case numbersRepeats
    case sealsAnewOnRetry
    case confirmsBeyondStored
    case storesAfterReceipt
    case showsBeforeCommit
    case showsTwice
    case ignoresNumberOrder
    case forgetsOutbox
    case forgetsRatchet
    case tellsDeliveredTooEarly
    case reportsWrongNumber

    /// What of the run brings it out, beside the usual: see `Fault.Kind`.
    public var needs: Set<Fault.Kind> {
        switch self {
        case .acknowledgesOnFullDisk: [.disks, .network, .crashes]
        // The log is for homes that lose what they had.
        case .prunesOnNodeAck: [.copies, .network, .crashes]
        default: [.crashes, .network]
        }
    }
}
