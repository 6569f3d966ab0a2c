internal import Cryptography
public import Groups
public import Vocabulary

/// One conversation as this device has followed it: how far, the chain there, and how we stand to it. The MLS group itself is kept apart.
public struct Conversation: Sendable {
    public enum Standing: UInt8, Hashable, Sendable {
        /// Begun by a stranger, and the user has not decided.
        case request = 1
        case accepted, declined
        /// We asked to be let out.
        case leaving
        /// We are out: nothing comes any more.
        case removed
        /// The hub contradicted itself: nothing more is shown, confirmed or sent here.
        case broken

        /// Whether events of it are still taken.
        var isFollowed: Bool { self == .request || self == .accepted || self == .leaving || self == .declined }
    }

    public enum Origin: Hashable, Sendable {
        /// We founded it by this message, which waits in the outbox until the hub has it.
        case ours(founding: MessageID, isFounded: Bool)
        case theirs
    }

    public let key: ConversationKey
    public internal(set) var standing: Standing
    public internal(set) var origin: Origin
    public internal(set) var profile: GroupProfile
    /// It has taken the place of the group that it says it goes on from (`Device+Resets`).
    public internal(set) var hasSucceeded = false
    public internal(set) var head: SequenceNumber
    public internal(set) var chain: Digest
    /// The MLS state cannot be used, or must not be (an old copy): we rejoin by external commit before we send.
    public internal(set) var isStale: Bool
    /// The number of the event that brought this device in.
    public internal(set) var joined: SequenceNumber
    /// What lies behind it was followed event by event: a message of ours that had no number yet has none there.
    private(set) var followed: SequenceNumber = .zero
    /// While it is not taken any more, or not yet again, what comes: through here everything was.
    var resumed: SequenceNumber?
    /// Something has come under this number: the hub has given all that are before it, whether or not they have come.
    var given: SequenceNumber = .zero
    /// What we have was not said yet, though the entries it came with are gone at home (`Pace`).
    public internal(set) var isOwing = false
    /// Shown to the user through here.
    public internal(set) var shown: SequenceNumber
    public internal(set) var intents: [Intent]
    /// Our commit on its way: nothing else is committed or sealed meanwhile.
    public internal(set) var committing: MessageID?
    /// Through a restoration of the hub, the last there was.
    var passage: Passage?
    /// Keys of the last few epochs for read receipts, the newest last.
    var markKeys: [MarkKey]
    /// Who was in it and is not any more, the last of them last: a hub that was restored may be back where they were.
    private(set) var former: [UserID] = []

    // In memory alone; rebuilt or asked for again.
    /// Own messages that not everybody has read, rising by number; from the outbox.
    var awaiting: [Awaiting] = []
    /// Came before what is in front of them.
    private(set) var held: [SequenceNumber: Held] = [:]
    private(set) var heldBytes = 0
    var refetch: Refetch?
    /// Where we were when our home was restored: what comes next may have gone with its store.
    var forgottenAtHome: SequenceNumber?
    /// The hub is in a later epoch than we: the commit between must come until then.
    var awaitsCommit: Instant?
    /// Proposals of others wait for a commit; ours is due then.
    var commitAt: Instant?
    /// When our own fresh keys are due.
    var refreshAt: Instant?
    /// Heads of late, so that what others saw can be compared.
    private var recent: [(number: SequenceNumber, chain: Digest)] = []
    /// Who wrote what was received of late: to whom read receipts go.
    var authors: [(number: SequenceNumber, device: DeviceID)] = []

    /// An own message that the hub has numbered.
    struct Awaiting: Hashable, Sendable {
        let number: SequenceNumber
        let chain: Digest
        let message: MessageID
        var state: MessageState
    }

    enum Held: Sendable {
        case event(Envelope)
        case accepted(Acceptance)

        /// What it takes in memory, about.
        var bytes: Int { if case .event(let envelope) = self { envelope.payload.count + 512 } else { 256 } }
    }

    struct Refetch: Sendable {
        var until: Instant
        var tries: Int
        /// What was asked for last ends here.
        var through: SequenceNumber
        /// How many are missing is not known: when all that was asked for has come, the next are asked for.
        var isOpen: Bool
    }

