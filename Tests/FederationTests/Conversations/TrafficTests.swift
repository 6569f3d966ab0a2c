import Cryptography
import Federation
import Groups
import MLS
import Simulation
import Testing
import Vocabulary

/// Receipts, read receipts, signals, what is fetched once more, and full queues.
@Suite struct TrafficTests {
    private func receipts(_ effects: [NodeEffect], _ anchorage: Anchorage, for index: Int) -> [SequenceNumber] {
        anchorage.items(effects, for: index).compactMap { if case .watermark(let watermark) = $0 { watermark.through } else { nil } }
    }

    @Test func `in a small conversation every watermark goes on at once`() throws {
        var anchorage = try Anchorage.group([0, 0, 1])
        for _ in 0..<3 {
            try anchorage.say("x", by: 0)
            try #expect(receipts(anchorage.acknowledge(2), anchorage, for: 0).count == 1)
        }
    }

    @Test func `in a larger one a device's watermark goes on at once, then once a second, the newest`() throws {
        var anchorage = try Anchorage.group([0, 0, 1, 0, 0, 0, 0, 0, 0, 2])
        try anchorage.say("first", by: 0)
        try #expect(receipts(anchorage.acknowledge(2), anchorage, for: 0) == [2])
        for index in [0, 9, 0] {
            try anchorage.say("more", by: index)
            let effects = try anchorage.acknowledge(2)
            #expect(receipts(effects, anchorage, for: 0).isEmpty && receipts(effects, anchorage, for: 9).isEmpty)
        }
        anchorage.relay.now = anchorage.relay.now + .milliseconds(1_100)
        #expect(try #require(anchorage.relay.core.nextDeadline) <= anchorage.relay.now)
        let effects = try anchorage.relay.step(.deadlineReached)
        #expect(receipts(effects, anchorage, for: 0) == [5] && receipts(effects, anchorage, for: 9) == [5])
        // Nothing is left to say; the next one has to wait again.
        anchorage.relay.now = anchorage.relay.now + .milliseconds(500)
        try anchorage.say("again", by: 0)
        try #expect(receipts(anchorage.acknowledge(2), anchorage, for: 0).isEmpty)
        anchorage.relay.now = anchorage.relay.now + .seconds(1)
        try #expect(receipts(anchorage.relay.step(.deadlineReached), anchorage, for: 0) == [6])
        try #expect(anchorage.relay.store.values(.pendingWatermark).isEmpty)
    }

