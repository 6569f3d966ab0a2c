/// What a hub that was restored from a backup says to a conversation: the payload of an event of kind `restoration`. It stands in the
/// log and in the queues as any event, so every device of the roster has it in its place: behind all that its home still had for it.
/// Source: docs/protocol/hub.md, "Restoration".
public struct Restoration: Hashable, Sendable {
    public enum Stage: Hashable, Sendable {
        /// The hub's copy is old. Numbers go on from here, beyond any that may have been given; who is in the conversation says what it has.
        case begun
        /// This device is ahead of the copy: it is asked for the group.
        case asked(DeviceID)
        case settled(Settlement)
    }

    /// With what the conversation goes on.
    public struct Settlement: Hashable, Sendable {
        /// The highest number that anybody has told of from before.
        public let head: SequenceNumber
        public let epoch: Epoch
        /// `Restoration.digest` of the group of that epoch.
        public let group: Digest
        /// Whose word the group is; nil: the copy's own.
        public let by: RosterEntry?

        public init(head: SequenceNumber, epoch: Epoch, group: Digest, by: RosterEntry?) {
            (self.head, self.epoch, self.group, self.by) = (head, epoch, group, by)
        }
    }

    /// Names the restoration of the hub; a later one has a higher one.
    public let id: UInt64
    /// The last event that the copy has, and the chain there.
    public let from: SequenceNumber
    public let chain: Digest
    /// The first event of this restoration: what was sealed by somebody who had not seen it is sealed anew.
    public let began: SequenceNumber
    /// The chain in front of this event: for who sees it without the one before.
    public let previous: Digest
    public let stage: Stage

    public init(id: UInt64, from: SequenceNumber, chain: Digest, began: SequenceNumber, previous: Digest, stage: Stage) {
        (self.id, self.from, self.chain, self.began) = (id, from, chain, began)
        (self.previous, self.stage) = (previous, stage)
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 256)
        writer.write(UInt16(1))
        writer.write(id)
        writer.write(from)
        writer.write(chain)
        writer.write(began)
        writer.write(previous)
        switch stage {
        case .begun: writer.write(UInt8(1))
        case .asked(let device):
            writer.write(UInt8(2))
            writer.write(device)
        case .settled(let settlement):
            writer.write(UInt8(3))
            writer.write(settlement.head)
            writer.write(settlement.epoch)
            writer.write(settlement.group)
            writer.write(optional: settlement.by) { $0.write($1) }
        }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of a restoration") }
        id = try reader.counter(SequenceNumber.self).value
        (from, chain) = (try reader.counter(), try reader.id())
        (began, previous) = (try reader.counter(), try reader.id())
        switch try reader.integer(UInt8.self) {
        case 1: stage = .begun
        case 2: stage = .asked(try reader.id())
        case 3:
            stage = .settled(
                Settlement(
                    head: try reader.counter(), epoch: try reader.counter(), group: try reader.id(),
                    by: try reader.optional { reader throws(CodecError) in try reader.rosterEntry() }))
        default: throw .badValue("the stage of a restoration")
        }
        try reader.finish()
    }
}

/// A device's word to a restored hub: what it has of the conversation.
public struct Testimony: Hashable, Sendable {
    /// The restoration it answers.
    public let restoration: UInt64
    /// How far the device had come before, signed; nil for one that had nothing.
    public let watermark: Watermark?
    /// Of the device's group; zero for one that has none.
    public let epoch: Epoch
    public let group: Digest
    /// Of a `GroupParcel`, for the hub that asked this device; its head and chain say nothing.
    public let part: AnswerPart?

    public init(restoration: UInt64, watermark: Watermark?, epoch: Epoch, group: Digest, part: AnswerPart? = nil) {
        (self.restoration, self.watermark, self.epoch, self.group) = (restoration, watermark, epoch, group)
        self.part = part
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 256 + (part?.bytes.count ?? 0))
        writer.write(UInt16(1))
        writer.write(restoration)
        writer.write(optional: watermark) { $0.write($1) }
        writer.write(epoch)
        writer.write(group)
        writer.write(optional: part) { writer, part in
            writer.write(part.index)
            writer.write(part.count)
            writer.write(opaque: part.bytes)
        }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of a testimony") }
        restoration = try reader.counter(SequenceNumber.self).value
        watermark = try reader.optional { reader throws(CodecError) in try reader.watermark() }
        (epoch, group) = (try reader.counter(), try reader.id())
        part = try reader.optional { reader throws(CodecError) in
            let (index, count): (UInt16, UInt16) = (try reader.integer(), try reader.integer())
            guard index < count, count <= Limits.partsMax else { throw .badValue("the place of a part") }
            return AnswerPart(index: index, count: count, bytes: Array(try reader.opaque(max: Limits.partBytesMax)))
        }
        try reader.finish()
    }
}
