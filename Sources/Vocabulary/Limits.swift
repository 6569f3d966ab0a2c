/// Every bound, in one place; texts name them. Raising one costs what its comment says.
public enum Limits {
    // Frames
    /// Bytes of one frame on any wire, its length prefix not counted. Raising it raises what one connection can make a node buffer.
    public static let frameBytesMax = 96 * 1024
    /// Bytes of one sealed payload: a frame less the routing data around it.
    public static let payloadBytesMax = 64 * 1024
    /// Bytes of one text message (UTF-8) that `courier` sends: with its padding it fits a payload many times over.
    public static let textBytesMax = 16 * 1024
    /// Entries of one list in a frame (statements, records, digests). What does not fit goes into further frames.
    public static let itemsPerFrameMax = 4_096
    /// Each costs the node a signature check; an acknowledgement covers at most a push window.
    public static let watermarksPerFrameMax = pushWindowEntries
    public static let claimsPerFrameMax = 256
    /// Recipients of one event in one link entry: 34 bytes each beside the largest payload. More go into further entries.
    public static let recipientsPerEntryMax = 256
    /// An invitation's or a ticket's.
    public static let secretBytesMax = 64

    /// Bytes of a commit, proposal or Welcome: a commit of 1,000 members over a tree without parents is 84 KiB (RFC 9420 §7.6: one
    /// ciphertext of 84 bytes for each). With its recipients it still fits a frame.
    public static let handshakeBytesMax = 86 * 1024
    public static let groupInfoBytesMax = 32 * 1024
    /// Bytes of a commit, its Welcome and its GroupInfo together: forwarded to the hub they must still fit a frame.
    public static let bundleBytesMax = 94 * 1024
    /// Bytes of one part of a Welcome or of an answer too long for a frame, and parts of one: trees of some ten thousand leaves.
    public static let partBytesMax = 80 * 1024
    public static let partsMax: UInt16 = 64
    public static let sealedMarkBytesMax = 512
    /// Devices of a conversation from which on receipts are gathered: below, one more matters less than a second.
    public static let gatheredReceiptsRosterMin = 9
    /// There a device says what it has, and what was shown, at once and then at most once in so long; and its hub passes on no more.
    /// Raising it saves frames, one for each member, and lets senders wait.
    public static let receiptInterval = Duration.seconds(1)
    /// Watermarks that were held back and are looked at in one step: each is a signature to check, some 50 us.
    public static let gatheredPerStep = 32
    /// Devices of one read receipt.
    public static let markedDevicesMax = 64
    /// Signals are passed on in conversations of so many devices at most.
    public static let signalledDevicesMax = 64
    /// Passed on to one device, whoever sends them, and of one device, whomever they are for; more are dropped, they are of the moment.
    public static let signalsPerSecond = 20.0
    public static let signalBurst = 64.0
    public static let keyPackageBytesMax = 4 * 1024
    /// One-time KeyPackages that a home keeps for one device.
    public static let keyPackagesPerDeviceMax: Int = 100
    /// One-time KeyPackages of one publication: with the last resort they fit a frame, each at its largest.
    public static let keyPackagesPerFrameMax = 20
    public static let claimedUsersMax = 64
    public static let blockedMax = 1_000
    /// Wishes of one session, and of one frame between nodes.
    public static let presenceWishesMax = 500
    /// News of one frame, or users no longer wanted: some 50 bytes each.
    public static let presenceNewsPerFrameMax = 1_000

    // Records
    public static let userRecordBytesMax = 16 * 1024
    public static let statementBytesMax = 4 * 1024
    public static let devicesPerUserMax = 16
    public static let extensionsMax = 32
    public static let membersMax = 10_000
    public static let reasonBytesMax = 256

    // Membership and liveness
    /// Endpoints of each kind in one node's descriptor.
    public static let endpointsPerNodeMax = 4
    public static let capabilitiesMax = 32
    /// Admits and descriptors a node keeps: some 300 bytes of memory each. Beyond, new ones are refused.
    public static let statementsMax = 40_000
    /// Room above `statementsMax` for Expels alone, so that who fills the set can still be expelled.
    public static let expelsReserve = 4_096
    /// Keys ever admitted as admins: bounds the work of one evaluation under attack.
    public static let adminsMax = 256
    /// Bad statements after which the rest of a frame is not looked at: each costs a signature check.
    public static let badStatementsPerFrameMax = 8
    /// Descriptors of one node that others take at once, and a second; a newer one that is passed over comes with the next comparison.
    public static let descriptorBurst = 20.0
    public static let descriptorsPerSecond = 0.2
    /// Tickets a node keeps; used and expired ones included, until another needs the place of what expired long ago.
    public static let ticketsMax = 1_024
    /// Claims piggybacked on one liveness message: 41 bytes each.
    public static let livenessClaimsMax = 8
    /// Pings a node has out for others at once.
    public static let livenessRelaysMax = 64

