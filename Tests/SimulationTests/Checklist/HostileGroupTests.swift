import ClientCore
import Groups
import Simulation
import Synchronization
import Testing
import Vocabulary

/// Checklist C 4, 7, 8, 10: what others do wrong, or keep back, stops nobody.
@Suite struct HostileGroupTests {
    private func settled(users: Int, seed: UInt64) throws -> GroupFlow {
        var flow = try GroupFlow(users: users, nodes: 2, seed: seed)
        for index in 0..<users { flow.send(by: index) }
        #expect(try flow.settle(staying: Array(0..<users), within: .seconds(60)))
        try flow.world.run(for: .seconds(40))
        return flow
    }

    private func unread(_ flow: GroupFlow, at index: Int) -> Int {
        flow.world.history(flow.users[index]).count { if case .undecryptable = $0.body { true } else { false } }
    }

    @Test func `a message that cannot be opened is told as such and passed`() throws {
        var flow = try settled(users: 3, seed: 720)
        let poisoner = flow.users[1]
        flow.world.plot = { device, frame in
            guard device == poisoner, case .submit(let submission) = frame, case .application(let epoch, var payload) = submission.kind,
                let last = payload.indices.last
            else { return [frame] }
            payload[last] ^= 1
            return [
                .submit(
                    Submission(
                        message: submission.message, conversation: submission.conversation, hub: submission.hub,
                        kind: .application(epoch: epoch, payload: payload), timeToLive: submission.timeToLive, order: submission.order))
            ]
        }
        flow.send(by: 1)
        try flow.world.run(for: .seconds(1))
        flow.world.plot = nil
        flow.send(by: 0)
        flow.send(by: 2)
        try flow.world.run(for: .seconds(5))
        let last = flow.sent.suffix(2).map(\.message)
        for index in [0, 2] {
            #expect(unread(flow, at: index) == 1 && flow.alarms(at: index).isEmpty)
            #expect(last.allSatisfy { message in flow.world.history(flow.users[index]).contains { $0.message == message } })
        }
    }

    @Test func `a proposal that did not come is asked for before the commit that takes it up`() throws {
        var flow = try settled(users: 4, seed: 721)
        let victim = flow.users[1]
        let isDropped = Mutex(false)
        flow.world.lie = { device, frame in
            guard device == victim, case .entry(_, .event(let envelope)) = frame, envelope.kind == .proposal else { return [frame] }
            return isDropped.withLock { isDropped in
                defer { isDropped = true }
                return isDropped ? [frame] : []
            }
        }
        flow.wish(.leave(flow.id), by: 3)
        try flow.world.run(for: .seconds(10))
        #expect(isDropped.withLock { $0 })
        #expect(flow.world.heard(victim).contains { if case .hole(flow.id, 1) = $0 { true } else { false } })
        for index in 0..<3 { flow.send(by: index) }
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(60)))
        #expect(flow.problems(complete: [0, 1, 2]).isEmpty, "\(flow.problems(complete: [0, 1, 2]))")
        #expect((0..<3).allSatisfy { flow.members(at: $0).count == 3 })
    }

    @Test func `who is removed while away, and added again, has what was said since and not before`() throws {
        var flow = try settled(users: 3, seed: 722)
        let before = flow.texts(at: 1).count
        flow.world.kill(device: flow.users[1], for: .seconds(60))
        let address = try #require(flow.address(1))
        flow.wish(.remove(flow.id, [address]), by: 0)
        try flow.world.run(for: .seconds(10))
        flow.send(by: 0)
        try flow.world.run(for: .seconds(5))
        flow.wish(.add(flow.id, [address]), by: 0)
        try flow.world.run(for: .seconds(10))
        flow.send(by: 2)
        try flow.world.run(for: .seconds(60))
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(60)))
        #expect(flow.texts(at: 1).count == before + 1, "\(flow.texts(at: 1))")
        #expect(flow.problems(complete: [0, 2]).isEmpty, "\(flow.problems(complete: [0, 2]))")
        #expect(flow.members(at: 1).count == 3 && flow.members(at: 0).count == 3)
    }

    /// - Parameter spoilt: how many groups that are handed out for rejoining are no use; nil: all.
    @Test(arguments: [2, nil]) func `a group that cannot be entered is asked for again, and given up after some tries`(spoilt: Int?) throws
    {
        var flow = try settled(users: 3, seed: 723)
        let old = flow.world.profile(flow.users[1])
        for index in 0..<3 { flow.send(by: index) }
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(60)))
        let victim = flow.users[1]
        let count = Mutex(0)
        flow.world.lie = { device, frame in
            guard device == victim, case .group(let request, let part) = frame else { return [frame] }
            return count.withLock { count in
                count += 1
                guard spoilt.map({ count <= $0 }) ?? true else { return [frame] }
                var bytes = part.bytes
                bytes[bytes.count / 2] ^= 1
                return [.group(request, AnswerPart(index: part.index, count: part.count, bytes: bytes))]
            }
        }
        flow.world.restore(old, device: victim)
        try flow.world.run(for: .minutes(5))
        let one = flow.world.profile(victim).conversations[flow.id]
        if spoilt != nil {
            #expect(one?.isStale == false && one?.standing == .accepted)
            flow.send(by: 1)
            #expect(try flow.settle(staying: [0, 2], within: .seconds(60)))
        } else {
            #expect(one?.standing == .removed, "given up after \(count.withLock { $0 }) tries")
            #expect(count.withLock { $0 } <= ClientLimits.rejoinsMax)
            // What was to be said there comes back.
            #expect(flow.world.send("x", from: victim, to: flow.id) != nil)
            #expect(flow.world.heard(victim).contains { if case .sendRefused(_, .groupEnded) = $0 { true } else { false } })
        }
    }
}
