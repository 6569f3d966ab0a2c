import Cryptography
import Federation
import Groups
import MLS
import Testing
import Vocabulary

/// Checklist H3.
@Suite struct ExternalCommitTests {
    @Test func `a device that lost its group comes back with its former leaf, and everybody goes on`() throws {
        var anchorage = try Anchorage.group([0, 0, 1])
        try anchorage.say("one", by: 0)
        let leaf = try anchorage.members[2].mine.ownLeaf
        let parcel = try #require(try anchorage.fetch(by: 2))
        let effects = try anchorage.submit(try anchorage.members[2].rejoin(parcel, replacing: leaf, message: 40), by: 2)
        #expect(anchorage.refusals(effects).isEmpty && anchorage.epoch == 2)
        #expect(anchorage.items(effects, for: 2).count == 1, "its own commit is answered by the acceptance alone")
        try #expect(anchorage.agree([0, 1, 2]))
        try anchorage.say("two", by: 2)
        try anchorage.say("three", by: 1)
        #expect(anchorage.members[0].texts == ["two", "three"] && anchorage.members[2].texts == ["one", "three"])
    }

    @Test func `a user's new device joins by external commit, a stranger's does not`() throws {
        var anchorage = try Anchorage.withTwoDevices()
        let leaf = try anchorage.members[1].leaf(of: anchorage.members[2].person)
        try anchorage.submit(try anchorage.members[1].commit([.remove(leaf)], message: 40), by: 1)
        #expect(anchorage.members[2].wasRemoved)
        let parcel = try #require(try anchorage.fetch(by: 2))
        try #expect(anchorage.refusals(anchorage.submit(anchorage.members[2].rejoin(parcel, replacing: nil, message: 41), by: 2)).isEmpty)
        try #expect(anchorage.agree([0, 1, 2]))

        var other = try Anchorage.group([0, 0, 0])
        try other.remove(2, by: 0)
        let info = try #require(try other.fetch(by: 0))
        let refused = try other.submit(try other.members[2].rejoin(info, replacing: nil, message: 41), by: 2)
        #expect(other.refusals(refused).map(\.code) == [.notOnRoster])
    }

    @Test func `a group is shown only to a device whose user is in it`() throws {
        var anchorage = try Anchorage.group([0, 0, 1])
        try #expect(anchorage.fetch(by: 1) != nil)
        try anchorage.remove(1, by: 0)
        try anchorage.remove(2, by: 0)
        for (index, link) in [(1, UInt64(0)), (2, 1_000)] {
            if link == 0 {
                let effects = try anchorage.relay.step(.sessionFrame(SessionID(2), .fetchGroup(RequestID(5), anchorage.key)))
                #expect(effects.refusals(to: 2) == [.unknownConversation])
            } else {
                let frame = LinkFrame.fetchGroup(RequestID(5), anchorage.key, by: anchorage.members[index].entry)
                let frames = try anchorage.relay.step(.linkFrame(LinkID(link), frame)).frames(on: link)
                #expect(
                    frames.contains { if case .refusedRequest(_, let refusal) = $0 { refusal.code == .unknownConversation } else { false } }
                )
            }
        }
        // In another node's name.
        let frame = LinkFrame.fetchGroup(RequestID(6), anchorage.key, by: anchorage.members[0].entry)
        let frames = try anchorage.relay.step(.linkFrame(LinkID(1_000), frame)).frames(on: 1_000)
        #expect(!frames.contains { if case .group = $0 { true } else { false } })
    }

    @Test func `who rejoins removes nobody else, and is the device that hands it in`() throws {
        var anchorage = try Anchorage.group([0, 0, 0])
        let parcel = try #require(try anchorage.fetch(by: 2))
        var both = anchorage.members[2]
        let victim = try both.leaf(of: anchorage.members[1].person)
        // The library makes none such: the other's leaf in the place of the own one would leave two of one device.
        #expect(throws: (any Error).self) { try both.rejoin(parcel, replacing: victim, message: 40) }
        let leaf = try anchorage.members[2].mine.ownLeaf
        let submission = try anchorage.members[2].rejoin(parcel, replacing: leaf, message: 40)
        try #expect(anchorage.refusals(anchorage.submit(submission, by: 1)).map(\.code) == [.notPermitted])
        try #expect(anchorage.refusals(anchorage.submit(submission, by: 2)).isEmpty)
    }

    @Test func `an external commit drops pending proposals, which then may come again`() throws {
        var anchorage = try Anchorage.group([0, 0, 0])
        try anchorage.submit(try anchorage.members[1].leave(message: 40), by: 1)
        let parcel = try #require(try anchorage.fetch(by: 2))
        let leaf = try anchorage.members[2].mine.ownLeaf
        try #expect(anchorage.refusals(anchorage.submit(anchorage.members[2].rejoin(parcel, replacing: leaf, message: 41), by: 2)).isEmpty)
        try #expect(anchorage.refusals(anchorage.submit(anchorage.members[0].commit([], message: 42), by: 0)).isEmpty)
        #expect(anchorage.relay.core.hubRoster(anchorage.conversation).count == 3)
        try #expect(anchorage.refusals(anchorage.submit(anchorage.members[1].leave(message: 43), by: 1)).isEmpty)
        try anchorage.submit(try anchorage.members[0].commit([], message: 44), by: 0)
        #expect(anchorage.relay.core.hubRoster(anchorage.conversation).count == 2 && anchorage.members[1].wasRemoved)
        try #expect(anchorage.agree([0, 2]))
    }

    @Test func `a stale GroupInfo gives a stale commit, which is told the epoch`() throws {
        var anchorage = try Anchorage.group([0, 0])
        let parcel = try #require(try anchorage.fetch(by: 1))
        try anchorage.submit(try anchorage.members[0].commit([], message: 40), by: 0)
        let leaf = try anchorage.members[1].mine.ownLeaf
        let refusals = anchorage.refusals(
            try anchorage.submit(try anchorage.members[1].rejoin(parcel, replacing: leaf, message: 41), by: 1))
        #expect(refusals.map(\.code) == [.staleEpoch] && refusals.map(\.epoch) == [2])
    }

    @Test func `a device cannot fetch groups without end`() throws {
        var anchorage = try Anchorage.group([0, 0])
        var refused = 0
        for _ in 0..<150 where try anchorage.fetch(by: 1) == nil { refused += 1 }
        #expect(refused == 50)
    }
}
