internal import Cryptography
internal import Groups
internal import MLS
package import Vocabulary

// A hub that was restored from a backup: no number is given twice, and the members' word says with which group a conversation goes on
// (docs/protocol/hub.md, "Restoration"; decision 9). An old copy that is not marked as restored knows nothing of this, and is found out.
extension Hub {
    /// Whether a conversation has still to be taken up.
    package func mustRecover(_ id: ConversationID) -> Bool {
        guard restoration > 0, let one = conversations[id]?.value, one.restored < restoration else { return false }
        return one.recovery?.deadline == nil || one.recovery?.id != restoration
    }

    package func isRecovering(_ id: ConversationID) -> Bool {
        guard restoration > 0, let one = conversations[id]?.value else { return false }
        return one.restored < restoration
    }

    /// Conversations in memory of which nobody could be asked yet: they were loaded while the disk was full.
    package var untaken: [ConversationID] { restoration == 0 ? [] : conversations.keys.filter { mustRecover($0) }.sorted() }

    /// Of those in memory.
    package var recovering: [ConversationID] { conversations.filter { $0.value.value.recovery != nil }.keys.sorted() }

    package var nextRecovery: Instant? {
        restoration == 0 ? nil : conversations.values.compactMap { $0.value.recovery?.deadline }.min()
    }

    /// Jumps beyond every number that may have been given, and asks who is in the conversation.
    /// - Returns: the event for the roster.
    package mutating func recover(_ id: ConversationID, host: HubHost, at now: Instant, writes: inout [StoreWrite]) -> Envelope? {
        guard mustRecover(id), host.obstacle == nil else { return nil }
        let restoration = restoration
        return with(id) { one -> Envelope? in
            var recovery: Recovery
            if let before = one.recovery, before.id == restoration {
                // The process ended in between: everybody is asked anew.
                recovery = before
            } else {
                let began = Recovery.begin(after: one.head, restoration)
                guard began.value < counterMax else { return nil }
                recovery = Recovery(id: restoration, from: one.head, chain: one.chain, began: began)
                one.jump(to: began.previous)
            }
            recovery.deadline = now + Limits.recoveryPatience
            one.recovery = recovery
            return one.say(.begun, recovery, host: host, writes: &writes)
        } ?? nil
    }

    /// A device's answer.
    package mutating func receive(
        _ testimony: Testimony, in id: ConversationID, from sender: RosterEntry, host: HubHost, at now: Instant,
        writes: inout [StoreWrite]
    ) -> [Envelope] {
        guard isRecovering(id), testimony.restoration == restoration else { return [] }
        return with(id) { one -> [Envelope] in
            // Who came in after the copy was made is not known here; its word about the group would be a stranger's.
            guard var recovery = one.recovery, one.roster.contains(sender) else { return [] }
            if let watermark = testimony.watermark {
                guard watermark.key == one.key, watermark.device == sender.device, watermark.through < recovery.began, watermark.isSigned
                else { return [] }
            }
            recovery.testimonies[sender.device] = testimony.withoutPart
            if let part = testimony.part { one.take(part, from: sender, of: testimony, in: &recovery, host: host, writes: &writes) }
            one.recovery = recovery
            return one.proceed(host: host, at: now, writes: &writes)
        } ?? []
    }

    /// What is decided because the time is over.
    package mutating func recoveriesDue(host: HubHost, at now: Instant, writes: inout [StoreWrite]) -> [Envelope] {
        guard let next = nextRecovery, next <= now, host.obstacle == nil else { return [] }
        var said: [Envelope] = []
        for id in recovering where conversations[id]?.value.recovery?.deadline.map({ $0 <= now }) == true {
            said += with(id) { $0.proceed(host: host, at: now, writes: &writes) } ?? []
        }
        return said
    }
}

extension Conversation {
    /// Whether what was sealed had not seen the last restoration: it may have been numbered before, and be numbered twice.
    func isOutdated(_ payload: [UInt8]) -> Bool {
        guard began > 0, let data = try? MLSMessage(payload).authenticatedData, let binding = try? MessageBinding(decoding: data) else {
            return false
        }
        return binding.head < began
    }

