import Cryptography
import Federation
import Testing
import Vocabulary

/// Node 0 seen from its peers: alice lives here, dora on node 1, which is also hub of conversation 9.
private struct Station {
    let alice, bob, dora: Person
    var relay: Relay
    let peer = Coast.id(1)

    init(nodes: Int = 3) throws {
        var coast = Coast(nodes: nodes)
        (alice, bob, dora) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0), try coast.person("dora", at: 1))
        relay = try coast.relay(0)
    }

    /// What node 1 says of its own conversation.
    func event(_ number: UInt64, hub: NodeID? = nil, payload: String = "hi") -> Envelope {
        Envelope(
            key: ConversationKey(hub: hub ?? peer, conversation: .numbered(9)), number: SequenceNumber(unchecked: number),
            sender: dora.entry,
            message: .numbered(number), kind: .application, epoch: 0, payload: Array(payload.utf8), chain: .zero)
    }

    func hello(_ federation: FederationID? = nil, versions: VersionRange = .current) -> LinkFrame {
        .hello(versions: versions, federation: federation ?? Coast.fixture.federation, readThrough: 0, statements: .zero)
    }

    mutating func open(_ link: UInt64, _ peer: NodeID, dialled: Bool = false) throws -> [NodeEffect] {
        try relay.step(.linkOpened(LinkID(link), peer: peer, dialled: dialled))
    }

    mutating func say(_ frame: LinkFrame, on link: UInt64) throws -> [NodeEffect] {
        try relay.step(.linkFrame(LinkID(link), frame))
    }
}

extension [LinkFrame] {
    fileprivate var hellos: Int { count { if case .hello = $0 { true } else { false } } }
}

