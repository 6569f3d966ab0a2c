import Testing
import Vocabulary
import Wire

/// Newer versions add fields and frames; older ones must not fall over them.
struct UnknownTests {
    /// Number 900: a varint, eight bytes, a string, a group with content, four bytes.
    private static let unknown: [[UInt8]] = {
        func tag(_ type: UInt64) -> [UInt8] { Tree.varint(900 << 3 | type) }
        return [
            tag(0) + [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], tag(1) + [UInt8](repeating: 9, count: 8),
            tag(2) + [3, 1, 2, 3], tag(3) + [0x08, 0x01] + tag(4), tag(5) + [1, 2, 3, 4],
        ]
    }()

    private func ignores<F: Frame>(_: F.Type) throws {
        let schema = try Schema()
        for frame in try F.fixtures() {
            let bytes = frame.serialized()
            for extra in Self.unknown {
                #expect(try F(serialized: bytes + extra) == frame)
                #expect(try F(serialized: extra + bytes) == frame)
            }
            // In each message inside too.
            let tree = try #require(Tree(F.message, bytes, schema))
            let inner = tree.altered { _, _, value in
                guard case .message(let message) = value else { return [] }
                return Self.unknown.map { [.bytes(message.encoded + $0)] }
            }
            for (name, _, altered) in inner { #expect(try F(serialized: altered.encoded) == frame, "in \(name)") }
        }
    }

    @Test func `unknown fields are ignored in client frames`() throws { try ignores(ClientFrame.self) }
    @Test func `unknown fields are ignored in node frames`() throws { try ignores(NodeFrame.self) }
    @Test func `unknown fields are ignored in link frames`() throws { try ignores(LinkFrame.self) }

    @Test func `a frame of an unknown kind says so, for the caller to ignore`() {
        for extra in Self.unknown {
            #expect(throws: WireError.unknownFrame) { try ClientFrame(serialized: extra) }
            #expect(throws: WireError.unknownFrame) { try NodeFrame(serialized: extra) }
            #expect(throws: WireError.unknownFrame) { try LinkFrame(serialized: extra) }
        }
        // A liveness message of kind 9.
        #expect(throws: WireError.unknownFrame) { try LinkFrame(serialized: [0x42, 2, 0x08, 9]) }
    }

    @Test func `a submission of an unknown kind is an error, such as the founding with a stated roster that once was`() {
        #expect(throws: WireError.missing("submission.kind")) { try ClientFrame(serialized: [0x2a, 2, 0x2a, 0]) }
        #expect(throws: WireError.missing("submission.kind")) { try ClientFrame(serialized: [0x2a, 3, 0xfa, 0x01, 0]) }
    }

    @Test func `no bytes are no frame`() {
        #expect(throws: WireError.missing("frame")) { try ClientFrame(serialized: []) }
        #expect(throws: WireError.missing("frame")) { try NodeFrame(serialized: []) }
        #expect(throws: WireError.missing("frame")) { try LinkFrame(serialized: []) }
    }

    @Test func `a queue entry of an unknown kind is an error: ignored, it would be acknowledged unread`() {
        #expect(throws: WireError.missing("entry.item")) { try NodeFrame(serialized: [0x32, 5, 0x08, 12, 0xfa, 0x01, 0]) }
        #expect(throws: WireError.missing("entry.item")) { try LinkFrame(serialized: [0x12, 5, 0x08, 12, 0xfa, 0x01, 0]) }
    }

    @Test(arguments: [99, 0x7fff_ffff, 0xffff_ffff, UInt64.max]) func `an unknown refusal code is a definite refusal`(code: UInt64) throws {
        let refusal = [0x08] + Tree.varint(code) + [0x12, 2, 0x68, 0x69]
        let frame = try NodeFrame(serialized: [0x62, UInt8(refusal.count)] + refusal)
        #expect(frame == .goodbye(Refusal(.unknown, "hi")))
        #expect(!Refusal.Code.unknown.isTransient)
    }
}