    init(key: ConversationKey, profile: GroupProfile, origin: Origin, standing: Standing) {
        (self.key, self.profile, self.origin, self.standing) = (key, profile, origin, standing)
        (head, joined, shown) = (.zero, .zero, .zero)
        chain = Chain.start(key)
        isStale = false
        intents = []
        markKeys = []
    }

    public var id: ConversationID { key.conversation }

    /// A number is missing and was asked for.
    public var hasHole: Bool { refetch != nil && (!held.isEmpty || isBehind) }

    /// The hub has given a number that has not come.
    var isBehind: Bool { given > head }

    /// The first event that came before what is in front of it. An acceptance of a copy of us is no event: the event it stands for is missing.
    var firstHeld: Envelope? {
        held.lazy.compactMap { if case .event(let envelope) = $0.value { envelope } else { nil } }.min { $0.number < $1.number }
    }

    /// What has to come before what is held can be followed. The hub's word of a restoration follows on the last event that its copy had.
    var hole: ClosedRange<SequenceNumber>? {
        guard let first = firstHeld else {
            return (held.keys.max() ?? (isBehind ? given : nil)).map { head.next...max($0, head.next) }
        }
        let from = first.kind == .restoration ? (try? Restoration(decoding: first.payload))?.from : nil
        let last = if let from, from > head { from } else { SequenceNumber(unchecked: max(first.number.value, 1) - 1) }
        return last > head ? head.next...last : nil
    }

    /// What is held and can be followed now.
    var nextHeld: Held? {
        if let next = held[head.next] { return next }
        guard let first = firstHeld, isNewRestoration(first), let word = try? Restoration(decoding: first.payload), word.from <= head else {
            return nil
        }
        return .event(first)
    }

    /// Whether a hub's word is the first of its restoration: that one alone may follow on a hole.
    func isNewRestoration(_ envelope: Envelope) -> Bool {
        guard envelope.kind == .restoration, let word = try? Restoration(decoding: envelope.payload) else { return false }
        return word.id > passage?.id ?? 0
    }

    /// Still waiting for the hub to know of it.
    var isFounded: Bool { if case .ours(_, false) = origin { false } else { true } }

    /// Its hub has refused it: nobody else knows of it.
    var isStillborn: Bool { !isFounded && standing == .broken }

    /// Heard of, but not entered: that it is a direct one, and with whom, is a guess until its group is here.
    public var isPlaceholder: Bool { origin == .theirs && joined == .zero }

    /// A stranger's that waits for the user's word.
    public var isRequest: Bool { standing == .request && !isPlaceholder }

    /// Heard of, or heard of again after it had ended for us: what comes is not ours to follow until we are in.
    var isOutside: Bool { standing == .request && joined == .zero }

    // MARK: Numbers and chain

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
        if recent.count > ClientLimits.recentHeads * 2 { recent.removeFirst(ClientLimits.recentHeads) }
    }

    mutating func hold(_ item: Held) {
        heldBytes += item.bytes - (held.updateValue(item, forKey: item.number)?.bytes ?? 0)
    }

    mutating func forgetHeld(through number: SequenceNumber = SequenceNumber(unchecked: counterMax)) {
        guard !held.isEmpty else { return }
        held = held.filter { $0.key > number }
        heldBytes = held.values.reduce(0) { $0 + $1.bytes }
    }

    /// Over numbers that a restored hub will not give any more; what is known of before stays known.
    mutating func skip(to number: SequenceNumber, chain digest: Digest) {
        (head, chain, given, followed) = (number, digest, number, number)
        recent.append((number, digest))
        forgetHeld(through: number)
        (refetch, awaitsCommit) = (nil, nil)
    }

    /// On coming in: what came before is not ours to compare.
    mutating func jump(to number: SequenceNumber, chain digest: Digest) {
        (head, chain, given, followed) = (number, digest, number, number)
        recent = [(number, digest)]
        forgetHeld(through: number)
        refetch = nil
    }

    /// What comes from here on is passed over, until we are back in.
    mutating func stopTaking() { resumed = resumed ?? head }

    /// The chain as of a number, where we still know it.
    func chain(at number: SequenceNumber) -> Digest? {
        if number == head { return chain }
        if number == .zero { return Chain.start(key) }
        if let known = recent.last(where: { $0.number == number }) { return known.chain }
        return awaiting.first { $0.number == number }?.chain
    }

    mutating func note(former users: some Sequence<UserID>) {
        let users = users.sorted()
        former = Array((former.filter { !users.contains($0) } + users).suffix(ClientLimits.formerMembersKept))
    }

    mutating func note(author device: DeviceID, of number: SequenceNumber) {
        authors.append((number, device))
        if authors.count > 1024 { authors.removeFirst(512) }
    }
}

