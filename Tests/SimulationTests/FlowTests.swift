import ClientCore
import Simulation
import Testing
import Vocabulary

@Suite struct FlowTests {
    /// Two users on two nodes who write to each other while everything crashes; then peace.
    @Test(arguments: UInt64(0)..<60) func `every message arrives once, in order, whatever crashes`(seed: UInt64) throws {
        var world = try World(nodes: 3, seed: seed)
        let users = [try world.addUser("alice", at: 0), try world.addUser("bob", at: 1)]
        #expect(try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(20)))
        var sent: [Int: [MessageID]] = [:]
        // Whose device is down sends nothing: until both have sent enough to prove something.
        for round in 0..<300 where round < 100 || users.contains(where: { (sent[$0] ?? []).count <= 20 }) {
            for (index, user) in users.enumerated() {
                guard let address = world.address(users[1 - index]) else { continue }
                if let message = world.send("\(round) from \(index)", from: user, to: address) { sent[user, default: []].append(message) }
            }
            try world.run(for: .milliseconds(200), under: .crashes)
        }
        let expected = sent
        let isDone = try world.run(
            until: { world in
                users.allSatisfy { user in (expected[user] ?? []).allSatisfy { world.state($0, at: user).isDelivered } }
            }, within: .seconds(120))
        #expect(isDone, "seed \(seed): some messages were not delivered")
        #expect(world.crashes > 10, "seed \(seed): too few crashes to prove anything")
        #expect(users.allSatisfy { (expected[$0] ?? []).count > 20 }, "seed \(seed): too few messages to prove anything")
        for (index, user) in users.enumerated() {
            let incoming = world.history(user).filter { !$0.isOutgoing }
            let ids = incoming.map(\.message)
            #expect(Set(ids).count == ids.count, "seed \(seed): a message was shown twice")
            #expect(Set(ids) == Set(expected[users[1 - index]] ?? []), "seed \(seed): lost or phantom")
            #expect(world.alarms(user) == 0, "seed \(seed): a false alarm")
        }
        try world.run(for: .seconds(30))
        for node in 0..<3 {
            #expect(world.store(node).leftOvers == (0, 0), "seed \(seed): node \(node) keeps something of delivered messages")
        }
    }
}
