import Testing
import Vocabulary
import Wire

struct BoundsTests {
    /// 64-bit fields that are tokens: they come back as they were and nobody counts with them.
    private static let tokens: Set<String> = ["request", "value", "exchange"]

    private func error<F: Frame>(_: F.Type, _ bytes: [UInt8]) -> WireError? {
        do throws(WireError) {
            _ = try F(serialized: bytes)
            return nil
        } catch {
            return error
        }
    }

    /// For each field of each fixture, what the `.proto` file's type and comment forbid.
    private func keepsBounds<F: Frame>(_: F.Type) throws {
        let schema = try Schema()
        var checked = 0
        for frame in try F.fixtures() {
            let tree = try #require(Tree(F.message, frame.serialized(), schema))
            let wrong = tree.altered { message, number, value in
                guard let field = schema.messages[message]?[number] else { return [] }
                switch value {
                case .number:
                    guard field.type == "uint64", !Self.tokens.contains(field.name) else { return [] }
                    return [counterMax + 1, 1 << 62, 1 << 63, .max].map { [.number($0)] }
                case .bytes(let bytes):
                    guard let length = field.exactLength else { return [] }
                    return [1, length - 1, length + 1, 2 * length].map { [.bytes([UInt8](repeating: bytes[0], count: $0))] }
                case .message: return []
                }
            }
            for (message, number, altered) in wrong {
                let field = try #require(schema.messages[message]?[number])
                guard case .badValue(let name) = error(F.self, altered.encoded) else {
                    Issue.record("\(message).\(field.name) is not bounded in \(frame)")
                    continue
                }
                #expect(name.hasSuffix(field.name) || field.isRepeated, "\(message).\(field.name) reported as \(name)")
                checked += 1
            }
        }
        #expect(checked > 50)
    }

    /// For each field that must be there, the frame without it.
    private func needsFields<F: Frame>(_: F.Type) throws {
        let schema = try Schema()
        let optional: Set<String> = ["SignedUserRecord.home_signature", "LinkFound.record", "PresenceSettings.token", "PresenceNews.token"]
        for frame in try F.fixtures() {
            let tree = try #require(Tree(F.message, frame.serialized(), schema))
            let without = tree.altered { message, number, value in
                guard let field = schema.messages[message]?[number], !field.isRepeated, message != F.message,
                    !optional.contains("\(message).\(field.name)")
                else { return [] }
                return field.exactLength != nil || field.isNeeded || schema.messages[field.type] != nil || field.type == "LivenessKind"
                    || field.type == "EventKind"
                    ? [[]] : []
            }
            for (message, number, altered) in without {
                guard case .missing = error(F.self, altered.encoded) else {
                    Issue.record("\(message).\(number) is not missed in \(frame)")
                    continue
                }
            }
        }
    }

    @Test func `client frames keep every bound of the proto files`() throws { try keepsBounds(ClientFrame.self) }
    @Test func `node frames keep every bound of the proto files`() throws { try keepsBounds(NodeFrame.self) }
    @Test func `link frames keep every bound of the proto files`() throws { try keepsBounds(LinkFrame.self) }
    @Test func `client frames miss every field that is needed`() throws { try needsFields(ClientFrame.self) }
    @Test func `node frames miss every field that is needed`() throws { try needsFields(NodeFrame.self) }
    @Test func `link frames miss every field that is needed`() throws { try needsFields(LinkFrame.self) }

    @Test func `a frame over the limit is refused before it is read`() {
        let bytes = [UInt8](repeating: 0, count: Limits.frameBytesMax + 1)
        let expected = WireError.tooLarge(bytes: Limits.frameBytesMax + 1, max: Limits.frameBytesMax)
        #expect(error(ClientFrame.self, bytes) == expected)
        #expect(error(NodeFrame.self, bytes) == expected)
        #expect(error(LinkFrame.self, bytes) == expected)
    }

    @Test func `opaque fields are bounded in bytes`() throws {
        func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
        let large = Submission(
            message: Fixture.id16(1), conversation: Fixture.id16(1), hub: Fixture.id32(1),
            kind: .application(epoch: 0, payload: zeros(Limits.payloadBytesMax + 1)))
        #expect(error(ClientFrame.self, ClientFrame.submit(large).serialized()) == .badValue("submission.application.payload"))
        let event = Envelope(
            key: Fixture.key, number: 1, sender: Fixture.sender, message: Fixture.id16(1), kind: .application, epoch: 0,
            payload: zeros(Limits.payloadBytesMax + 1), chain: Fixture.id32(1))
        #expect(error(NodeFrame.self, NodeFrame.entry(1, .event(event)).serialized()) == .badValue("event.payload"))
        let record = SignedUserRecord(body: zeros(Limits.userRecordBytesMax + 1), userSignature: Fixture.signature(1), homeSignature: nil)
        #expect(error(ClientFrame.self, ClientFrame.publish(RequestID(1), record).serialized()) == .badValue("record.body"))
        let statement = SignedStatement(body: zeros(Limits.statementBytesMax + 1), signer: Fixture.id32(1), signature: Fixture.signature(1))
        #expect(error(LinkFrame.self, LinkFrame.statements([statement]).serialized()) == .badValue("statement.body"))
        let secret = zeros(Limits.secretBytesMax + 1)
        let register = ClientFrame.register(RequestID(1), secret: secret, user: Fixture.id32(1), handle: try Handle("a"))
        #expect(error(ClientFrame.self, register.serialized()) == .badValue("register.secret"))
        let join = JoinRequest(versions: .current, federation: Fixture.id32(1), secret: secret, name: try NodeName("a"))
        #expect(error(LinkFrame.self, LinkFrame.join(join).serialized()) == .badValue("join.secret"))
    }

