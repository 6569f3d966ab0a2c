import Cryptography
import Federation
import Groups
import MLS
import Testing
import Vocabulary

/// A node whose users are in conversations of another hub: what it passes on, and to whom.
@Suite struct FollowingHomeTests {
    private struct Home {
        let alice: Person
        var relay: Relay
        let hub = Coast.id(1)
        var key: ConversationKey { ConversationKey(hub: hub, conversation: .numbered(3)) }

        init() throws {
            var coast = Coast(nodes: 3)
            alice = try coast.person("alice", at: 0)
            relay = try coast.relay(0)
            try relay.signIn(alice, as: 1)
            try relay.link(7, to: hub)
            try relay.link(8, to: Coast.id(2))
        }

        func parts(_ number: SequenceNumber) -> [WelcomePart] {
            WelcomePart.parts(of: [UInt8](repeating: 3, count: Limits.partBytesMax * 2 + 5), key: key, number: number)
        }
    }

    @Test func `a Welcome's parts are passed on in order, stored until acknowledged, and believed from the hub alone`() throws {
        var home = try Home()
        for (index, part) in home.parts(4).enumerated() {
            let item = NodeItem.welcome(part, recipients: [home.alice.deviceID])
            try #expect(home.relay.receive(item, at: UInt64(index + 1), on: 8).items(to: 1).isEmpty, "from a node that is not the hub")
            try #expect(home.relay.receive(item, at: UInt64(index + 1), on: 7).items(to: 1) == [.welcome(part)])
        }
        #expect(home.relay.store.leftOvers.events == 3)
        try home.relay.restart()
        let session = try home.relay.signIn(home.alice, as: 1)
        #expect(session.items(to: 1) == home.parts(4).map { .welcome($0) })
        try home.relay.acknowledge(try #require(session.entries(to: 1).last?.position), in: 1)
        #expect(home.relay.store.leftOvers.events == 0)
    }

    @Test func `a group that is asked for elsewhere comes in parts under the session's own number, or the refusal does`() throws {
        var home = try Home()
        let asked = try home.relay.step(.sessionFrame(SessionID(1), .fetchGroup(RequestID(9), home.key))).frames(on: 7)
        guard case .fetchGroup(let mine, home.key, by: home.alice.entry)? = asked.last else {
            Issue.record("not asked: \(asked)")
            return
        }
        let parts = AnswerPart.parts(of: [UInt8](repeating: 1, count: Limits.partBytesMax + 1))
        try #expect(home.relay.step(.linkFrame(LinkID(8), .group(mine, parts[0]))).frames(to: 1).isEmpty)
        for part in parts {
            try #expect(home.relay.step(.linkFrame(LinkID(7), .group(mine, part))).frames(to: 1) == [.group(RequestID(9), part)])
        }
        try #expect(home.relay.step(.linkFrame(LinkID(7), .group(mine, parts[1]))).frames(to: 1).isEmpty, "answered already")

        let again = try home.relay.step(.sessionFrame(SessionID(1), .fetchGroup(RequestID(10), home.key))).frames(on: 7)
        guard case .fetchGroup(let second, _, _)? = again.last else { return }
        let refusal = Refusal(.unknownConversation, "unknown")
        try #expect(
            home.relay.step(.linkFrame(LinkID(7), .refusedRequest(second, refusal))).frames(to: 1) == [
                .refusedRequest(RequestID(10), refusal)
            ])
    }

    @Test func `a node that answers without end keeps no request alive: parts come in order, and within a minute`() throws {
        var home = try Home()
        let asked = try home.relay.step(.sessionFrame(SessionID(1), .fetchGroup(RequestID(9), home.key))).frames(on: 7)
        guard case .fetchGroup(let mine, _, _)? = asked.last else {
            Issue.record("not asked: \(asked)")
            return
        }
        let parts = AnswerPart.parts(of: [UInt8](repeating: 1, count: Limits.partBytesMax * 20))
        var (shown, refusals): (Int, [Refusal.Code]) = (0, [])
        for part in parts where refusals.isEmpty {
            for _ in 0..<2 { shown += try home.relay.step(.linkFrame(LinkID(7), .group(mine, part))).frames(to: 1).count }
            home.relay.now = home.relay.now + .seconds(9)
            refusals = try home.relay.step(.deadlineReached).refusals(to: 1)
        }
        #expect(refusals == [.busy])
        #expect(shown == 7, "each part once, for a minute")
        try #expect(home.relay.step(.linkFrame(LinkID(7), .group(mine, parts[shown]))).frames(to: 1).isEmpty)
    }

