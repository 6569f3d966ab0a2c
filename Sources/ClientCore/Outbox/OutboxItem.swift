public import Vocabulary

/// A message of ours that is not yet where it should be.
public struct OutboxItem: Hashable, Sendable {
    /// unresolved ──contact known──▶ sealed ──accepted──▶ numbered ──delivered──▶ (gone); from each ──failed──▶ (gone)
    public enum Stage: Hashable, Sendable {
        /// The recipient is not known yet: sealed as soon as the directory has told the device keys.
        case unresolved(text: String, sent: Timestamp)
        /// Retries send these bytes.
        case sealed(Submission)
        case numbered(ConversationID, SequenceNumber, Digest)
    }

    public let message: MessageID
    /// The order in which the user sent.
    public let order: UInt64
    public let address: Address
    public internal(set) var stage: Stage
    public internal(set) var state: MessageState
    /// Why it still waits, when somebody said so.
    public internal(set) var refusal: Refusal?
    /// When it was last handed to the home, by the wall clock.
    public internal(set) var submitted: Timestamp?

    init(message: MessageID, order: UInt64, address: Address, stage: Stage) {
        self.message = message
        self.order = order
        self.address = address
        self.stage = stage
        state = .queued
    }

    public var submission: Submission? {
        if case .sealed(let submission) = stage { submission } else { nil }
    }

    /// The founding of a conversation: no message that anybody wrote.
    public var isCreation: Bool {
        if case .create = submission?.kind { true } else { false }
    }

    public var isNumbered: Bool {
        if case .numbered = stage { true } else { false }
    }

    public var conversation: ConversationID? {
        switch stage {
        case .unresolved: nil
        case .sealed(let submission): submission.conversation
        case .numbered(let conversation, _, _): conversation
        }
    }
}

extension OutboxItem {
    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(1))
        writer.write(message)
        writer.write(order)
        writer.write(address)
        switch stage {
        case .unresolved(let text, let sent):
            writer.write(UInt8(1))
            writer.write(text: text)
            writer.write(UInt64(sent.milliseconds))
        case .sealed(let submission):
            writer.write(UInt8(2))
            writer.write(submission)
        case .numbered(let conversation, let number, let chain):
            writer.write(UInt8(3))
            writer.write(conversation)
            writer.write(number)
            writer.write(chain)
        }
        writer.write(state.rawValue)
        writer.write(optional: refusal) { $0.write($1) }
        writer.write(optional: submitted) { $0.write(UInt64($1.milliseconds)) }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of an outbox item") }
        message = try reader.id()
        order = try reader.integer()
        address = try reader.address()
        switch try reader.integer(UInt8.self) {
        case 1: stage = .unresolved(text: try reader.text(max: Limits.textBytesMax), sent: try reader.timestamp())
        case 2: stage = .sealed(try reader.submission())
        case 3: stage = .numbered(try reader.id(), try reader.counter(), try reader.id())
        default: throw .badValue("the stage of an outbox item")
        }
        guard let state = MessageState(rawValue: try reader.integer()) else { throw .badValue("a message's state") }
        self.state = state
        refusal = try reader.optional { reader throws(CodecError) in try reader.refusal() }
        submitted = try reader.optional { reader throws(CodecError) in try reader.timestamp() }
        try reader.finish()
    }
}

extension ByteReader {
    mutating func timestamp() throws(CodecError) -> Timestamp {
        Timestamp(milliseconds: Int64(try counter(SequenceNumber.self).value))
    }
}
