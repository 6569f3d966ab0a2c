internal import Cryptography
package import Vocabulary

/// Orders the conversations that this node is hub of: numbers, chain, roster, log, repeats.
/// Source: docs/protocol/hub.md.
package struct Hub: Sendable {
    package enum Outcome: Sendable {
        case created
        case accepted(Acceptance, Envelope, roster: [RosterEntry])
        /// As before: the answer stands in the sender's queue already, or was acknowledged from it.
        case repeated
        case refused(Refusal)
    }

    /// News of a device's watermark: what was pruned, and whose messages it newly covers.
    package struct Coverage: Sendable {
        package let covered: [RosterEntry]
    }

    private let node: NodeID
    private var conversations: [ConversationID: Conversation] = [:]
    private var uses: UInt64 = 0
    /// Every conversation, to visit the sleeping ones for what has expired; 16 bytes each.
    private var all: [ConversationID]
    private var visited = 0

    /// - Parameter conversations: all that are on disk.
    package init(node: NodeID, conversations: [ConversationID] = []) { (self.node, all) = (node, conversations) }

    // MARK: Residence

    package func isResident(_ conversation: ConversationID) -> Bool { conversations[conversation] != nil }

    /// - Throws: when the rows do not decode: the conversation is left unknown.
    package mutating func load(_ id: ConversationID, rows: ConversationRows) throws(CodecError) {
        let key = ConversationKey(hub: node, conversation: id)
        var conversation = try Conversation(key: key, rows: rows)
        uses += 1
        conversation.lastUsed = uses
        conversations[id] = conversation
    }

    /// Lets the least recently used go, a quarter at a time, so that it costs little a conversation.
    mutating func evict() {
        guard conversations.count > Limits.conversationsResidentMax else { return }
        let byUse = conversations.values.map { ($0.lastUsed, $0.key.conversation) }.sorted { $0 < $1 }
        for (_, id) in byUse.prefix(conversations.count / 4) { conversations[id] = nil }
    }

    // MARK: Submissions

    /// - Parameters:
    ///   - upTime: seconds this node has run in all; expiry counts by it.
    ///   - obstacle: why nothing new is taken now. A repeat is answered all the same.
    package mutating func submit(
        _ submission: Submission, from sender: RosterEntry, upTime: UInt64, obstacle: Refusal?, writes: inout [StoreWrite]
    ) -> Outcome {
        uses += 1
        conversations[submission.conversation]?.lastUsed = uses
        switch submission.kind {
        case .create(let roster):
            return create(submission.conversation, roster: roster, by: sender, obstacle: obstacle, writes: &writes)
        case .application(let epoch, let payload):
            guard var conversation = conversations[submission.conversation] else {
                return .refused(Refusal(.unknownConversation, "This hub does not know the conversation."))
            }
            guard conversation.contains(sender) else {
                return .refused(Refusal(.notOnRoster, "The device is not in the conversation."))
            }
            if let line = conversation.line(for: submission.message) {
                guard line.sender == sender, line.payload == Hash.blake2b(payload) else {
                    return .refused(Refusal(.messageIdReused, "Another message has this id."))
                }
                return .repeated
            }
            guard conversation.log.count < Limits.logEventsPerConversationMax else {
                return .refused(Refusal(.conversationFull, "Too many messages of this conversation wait for a device."))
            }
            if let obstacle { return .refused(obstacle) }
            let longest = UInt64(Limits.timeToLiveDefault.components.seconds)
            let timeToLive = submission.timeToLive == 0 ? longest : min(UInt64(submission.timeToLive), longest)
            // Out of the table while it changes: one owner, no copy of the log.
            conversations[submission.conversation] = nil
            // Never before one in front of it: the log is emptied from the front.
            let expires = max(upTime + timeToLive, conversation.log.last?.expires ?? 0)
            let envelope = conversation.append(
                message: submission.message, sender: sender, kind: .application, epoch: epoch, payload: payload, expires: expires)
            writes.append(
                .storeEvent(envelope.eventKey, bytes: StoredEvent(expires: expires, envelope: envelope).encoded(), held: true))
            writes.append(.put(.head, key: ConversationRows.key(conversation.key), value: conversation.headRow))
            let roster = conversation.roster
            conversations[submission.conversation] = conversation
            let acceptance = Acceptance(
                key: envelope.key, number: envelope.number, message: envelope.message, chain: envelope.chain)
            return .accepted(acceptance, envelope, roster: roster)
        }
    }

    private mutating func create(
        _ id: ConversationID, roster stated: [RosterEntry], by sender: RosterEntry, obstacle: Refusal?, writes: inout [StoreWrite]
    ) -> Outcome {
        let roster = stated.sorted()
        guard Set(roster.map(\.device)).count == roster.count, roster.contains(sender), roster.count <= Limits.rosterDevicesMax else {
            return .refused(Refusal(.rosterInvalid, "The roster lacks its creator or names a device twice."))
        }
        if let known = conversations[id] {
            return known.creator == sender.user && known.roster == roster
                ? .created : .refused(Refusal(.conversationExists, "Another conversation has this id."))
        }
        if let obstacle { return .refused(obstacle) }
        uses += 1
        var conversation = Conversation(key: ConversationKey(hub: node, conversation: id), roster: roster, creator: sender.user)
        conversation.lastUsed = uses
        writes.append(.put(.conversation, key: ConversationRows.key(conversation.key), value: conversation.rosterRow))
        conversations[id] = conversation
        all.append(id)
        return .created
    }

    // MARK: Watermarks

    /// - Parameter user: whose device it is, by the session or node it came from.
    /// - Returns: nil for a watermark that is no news, not of the roster, or ahead of the truth.
    package mutating func receive(_ watermark: Watermark, of user: UserID?, writes: inout [StoreWrite]) -> Coverage? {
        guard var conversation = conversations[watermark.key.conversation],
            let entry = conversation.entry(of: watermark.device), user == nil || entry.user == user
        else { return nil }
        conversations[watermark.key.conversation] = nil
        defer { conversations[watermark.key.conversation] = conversation }
        guard let before = conversation.raise(watermark) else { return nil }
        var row = ByteWriter()
        row.write(watermark.through)
        writes.append(
            .put(.watermark, key: ConversationRows.watermarkKey(conversation.key, watermark.device), value: row.bytes))
        let covered = conversation.senders(above: before, through: watermark.through, except: watermark.device)
        release(conversation.prune(), of: conversation.key, writes: &writes)
        return Coverage(covered: covered)
    }

    package func roster(of conversation: ConversationID) -> [RosterEntry] { conversations[conversation]?.roster ?? [] }

    /// Whether the log has this message of this device: some other device may still lack it.
    package func isWaiting(_ message: MessageID, of device: DeviceID, in conversation: ConversationID) -> Bool {
        conversations[conversation]?.line(for: message)?.sender.device == device
    }

    /// Whose device it is, by the roster.
    func user(of device: DeviceID, in conversation: ConversationID) -> UserID? {
        conversations[conversation]?.entry(of: device)?.user
    }

    // MARK: Expiry

    /// The next few conversations that are not in memory, round and round.
    package mutating func sleeping(_ count: Int) -> [ConversationID] {
        guard !all.isEmpty else { return [] }
        let next = (0..<min(count, all.count)).map { all[(visited + $0) % all.count] }
        visited = (visited + next.count) % all.count
        return next.filter { !isResident($0) }
    }

    /// Takes what may not stay longer from the resident conversations.
    /// - Returns: for each such message, whom to tell that it failed.
    package mutating func expire(upTime: UInt64, writes: inout [StoreWrite]) -> [(failure: Failure, sender: RosterEntry)] {
        var failures: [(failure: Failure, sender: RosterEntry)] = []
        for id in conversations.filter({ ($0.value.log.first?.expires ?? .max) <= upTime }).keys.sorted() {
            guard var conversation = conversations[id] else { continue }
            let lines = conversation.expire(upTime: upTime)
            conversations[id] = conversation
            release(lines.map(\.number), of: conversation.key, writes: &writes)
            for line in lines where !Self.reached(line, in: conversation) {
                let refusal = Refusal(.expired, "No device of a recipient took it in time.")
                failures.append((Failure(key: conversation.key, message: line.message, refusal: refusal), line.sender))
            }
        }
        return failures
    }

    /// Whether a device of another user has the event.
    private static func reached(_ line: Conversation.Line, in conversation: Conversation) -> Bool {
        conversation.roster.contains { $0.user != line.sender.user && (conversation.watermarks[$0.device] ?? 0) >= line.number }
    }

    private func release(_ numbers: [SequenceNumber], of key: ConversationKey, writes: inout [StoreWrite]) {
        for number in numbers { writes.append(.releaseEvent(EventKey(conversation: key, number: number))) }
    }
}