    @Test func `requests of a session go with it, and a session has no more than its bound`() throws {
        var home = try Home()
        func ask(_ count: Int, as session: UInt64) throws -> [Refusal.Code] {
            try (0..<count).flatMap { index in
                let frame = ClientFrame.fetchGroup(RequestID(UInt64(index)), home.key)
                return try home.relay.step(.sessionFrame(SessionID(session), frame)).refusals(to: session)
            }
        }
        try #expect(ask(17, as: 1) == [.rateLimited])
        let before = try #require(home.relay.core.nextDeadline)
        try home.relay.step(.sessionClosed(SessionID(1)))
        try home.relay.signIn(home.alice, as: 2)
        try #expect(ask(17, as: 2) == [.rateLimited])
        home.relay.now = max(before, home.relay.now + .seconds(11))
        let given = try home.relay.step(.deadlineReached)
        #expect(given.refusals(to: 1).isEmpty)
        #expect(given.refusals(to: 2).count == 16)
    }

    @Test func `a group that nobody answers for is given up, at once where there is no link`() throws {
        var home = try Home()
        try home.relay.step(.sessionFrame(SessionID(1), .fetchGroup(RequestID(9), home.key)))
        try #expect(home.relay.step(.linkClosed(LinkID(7))).refusals(to: 1) == [.busy])
        try #expect(home.relay.step(.sessionFrame(SessionID(1), .fetchGroup(RequestID(10), home.key))).refusals(to: 1) == [.busy])
        let other = ConversationKey(hub: Coast.id(2), conversation: .numbered(3))
        try home.relay.step(.sessionFrame(SessionID(1), .fetchGroup(RequestID(11), other)))
        home.relay.now = home.relay.now + .seconds(11)
        try #expect(home.relay.step(.deadlineReached).refusals(to: 1) == [.busy])
    }

    @Test func `marks and signals of the hub reach the devices they name, of others none`() throws {
        var home = try Home()
        var random = SeededGenerator(seed: 6)
        let sender = RosterEntry(
            user: UserID(raw: SigningKey(using: &random).publicKey), device: DeviceID(raw: SigningKey(using: &random).publicKey))
        let mark = SealedMark(key: home.key, device: sender.device, epoch: 1, sealed: [1])
        let signal = Signal(key: home.key, sender: sender, epoch: 1, sealed: [2])
        for (link, isHub) in [(UInt64(8), false), (7, true)] {
            let marked = try home.relay.receive(.marked(mark, devices: [home.alice.deviceID, sender.device]), at: 5, on: link)
            #expect(marked.items(to: 1) == (isHub ? [.mark(mark)] : []))
            let shown = try home.relay.step(.linkFrame(LinkID(link), .signal(signal, recipients: [home.alice.deviceID, sender.device])))
            #expect(shown.frames(to: 1) == (isHub ? [.signal(signal)] : []))
        }
    }

    @Test func `an own mark waits for the hub, the newest alone`() throws {
        var home = try Home()
        try home.relay.step(.linkClosed(LinkID(7)))
        var random = SeededGenerator(seed: 6)
        let devices = (0..<2).map { _ in DeviceID(raw: SigningKey(using: &random).publicKey) }
        for (byte, device) in zip([UInt8(1), 2], devices) {
            let mark = SealedMark(key: home.key, device: home.alice.deviceID, epoch: 1, sealed: [byte])
            try home.relay.step(.sessionFrame(SessionID(1), .mark(mark, devices: [device])))
        }
        let newest = SealedMark(key: home.key, device: home.alice.deviceID, epoch: 1, sealed: [2])
        try #expect(home.relay.link(7, to: home.hub).items(on: 7) == [.mark(newest, devices: devices.sorted())])
    }
}
