internal import Cryptography
public import Vocabulary

/// One direct conversation as this device has followed it: how far, and the chain there.
public struct Conversation: Hashable, Sendable {
    public enum Origin: Hashable, Sendable {
        /// We founded it by this message, which waits in the outbox until the hub has it.
        case ours(creation: MessageID, isCreated: Bool)
        case theirs
    }

    /// An own message that the hub has numbered and the peer's device has not yet confirmed.
    public struct Awaiting: Hashable, Sendable {
        public let number: SequenceNumber
        public let chain: Digest
        public let message: MessageID
    }

    public let key: ConversationKey
    public let peer: UserID
    public internal(set) var origin: Origin
    /// The peer's devices that may confirm what they have: those we sealed to or opened a message from.
    public internal(set) var peerDevices: [DeviceID]
    public internal(set) var head: SequenceNumber
    public internal(set) var chain: Digest
    /// The hub contradicted itself: nothing more is shown, confirmed or sent here.
    public internal(set) var isBroken: Bool
    /// A confirmation of more than we have; it counts once we have it.
    public internal(set) var held: Watermark?
    /// Rising by number; rebuilt from the outbox.
    var awaiting: [Awaiting] = []
    /// Heads of late, so that a confirmation below the head can be compared; in memory only.
    private var recent: [(number: SequenceNumber, chain: Digest)] = []

    init(key: ConversationKey, peer: UserID, origin: Origin, peerDevices: [DeviceID]) {
        self.key = key
        self.peer = peer
        self.origin = origin
        self.peerDevices = peerDevices.sorted()
        head = .zero
        chain = Chain.start(key)
        isBroken = false
    }

    /// Still waiting for the hub to know of it.
    var pendingCreation: MessageID? {
        if case .ours(let creation, false) = origin { creation } else { nil }
    }

    /// What an event that claims to be the next one is.
    enum Step: Equatable {
        case next(Digest)
        case known
        case gap
        case chainBroken
    }

    /// Pure: compares number and chain with what we have.
    func step(
        _ number: SequenceNumber, chain claimed: Digest, sender: RosterEntry, message: MessageID, kind: EventKind, epoch: Epoch,
        payload: [UInt8]
    ) -> Step {
        guard number > head else { return .known }
        guard number == head.next else { return .gap }
        let computed = Chain.next(
            after: chain, number: number, sender: sender, message: message, kind: kind, epoch: epoch, payload: payload)
        return computed == claimed ? .next(computed) : .chainBroken
    }

    mutating func advance(to digest: Digest) {
        head = head.next
        chain = digest
        recent.append((head, digest))
        if recent.count > 64 { recent.removeFirst(32) }
    }

    /// The chain as of a number, where we still know it.
    func chain(at number: SequenceNumber) -> Digest? {
        if number == head { return chain }
        if let known = recent.last(where: { $0.number == number }) { return known.chain }
        return awaiting.first { $0.number == number }?.chain
    }

    mutating func add(peerDevice device: DeviceID) -> Bool {
        guard !peerDevices.contains(device), peerDevices.count < Limits.devicesPerUserMax * 4 else { return false }
        peerDevices.append(device)
        peerDevices.sort()
        return true
    }

    public static func == (x: Conversation, y: Conversation) -> Bool {
        x.key == y.key && x.peer == y.peer && x.origin == y.origin && x.peerDevices == y.peerDevices && x.head == y.head
            && x.chain == y.chain && x.isBroken == y.isBroken && x.held == y.held && x.awaiting == y.awaiting
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(key)
        hasher.combine(head)
    }
}

extension Conversation {
    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(1))
        writer.write(key)
        writer.write(peer)
        switch origin {
        case .ours(let creation, let isCreated):
            writer.write(UInt8(isCreated ? 2 : 1))
            writer.write(creation)
        case .theirs: writer.write(UInt8(3))
        }
        writer.write(vector: peerDevices) { $0.write($1) }
        writer.write(head)
        writer.write(chain)
        writer.write(UInt8(isBroken ? 1 : 0))
        writer.write(optional: held) { $0.write($1) }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of a conversation") }
        key = try reader.conversationKey()
        peer = try reader.id()
        switch try reader.integer(UInt8.self) {
        case 1: origin = .ours(creation: try reader.id(), isCreated: false)
        case 2: origin = .ours(creation: try reader.id(), isCreated: true)
        case 3: origin = .theirs
        default: throw .badValue("a conversation's origin")
        }
        peerDevices = try reader.vector { reader throws(CodecError) in try reader.id() }
        head = try reader.counter()
        chain = try reader.id()
        isBroken = try reader.integer(UInt8.self) == 1
        held = try reader.optional { reader throws(CodecError) in try reader.watermark() }
        try reader.finish()
    }
}