@Suite struct NodeLinkTests {
    @Test func `both say hello at once, and the link is up when the peer's came`() throws {
        var station = try Station()
        try #expect(station.open(1, station.peer).frames(on: 1).hellos == 1)
        #expect(station.relay.core.openLinks == [LinkID(1)])
        try station.relay.signIn(station.alice, as: 5)
        try #expect(
            station.relay.receive(.event(station.event(1), recipients: [station.alice.deviceID]), at: 1, on: 1).events(to: 5).isEmpty)
        try #expect(station.say(station.hello(), on: 1).closedLinks.isEmpty)
        try #expect(
            station.relay.receive(.event(station.event(1), recipients: [station.alice.deviceID]), at: 1, on: 1).events(to: 5).count == 1)
    }

    @Test func `another federation and another version are refused`() throws {
        var station = try Station()
        _ = try station.open(1, station.peer)
        try #expect(station.say(station.hello(FederationID(raw: .zero)), on: 1).closedLinks == [1: .otherFederation])
        _ = try station.open(2, station.peer)
        try #expect(
            station.say(station.hello(versions: VersionRange(lowest: 7, highest: 9)), on: 2).closedLinks == [2: .versionUnsupported])
    }

    @Test func `a stranger is not told hello and may not say much`() throws {
        var station = try Station()
        let stranger = MembershipFixture.id(40)
        try #expect(station.open(1, stranger).frames(on: 1).isEmpty)
        try #expect(station.say(station.hello(), on: 1).frames(on: 1).hellos == 0)
        var closed: [UInt64: Refusal.Code] = [:]
        for _ in 0..<70 { closed.merge(try station.say(.statements([]), on: 1).closedLinks) { first, _ in first } }
        #expect(closed == [1: .notMember])
    }

    @Test func `a peer whose admission is not known here proves itself with its statements`() throws {
        var coast = Coast(nodes: 3)
        let alice = try coast.person("alice", at: 0)
        let fixture = Coast.fixture
        var relay = try coast.relay(0, statements: [fixture.genesis, fixture.admit(1, by: 0, n: 1), fixture.descriptor(0, version: 1)])
        try relay.signIn(alice, as: 5)
        let newcomer = Coast.id(2)
        let opened = try relay.step(
            .linkOpened(LinkID(1), peer: newcomer, dialled: false),
            .linkFrame(LinkID(1), .hello(versions: .current, federation: fixture.federation, readThrough: 0, statements: .zero)))
        #expect(opened.frames(on: 1).hellos == 0)
        #expect(opened.frames(on: 1).contains { if case .statementsDigest = $0 { true } else { false } })
        // What does not admit it changes nothing.
        try #expect(
            relay.step(.linkFrame(LinkID(1), .statements([fixture.admit(2, by: 5, n: 1)]))).frames(on: 1).hellos == 0)
        let proven = try relay.step(.linkFrame(LinkID(1), .statements([fixture.admit(2, by: 0, n: 2)])))
        #expect(proven.frames(on: 1).hellos == 1 && proven.closedLinks.isEmpty)
        #expect(proven.contains { if case .note(.linkUp(newcomer)) = $0 { true } else { false } })
    }

    @Test func `an expelled key is refused at once, and its links end when the word comes`() throws {
        var station = try Station()
        try station.relay.link(1, to: station.peer)
        try station.relay.link(2, to: Coast.id(2))
        let effects = try station.say(.statements([Coast.fixture.expel(1, by: 0, n: 3)]), on: 2)
        #expect(effects.closedLinks[1] == .nodeExpelled && effects.closedLinks[2] == nil)
        #expect(effects.contains { if case .expelled(let nodes) = $0 { nodes == [station.peer] } else { false } })
        try station.relay.step(.linkClosed(LinkID(1)))
        try #expect(station.open(3, station.peer).closedLinks == [3: .nodeExpelled])
    }

    @Test func `of two links made at once one is told that the other is in use`() throws {
        var station = try Station()
        let winner: UInt64 = Coast.id(0) < station.peer ? 1 : 2
        _ = try station.open(1, station.peer, dialled: true)
        _ = try station.open(2, station.peer, dialled: false)
        var closed = try station.say(station.hello(), on: 1).closedLinks
        closed.merge(try station.say(station.hello(), on: 2).closedLinks) { first, _ in first }
        #expect(closed == [3 - winner: .replacedByNewerSession])
    }

    @Test func `an entry is done once and acknowledged whenever it comes`() throws {
        var station = try Station()
        try station.relay.signIn(station.alice, as: 5)
        try station.relay.link(1, to: station.peer)
        let item = NodeItem.event(station.event(1), recipients: [station.alice.deviceID])
        let first = try station.relay.receive(item, at: 10, on: 1)
        #expect(first.events(to: 5).count == 1 && first.acknowledgements(on: 1) == [10])
        let again = try station.relay.receive(item, at: 10, on: 1)
        #expect(again.events(to: 5).isEmpty && again.storedEvents == 0 && again.acknowledgements(on: 1) == [10])
    }

    @Test func `a batch of entries is acknowledged once, with the cursor in the same commit`() throws {
        var station = try Station()
        try station.relay.link(1, to: station.peer)
        let commits = station.relay.store.commits
        let effects = try station.relay.batch(
            (1...50).map {
                .linkFrame(LinkID(1), .entry(QueuePosition(unchecked: $0), .event(station.event($0), recipients: [station.alice.deviceID])))
            })
        #expect(effects.acknowledgements(on: 1) == [50] && effects.storedEvents == 50)
        #expect(station.relay.store.commits == commits + 1)
        var row = ByteReader(try #require(try station.relay.store.value(.linkCursor, key: station.peer.bytes)))
        try #expect(row.counter(QueuePosition.self) == 50)
    }

    @Test func `after a restart the hello says how far the peer's queue was read`() throws {
        var station = try Station()
        try station.relay.link(1, to: station.peer)
        try station.relay.receive(.event(station.event(1), recipients: [station.alice.deviceID]), at: 33, on: 1)
        try station.relay.restart()
        let frames = try station.open(2, station.peer).frames(on: 2)
        #expect(frames.contains { if case .hello(_, _, 33, _) = $0 { true } else { false } })
    }

    @Test func `after a reconnect what the peer has not read is sent again, and what it has is forgotten`() throws {
        var station = try Station()
        try station.relay.signIn(station.alice, as: 5)
        try station.relay.link(1, to: station.peer)
        var positions: [QueuePosition] = []
        for index in UInt64(1)...4 {
            let effects = try station.relay.submit(.say("\(index)", index, in: 9, hub: station.peer), in: 5)
            #expect(effects.frames(to: 5) == [.sent(.numbered(index))])
            for case .entry(let position, _) in effects.frames(on: 1) { positions.append(position) }
        }
        #expect(positions.count == 4)
        try station.relay.step(.linkClosed(LinkID(1)))
        let resumed = try station.relay.link(2, to: station.peer, cursor: positions[1])
        #expect(
            resumed.frames(on: 2).compactMap { if case .entry(let position, _) = $0 { position } else { nil } } == Array(positions[2...]))
        #expect(station.relay.store.leftOvers.entries == 2)
        _ = try station.say(.acknowledge(through: positions[3]), on: 2)
        #expect(station.relay.store.leftOvers.entries == 0)
    }

    @Test func `events, acceptances and receipts are believed from the hub alone`() throws {
        var station = try Station()
        try station.relay.signIn(station.alice, as: 5)
        try station.relay.link(1, to: station.peer)
        try station.relay.link(2, to: Coast.id(2))
        let envelope = station.event(1)
        let mark = station.dora.watermark(envelope.key, through: 1, chain: .zero)
        let failure = Failure(key: envelope.key, message: .numbered(1), refusal: Refusal(.expired, ""))
        let device = station.alice.deviceID
        let items: [NodeItem] = [
            .event(envelope, recipients: [device]),
            .accepted(Acceptance(key: envelope.key, number: 1, message: .numbered(1), chain: .zero), device: device),
            .receipt(mark, devices: [device]), .failed(failure, device: device),
        ]
        for (index, item) in items.enumerated() {
            let wrong = try station.relay.receive(item, at: UInt64(index + 1), on: 2)
            #expect(wrong.items(to: 5).isEmpty && wrong.acknowledgements(on: 2) == [QueuePosition(unchecked: UInt64(index + 1))])
            try #expect(station.relay.receive(item, at: UInt64(index + 1), on: 1).items(to: 5).count == 1)
        }
    }

    @Test func `what is addressed to devices that do not live here is dropped`() throws {
        var station = try Station()
        try station.relay.link(1, to: station.peer)
        let effects = try station.relay.receive(.event(station.event(1), recipients: [station.dora.deviceID]), at: 1, on: 1)
        #expect(effects.storedEvents == 0 && effects.acknowledgements(on: 1) == [1])
    }

    @Test func `a submission is taken from the sender's home alone, and a refusal goes back through the queue`() throws {
        var station = try Station()
        try station.relay.signIn(station.alice, as: 5)
        try station.relay.found(1, [station.alice, station.dora], in: 5)
        try station.relay.link(1, to: station.peer)
        try station.relay.link(2, to: Coast.id(2))
        let submission = Submission.say("hi", 4, hub: station.relay.id)
        func code(_ items: [NodeItem]) -> Refusal.Code? {
            for case .failed(let failure, _) in items { return failure.refusal.code }
            return nil
        }
        func isDropped(_ submission: Submission, of sender: Person, at position: UInt64, on link: UInt64) throws -> Bool {
            let effects = try station.relay.receive(.submission(submission, sender: sender.entry), at: position, on: link)
            return effects.events(to: 5).isEmpty && effects.storedEvents == 0 && effects.items(on: link).isEmpty
                && effects.acknowledgements(on: link) == [QueuePosition(unchecked: position)]
        }
        try #expect(isDropped(submission, of: station.dora, at: 1, on: 2) == true, "not from dora's home")
        try #expect(isDropped(submission, of: station.alice, at: 2, on: 2) == true, "alice lives here")
        try #expect(isDropped(.say("hi", 4, hub: Coast.id(2)), of: station.dora, at: 1, on: 1) == true, "another hub's")
        let unknown = Submission.say("hi", 4, in: 77, hub: station.relay.id)
        try #expect(
            code(station.relay.receive(.submission(unknown, sender: station.dora.entry), at: 2, on: 1).items(on: 1)) == .unknownConversation
        )
        let good = try station.relay.receive(.submission(submission, sender: station.dora.entry), at: 3, on: 1)
        #expect(good.events(to: 5).count == 1 && code(good.items(on: 1)) == nil)
    }

    @Test func `a recipient's home may fail a message, a node with nobody in the conversation may not`() throws {
        var station = try Station()
        try station.relay.signIn(station.alice, as: 5)
        try station.relay.found(1, [station.alice, station.dora], in: 5)
        try station.relay.link(1, to: station.peer)
        try station.relay.link(2, to: Coast.id(2))
        try station.relay.submit(.say("hi", 1, hub: station.relay.id), in: 5)
        let failure = Failure(key: station.relay.key(1), message: .numbered(1), refusal: Refusal(.queueFull, ""))
        try #expect(station.relay.receive(.failed(failure, device: station.alice.deviceID), at: 1, on: 2).failures(to: 5).isEmpty)
        try #expect(station.relay.receive(.failed(failure, device: station.alice.deviceID), at: 1, on: 1).failures(to: 5) == [failure])
        let unknown = Failure(key: station.relay.key(1), message: .numbered(77), refusal: Refusal(.queueFull, ""))
        try #expect(station.relay.receive(.failed(unknown, device: station.alice.deviceID), at: 2, on: 1).failures(to: 5).isEmpty)
    }

    @Test func `one copy of an event goes to a node, with the devices that live there`() throws {
        var coast = Coast(nodes: 2)
        let alice = try coast.person("alice", at: 0)
        let others = [try coast.person("dora", at: 1), try coast.person("emil", at: 1), try coast.person("fred", at: 1)]
        var relay = try coast.relay(0)
        try relay.signIn(alice, as: 5)
        try relay.link(1, to: Coast.id(1))
        try relay.found(1, [alice] + others, in: 5)
        let items = try relay.submit(.say("hi", 1, hub: relay.id), in: 5).items(on: 1)
        guard case .event(let envelope, let recipients)? = items.first, items.count == 1 else {
            return #expect(Bool(false), "\(items.count)")
        }
        #expect(envelope.number == 2 && Set(recipients) == Set(others.map(\.deviceID)))
    }

    private static func device(_ number: UInt64) -> DeviceID {
        var writer = ByteWriter()
        for _ in 0..<4 { writer.write(number) }
        return DeviceID(raw: Bytes32(writer.bytes) ?? .zero)
    }

    @Test func `a full queue at a recipient's home fails the message and keeps no bytes of it`() throws {
        var station = try Station()
        try station.relay.link(1, to: station.peer)
        // By that hub itself: what others have sent does not count against it.
        let key = station.event(1).key
        try station.relay.batch(
            (1...UInt64(Limits.queueEntriesPerDeviceMax)).map { number in
                let mark = SealedMark(key: key, device: Self.device(number), epoch: 1, sealed: [1])
                return .linkFrame(LinkID(1), .entry(QueuePosition(unchecked: number), .marked(mark, devices: [station.alice.deviceID])))
            })
        let next = UInt64(Limits.queueEntriesPerDeviceMax) + 1
        let effects = try station.relay.receive(.event(station.event(1), recipients: [station.alice.deviceID]), at: next, on: 1)
        guard case .failed(let failure, let sender)? = effects.items(on: 1).first else { return #expect(Bool(false), "not told") }
        #expect(failure.refusal.code == .queueFull && sender == station.dora.deviceID)
        #expect(station.relay.store.leftOvers.events == 0)
    }

    @Test func `a frame that does not belong on a link ends it`() throws {
        var station = try Station()
        try station.relay.link(1, to: station.peer)
        try #expect(station.say(station.hello(), on: 1).closedLinks == [1: .badFrame])
    }

    /// The word may be on its way, as after a restoration; of one that was expelled it is final (`ExpulsionTests`).
    @Test func `a submission for a node of which nothing is known is refused for now`() throws {
        var station = try Station()
        try station.relay.signIn(station.alice, as: 5)
        let submission = Submission.say("x", 1, in: 9, hub: MembershipFixture.id(40))
        try #expect(station.relay.submit(submission, in: 5).refusals(to: 5) == [.busy])
    }
}
