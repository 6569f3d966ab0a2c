public import Vocabulary

/// What one device has said of a conversation: how far it has it, and how far its user has read it, and when we learned that.
public struct ReceiptLine: Hashable, Sendable {
    public struct Step: Hashable, Sendable {
        public let through: SequenceNumber
        public let at: Timestamp
    }

    /// The device came back in at `before` and had no more than `after`: nothing in between is shown there any more, whatever it says to
    /// have later.
    public struct Loss: Hashable, Sendable {
        public internal(set) var after: SequenceNumber
        public let before: SequenceNumber

        func contains(_ number: SequenceNumber) -> Bool { number > after && number < before }
    }

    public let entry: RosterEntry
    /// The number of the event that brought the device in: what was before does not concern it.
    public let joined: SequenceNumber
    /// Rising, the last `ClientLimits.receiptSteps`.
    public private(set) var delivered: [Step] = []
    public private(set) var read: [Step] = []
    /// What the device lost, the last `ClientLimits.receiptSteps` times.
    public private(set) var lost: [Loss] = []
    /// A confirmation of more than we have; it counts once we have it.
    var ahead: Watermark?

    init(entry: RosterEntry, joined: SequenceNumber) { (self.entry, self.joined) = (entry, joined) }

    /// - Parameter resumed: what the device says to have had, confirmed or not; older versions do not say it.
    mutating func rejoin(at number: SequenceNumber, having resumed: SequenceNumber?) {
        lose(after: max(deliveredThrough, resumed ?? .zero), before: number)
    }

    /// What it has not confirmed through this number it may lack, and will say to have all the same.
    mutating func doubt(through number: SequenceNumber) {
        guard deliveredThrough < number else { return }
        lose(after: deliveredThrough, before: number.next)
    }

    private mutating func lose(after: SequenceNumber, before: SequenceNumber) {
        lost.append(Loss(after: after, before: before))
        if lost.count > ClientLimits.receiptSteps { lost.removeFirst() }
    }

    fileprivate enum Fate { case there, lost, open }

    /// What the device has said of a message; nil where it does not concern it.
    fileprivate func fate(of number: SequenceNumber, _ state: MessageState) -> Fate? {
        guard joined < number else { return nil }
        if hasLost(number) { return .lost }
        return (state == .read ? readThrough : deliveredThrough) < number ? .open : .there
    }

    public func hasLost(_ number: SequenceNumber) -> Bool { lost.contains { $0.contains(number) } }

    public static func == (x: ReceiptLine, y: ReceiptLine) -> Bool { x.encoded() == y.encoded() }
    public func hash(into hasher: inout Hasher) { hasher.combine(entry) }

    public var deliveredThrough: SequenceNumber { max(delivered.last?.through ?? .zero, readThrough) }
    public var readThrough: SequenceNumber { read.last?.through ?? .zero }

    /// When we learned that the device has a message; the earliest that is still known.
    public func delivered(_ number: SequenceNumber) -> Timestamp? {
        hasLost(number) ? nil : (delivered + read).filter { $0.through >= number }.map(\.at).min()
    }
    public func read(_ number: SequenceNumber) -> Timestamp? { hasLost(number) ? nil : read.first { $0.through >= number }?.at }

    /// - Returns: false when it is no news.
    mutating func deliver(through number: SequenceNumber, at time: Timestamp) -> Bool {
        guard number > delivered.last?.through ?? .zero else { return false }
        keepFound(through: number)
        delivered.append(Step(through: number, at: time))
        if delivered.count > ClientLimits.receiptSteps { delivered.removeFirst() }
        return true
    }

    mutating func read(through number: SequenceNumber, at time: Timestamp) -> Bool {
        guard number > readThrough else { return false }
        keepFound(through: number)
        read.append(Step(through: number, at: time))
        if read.count > ClientLimits.receiptSteps { read.removeFirst() }
        return true
    }

