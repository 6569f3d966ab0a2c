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
    mutating func doubt(through number: SequenceNumber, at time: Timestamp) {
        guard deliveredThrough < number else { return }
        lose(after: deliveredThrough, before: number.next)
        _ = deliver(through: number, at: time)
    }

    private mutating func lose(after: SequenceNumber, before: SequenceNumber) {
        lost.append(Loss(after: after, before: before))
        if lost.count > ClientLimits.receiptSteps { lost.removeFirst() }
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
        let hasFound = keepFound(through: number)
        guard number > delivered.last?.through ?? .zero else { return hasFound }
        delivered.append(Step(through: number, at: time))
        if delivered.count > ClientLimits.receiptSteps { delivered.removeFirst() }
        return true
    }

    mutating func read(through number: SequenceNumber, at time: Timestamp) -> Bool {
        guard number > readThrough else { return false }
        _ = keepFound(through: number)
        read.append(Step(through: number, at: time))
        if read.count > ClientLimits.receiptSteps { read.removeFirst() }
        return true
    }

    /// What the device said before it came back in, and we hear now, it had: in between nobody says anything.
    /// - Returns: whether that is news.
    private mutating func keepFound(through number: SequenceNumber) -> Bool {
        let found = lost.indices.filter { lost[$0].contains(number) }
        for index in found { lost[index].after = number }
        return !found.isEmpty
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
        }
    }

    /// Whether everybody but one user has, or has read, a message, as far as it concerns the user.
    mutating func isCovered(_ number: SequenceNumber, _ state: MessageState, except me: UserID) -> Bool {
        func through(_ line: ReceiptLine) -> SequenceNumber { max(state == .read ? line.readThrough : line.deliveredThrough, line.joined) }
        if let device = laggards[state], let line = lines[device], through(line) < number { return false }
        laggards[state] = nil
        var users: [UserID: (through: SequenceNumber, only: DeviceID?)] = [:]
        for (device, line) in lines where line.entry.user != me {
            let other = users[line.entry.user]
            users[line.entry.user] = (max(other?.through ?? .zero, through(line)), other == nil ? device : nil)
        }
        let lacking = users.values.filter { $0.through < number }
        laggards[state] = lacking.lazy.compactMap(\.only).first
        return lacking.isEmpty
    }

    /// Whether some user but one has a message on no device any more, and never will: each that it is for came back in behind it.
    func isLost(_ number: SequenceNumber, except me: UserID) -> Bool {
        let concerned = lines.values.filter { $0.joined < number && $0.entry.user != me }
        let losers = Set(concerned.filter { $0.hasLost(number) }.map(\.entry.user))
        return !losers.isSubset(of: concerned.filter { !$0.hasLost(number) }.map(\.entry.user))
    }

    /// Through which number every user but one has all that concerns the user; nil when there is nobody else.
    func floor(except me: UserID, _ through: (ReceiptLine) -> SequenceNumber) -> SequenceNumber? {
        var users: [UserID: SequenceNumber] = [:]
        for line in lines.values where line.entry.user != me {
            users[line.entry.user] = max(users[line.entry.user] ?? .zero, through(line), line.joined)
        }
        return users.values.min()
    }
}
