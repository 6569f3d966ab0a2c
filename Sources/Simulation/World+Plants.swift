internal import ClientCore
internal import Cryptography
internal import Federation
internal import Groups
internal import Vocabulary

/// What a planted bug remembers.
struct PlantState {
    var count = 0
    var seen: [MessageID: Epoch] = [:]
    var copies: [Int: MemoryStore.Copy] = [:]
    var cursor = QueuePosition.zero
    /// Shown late, by device.
    var held: [Int: MessageRecord] = [:]
}

// Where bugs are planted. Each of these is the identity without one.
extension World {
    /// One in so many.
    private mutating func isDue(_ period: Int) -> Bool {
        planted.count += 1
        return planted.count % period == 0
    }

    // MARK: The node's writer and store

    mutating func spoil(_ store: MemoryStore, of index: Int) {
        switch plant {
        case .losesCommits: store.defect = .forgetsCommits(every: 60)
        case .dropsOldestOnQuota: store.defect = .dropsOldest(above: 2)
        case .prunesOnNodeAck: store.defect = .prunesOnNodeAck
        case .handsOutKeyPackagesTwice: store.defect = .ignores(.keyPackages)
        case .reusesNumbers:
            let copy = store.backup
            if let before = planted.copies[index] { store.revert(.head, to: before) }
            planted.copies[index] = copy
        default: break
        }
    }

    /// What is said at once, and what waits for the commit.
    mutating func spoiled(_ effects: [NodeEffect]) -> (early: [NodeEffect], waiting: [NodeEffect]) {
        switch plant {
        case .acknowledgesBeforeCommit:
            (effects.filter { !$0.isWrite }, effects.filter(\.isWrite))
        default: ([], effects)
        }
    }

    mutating func spoiled(_ writes: [StoreWrite], of index: Int) -> [StoreWrite] {
        guard let plant else { return writes }
        let life = nodes[index].life
        switch plant {
        case .acknowledgesBeforeCommit:
            if writes.contains(where: \.needsRoom), isDue(40) { agenda.add(.crashNode(index, life: life), at: now) }
        case .storesCursorApart:
            let cursors = writes.filter { if case .put(.linkCursor, _, _) = $0 { true } else { false } }
            guard !cursors.isEmpty, cursors.count < writes.count else { break }
            try? nodes[index].store.stage(cursors)
            nodes[index].store.sync()
            if isDue(20) { agenda.add(.crashNode(index, life: life), at: now) }
            return writes.filter { if case .put(.linkCursor, _, _) = $0 { false } else { true } }
        case .acceptsOlderRecords: return withOlderRecords(writes, of: index)
        default: break
        }
        return writes
    }

    // MARK: What a node says

    mutating func spoiled(_ frames: [NodeFrame], from node: Int, to device: Int) -> [NodeFrame] {
        guard let plant else { return frames }
        return frames.flatMap { frame -> [NodeFrame] in
            switch (plant, frame) {
            case (.forgesReceipts, .entry(let position, .watermark(let mark))) where isDue(5):
                let forged = Watermark(
                    key: mark.key, device: mark.device, through: mark.through.next, chain: mark.chain, signature: mark.signature)
                return [.entry(position, .watermark(forged))]
            case (.losesReceipts, .entry(_, .watermark)), (.losesReceipts, .entry(_, .mark)): return []
            case (.refusesWhatItTook, .sent(let message)) where isDue(10):
                return [frame, .refusedMessage(message, Refusal(.notPermitted, "A bug says so."))]
            default: return [frame]
            }
        }
    }

    mutating func spoiled(_ frame: LinkFrame, from node: Int, to peer: Int?) -> [LinkFrame] {
        switch (plant, frame) {
        case (.resumesWrongCursor, .hello(let versions, let federation, let cursor, let statements)):
            planted.cursor = max(planted.cursor, cursor)
            return [.hello(versions: versions, federation: federation, readThrough: planted.cursor, statements: statements)]
        case (.skipsNodeInFanOut, .entry(_, .event)) where peer == 1: return []
        default: return [frame]
        }
    }

    // MARK: The client's shell