    /// What the device said before it came back in, and we hear now, it had: in between nobody says anything.
    private mutating func keepFound(through number: SequenceNumber) {
        for index in lost.indices where lost[index].contains(number) { lost[index].after = number }
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(2))
        writer.write(entry)
        writer.write(joined)
        for steps in [delivered, read] {
            writer.write(vector: steps) { writer, step in
                writer.write(step.through)
                writer.write(UInt64(step.at.milliseconds))
            }
        }
        writer.write(optional: ahead) { $0.write($1) }
        writer.write(vector: lost) { writer, lost in
            writer.write(lost.after)
            writer.write(lost.before)
        }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        let format = try reader.integer(UInt16.self)
        guard (1...2).contains(format) else { throw .badValue("the format of receipts") }
        entry = try reader.rosterEntry()
        joined = try reader.counter()
        delivered = try reader.steps()
        read = try reader.steps()
        ahead = try reader.optional { reader throws(CodecError) in try reader.watermark() }
        if format == 1 {
            lost = try reader.optional { reader throws(CodecError) in try reader.loss() }.map { [$0] } ?? []
        } else {
            lost = try reader.vector(max: 64) { reader throws(CodecError) in try reader.loss() }
        }
        try reader.finish()
    }
}

extension ByteReader {
    fileprivate mutating func loss() throws(CodecError) -> ReceiptLine.Loss {
        ReceiptLine.Loss(after: try counter(), before: try counter())
    }

    fileprivate mutating func steps() throws(CodecError) -> [ReceiptLine.Step] {
        try vector(max: 1024) { reader throws(CodecError) in
            ReceiptLine.Step(through: try reader.counter(), at: try reader.timestamp())
        }
    }
}

/// Somebody has, or has read, messages of ours through a number.
public struct ReceiptNews: Hashable, Sendable {
    public let conversation: ConversationID
    public let by: RosterEntry
    public let messages: [MessageID]
    public let state: MessageState
}

/// The receipts of one conversation, by device.
struct Receipts: Sendable {
    private(set) var lines: [DeviceID: ReceiptLine] = [:]
    /// Whose confirmation waits for us to have what it covers.
    private(set) var ahead: Set<DeviceID> = []
    /// Who came back in without what was before.
    private(set) var lossy: Set<DeviceID> = []
    /// One who lacks a message, found when last looked for: while that is so there is no need to look at all the others, or each
    /// message would cost a large group as many looks as it has members, and each look all of them.
    private var laggards: [MessageState: DeviceID] = [:]

    subscript(device: DeviceID) -> ReceiptLine? {
        get { lines[device] }
        set {
            // A second device of a user may have what the first lacks.
            if (lines[device] == nil) != (newValue == nil) { laggards = [:] }
            lines[device] = newValue
            if newValue?.ahead != nil { ahead.insert(device) } else { ahead.remove(device) }
            if newValue?.lost.isEmpty == false { lossy.insert(device) } else { lossy.remove(device) }
        }
    }

    /// Whom a message has come to, of those whom it concerns.
    enum Reach {
        /// Somebody has still to say that it is there, or was read.
        case some
        /// Everybody has said so, apart from those who have it on no device any more, and never will: each came back in behind it.
        case allButLost
        case all
    }

    /// A user's devices, as one message concerns them.
    private struct Standing {
        var devices = 0
        var (has, hasLost) = (false, false)
        /// May still say that it has it.
        var open: DeviceID?
    }

    mutating func reach(of number: SequenceNumber, _ state: MessageState, except me: UserID) -> Reach {
        if let device = laggards[state], let line = lines[device], line.fate(of: number, state) == .open { return .some }
        laggards[state] = nil
        var users: [UserID: Standing] = [:]
        for (device, line) in lines where line.entry.user != me {
            var standing = users[line.entry.user] ?? Standing()
            standing.devices += 1
            switch line.fate(of: number, state) {
            case .there: standing.has = true
            case .lost: standing.hasLost = true
            case .open: standing.open = device
            case nil: break
            }
            users[line.entry.user] = standing
        }
        let lacking = users.values.filter { !$0.has }
        laggards[state] = lacking.lazy.compactMap { $0.devices == 1 ? $0.open : nil }.first
        if lacking.contains(where: { $0.open != nil }) { return .some }
        return lacking.contains(where: \.hasLost) ? .allButLost : .all
    }

    /// Whether there is anybody besides a user.
    func concernOthers(than me: UserID) -> Bool { lines.values.contains { $0.entry.user != me } }
}
