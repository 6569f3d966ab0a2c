public import Vocabulary

/// Rows that must be in memory before an input is stepped.
public enum RowsNeeded: Hashable, Sendable {
    case conversation(ConversationID)
    /// Of a local device.
    case keyPackages(DeviceID)
    /// Of the hub's log, for a device that lacks them.
    case events([EventKey], for: RosterEntry)
    /// Of the hub's log, for a device that reads it.
    case log([EventKey], for: DeviceID, in: SessionID)

    /// Whether a write is of what would be read.
    public func isChanged(by write: StoreWrite) -> Bool {
        switch (self, write) {
        case (.keyPackages(let device), .put(.keyPackages, let key, _)), (.keyPackages(let device), .remove(.keyPackages, let key)):
            key == device.bytes
        case (.conversation(let id), .put(.conversation, let key, _)), (.conversation(let id), .put(.group, let key, _)),
            (.conversation(let id), .put(.head, let key, _)), (.conversation(let id), .put(.watermark, let key, _)),
            (.conversation(let id), .remove(.conversation, let key)), (.conversation(let id), .remove(.group, let key)),
            (.conversation(let id), .remove(.head, let key)), (.conversation(let id), .remove(.watermark, let key)):
            key.starts(with: id.bytes)
        case (.conversation(let id), .storeEvent(let key, _, _)), (.conversation(let id), .releaseEvent(let key)):
            key.conversation.conversation == id
        case (.events(let keys, _), .storeEvent(let key, _, _)), (.events(let keys, _), .releaseEvent(let key)),
            (.log(let keys, _, _), .storeEvent(let key, _, _)), (.log(let keys, _, _), .releaseEvent(let key)):
            keys.contains(key)
        // An event lives as long as an entry refers to it.
        case (.events, .dequeue), (.events, .withdraw), (.log, .dequeue), (.log, .withdraw): true
        default: false
        }
    }
}

public enum LoadedRows: Sendable {
    case conversation(ConversationID, ConversationRows)
    case keyPackages(DeviceID, [UInt8])
    case events(LogPage, for: RosterEntry)
    case log(LogPage, for: DeviceID, in: SessionID)
}

/// Events of the hub's log that were asked for by their keys: as many as may be read at a time, `Limits.logTurnBytesMax`.
public struct LogPage: Sendable {
    public var events: [(key: EventKey, bytes: [UInt8])] = []
    /// What was not looked for yet.
    public var rest: [EventKey] = []

    public init() {}
}

extension NodeStore {
    /// - Parameter hub: the node whose store it is.
    /// - Returns: nil when there are none; then the input is stepped without.
    public func rows(_ needed: RowsNeeded, hub: NodeID) throws(StoreError) -> LoadedRows? {
        switch needed {
        case .conversation(let conversation):
            let key = ConversationKey(hub: hub, conversation: conversation)
            return try ConversationRows.read(key, from: self).map { .conversation(conversation, $0) }
        case .keyPackages(let device):
            return try value(.keyPackages, key: device.bytes).map { .keyPackages(device, $0) }
        case .events(let keys, let entry):
            return .events(try page(keys), for: entry)
        case .log(let keys, let device, let session):
            return .log(try page(keys), for: device, in: session)
        }
    }

    private func page(_ keys: [EventKey]) throws(StoreError) -> LogPage {
        var (page, size) = (LogPage(), 0)
        for (index, key) in keys.enumerated() {
            guard size < Limits.logTurnBytesMax else {
                page.rest = Array(keys[index...])
                break
            }
            guard let bytes = try event(key) else { continue }
            size += bytes.count
            page.events.append((key, bytes))
        }
        return page
    }
}

extension Node {
    /// The rows that must be `loaded` before an input is stepped, if they are not in memory. What has no rows needs no answer.
    public func rowsNeeded(for input: NodeInput) -> [RowsNeeded] {
        var needed: [RowsNeeded] = []
        func need(_ hub: NodeID, _ conversation: ConversationID) {
            if hub == id, self.hub.isAsleep(conversation) { needed.append(.conversation(conversation)) }
        }
        func need(_ devices: [DeviceID]) {
            for device in devices where directory.isLocal(device) && !keyPackages.isResident(device) { needed.append(.keyPackages(device)) }
        }
        switch input {
        case .sessionFrame(_, .submit(let submission)): need(submission.hub, submission.conversation)
        case .sessionFrame(_, .acknowledge(_, let watermarks, _)):
            for watermark in watermarks { need(watermark.key.hub, watermark.key.conversation) }
        case .linkFrame(_, .entry(_, .submission(let submission, _))): need(submission.hub, submission.conversation)
        case .linkFrame(_, .entry(_, .watermark(let watermark))): need(watermark.key.hub, watermark.key.conversation)
        case .linkFrame(_, .entry(_, .failed(let failure, _))): need(failure.key.hub, failure.key.conversation)
        case .sessionFrame(_, .fetchGroup(_, let key)), .linkFrame(_, .fetchGroup(_, let key, _)): need(key.hub, key.conversation)
        case .sessionFrame(_, .refetch(let key, _, _)), .linkFrame(_, .refetch(let key, _, _, _)): need(key.hub, key.conversation)
        case .sessionFrame(_, .mark(let mark, _)), .linkFrame(_, .entry(_, .mark(let mark, _))): need(mark.key.hub, mark.key.conversation)
        case .sessionFrame(_, .signal(let signal)), .linkFrame(_, .signal(let signal, _)): need(signal.key.hub, signal.key.conversation)
        case .sessionFrame(_, .authenticate(let proof)): need([proof.device])
        case .sessionFrame(let session, .publishKeyPackages): need(sessions.device(of: session).map { [$0.device] } ?? [])
        case .sessionFrame(let session, .claimKeyPackages(_, let users)) where sessions.device(of: session) != nil: need(claimable(users))
        case .linkFrame(let link, .claimKeyPackages(_, let asker, let users)):
            // From strangers nothing is worth a look at the disk.
            if let peer = links[link]?.peer, directory.home(of: asker) == peer { need(claimable(users)) }
        case .paged(let order, let entries) where queues.receiver(of: order.destination) == .nobody:
            // Of what an expelled node does not take any more the roster tells whether anybody else has it.
            let keys = entries.compactMap { entry -> ConversationKey? in
                if case .event(let envelope, _)? = try? NodeItem(content: entry.content, event: entry.event) { envelope.key } else { nil }
            }
            for conversation in Set(keys.filter { $0.hub == id }.map(\.conversation)).sorted() { need(id, conversation) }
        case .admin(_, .user(let address)): need(devices(of: address))
        default: break
        }
        return needed
    }
}
