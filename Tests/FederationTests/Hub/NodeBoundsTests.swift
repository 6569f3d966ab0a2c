import Cryptography
import Federation
import Simulation
import Testing
import Vocabulary

/// What one other node can make this one keep, by users that it makes up and accomplices here.
@Suite struct NodeBoundsTests {
    private static let large = String(repeating: "x", count: 60_000)
    private static let ann: UInt64 = 1
    private static let link: UInt64 = 1_000

    /// Ann and Ben live here and are here, others here are away; the guests live on node 1, which is linked, and Dan on node 2, which is not.
    private struct Harbor {
        let ann, ben, dan: Person
        let away, guests: [Person]
        var relay: Relay
        private var position: UInt64 = 0
        /// The last acceptance of each conversation.
        private var heads: [ConversationKey: Acceptance] = [:]

        init() throws {
            var coast = Coast(nodes: 3)
            (ann, ben, dan) = (try coast.person("ann", at: 0), try coast.person("ben", at: 0), try coast.person("dan", at: 2))
            away = try (0..<2).map { try coast.person("away\($0)", at: 0) }
            guests = try (0..<5).map { try coast.person("guest\($0)", at: 1) }
            relay = try coast.relay(0)
            try relay.signIn(ann, as: NodeBoundsTests.ann)
            try relay.link(NodeBoundsTests.link, to: Coast.id(1))
        }

        /// From node 1, which acknowledges all that comes, as Ann does.
        mutating func receive(_ item: NodeItem) throws -> [Refusal] {
            position += 1
            relay.now = relay.now + .milliseconds(1)
            let effects = try relay.receive(item, at: position, on: NodeBoundsTests.link)
            try relay.step(.linkFrame(LinkID(NodeBoundsTests.link), .acknowledge(through: QueuePosition(unchecked: counterMax))))
            if let last = effects.entries(to: NodeBoundsTests.ann).last { try relay.acknowledge(last.position, in: NodeBoundsTests.ann) }
            return effects.items(on: NodeBoundsTests.link).compactMap { item in
                switch item {
                case .failed(let failure, _): return failure.refusal
                case .accepted(let acceptance, _): heads[acceptance.key] = acceptance
                default: break
                }
                return nil
            }
        }

        mutating func say(_ text: String, _ guest: Person, in conversation: UInt64) throws -> [Refusal] {
            try receive(.submission(.say(text, position + 10, in: conversation, hub: relay.id), sender: guest.entry))
        }

        mutating func fill(_ conversation: UInt64, _ guest: Person) throws {
            for _ in 0...Limits.logBytesPerConversationMax / NodeBoundsTests.large.utf8.count {
                if try !say(NodeBoundsTests.large, guest, in: conversation).isEmpty { return }
            }
        }

        /// All devices of a conversation have all of it.
        mutating func cover(_ conversation: UInt64, _ guest: Person) throws {
            let head = try #require(heads[relay.key(conversation)])
            try relay.acknowledge(0, [ann.watermark(head.key, through: head.number, chain: head.chain)], in: NodeBoundsTests.ann)
            _ = try receive(.watermark(guest.watermark(head.key, through: head.number, chain: head.chain)))
        }
    }

    @Test func `what the users of another node have in all logs has a bound, whoever they are, and others write in the same ones`() throws {
        var harbor = try Harbor()
        for (index, guest) in harbor.guests.enumerated() {
            try harbor.relay.found(UInt64(index), [harbor.ann, harbor.ben, guest], in: Self.ann)
            try harbor.relay.found(UInt64(index) + 10, [harbor.ann, guest], in: Self.ann)
        }
        for index in 0..<5 { try harbor.fill(UInt64(index) + 10, harbor.guests[index]) }
        let refusals = try harbor.say("one more", harbor.guests[4], in: 4)
        #expect(refusals.map(\.code) == [.queueFull])
        try #expect(#require(refusals.first).detail.contains("node"))
        let own = try harbor.relay.submit(.say("hello", 9_000_000, in: 4, hub: harbor.relay.id), in: Self.ann)
        #expect(own.refusals(to: Self.ann).isEmpty && own.acceptances(to: Self.ann).count == 1)
        // On a larger disk it has more.
        try harbor.relay.step(.spaceRead(4 * Limits.bytesPerNodeMin))
        try #expect(harbor.say("one more", harbor.guests[4], in: 4).isEmpty)
        try harbor.relay.step(.spaceRead(Limits.bytesPerNodeMin))
        try #expect(harbor.say("one more", harbor.guests[4], in: 4).map(\.code) == [.queueFull])
        // What is delivered makes room.
        try harbor.cover(10, harbor.guests[0])
        try #expect(harbor.say("one more", harbor.guests[4], in: 4).isEmpty)
    }

