import ClientCore
import Simulation
import Testing
import Vocabulary

/// A message that the hub refuses since the epoch is over is sealed anew under the same id; what was said of the bytes before must not be
/// taken for a word on the new ones. All were found by `workbench proof kill-sweep` and `power-cut`.
@Suite struct ResealingTests {
    /// An entry that was not acknowledged comes again in the next session, behind what followed from it.
    @Test func `a refusal of the bytes before takes nothing back from a message that has its number since`() throws {
        var flow = try GroupFlow(users: 2, nodes: 2, seed: 710)
        flow.world.setReading(false, device: flow.users[0])
        flow.send(by: 1)
        #expect(try flow.settle(staying: [0, 1], within: .seconds(30)))
        let (message, user) = (flow.sent[0].message, flow.users[1])
        let key = try #require(flow.world.history(user).first { $0.message == message }?.conversation)
        let late = Failure(key: key, message: message, refusal: Refusal(.staleEpoch, "late", epoch: 99))
        flow.world.tell(.received(.entry(1, .failed(late))), to: user)
        #expect(flow.world.state(message, at: user) == .delivered)
        // What follows from time or from people still counts.
        let expired = Failure(key: key, message: message, refusal: Refusal(.expired, "too late"))
        flow.world.tell(.received(.entry(1, .failed(expired))), to: user)
        #expect(flow.world.state(message, at: user) == .failed)
    }

    /// Until everybody has it, an accepted message keeps its text for a hub that may need it once more: that does not make it unnumbered.
    @Test func `a refusal of the bytes before takes nothing back from an accepted message that nobody has yet`() throws {
        var flow = try GroupFlow(users: 2, nodes: 2, seed: 712)
        flow.world.kill(device: flow.users[0], for: .seconds(60))
        flow.send(by: 1)
        let (message, user) = (flow.sent[0].message, flow.users[1])
        #expect(try flow.world.run(until: { $0.state(message, at: user) == .accepted }, within: .seconds(10)))
        let key = try #require(flow.world.history(user).first { $0.message == message }?.conversation)
        let late = Failure(key: key, message: message, refusal: Refusal(.staleEpoch, "late", epoch: 99))
        flow.world.tell(.received(.entry(1, .failed(late))), to: user)
        #expect(flow.world.state(message, at: user) == .accepted)
        #expect(try flow.settle(staying: [0, 1], within: .seconds(120)))
        #expect(flow.world.state(message, at: user).isDelivered)
        #expect(flow.problems(complete: [0, 1]).isEmpty)
    }

    @Test func `the home's word on bytes that were sealed anew since does not count for those in their place`() throws {
        var flow = try GroupFlow(users: 2, nodes: 2, seed: 712)
        #expect(try flow.settle(staying: [0, 1], within: .seconds(30)))
        try flow.world.run(for: .seconds(5))
        let (id, writer) = (flow.id, flow.users[1])
        let epoch = try #require(flow.world.group(id, at: writer)?.epoch)
        // What the writer submits does not come to its home, so that the answers are this test's to give.
        flow.world.plot = { device, frame in if case .submit = frame, device == writer { [] } else { [frame] } }
        flow.send(by: 1)
        let message = flow.sent[0].message
        flow.wish(.rename(id, "new"), by: 0)
        func sealedFor(_ world: World) -> UInt64? {
            guard case .application(let epoch, _)? = world.profile(writer).outbox[message]?.submission?.kind else { return nil }
            return epoch.value
        }
        #expect(try flow.world.run(until: { sealedFor($0) == epoch + 1 }, within: .seconds(10)))
        flow.world.tell(.received(.sent(message)), to: writer)
        #expect(flow.world.state(message, at: writer) == .queued, "that was about the bytes before")
        flow.world.tell(.received(.refusedMessage(message, Refusal(.staleEpoch, "late", epoch: Epoch(unchecked: epoch + 1)))), to: writer)
        #expect(sealedFor(flow.world) == epoch + 1)
        // The new bytes were lost with the session: in the next one they go again.
        flow.world.plot = nil
        flow.world.kill(node: 1, for: .seconds(1))
        #expect(try flow.world.run(until: { $0.state(message, at: writer).isDelivered }, within: .seconds(30)))
        #expect(flow.problems(complete: [0, 1]).isEmpty)
    }

    @Test func `what was sealed anew goes again after a crash of the home, though the home had the bytes before`() throws {
        var flow = try GroupFlow(users: 2, nodes: 2, seed: 711)
        #expect(try flow.settle(staying: [0, 1], within: .seconds(30)))
        try flow.world.run(for: .seconds(5))
        let (id, other) = (flow.id, flow.users[1])
        let epoch = try #require(flow.world.group(id, at: other)?.epoch)
        // The hub numbers a commit that the other's home hears nothing of; the other writes meanwhile, in the epoch before.
        flow.world.kill(node: 1, for: .seconds(2))
        flow.wish(.rename(id, "new"), by: 0)
        let one = flow.users[0]
        #expect(try flow.world.run(until: { $0.group(id, at: one)?.epoch == epoch + 1 }, within: .seconds(2)))
        flow.world.kill(node: 0, for: .seconds(10))
        #expect(flow.world.group(id, at: other)?.epoch == epoch)
        flow.send(by: 1)
        let message = flow.sent[0].message
        #expect(try flow.world.run(until: { $0.state(message, at: other) == .sent }, within: .seconds(9)))
        func sealedFor(_ world: World) -> UInt64? {
            guard case .application(let epoch, _)? = world.profile(other).outbox[message]?.submission?.kind else { return nil }
            return epoch.value
        }
        #expect(try flow.world.run(until: { sealedFor($0) == epoch + 1 }, within: .seconds(20)))
        flow.world.kill(node: 1, for: .seconds(1))
        #expect(try flow.world.run(until: { $0.state(message, at: other).isDelivered }, within: .seconds(30)))
        #expect(flow.problems(complete: [0, 1]).isEmpty)
    }
}
