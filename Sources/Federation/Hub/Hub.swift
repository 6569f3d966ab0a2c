internal import Cryptography
package import Vocabulary

/// Orders the conversations that this node is hub of: numbers, chain, roster, log, repeats; one commit for each epoch.
/// Source: docs/protocol/hub.md.
package struct Hub: Sendable {
    package enum Outcome: Sendable {
        /// The conversation is there; not an event.
        case founded
        case accepted(Accepted)
        /// As before: the answer stands in the sender's queue already, or was acknowledged from it.
        case repeated
        case refused(Refusal)
    }

    /// What is on its way once the writes are on disk.
    package struct Accepted: Sendable {
        package let envelope: Envelope
        /// Of a commit that adds: whom to send the Welcome in the event's place, and its parts.
        package var newcomers: [RosterEntry] = []
        package var welcome: [WelcomePart] = []
        /// Whom it removes, and what each of them has still to read of the log.
        var removed: [(entry: RosterEntry, unread: [EventKey])] = []

        package var acceptance: Acceptance {
            Acceptance(key: envelope.key, number: envelope.number, message: envelope.message, chain: envelope.chain)
        }
    }

    let node: NodeID
    /// Names the node's last restoration from a backup; 0 for none.
    package let restoration: UInt64
    private(set) var conversations: [ConversationID: Boxed<Conversation>] = [:]
    private var uses: UInt64 = 0
    /// Every conversation, to visit the sleeping ones for what has expired, and to know which are worth a look at the disk; some 50 bytes each.
    private var all: [ConversationID]
    private var known: Set<ConversationID>
    private var visited = 0
    /// How many were visited since the start: a restored hub is in a hurry with the first round.
    private var takenUp = 0
    /// Bytes of the resident ones, as they were when they were loaded or changed last.
    private var weight = 0
    private var accounts = LogAccounts()

    /// - Parameter conversations: all that are on disk.
    package init(node: NodeID, restoration: UInt64 = 0, conversations: [ConversationID] = []) {
        (self.node, self.restoration, all, known) = (node, restoration, conversations, Set(conversations))
    }

    // MARK: Residence

    package func isResident(_ conversation: ConversationID) -> Bool { conversations.index(forKey: conversation) != nil }

    /// On disk and not in memory. Whoever makes names up is answered without the disk.
    package func isAsleep(_ conversation: ConversationID) -> Bool { conversations[conversation] == nil && known.contains(conversation) }

    /// - Throws: when the rows do not decode: the conversation is left unknown.
    package mutating func load(_ id: ConversationID, rows: ConversationRows) throws {
        var conversation = try Conversation(key: ConversationKey(hub: node, conversation: id), rows: rows)
        conversation.lastUsed = nextUse()
        weight += conversation.weight
        conversations[id] = Boxed(conversation)
    }

    /// Lets the least recently used go, a quarter at a time, so that it costs little a conversation.
    package mutating func evict(
        conversationsMax: Int = Limits.conversationsResidentMax, bytesMax: Int = Limits.conversationBytesResidentMax
    ) {
        guard conversations.count > conversationsMax || weight > bytesMax else { return }
        let byUse = conversations.values.map { ($0.value.lastUsed, $0.value.key.conversation) }.sorted { $0 < $1 }
        weight = conversations.values.reduce(0) { $0 + $1.value.weight }
        // The newest stays: it may be ahead of the disk, in the middle of a batch.
        let quarter = conversations.count / 4
        for (index, (_, id)) in byUse.dropLast(quarter + 1).enumerated() {
            guard index < quarter || weight > bytesMax * 3 / 4 else { break }
            weight -= conversations[id]?.value.weight ?? 0
            conversations[id] = nil
        }
    }

    mutating func nextUse() -> UInt64 {
        uses += 1
        return uses
    }

    /// Works on a conversation where it stands, so that nothing of it is copied.
    /// - Returns: nil for one that is not known.
    mutating func with<R>(_ id: ConversationID, _ body: (inout Conversation) -> R) -> R? {
        guard let index = conversations.index(forKey: id) else { return nil }
        let use = nextUse()
        return conversations.values[index].change { conversation in
            conversation.lastUsed = use
            return body(&conversation)
        }
    }

    mutating func insert(_ conversation: Conversation) {
        conversations[conversation.key.conversation] = Boxed(conversation)
        weight += conversation.weight
        all.append(conversation.key.conversation)
        known.insert(conversation.key.conversation)
    }

    mutating func grew(by bytes: Int) { weight += bytes }

    // MARK: Submissions

    /// - Parameter sender: the device, as its home has authenticated it.
    package mutating func submit(
        _ submission: Submission, from sender: RosterEntry, host: HubHost, writes: inout [StoreWrite]
    ) -> Outcome {
        switch submission.kind {
        case .found(let info): found(submission.conversation, info, by: sender, host: host, writes: &writes)
        case .application(let epoch, let payload): application(submission, epoch, payload, from: sender, host: host, writes: &writes)
        case .commit(let bundle): commit(submission, bundle, from: sender, host: host, writes: &writes)
        // What becomes of it is no matter of the one who sent it.
        case .testimony: .repeated
        case .proposal(let epoch, let message): proposal(submission, epoch, message, from: sender, host: host, writes: &writes)
        }
    }

    // MARK: Roster

    package func roster(of conversation: ConversationID) -> [RosterEntry] { conversations[conversation]?.value.roster.entries ?? [] }
    package func rosterCount(of conversation: ConversationID) -> Int { conversations[conversation]?.value.roster.count ?? 0 }
    package func userCount(of conversation: ConversationID) -> Int { conversations[conversation]?.value.roster.userCount ?? 0 }
    package func epoch(of conversation: ConversationID) -> Epoch? { conversations[conversation]?.value.group.epoch }
    package func head(of conversation: ConversationID) -> SequenceNumber? { conversations[conversation]?.value.head }

    package func contains(_ entry: RosterEntry, in conversation: ConversationID) -> Bool {
        conversations[conversation]?.value.roster.contains(entry) ?? false
    }

    /// Whose device it is, by the roster.
    package func user(of device: DeviceID, in conversation: ConversationID) -> UserID? {
        conversations[conversation]?.value.roster[device]?.user
    }

    /// Whether the log has this message of this device: some other device may still lack it.
    package func isWaiting(_ message: MessageID, of device: DeviceID, in conversation: ConversationID) -> Bool {
        conversations[conversation]?.value.log.line(for: message)?.sender.device == device
    }

    /// As worked out before, if nothing has changed since.
    func knownFanOut(of id: ConversationID, version: UInt64) -> FanOut? {
        guard let known = conversations[id]?.value.fanOut, known.version == version else { return nil }
        return known
    }

    /// Where the devices of a conversation live.
    /// - Parameters:
    ///   - version: of directory and membership: what was worked out under another is worked out anew.
    ///   - home: of users who live at members.
    package mutating func fanOut(of id: ConversationID, version: UInt64, home: (UserID) -> NodeID?) -> FanOut? {
        guard let index = conversations.index(forKey: id) else { return nil }
        return conversations.values[index].change { conversation in
            if let known = conversation.fanOut, known.version == version { return known }
            let roster = conversation.roster
            let fanOut = FanOut(conversation.key, roster.entries, isLarge: roster.userCount > 2, version: version, home: home)
            conversation.fanOut = fanOut
            return fanOut
        }
    }

    // MARK: Expiry

    /// Restored, and not every conversation was looked at since the start.
    package var isTakingUp: Bool { restoration > 0 && takenUp < all.count }

    /// The next few conversations that are not in memory, round and round.
    package mutating func sleeping(_ count: Int) -> [ConversationID] {
        guard !all.isEmpty else { return [] }
        takenUp = min(takenUp + count, all.count)
        let next = (0..<min(count, all.count)).map { all[(visited + $0) % all.count] }
        visited = (visited + next.count) % all.count
        return next.filter { !isResident($0) }
    }

    /// So many conversations, on disk or in memory, from a place in the order in which they were made or loaded.
    package func conversations(from place: Int, count: Int) -> ArraySlice<ConversationID> { all.dropFirst(place).prefix(count) }

    /// Takes what may not stay longer from the resident conversations.
    /// - Returns: for each such message, whom to tell that it failed.
    package mutating func expire(upTime: UInt64, writes: inout [StoreWrite]) -> [(failure: Failure, sender: RosterEntry)] {
        var failures: [(failure: Failure, sender: RosterEntry)] = []
        for id in conversations.filter({ ($0.value.value.log.first?.expires ?? .max) <= upTime }).keys.sorted() {
            let lines = conversations[id]?.value.expire(upTime: upTime) ?? []
            let key = ConversationKey(hub: node, conversation: id)
            release(lines, of: key, writes: &writes)
            for line in lines where conversations[id]?.value.isReached(line) == false {
                let refusal = Refusal(.expired, "No device of a recipient took it in time.")
                failures.append((Failure(key: key, message: line.message, refusal: refusal), line.sender))
            }
        }
        return failures
    }

    // MARK: Logs

    /// How much of a user's stands in logs, until all devices have it.
    package func logBytes(of user: UserID) -> Int { accounts.bytes(of: user) }

    /// And how much of all users of another node.
    package func logBytes(ofHome home: NodeID) -> Int { accounts.bytes(of: home) }

    /// Users of whom most stands in logs.
    package func largestWriters(_ count: Int) -> [UserID] { accounts.largestWriters(count) }

    /// - Parameter home: the user's, where it is another node.
    mutating func charge(_ bytes: Int, to user: UserID, of home: NodeID?) { accounts.charge(bytes, to: user, of: home) }

    mutating func release(_ lines: [EventLog.Line], of key: ConversationKey, writes: inout [StoreWrite]) {
        for line in lines {
            accounts.release(line.bytes, of: line.sender.user)
            writes.append(.releaseEvent(EventKey(conversation: key, number: line.number)))
            for part in 0..<line.parts { writes.append(.releaseEvent(EventKey(conversation: key, number: line.number, part: part + 1))) }
        }
    }
}
