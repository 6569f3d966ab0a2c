import Testing
import Vocabulary
import Wire

/// Frames byte for byte, as `protoc --encode` writes them from text: they pin field numbers and types for everybody else's programs.
struct GoldenTests {
    private func run(_ byte: String, _ count: Int) -> String { String(repeating: byte, count: count) }
    private var key: String { "0a20" + run("a1", 32) + "1210" + run("c1", 16) }

    private func isWritten<F: Frame>(_ frame: F, _ hex: String) throws {
        #expect(Hex.encode(frame.serialized()) == hex)
        #expect(try F(serialized: try #require(Hex.decode(hex))) == frame)
    }

    @Test func `hello`() throws {
        try isWritten(ClientFrame.hello(versions: .current, nonce: Fixture.bytes32(0x81)), "0a280a04080110011220" + run("81", 32))
    }

    @Test func `authenticate`() throws {
        let authentication = Authentication(user: Fixture.id32(0xb1), device: Fixture.id32(0xd1), signature: Fixture.signature(0x91))
        try isWritten(
            ClientFrame.authenticate(authentication),
            "1286010a20" + run("b1", 32) + "1220" + run("d1", 32) + "1a40" + run("91", 64))
    }

    @Test func `submit`() throws {
        let submission = Submission(
            message: Fixture.id16(0xe1), conversation: Fixture.id16(0xc1), hub: Fixture.id32(0xa1),
            kind: .application(epoch: 3, payload: [1, 2, 3]), timeToLive: 3600)
        try isWritten(
            ClientFrame.submit(submission),
            "2a520a10" + run("e1", 16) + "1210" + run("c1", 16) + "1a20" + run("a1", 32) + "20901c320708031203010203")
    }

    @Test func `an entry with an event`() throws {
        let envelope = Envelope(
            key: Fixture.key, number: 7, sender: Fixture.sender, message: Fixture.id16(0xe1), kind: .application, epoch: 3,
            payload: [1, 2, 3], chain: Fixture.id32(0xf1))
        try isWritten(
            NodeFrame.entry(12, .event(envelope)),
            "32bc01080c12b701" + key + "18072220" + run("b1", 32) + "2a20" + run("d1", 32) + "3210" + run("e1", 16)
                + "380140034a030102035220" + run("f1", 32))
    }

    @Test func `a refused message, and caught up`() throws {
        try isWritten(
            NodeFrame.refusedMessage(Fixture.id16(0xe1), Refusal(.queueFull, "full")), "521c0a10" + run("e1", 16) + "12080823120466756c6c")
        try isWritten(NodeFrame.caughtUp, "3a00")
    }

    @Test func `a device's acknowledgement, with its order`() throws {
        try isWritten(ClientFrame.acknowledge(through: 3, watermarks: [], order: 300), "3205080318ac02")
    }

    @Test func `a user whose node cannot be reached`() throws {
        try isWritten(
            NodeFrame.presence([PresenceNews(user: Fixture.id32(0xb1), presence: .unreachable)]), "9201260a240a20" + run("b1", 32) + "2801")
    }

    @Test func `a user of whom the home has not heard`() throws {
        try isWritten(
            NodeFrame.presence([PresenceNews(user: Fixture.id32(0xb1), presence: .unheard)]), "9201260a240a20" + run("b1", 32) + "3001")
    }

    @Test func `an acknowledgement at the highest position`() throws {
        try isWritten(LinkFrame.acknowledge(through: QueuePosition(unchecked: counterMax)), "1a09088080808080808010")
    }

    @Test func `a ping request`() throws {
        let claim = LivenessClaim(node: Fixture.id32(0xa2), state: .suspect, incarnation: 2)
        try isWritten(
            LinkFrame.liveness(.pingRequest(sequence: 300, target: Fixture.id32(0xa3), claims: [claim])),
            "424f080310ac021a260a20" + run("a2", 32) + "100218022220" + run("a3", 32))
    }

    @Test func `a receipt`() throws {
        try isWritten(
            LinkFrame.entry(8, .receipt(Fixture.watermark, devices: [Fixture.id32(0xd1)])),
            "12e60108083ae1010abc01" + key + "1a20" + run("d2", 32) + "20072a20" + run("f1", 32) + "3240" + run("9a", 64) + "1220"
                + run("d1", 32))
    }
}
