import Cryptography
import Federation
import Simulation
import Testing
import Vocabulary

/// Nobody fills a queue that others need.
@Suite struct FullQueueTests {
    private static let ann: UInt64 = 5, bob: UInt64 = 6

    /// Node 0 with two users who are here, one who is away, and a peer that is linked on 1_000; nobody reaches node 2.
    private struct Harbor {
        var relay: Relay
        let ann, bob, away: Person
        var position: UInt64 = 100

        init() throws {
            var coast = Coast(nodes: 3)
            (ann, bob, away) = (try coast.person("ann", at: 0), try coast.person("bob", at: 0), try coast.person("away", at: 0))
            relay = try coast.relay(0)
            try relay.link(1_000, to: Coast.id(1))
            try relay.signIn(ann, as: FullQueueTests.ann)
            try relay.signIn(bob, as: FullQueueTests.bob)
        }

        func submission(_ number: UInt64, to hub: NodeID, bytes: Int) -> Submission {
            Submission(
                message: MessageID(raw: Bytes16(9, number)), conversation: .numbered(number % 7), hub: hub,
                kind: .application(epoch: 1, payload: [UInt8](repeating: 1, count: bytes)))
        }

        mutating func receive(_ items: [NodeItem]) throws -> [NodeEffect] {
            let inputs = items.map { item -> NodeInput in
                position += 1
                return .linkFrame(LinkID(1_000), .entry(QueuePosition(unchecked: position), item))
            }
            return try relay.batch(inputs)
        }
    }

    @Test func `one user's messages for a node that is down have a bound in bytes, and others' are still taken`() throws {
        var harbor = try Harbor()
        let size = Limits.payloadBytesMax - 1024
        var refusals: [Refusal.Code] = []
        for number in 0..<UInt64(Limits.queueBytesPerUserMax / size + 8) where refusals.isEmpty {
            harbor.relay.now = harbor.relay.now + .milliseconds(100)
            refusals = try harbor.relay.submit(harbor.submission(number, to: Coast.id(2), bytes: size), in: Self.ann).refusals(to: Self.ann)
        }
        #expect(refusals == [.queueFull])
        try #expect(harbor.relay.submit(harbor.submission(1, to: Coast.id(2), bytes: 100), in: Self.bob).refusals(to: Self.bob).isEmpty)
    }

    @Test func `Welcomes for a node that is down stand on the account of who adds, and who has used it up can still commit`() throws {
        var coast = Coast(nodes: 3)
        let (ann, dan) = (try coast.person("ann", at: 0), try coast.person("dan", at: 2))
        var relay = try coast.relay(0)
        try relay.signIn(ann, as: Self.ann)
        func submit(_ number: UInt64, bytes: Int) throws -> [Refusal.Code] {
            relay.now = relay.now + .milliseconds(100)
            let submission = Submission(
                message: MessageID(raw: Bytes16(9, number)), conversation: .numbered(number), hub: Coast.id(2),
                kind: .application(epoch: 1, payload: [UInt8](repeating: 1, count: bytes)))
            return try relay.submit(submission, in: Self.ann).refusals(to: Self.ann)
        }
        func waiting() throws -> Int { try relay.store.outline(.node(Coast.id(2))).reduce(0) { $0 + $1.bytes } }
        var number: UInt64 = 0
        for size in [60_000, 200] {
            while try waiting() + size + 300 < Limits.queueBytesPerUserMax {
                number += 1
                let burst = size > 1_000 ? 100 : 1
                for index in 0..<burst where try index == 0 || waiting() + size + 300 < Limits.queueBytesPerUserMax {
                    number += 1
                    try #require(submit(number, bytes: size).isEmpty)
                }
            }
        }
        let before = try waiting()
        try #expect(relay.found(1, [ann, dan], in: Self.ann).refusals(to: Self.ann).isEmpty)
        try #expect(waiting() > before + 500)
        try #expect(submit(number + 1, bytes: 100) == [.queueFull])
        try #expect(relay.found(2, [ann, dan], in: Self.ann).refusals(to: Self.ann).isEmpty)
    }