    @Test func `what a hub at another node sends for devices that are away has a bound, and who takes it goes on`() throws {
        var harbor = try Harbor()
        var refused: [Int] = []
        func event(_ number: Int) -> Envelope {
            Envelope(
                key: ConversationKey(hub: Coast.id(1), conversation: .numbered(1)), number: SequenceNumber(unchecked: UInt64(number)),
                sender: harbor.guests[0].entry, message: .numbered(UInt64(number)), kind: .application, epoch: 1,
                payload: Array(Self.large.utf8), chain: .zero)
        }
        let enough = Limits.bytesPerNodeMin / Self.large.utf8.count + 10
        for number in 1...enough where refused.isEmpty {
            let device = harbor.away[number % 2].deviceID
            if try !harbor.receive(.event(event(number), recipients: [device])).isEmpty { refused.append(number) }
        }
        #expect(try #require(refused.first) > enough - 100)
        try #expect(harbor.receive(.event(event(enough + 1), recipients: [harbor.away[0].deviceID])).map(\.code) == [.queueFull])
        try #expect(harbor.receive(.event(event(enough + 2), recipients: [harbor.ann.deviceID])).isEmpty)
        try #expect(harbor.receive(.event(event(enough + 3), recipients: [harbor.ben.deviceID])).isEmpty, "away, and has little of it yet")
    }

    @Test func `what waits for other nodes stands on the account of its senders' home, until it is gone`() throws {
        var queues = Queues(highest: 0)
        let (home, other) = (Coast.id(1), Coast.id(2))
        let harbor = try Harbor()
        for guest in harbor.guests {
            _ = queues.append(to: .node(other), content: [1], event: nil, bytes: 100, of: .messages(guest.id, of: home))
            _ = queues.append(to: .node(other), content: [1], event: nil, bytes: 1, of: .messages(harbor.ann.id, of: nil))
        }
        #expect(queues.bytes(onAccountOf: home) == 500)
        #expect(queues.bytes(onAccountOf: other) == 0)
        _ = queues.acknowledge(.node(other), through: QueuePosition(unchecked: counterMax))
        #expect(queues.bytes(onAccountOf: home) == 0)
    }

    @Test func `the operator is told which queues are the largest, and on whose account most is kept`() throws {
        var harbor = try Harbor()
        try harbor.relay.found(1, [harbor.ann, harbor.ben, harbor.guests[0]], in: Self.ann)
        for _ in 0..<3 { try #expect(harbor.say(Self.large, harbor.guests[0], in: 1).isEmpty) }
        _ = try harbor.relay.submit(.say("hello", 9_000_000, in: 1, hub: harbor.relay.id), in: Self.ann)
        func told(_ count: Int) throws -> QueuesReport? {
            let effects = try harbor.relay.step(.admin(RequestID(1), .queues(count)))
            for case .answer(_, .success(.queues(let report))) in effects { return report }
            return nil
        }
        let report = try #require(try told(10))
        let largest = try #require(report.queues.first)
        #expect(largest.device == harbor.ben.deviceID && largest.name.hasPrefix("ben@") && largest.bytes > 3 * Self.large.utf8.count)
        #expect(largest.entries >= 4 && largest.oldestSeconds != nil)
        let logBytes = report.causes.prefix(2).map(\.logBytes)
        #expect(logBytes.allSatisfy { $0 > 3 * Self.large.utf8.count } && Set(logBytes).count == 1, "the guest, and all of its node")
        #expect(report.causes.prefix(2).contains { $0.isNode } && report.causes.prefix(2).contains { $0.name.hasPrefix("guest0@") })
        #expect(report.causes.count == 3 && report.causes[2].name.hasPrefix("ann@"))
        try #expect(told(1)?.queues.count == 1 && told(1)?.causes.count == 1)
    }
}
