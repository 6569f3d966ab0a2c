public import Vocabulary

/// What came so far of a Welcome of several parts.
public struct UnfinishedWelcome: Hashable, Sendable {
    public let key: ConversationKey
    /// The commit's, and how many parts there are: what does not agree is another Welcome.
    let number: SequenceNumber
    let count: UInt16
    /// When its last part came.
    public fileprivate(set) var since: Timestamp
    fileprivate(set) var bytes: [UInt8]

    fileprivate init(_ first: WelcomePart, at time: Timestamp) {
        (key, number, count, since, bytes) = (first.key, first.number, first.count, time, first.bytes)
    }

    package var parts: Int { (bytes.count + Limits.partBytesMax - 1) / Limits.partBytesMax }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: bytes.count + 80)
        writer.write(key)
        writer.write(number)
        writer.write(count)
        writer.write(UInt64(clamping: since.milliseconds))
        writer.write(opaque: bytes)
        return writer.bytes
    }

    public init(decoding encoded: [UInt8]) throws(CodecError) {
        var reader = ByteReader(encoded)
        (key, number, count) = (try reader.conversationKey(), try reader.counter(), try reader.integer())
        since = Timestamp(milliseconds: Int64(clamping: try reader.integer(UInt64.self)))
        bytes = Array(try reader.opaque())
        try reader.finish()
    }
}

/// Welcomes of which parts are still to come, the one that has waited longest for its next part first.
///
/// Any member's node may begin as many as it likes, of conversations that it has made up: so there is a bound to what they take, and where
/// there is no room each hub displaces its own. What is displaced has been acknowledged and is not lost: the hub has it, and the device asks
/// for it as soon as anything more of the conversation comes, the next part included (`Device.meet`).
package struct UnfinishedWelcomes: Sendable {
    private var all: [UnfinishedWelcome]
    /// Since the last `takeChanged`.
    private var changed: Set<ConversationKey> = []

    package init(_ stored: [UnfinishedWelcome]) { all = stored.sorted { ($0.since, $0.key) < ($1.since, $1.key) } }

    package enum Step: Equatable {
        case whole([UInt8])
        case unfinished
        /// We have this part: what is not acknowledged comes again.
        case known
        /// What comes before this part is not here.
        case beginningMissing
        case malformed
    }

    package mutating func add(_ part: WelcomePart, at time: Timestamp) -> Step {
        let isLast = part.index + 1 == part.count
        // All parts but the last are full. Hence there are no more Welcomes than there may be parts.
        guard isLast || part.bytes.count == Limits.partBytesMax else { return .malformed }
        if part.count == 1 { return .whole(part.bytes) }
        let index = all.firstIndex { $0.key == part.key }
        if part.index == 0 {
            if let index { all.remove(at: index) }
            all.append(UnfinishedWelcome(part, at: time))
        } else {
            guard let index, all[index].number == part.number, all[index].count == part.count else { return .beginningMissing }
            let have = all[index].parts
            guard part.index >= have else { return .known }
            guard part.index == have else { return .beginningMissing }
            var one = all.remove(at: index)
            one.bytes += part.bytes
            one.since = time
            if isLast {
                changed.insert(one.key)
                return .whole(one.bytes)
            }
            all.append(one)
        }
        changed.insert(part.key)
        makeRoom(in: part.key.hub)
        return .unfinished
    }

    /// The conversation was entered, by whatever way.
    package mutating func remove(_ id: ConversationID) {
        changed.formUnion(all.filter { $0.key.conversation == id }.map(\.key))
        all.removeAll { $0.key.conversation == id }
    }

    /// What a home keeps no longer does not come any more.
    package mutating func expire(at time: Timestamp) {
        let old = all.filter { time.milliseconds - $0.since.milliseconds > ClientLimits.welcomesKeptFor.milliseconds }
        guard !old.isEmpty else { return }
        changed.formUnion(old.map(\.key))
        all.removeAll { old.contains($0) }
    }

    /// What is to be stored, rising by key; nil: nothing any more.
    package mutating func takeChanged() -> [(ConversationKey, UnfinishedWelcome?)] {
        defer { changed = [] }
        return changed.sorted().map { key in (key, all.first { $0.key == key }) }
    }

    private mutating func makeRoom(in hub: NodeID) {
        while parts(of: hub) > ClientLimits.welcomePartsPerHubMax, let oldest = all.firstIndex(where: { $0.key.hub == hub }) {
            drop(oldest)
        }
        while all.reduce(0, { $0 + $1.parts }) > ClientLimits.welcomePartsMax {
            // Of the hub that takes most: who begins little is not displaced by those who begin much.
            let shares = all.reduce(into: [NodeID: Int]()) { $0[$1.key.hub, default: 0] += $1.parts }
            let most = shares.values.max()
            guard let oldest = all.firstIndex(where: { shares[$0.key.hub] == most }) else { return }
            drop(oldest)
        }
    }

    private func parts(of hub: NodeID) -> Int { all.reduce(0) { $0 + ($1.key.hub == hub ? $1.parts : 0) } }

    private mutating func drop(_ index: Int) { changed.insert(all.remove(at: index).key) }
}