extension Conversation {
    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        let hasJumped = followed > joined
        writer.write(UInt16(hasJumped ? 9 : former.isEmpty ? 7 : 8))
        writer.write(key)
        writer.write(standing.rawValue)
        switch origin {
        case .ours(let founding, let isFounded):
            writer.write(UInt8(isFounded ? 2 : 1))
            writer.write(founding)
        case .theirs: writer.write(UInt8(3))
        }
        writer.write(opaque: profile.encoded())
        writer.write(head)
        writer.write(chain)
        writer.write(UInt8(isStale ? 1 : 0))
        writer.write(joined)
        writer.write(shown)
        writer.write(vector: intents) { writer, intent in intent.write(to: &writer) }
        writer.write(optional: committing) { $0.write($1) }
        writer.write(vector: markKeys) { writer, key in
            writer.write(key.epoch)
            var bytes = key.secret.copyBytes()
            writer.write(fixed: bytes)
            wipe(&bytes)
        }
        writer.write(optional: passage) { writer, passage in passage.write(to: &writer) }
        writer.write(optional: resumed) { $0.write($1) }
        writer.write(UInt8(isOwing ? 1 : 0))
        writer.write(UInt8(hasSucceeded ? 1 : 0))
        writer.write(given)
        // What earlier versions would not know is there only where it has to be.
        if hasJumped || !former.isEmpty { writer.write(vector: former) { $0.write($1) } }
        if hasJumped { writer.write(followed) }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        let format = try reader.integer(UInt16.self)
        guard (2...9).contains(format) else { throw .badValue("the format of a conversation") }
        key = try reader.conversationKey()
        guard let standing = Standing(rawValue: try reader.integer()) else { throw .badValue("a conversation's standing") }
        self.standing = standing
        switch try reader.integer(UInt8.self) {
        case 1: origin = .ours(founding: try reader.id(), isFounded: false)
        case 2: origin = .ours(founding: try reader.id(), isFounded: true)
        case 3: origin = .theirs
        default: throw .badValue("a conversation's origin")
        }
        profile = try GroupProfile(decoding: Array(try reader.opaque()))
        head = try reader.counter()
        chain = try reader.id()
        isStale = try reader.integer(UInt8.self) == 1
        (joined, shown) = (try reader.counter(), try reader.counter())
        intents = try reader.vector { reader throws(CodecError) in try Intent(from: &reader) }
        committing = try reader.optional { reader throws(CodecError) in try reader.id() }
        markKeys = try reader.vector(max: 64) { reader throws(CodecError) in
            MarkKey(epoch: try reader.counter(), secret: Secret(try reader.fixed(32)))
        }
        if format >= 3 { passage = try reader.optional { reader throws(CodecError) in try Passage(from: &reader) } }
        if format >= 4 { resumed = try reader.optional { reader throws(CodecError) in try reader.counter() } }
        if format >= 5 { isOwing = try reader.integer(UInt8.self) == 1 }
        if format >= 6 { hasSucceeded = try reader.integer(UInt8.self) == 1 }
        if format >= 7 { given = try reader.counter() }
        if format >= 8 { former = try reader.vector(max: ClientLimits.formerMembersKept) { reader throws(CodecError) in try reader.id() } }
        followed = format >= 9 ? try reader.counter() : joined
        try reader.finish()
    }
}