    @Test func `one user's receipts for conversations that nobody has made end its session, and no message is refused for them`() throws {
        var harbor = try Harbor()
        var closing: Refusal.Code?
        for frame in 0..<UInt64(Limits.queueReceiptsPerUserMax / 100 + 2) where closing == nil {
            let marks = (0..<100).map { index in
                harbor.ann.watermark(
                    ConversationKey(hub: Coast.id(2), conversation: .numbered(frame * 100 + index)), through: 1, chain: .zero)
            }
            closing = try harbor.relay.acknowledge(0, marks, in: Self.ann).closing(Self.ann)
        }
        #expect(closing == .queueFull)
        try #expect(harbor.relay.store.outline(.node(Coast.id(2))).count <= Limits.queueReceiptsPerUserMax)
        try #expect(harbor.relay.submit(harbor.submission(1, to: Coast.id(2), bytes: 100), in: Self.bob).refusals(to: Self.bob).isEmpty)
    }

    @Test func `a hub at another node that fills a device's queue keeps no other hub from it`() throws {
        var harbor = try Harbor()
        let key = ConversationKey(hub: Coast.id(1), conversation: .numbered(1))
        for _ in 0..<(2 * Limits.queueEntriesPerDeviceMax / 10_000 + 1) {
            let items = (0..<10_000).map { index in
                NodeItem.failed(
                    Failure(key: key, message: MessageID(raw: Bytes16(8, UInt64(index))), refusal: Refusal(.unknown, "A lie.")),
                    device: harbor.away.deviceID)
            }
            _ = try harbor.receive(items)
        }
        try #expect(harbor.relay.store.outline(.device(harbor.away.deviceID)).count == 2 * Limits.queueEntriesPerDeviceMax)
        try #expect(harbor.relay.found(1, [harbor.ann, harbor.away], in: Self.ann).refusals(to: Self.ann).isEmpty)
        let said = try harbor.relay.submit(.say("hello", 40, hub: harbor.relay.id), in: Self.ann)
        #expect(said.refusals(to: Self.ann).isEmpty)
        #expect(said.acceptances(to: Self.ann).count == 1)
    }

    @Test func `what a hub answers one user is on that user's account with this hub, and keeps nobody else from anything`() throws {
        var harbor = try Harbor()
        let key = ConversationKey(hub: Coast.id(1), conversation: .numbered(1))
        for _ in 0..<(Limits.queueAnswersPerUserMax / 10_000) {
            let items = (0..<10_000).map { index in
                NodeItem.failed(
                    Failure(key: key, message: MessageID(raw: Bytes16(8, UInt64(index))), refusal: Refusal(.unknownConversation, "None.")),
                    device: harbor.ann.deviceID)
            }
            _ = try harbor.receive(items)
        }
        func refusals(_ number: UInt64, to hub: NodeID, in session: UInt64) throws -> [Refusal.Code] {
            try harbor.relay.submit(harbor.submission(number, to: hub, bytes: 100), in: session).refusals(to: session)
        }
        try #expect(refusals(1, to: Coast.id(1), in: Self.ann) == [.queueFull])
        try #expect(refusals(2, to: Coast.id(2), in: Self.ann).isEmpty)
        try #expect(refusals(3, to: Coast.id(1), in: Self.bob).isEmpty)
        #expect(harbor.relay.core.answered(harbor.ann.id, by: Coast.id(1)) == Limits.queueAnswersPerUserMax)
        #expect(harbor.relay.core.answered(harbor.bob.id, by: Coast.id(1)) == 0)
        // Nor is more asked for that would be answered so.
        try #expect(asked(1, of: Coast.id(1), in: &harbor) == 0)
    }