    // Conversations
    /// Raising it past 1,000 needs larger frames: see `handshakeBytesMax`.
    public static let rosterDevicesMax = 1_000
    /// Events that a hub keeps for one conversation until all devices have them; then new ones are refused.
    public static let logEventsPerConversationMax = 20_000
    /// And bytes of them: all of a log is read when it is loaded.
    public static let logBytesPerConversationMax = 64 * 1024 * 1024
    /// Room above it for commits and proposals alone, so that a device that fills the log can still be removed.
    public static let logHandshakesReserve = 1_024
    public static let logHandshakeBytesReserve = 32 * 1024 * 1024
    /// Bytes of one user's events in all logs of a hub; there is room above it for commits and proposals, too.
    public static let logBytesPerUserMax = 256 * 1024 * 1024
    /// Bytes of what all users of one other node have in logs, and of what waits in queues because of that node: a quarter of the disk's
    /// room, and so many in any case.
    public static let bytesPerNodeMin = 256 * 1024 * 1024
    /// Bytes of events that are read from disk at a time when a log is loaded.
    public static let logReadBytesMax = 4 * 1024 * 1024
    /// Devices of one conversation on its hub from which on who is away reads the log later, in place of an entry for each in its queue.
    public static let logReadersMin = 8
    /// Devices and conversations together that may have a log to read; beyond, queues are filled.
    public static let logReadersMax = 1_000_000
    /// Events that a device is given of logs at a time, and bytes of them.
    public static let logTurnMax = 64
    public static let logTurnBytesMax = 256 * 1024
    /// What an event counts for in a queue when its bytes are not at hand.
    public static let logEventBytesExpected = 600
    /// Events that a device may ask for once more at a time.
    public static let refetchedMax = 256
    /// Such questions of a device that wait for an earlier one.
    public static let refetchesWaitingMax = 1_024
    /// Of one device, passed on or answered by its home: after a restoration a client asks about each of its conversations, once.
    public static let refetchBurst = 4_000.0
    public static let refetchesPerSecond = 20.0
    /// Of these, the ones about conversations that a hub does not have, or not with this device: each is refused with an entry that stays.
    public static let refusedRefetchBurst = 500.0
    public static let refusedRefetchesPerSecond = 2.0
    /// Conversations a hub keeps in memory; others wait on disk. And bytes of them, roughly: a group of 1,000 devices takes two million or so.
    public static let conversationsResidentMax = 50_000
    public static let conversationBytesResidentMax = 512 * 1024 * 1024
    /// Conversations that one user may found at once, and a second: one each half a minute.
    public static let foundingBurst = 500.0
    public static let foundingsPerSecond = 1.0 / 30
    public static let timeToLiveDefault = Duration.days(30)

    // Queues
    public static let queueEntriesPerDeviceMax = 100_000
    public static let queueBytesPerDeviceMax = 256 * 1024 * 1024
    public static let queueEntriesPerNodeMax = 1_000_000
    /// Of one user's messages that wait for other nodes, together, and of such receipts: one a conversation.
    public static let queueEntriesPerUserMax = 100_000
    public static let queueBytesPerUserMax = 64 * 1024 * 1024
    public static let queueReceiptsPerUserMax = 10_000
    /// What a hub has answered one user's devices and waits for them at their home; from then on the user hands over nothing new to that hub.
    public static let queueAnswersPerUserMax = 100_000
    /// Of these, and of entries for a node, from which on a conversation that a hub does not have is not said to be unknown.
    public static let queueForRefusedRefetchMax = 10_000
    /// Entries in all queues of a node together: 24 bytes of memory each.
    public static let queueEntriesTotalMax = 4_000_000
    /// Unacknowledged entries pushed to one device, and bytes of them.
    public static let pushWindowEntries = 256
    public static let pushWindowBytes = 1024 * 1024
    /// Unacknowledged entries in flight on one link, and bytes of them.
    public static let linkWindowEntries = 2_048
    public static let linkWindowBytes = 4 * 1024 * 1024
    /// Entries read from disk at once.
    public static let pageEntriesMax = 256

    // Sessions
    public static let sessionsMax = 19_000
    public static let sessionsPerDeviceMax = 1
    /// Time a connection has to authenticate.
    public static let authenticationTimeout = Duration.seconds(10)
    /// Frames before authentication.
    public static let framesBeforeAuthenticationMax = 8
    /// A session silent for this long is closed; clients send a ping in half of it.
    public static let sessionIdleTimeout = Duration.seconds(120)
    /// Requests per second of one session, and how many may come at once.
    public static let requestsPerSecond = 2_000.0
    public static let requestBurst = 4_000.0
    /// Messages of a session wait for so long behind an earlier one of the conversation that was refused for now, if that does not come
    /// again: longer than a client takes to hear of the refusal. And so many of one session at once.
    public static let heldBackFor = Duration.seconds(5)
    public static let heldBackMax = 1_024

    // Links
    public static let linksPendingMax = 256
    /// Of these, the ones from one address whose TLS handshake is not done.
    public static let linksPendingPerAddressMax = 64
    public static let reconnectDelayMin = Duration.milliseconds(100)
    public static let reconnectDelayMax = Duration.seconds(5)
}
