import Foundation
import Testing
import Vocabulary
import Wire

/// Frames of groups, KeyPackages and presence byte for byte, as `protoc --encode` writes them from text.
struct GroupGoldenTests {
    private func run(_ byte: String, _ count: Int) -> String { String(repeating: byte, count: count) }
    private var key: String { "0a20" + run("a1", 32) + "1210" + run("c1", 16) }
    private let mark = SealedMark(key: Fixture.key, device: Fixture.id32(0xd1), epoch: 3, sealed: [1, 2])
    private let signal = Signal(key: Fixture.key, sender: Fixture.sender, epoch: 3, sealed: [1, 2])
    private let part = WelcomePart(key: Fixture.key, number: 9, index: 1, count: 2, bytes: [1, 2])
    private let wish = PresenceWish(user: Fixture.id32(0xb1), token: Fixture.bytes32(0x84))

    private func isWritten<F: Frame>(_ frame: F, _ hex: String, _ location: SourceLocation = #_sourceLocation) throws {
        #expect(Hex.encode(frame.serialized()) == hex, sourceLocation: location)
        #expect(try F(serialized: try #require(Hex.decode(hex))) == frame, sourceLocation: location)
    }

    @Test func `what a device submits for a group`() throws {
        let routing = "0a10" + run("e3", 16) + "1210" + run("c1", 16) + "1a20" + run("a1", 32) + "203c"
        try isWritten(
            ClientFrame.submit(Fixture.submission(.commit(Fixture.bundle), order: 5)),
            "2a5d" + routing + "38054a11080312036101021a026103220461040506")
        try isWritten(
            ClientFrame.submit(Fixture.submission(.found(groupInfo: [0x61, 7]), order: 1)), "2a50" + routing + "380142040a026107")
        try isWritten(
            ClientFrame.submit(Fixture.submission(.proposal(epoch: 4, message: [0x61, 8, 9]))), "2a51" + routing + "520708041203610809")
    }

    @Test func `what a device has, for a restored hub`() throws {
        let routing = "0a10" + run("e3", 16) + "1210" + run("c1", 16) + "1a20" + run("a1", 32) + "203c"
        let content = "0001" + "0000000000000007" + "00" + "0000000000000000" + run("00", 32) + "00"
        try isWritten(ClientFrame.submit(Fixture.submission(.testimony(Fixture.testimony))), "2a7e" + routing + "5a34" + content)
        for cut in ["5a33" + content.dropLast(2), "5a35" + content + "00", "5a34" + "0002" + content.dropFirst(4)] {
            let length = String(format: "%02x", (routing.count + cut.count) / 2)
            #expect(throws: WireError.badValue("submission.testimony")) {
                try ClientFrame(serialized: #require(Hex.decode("2a" + length + routing + cut)))
            }
        }
    }

    @Test func `what a device asks about groups`() throws {
        let supply = KeyPackageSupply(replaces: true, packages: [[0x61, 1], [0x61, 2]], lastResort: [0x61, 3])
        try isWritten(ClientFrame.publishKeyPackages(RequestID(9), supply), "4a10080910011a0261011a02610222026103")
        try isWritten(
            ClientFrame.claimKeyPackages(RequestID(10), [Fixture.id32(0xb1), Fixture.id32(0xb2)]),
            "5246080a1220" + run("b1", 32) + "1220" + run("b2", 32))
        try isWritten(ClientFrame.fetchGroup(RequestID(12), Fixture.key), "5a36080c1220" + run("a1", 32) + "1a10" + run("c1", 16))
        try isWritten(ClientFrame.refetch(Fixture.key, from: 7, through: 9), "6238" + key + "18072009")
    }

    @Test func `marks, signals, blocking and presence from a device`() throws {
        try isWritten(
            ClientFrame.mark(mark, devices: [Fixture.id32(0xd2)]),
            "6a80010a5c" + key + "1a20" + run("d1", 32) + "20032a0201021220" + run("d2", 32))
        try isWritten(
            ClientFrame.signal(signal), "727e" + key + "1a20" + run("b1", 32) + "2220" + run("d1", 32) + "280332020102")
        try isWritten(
            ClientFrame.setBlocked(RequestID(13), users: [Fixture.id32(0xb1)], conversations: [Fixture.key]),
            "7a5a080d1220" + run("b1", 32) + "1a34" + key)
        try isWritten(
            ClientFrame.presence(PresenceSettings(token: Fixture.id32(0xf5), sharesLastSeen: true)), "8201240a20" + run("f5", 32) + "1001")
        try isWritten(ClientFrame.subscribe([wish]), "8a01460a440a20" + run("b1", 32) + "1220" + run("84", 32))
    }

