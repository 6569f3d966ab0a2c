internal import Groups
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
        writer.write(UInt16(2))
        writer.write(message)
        writer.write(peer)
        writer.write(optional: author) { $0.write($1) }
        writer.write(UInt8(isRequest ? 1 : 0))
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
        case .membership(let change):
            writer.write(UInt8(4))
            writer.write(change)
        }
        writer.write(UInt64(sent.milliseconds))
        return writer.bytes
    }

    public init(decoding bytes: [UInt8], status: MessageStatus) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 2 else { throw .badValue("the format of a message") }
        message = try reader.id()
        peer = try reader.peer()
        author = try reader.optional { reader throws(CodecError) in try reader.id() }
        isRequest = try reader.integer(UInt8.self) == 1
        conversation = try reader.optional { reader throws(CodecError) in try reader.conversationKey() }
        switch try reader.integer(UInt8.self) {
        case 1: body = .outgoing(try reader.text(max: Limits.textBytesMax))
        case 2: body = .incoming(try reader.text(max: Limits.textBytesMax))
        case 3: body = .undecryptable(try reader.text(max: Limits.textBytesMax))
        case 4: body = .membership(try reader.membershipChange())
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
        write(optional: refusal.epoch) { $0.write($1) }
    }

    mutating func write(_ peer: Peer) {
        switch peer {
        case .user(let user):
            write(UInt8(1))
            write(user)
        case .address(let address):
            write(UInt8(2))
            write(address)
        case .group(let id):
            write(UInt8(3))
            write(id)
        }
    }
}

extension ByteReader {
    mutating func refusal() throws(CodecError) -> Refusal {
        let code = Refusal.Code(rawValue: try integer()) ?? .unknown
        let detail = try text(max: Limits.reasonBytesMax)
        return Refusal(code, detail, epoch: try optional { reader throws(CodecError) in try reader.counter() })
    }

    mutating func peer() throws(CodecError) -> Peer {
        switch try integer(UInt8.self) {
        case 1: .user(try id())
        case 2: .address(try address())
        case 3: .group(try id())
        default: throw .badValue("a peer")
        }
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ change: MembershipChange) {
        switch change {
        case .added(let users): write(1, users)
        case .removed(let users): write(2, users)
        case .left(let users): write(3, users)
        case .rejoined(let users): write(4, users)
        case .renamed(let name):
            write(UInt8(5))
            write(text: name)
        case .roles(let roles):
            write(UInt8(6))
            write(vector: roles.sorted { $0.key < $1.key }) { writer, item in
                writer.write(item.key)
                writer.write(item.value.rawValue)
            }
        case .joined: write(UInt8(7))
        case .restored(let missing):
            write(UInt8(8))
            write(missing)
        case .reset(without: []): write(UInt8(9))
        case .reset(without: let users): write(11, users)
        case .present(let users): write(10, users)
        }
    }

    private mutating func write(_ kind: UInt8, _ users: [UserID]) {
        write(kind)
        write(vector: users) { $0.write($1) }
    }
}

extension ByteReader {
    fileprivate mutating func membershipChange() throws(CodecError) -> MembershipChange {
        switch try integer(UInt8.self) {
        case 1: return .added(try users())
        case 2: return .removed(try users())
        case 3: return .left(try users())
        case 4: return .rejoined(try users())
        case 5: return .renamed(try text(max: GroupProfile.nameBytesMax))
        case 6:
            let list = try vector(max: Limits.rosterDevicesMax) { reader throws(CodecError) -> (UserID, Role) in
                let user: UserID = try reader.id()
                guard let role = Role(rawValue: try reader.integer()) else { throw .badValue("a role") }
                return (user, role)
            }
            return .roles(Dictionary(list, uniquingKeysWith: { first, _ in first }))
        case 7: return .joined
        case 8: return .restored(missing: try integer())
        case 9: return .reset(without: [])
        case 10: return .present(try users())
        case 11: return .reset(without: try users())
        default: throw .badValue("a change of members")
        }
    }

    private mutating func users() throws(CodecError) -> [UserID] {
        try vector(max: Limits.rosterDevicesMax) { reader throws(CodecError) in try reader.id() }
    }
}
