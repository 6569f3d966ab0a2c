/// A commit with what follows from it: one transaction at the hub (RFC 9420 §12.4, §14).
public struct CommitBundle: Hashable, Sendable {
    /// The epoch that the commit ends.
    public let epoch: Epoch
    /// MLSMessage with a PublicMessage.
    public let commit: [UInt8]
    /// MLSMessage with a Welcome, for the devices that the commit adds. Without the tree: the hub has it and hands it on.
    public let welcome: [UInt8]?
    /// MLSMessage with the GroupInfo of the epoch that the commit begins, without the tree: for devices that rejoin.
    public let groupInfo: [UInt8]

    public init(epoch: Epoch, commit: [UInt8], welcome: [UInt8]?, groupInfo: [UInt8]) {
        (self.epoch, self.commit, self.welcome, self.groupInfo) = (epoch, commit, welcome, groupInfo)
    }
}

/// One part of what a device needs to enter a conversation: the parts' bytes in a row are `WelcomeParcel`. A tree of 1,000 does not fit a frame.
public struct WelcomePart: Hashable, Sendable {
    public let key: ConversationKey
    /// The number of the commit that added the device.
    public let number: SequenceNumber
    /// From 0 below `count`.
    public let index: UInt16
    public let count: UInt16
    public let bytes: [UInt8]

    public init(key: ConversationKey, number: SequenceNumber, index: UInt16, count: UInt16, bytes: [UInt8]) {
        (self.key, self.number, self.index, self.count, self.bytes) = (key, number, index, count, bytes)
    }

    /// Where its bytes are stored; 0 is the event itself.
    public var eventKey: EventKey { EventKey(conversation: key, number: number, part: index + 1) }

    /// - Returns: no parts for what is longer than so many may hold.
    public static func parts(of bytes: [UInt8], key: ConversationKey, number: SequenceNumber) -> [WelcomePart] {
        let size = Limits.partBytesMax
        let count = max(1, (bytes.count + size - 1) / size)
        guard count <= Limits.partsMax else { return [] }
        return (0..<count).map { index in
            WelcomePart(
                key: key, number: number, index: UInt16(index), count: UInt16(count),
                bytes: Array(bytes[(index * size)..<min(bytes.count, (index + 1) * size)]))
        }
    }
}

/// What enters a device into a conversation: the Welcome, the tree it does not carry, and where the numbers stand.
public struct WelcomeParcel: Hashable, Sendable {
    /// Whose commit it was.
    public let sender: RosterEntry
    /// The chain with the commit in it: the newcomer goes on from here.
    public let chain: Digest
    /// MLSMessage with a Welcome.
    public let welcome: [UInt8]
    /// `ratchet_tree` (RFC 9420 §12.4.3.3) of the epoch that the commit began.
    public let tree: [UInt8]

    public init(sender: RosterEntry, chain: Digest, welcome: [UInt8], tree: [UInt8]) {
        (self.sender, self.chain, self.welcome, self.tree) = (sender, chain, welcome, tree)
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: welcome.count + tree.count + 160)
        writer.write(sender)
        writer.write(chain)
        writer.write(opaque: welcome)
        writer.write(opaque: tree)
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        (sender, chain) = (try reader.rosterEntry(), try reader.id())
        (welcome, tree) = (Array(try reader.opaque()), Array(try reader.opaque()))
        try reader.finish()
    }
}

/// What a device asks its hub for to rejoin by external commit (RFC 9420 §12.4.3.2); too long for a frame, it comes in parts.
public struct GroupParcel: Hashable, Sendable {
    public let groupInfo: [UInt8]
    public let tree: [UInt8]
    /// The last event that the hub has numbered.
    public let head: SequenceNumber
    public let chain: Digest

    public init(groupInfo: [UInt8], tree: [UInt8], head: SequenceNumber, chain: Digest) {
        (self.groupInfo, self.tree, self.head, self.chain) = (groupInfo, tree, head, chain)
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: groupInfo.count + tree.count + 80)
        writer.write(opaque: groupInfo)
        writer.write(opaque: tree)
        writer.write(head)
        writer.write(chain)
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        (groupInfo, tree) = (Array(try reader.opaque()), Array(try reader.opaque()))
        (head, chain) = (try reader.counter(), try reader.id())
        try reader.finish()
    }
}

/// One part of a long answer, in order.
public struct AnswerPart: Hashable, Sendable {
    public let index: UInt16
    public let count: UInt16
    public let bytes: [UInt8]

    public init(index: UInt16, count: UInt16, bytes: [UInt8]) { (self.index, self.count, self.bytes) = (index, count, bytes) }

    /// - Returns: no parts for what is longer than so many may hold.
    public static func parts(of bytes: [UInt8]) -> [AnswerPart] {
        let size = Limits.partBytesMax
        let count = max(1, (bytes.count + size - 1) / size)
        guard count <= Limits.partsMax else { return [] }
        return (0..<count).map { index in
            AnswerPart(
                index: UInt16(index), count: UInt16(count), bytes: Array(bytes[(index * size)..<min(bytes.count, (index + 1) * size)]))
        }
    }
}

/// A read receipt on its way: like a watermark only the newest of a device counts, but what it says is sealed under a key that
/// the group exports, so that nodes see neither what was read nor how far (DESIGN 5, step 8).
public struct SealedMark: Hashable, Sendable {
    public let key: ConversationKey
    /// Whose mark it is.
    public let device: DeviceID
    /// The epoch whose key seals it.
    public let epoch: Epoch
    /// nonce (24 bytes) ‖ sealed.
    public let sealed: [UInt8]

    public init(key: ConversationKey, device: DeviceID, epoch: Epoch, sealed: [UInt8]) {
        (self.key, self.device, self.epoch, self.sealed) = (key, device, epoch, sealed)
    }
}

/// Something of the moment, typing above all: sealed as a mark is, never stored, dropped wherever it cannot go on at once.
public struct Signal: Hashable, Sendable {
    public let key: ConversationKey
    public let sender: RosterEntry
    public let epoch: Epoch
    public let sealed: [UInt8]

    public init(key: ConversationKey, sender: RosterEntry, epoch: Epoch, sealed: [UInt8]) {
        (self.key, self.sender, self.epoch, self.sealed) = (key, sender, epoch, sealed)
    }
}
