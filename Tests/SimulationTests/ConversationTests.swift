import ClientCore
import Groups
import Simulation
import Testing
import Vocabulary

@Suite struct ConversationTests {
    @Test func `a first message founds a conversation, arrives, and is read`() throws {
        var flow = try Flow(nodes: 2, seed: 1)
        try #expect(flow.join() == true)
        flow.send(from: 0, to: 1)
        let message = flow.sent[0].message
        let users = flow.users
        _ = try flow.world.run(until: { $0.state(message, at: users[0]) == .read }, within: .seconds(30))
        #expect(flow.world.state(message, at: users[0]) == .read)
        #expect(flow.problems.isEmpty)
        for user in users { for one in flow.world.heard(user) { if case .note(let note) = one { print("note", user, note) } } }
        print(flow.world.profile(users[0]).conversations.values.map { ($0.standing, $0.head.value, $0.intents, $0.isStale) })
        print(flow.world.profile(users[1]).conversations.values.map { ($0.standing, $0.head.value, $0.intents, $0.isStale) })
        print(flow.world.told(users[0]))
    }
}
