import ClientCore
import Cryptography
import Groups
import Simulation
import Synchronization
import Testing
import Vocabulary

/// A hub that lies to one of its devices: each kind of lie raises its alarm, at or before the next message or receipt, and shows nothing false.
/// The core is the real one; what it says is changed on the way.
@Suite struct LyingHubTests {
    /// Rewrites what one device hears of a conversation, with the chain made to fit, as only the hub can.
    final class Liar: Sendable {
        enum Lie: Sendable {
            /// The first event leaves its place to the next.
            case drop
            case swap
            case `repeat`
            /// The payload of a message of the past under a new number.
            case altered
            case forgedReceipt
            case forkedReceipt
            case gap
            case foreignSender
        }
        private struct State {
            var begun = false
            var shift = 0
            var held: Envelope?
            var chain: Digest?
            var last: Envelope?
        }
        private let state = Mutex(State())
        let lie: Lie
        let victim: Int
        let after: SequenceNumber

        init(_ lie: Lie, to victim: Int, after: SequenceNumber) { (self.lie, self.victim, self.after) = (lie, victim, after) }

        func tell(_ device: Int, _ frame: NodeFrame) -> [NodeFrame] {
            guard device == victim, case .entry(let position, let item) = frame else { return [frame] }
            return state.withLock { state in
                switch item {
                case .event(let envelope) where envelope.number > after: return hear(envelope, at: position, &state)
                case .accepted(let acceptance) where acceptance.number > after && state.begun: return []
                case .watermark(let mark) where mark.through >= after: return [.entry(position, .watermark(forge(mark)))]
                default: return [frame]
                }
            }
        }

        private func forge(_ mark: Watermark) -> Watermark {
            switch lie {
            case .forgedReceipt:
                return Watermark(
                    key: mark.key, device: mark.device, through: mark.through.next, chain: mark.chain, signature: mark.signature)
            default: return mark
            }
        }

        /// The event as it is, under the chain that the victim was told.
        private func told(
            _ envelope: Envelope, number: SequenceNumber, payload: [UInt8]? = nil, sender: RosterEntry? = nil, _ state: inout State
        ) -> Envelope {
            let (payload, sender) = (payload ?? envelope.payload, sender ?? envelope.sender)
            let chain = Chain.next(
                after: state.chain ?? envelope.chain, number: number, sender: sender, message: envelope.message, kind: envelope.kind,
                epoch: envelope.epoch, payload: payload)
            state.chain = chain
            return Envelope(
                key: envelope.key, number: number, sender: sender, message: envelope.message, kind: envelope.kind, epoch: envelope.epoch,
                payload: payload, chain: chain)
        }

        private func hear(_ envelope: Envelope, at position: QueuePosition, _ state: inout State) -> [NodeFrame] {
            defer { state.last = envelope }
            func entry(_ envelope: Envelope) -> NodeFrame { .entry(position, .event(envelope)) }
            switch lie {
            case .gap:
                state.begun = true
                return envelope.number == after.next ? [] : [entry(envelope)]
            case .drop:
                if !state.begun {
                    state.begun = true
                    state.chain = state.last?.chain
                    return []
                }
                return [entry(told(envelope, number: SequenceNumber(unchecked: envelope.number.value - 1), &state))]
            case .swap:
                if !state.begun {
                    state.begun = true
                    state.chain = state.last?.chain
                    state.held = envelope
                    return []
                }
                guard let held = state.held else { return [entry(told(envelope, number: envelope.number, &state))] }
                state.held = nil
                let first = told(envelope, number: held.number, &state)
                let second = told(held, number: envelope.number, &state)
                return [entry(first), entry(second)]
            case .repeat:
                if !state.begun, let last = state.last {
                    state.begun = true
                    state.chain = last.chain
                    let again = told(last, number: envelope.number, &state)
                    return [entry(again), entry(told(envelope, number: envelope.number.next, &state))]
                }
                return state.begun ? [entry(told(envelope, number: envelope.number.next, &state))] : [entry(envelope)]
            case .altered:
                guard let last = state.last, !state.begun else { return [entry(envelope)] }
                state.begun = true
                return [
                    entry(
                        Envelope(
                            key: envelope.key, number: envelope.number, sender: envelope.sender, message: envelope.message,
                            kind: envelope.kind,
                            epoch: envelope.epoch, payload: last.payload, chain: envelope.chain))
                ]
            case .foreignSender:
                guard let last = state.last, !state.begun, last.sender != envelope.sender else { return [entry(envelope)] }
                state.begun = true
                state.chain = last.chain
                return [entry(told(envelope, number: envelope.number, sender: last.sender, &state))]
            case .forgedReceipt, .forkedReceipt: return [entry(envelope)]
            }
        }
    }

