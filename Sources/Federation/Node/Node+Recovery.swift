public import Vocabulary

// After this node was restored from a backup (docs/protocol/hub.md, "Restoration"; decision 9).
extension Node {
    /// Takes a conversation up, if it has not been since this node was restored.
    /// - Returns: why nothing of it can be taken yet.
    @discardableResult
    mutating func recover(_ conversation: ConversationID) -> Refusal? {
        guard hub.restoration > 0 else { return nil }
        if hub.mustRecover(conversation) {
            // While it is known who is in it by our own word.
            if !isSpaceLow { enqueueUnread(of: conversation) }
            var writes: [StoreWrite] = []
            if let said = hub.recover(conversation, host: recoveryHost, at: now, writes: &writes) {
                write(writes)
                count("conversations_recovering")
                tellRoster(said)
            }
        }
        return hub.isRecovering(conversation) ? .recovering : nil
    }

    mutating func receive(_ testimony: Testimony, in conversation: ConversationID, from sender: RosterEntry) {
        recover(conversation)
        // As it is before the group is taken over: who was removed after the copy was made learns that it goes on without him.
        let before = fanOut(of: conversation)
        var writes: [StoreWrite] = []
        let said = hub.receive(testimony, in: conversation, from: sender, host: recoveryHost, at: now, writes: &writes)
        write(writes)
        for envelope in said { tellRoster(envelope, and: before) }
    }

    mutating func recoverOverdue() {
        var writes: [StoreWrite] = []
        let said = hub.recoveriesDue(host: recoveryHost, at: now, writes: &writes)
        write(writes)
        for envelope in said { tellRoster(envelope) }
    }

    private var recoveryHost: HubHost {
        hubHost(obstacle: isSpaceLow ? Refusal(.diskFull, "The hub's disk is full.") : nil)
    }

    /// To everybody of the roster as it is now, and to those of the one before who are not in it any more.
    private mutating func tellRoster(_ envelope: Envelope, and before: FanOut? = nil) {
        // Only to who is at a place that is known: others ask for the group when they come.
        guard let now = fanOut(of: envelope.key.conversation) else { return }
        tell(envelope, now)
        if let gone = before?.subtracting(now) { tell(envelope, gone) }
    }

    private mutating func tell(_ envelope: Envelope, _ fanOut: FanOut) {
        for device in fanOut.local { enqueueForMember(.event(envelope), for: device, of: fanOut) }
        for share in fanOut.remote {
            for recipients in share.devices.chunks(of: Limits.recipientsPerEntryMax) {
                enqueueForMember(.event(envelope, recipients: recipients), for: share.node, of: fanOut)
            }
        }
    }
}

extension NodeStore {
    /// Marks the store of a node as restored from a backup, before the node is started: it gives no number and hands out no KeyPackage that it
    /// may have given before. Returns once that is on disk.
    public func markRestored(at wall: Timestamp) throws(StoreError) {
        var before: UInt64 = 0
        if let row = try value(.meta, key: Node.restoredKey) {
            var reader = ByteReader(row)
            before = (try? reader.counter(SequenceNumber.self).value) ?? 0
        }
        var name = ByteWriter()
        name.write(min(max(before + 1, UInt64(clamping: wall.milliseconds)), counterMax))
        let stocks = try values(.keyPackages).map { StoreWrite.remove(.keyPackages, key: $0.key) }
        try commit([.put(.meta, key: Node.restoredKey, value: name.bytes)] + stocks)
    }
}
