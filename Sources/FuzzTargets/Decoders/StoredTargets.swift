internal import ClientCore
internal import Groups
internal import MLS
internal import Storage
internal import Vocabulary

/// What a disk gives back: sealed, so that others cannot choose it, but a version of this program that had a mistake could have.
enum StoredTargets {
    static func journal() throws -> Decoders {
        let writes = try HonestWorld.shared().writes
        var frames: [[UInt8]] = []
        for chunk in stride(from: 0, to: writes.count, by: 5) {
            var bytes: [UInt8] = []
            for write in writes[chunk..<min(chunk + 5, writes.count)] { JournalCodec.append(write, to: &bytes) }
            frames.append(bytes)
        }
        var highest: [UInt8] = []
        JournalCodec.append(highest: 77, to: &highest)
        return Decoders([
            .init("journal frame", seeds: frames + [highest]) { bytes in
                let read = try JournalCodec.writes(bytes)
                return JournalFrame(writes: read.writes, highest: read.highest)
            } encode: { (frame: JournalFrame) in
                var bytes: [UInt8] = []
                for write in frame.writes { JournalCodec.append(write, to: &bytes) }
                if frame.highest > .zero { JournalCodec.append(highest: frame.highest, to: &bytes) }
                return bytes
            }
        ])
    }

    private struct JournalFrame {
        let writes: [StoreWrite]
        let highest: QueuePosition
    }

    static func profile() throws -> Decoders {
        let scene = try HonestWorld.shared()
        let profiles = scene.profiles
        func rows<T>(_ values: [T], _ encode: (T) -> [UInt8]) -> [[UInt8]] { values.prefix(12).map(encode) }
        let contacts = profiles.flatMap { $0.contacts.values.sorted { $0.user < $1.user } }
        let conversations = profiles.flatMap { $0.conversations.values.sorted { $0.id < $1.id } }
        let history = profiles.flatMap(\.history)
        let statuses = history.map(\.status) + [MessageStatus(.failed, refusal: Refusal(.staleEpoch, "no", epoch: 3))]
        let receipts = profiles.flatMap { $0.receipts.values.flatMap(\.values).sorted { $0.entry < $1.entry } }
        let alarm = AlarmRecord(alarm: .otherHub, key: scene.key, number: 3, time: Timestamp(milliseconds: 9))
        return Decoders([
            .init("account", seeds: profiles.map { $0.account.encoded() }, decode: Account.init(decoding:)) { $0.encoded() },
            .init("settings row", seeds: rows(profiles.compactMap(\.settings)) { $0.encoded() }, decode: Settings.init(decoding:)) {
                $0.encoded()
            },
            .init("contact", seeds: rows(contacts) { $0.encoded() }, decode: Contact.init(decoding:)) { $0.encoded() },
            .init("conversation", seeds: rows(conversations) { $0.encoded() }, decode: Conversation.init(decoding:)) { $0.encoded() },
            .init("outbox item", seeds: scene.outbox.map { $0.encoded() }, decode: OutboxItem.init(decoding:)) { $0.encoded() },
            .init("message", seeds: rows(history) { $0.encoded() }) {
                try MessageRecord(decoding: $0, status: MessageStatus(.sent))
            } encode: {
                $0.encoded()
            },
            .init("message status", seeds: rows(statuses) { $0.encoded() }, decode: MessageStatus.init(decoding:)) { $0.encoded() },
            .init("alarm", seeds: [alarm.encoded()], decode: AlarmRecord.init(decoding:)) { $0.encoded() },
            .init("receipt line", seeds: rows(receipts) { $0.encoded() }, decode: ReceiptLine.init(decoding:)) { $0.encoded() },
            .init("stored group", seeds: scene.groups.map(\.blob)) { bytes in
                let stored = try StoredGroup(blob: bytes)
                _ = try? Group(restoring: stored)
                return stored
            } encode: {
                $0.blob
            },
            .init(seeds: scene.keyPackages) { bytes throws(Finding) in (try? OwnKeyPackage(stored: bytes)) != nil },
        ])
    }
}
