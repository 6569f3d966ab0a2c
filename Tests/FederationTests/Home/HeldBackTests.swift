import Federation
import Testing
import Vocabulary

/// Alice writes, faster than she hears what became of it; the disk is full for a moment.
private struct Pier {
    let alice, bob: Person
    var relay: Relay

    init() throws {
        var coast = Coast(nodes: 2)
        (alice, bob) = (try coast.person("alice", at: 0), try coast.person("bob", at: 0))
        relay = try coast.relay(0)
        try relay.signIn(alice, as: 5)
        for conversation in [UInt64(1), 2] { try relay.found(conversation, [alice, bob], in: 5) }
    }

    /// - Parameter order: what the device has sealed so far; nil: as many as the message's number says.
    mutating func say(
        _ message: UInt64, in conversation: UInt64 = 1, session: UInt64 = 5, order: UInt64? = nil
    ) throws -> [NodeEffect] {
        let said = Submission.say("\(message)", message, in: conversation, hub: relay.id)
        return try relay.submit(
            Submission(
                message: said.message, conversation: said.conversation, hub: said.hub, kind: said.kind, order: order ?? message),
            in: session)
    }

    /// While this one comes, and no longer.
    mutating func refuse(_ message: UInt64) throws {
        try relay.step(.spaceChanged(isLow: true))
        try #expect(say(message).refusals(to: 5) == [.diskFull])
        try relay.step(.spaceChanged(isLow: false))
    }
}

@Suite struct HeldBackTests {
    @Test func `what is on its way behind a message that was refused for now does not overtake it`() throws {
        var pier = try Pier()
        try pier.refuse(1)
        try #expect(pier.say(2).refusals(to: 5) == [.diskFull])
        try #expect(pier.say(3).refusals(to: 5) == [.diskFull])
        let numbers = try [1, 2, 3].map { try pier.say($0).acceptances(to: 5).map(\.number.value) }
        #expect(numbers == [[2], [3], [4]])
    }

    @Test func `of messages that were sealed anew meanwhile the first is taken first, too`() throws {
        var pier = try Pier()
        try pier.refuse(2)
        // Both were sealed for another epoch since: the first had been with the hub, which refused it.
        try #expect(pier.say(1, order: 11).refusals(to: 5) == [.diskFull])
        try #expect(pier.say(2, order: 12).refusals(to: 5) == [.diskFull])
        try #expect(pier.say(1, order: 11).acceptances(to: 5).count == 1)
        try #expect(pier.say(2, order: 12).acceptances(to: 5).count == 1)
    }

    @Test func `what is submitted over the rate is not overtaken either`() throws {
        var pier = try Pier()
        // Until there is a single request left in the bucket, and that one is used up.
        let pings = (0..<Int(Limits.requestBurst)).map { NodeInput.sessionFrame(SessionID(5), .ping(UInt64($0))) }
        pier.relay.now = pier.relay.now + .seconds(10)
        try pier.relay.batch(pings)
        try #expect(pier.say(1).refusals(to: 5) == [.rateLimited])
        pier.relay.now = pier.relay.now + .seconds(1)
        try #expect(pier.say(2).refusals(to: 5) == [.rateLimited])
        try #expect(pier.say(1).acceptances(to: 5).count == 1)
        try #expect(pier.say(2).acceptances(to: 5).count == 1)
    }

    @Test func `other conversations and later sessions do not wait for it`() throws {
        var pier = try Pier()
        try pier.refuse(1)
        try #expect(pier.say(2, in: 2).acceptances(to: 5).count == 1)
        try pier.relay.signIn(pier.alice, as: 6)
        try #expect(pier.say(3, session: 6).acceptances(to: 6).count == 1)
    }

    @Test func `a message that never comes again is not waited for long`() throws {
        var pier = try Pier()
        try pier.refuse(1)
        try pier.relay.wait(Limits.heldBackFor - .seconds(2))
        try #expect(pier.say(2).refusals(to: 5) == [.diskFull])
        try pier.relay.wait(.seconds(2))
        try #expect(pier.say(2).acceptances(to: 5).count == 1)
    }

    @Test func `a session that is refused everywhere takes no more of the node than its bound`() {
        var held = HeldBack()
        let (session, refusal) = (SessionID(1), Refusal(.rateLimited, "Too many."))
        func submission(_ message: UInt64, in conversation: UInt64) -> Submission {
            .say("", message, in: conversation, hub: Coast.id(0))
        }
        func refuse(_ messages: Range<UInt64>, in conversations: Range<UInt64>, at now: Instant) {
            for conversation in conversations {
                for message in messages { held.refused(submission(message, in: conversation), message, refusal, in: session, at: now) }
            }
        }
        refuse(0..<64, in: 0..<64, at: .start)
        #expect(held.count == Limits.heldBackMax)
        // Nobody waits for them any more: others have their places.
        let later = Instant.start + Limits.heldBackFor
        refuse(0..<2, in: 1_000..<1_001, at: later)
        #expect(held.count == 2)
        #expect(held.refusal(of: submission(1, in: 1_000), 1, in: session, at: later) == refusal)
        held.close(session)
        #expect(held.count == 0)
    }

    @Test func `what was refused for good holds nothing back`() throws {
        var pier = try Pier()
        try #expect(pier.relay.submit(.say("1", 1, hub: pier.relay.id, epoch: 7), in: 5).refusals(to: 5) == [.staleEpoch])
        try #expect(pier.say(2).acceptances(to: 5).count == 1)
    }
}
