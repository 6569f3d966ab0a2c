extension Limits {
    // MLS (RFC 9420); a caller may choose others where `GroupHost.Bounds` says so
    /// Leaves of a ratchet tree, blank ones included. One byte of a hostile tree costs some ten bytes of memory until its signature is checked.
    public static let mlsLeavesMax: UInt32 = 1 << 16
    /// Generations that a message may skip, and skipped keys kept, per sender and kind: as many hashes may one message cost.
    public static let mlsGenerationsForward: UInt32 = 1024
    /// Past epochs whose late messages can be opened, and for how long. Their keys stay readable on the device for that time.
    public static let mlsPastEpochs = 5
    public static let mlsPastEpochAge = Duration.days(7)
    /// Past epochs whose resumption PSK is kept: 44 bytes each.
    public static let mlsResumptionEpochs = 32
    /// Proposals held for one epoch of a group.
    public static let mlsProposalsMax = 4096
    /// Proposals in one commit: as many members can one commit add.
    public static let mlsCommitItemsMax = 1 << 14
    /// Extensions in one list, and values in one list of capabilities: they are compared each with each.
    public static let mlsExtensionsMax = 256
    public static let mlsCapabilitiesMax = 1024
    /// Pending proposals tried one by one when all together make no valid commit: as many times is the tree worked on.
    public static let mlsProposalsTriedMax = 256
    /// From a key package's `notBefore` to its `notAfter` (RFC 9420 §7.2).
    public static let mlsLifetimeMax = Duration.days(400)
}
