import Simulation
import Testing
import Vocabulary

@Suite struct FederationFlowTests {
    @Test(arguments: UInt64(100)..<102) func `five nodes with a user each deliver everything in spite of crashes`(seed: UInt64) throws {
        var flow = try Flow(nodes: 5, seed: seed)
        try #expect(flow.join() == true)
        for round in 0..<60 {
            for from in 0..<5 { flow.send(from: from, to: (from + 1 + round % 4) % 5) }
            try flow.world.run(for: .milliseconds(300), under: .crashes)
        }
        try flow.settle(within: .seconds(180))
        #expect(flow.problems.isEmpty && flow.sent.count > 150 && flow.world.crashes > 10, "seed \(seed)")
    }

    @Test func `two thousand messages between two nodes arrive once and in order while everything crashes`() throws {
        var flow = try Flow(nodes: 2, seed: 200)
        try #expect(flow.join() == true)
        while flow.sent.count < 2_000 {
            for _ in 0..<20 { flow.send(from: flow.sent.count % 2, to: 1 - flow.sent.count % 2) }
            try flow.world.run(for: .milliseconds(250), under: .crashes)
        }
        try flow.settle(within: .seconds(300))
        #expect(flow.problems.isEmpty && flow.world.crashes > 10)
    }

    @Test func `a node that was down for long catches up with everything that waited`() throws {
        var flow = try Flow(nodes: 3, seed: 300)
        try #expect(flow.join() == true)
        for from in 0..<3 { flow.send(from: from, to: (from + 1) % 3) }
        try flow.settle(within: .seconds(60))
        flow.world.kill(node: 1, for: .minutes(10))
        for _ in 0..<400 {
            flow.send(from: 0, to: 1)
            flow.send(from: 2, to: 1)
            try flow.world.run(for: .milliseconds(50))
        }
        try flow.world.run(for: .minutes(9))
        #expect(flow.problems.contains { $0.contains("not delivered") }, "the node is still down")
        try flow.settle(within: .seconds(120))
        #expect(flow.problems.isEmpty)
    }

    @Test func `a hub that was down for long makes nobody lose what was sent meanwhile`() throws {
        var flow = try Flow(nodes: 2, seed: 301)
        try #expect(flow.join() == true)
        flow.send(from: 0, to: 1)
        try flow.settle(within: .seconds(60))
        // The conversation's hub is the first sender's home.
        flow.world.kill(node: 0, for: .minutes(5))
        for _ in 0..<100 { flow.send(from: 1, to: 0) }
        try flow.world.run(for: .minutes(4))
        try flow.settle(within: .seconds(180))
        #expect(flow.problems.isEmpty && flow.sent.count == 101)
    }
}
