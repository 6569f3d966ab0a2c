internal import Cryptography
internal import Vocabulary

// Watermarks and read receipts on their way to those whose messages they cover (docs/protocol/hub.md, "Watermarks and receipts").
extension Node {
    /// A device's watermark for a conversation of ours: prunes the log and tells the senders it newly covers.
    ///
    /// - Parameter isOwn: it came on the device's own session. Then it need not be signed to speak for its device, only to be passed on.
    /// - Returns: false when its signature was looked at and does not hold.
    @discardableResult
    mutating func cover(_ watermark: Watermark, of user: UserID?, isOwn: Bool = false) -> Bool {
        // The newest counts alone: one that its readers would drop must not stand in the place of a true one.
        guard hub.isNews(watermark, of: user) else { return true }
        // After its own messages a device's watermark concerns nobody else: half of all signatures are not looked at.
        if isOwn, hub.coversNoOther(watermark) {
            raise(watermark)
            return true
        }
        let isLarge = hub.rosterCount(of: watermark.key.conversation) >= Limits.gatheredReceiptsRosterMin
        if isLarge, !traffic.gathered.admit(watermark, at: now) { return true }
        return settle(watermark)
    }

    /// Those that have been held back long enough.
    mutating func settleGathered() {
        let due = traffic.gathered.due(at: now, max: Limits.gatheredPerStep) { [hub] in hub.isAsleep($0) }
        for conversation in due.sleeping { out.append(.load(.conversation(conversation))) }
        for watermark in due.watermarks { settle(watermark) }
    }

    mutating func settleGathered(of conversation: ConversationID) {
        for watermark in traffic.gathered.woken(conversation, at: now) { settle(watermark) }
    }

    @discardableResult
    private mutating func settle(_ watermark: Watermark) -> Bool {
        // Not what a roster that has changed since it was held back, or a hub that was restored, makes void.
        guard hub.isNews(watermark, of: nil) else { return true }
        guard watermark.isSigned else {
            count("unsigned_watermarks_dropped")
            return false
        }
        raise(watermark)
        return true
    }

    private mutating func raise(_ watermark: Watermark) {
        var writes: [StoreWrite] = []
        let covered = hub.receive(watermark, writes: &writes)
        write(writes)
        if !covered.isEmpty { relay(watermark, to: covered) }
    }

    private mutating func relay(_ watermark: Watermark, to senders: [RosterEntry]) {
        var remote: [NodeID: [DeviceID]] = [:]
        let slot = Queues.Slot(key: watermark.key, device: watermark.device)
        for sender in senders {
            guard let home = directory.home(of: sender.user) else { continue }
            if home == id {
                enqueue(.watermark(watermark), for: sender.device, slot: slot)
            } else {
                remote[home, default: []].append(sender.device)
            }
        }
        for node in remote.keys.sorted() {
            replace(slot, for: node, devices: remote[node] ?? []) { .receipt(watermark, devices: $0) }
        }
    }

    /// Puts the newest in the place of one that the node has not been sent yet, for those that either concerns: receipts do not pile up.
    private mutating func replace(
        _ slot: Queues.Slot, for node: NodeID, devices: [DeviceID], on origin: Queues.Origin? = nil, item: ([DeviceID]) -> NodeItem
    ) {
        let all = Set(devices).union(queues.unsent(slot, for: .node(node))).sorted()
        guard all.count <= Limits.recipientsPerEntryMax else {
            for some in devices.chunks(of: Limits.recipientsPerEntryMax) { enqueue(item(some), for: node, on: origin) }
            return
        }
        enqueue(item(all), for: node, slot: slot, slotDevices: all, on: origin)
    }

    // MARK: Read receipts

    /// A device's own mark, for the hub of its conversation.
    mutating func mark(_ mark: SealedMark, for devices: [DeviceID], from device: RosterEntry) {
        guard mark.device == device.device, devices.count <= Limits.markedDevicesMax, !isSpaceLow else { return count("marks_dropped") }
        if mark.key.hub == id {
            relay(mark, to: devices, of: device.user)
        } else if membership.evaluation.isMember(mark.key.hub) {
            let (slot, origin) = (Queues.Slot(key: mark.key, device: mark.device, isMark: true), Queues.Origin.receipts(device.user))
            guard queues.refusal(of: origin) == nil else { return count("marks_dropped") }
            replace(slot, for: mark.key.hub, devices: devices, on: origin) { .mark(mark, devices: $0) }
        }
    }

    /// At the hub: to those of the devices that are in the conversation.
    mutating func relay(_ mark: SealedMark, to devices: [DeviceID], of user: UserID) {
        let conversation = mark.key.conversation
        guard let epoch = hub.epoch(of: conversation), mark.epoch <= epoch, mark.sealed.count <= Limits.sealedMarkBytesMax,
            hub.contains(RosterEntry(user: user, device: mark.device), in: conversation)
        else { return count("marks_dropped") }
        let slot = Queues.Slot(key: mark.key, device: mark.device, isMark: true)
        var remote: [NodeID: [DeviceID]] = [:]
        for device in Set(devices.prefix(Limits.recipientsPerEntryMax)).sorted() where device != mark.device {
            guard let owner = hub.user(of: device, in: conversation), let home = directory.home(of: owner) else { continue }
            if home != id { remote[home, default: []].append(device) } else { take(mark, for: device) }
        }
        for node in remote.keys.sorted() where membership.evaluation.isMember(node) {
            replace(slot, for: node, devices: remote[node] ?? []) { .marked(mark, devices: $0) }
        }
    }

    /// At the home of these devices.
    mutating func take(_ mark: SealedMark, for device: DeviceID, from hub: NodeID? = nil) {
        enqueue(.mark(mark), for: device, slot: Queues.Slot(key: mark.key, device: mark.device, isMark: true), from: hub)
    }
}

extension Array {
    func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
