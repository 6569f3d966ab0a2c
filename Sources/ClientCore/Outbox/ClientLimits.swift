internal import Vocabulary

/// The client's own bounds; those of the protocol are in `Limits`.
public enum ClientLimits {
    /// Submissions handed to the home and not yet answered. More hides longer delays; the home's bursts bound it (`Limits.requestBurst`).
    public static let submissionsInFlightMax = 256
    /// Messages that may wait in the outbox, unconfirmed ones included; then sending is refused.
    public static let outboxItemsMax = 50_000
    /// A message that the home holds is handed over again when its fate is unknown for this long.
    public static let overdueAfter = Duration.hours(1)
    /// A contact's record is looked up again before sending when it is older than this.
    public static let recordFreshFor = Duration.minutes(1)
    /// Time for TLS, greeting and authentication together.
    public static let openingTimeout = Duration.seconds(10)
    /// Half of what a node tolerates (`Limits.sessionIdleTimeout`).
    public static let pingEvery = Duration.seconds(60)
    public static let pongTimeout = Duration.seconds(20)
    /// For how many failed openings one session counts in which the node broke the protocol: the next try may be seconds away.
    static let failuresMisbehaved = 6
    /// A new session in which neither an entry comes nor the word that all have come is of no use. Any entry is progress: a long queue takes
    /// what it takes. Raising it keeps `courier receive` longer with a node that says nothing.
    public static let stalledAfter = Duration.seconds(60)
    /// Bytes written that the node has not read; then the session ends. `submissionsInFlightMax` of the largest bundles fit.
    public static let outboundBytesMax = 32 * 1024 * 1024
    /// One-time KeyPackages that wait at the home, and below which more are made.
    public static let keyPackagesWanted = 40
    public static let keyPackagesLow = 20
    public static let keyPackageLifetime = Duration.days(90)
    /// A last resort that was used and replaced opens Welcomes for so long: they wait at home no longer than messages do.
    public static let formerLastResortKeptFor = Duration.days(30)
    /// Parts (`Limits.partBytesMax`) of Welcomes that are not whole, in memory and in the profile: of one hub, and of all. One of the largest
    /// has to fit, and the beginnings of others; what comes from an honest hub comes one after the other. Lowering it lets more be asked for
    /// again where many are begun at once.
    public static let welcomePartsPerHubMax = Int(Limits.partsMax) * 3 / 2
    public static let welcomePartsMax = Int(Limits.partsMax) * 4
    /// The rest of a Welcome waits at home no longer than messages do.
    public static let welcomesKeptFor = Limits.timeToLiveDefault
    /// Users added by one commit: their KeyPackages and Welcome fit a frame.
    public static let addedPerCommitMax = Limits.claimedUsersMax
    /// Members of a group up to whom all their names are asked for at once; in a larger one that of whoever writes or changes the group,
    /// and of whom the user wants to see: or a group of a thousand would cost a million look-ups when it begins.
    public static let namesAskedMax = 128
    /// For how long somebody without KeyPackages is asked for again.
    public static let claimPatience = Duration.seconds(5)
    /// For how long we try to add somebody whose home does not answer.
    public static let intentLifetime = Duration.days(30)
    /// Heads kept to compare with what others have seen.
    public static let recentHeads = 1_024
    /// Steps of each kind kept of one device's receipts: for "when".
    public static let receiptSteps = 32
    /// Own messages of one conversation whose read receipts are still waited for.
    public static let awaitingMax = 512
    /// Events that are kept while one in front of them is missing.
    public static let heldMax = 512
    /// And bytes of them, of one conversation and of all; what is over is asked for again when its turn has come.
    public static let heldBytesMax = 1024 * 1024
    public static let heldBytesTotalMax = 16 * 1024 * 1024
    /// Conversations that we have only heard of, of one hub and of all: for each its hub is asked for the group. More would let who makes them
    /// up fill the profile; what is heard of beyond that is heard of again with its next event.
    public static let placeholdersPerHubMax = 256
    public static let placeholdersMax = 1_024
    /// Of one hub that is not our home: a part, so that none keeps others from beginning one with us.
    public static let conversationsPerHubMax = Limits.conversationsResidentMax / 2
    /// Alarms of one kind about one conversation that are kept of one run: they say no more than the first, and would bury others.
    static let alarmsAlikeMax = 8
    /// Kinds and conversations of which alarms are kept in one run.
    static let alarmPlacesMax = 4_096
    /// Entries of the home's queue that stay there since one in front of them is not on our disk: a part of what the home pushes at once.
    public static let withheldMax = Limits.pushWindowEntries / 4
    /// And bytes of them, or a few large ones would stop all that is behind them.
    public static let withheldBytesMax = Limits.pushWindowBytes / 4
    /// How far apart the first fresh keys of a group's members are, for each member it has: every one is a commit that all have to process,
    /// of up to 80 KiB in a group of 1,000, where it is one a minute for 17 hours. More leaves the keys of KeyPackages in use for longer;
    /// less delays what is said meanwhile.
    static let refreshMillisecondsPerMember: Int64 = 60
    /// The same for fresh keys that wait no longer: in place of a last resort's, or whose time came while the device was away.
    static let dueRefreshMillisecondsPerMember: Int64 = 5
    /// The least of both, a member.
    static let refreshMillisecondsMin: Int64 = 1_000
    /// How long a missing event may take, and how often it is asked for.
    public static let refetchAfter = Duration.seconds(3)
    public static let refetchesMax = 4
    /// From the beginning of a session to the first question whether a hub still has a conversation; then twice as long each time.
    public static let probeAfter = Duration.seconds(30)
    public static let probeEveryMax = Duration.hours(1)
    /// Tries to come back in before a conversation is given up.
    public static let rejoinsMax = 6
    /// Users who were in a conversation and are not any more.
    static let formerMembersKept = 32
    /// Members who are asked to vouch for a group, and how often one does.
    static let vouchersAskedMax = 32
    static let vouchAgainAfter = Duration.seconds(30)
    /// Tries after which whoever waits is told that a group can go on in a new one (MLS checklist C 10).
    public static let rejoinsHinted = 3
    /// Read receipts said again at the start of a session: what was said last may have been lost with the one before.
    public static let marksResentMax = 64
    /// Devices that one read receipt goes to.
    public static let markRecipientsMax = 64
    /// Members up to whom typing is told.
    public static let typingMembersMax = 64
    /// Messages of past epochs are opened for this many epochs.
    public static let markKeysKept = 6
    /// Content is padded to a multiple of this, so that its length tells less.
    public static let paddingMultiple = 128
    /// Names that are asked for at a session's start; others when somebody wants to see them. More would be refused by the home as a flood.
    static let namesAskedAtOnceMax = 512
    /// Look-ups in flight; more wait.
    public static let lookupsMax = 64
}

/// Full jitter: a random time up to a bound that doubles, so that clients of a returning node do not come all at once.
enum Backoff {
    static func delay(attempt: Int, using random: inout some RandomNumberGenerator) -> Duration {
        let bound = min(Limits.reconnectDelayMin.nanoseconds << Int64(min(max(attempt, 0), 10)), Limits.reconnectDelayMax.nanoseconds)
        return .nanoseconds(Int64.random(in: 0...bound, using: &random))
    }
}
