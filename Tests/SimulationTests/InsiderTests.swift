import ClientCore
import Groups
import Simulation
import Testing
import Vocabulary

/// What only members can see to be wrong: a commit of an insider that nobody else can follow (DESIGN 6).
@Suite struct InsiderTests {
    @Test func `a commit that no other member can follow is named by each, and the group goes on without its maker`() throws {
        var flow = try GroupFlow(users: 6, nodes: 2, seed: 900)
        for index in flow.users.indices { flow.send(by: index) }
        #expect(try flow.settle(staying: Array(flow.users.indices), within: .seconds(60)))
        try flow.world.run(for: .seconds(60))
        let insider = try #require(Insider(flow.users[0], in: flow.id, of: flow.world))
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
}
