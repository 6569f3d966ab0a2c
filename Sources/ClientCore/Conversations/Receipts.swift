public import Vocabulary

/// What one device has said of a conversation: how far it has it, and how far its user has read it, and when we learned that.
public struct ReceiptLine: Hashable, Sendable {
    public struct Step: Hashable, Sendable {
        public let through: SequenceNumber
        public let at: Timestamp
    }

    public let entry: RosterEntry
    /// The number of the event that brought the device in: what was before does not concern it.
    public let joined: SequenceNumber
    /// Rising, the last `ClientLimits.receiptSteps`.
    public private(set) var delivered: [Step] = []
    public private(set) var read: [Step] = []
    /// What the device lost: it came back in at `before` and had no more than `after`. Nothing in between is shown there any more.
    public private(set) var lost: (after: SequenceNumber, before: SequenceNumber)?
    /// A confirmation of more than we have; it counts once we have it.
    var ahead: Watermark?

    init(entry: RosterEntry, joined: SequenceNumber) { (self.entry, self.joined) = (entry, joined) }

    /// - Parameter resumed: what the device says to have had, confirmed or not; older versions do not say it.
    mutating func rejoin(at number: SequenceNumber, having resumed: SequenceNumber?) {
        lost = (max(deliveredThrough, resumed ?? .zero), number)
    }
    func hasLost(_ number: SequenceNumber) -> Bool { lost.map { number > $0.after && number < $0.before } ?? false }

    public static func == (x: ReceiptLine, y: ReceiptLine) -> Bool { x.encoded() == y.encoded() }
    public func hash(into hasher: inout Hasher) { hasher.combine(entry) }

    public var deliveredThrough: SequenceNumber { max(delivered.last?.through ?? .zero, readThrough) }
    public var readThrough: SequenceNumber { read.last?.through ?? .zero }

    /// When we learned that the device has a message; the earliest that is still known.
    public func delivered(_ number: SequenceNumber) -> Timestamp? { (delivered + read).filter { $0.through >= number }.map(\.at).min() }
    public func read(_ number: SequenceNumber) -> Timestamp? { read.first { $0.through >= number }?.at }

    /// - Returns: false when it is no news.
    mutating func deliver(through number: SequenceNumber, at time: Timestamp) -> Bool {
        guard number > delivered.last?.through ?? .zero else { return false }
        delivered.append(Step(through: number, at: time))
        if delivered.count > ClientLimits.receiptSteps { delivered.removeFirst() }
        return true
    }

    mutating func read(through number: SequenceNumber, at time: Timestamp) -> Bool {
        guard number > readThrough else { return false }
        read.append(Step(through: number, at: time))
        if read.count > ClientLimits.receiptSteps { read.removeFirst() }
        return true
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(1))
        writer.write(entry)
        writer.write(joined)
        for steps in [delivered, read] {
            writer.write(vector: steps) { writer, step in
                writer.write(step.through)
                writer.write(UInt64(step.at.milliseconds))
            }
        }
        writer.write(optional: ahead) { $0.write($1) }
        writer.write(optional: lost) { writer, lost in
            writer.write(lost.after)
            writer.write(lost.before)
        }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of receipts") }
        entry = try reader.rosterEntry()
        joined = try reader.counter()
        delivered = try reader.steps()
        read = try reader.steps()
        ahead = try reader.optional { reader throws(CodecError) in try reader.watermark() }
        lost = try reader.optional { reader throws(CodecError) in (try reader.counter(), try reader.counter()) }
        try reader.finish()
    }
}

extension ByteReader {
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

    /// Through which number every user but one has all that concerns the user; nil when there is nobody else.
    func floor(except me: UserID, _ through: (ReceiptLine) -> SequenceNumber) -> SequenceNumber? {
        var users: [UserID: SequenceNumber] = [:]
        for line in lines.values where line.entry.user != me {
            users[line.entry.user] = max(users[line.entry.user] ?? .zero, through(line), line.joined)
        }
        return users.values.min()
    }
}
