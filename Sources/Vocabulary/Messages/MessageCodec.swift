// How messages are stored and signed: the byte codec. How they travel: Protos/.

extension ByteWriter {
    public mutating func write(_ key: ConversationKey) {
        write(key.hub)
        write(key.conversation)
    }

    public mutating func write(_ entry: RosterEntry) {
        write(entry.user)
        write(entry.device)
    }

    public mutating func write(_ envelope: Envelope) {
        write(envelope.key)
        write(envelope.number)
        write(envelope.sender)
        write(envelope.message)
        write(envelope.kind.rawValue)
        write(envelope.epoch)
        write(opaque: envelope.payload)
        write(envelope.chain)
    }

    public mutating func write(_ acceptance: Acceptance) {
        write(acceptance.key)
        write(acceptance.number)
        write(acceptance.message)
        write(acceptance.chain)
    }

    public mutating func write(_ watermark: Watermark) {
        write(watermark.key)
        write(watermark.device)
        write(watermark.through)
        write(watermark.chain)
        write(fixed: watermark.signature.bytes)
    }

    public mutating func write(_ part: WelcomePart) {
        write(part.key)
        write(part.number)
        write(part.index)
        write(part.count)
        write(opaque: part.bytes)
    }

    public mutating func write(_ mark: SealedMark) {
        write(mark.key)
        write(mark.device)
        write(mark.epoch)
        write(opaque: mark.sealed)
    }

    public mutating func write(_ failure: Failure) {
        write(failure.key)
        write(failure.message)
        write(failure.refusal.code.rawValue)
        write(text: failure.refusal.detail)
        write(optional: failure.refusal.epoch) { $0.write($1) }
    }

    public mutating func write(_ submission: Submission) {
        write(submission.message)
        write(submission.conversation)
        write(submission.hub)
        write(submission.timeToLive)
        write(submission.order)
        // 1 was a founding with a stated roster: not used again.
        switch submission.kind {
        case .application(let epoch, let payload):
            write(UInt8(2))
            write(epoch)
            write(opaque: payload)
        case .found(let groupInfo):
            write(UInt8(3))
            write(opaque: groupInfo)
        case .commit(let bundle):
            write(UInt8(4))
            write(bundle.epoch)
            write(opaque: bundle.commit)
            write(optional: bundle.welcome) { $0.write(opaque: $1) }
            write(opaque: bundle.groupInfo)
        case .proposal(let epoch, let message):
            write(UInt8(5))
            write(epoch)
            write(opaque: message)
        case .testimony(let testimony):
            write(UInt8(6))
            write(opaque: testimony.encoded())
        }
    }
}

extension ByteReader {
    public mutating func conversationKey() throws(CodecError) -> ConversationKey {
        ConversationKey(hub: try id(), conversation: try id())
    }

    public mutating func rosterEntry() throws(CodecError) -> RosterEntry {
        RosterEntry(user: try id(), device: try id())
    }

    public mutating func envelope() throws(CodecError) -> Envelope {
        let (key, number): (ConversationKey, SequenceNumber) = (try conversationKey(), try counter())
        let (sender, message): (RosterEntry, MessageID) = (try rosterEntry(), try id())
        guard let kind = EventKind(rawValue: try integer()) else { throw .badValue("the kind of an event") }
        return Envelope(
            key: key, number: number, sender: sender, message: message, kind: kind, epoch: try counter(),
            payload: Array(try opaque(max: kind.payloadBytesMax)), chain: try id())
    }

    public mutating func welcomePart() throws(CodecError) -> WelcomePart {
        let (key, number): (ConversationKey, SequenceNumber) = (try conversationKey(), try counter())
        let (index, count): (UInt16, UInt16) = (try integer(), try integer())
        guard index < count, count <= Limits.partsMax else { throw .badValue("the place of a part") }
        return WelcomePart(key: key, number: number, index: index, count: count, bytes: Array(try opaque(max: Limits.partBytesMax)))
    }

    public mutating func sealedMark() throws(CodecError) -> SealedMark {
        SealedMark(
            key: try conversationKey(), device: try id(), epoch: try counter(), sealed: Array(try opaque(max: Limits.sealedMarkBytesMax)))
    }

    public mutating func acceptance() throws(CodecError) -> Acceptance {
        Acceptance(key: try conversationKey(), number: try counter(), message: try id(), chain: try id())
    }

    public mutating func watermark() throws(CodecError) -> Watermark {
        Watermark(key: try conversationKey(), device: try id(), through: try counter(), chain: try id(), signature: try signature())
    }