    /// Two members write in turns while the hub lies to the third, who then writes as well.
    /// - Parameter commits: whether the first event that is lied about is a commit.
    private func run(_ lie: Liar.Lie, seed: UInt64, commits: Bool = false) throws -> (alarms: [[Alarm]], flow: GroupFlow) {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: seed)
        flow.send(by: 0)
        flow.send(by: 2)
        _ = try flow.settle(staying: [0, 1, 2], within: .seconds(60))
        try flow.world.run(for: .seconds(30))
        let head = flow.world.profile(flow.users[0]).conversations[flow.id]?.head ?? .zero
        let liar = Liar(lie, to: flow.users[1], after: head)
        // So that the liar knows what the victim heard last.
        flow.world.lie = { liar.tell($0, $1) }
        if commits {
            flow.wish(.rename(flow.id, "renamed"), by: 0)
            try flow.world.run(for: .seconds(1))
        }
        for round in 0..<4 {
            flow.send(by: round % 2 * 2)
            try flow.world.run(for: .seconds(1))
        }
        flow.send(by: 1)
        try flow.world.run(for: .seconds(30))
        return (flow.users.map { flow.world.profile($0).alarms.map(\.alarm) }, flow)
    }

    @Test func `an honest hub raises none`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 800)
        for index in 0..<3 { flow.send(by: index) }
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(60)))
        #expect(flow.users.allSatisfy { flow.world.alarms($0) == 0 })
    }

    @Test func `a dropped message is noticed at the next one`() throws {
        let (alarms, _) = try run(.drop, seed: 801)
        #expect(!alarms[1].isEmpty, "\(alarms)")
    }

    @Test(arguments: [Liar.Lie.drop, .gap]) func `a commit that is held back is noticed`(lie: Liar.Lie) throws {
        let (alarms, flow) = try run(lie, seed: 808, commits: true)
        #expect(!alarms[1].isEmpty, "\(alarms)")
        let texts = flow.world.history(flow.users[1]).compactMap { if case .incoming(let text) = $0.body { text } else { nil } }
        #expect(Set(texts).count == texts.count)
    }

    @Test func `swapped messages are noticed`() throws {
        let (alarms, flow) = try run(.swap, seed: 802)
        #expect(!alarms[1].isEmpty, "\(alarms)")
        #expect(Set(flow.world.history(flow.users[1]).map(\.message)).count == flow.world.history(flow.users[1]).count)
    }

    @Test func `a repeated message is noticed and not shown again`() throws {
        let (alarms, flow) = try run(.repeat, seed: 803)
        #expect(!alarms[1].isEmpty, "\(alarms)")
        let texts = flow.world.history(flow.users[1]).compactMap { if case .incoming(let text) = $0.body { text } else { nil } }
        #expect(Set(texts).count == texts.count)
    }

    @Test func `an altered message is noticed and not shown`() throws {
        let (alarms, _) = try run(.altered, seed: 804)
        #expect(alarms[1].contains(.chainBroken), "\(alarms)")
    }

    @Test func `a message under another's name is noticed and not shown`() throws {
        let (alarms, _) = try run(.foreignSender, seed: 805)
        #expect(!alarms[1].isEmpty, "\(alarms)")
    }

    @Test func `a message that is held back is noticed and asked for`() throws {
        let (alarms, flow) = try run(.gap, seed: 806)
        #expect(alarms[1].contains(.gap), "\(alarms)")
        #expect(flow.world.heard(flow.users[1]).contains { if case .hole = $0 { true } else { false } })
    }

    @Test func `a forged receipt is noticed and counts for nothing`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 807)
        let liar = Liar(.forgedReceipt, to: flow.users[0], after: 1)
        flow.world.lie = { liar.tell($0, $1) }
        flow.world.setReading(false, device: flow.users[1])
        flow.world.setReading(false, device: flow.users[2])
        flow.send(by: 0)
        try flow.world.run(for: .seconds(10))
        #expect(flow.world.profile(flow.users[0]).alarms.contains { $0.alarm == .forgedReceipt })
        #expect(flow.sent.allSatisfy { flow.world.state($0.message, at: flow.users[0]) == .accepted })
    }
}
