/// Every bound, in one place; texts name them. Raising one costs what its comment says.
public enum Limits {
    // Frames
    /// Bytes of one frame on any wire, its length prefix not counted. Raising it raises what one connection can make a node buffer.
    public static let frameBytesMax = 96 * 1024
    /// Bytes of one sealed payload: a frame less the routing data around it.
    public static let payloadBytesMax = 64 * 1024
    /// Bytes of one text message (UTF-8) that `courier` sends: fits a payload sealed to every device of two users.
    public static let textBytesMax = 16 * 1024
    /// Entries of one list in a frame (statements, records, digests). What does not fit goes into further frames.
    public static let itemsPerFrameMax = 4_096
    /// Each costs the node a signature check; an acknowledgement covers at most a push window.
    public static let watermarksPerFrameMax = pushWindowEntries
    public static let claimsPerFrameMax = 256
    /// Roster entries of one creation: 70 bytes each; forwarded to the hub it must still fit a frame.
    public static let rosterPerCreationMax = 1_024
    /// Recipients of one event in one link entry: 34 bytes each beside the largest payload. More go into further entries.
    public static let recipientsPerEntryMax = 512
    /// An invitation's or a ticket's.
    public static let secretBytesMax = 64

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
    /// Tickets a node keeps, used and expired ones included until they are swept.
    public static let ticketsMax = 1_024
    /// Claims piggybacked on one liveness message: 41 bytes each.
    public static let livenessClaimsMax = 8
    /// Pings a node has out for others at once.
    public static let livenessRelaysMax = 64

    // Conversations
    public static let rosterDevicesMax = 2_048
    /// Events that a hub keeps for one conversation until all devices have them; then new ones are refused.
    public static let logEventsPerConversationMax = 20_000
    /// Conversations a hub keeps in memory; others wait on disk.
    public static let conversationsResidentMax = 50_000
    /// Conversations one device may create per hour.
    public static let timeToLiveDefault = Duration.days(30)

    // Queues
    public static let queueEntriesPerDeviceMax = 100_000
    public static let queueBytesPerDeviceMax = 256 * 1024 * 1024
    public static let queueEntriesPerNodeMax = 1_000_000
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

    // Links
    public static let linksPendingMax = 256
    /// Of these, the ones from one address whose TLS handshake is not done.
    public static let linksPendingPerAddressMax = 64
    public static let reconnectDelayMin = Duration.milliseconds(100)
    public static let reconnectDelayMax = Duration.seconds(5)
}
