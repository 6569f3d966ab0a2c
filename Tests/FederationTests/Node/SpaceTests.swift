import Cryptography
import Federation
import Testing
import Vocabulary

/// Alice here, Dora on node 1: both in a conversation of each node.
private struct Station {
    let alice, dora: Person
    var relay: Relay
    let peer = Coast.id(1)

    init() throws {
        var coast = Coast(nodes: 2)
        (alice, dora) = (try coast.person("alice", at: 0), try coast.person("dora", at: 1))
        relay = try coast.relay(0)
        try relay.signIn(alice, as: 5)
        try relay.found(1, [alice, dora], in: 5)
        try relay.link(1, to: peer)
    }

    func submission(_ message: UInt64) -> NodeItem { .submission(.say("\(message)", message, hub: relay.id), sender: dora.entry) }
}

@Suite struct SpaceTests {
    @Test func `while space is low nothing new is taken, neither here nor for other hubs`() throws {
        var station = try Station()
        try station.relay.step(.spaceChanged(isLow: true))
        try #expect(station.relay.submit(.say("x", 1, hub: station.relay.id), in: 5).refusals(to: 5) == [.diskFull])
        try #expect(station.relay.submit(.say("x", 1, in: 9, hub: station.peer), in: 5).refusals(to: 5) == [.diskFull])
        try #expect(station.relay.found(2, [station.alice], in: 5).refusals(to: 5) == [.diskFull])
        try station.relay.step(.spaceChanged(isLow: false))
        try #expect(station.relay.submit(.say("x", 1, hub: station.relay.id), in: 5).acceptances(to: 5).count == 1)
    }

    @Test func `entries from links are neither done nor acknowledged while space is low`() throws {
        var station = try Station()
        try station.relay.step(.spaceChanged(isLow: true))
        let effects = try station.relay.receive(station.submission(1), at: 1, on: 1)
        #expect(effects.acknowledgements(on: 1).isEmpty && effects.events(to: 5).isEmpty && effects.writes.isEmpty)
    }

    @Test func `a restored hub that finds no room goes on when there is some, and is not woken all the while`() throws {
        var station = try Station()
        try station.relay.store.markRestored(at: Coast.wall)
        try station.relay.restart()
        try station.relay.signIn(station.alice, as: 5)
        try #expect(station.relay.submit(.say("x", 1, hub: station.relay.id), in: 5).refusals(to: 5) == [.recovering])
        #expect(station.relay.core.hubRecovering == 1)
        try station.relay.step(.spaceChanged(isLow: true))
        try station.relay.wait(.seconds(60))
        #expect(station.relay.core.hubRecovering == 1)
        #expect(try #require(station.relay.core.nextDeadline) > station.relay.now)
        try station.relay.step(.spaceChanged(isLow: false))
        #expect(try #require(station.relay.core.nextDeadline) <= station.relay.now)
        try station.relay.wait(.seconds(60))
        #expect(station.relay.core.hubRecovering == 0)
    }

    @Test func `acknowledgements are taken while space is low: they make room`() throws {
        var station = try Station()
        let effects = try station.relay.submit(.say("x", 1, hub: station.relay.id), in: 5)
        let position = try #require(effects.entries(to: 5).last?.position)
        try station.relay.step(.spaceChanged(isLow: true))
        let before = station.relay.store.leftOvers.entries
        try station.relay.acknowledge(position, in: 5)
        try station.relay.step(.linkFrame(LinkID(1), .acknowledge(through: QueuePosition(unchecked: counterMax))))
        #expect(station.relay.store.leftOvers.entries == 0 && before == 4)
    }

    @Test func `when there is room again links are made anew and resume at what is on disk`() throws {
        var station = try Station()
        try station.relay.receive(station.submission(1), at: 4, on: 1)
        try station.relay.step(.spaceChanged(isLow: true))
        try station.relay.receive(station.submission(2), at: 5, on: 1)
        try #expect(station.relay.step(.spaceChanged(isLow: false)).closedLinks.keys.contains(1))
        try station.relay.step(.linkClosed(LinkID(1)))
        let hello = try station.relay.step(.linkOpened(LinkID(2), peer: station.peer, dialled: true)).frames(on: 2)
        #expect(hello.contains { if case .hello(_, _, 4, _) = $0 { true } else { false } })
    }

    @Test func `an entry that comes after a dropped one on the same link is not acknowledged over it`() throws {
        var station = try Station()
        try station.relay.step(.spaceChanged(isLow: true))
        try station.relay.receive(station.submission(1), at: 5, on: 1)
        let effects = try station.relay.batch([
            .spaceChanged(isLow: false), .linkFrame(LinkID(1), .entry(6, station.submission(2))),
        ])
        #expect(effects.acknowledgements(on: 1).isEmpty && effects.events(to: 5).isEmpty)
        try station.relay.step(.linkClosed(LinkID(1)))
        try station.relay.link(2, to: station.peer)
        let resumed = try station.relay.batch([
            .linkFrame(LinkID(2), .entry(5, station.submission(1))), .linkFrame(LinkID(2), .entry(6, station.submission(2))),
        ])
        #expect(resumed.events(to: 5).map(\.message) == [.numbered(1), .numbered(2)] && resumed.acknowledgements(on: 2) == [6])
    }

    @Test func `the same reading of space twice changes nothing`() throws {
        var station = try Station()
        try #expect(station.relay.step(.spaceChanged(isLow: false)).closedLinks.isEmpty)
        try station.relay.step(.spaceChanged(isLow: true))
        try #expect(station.relay.step(.spaceChanged(isLow: true)).isEmpty)
    }
}
