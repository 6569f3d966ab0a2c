import Cryptography
import Federation
import Groups
import MLS
import Testing
import Vocabulary

/// Checklist H4.
@Suite struct DeliveryTests {
    @Test func `a commit or message submitted twice has the first number, also after a restart`() throws {
        var anchorage = try Anchorage.group([0, 0, 1])
        let commit = try anchorage.members[2].commit([], message: 40)
        let first = try anchorage.submit(commit, by: 2, feeding: false)
        #expect(first.storedEvents == 1)
        // The reply is lost; the same bytes come again, before and after the hub's death.
        try #expect(anchorage.submit(commit, by: 2, feeding: false).storedEvents == 0)
        try anchorage.restart()
        let third = try anchorage.submit(commit, by: 2, feeding: false)
        #expect(third.storedEvents == 0 && anchorage.refusals(third).isEmpty)
        try anchorage.feed(first)
        #expect(anchorage.epoch == 2 && anchorage.relay.core.hubHead(anchorage.conversation) == 2)
        let text = try anchorage.members[1].say("once", message: 41)
        let said = try anchorage.submit(text, by: 1)
        try #expect(anchorage.submit(text, by: 1).storedEvents == 0)
        // The epoch has gone on: what was taken stays taken.
        try anchorage.submit(try anchorage.members[0].commit([], message: 42), by: 0)
        try #expect(anchorage.refusals(anchorage.submit(text, by: 1)).isEmpty && anchorage.refusals(said).isEmpty)
        #expect(anchorage.members[0].texts == ["once"])
    }

    @Test func `a repeat is answered alike to who was removed meanwhile`() throws {
        var anchorage = try Anchorage.group([0, 0, 0])
        let text = try anchorage.members[1].say("last words", message: 40)
        try anchorage.submit(text, by: 1)
        try anchorage.remove(1, by: 0)
        let repeated = try anchorage.submit(text, by: 1)
        #expect(anchorage.refusals(repeated).isEmpty && repeated.frames(to: 2) == [.sent(.numbered(40))])
        try #expect(
            anchorage.refusals(anchorage.submit(anchorage.members[2].say("x", message: 40), by: 2)).map(\.code) == [.messageIdReused])
    }

    @Test func `a hub that dies after the commit to disk and before it sends loses nothing`() throws {
        var anchorage = try Anchorage.group([0, 0, 1])
        try anchorage.submit(try anchorage.members[0].say("unsent", message: 40), by: 0, feeding: false)
        try anchorage.submit(try anchorage.members[0].commit([], message: 41), by: 0, feeding: false)
        try anchorage.feed(try anchorage.restart())
        #expect(anchorage.members[1].texts == ["unsent"] && anchorage.members[2].texts == ["unsent"])
        try #expect(anchorage.agree([0, 1, 2]))
    }

    @Test func `a hub that dies before the commit to disk has said nothing, and takes the repeat`() throws {
        var anchorage = try Anchorage.group([0, 0, 1])
        let commit = try anchorage.members[0].commit([], message: 40)
        // Stepped, and never written.
        _ = anchorage.relay.core.step(
            .sessionFrame(SessionID(1), .submit(commit)), at: anchorage.relay.now, using: &anchorage.relay.random)
        #expect(anchorage.epoch == 2)
        try anchorage.restart()
        #expect(anchorage.relay.core.hubEpoch(anchorage.conversation) == nil, "not in memory yet")
        try #expect(anchorage.refusals(anchorage.submit(commit, by: 0)).isEmpty)
        #expect(anchorage.epoch == 2)
        try #expect(anchorage.agree([0, 1, 2]))
    }

    @Test func `a slow or dead follower delays nobody, and has everything in order when it is back after a week`() throws {
        var anchorage = try Anchorage.group([0, 0, 1, 2])
        try anchorage.relay.step(.linkClosed(LinkID(2_000)))
        for round in 0..<20 {
            try anchorage.say("\(round)", by: round % 3)
            if round % 5 == 4 {
                try anchorage.submit(try anchorage.members[round % 3].commit([], message: anchorage.nextMessage()), by: round % 3)
            }
        }
        #expect(anchorage.members[3].texts.isEmpty)
        try #expect(anchorage.agree([0, 1, 2]))
        for index in 0..<3 { try anchorage.acknowledge(index) }
        anchorage.relay.now = anchorage.relay.now + .days(7)
        anchorage.relay.wall = anchorage.relay.wall + .days(7)
        try anchorage.relay.wait(.seconds(10))
        try #expect(anchorage.held == 25, "kept for the follower")
        try anchorage.restart()
        try anchorage.feed(try anchorage.relay.link(2_000, to: Coast.id(2)))
        #expect(anchorage.members[3].texts == (0..<20).map(String.init) && anchorage.members[3].failures.isEmpty)
        try #expect(anchorage.agree([0, 1, 2, 3]))
        try anchorage.acknowledge(3)
        try #expect(anchorage.held == 0)
    }

    @Test func `entries repeated or out of order on a link make no second event and no gap`() throws {
        var anchorage = try Anchorage.group([0, 1])
        let link = UInt64(1_000)
        let submissions = try (0..<4).map { try anchorage.members[1].say("\($0)", message: UInt64(40 + $0)) }
        let entry = anchorage.members[1].entry
        func send(_ index: Int, at position: UInt64) throws -> [NodeEffect] {
            try anchorage.relay.receive(.submission(submissions[index], sender: entry), at: position, on: link)
        }
        var effects: [NodeEffect] = []
        effects += try send(0, at: 500)
        effects += try send(0, at: 500)
        effects += try send(2, at: 502)
        // An older position after a newer one: the link is broken, it is not read; its sender repeats what was not answered.
        effects += try send(1, at: 501)
        effects += try send(3, at: 503)
        effects += try send(0, at: 504)
        effects += try send(1, at: 505)
        try anchorage.feed(effects)
        #expect(anchorage.members[0].texts == ["0", "2", "3", "1"])
        #expect(effects.storedEvents == 4 && anchorage.members[0].seen == [1, 2, 3, 4, 5])
    }

    @Test func `the chain goes over messages and handshakes alike, with their kind and epoch`() throws {
        var anchorage = try Anchorage.group([0, 0])
        var chain = anchorage.members[0].chain
        let leave = try anchorage.members[1].leave(message: 40)
        let events = try anchorage.submit(leave, by: 1).events(to: 1)
        let event = try #require(events.first)
        chain = Chain.next(
            after: chain, number: 2, sender: anchorage.members[1].entry, message: .numbered(40), kind: .proposal, epoch: 1,
            payload: event.payload)
        #expect(event.kind == .proposal && event.epoch == 1 && event.chain == chain)
        let commit = try anchorage.submit(try anchorage.members[0].commit([], message: 41), by: 0).events(to: 2)
        let committed = try #require(commit.first)
        #expect(committed.kind == .commit && committed.epoch == 1)
        let next = Chain.next(
            after: chain, number: 3, sender: anchorage.members[0].entry, message: .numbered(41), kind: .commit, epoch: 1,
            payload: committed.payload)
        #expect(committed.chain == next)
    }
}