    @Test func `lists are bounded in entries`() {
        let watermarks = [Watermark](repeating: Fixture.watermark, count: Limits.watermarksPerFrameMax + 1)
        #expect(
            error(ClientFrame.self, ClientFrame.acknowledge(through: 1, watermarks: watermarks).serialized())
                == .badValue("acknowledge.watermarks"))
        let claims = [LivenessClaim](repeating: Fixture.claims[0], count: Limits.claimsPerFrameMax + 1)
        #expect(error(LinkFrame.self, LinkFrame.liveness(.ping(sequence: 1, claims: claims)).serialized()) == .badValue("liveness.claims"))
        let devices = [DeviceID](repeating: Fixture.id32(1), count: Limits.rosterDevicesMax + 1)
        let receipt = LinkFrame.entry(1, .receipt(Fixture.watermark, devices: devices))
        #expect(error(LinkFrame.self, receipt.serialized()) == .badValue("entry.receipt.devices"))
        // Empty entries: the most that 96 KiB can hold, refused by their number before one is looked at.
        func empty(_ tag: UInt8, in outer: UInt8, count: Int) -> [UInt8] {
            let content = [[UInt8]](repeating: [tag, 0], count: count).flatMap { $0 }
            return [outer] + Tree.varint(UInt64(content.count)) + content
        }
        #expect(error(LinkFrame.self, empty(0x0a, in: 0x32, count: 40_000)) == .badValue("statements"))
        #expect(error(LinkFrame.self, empty(0x0a, in: 0x4a, count: 40_000)) == .badValue("records"))
        #expect(error(LinkFrame.self, empty(0x0a, in: 0x5a, count: 40_000)) == .badValue("records_wanted.digests"))
    }

    @Test(arguments: ["", "Alice", "a b", "-a", "a\u{0}", String(repeating: "a", count: 33), "аlice"])
    func `names are names`(text: String) throws {
        let schema = try Schema()
        func replaced<F: Frame>(_ frame: F, _ name: String) throws -> [UInt8] {
            let tree = try #require(Tree(F.message, frame.serialized(), schema))
            let all = tree.altered { message, number, _ in
                schema.messages[message]?[number]?.name == name ? [[.bytes(Array(text.utf8))]] : []
            }
            return try #require(all.first).tree.encoded
        }
        let expected: (String) -> WireError = { text.isEmpty ? .missing($0) : .badValue($0) }
        let register = ClientFrame.register(RequestID(1), secret: [1], user: Fixture.id32(1), handle: try Handle("a"))
        #expect(error(ClientFrame.self, try replaced(register, "handle")) == expected("register.handle"))
        let lookup = ClientFrame.lookup(RequestID(1), .address(try Address("a@b")))
        #expect(error(ClientFrame.self, try replaced(lookup, "address")) == expected("key.address"))
        guard text.count < 33 else { return }
        let join = JoinRequest(versions: .current, federation: Fixture.id32(1), secret: [1], name: try NodeName("a"))
        #expect(error(LinkFrame.self, try replaced(LinkFrame.join(join), "name")) == expected("join.name"))
    }

    @Test func `text that is no UTF-8 is refused`() {
        // goodbye { detail: 0xff 0xfe }, and an overlong '/', and half a surrogate pair.
        for detail: [UInt8] in [[0xff, 0xfe], [0xc0, 0xaf], [0xed, 0xa0, 0x80]] {
            let refusal = [0x12, UInt8(detail.count)] + detail
            #expect(error(NodeFrame.self, [0x62, UInt8(refusal.count)] + refusal) == .undecodable)
        }
    }

    @Test func `versions are a range that begins at 1`() {
        for range in [VersionRange(lowest: 0, highest: 1), VersionRange(lowest: 2, highest: 1), VersionRange(lowest: 0, highest: 0)] {
            let hello = ClientFrame.hello(versions: range, nonce: Fixture.bytes32(1))
            #expect(error(ClientFrame.self, hello.serialized()) == .badValue("versions"))
        }
    }

    @Test func `nesting is not followed`() {
        // Groups in groups, as an unknown field: 40,000 deep in 80 KB.
        let groups = [UInt8](repeating: 0, count: 40_000).flatMap { _ in Tree.varint(900 << 3 | 3) }
        #expect(error(LinkFrame.self, groups) == .undecodable)
        let inside = [0x12] + Tree.varint(UInt64(groups.count)) + groups
        #expect(error(LinkFrame.self, inside) == .undecodable)
    }
}
