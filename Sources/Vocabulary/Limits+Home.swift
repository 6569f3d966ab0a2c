extension Limits {
    // KeyPackages
    /// Bytes of all KeyPackages of one device: 100 of today's take half.
    public static let keyPackageBytesPerDeviceMax = 128 * 1024
    /// Of the packages handed out last a home remembers so many, lest a publication that is repeated brings one back.
    public static let keyPackagesSpentMax = 128
    /// A device is told how many are left from here down.
    public static let keyPackagesLow = 20
    /// Bytes of the packages in one answer; what does not fit is refused `busy` and asked for again.
    public static let claimedBytesMax = 64 * 1024
    /// Devices whose packages one claim looks at: the rest is refused `busy`.
    public static let claimedDevicesMax = 256
    /// Claims that wait for other nodes: of one session, and in all; and for how long.
    public static let claimsPerSessionMax = 32
    public static let claimsPendingMax = 4_096
    public static let claimTimeout = Duration.seconds(5)
    /// Users that one user may claim at once, and a second: a group of 1,000 in one go.
    public static let claimBurst = 2_000.0
    public static let claimsPerSecond = 5.0
    /// The same of one target by one user.
    public static let claimBurstPerTarget = 20.0
    public static let claimsPerTargetPerSecond = 1.0 / 30
    /// Of one target by everybody; beyond it the last-resort package is handed out, so that nobody can empty the store.
    public static let oneTimeBurst = 200.0
    public static let oneTimePerSecond = 1.0
    /// Publications of KeyPackages, and lists of who is blocked, of one device; and of one user's record.
    public static let publicationBurst = 40.0
    public static let publicationsPerSecond = 0.5
    /// Counters of one kind of claims; beyond it the idlest are forgotten.
    public static let claimCountersMax = 50_000

    // Blocks
    /// Users and conversations that all users of a node have blocked: 32 to 48 bytes each.
    public static let blockedPerNodeMax = 2_000_000

    // Presence
    /// What is told of one user: once in this time.
    public static let presenceInterval = Duration.seconds(1)
    /// After a link is lost its users count as offline, unless it comes back.
    public static let presenceLinkGrace = Duration.seconds(5)
    /// Wishes of all sessions of a node, and of one other node: about 150 bytes each. Beyond, users look offline.
    public static let presenceWatchesMax = 1_000_000
    public static let presenceWatchesPerLinkMax = 200_000
    /// Tokens of one user that one node may name.
    public static let presenceTokensPerUserMax = 16
    /// Lists of wishes of one session.
    public static let subscriptionBurst = 100.0
    public static let subscriptionsPerSecond = 2.0
}
