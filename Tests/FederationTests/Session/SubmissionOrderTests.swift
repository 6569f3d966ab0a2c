import Federation
import Testing
import Vocabulary

/// Alice's conversation lives on the other node, so that what she submits is passed on.
private struct Counter {
    let alice: Person
    var relay: Relay
    private var message: UInt64 = 0

    init() throws {
        var coast = Coast(nodes: 2)
        alice = try coast.person("alice", at: 0)
        relay = try coast.relay(0)
        try relay.link(1, to: Coast.id(1))
    }

    mutating func submit(order: UInt64, hub: NodeID = Coast.id(1)) -> NodeInput {
        message += 1
        return .sessionFrame(
            SessionID(1),
            .submit(
                Submission(
                    message: .numbered(message), conversation: .numbered(1), hub: hub, kind: .application(epoch: 1, payload: [1]),
                    order: order)))
    }

    mutating func order(session: UInt64) throws -> UInt64? {
        for case .ready(_, let order, _) in try relay.signIn(alice, as: session).frames(to: session) { return order }
        return nil
    }
}

@Suite struct SubmissionOrderTests {
    @Test func `a home remembers how far a device has counted, over restarts`() throws {
        var counter = try Counter()
        try #expect(counter.order(session: 1) == 0)
        try counter.relay.step(counter.submit(order: 7))
        try counter.relay.step(counter.submit(order: 5))
        try #expect(counter.order(session: 2) == 7)
        try counter.relay.restart()
        try #expect(counter.order(session: 1) == 7)
        try counter.relay.step(counter.submit(order: 8))
        try counter.relay.restart()
        try #expect(counter.order(session: 3) == 8)
    }

    @Test func `it is on disk in the commit that keeps the message, one row a batch`() throws {
        var counter = try Counter()
        try counter.relay.signIn(counter.alice, as: 1)
        let inputs = [1, 2, 3].map { counter.submit(order: $0) }
        let effects = try counter.relay.batch(inputs)
        #expect(effects.writes.count { if case .put(.submissionOrder, _, _) = $0 { true } else { false } } == 1)
        try #expect(
            !counter.relay.step(counter.submit(order: 3)).writes.contains {
                if case .put(.submissionOrder, _, _) = $0 { true } else { false }
            })
    }

    @Test func `the hub does not learn it`() throws {
        var counter = try Counter()
        try counter.relay.signIn(counter.alice, as: 1)
        for case .submission(let submission, _) in try counter.relay.step(counter.submit(order: 9)).items(on: 1) {
            #expect(submission.order == 0)
        }
    }

    @Test func `what was refused counts too, and a number out of bounds does not`() throws {
        var counter = try Counter()
        try counter.relay.signIn(counter.alice, as: 1)
        try #expect(counter.relay.step(counter.submit(order: 4, hub: counter.relay.id)).refusals(to: 1) == [.unknownConversation])
        try counter.relay.step(counter.submit(order: .max))
        try #expect(counter.order(session: 2) == 4)
    }
}