    public mutating func failure() throws(CodecError) -> Failure {
        let (key, message): (ConversationKey, MessageID) = (try conversationKey(), try id())
        let code = Refusal.Code(rawValue: try integer()) ?? .unknown
        let detail = try text(max: Limits.reasonBytesMax)
        let epoch = try optional { reader throws(CodecError) in try reader.counter(Epoch.self) }
        return Failure(key: key, message: message, refusal: Refusal(code, detail, epoch: epoch))
    }

    public mutating func submission() throws(CodecError) -> Submission {
        let (message, conversation, hub): (MessageID, ConversationID, NodeID) = (try id(), try id(), try id())
        let (timeToLive, order) = (try integer(UInt32.self), try counter(SequenceNumber.self).value)
        let kind: SubmissionKind
        switch try integer(UInt8.self) {
        case 2: kind = .application(epoch: try counter(), payload: Array(try opaque(max: Limits.payloadBytesMax)))
        case 3: kind = .found(groupInfo: Array(try opaque(max: Limits.groupInfoBytesMax)))
        case 4:
            kind = .commit(
                CommitBundle(
                    epoch: try counter(), commit: Array(try opaque(max: Limits.handshakeBytesMax)),
                    welcome: try optional { reader throws(CodecError) in Array(try reader.opaque(max: Limits.handshakeBytesMax)) },
                    groupInfo: Array(try opaque(max: Limits.groupInfoBytesMax))))
        case 5: kind = .proposal(epoch: try counter(), message: Array(try opaque(max: Limits.handshakeBytesMax)))
        case 6: kind = .testimony(try Testimony(decoding: Array(try opaque(max: Limits.testimonyBytesMax))))
        default: throw .badValue("the kind of a submission")
        }
        return Submission(message: message, conversation: conversation, hub: hub, kind: kind, timeToLive: timeToLive, order: order)
    }
}

extension DeviceItem {
    /// What is stored in the queue entry of an event, whichever it is.
    public static let storedEvent: [UInt8] = [1]

    /// What is stored in the queue entry, and the event it refers to, whose bytes are stored apart.
    public var stored: (content: [UInt8], event: EventKey?) {
        var writer = ByteWriter(reservingCapacity: storedBytesExpected)
        switch self {
        case .event(let envelope):
            return (Self.storedEvent, envelope.eventKey)
        case .accepted(let acceptance):
            writer.write(UInt8(2))
            writer.write(acceptance)
        case .failed(let failure):
            writer.write(UInt8(3))
            writer.write(failure)
        case .watermark(let watermark):
            writer.write(UInt8(4))
            writer.write(watermark)
        case .welcome(let part):
            writer.write(UInt8(5))
            return (writer.bytes, part.eventKey)
        case .mark(let mark):
            writer.write(UInt8(6))
            writer.write(mark)
        }
        return (writer.bytes, nil)
    }

    private var storedBytesExpected: Int {
        switch self {
        case .event, .welcome: 1
        case .accepted, .failed: 112
        case .watermark, .mark: 192
        }
    }

    /// - Parameter event: the bytes of the event the entry refers to, if it refers to one.
    public init(content: [UInt8], event: [UInt8]?) throws(CodecError) {
        var reader = ByteReader(content)
        switch try reader.integer(UInt8.self) {
        case 1: self = .event(try StoredEvent(decoding: event).envelope)
        case 2: self = .accepted(try reader.acceptance())
        case 3: self = .failed(try reader.failure())
        case 4: self = .watermark(try reader.watermark())
        case 5: self = .welcome(try StoredWelcome(decoding: event).part)
        case 6: self = .mark(try reader.sealedMark())
        default: throw .badValue("the kind of a queue entry")
        }
        try reader.finish()
    }
}

