public import Vocabulary

// How messages are stored: what never changes, and the status beside it, which does.

extension MessageStatus {
    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(state.rawValue)
        writer.write(optional: number) { $0.write($1) }
        writer.write(optional: refusal) { $0.write($1) }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard let state = MessageState(rawValue: try reader.integer()) else { throw .badValue("a message's state") }
        self.state = state
        number = try reader.optional { reader throws(CodecError) in try reader.counter() }
        refusal = try reader.optional { reader throws(CodecError) in try reader.refusal() }
        try reader.finish()
    }
}

extension MessageRecord {
    /// All but the status.
    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(1))
        writer.write(message)
        writer.write(peer)
        writer.write(optional: conversation) { $0.write($1) }
        switch body {
        case .outgoing(let text):
            writer.write(UInt8(1))
            writer.write(text: text)
        case .incoming(let text):
            writer.write(UInt8(2))
            writer.write(text: text)
        case .undecryptable(let reason):
            writer.write(UInt8(3))
            writer.write(text: reason)
        }
        writer.write(UInt64(sent.milliseconds))
        return writer.bytes
    }

    public init(decoding bytes: [UInt8], status: MessageStatus) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of a message") }
        message = try reader.id()
        peer = try reader.peer()
        conversation = try reader.optional { reader throws(CodecError) in try reader.conversationKey() }
        switch try reader.integer(UInt8.self) {
        case 1: body = .outgoing(try reader.text(max: Limits.textBytesMax))
        case 2: body = .incoming(try reader.text(max: Limits.textBytesMax))
        case 3: body = .undecryptable(try reader.text(max: Limits.textBytesMax))
        default: throw .badValue("a message's body")
        }
        sent = Timestamp(milliseconds: Int64(try reader.counter(SequenceNumber.self).value))
        self.status = status
        try reader.finish()
    }
}

extension ByteWriter {
    mutating func write(_ refusal: Refusal) {
        write(refusal.code.rawValue)
        write(text: refusal.detail)
    }

    mutating func write(_ peer: Peer) {
        switch peer {
        case .user(let user):
            write(UInt8(1))
            write(user)
        case .address(let address):
            write(UInt8(2))
            write(address)
        }
    }
}

extension ByteReader {
    mutating func refusal() throws(CodecError) -> Refusal {
        let code = Refusal.Code(rawValue: try integer()) ?? .unknown
        return Refusal(code, try text(max: Limits.reasonBytesMax))
    }

    mutating func peer() throws(CodecError) -> Peer {
        switch try integer(UInt8.self) {
        case 1: .user(try id())
        case 2: .address(try address())
        default: throw .badValue("a peer")
        }
    }
}
