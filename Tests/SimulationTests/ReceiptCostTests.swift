import Simulation
import Testing
import Vocabulary

/// What receipts cost the nodes of a group: counted over the links between nodes, with real devices behind them.
@Suite struct ReceiptCostTests {
    /// Of one device about one conversation, between two nodes.
    private struct Stream: Hashable, Comparable {
        enum Kind: Int { case delivered, read }
        let kind: Kind
        let from: Int
        let to: Int
        let device: DeviceID

        static func < (a: Stream, b: Stream) -> Bool {
            (a.kind.rawValue, a.from, a.to, a.device) < (b.kind.rawValue, b.from, b.to, b.device)
        }

        init?(_ entry: (node: Int, peer: Int, frame: LinkFrame)) {
            (from, to) = (entry.peer, entry.node)
            guard case .entry(_, let item) = entry.frame else { return nil }
            switch item {
            case .watermark(let watermark), .receipt(let watermark, _): (kind, device) = (.delivered, watermark.device)
            case .mark(let mark, _), .marked(let mark, _): (kind, device) = (.read, mark.device)
            case .submission, .event, .accepted, .failed, .welcome: return nil
            }
        }
    }

    /// When each frame came.
    private func listen(to world: inout World, for duration: Duration, _ streams: inout [Stream: [Instant]]) throws {
        let end = world.now + duration
        while world.now < end {
            world.tape = Tape()
            try world.run(for: .milliseconds(5))
            for entry in world.tape?.linkFrames ?? [] { if let stream = Stream(entry) { streams[stream, default: []].append(world.now) } }
        }
        world.tape = nil
    }

    /// Where everybody is online and has nothing to do.
    private func quiet(users count: Int, nodes: Int, seed: UInt64) throws -> GroupFlow {
        var flow = try GroupFlow(users: count, nodes: nodes, seed: seed)
        let (id, users) = (flow.id, flow.users)
        // Fresh keys are commits, which have receipts of their own.
        let isQuiet = try flow.world.run(
            until: { world in users.allSatisfy { world.profile($0).conversations[id]?.intents.isEmpty == true } }, within: .minutes(10))
        try #require(isQuiet)
        try flow.world.run(for: .seconds(10))
        return flow
    }

    private func isRead(_ flow: GroupFlow) -> Bool {
        flow.sent.allSatisfy { flow.world.state($0.message, at: flow.users[$0.by]) == .read }
    }

    @Test func `in a group of 50 a message costs each node one receipt frame a member`() throws {
        var flow = try quiet(users: 50, nodes: 5, seed: 870)
        var streams: [Stream: [Instant]] = [:]
        // Of node 1; the hub is node 0, and ten of the members live at each.
        flow.send(by: 21)
        try listen(to: &flow.world, for: .seconds(5), &streams)
        #expect(isRead(flow))
        #expect(streams.values.allSatisfy { $0.count == 1 }, "of each kind and member one")
        for (kind, hubGets, writersHomeGets) in [(Stream.Kind.delivered, 10, 49), (.read, 10, 49)] {
            for node in 1...4 {
                // The writer has read it without saying so.
                let sent = streams.keys.count { $0.kind == kind && $0.from == node && $0.to == 0 }
                #expect(sent == (kind == .read && node == 1 ? hubGets - 1 : hubGets), "\(kind): node \(node) to the hub")
            }
            #expect(streams.keys.count { $0.kind == kind && $0.from == 0 && $0.to == 1 } == writersHomeGets, "\(kind) to the writer's home")
        }
        // Nothing has to come to other homes but read receipts, which go to whoever wrote of late.
        #expect(streams.keys.allSatisfy { $0.kind == .read || $0.to < 2 })
    }

    @Test func `in a group of 50 ten messages within a second cost each node at most one receipt frame a member and second`() throws {
        var flow = try quiet(users: 50, nodes: 5, seed: 871)
        var streams: [Stream: [Instant]] = [:]
        for index in 0..<10 {
            // Of all nodes.
            flow.send(by: 20 + index)
            try listen(to: &flow.world, for: .milliseconds(90), &streams)
        }
        try listen(to: &flow.world, for: .seconds(5), &streams)
        #expect(isRead(flow))
        // To each node but the hub of each member, and from each; there at once and once more at the end of the second.
        #expect(Set(streams.keys.map { [$0.from, $0.to] }).count == 8)
        #expect(streams.values.allSatisfy { $0.count <= 3 }, "\(streams.values.map(\.count).max() ?? 0)")
        for (stream, times) in streams {
            for (one, next) in zip(times, times.dropFirst()) { #expect(next - one > .milliseconds(950), "\(stream)") }
        }
        #expect(streams.values.map(\.count).reduce(0, +) < 2 * 2 * streams.count)
    }

    @Test func `what a device holds back survives its death, and is said before it ends its session`() throws {
        var flow = try quiet(users: 12, nodes: 2, seed: 872)
        let (users, id) = (flow.users, flow.id)
        func owing(_ world: World) -> Bool { world.profile(users[5]).conversations[id]?.isOwing == true }
        for isKilled in [true, false] {
            flow.send(by: 1)
            try flow.world.run(for: .milliseconds(300))
            flow.send(by: 1)
            #expect(try flow.world.run(until: owing, within: .milliseconds(500)))
            let message = try #require(flow.sent.last?.message)
            if isKilled { flow.world.kill(device: users[5], for: .seconds(2)) } else { flow.world.tell(.ending, to: users[5]) }
            #expect(owing(flow.world) == isKilled)
            try flow.world.run(for: .milliseconds(1_900))
            #expect(flow.world.state(message, at: users[1]) == (isKilled ? .accepted : .read))
            #expect(try flow.world.run(until: { $0.state(message, at: users[1]) == .read }, within: .seconds(10)))
        }
    }
}