extension NodeItem {
    /// As for `DeviceItem`.
    public var stored: (content: [UInt8], event: EventKey?) {
        var writer = ByteWriter(reservingCapacity: storedBytesExpected)
        switch self {
        case .submission(let submission, let sender):
            writer.write(UInt8(1))
            writer.write(submission)
            writer.write(sender)
        case .event(let envelope, let recipients):
            writer.write(UInt8(2))
            writer.write(vector: recipients) { $0.write($1) }
            return (writer.bytes, envelope.eventKey)
        case .accepted(let acceptance, let device):
            writer.write(UInt8(3))
            writer.write(acceptance)
            writer.write(device)
        case .failed(let failure, let device):
            writer.write(UInt8(4))
            writer.write(failure)
            writer.write(device)
        case .watermark(let watermark):
            writer.write(UInt8(5))
            writer.write(watermark)
        case .receipt(let watermark, let devices):
            writer.write(UInt8(6))
            writer.write(watermark)
            writer.write(vector: devices) { $0.write($1) }
        case .welcome(let part, let recipients):
            writer.write(UInt8(7))
            writer.write(vector: recipients) { $0.write($1) }
            return (writer.bytes, part.eventKey)
        case .mark(let mark, let devices):
            writer.write(UInt8(8))
            writer.write(mark)
            writer.write(vector: devices) { $0.write($1) }
        case .marked(let mark, let devices):
            writer.write(UInt8(9))
            writer.write(mark)
            writer.write(vector: devices) { $0.write($1) }
        }
        return (writer.bytes, nil)
    }

    private var storedBytesExpected: Int {
        switch self {
        case .submission(let submission, _): if case .application(_, let payload) = submission.kind { payload.count + 192 } else { 0 }
        case .event(_, let recipients), .welcome(_, let recipients): recipients.count * 32 + 8
        case .accepted, .failed: 144
        case .watermark: 192
        case .receipt(_, let devices), .mark(_, let devices), .marked(_, let devices): devices.count * 32 + 256
        }
    }

    public init(content: [UInt8], event: [UInt8]?) throws(CodecError) {
        var reader = ByteReader(content)
        switch try reader.integer(UInt8.self) {
        case 1: self = .submission(try reader.submission(), sender: try reader.rosterEntry())
        case 2: self = .event(try StoredEvent(decoding: event).envelope, recipients: try reader.devices())
        case 3: self = .accepted(try reader.acceptance(), device: try reader.id())
        case 4: self = .failed(try reader.failure(), device: try reader.id())
        case 5: self = .watermark(try reader.watermark())
        case 6: self = .receipt(try reader.watermark(), devices: try reader.devices())
        case 7: self = .welcome(try StoredWelcome(decoding: event).part, recipients: try reader.devices())
        case 8: self = .mark(try reader.sealedMark(), devices: try reader.devices())
        case 9: self = .marked(try reader.sealedMark(), devices: try reader.devices())
        default: throw .badValue("the kind of a queue entry")
        }
        try reader.finish()
    }
}

/// An event as a node keeps it: with the time it may stay, in seconds of the node's own up-time.
public struct StoredEvent: Hashable, Sendable {
    public let expires: UInt64
    public let envelope: Envelope

    public init(expires: UInt64, envelope: Envelope) { (self.expires, self.envelope) = (expires, envelope) }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: envelope.payload.count + 256)
        writer.write(expires)
        writer.write(envelope)
        return writer.bytes
    }

    /// The `expires` of encoded bytes, without the rest; 0 where there is none.
    public static func expires(of bytes: [UInt8]) -> UInt64 {
        var reader = ByteReader(bytes)
        return (try? reader.integer(UInt64.self)) ?? 0
    }

    /// - Throws: also when there are no bytes: an entry whose event is gone.
    public init(decoding bytes: [UInt8]?) throws(CodecError) {
        guard let bytes else { throw .badValue("an entry whose event is missing") }
        var reader = ByteReader(bytes)
        expires = try reader.counter(SequenceNumber.self).value
        envelope = try reader.envelope()
        try reader.finish()
    }
}

/// A Welcome's part as a node keeps it; `expires` as in `StoredEvent`, and in the same place.
public struct StoredWelcome: Hashable, Sendable {
    public let expires: UInt64
    public let part: WelcomePart

    public init(expires: UInt64, part: WelcomePart) { (self.expires, self.part) = (expires, part) }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: part.bytes.count + 96)
        writer.write(expires)
        writer.write(part)
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]?) throws(CodecError) {
        guard let bytes else { throw .badValue("an entry whose Welcome is missing") }
        var reader = ByteReader(bytes)
        expires = try reader.counter(SequenceNumber.self).value
        part = try reader.welcomePart()
        try reader.finish()
    }
}

extension EventKind {
    /// Bytes of an event's payload.
    public var payloadBytesMax: Int {
        switch self {
        case .application: Limits.payloadBytesMax
        case .commit, .proposal: Limits.handshakeBytesMax
        case .restoration: Limits.restorationBytesMax
        }
    }
}

extension ByteReader {
    fileprivate mutating func devices() throws(CodecError) -> [DeviceID] {
        try vector(max: Limits.rosterDevicesMax) { reader throws(CodecError) in try reader.id() }
    }
}
