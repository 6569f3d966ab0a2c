extension Limits {
    /// User records a node holds: about 0.6 KiB of memory each. New users beyond it are refused.
    public static let userRecordsMax = 10_000_000
    /// Users that one issuer certified one handle for, which no honest issuer does; those with the lowest ids are kept.
    public static let usersPerHandleMax = 4
    /// Proofs of cheating keys, kept in memory and on disk.
    public static let equivocationsMax = 10_000
    /// Linked peers a fresh record is pushed to. Raising it spreads faster and repeats more.
    public static let rumourPeers = 3
    /// Records asked for at once that are still passed on as fresh; more are left to reconciliation.
    public static let rumourRecordsMax = 64
    /// Records that one peer pushes and that are passed on as fresh; more are left to reconciliation. Raising it lets one member keep others'
    /// links busy: each record is a signature or two to check for whoever hears of it, and messages stand behind them.
    public static let rumourBurst = 500.0
    public static let rumoursPerSecond = 50.0
    /// From one reconciliation to the next: the least time, and what chance may add.
    public static let reconcileInterval = Duration.milliseconds(1_500)
    public static let reconcileJitter = Duration.milliseconds(2_000)
    /// Before an exchange that found more than it may hold is followed by the next; there is none after one that brought `resumesAtOnceFrom`.
    public static let reconcileResumeDelay = Duration.milliseconds(200)
    /// News of one exchange that tell that this node catches up.
    public static let resumesAtOnceFrom = reconcileDifferencesMax / 2
    /// An exchange without progress for this long is given up.
    public static let reconcileTimeout = Duration.seconds(10)
    /// Exchanges that a node has begun and not ended: one a peer.
    public static let reconcilesMax = 4
    /// Messages of one exchange; an honest one over a million records takes under twenty.
    public static let reconcileRoundsMax = 256
    /// Differences one exchange collects in each direction; the next one finds the rest.
    public static let reconcileDifferencesMax = 2_048
    /// Bytes of one reconciliation message.
    public static let reconcileBytesMax = 64 * 1024
    /// Records asked for at once.
    public static let recordsWantedMax = 256
    /// Requests for records that wait for their answer, of one exchange. With one the peer would have nothing to do while an answer is looked
    /// at, and this node while the next one comes.
    public static let recordRequestsMax = 2
    /// Bytes of the records in one frame, which leaves room for the frame's own.
    public static let recordsFrameBytesMax = 80 * 1024
    /// Look-ups at issuers that wait for an answer, and how long they wait.
    public static let lookupsPendingMax = 4_096
    public static let lookupTimeout = Duration.seconds(3)
}
