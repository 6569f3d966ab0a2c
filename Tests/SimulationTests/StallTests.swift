import ClientCore
import Simulation
import Synchronization
import Testing
import Vocabulary

/// A node that takes a session and then is of no use.
@Suite struct StallTests {
    private func failures(of device: Int, in world: World) -> [SessionFailure] {
        world.heard(device).compactMap { if case .sessionChanged(.down(let failure)) = $0 { failure } else { nil } }
    }

    @Test func `a session in which nothing comes, nor the word that all has come, ends with why`() throws {
        var flow = try GroupFlow(users: 2, nodes: 2, seed: 911)
        let user = flow.users[1]
        let isMute = Mutex(true)
        flow.world.lie = { device, frame in
            switch frame {
            case .caughtUp, .entry: device == user && isMute.withLock { $0 } ? [] : [frame]
            default: [frame]
            }
        }
        flow.world.kill(device: user, for: .seconds(1))
        flow.send(by: 0)
        try flow.world.run(for: ClientLimits.stalledAfter - .seconds(5))
        #expect(failures(of: user, in: flow.world).isEmpty)
        try flow.world.run(for: .seconds(10))
        guard case .stalled? = failures(of: user, in: flow.world).first else {
            Issue.record("\(failures(of: user, in: flow.world))")
            return
        }
        isMute.withLock { $0 = false }
        flow.send(by: 1)
        #expect(try flow.settle(staying: [0, 1], within: .minutes(3)))
    }

    @Test func `a slow node that goes on handing over what waits keeps its session`() throws {
        var flow = try GroupFlow(users: 2, nodes: 2, seed: 912)
        let user = flow.users[1]
        flow.world.lie = { device, frame in if case .caughtUp = frame, device == user { [] } else { [frame] } }
        flow.world.kill(device: user, for: .seconds(1))
        for _ in 0..<5 {
            try flow.world.run(for: ClientLimits.stalledAfter - .seconds(10))
            flow.send(by: 0)
            #expect(failures(of: user, in: flow.world).isEmpty)
        }
        #expect(flow.texts(at: 1).count >= 4)
    }

    @Test func `what a node sends against the protocol is no failing network`() throws {
        var flow = try GroupFlow(users: 2, nodes: 2, seed: 913)
        flow.world.tell(.protocolViolated("It sent a frame of more than 98304 bytes."), to: flow.users[1])
        let failure = try #require(failures(of: flow.users[1], in: flow.world).first)
        guard case .misbehaved = failure else {
            Issue.record("\(failure)")
            return
        }
        #expect(failure.explanation.why == "It sent a frame of more than 98304 bytes.")
        #expect(!failure.explanation.remedy.contains("network"))
    }

    /// All that the home pushes at once would wait for a hub that never lets anybody in.
    @Test func `a few large events of a conversation that nobody can enter stop nothing behind them`() throws {
        var flow = try GroupFlow(users: 2, nodes: 2, seed: 914)
        let user = flow.users[1]
        let hub = NodeID(raw: Bytes32([UInt8](repeating: 9, count: 32)) ?? .zero)
        let key = ConversationKey(hub: hub, conversation: ConversationID(raw: Bytes16(1, 1)))
        let sender = RosterEntry(user: UserID(raw: hub.raw), device: DeviceID(raw: hub.raw))
        let through = Mutex(QueuePosition.zero)
        flow.world.plot = { device, frame in
            guard device == user, case .acknowledge(let position, _, _) = frame else { return [frame] }
            through.withLock { $0 = max($0, position) }
            return []
        }
        let large = Limits.pushWindowBytes / Limits.payloadBytesMax
        for number in 1...UInt64(large) {
            let event = Envelope(
                key: key, number: SequenceNumber(unchecked: number), sender: sender, message: MessageID(raw: Bytes16(2, number)),
                kind: .application, epoch: 1, payload: [UInt8](repeating: 0, count: Limits.payloadBytesMax), chain: .zero)
            flow.world.tell(.received(.entry(QueuePosition(unchecked: 1_000 + number), .event(event))), to: user)
        }
        #expect(through.withLock { $0.value } > 1_000, "the home would push no more")
    }
}
