import ClientCore
import Groups
import Simulation
import Testing
import Vocabulary

/// What only members can see to be wrong: a commit of an insider that nobody else can follow (DESIGN 6).
@Suite struct InsiderTests {
    /// The GroupInfo has the key that belongs to the epoch, or one that agrees with nobody's secret.
    @Test(arguments: [nil, Array(repeating: 9, count: 32)] as [[UInt8]?])
    func `a commit that no other member can follow is named by each, and the group goes on without its maker`(key: [UInt8]?) throws {
        var flow = try GroupFlow(users: 6, nodes: 2, seed: 900)
        for index in flow.users.indices { flow.send(by: index) }
        #expect(try flow.settle(staying: Array(flow.users.indices), within: .seconds(60)))
        try flow.world.run(for: .seconds(60))
        let insider = try #require(Insider(flow.users[0], in: flow.id, of: flow.world, externalKey: key))
        flow.world.plot = { insider.plot($0, $1) }
        flow.wish(.rename(flow.id, "mine"), by: 0)
        try flow.world.run(for: .seconds(1))
        #expect(insider.hasStruck)

        let (others, users, id) = (Array(1..<6), flow.users, flow.id)
        let areBack = try flow.world.run(
            until: { world in others.allSatisfy { world.profile(users[$0]).conversations[id]?.isStale == false } }, within: .seconds(60))
        #expect(areBack)
        let before = others.map { flow.texts(at: $0).count }
        for index in others { flow.send(by: index) }
        try flow.world.run(for: .seconds(10))
        for (index, count) in zip(others, before) {
            #expect(flow.texts(at: index).count == count + others.count - 1)
            #expect(flow.alarms(at: index) == [.badHandshake])
            #expect(Set(flow.texts(at: index)).count == flow.texts(at: index).count)
            let unread = flow.world.history(users[index]).count { if case .undecryptable = $0.body { true } else { false } }
            #expect(unread == 0)
        }
    }

    @Test func `a commit after which nobody could come back in is refused by the hub, and concerns nobody else`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 901)
        try flow.world.run(for: .seconds(60))
        let epochs = flow.users.map { flow.world.group(flow.id, at: $0)?.epoch }
        let insider = try #require(Insider(flow.users[0], in: flow.id, of: flow.world, externalKey: Array(repeating: 0, count: 32)))
        flow.world.plot = { insider.plot($0, $1) }
        flow.wish(.rename(flow.id, "mine"), by: 0)
        try flow.world.run(for: .seconds(10))
        #expect(insider.hasStruck)
        #expect(flow.users.map { flow.world.group(flow.id, at: $0)?.epoch } == epochs)
        for index in 1..<4 { flow.send(by: index) }
        #expect(try flow.settle(staying: [1, 2, 3], within: .seconds(60)))
        #expect((1..<4).allSatisfy { flow.alarms(at: $0).isEmpty })
    }
}
