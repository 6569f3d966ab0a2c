import Cryptography
import Federation
import Simulation
import Testing
import Vocabulary

/// What one user can make a hub keep and read.
@Suite struct LogBoundsTests {
    private static let large = String(repeating: "x", count: 60_000)

    /// Ann and Ben are here, and Cid is away.
    private struct Harbor {
        let ann, ben, cid: Person
        var relay: Relay
        private var message: UInt64 = 10
        /// The last acceptance of each conversation.
        var heads: [UInt64: Acceptance] = [:]

        init() throws {
            var coast = Coast(nodes: 1)
            (ann, ben, cid) = (try coast.person("ann", at: 0), try coast.person("ben", at: 0), try coast.person("cid", at: 0))
            relay = try coast.relay(0)
            try relay.signIn(ann, as: 1)
            try relay.signIn(ben, as: 2)
        }

        mutating func say(_ text: String, in conversation: UInt64, epoch: Epoch = 1, as session: UInt64 = 1) throws -> [NodeEffect] {
            message += 1
            relay.now = relay.now + .milliseconds(1)
            let effects = try relay.submit(.say(text, message, in: conversation, hub: relay.id, epoch: epoch), in: session)
            try note(effects, of: conversation, as: session)
            return effects
        }

        /// Takes what comes.
        mutating func note(_ effects: [NodeEffect], of conversation: UInt64, as session: UInt64 = 1) throws {
            if let accepted = effects.acceptances(to: session).last { heads[conversation] = accepted }
            if let last = effects.entries(to: session).last { try relay.acknowledge(last.position, in: session) }
        }

        /// Has all of a conversation.
        mutating func cover(_ conversation: UInt64, by person: Person, as session: UInt64) throws {
            let head = try #require(heads[conversation])
            try relay.acknowledge(0, [person.watermark(head.key, through: head.number, chain: head.chain)], in: session)
        }

        /// - Returns: how many were taken, and why no more.
        mutating func fill(_ conversation: UInt64, epoch: Epoch) throws -> (taken: Int, refusals: [Refusal.Code]) {
            for taken in 0...Limits.logBytesPerConversationMax / LogBoundsTests.large.utf8.count {
                let refusals = try say(LogBoundsTests.large, in: conversation, epoch: epoch).refusals(to: 1)
                if !refusals.isEmpty { return (taken, refusals) }
            }
            return (.max, [])
        }
    }

    @Test func `a log has a bound in bytes, under which commits go on, and what is delivered makes room`() throws {
        var harbor = try Harbor()
        var founder = Sailor(harbor.ann, session: 1, seed: 7)
        try harbor.relay.submit(founder.found(harbor.relay.key(1), message: 1), in: 1)
        let (taken, refusals) = try harbor.fill(1, epoch: 0)
        #expect(refusals == [.conversationFull])
        #expect(taken * Self.large.utf8.count > Limits.logBytesPerConversationMax * 9 / 10)
        var guest = Sailor(harbor.ben, session: 2, seed: 8)
        let commit = try founder.commit([.add(try guest.package())], message: 2)
        let committed = try harbor.relay.submit(commit, in: 1)
        #expect(committed.refusals(to: 1).isEmpty)
        try harbor.note(committed, of: 1)
        // After a restart it is as long as it was.
        try harbor.relay.restart()
        try harbor.relay.signIn(harbor.ann, as: 1)
        try harbor.relay.signIn(harbor.ben, as: 2)
        try #expect(harbor.say("more", in: 1).refusals(to: 1) == [.conversationFull])
        try harbor.cover(1, by: harbor.ann, as: 1)
        try harbor.cover(1, by: harbor.ben, as: 2)
        try #expect(harbor.say("more", in: 1).refusals(to: 1).isEmpty)
    }