    /// Numbers the hub's own word.
    fileprivate mutating func say(
        _ stage: Restoration.Stage, _ recovery: Recovery, host: HubHost, writes: inout [StoreWrite]
    ) -> Envelope {
        let restoration = Restoration(
            id: recovery.id, from: recovery.from, chain: recovery.chain, began: recovery.began, previous: chain, stage: stage)
        var name = ByteWriter()
        name.write(key)
        name.write(recovery.id)
        name.write(head.next)
        let event = NewEvent(
            message: MessageID(Hash.blake2b(name.bytes).bytes.prefix(16)) ?? MessageID(raw: Bytes16(0, 0)),
            sender: RosterEntry(user: UserID(raw: key.hub.raw), device: DeviceID(raw: key.hub.raw)), kind: .restoration,
            epoch: group.epoch, payload: restoration.encoded())
        let envelope = number(event, timeToLive: 0, host: host, writes: &writes)
        writes.append(.put(.conversation, key: ConversationRows.key(key), value: roomRow))
        return envelope
    }

    /// Asks for the newest group that anybody has told of; when there is none, or nobody gives it, the conversation goes on.
    fileprivate mutating func proceed(host: HubHost, at now: Instant, writes: inout [StoreWrite]) -> [Envelope] {
        guard var recovery, let deadline = recovery.deadline else { return [] }
        let isOver = deadline <= now
        if let answering = recovery.answering {
            guard isOver || adopted == answering.device else { return [] }
            recovery.answering = nil
        } else {
            guard isOver || roster.entries.allSatisfy({ recovery.testimonies[$0.device] != nil }) else { return [] }
        }
        if adopted == nil, let device = recovery.candidate(aheadOf: group.epoch) {
            recovery.asked.insert(device)
            recovery.answering = (device, [])
            recovery.deadline = now + Limits.recoveryPatience
            self.recovery = recovery
            return [say(.asked(device), recovery, host: host, writes: &writes)]
        }
        let settlement = Restoration.Settlement(
            head: recovery.head, epoch: group.epoch, group: (try? group.ready().digest) ?? .zero,
            by: adopted.flatMap { roster.entry(of: $0) })
        (self.recovery, restored, began, adopted) = (nil, recovery.id, recovery.began, nil)
        return [say(.settled(settlement), recovery, host: host, writes: &writes)]
    }

    /// One part of the group, from the device that was asked.
    fileprivate mutating func take(
        _ part: AnswerPart, from sender: RosterEntry, of testimony: Testimony, in recovery: inout Recovery, host: HubHost,
        writes: inout [StoreWrite]
    ) {
        guard let answering = recovery.answering, answering.device == sender.device,
            answering.bytes.count == Int(part.index) * Limits.partBytesMax
        else { return }
        let bytes = answering.bytes + part.bytes
        recovery.answering = (sender.device, bytes)
        guard part.index + 1 == part.count else { return }
        // A group that does not hold, or that is not what the device had told of: the next one is asked when its time is over.
        guard let parcel = try? GroupParcel(decoding: bytes),
            let step = try? GroupJudgement.adoption(of: parcel, epoch: testimony.epoch, by: sender, instead: group, key: key, host: host)
        else {
            recovery.deadline = .start
            return
        }
        adopt(step, by: sender, writes: &writes)
    }

    /// The group goes on from a member's word: the roster follows its tree.
    private mutating func adopt(_ step: GroupStep, by sender: RosterEntry, writes: inout [StoreWrite]) {
        group = step.follower
        adopted = sender.device
        // Who came in meanwhile has a Welcome of its own; from here on everything is for it.
        change(removed: step.removed, added: step.added)
        for entry in step.removed { writes.append(.remove(.watermark, key: ConversationRows.watermarkKey(key, entry.device))) }
        for entry in step.added {
            guard let row = roster.row(of: entry.device) else { continue }
            writes.append(.put(.watermark, key: ConversationRows.watermarkKey(key, entry.device), value: row))
        }
        writes.append(.put(.group, key: ConversationRows.key(key), value: step.follower.row))
    }
}

extension Testimony {
    fileprivate var withoutPart: Testimony { Testimony(restoration: restoration, watermark: watermark, epoch: epoch, group: group) }
}

extension PublicGroup {
    /// Names the group of one epoch: nobody else has such a transcript.
    var digest: Digest { Hash.blake2b(context.confirmedTranscriptHash + context.treeHash) }
}
