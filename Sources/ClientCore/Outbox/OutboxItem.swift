public import Vocabulary

/// Something of ours that is not yet where it should be.
public struct OutboxItem: Hashable, Sendable {
    /// What it says; kept until the hub has numbered it, to be sealed anew whenever the conversation moves on to another epoch.
    public enum Body: Hashable, Sendable {
        case text(String, sent: Timestamp)
        /// Hands our presence token over.
        case token(Bytes32, sent: Timestamp)
        /// Our home has forgotten receipts: whoever has this says anew what it has.
        case receiptsWanted(sent: Timestamp)
        /// Founds the conversation.
        case founding
        /// A commit or a proposal.
        case handshake(EventKind)
        /// A message that is numbered: the history has its text.
        case numbered
    }

    /// waiting ──conversation ready──▶ sealed ──accepted──▶ numbered ──read by all──▶ (gone); sealed ──new epoch──▶ waiting;
    /// from each ──failed──▶ (gone)
    public enum Stage: Hashable, Sendable {
        /// For its recipient to be known, and the conversation to be ready.
        case waiting
        /// Retries send these bytes.
        case sealed(Submission)
        case numbered(ConversationID, SequenceNumber, Digest)
    }

    public let message: MessageID
    /// The order in which the user sent.
    public let order: UInt64
    public let target: Target
    /// Where it goes, once that is known.
    public internal(set) var conversation: ConversationID?
    public internal(set) var body: Body
    public internal(set) var stage: Stage
    public internal(set) var state: MessageState
    /// Why it still waits, when somebody said so.
    public internal(set) var refusal: Refusal?
    /// When the home last said that it has these very bytes, by the wall clock.
    public internal(set) var submitted: Timestamp?

    init(message: MessageID, order: UInt64, target: Target, conversation: ConversationID?, body: Body, stage: Stage) {
        (self.message, self.order, self.target, self.conversation) = (message, order, target, conversation)
        (self.body, self.stage, state) = (body, stage, .queued)
    }

    public var submission: Submission? { if case .sealed(let submission) = stage { submission } else { nil } }
    public var isWaiting: Bool { stage == .waiting }
    public var isNumbered: Bool { if case .numbered = stage { true } else { false } }
    public var number: SequenceNumber? { if case .numbered(_, let number, _) = stage { number } else { nil } }
    public var isFounding: Bool { body == .founding }
    /// An application message that has still to be numbered: it can be sealed anew.
    var isSaid: Bool {
        switch body {
        case .text, .token, .receiptsWanted: true
        case .numbered, .founding, .handshake: false
        }
    }

    /// Something that was said: what was said later comes later. Handshakes keep their order by epochs.
    var isOrdered: Bool {
        switch body {
        case .text, .token, .receiptsWanted, .numbered: true
        case .founding, .handshake: false
        }
    }

    /// A message that somebody wrote, rather than what the protocol needs.
    public var isText: Bool {
        switch body {
        case .text: true
        case .numbered: true
        case .token, .receiptsWanted, .founding, .handshake: false
        }
    }
}

extension OutboxItem {
    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(2))
        writer.write(message)
        writer.write(order)
        switch target {
        case .address(let address):
            writer.write(UInt8(1))
            writer.write(address)
        case .group(let id):
            writer.write(UInt8(2))
            writer.write(id)
        }
        writer.write(optional: conversation) { $0.write($1) }
        switch body {
        case .text(let text, let sent):
            writer.write(UInt8(1))
            writer.write(text: text)
            writer.write(UInt64(sent.milliseconds))
        case .token(let token, let sent):
            writer.write(UInt8(2))
            writer.write(fixed: token.bytes)
            writer.write(UInt64(sent.milliseconds))
        case .founding: writer.write(UInt8(3))
        case .handshake(let kind):
            writer.write(UInt8(4))
            writer.write(kind.rawValue)
        case .numbered: writer.write(UInt8(5))
        case .receiptsWanted(let sent):
            writer.write(UInt8(6))
            writer.write(UInt64(sent.milliseconds))
        }
        switch stage {
        case .waiting: writer.write(UInt8(1))
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
        guard try reader.integer(UInt16.self) == 2 else { throw .badValue("the format of an outbox item") }
        message = try reader.id()
        order = try reader.integer()
        switch try reader.integer(UInt8.self) {
        case 1: target = .address(try reader.address())
        case 2: target = .group(try reader.id())
        default: throw .badValue("the target of an outbox item")
        }
        conversation = try reader.optional { reader throws(CodecError) in try reader.id() }
        switch try reader.integer(UInt8.self) {
        case 1: body = .text(try reader.text(max: Limits.textBytesMax), sent: try reader.timestamp())
        case 2: body = .token(try reader.bytes32(), sent: try reader.timestamp())
        case 3: body = .founding
        case 4:
            guard let kind = EventKind(rawValue: try reader.integer()) else { throw .badValue("the kind of a handshake") }
            body = .handshake(kind)
        case 5: body = .numbered
        case 6: body = .receiptsWanted(sent: try reader.timestamp())
        default: throw .badValue("the body of an outbox item")
        }
        switch try reader.integer(UInt8.self) {
        case 1: stage = .waiting
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