    @Test func `what a node sends of groups`() throws {
        try isWritten(NodeFrame.ready(waiting: 2, order: 300, restored: 0), "1205080210ac02")
        try isWritten(NodeFrame.ready(waiting: 2, order: 300, restored: 5), "1207080210ac021805")
        try isWritten(NodeFrame.entry(18, .welcome(part)), "32420812323e" + key + "18092001280232020102")
        try isWritten(NodeFrame.entry(19, .mark(mark)), "326008133a5c" + key + "1a20" + run("d1", 32) + "20032a020102")
        try isWritten(
            NodeFrame.refusedMessage(Fixture.id16(0xe3), Refusal(.staleEpoch, "old", epoch: 0)),
            "521d0a10" + run("e3", 16) + "1209082a12036f6c641800")
        try isWritten(NodeFrame.group(RequestID(12), AnswerPart(index: 0, count: 1, bytes: [1, 2])), "82010a080c120610011a020102")
        try isWritten(NodeFrame.signal(signal), "8a017e" + key + "1a20" + run("b1", 32) + "2220" + run("d1", 32) + "280332020102")
    }

    @Test func `what a node answers about KeyPackages and presence`() throws {
        try isWritten(NodeFrame.done(RequestID(9)), "6a020809")
        let claimed = [
            ClaimedKeyPackages(user: Fixture.id32(0xb1), packages: [[0x61, 1], [0x61, 2]]),
            ClaimedKeyPackages(user: Fixture.id32(0xb2), refusal: Refusal(.unknownUser, "No.")),
        ]
        try isWritten(
            NodeFrame.keyPackages(RequestID(10), claimed),
            "725b080a122a0a20" + run("b1", 32) + "1202610112026102122b0a20" + run("b2", 32) + "1a07081b12034e6f2e")
        try isWritten(NodeFrame.keyPackagesLeft(20), "7a020814")
        let news = [
            PresenceNews(user: Fixture.id32(0xb1), presence: .online),
            PresenceNews(user: Fixture.id32(0xb2), presence: .offline(lastSeen: nil)),
            PresenceNews(user: Fixture.id32(0xb3), presence: .offline(lastSeen: 60)),
            PresenceNews(user: Fixture.id32(0xb4), presence: .offline(lastSeen: 0)),
        ]
        try isWritten(
            NodeFrame.presence(news),
            "920196010a240a20" + run("b1", 32) + "10010a220a20" + run("b2", 32) + "0a240a20" + run("b3", 32) + "183c0a240a20"
                + run("b4", 32) + "1800")
    }

    @Test func `entries between nodes`() throws {
        try isWritten(
            LinkFrame.entry(11, .welcome(part, recipients: [Fixture.id32(0xd1)])),
            "1266080b42620a3e" + key + "180920012802320201021220" + run("d1", 32))
        let marked = key + "1a20" + run("d1", 32) + "20032a0201021220" + run("d2", 32)
        try isWritten(LinkFrame.entry(12, .mark(mark, devices: [Fixture.id32(0xd2)])), "128501080c4a80010a5c" + marked)
        try isWritten(LinkFrame.entry(12, .marked(mark, devices: [Fixture.id32(0xd2)])), "128501080c5280010a5c" + marked)
    }

    @Test func `requests between nodes`() throws {
        try isWritten(
            LinkFrame.claimKeyPackages(RequestID(3), by: Fixture.id32(0xb1), [Fixture.id32(0xb2)]),
            "82014608031220" + run("b1", 32) + "1a20" + run("b2", 32))
        try isWritten(
            LinkFrame.keyPackages(RequestID(3), [ClaimedKeyPackages(user: Fixture.id32(0xb1), packages: [[0x61, 1]])]),
            "8a012a080312260a20" + run("b1", 32) + "12026101")
        try isWritten(
            LinkFrame.fetchGroup(RequestID(4), Fixture.key, by: Fixture.sender),
            "92017a08041220" + run("a1", 32) + "1a10" + run("c1", 16) + "2220" + run("b1", 32) + "2a20" + run("d1", 32))
        try isWritten(LinkFrame.group(RequestID(4), AnswerPart(index: 1, count: 2, bytes: [1, 2])), "9a010c08041208080110021a020102")
        try isWritten(LinkFrame.refusedRequest(RequestID(4), Refusal(.busy, "full")), "a2010c080412080805120466756c6c")
        try isWritten(
            LinkFrame.refetch(Fixture.key, by: Fixture.id32(0xd1), from: 3, through: 4),
            "aa015a" + key + "1a20" + run("d1", 32) + "20032804")
    }

    @Test func `signals and presence between nodes`() throws {
        try isWritten(
            LinkFrame.signal(signal, recipients: [Fixture.id32(0xd2)]),
            "b201a2010a7e" + key + "1a20" + run("b1", 32) + "2220" + run("d1", 32) + "2803320201021220" + run("d2", 32))
        try isWritten(LinkFrame.presenceWanted([wish]), "ba01460a440a20" + run("b1", 32) + "1220" + run("84", 32))
        try isWritten(LinkFrame.presenceUnwanted([Fixture.id32(0xb1)]), "c201220a20" + run("b1", 32))
        try isWritten(
            LinkFrame.presence([PresenceNews(user: Fixture.id32(0xb1), presence: .online)]), "ca01260a240a20" + run("b1", 32) + "1001")
    }
}