    mutating func spoiled(_ frames: [ClientFrame], of device: Int) -> [ClientFrame] {
        guard let plant else { return frames }
        return frames.map { frame in
            switch (plant, frame) {
            case (.numbersRepeats, .submit(let one)):
                guard case .application = one.kind, planted.seen.updateValue(Epoch(unchecked: 0), forKey: one.message) != nil else {
                    return frame
                }
                let (message, kind) = (MessageID.random(using: &random), one.kind)
                return .submit(
                    Submission(message: message, conversation: one.conversation, hub: one.hub, kind: kind, order: one.order))
            case (.sealsAnewOnRetry, .submit(let one)):
                // As if the first try had been lost on the way.
                guard case .application(let epoch, _) = one.kind, isDue(4) else { return frame }
                return sealedAnew(one, in: epoch, by: device).map { .submit($0) } ?? frame
            case (.confirmsBeyondStored, .acknowledge(let through, let marks, let order)) where isDue(10):
                let key = devices[device].disk.account.device
                let beyond = marks.map { mark in
                    let body = Watermark.body(key: mark.key, device: mark.device, through: mark.through.next, chain: mark.chain)
                    return Watermark(
                        key: mark.key, device: mark.device, through: mark.through.next, chain: mark.chain,
                        signature: key.sign(body, for: .watermark))
                }
                return .acknowledge(through: QueuePosition(unchecked: through.value + 8), watermarks: beyond, order: order)
            default: return frame
            }
        }
    }

    /// The same text under the next keys of the same epoch; the group's state is not stored with it.
    private mutating func sealedAnew(_ one: Submission, in epoch: Epoch, by device: Int) -> Submission? {
        let profile = devices[device].disk
        guard var group = group(one.conversation, at: device), group.epoch == epoch.value,
            let record = profile.history.last(where: { $0.message == one.message }), case .outgoing(let text) = record.body,
            let conversation = profile.conversations[one.conversation]
        else { return nil }
        let content = Content(.text(text), sent: record.sent, frankingKey: random.bytes32())
        let bytes = content.encoded()
        let binding = MessageBinding(
            message: one.message, head: conversation.head, chain: conversation.chain,
            franking: Content.franking(of: bytes, key: content.frankingKey))
        guard
            let payload = try? group.seal(
                bytes, authenticatedData: binding.encoded(), paddedTo: ClientLimits.paddingMultiple, using: &random)
        else { return nil }
        return Submission(
            message: one.message, conversation: one.conversation, hub: one.hub, kind: .application(epoch: epoch, payload: payload),
            order: one.order)
    }

    /// Whether the device dies before its commit, having said something already.
    mutating func isSpoiled(_ effects: [Device.Effect], of index: Int) -> Bool {
        guard plant == .showsBeforeCommit || plant == .storesAfterReceipt else { return false }
        let shown = effects.compactMap { effect -> MessageRecord? in
            if case .write(.message(let record)) = effect, !record.isOutgoing { record } else { nil }
        }
        guard !shown.isEmpty, isDue(10) else { return false }
        if plant == .showsBeforeCommit {
            for record in shown { recorder?.stored(record, at: index, now) }
        } else {
            for effect in effects { if case .send = effect { perform(effect, of: index) } }
        }
        return true
    }

    mutating func isForgotten(_ write: ClientWrite, of index: Int) -> Bool {
        switch (plant, write) {
        case (.forgetsOutbox, .outbox(let item)): !item.isNumbered
        case (.forgetsRatchet, .group): isDue(3)
        default: false
        }
    }

    mutating func spoiled(_ record: MessageRecord, of device: Int) -> [MessageRecord] {
        guard let plant, !record.isOutgoing else { return [record] }
        if plant == .showsTwice, isDue(10) { return [record, record] }
        guard plant == .ignoresNumberOrder else { return [record] }
        if let held = planted.held.removeValue(forKey: device) { return [record, held] }
        guard isDue(5) else { return [record] }
        planted.held[device] = record
        return []
    }

    mutating func spoiled(_ status: MessageStatus) -> MessageStatus {
        switch (plant, status.state) {
        case (.tellsDeliveredTooEarly, .sent): MessageStatus(.delivered, number: status.number)
        case (.reportsWrongNumber, .accepted) where isDue(5): MessageStatus(.accepted, number: status.number?.next)
        default: status
        }
    }
}

extension NodeEffect {
    fileprivate var isWrite: Bool { if case .write = self { true } else { false } }
}