    /// How many of so many questions a home passes on.
    private func asked(_ count: Int, of hub: NodeID, in harbor: inout Harbor) throws -> Int {
        let inputs = (0..<count).map { number -> NodeInput in
            let key = ConversationKey(hub: hub, conversation: .numbered(UInt64(number)))
            return .sessionFrame(SessionID(Self.ann), .refetch(key, from: 1, through: 2))
        }
        return try harbor.relay.batch(inputs).frames(on: 1_000).count { if case .refetch = $0 { true } else { false } }
    }

    @Test func `a device that is back asks about hundreds of conversations at once, and not without end`() throws {
        var harbor = try Harbor()
        try #expect(asked(1_000, of: Coast.id(1), in: &harbor) == 1_000)
        var more = 0
        for _ in 0..<10 {
            harbor.relay.now = harbor.relay.now + .seconds(1)
            more += try asked(1_500, of: Coast.id(1), in: &harbor)
        }
        #expect(more <= Int(Limits.refetchBurst - 1_000 + 10 * Limits.refetchesPerSecond))
    }

    @Test func `a hub says a few hundred times that it has no such conversation, and then as often as anybody needs it`() throws {
        var harbor = try Harbor()
        func told(_ count: Int) throws -> Int {
            let inputs = (0..<count).map { number -> NodeInput in
                let key = ConversationKey(hub: harbor.relay.id, conversation: .numbered(UInt64(number)))
                return .linkFrame(LinkID(1_000), .refetch(key, by: DeviceID(raw: Bytes32.zero), from: 1, through: 2))
            }
            return try harbor.relay.batch(inputs).items(on: 1_000).count { if case .failed = $0 { true } else { false } }
        }
        try #expect(told(400) == 400)
        try #expect(told(400) == Int(Limits.refusedRefetchBurst) - 400)
        harbor.relay.now = harbor.relay.now + .seconds(5)
        try #expect(told(400) == Int(5 * Limits.refusedRefetchesPerSecond))
    }

    @Test func `a device's signals go on to a hub at the rate at which anybody is shown them`() throws {
        var harbor = try Harbor()
        func passedOn(_ count: Int) throws -> Int {
            let inputs = (0..<count).map { number -> NodeInput in
                let key = ConversationKey(hub: Coast.id(1), conversation: .numbered(UInt64(number)))
                return .sessionFrame(SessionID(Self.ann), .signal(Signal(key: key, sender: harbor.ann.entry, epoch: 1, sealed: [1])))
            }
            return try harbor.relay.batch(inputs).frames(on: 1_000).count { if case .signal = $0 { true } else { false } }
        }
        try #expect(passedOn(1_000) == Int(Limits.signalBurst))
        harbor.relay.now = harbor.relay.now + .seconds(2)
        try #expect(passedOn(1_000) == Int(2 * Limits.signalsPerSecond))
        // Somebody who types says so every few seconds, in each of several conversations.
        for _ in 0..<20 {
            harbor.relay.now = harbor.relay.now + .seconds(1)
            try #expect(passedOn(5) == 5)
        }
    }

    @Test func `signals to a device have a rate, and naming it twice changes nothing`() throws {
        var harbor = try Harbor()
        let key = ConversationKey(hub: Coast.id(1), conversation: .numbered(1))
        let signal = Signal(key: key, sender: RosterEntry(user: harbor.ann.id, device: harbor.ann.deviceID), epoch: 1, sealed: [1, 2, 3])
        let devices = [DeviceID](repeating: harbor.bob.deviceID, count: 64)
        let effects = try harbor.relay.batch(
            (0..<100).map { _ in .linkFrame(LinkID(1_000), .signal(signal, recipients: devices)) })
        let shown = effects.frames(to: Self.bob).count { if case .signal = $0 { true } else { false } }
        #expect(shown > 0)
        #expect(shown <= Int(Limits.signalBurst))
    }
}
