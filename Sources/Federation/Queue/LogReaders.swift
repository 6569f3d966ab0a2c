package import Vocabulary

/// Devices of ours that were away when something was said in a large conversation of ours. It is not put into the queue of each of them: it
/// stands in the hub's log, which holds it until they have it, and they read it there when they are back. A row for each absence and
/// conversation in place of one for each message and device.
///
/// away ──back──▶ turn: some events are read from disk, and sent ──acknowledged──▶ the next turn … nothing left ──▶ queues, as everybody
///
/// Source: docs/protocol/hub.md, "Queues"; decision 10.
package struct LogReaders: Sendable {
    /// What a device that is back is being sent.
    struct Turn: Sendable {
        let session: SessionID
        /// Through here it has all of a conversation with what is being sent.
        var through: [ConversationID: SequenceNumber]
        /// Nothing that waits is left out.
        let isLast: Bool
        /// Of the last entry that was sent; nil while the disk is read.
        var position: QueuePosition?
    }

    /// The first event that each has not been given.
    private var first: [ConversationID: [DeviceID: SequenceNumber]] = [:]
    private var conversations: [DeviceID: Set<ConversationID>] = [:]
    private var turns: [DeviceID: Turn] = [:]
    package private(set) var count = 0
    package let unreadable: Int

    /// - Parameter rows: of `StoreTable.logReader`.
    package init(rows: [(key: [UInt8], value: [UInt8])] = []) {
        var unreadable = 0
        for (key, value) in rows {
            var reader = ByteReader(value)
            guard key.count == 48, let conversation = ConversationID(key.prefix(16)), let device = DeviceID(key.suffix(32)),
                let number: SequenceNumber = try? reader.counter()
            else {
                unreadable += 1
                continue
            }
            first[conversation, default: [:]][device] = number
            conversations[device, default: []].insert(conversation)
            count += 1
        }
        self.unreadable = unreadable
    }

    /// Those of one conversation, and from which event on.
    func readers(of conversation: ConversationID) -> [DeviceID: SequenceNumber] { first[conversation] ?? [:] }

    func conversations(of device: DeviceID) -> [ConversationID] { conversations[device]?.sorted() ?? [] }

    func isReader(_ device: DeviceID) -> Bool { conversations.index(forKey: device) != nil }

    /// Leaves an event in the log for these, who have been given all before it.
    mutating func leave(_ number: SequenceNumber, of conversation: ConversationID, for devices: [DeviceID]) -> [StoreWrite] {
        var writer = ByteWriter(reservingCapacity: 8)
        writer.write(number)
        let row = writer.bytes
        for device in devices {
            first[conversation, default: [:]][device] = number
            conversations[device, default: []].insert(conversation)
        }
        count += devices.count
        return devices.map { .put(.logReader, key: Self.key(conversation, $0), value: row) }
    }

    /// It has been given everything before this one. On disk it stays where it is: what a device has it says itself.
    mutating func move(_ device: DeviceID, in conversation: ConversationID, to number: SequenceNumber) {
        guard first[conversation]?[device] != nil else { return }
        first[conversation]?[device] = number
    }

    /// It has all, or is not in the conversation any more.
    mutating func remove(_ device: DeviceID, from conversation: ConversationID) -> [StoreWrite] {
        guard first[conversation]?.removeValue(forKey: device) != nil else { return [] }
        if first[conversation]?.isEmpty == true { first[conversation] = nil }
        conversations[device]?.remove(conversation)
        if conversations[device]?.isEmpty == true { conversations[device] = nil }
        count -= 1
        return [.remove(.logReader, key: Self.key(conversation, device))]
    }

    // MARK: Turns

    func turn(of device: DeviceID) -> Turn? { turns[device] }
    mutating func begin(_ turn: Turn, of device: DeviceID) { turns[device] = turn }
    mutating func endTurn(of device: DeviceID) { turns[device] = nil }

    /// Whether a device that is back has been sent all that waits in logs.
    func hasBeenSentAll(_ device: DeviceID) -> Bool {
        guard isReader(device) else { return true }
        return turns[device].map { $0.isLast && $0.position != nil } ?? false
    }

    private static func key(_ conversation: ConversationID, _ device: DeviceID) -> [UInt8] { conversation.bytes + device.bytes }
}
