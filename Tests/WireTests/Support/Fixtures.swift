import Vocabulary
import Wire

/// One frame of every case, and of every item in it. Ids are runs of one byte that begins no protobuf field.
enum Fixture {
    static func id32<T: Identifier32>(_ byte: UInt8) -> T { T(raw: bytes32(byte)) }
    static func id16<T: Identifier16>(_ byte: UInt8) -> T {
        T(raw: Bytes16(UInt64(byte) &* 0x0101_0101_0101_0101, UInt64(byte) &* 0x0101_0101_0101_0101))
    }
    static func bytes32(_ byte: UInt8) -> Bytes32 { Bytes32([UInt8](repeating: byte, count: 32)) ?? .zero }
    static func signature(_ byte: UInt8) -> Signature { Signature([UInt8](repeating: byte, count: 64)) ?? zeroSignature }
    private static let zeroSignature = Signature([UInt8](repeating: 0, count: 64)).unsafelyUnwrapped

    static let key = ConversationKey(hub: id32(0xa1), conversation: id16(0xc1))
    static let sender = RosterEntry(user: id32(0xb1), device: id32(0xd1))
    static let payload = [UInt8]((0..<40).map { $0 &* 7 })
    static let application = Submission(
        message: id16(0xe1), conversation: id16(0xc1), hub: id32(0xa1), kind: .application(epoch: 3, payload: payload), timeToLive: 3600)
    static let envelope = Envelope(
        key: key, number: 7, sender: sender, message: id16(0xe1), kind: .application, epoch: 3, payload: payload, chain: id32(0xf1))
    static let acceptance = Acceptance(key: key, number: 7, message: id16(0xe1), chain: id32(0xf1))
    static let failure = Failure(key: key, message: id16(0xe1), refusal: Refusal(.expired, "Its time to live ended."))
    static let watermark = Watermark(key: key, device: id32(0xd2), through: 7, chain: id32(0xf1), signature: signature(0x9a))
    static let record = SignedUserRecord(body: [0, 1, 2, 3], userSignature: signature(0x9b), homeSignature: signature(0x9c))
    static let unconsented = SignedUserRecord(body: [0, 1, 2, 3], userSignature: signature(0x9b), homeSignature: nil)
    static let statement = SignedStatement(body: [9, 8, 7], signer: id32(0xa2), signature: signature(0x9d))
    static let claims = [
        LivenessClaim(node: id32(0xa1), state: .alive, incarnation: 1), LivenessClaim(node: id32(0xa2), state: .suspect, incarnation: 2),
        LivenessClaim(node: id32(0xa3), state: .dead, incarnation: counterMax),
    ]
    static let refusal = Refusal(.busy, "Too much at once: später.")

    static func client() throws -> [ClientFrame] {
        [
            .hello(versions: .current, nonce: bytes32(0x81)),
            .authenticate(Authentication(user: id32(0xb1), device: id32(0xd1), signature: signature(0x91))),
            .register(RequestID(5), secret: [1, 2, 3], user: id32(0xb1), handle: try Handle("alice")),
            .publish(RequestID(.max), unconsented), .publish(RequestID(6), record),
            .submit(application),
            .acknowledge(through: 12, watermarks: [watermark, watermark], order: counterMax),
            .acknowledge(through: QueuePosition(unchecked: counterMax), watermarks: []),
            .lookup(RequestID(0), .address(try Address("bob@chat.example.org"))), .lookup(RequestID(2), .user(id32(0xb2))),
            .ping(0), .ping(.max),
        ] + groupsOfClient
    }

