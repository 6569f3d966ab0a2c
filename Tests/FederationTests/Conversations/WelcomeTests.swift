import Cryptography
import Federation
import Groups
import MLS
import Simulation
import Testing
import Vocabulary

@Suite struct WelcomeTests {
    @Test func `a group of 1,000 is entered by a Welcome in parts, stored once, and takes no more devices`() throws {
        var anchorage = try Anchorage(homes: [0] + [Int](repeating: 1, count: 998) + [0, 0], nodes: 2)
        try anchorage.submit(try anchorage.members[0].found(anchorage.key), by: 0)
        var batch: [Int] = []
        for index in 1...998 {
            batch.append(index)
            guard batch.count == 100 || index == 998 else { continue }
            let packages = try batch.map { try anchorage.members[$0].package() }
            let submission = try anchorage.members[0].commit(packages.map { .add($0) }, message: anchorage.nextMessage())
            let effects = try anchorage.submit(submission, by: 0, feeding: false)
            try #require(anchorage.refusals(effects).isEmpty)
            try anchorage.members[0].take(anchorage.items(effects, for: 0))
            batch = []
        }
        let before = anchorage.relay.store.leftOvers.events
        let package = try anchorage.members[999].package()
        let effects = try anchorage.submit(
            try anchorage.members[0].commit([.add(package)], message: anchorage.nextMessage()), by: 0, feeding: false)
        let parts = effects.items(to: 1_000).compactMap { if case .welcome(let part) = $0 { part } else { nil } }
        #expect(parts.count > 2 && parts.map(\.index) == Array(0..<UInt16(parts.count)))
        #expect(parts.allSatisfy { $0.bytes.count <= Limits.partBytesMax })
        #expect(anchorage.relay.store.leftOvers.events == before + 1 + parts.count)
        // The others are on another node: in entries that fit a frame.
        let recipients = effects.items(on: 1_000).map { if case .event(_, let devices) = $0 { devices.count } else { 0 } }
        #expect(recipients.reduce(0, +) == 998 && recipients.allSatisfy { $0 <= Limits.recipientsPerEntryMax })
        for index in [0, 999] { try anchorage.members[index].take(anchorage.items(effects, for: index)) }
        try #expect(anchorage.agree([0, 999]))
        #expect(anchorage.relay.core.hubRoster(anchorage.conversation).count == 1_000)

        let more = try anchorage.members[1_000].package()
        let refused = try anchorage.submit(try anchorage.members[0].commit([.add(more)], message: 5_000), by: 0, feeding: false)
        #expect(anchorage.refusals(refused).map(\.code) == [.rosterInvalid])
        let parcel = try #require(try anchorage.fetch(by: 999))
        try #expect(parcel.tree == anchorage.members[0].mine.ratchetTree)
    }

    @Test func `a Welcome's parts go with its event, when the newcomer has it`() throws {
        var anchorage = try Anchorage.group([0, 0, 1])
        #expect(anchorage.relay.store.leftOvers.events > 1)
        try anchorage.restart()
        for index in 0..<3 { try anchorage.acknowledge(index) }
        try anchorage.relay.acknowledge(QueuePosition(unchecked: counterMax), in: 1)
        try anchorage.relay.acknowledge(QueuePosition(unchecked: counterMax), in: 2)
        try anchorage.relay.step(.linkFrame(LinkID(1_000), .acknowledge(through: QueuePosition(unchecked: counterMax))))
        #expect(anchorage.relay.store.leftOvers.events == 0 && anchorage.relay.store.leftOvers.entries == 0)
    }

    @Test func `a newcomer does not hold what was before it, and holds its Welcome until it has it`() throws {
        var anchorage = try Anchorage.group([0, 0])
        try anchorage.say("before", by: 0)
        let package = try anchorage.sign(person: "late")
        let effects = try anchorage.submit(try anchorage.members[0].commit([.add(package)], message: 50), by: 0)
        #expect(anchorage.items(effects, for: 2).count == 1)
        for index in 0..<2 { try anchorage.acknowledge(index) }
        try #expect(anchorage.held == 1, "the commit that added it")
        try anchorage.restart()
        try anchorage.say("after", by: 1)
        try #expect(anchorage.held == 2)
        try anchorage.acknowledge(2)
        for index in 0..<2 { try anchorage.acknowledge(index) }
        try #expect(anchorage.held == 0)
        #expect(anchorage.members[2].texts == ["after"])
    }

