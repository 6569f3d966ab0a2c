/// What an event of a conversation is.
public enum EventKind: UInt8, Hashable, Sendable {
    case application = 1
    /// Ends an epoch and begins the next (RFC 9420 §12.4).
    case commit = 2
    /// Waits for the next commit (RFC 9420 §12.1): above all, a member that leaves.
    case proposal = 3
    /// The hub was restored from a backup: `Restoration`.
    case restoration = 4
}

/// One roster line: a device and whose it is.
public struct RosterEntry: Hashable, Comparable, Sendable {
    public let user: UserID
    public let device: DeviceID

    public init(user: UserID, device: DeviceID) { (self.user, self.device) = (user, device) }
    public static func < (x: RosterEntry, y: RosterEntry) -> Bool { (x.user, x.device) < (y.user, y.device) }
}

/// What a device asks a hub to do.
public enum SubmissionKind: Hashable, Sendable {
    /// Found the conversation as an MLS group of the creator's device alone: a GroupInfo of epoch 0 with its tree. Not an event. The hub is
    /// the creator's home.
    case found(groupInfo: [UInt8])
    /// Given the next number, if the epoch is still the hub's.
    case commit(CommitBundle)
    /// A Remove of the sender itself: it leaves. MLSMessage with a PublicMessage.
    case proposal(epoch: Epoch, message: [UInt8])
    /// A sealed message, given the next number.
    case application(epoch: Epoch, payload: [UInt8])
    /// An answer to a hub that was restored. Not an event.
    case testimony(Testimony)
}

/// What a device hands to its home, for a hub. A repeat carries the same bytes.
/// Source: docs/protocol/hub.md §1.
public struct Submission: Hashable, Sendable {
    public let message: MessageID
    public let conversation: ConversationID
    public let hub: NodeID
    public let kind: SubmissionKind
    /// Seconds that hub and homes keep it; 0: the hub's default.
    public let timeToLive: UInt32
    /// Counts what the device has sealed, rising, never twice: the home remembers the highest, so that a device restored from an old copy is told.
    /// For the home alone: 0 on the way to the hub.
    public let order: UInt64

    public init(
        message: MessageID, conversation: ConversationID, hub: NodeID, kind: SubmissionKind, timeToLive: UInt32 = 0, order: UInt64 = 0
    ) {
        self.message = message
        self.conversation = conversation
        self.hub = hub
        self.kind = kind
        self.timeToLive = timeToLive
        self.order = order
    }
}

/// A conversation as nodes see it: the same id at another hub is another conversation.
public struct ConversationKey: Hashable, Comparable, Sendable {
    public let hub: NodeID
    public let conversation: ConversationID

    public init(hub: NodeID, conversation: ConversationID) { (self.hub, self.conversation) = (hub, conversation) }
    public static func < (x: ConversationKey, y: ConversationKey) -> Bool { (x.hub, x.conversation) < (y.hub, y.conversation) }
    /// The hub is left out: of one id there are as many as there are members at most.
    public func hash(into hasher: inout Hasher) { hasher.combine(conversation) }
}

public struct EventKey: Hashable, Comparable, Sendable {
    public let conversation: ConversationKey
    public let number: SequenceNumber
    /// 0: the event itself; from 1 on: a part of the Welcome that came with it.
    public let part: UInt16

    public init(conversation: ConversationKey, number: SequenceNumber, part: UInt16 = 0) {
        (self.conversation, self.number, self.part) = (conversation, number, part)
    }

    public static func < (x: EventKey, y: EventKey) -> Bool { (x.conversation, x.number, x.part) < (y.conversation, y.number, y.part) }
    /// Parts are few.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(conversation)
        hasher.combine(number.value)
    }
}

/// One numbered event on its way, with the routing data around it.
public struct Envelope: Hashable, Sendable {
    public let key: ConversationKey
    public let number: SequenceNumber
    public let sender: RosterEntry
    public let message: MessageID
    public let kind: EventKind
    public let epoch: Epoch
    public let payload: [UInt8]
    /// The conversation's chain with this event in it (docs/protocol/hub.md §3).
    public let chain: Digest

    public init(
        key: ConversationKey, number: SequenceNumber, sender: RosterEntry, message: MessageID, kind: EventKind, epoch: Epoch,
        payload: [UInt8], chain: Digest
    ) {
        self.key = key
        self.number = number
        self.sender = sender
        self.message = message
        self.kind = kind
        self.epoch = epoch
        self.payload = payload
        self.chain = chain
    }

    public var eventKey: EventKey { EventKey(conversation: key, number: number) }
}

/// The hub's word to a sender: your message has this number. To the sender's device it stands for the event itself.
public struct Acceptance: Hashable, Sendable {
    public let key: ConversationKey
    public let number: SequenceNumber
    public let message: MessageID
    public let chain: Digest

    public init(key: ConversationKey, number: SequenceNumber, message: MessageID, chain: Digest) {
        (self.key, self.number, self.message, self.chain) = (key, number, message, chain)
    }
}

/// A device's signed word: "I have everything of this conversation through this number, and the chain there is this."
public struct Watermark: Hashable, Sendable {
    public let key: ConversationKey
    public let device: DeviceID
    public let through: SequenceNumber
    public let chain: Digest
    /// The device's, over `body`.
    public let signature: Signature

    public init(key: ConversationKey, device: DeviceID, through: SequenceNumber, chain: Digest, signature: Signature) {
        (self.key, self.device, self.through, self.chain, self.signature) = (key, device, through, chain, signature)
    }

    public static func body(key: ConversationKey, device: DeviceID, through: SequenceNumber, chain: Digest) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 128)
        writer.write(UInt16(1))
        writer.write(key)
        writer.write(device)
        writer.write(through)
        writer.write(chain)
        return writer.bytes
    }
}

/// A message that will never appear, and why.
public struct Failure: Hashable, Sendable {
    public let key: ConversationKey
    public let message: MessageID
    public let refusal: Refusal

    public init(key: ConversationKey, message: MessageID, refusal: Refusal) {
        (self.key, self.message, self.refusal) = (key, message, refusal)
    }
}

/// What waits for a device. Everything but events travels whole in its queue entry; an event's bytes are stored once.
public enum DeviceItem: Hashable, Sendable {
    case event(Envelope)
    case accepted(Acceptance)
    case failed(Failure)
    case watermark(Watermark)
    case welcome(WelcomePart)
    case mark(SealedMark)
}

/// What waits for another node.
public enum NodeItem: Hashable, Sendable {
    /// From one of our devices, for a conversation that the other node is hub of.
    case submission(Submission, sender: RosterEntry)
    /// From a conversation of ours, for these devices of the other node.
    case event(Envelope, recipients: [DeviceID])
    case accepted(Acceptance, device: DeviceID)
    case failed(Failure, device: DeviceID)
    /// From one of our devices, for the hub.
    case watermark(Watermark)
    /// From a conversation of ours, for the devices of the other node whose messages it newly covers.
    case receipt(Watermark, devices: [DeviceID])
    /// From a conversation of ours, for devices of the other node that a commit has added.
    case welcome(WelcomePart, recipients: [DeviceID])
    /// A read receipt of one of our devices, for the hub, which passes it to these devices.
    case mark(SealedMark, devices: [DeviceID])
    /// A read receipt in a conversation of ours, for these devices of the other node.
    case marked(SealedMark, devices: [DeviceID])
}