    static func node() throws -> [NodeFrame] {
        [
            .welcome(
                version: 1, node: id32(0xa1), federation: id32(0xfa), nonce: bytes32(0x82), certificateHash: bytes32(0x83),
                signature: signature(0x92)),
            .ready(waiting: 0, order: 0, restored: 0), .ready(waiting: counterMax, order: counterMax, restored: counterMax),
            .granted(
                RequestID(5), federation: id32(0xfa), issuer: id32(0xa1), issuerName: try NodeName("harbor"), certificate: signature(0x93)),
            .published(RequestID(6), record), .sent(id16(0xe1)),
            .entry(12, .event(envelope)), .entry(13, .accepted(acceptance)), .entry(14, .failed(failure)),
            .entry(15, .watermark(watermark)),
            .caughtUp, .found(RequestID(7), record, address: try Address("alice@harbor")),
            .refusedRequest(RequestID(8), refusal), .refusedMessage(id16(0xe1), refusal),
            .pong(.max), .goodbye(refusal), .goodbye(Refusal(.unknown, "")),
        ] + groupsOfNode
    }

    /// - Parameter home: a number of the two nodes.
    private static func packed(_ home: [UInt8]) throws -> PackedRecord {
        let user: UserID = id32(0xb1)
        let head = user.bytes + [0, 0] + home + [1, 0x61]
        let rest = [UInt8](repeating: 0x9b, count: 64) + [1, 1, 0, 0, 0] + [UInt8](repeating: 0x9c, count: 64)
        return try PackedRecord(inFrame: head + rest, nodes: [id32(0xa1), id32(0xa2)])
    }

    static func link() throws -> [LinkFrame] {
        [
            .hello(versions: VersionRange(lowest: 1, highest: 9), federation: id32(0xfa), readThrough: 3, statements: id32(0xf2)),
            .entry(1, .submission(application, sender: sender)),
            .entry(3, .event(envelope, recipients: [id32(0xd1), id32(0xd2)])), .entry(4, .accepted(acceptance, device: id32(0xd1))),
            .entry(5, .failed(failure, device: id32(0xd1))), .entry(6, .watermark(watermark)),
            .entry(7, .receipt(watermark, devices: [id32(0xd1)])), .entry(8, .receipt(watermark, devices: [])),
            .acknowledge(through: 8),
            .join(JoinRequest(versions: .current, federation: id32(0xfa), secret: [4, 5, 6], name: try NodeName("tower"))),
            .admitted([statement, statement]), .statements([statement]), .statements([]), .statementsDigest(id32(0xf2)),
            .liveness(.ping(sequence: 1, claims: claims)), .liveness(.acknowledge(sequence: 1, claims: [])),
            .liveness(.pingRequest(sequence: 2, target: id32(0xa3), claims: claims)),
            .liveness(.negative(sequence: counterMax, claims: [])),
            .records([record, unconsented]), .records([]), .reconcile(exchange: .max, initiator: true, message: [0x61, 0, 0, 0]),
            .takesPackedRecords, .packedRecords([]),
            .packedRecords([try packed([0]), try packed([1])]),
            .reconcile(exchange: 0, initiator: false, message: []), .recordsWanted([id32(0xf3), id32(0xf4)]),
            .equivocation(record, unconsented), .lookup(RequestID(1), .user(id32(0xb1))),
            .lookup(RequestID(2), .address(try Address("bob@tower"))), .found(RequestID(1), record),
            .found(RequestID(2), nil), .goodbye(refusal),
        ] + groupsOfLink
    }
}

/// The three kinds of frame, alike for tests.
protocol Frame: Hashable, Sendable {
    init(serialized bytes: [UInt8]) throws(WireError)
    func serialized() -> [UInt8]
    /// Its name in the `.proto` file.
    static var message: String { get }
    static func fixtures() throws -> [Self]
}

extension ClientFrame: Frame {
    static var message: String { "ClientFrame" }
    static func fixtures() throws -> [Self] { try Fixture.client() }
}

extension NodeFrame: Frame {
    static var message: String { "NodeFrame" }
    static func fixtures() throws -> [Self] { try Fixture.node() }
}

extension LinkFrame: Frame {
    static var message: String { "LinkFrame" }
    static func fixtures() throws -> [Self] { try Fixture.link() }
}
