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

    public mutating func write(_ failure: Failure) {
        write(failure.key)
        write(failure.message)
        write(failure.refusal.code.rawValue)
        write(text: failure.refusal.detail)
    }

    public mutating func write(_ submission: Submission) {
        write(submission.message)
        write(submission.conversation)
        write(submission.hub)
        write(submission.timeToLive)
        switch submission.kind {
        case .create(let roster):
            write(UInt8(1))
            write(vector: roster) { $0.write($1) }
        case .application(let epoch, let payload):
            write(UInt8(2))
            write(epoch)
            write(opaque: payload)
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
            payload: Array(try opaque(max: Limits.payloadBytesMax)), chain: try id())
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
        return Failure(key: key, message: message, refusal: Refusal(code, try text(max: Limits.reasonBytesMax)))
    }

    public mutating func submission() throws(CodecError) -> Submission {
        let (message, conversation, hub): (MessageID, ConversationID, NodeID) = (try id(), try id(), try id())
        let timeToLive = try integer(UInt32.self)
        let kind: SubmissionKind
        switch try integer(UInt8.self) {
        case 1: kind = .create(roster: try vector(max: Limits.rosterDevicesMax) { reader throws(CodecError) in try reader.rosterEntry() })
        case 2: kind = .application(epoch: try counter(), payload: Array(try opaque(max: Limits.payloadBytesMax)))
        default: throw .badValue("the kind of a submission")
        }
        return Submission(message: message, conversation: conversation, hub: hub, kind: kind, timeToLive: timeToLive)
    }
}

extension DeviceItem {
    /// What is stored in the queue entry, and the event it refers to, whose bytes are stored apart.
    public var stored: (content: [UInt8], event: EventKey?) {
        var writer = ByteWriter()
        switch self {
        case .event(let envelope):
            writer.write(UInt8(1))
            return (writer.bytes, envelope.eventKey)
        case .accepted(let acceptance):
            writer.write(UInt8(2))
            writer.write(acceptance)
        case .failed(let failure):
            writer.write(UInt8(3))
            writer.write(failure)
        case .watermark(let watermark):
            writer.write(UInt8(4))
            writer.write(watermark)
        }
        return (writer.bytes, nil)
    }

    /// - Parameter event: the bytes of the event the entry refers to, if it refers to one.
    public init(content: [UInt8], event: [UInt8]?) throws(CodecError) {
        var reader = ByteReader(content)
        switch try reader.integer(UInt8.self) {
        case 1: self = .event(try StoredEvent(decoding: event).envelope)
        case 2: self = .accepted(try reader.acceptance())
        case 3: self = .failed(try reader.failure())
        case 4: self = .watermark(try reader.watermark())
        default: throw .badValue("the kind of a queue entry")
        }
        try reader.finish()
    }
}

extension NodeItem {
    /// As for `DeviceItem`.
    public var stored: (content: [UInt8], event: EventKey?) {
        var writer = ByteWriter()
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
        }
        return (writer.bytes, nil)
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

extension ByteReader {
    fileprivate mutating func devices() throws(CodecError) -> [DeviceID] {
        try vector(max: Limits.rosterDevicesMax) { reader throws(CodecError) in try reader.id() }
    }
}