    @Test func `a member that fills a group's log while a device is away keeps nobody else from writing there`() throws {
        var harbor = try Harbor()
        try harbor.relay.found(1, [harbor.ann, harbor.ben, harbor.cid], in: 1)
        let (taken, refusals) = try harbor.fill(1, epoch: 1)
        #expect(refusals == [.conversationFull])
        #expect(taken > Limits.logBytesPerConversationMax / Self.large.utf8.count * 2 / 5)
        for _ in 0..<100 { try #expect(harbor.say(Self.large, in: 1, as: 2).refusals(to: 2).isEmpty) }
        // Who has left it more room again than he has may go on, and no sooner.
        try #expect(harbor.say("more", in: 1).refusals(to: 1) == [.conversationFull])
    }

    @Test func `what one user has in all logs has a bound, others write, and what is delivered makes room`() throws {
        var harbor = try Harbor()
        let full = Limits.logBytesPerUserMax / Limits.logBytesPerConversationMax
        for conversation in 1...UInt64(full) {
            try harbor.relay.found(conversation, [harbor.ann], in: 1)
            try #require(harbor.fill(conversation, epoch: 0).taken < .max)
        }
        try harbor.relay.found(90, [harbor.ann, harbor.cid], in: 1)
        try #expect(harbor.say("one more", in: 90).refusals(to: 1) == [.queueFull])
        try harbor.relay.found(91, [harbor.ben, harbor.cid], in: 2)
        try #expect(harbor.say("hello", in: 91, as: 2).refusals(to: 2).isEmpty)
        try harbor.cover(1, by: harbor.ann, as: 1)
        try #expect(harbor.say("one more", in: 90).refusals(to: 1).isEmpty)
    }

    @Test func `who asks for much of a log again gets it in parts, one question at a time, and not past its queue's bound`() throws {
        var harbor = try Harbor()
        try harbor.relay.found(1, [harbor.ann], in: 1)
        for _ in 0..<40 { try #require(try harbor.say(Self.large, in: 1, epoch: 0).refusals(to: 1).isEmpty) }
        let ask = NodeInput.sessionFrame(SessionID(1), .refetch(harbor.relay.key(1), from: 1, through: 40))
        let before = try harbor.relay.store.outline(.device(harbor.ann.deviceID)).count
        func loads(_ effects: [NodeEffect]) -> Int { effects.count { if case .load(.events) = $0 { true } else { false } } }
        var copy = harbor.relay
        let orders = [ask, ask, ask].flatMap { copy.core.step($0, at: copy.now, using: &copy.random) }
        #expect(loads(orders) == 1, "what is under way")
        let effects = try harbor.relay.batch([ask, ask, ask])
        #expect(loads(effects) > 3 * 40 * Self.large.utf8.count / (Limits.logTurnBytesMax + Self.large.utf8.count), "a part at a time")
        try #expect(harbor.relay.store.outline(.device(harbor.ann.deviceID)).count == before + 3 * 40, "one after the other")
        // It takes none of it.
        for _ in 0..<200 { try harbor.relay.batch([ask]) }
        let bytes = try harbor.relay.store.outline(.device(harbor.ann.deviceID)).reduce(0) { $0 + $1.bytes }
        #expect(bytes < Limits.queueBytesPerDeviceMax + 2 * Self.large.utf8.count)
        #expect(bytes > Limits.queueBytesPerDeviceMax * 9 / 10)
    }

    @Test func `who founds conversation after conversation is slowed down, and only he`() throws {
        var harbor = try Harbor()
        var refusals: [Refusal.Code] = []
        for conversation in 1...UInt64(Limits.foundingBurst) + 10 {
            harbor.relay.now = harbor.relay.now + .milliseconds(100)
            refusals += try harbor.relay.found(conversation, [harbor.ann], in: 1).refusals(to: 1)
        }
        #expect(Set(refusals) == [.rateLimited])
        try #expect(harbor.relay.found(2_000, [harbor.ben], in: 2).refusals(to: 2).isEmpty)
    }
}