    @Test func `a receipt that is held back survives the hub's death`() throws {
        var anchorage = try Anchorage.group([0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        try anchorage.say("first", by: 0)
        try anchorage.acknowledge(2)
        try anchorage.say("second", by: 0)
        try anchorage.acknowledge(2)
        try #expect(anchorage.relay.store.values(.pendingWatermark).count == 1)
        var effects = try anchorage.restart()
        effects += try anchorage.relay.step(.deadlineReached)
        #expect(receipts(effects, anchorage, for: 0).contains(3))
        try #expect(anchorage.relay.store.values(.pendingWatermark).isEmpty)
    }

    @Test func `a watermark that nobody signed counts for nothing, also where it was held back`() throws {
        var anchorage = try Anchorage.group([0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        try anchorage.say("first", by: 0)
        try anchorage.acknowledge(2)
        try anchorage.say("second", by: 0)
        let genuine = try anchorage.members[2].watermark()
        let forged = Watermark(
            key: genuine.key, device: genuine.device, through: genuine.through, chain: genuine.chain,
            signature: try #require(Signature([UInt8](repeating: 1, count: 64))))
        try anchorage.send(.watermark(forged), from: 1)
        anchorage.relay.now = anchorage.relay.now + .milliseconds(1_100)
        let effects = try anchorage.relay.step(.deadlineReached)
        #expect(receipts(effects, anchorage, for: 0).isEmpty)
        try #expect(anchorage.relay.store.values(.pendingWatermark).isEmpty)
        // The true one is as good as before.
        anchorage.relay.now = anchorage.relay.now + .seconds(1)
        try #expect(receipts(anchorage.acknowledge(2), anchorage, for: 0) == [3])
    }

    @Test func `receipts for a node that is away do not pile up, and concern all that each concerned`() throws {
        var anchorage = try Anchorage.group([0, 1, 1, 0])
        try anchorage.relay.step(.linkClosed(LinkID(1_000)))
        try anchorage.relay.link(1_000, to: Coast.id(1))
        try anchorage.say("by one", by: 1)
        try anchorage.say("by two", by: 2)
        try anchorage.relay.step(.linkClosed(LinkID(1_000)))
        let chains = [anchorage.members[3].chain]
        for through in [SequenceNumber(2), 3] {
            let chain = through == 3 ? chains[0] : try #require(try anchorage.chain(at: 2))
            try anchorage.relay.acknowledge(
                0, [anchorage.members[3].person.watermark(anchorage.key, through: through, chain: chain)], in: 4)
        }
        let effects = try anchorage.relay.link(1_000, to: Coast.id(1))
        let items = effects.items(on: 1_000).compactMap {
            if case .receipt(let watermark, let devices) = $0 { (watermark, devices) } else { nil }
        }
        #expect(items.count == 1 && items.first?.0.through == 3)
        #expect(items.first?.1 == [anchorage.members[1].device, anchorage.members[2].device].sorted())
    }

    // MARK: Read receipts

    private func mark(_ anchorage: Anchorage, by index: Int, epoch: Epoch = 1, _ byte: UInt8 = 1) -> SealedMark {
        SealedMark(key: anchorage.key, device: anchorage.members[index].device, epoch: epoch, sealed: [UInt8](repeating: byte, count: 60))
    }

    @Test func `a read receipt goes to those it is for and are in the conversation, here and elsewhere`() throws {
        var anchorage = try Anchorage.group([0, 0, 1, 2])
        var random = SeededGenerator(seed: 8)
        let stranger = DeviceID(raw: SigningKey(using: &random).publicKey)
        let devices = [0, 2, 3].map { anchorage.members[$0].device } + [stranger]
        let effects = try anchorage.relay.step(.sessionFrame(SessionID(2), .mark(mark(anchorage, by: 1), devices: devices)))
        try anchorage.feed(effects)
        #expect([0, 2, 3].allSatisfy { anchorage.members[$0].marks == [mark(anchorage, by: 1)] } && anchorage.members[1].marks.isEmpty)
        let remote = try anchorage.send(.mark(mark(anchorage, by: 2), devices: [anchorage.members[0].device]), from: 1)
        #expect(anchorage.items(remote, for: 0) == [.mark(mark(anchorage, by: 2))])
    }

    @Test func `a read receipt in another's name, of a later epoch, or by who is not in is dropped`() throws {
        var anchorage = try Anchorage.group([0, 0, 1, 0])
        try anchorage.remove(3, by: 0)
        let to = [anchorage.members[0].device]
        var effects = try anchorage.relay.step(
            .sessionFrame(SessionID(2), .mark(mark(anchorage, by: 0), devices: [anchorage.members[1].device])))
        effects += try anchorage.relay.step(.sessionFrame(SessionID(2), .mark(mark(anchorage, by: 1, epoch: 3), devices: to)))
        effects += try anchorage.relay.step(.sessionFrame(SessionID(4), .mark(mark(anchorage, by: 3), devices: to)))
        effects += try anchorage.send(.mark(mark(anchorage, by: 1), devices: to), from: 1)
        effects += try anchorage.send(.mark(mark(anchorage, by: 2), devices: to), from: 2)
        #expect((0..<4).allSatisfy { anchorage.items(effects, for: $0).isEmpty })
    }

    @Test func `only the newest read receipt of a device waits, for all whom it concerns`() throws {
        var anchorage = try Anchorage.group([0, 0, 1, 1])
        try anchorage.relay.step(.linkClosed(LinkID(1_000)))
        try anchorage.relay.step(.sessionClosed(SessionID(1)))
        for (byte, index) in [(UInt8(1), 2), (2, 3), (3, 2)] {
            let devices = [anchorage.members[index].device, anchorage.members[0].device]
            try anchorage.relay.step(.sessionFrame(SessionID(2), .mark(mark(anchorage, by: 1, byte), devices: devices)))
        }
        let link = try anchorage.relay.link(1_000, to: Coast.id(1)).items(on: 1_000)
        let both = [2, 3].map { anchorage.members[$0].device }.sorted()
        #expect(link.filter { if case .marked = $0 { true } else { false } } == [.marked(mark(anchorage, by: 1, 3), devices: both)])
        let session = try anchorage.relay.signIn(anchorage.members[0].person, as: 1).items(to: 1)
        #expect(session.filter { if case .mark = $0 { true } else { false } } == [.mark(mark(anchorage, by: 1, 3))])
    }

    // MARK: Signals

    @Test func `a signal goes to whoever is connected and is never stored`() throws {
        var anchorage = try Anchorage.group([0, 0, 1, 0])
        try anchorage.relay.step(.sessionClosed(SessionID(4)))
        let signal = Signal(key: anchorage.key, sender: anchorage.members[0].entry, epoch: 1, sealed: [1, 2, 3])
        let effects = try anchorage.relay.step(.sessionFrame(SessionID(1), .signal(signal)))
        #expect(effects.frames(to: 2) == [.signal(signal)] && effects.frames(to: 1).isEmpty && effects.writes.isEmpty)
        #expect(effects.frames(on: 1_000) == [.signal(signal, recipients: [anchorage.members[2].device])])
        try #expect(!anchorage.relay.signIn(anchorage.members[3].person, as: 4).frames(to: 4).contains(.signal(signal)))
        // Somebody else's, a stranger's, and one from a node where the sender does not live.
        var wrong = try anchorage.relay.step(.sessionFrame(SessionID(2), .signal(signal)))
        wrong += try anchorage.relay.step(.linkFrame(LinkID(1_000), .signal(signal, recipients: [])))
        #expect(wrong.frames(to: 2).isEmpty && wrong.frames(on: 1_000).isEmpty)
    }

    // MARK: Once more

    @Test func `a device is given once more what the log has and it lacks`() throws {
        var anchorage = try Anchorage.group([0, 0, 1, 0])
        for index in 0..<5 { try anchorage.say("\(index)", by: 0) }
        let local = try anchorage.relay.step(.sessionFrame(SessionID(2), .refetch(anchorage.key, from: 3, through: 5)))
        #expect(local.events(to: 2).map(\.number) == [3, 4, 5])
        let frame = LinkFrame.refetch(anchorage.key, by: anchorage.members[2].device, from: 4, through: 99)
        let remote = try anchorage.relay.step(.linkFrame(LinkID(1_000), frame))
        let numbers = anchorage.items(remote, for: 2).compactMap { item -> UInt64? in
            if case .event(let envelope) = item { envelope.number.value } else { nil }
        }
        #expect(numbers == [4, 5, 6])
        // From where it came in on; the Welcome for the commit that added it.
        let early = try anchorage.relay.step(.sessionFrame(SessionID(2), .refetch(anchorage.key, from: 0, through: 2)))
        #expect(early.items(to: 2).count == 2)
        #expect(early.items(to: 2).contains { if case .welcome = $0 { true } else { false } })
        // In another's name, and after the removal.
        let foreign = LinkFrame.refetch(anchorage.key, by: anchorage.members[1].device, from: 1, through: 9)
        try #expect(anchorage.relay.step(.linkFrame(LinkID(1_000), foreign)).items(on: 1_000).isEmpty)
        try anchorage.remove(3, by: 0)
        let late = try anchorage.relay.step(.sessionFrame(SessionID(4), .refetch(anchorage.key, from: 1, through: 9))).items(to: 4)
        guard case .failed(let failure)? = late.first, late.count == 1 else { return #expect(Bool(false), "not told: \(late)") }
        #expect(failure.key == anchorage.key && failure.refusal.code == .unknownConversation)
    }

    @Test func `a full queue refuses in a direct conversation and is passed over in a group`() throws {
        let lines = (0..<Limits.queueEntriesPerDeviceMax).map { (position: QueuePosition(unchecked: UInt64($0) + 1), bytes: 10) }
        var direct = try Anchorage.direct()
        try direct.relay.step(.sessionClosed(SessionID(2)))
        direct.relay.core.restore(.device(direct.members[1].device), outline: lines)
        try #expect(direct.refusals(direct.say("x", by: 0)).map(\.code) == [.queueFull])

        var group = try Anchorage.group([0, 0, 0])
        try group.relay.step(.sessionClosed(SessionID(2)))
        group.relay.core.restore(.device(group.members[1].device), outline: lines)
        let effects = try group.say("x", by: 0)
        #expect(group.refusals(effects).isEmpty && group.members[2].texts == ["x"] && group.relay.core.entriesPassedOver == 1)
        try #expect(group.held == 2, "the log has it for later")
    }

    @Test func `a home that could not keep a message fails it in a direct conversation alone`() throws {
        for isDirect in [true, false] {
            var anchorage = isDirect ? try Anchorage.direct([0, 1]) : try Anchorage.group([0, 1, 0])
            let submission = try anchorage.members[0].say("x", message: 40)
            try anchorage.submit(submission, by: 0)
            let failure = Failure(key: anchorage.key, message: .numbered(40), refusal: Refusal(.queueFull, "full"))
            let effects = try anchorage.send(.failed(failure, device: anchorage.members[0].device), from: 1)
            #expect(effects.failures(to: 1).count == (isDirect ? 1 : 0))
        }
    }

    @Test func `a device that commits without end is slowed down, and nobody else`() throws {
        var anchorage = try Anchorage.group([0, 0])
        let commit = try anchorage.members[1].commit([], message: 7_000)
        guard case .commit(let bundle) = commit.kind else { return }
        let bad = anchorage.members[1].submission(
            7_000, .commit(CommitBundle(epoch: 1, commit: bundle.commit, welcome: nil, groupInfo: [])))
        var codes: [Refusal.Code] = []
        for _ in 0..<300 { codes += anchorage.refusals(try anchorage.submit(bad, by: 1)).map(\.code) }
        #expect(codes.count { $0 == .handshakeInvalid } == 200 && codes.last == .rateLimited)
        try #expect(anchorage.refusals(anchorage.submit(anchorage.members[0].commit([], message: 7_001), by: 0)).isEmpty)
        anchorage.relay.now = anchorage.relay.now + .seconds(1)
        try #expect(anchorage.refusals(anchorage.submit(anchorage.members[1].commit([], message: 7_000), by: 1)).isEmpty)
    }

    @Test func `conversations that were not used for long leave memory, and come back`() throws {
        var hub = Hub(node: Coast.id(0))
        var coast = Coast(nodes: 1)
        var founder = Sailor(try coast.person("somebody", at: 0), session: 1, seed: 4)
        let host = HubHost(wall: Coast.wall.seconds, upTime: 0, obstacle: nil, refusal: { _ in nil }, isGone: { _ in false })
        var writes: [StoreWrite] = []
        for index in UInt64(0)..<20 {
            let founding = try founder.found(ConversationKey(hub: Coast.id(0), conversation: .numbered(index)))
            _ = hub.submit(founding, from: founder.entry, host: host, writes: &writes)
        }
        hub.evict(conversationsMax: 10)
        #expect(!hub.isResident(.numbered(0)) && hub.isResident(.numbered(19)))
        #expect((0..<20).count { hub.isResident(.numbered($0)) } == 15)
        hub.evict(conversationsMax: 100, bytesMax: 1)
        #expect(hub.isResident(.numbered(19)))
    }
}

extension Anchorage {
    /// The chain as the hub's log has it.
    func chain(at number: SequenceNumber) throws -> Digest? {
        let held = try relay.store.heldEvents(key, after: .zero, bytesMax: .max).events
        return try held.first { $0.number == number }.map { try StoredEvent(decoding: $0.bytes).envelope.chain }
    }
}