    @Test func `a message nobody had is not taken for delivered because somebody joined after it`() throws {
        var anchorage = try Anchorage.group([0, 0])
        try anchorage.acknowledge(0)
        try anchorage.acknowledge(1)
        try anchorage.submit(try anchorage.members[0].say("lost", message: 40, timeToLive: 100), by: 0, feeding: false)
        try anchorage.members[0].take(.accepted(Acceptance(key: anchorage.key, number: 2, message: .numbered(40), chain: .zero)))
        let package = try anchorage.sign(person: "late")
        let submission = try anchorage.members[0].commit([.add(package)], message: 41)
        let effects = try anchorage.submit(submission, by: 0, feeding: false)
        #expect(anchorage.refusals(effects).isEmpty)
        try anchorage.members[2].take(anchorage.items(effects, for: 2))
        try anchorage.acknowledge(2)
        let failures = try anchorage.wait(.seconds(200)).failures(to: 1)
        #expect(failures.map(\.message) == [.numbered(40)] && failures.map(\.refusal.code) == [.expired])
    }

    @Test func `a removed device gets the commit that removes it and nothing later`() throws {
        var anchorage = try Anchorage.group([0, 0, 1, 0])
        for target in [1, 2] {
            let effects = try anchorage.remove(target, by: 0)
            #expect(anchorage.items(effects, for: target).count == 1 && anchorage.members[target].wasRemoved)
            let later = try anchorage.say("secret", by: 0)
            #expect(anchorage.items(later, for: target).isEmpty)
        }
        try anchorage.restart()
        let later = try anchorage.say("secret", by: 3)
        #expect(anchorage.items(later, for: 1).isEmpty && anchorage.items(later, for: 2).isEmpty)
        // It holds nothing back any more, and its watermark is not listened to.
        try anchorage.acknowledge(1)
        try anchorage.acknowledge(0)
        try anchorage.acknowledge(3)
        try #expect(anchorage.held == 0)
        #expect(anchorage.members[1].texts.isEmpty && anchorage.members[2].texts == ["secret"], "only what was said before")
        try #expect(anchorage.relay.store.values(.watermark).count == 2)
    }

    @Test func `a member that leaves by proposal is out with the next commit, and may be added again`() throws {
        var anchorage = try Anchorage.group([0, 0, 1])
        try anchorage.submit(try anchorage.members[2].leave(message: 40), by: 2)
        try #expect(anchorage.members[0].mine.pendingProposals.count == 1)
        try anchorage.restart()
        try anchorage.submit(try anchorage.members[1].commit([], message: 41), by: 1)
        #expect(anchorage.members[2].wasRemoved && anchorage.relay.core.hubRoster(anchorage.conversation).count == 2)
        try anchorage.say("without", by: 0)
        anchorage.members[2].group = nil
        try anchorage.add([2], by: 0)
        try anchorage.say("with", by: 0)
        #expect(anchorage.members[2].texts == ["with"])
        try #expect(anchorage.agree([0, 1, 2]))
    }

    @Test func `everything goes on through a restart after every step`() throws {
        var anchorage = try Anchorage(homes: [0, 0, 1, 2])
        try anchorage.submit(try anchorage.members[0].found(anchorage.key), by: 0)
        try anchorage.restart()
        try anchorage.add([1, 2], by: 0)
        try anchorage.feed(try anchorage.restart())
        try anchorage.say("one", by: 2)
        try anchorage.feed(try anchorage.restart())
        try anchorage.submit(try anchorage.members[1].leave(message: 60), by: 1)
        try anchorage.feed(try anchorage.restart())
        try anchorage.add([3], by: 0)
        try anchorage.feed(try anchorage.restart())
        #expect(anchorage.members[1].wasRemoved)
        try anchorage.say("two", by: 3)
        try anchorage.feed(try anchorage.restart())
        for index in [0, 2, 3] { try anchorage.acknowledge(index) }
        try anchorage.restart()
        try anchorage.say("three", by: 0)
        #expect(anchorage.members[2].texts == ["two", "three"] && anchorage.members[3].texts == ["three"])
        #expect(anchorage.members[0].failures.isEmpty && anchorage.members[2].failures.isEmpty)
        try #expect(anchorage.agree([0, 2, 3]))
    }
}

extension Anchorage {
    /// Another user of the hub's node, signed in.
    mutating func sign(person name: String) throws -> KeyPackage {
        var random = SeededGenerator(seed: 41)
        let person = try Person(name, at: Coast.site(0), using: &random)
        try relay.store.commit([
            .put(.userRecord, key: person.id.bytes, value: try person.record(federation: Coast.fixture.federation).encoded())
        ])
        let session = UInt64(members.count + 1)
        members.append(Sailor(person, session: session, seed: 42))
        try restart()
        return try members[members.count - 1].package()
    }
}
