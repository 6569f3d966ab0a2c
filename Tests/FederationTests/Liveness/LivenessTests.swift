import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct LivenessTests {
    private static let own = LivenessNetwork.id(0), tower = LivenessNetwork.id(1), mole = LivenessNetwork.id(2)
    private var random = SeededGenerator(seed: 1)
    private var liveness = Liveness(node: own, incarnation: 5)

    init() { _ = liveness.step(.membersChanged([Self.own, Self.tower, Self.mole]), at: .start, using: &random) }

    private func claim(_ node: NodeID, _ state: LivenessClaim.State, _ incarnation: UInt64) -> LivenessClaim {
        LivenessClaim(node: node, state: state, incarnation: incarnation)
    }

    private mutating func hear(_ claims: [LivenessClaim], from peer: NodeID = mole, at now: Instant = .start) -> [Liveness.Effect] {
        liveness.step(.received(.acknowledge(sequence: .max, claims: claims), from: peer), at: now, using: &random)
    }

    @Test mutating func `claims take effect by incarnation, then by state`() {
        typealias State = LivenessClaim.State
        // state, incarnation held; claimed; what follows.
        let table: [(State, State, Int, State)] = [
            (.alive, .alive, 0, .alive), (.alive, .alive, 1, .alive), (.alive, .alive, -1, .alive),
            (.alive, .suspect, 0, .suspect), (.alive, .suspect, 1, .suspect), (.alive, .suspect, -1, .alive),
            (.alive, .dead, 0, .dead), (.alive, .dead, 1, .dead), (.alive, .dead, -1, .alive),
            (.suspect, .alive, 0, .suspect), (.suspect, .alive, 1, .alive), (.suspect, .alive, -1, .suspect),
            (.suspect, .suspect, 0, .suspect), (.suspect, .suspect, 1, .suspect), (.suspect, .suspect, -1, .suspect),
            (.suspect, .dead, 0, .dead), (.suspect, .dead, 1, .dead), (.suspect, .dead, -1, .suspect),
            (.dead, .alive, 0, .dead), (.dead, .alive, 1, .alive), (.dead, .alive, -1, .dead),
            (.dead, .suspect, 0, .dead), (.dead, .suspect, 1, .suspect), (.dead, .suspect, -1, .dead),
            (.dead, .dead, 0, .dead), (.dead, .dead, 1, .dead), (.dead, .dead, -1, .dead),
        ]
        for (held, claimed, step, expected) in table {
            self = LivenessTests()
            _ = hear([claim(Self.tower, .alive, 9), claim(Self.tower, held, 10)])
            #expect(liveness[Self.tower]?.state == held)
            let effects = hear([claim(Self.tower, claimed, UInt64(10 + step))])
            #expect(liveness[Self.tower]?.state == expected, "\(held) \(claimed) \(step)")
            #expect(effects.contains(.stateChanged(Self.tower, expected)) == (held != expected))
        }
    }

    @Test mutating func `a node that was driven out of reach by claims one above the other is alive again by its own word`() {
        _ = hear([claim(Self.tower, .alive, 7)], from: Self.tower)
        let ladder = (1...4).map { claim(Self.tower, .dead, UInt64($0) << 20) }
        _ = hear(ladder)
        #expect(liveness[Self.tower]?.state == .dead)
        #expect(hear([claim(Self.tower, .alive, 7)], from: Self.tower).contains(.stateChanged(Self.tower, .alive)))
        #expect(liveness[Self.tower]?.incarnation == 7)
        // No word of its own is beyond all counting.
        _ = hear([claim(Self.tower, .alive, .max)], from: Self.tower)
        #expect(liveness[Self.tower]?.incarnation == 7)
        // Others who were told the same say so still.
        _ = hear([claim(Self.tower, .dead, 4 << 20)])
        #expect(liveness[Self.tower]?.state == .alive)
        // What it could refute it must refute.
        _ = hear([claim(Self.tower, .suspect, 9)])
        _ = hear([claim(Self.tower, .alive, 7)], from: Self.tower)
        #expect(liveness[Self.tower]?.state == .suspect)
    }

    @Test mutating func `called suspect, a node answers with a higher incarnation`() {
        let effects = hear([claim(Self.own, .suspect, 5)])
        #expect(effects.last == .note(.refuted(6)))
        // Told to others at once.
        guard case .send(_, .ping(_, let told))? = effects.first else {
            Issue.record("told nobody")
            return
        }
        #expect(told.first == claim(Self.own, .alive, 6))
        #expect(hear([claim(Self.own, .dead, 9)]).last == .note(.refuted(10)))
        #expect(hear([claim(Self.own, .dead, 9)]).isEmpty)
        #expect(liveness.incarnation == 10)
        let answer = liveness.step(.received(.ping(sequence: 7, claims: []), from: Self.tower), at: .start, using: &random)
        guard case .send(Self.tower, .acknowledge(7, let claims))? = answer.last else {
            Issue.record("no answer")
            return
        }
        #expect(claims.first == claim(Self.own, .alive, 10))
    }

    @Test mutating func `a ping that had no link to go over is sent again when there is one`() throws {
        let due = try #require(liveness.nextDeadline)
        let effects = liveness.step(.deadlineReached, at: due, using: &random)
        guard case .send(let target, .ping(let sequence, _))? = effects.first else {
            Issue.record("pinged nobody")
            return
        }
        let again = liveness.step(.linkUp(target), at: due + .milliseconds(50), using: &random)
        guard case .send(target, .ping(sequence, let claims))? = again.first else {
            Issue.record("not sent again")
            return
        }
        #expect(again.count == 1 && claims.first == claim(Self.own, .alive, 5))
        let answer = LivenessMessage.acknowledge(sequence: sequence, claims: [])
        _ = liveness.step(.received(answer, from: target), at: due + .milliseconds(90), using: &random)
        // The round is over, and so is the matter.
        _ = liveness.step(.deadlineReached, at: due + .seconds(1), using: &random)
        #expect(liveness[target]?.state == .alive)
        #expect(liveness.slowness == 0)
    }

    @Test mutating func `who is linked is asked for help before who has to be dialled`() throws {
        let others = (0..<40).map { LivenessNetwork.id($0) }
        let linked = Set(others[30..<35])
        _ = liveness.step(.membersChanged(others), at: .start, using: &random)
        for peer in linked { _ = liveness.step(.linkUp(peer), at: .start, using: &random) }
        var asked: Set<NodeID> = []
        var now = Instant.start
        while asked.isEmpty, let due = liveness.nextDeadline, now < .start + .seconds(60) {
            now = due
            for case .send(let peer, .pingRequest) in liveness.step(.deadlineReached, at: now, using: &random) { asked.insert(peer) }
        }
        #expect(asked.count == 3 && asked.isSubset(of: linked))
    }

    @Test mutating func `a former life's incarnation is taken over, an absurd one is not`() {
        _ = hear([claim(Self.own, .alive, 40)])
        #expect(liveness.incarnation == 40)
        #expect(hear([claim(Self.own, .dead, counterMax)]) == [.note(.incarnationTooHigh)])
        #expect(hear([claim(Self.own, .dead, .max)]) == [.note(.incarnationTooHigh)])
        #expect(liveness.incarnation == 40)
        #expect(hear([claim(Self.tower, .dead, .max), claim(Self.tower, .dead, counterMax)]).isEmpty)
        #expect(liveness[Self.tower]?.state == .alive)
    }

    @Test mutating func `strangers are not heard, and claims about strangers are ignored`() {
        let stranger = LivenessNetwork.id(9)
        #expect(hear([claim(Self.tower, .dead, 1)], from: stranger) == [.note(.fromStranger(stranger))])
        #expect(hear([claim(stranger, .dead, 1)]).isEmpty)
        #expect(liveness.snapshot.map(\.node) == [Self.tower, Self.mole])
    }

    @Test mutating func `whoever is suspect or dead hears so in the next message`() {
        for state in [LivenessClaim.State.suspect, .dead] {
            _ = hear([claim(Self.tower, state, 3)])
            let answer = liveness.step(.received(.ping(sequence: 1, claims: []), from: Self.tower), at: .start, using: &random)
            guard case .send(_, .acknowledge(_, let claims))? = answer.last else {
                Issue.record("no answer")
                return
            }
            #expect(claims.contains(claim(Self.tower, state, 3)))
        }
    }

    @Test mutating func `a ping for another is answered with its acknowledgement, or with no answer`() throws {
        let request = Liveness.Input.received(.pingRequest(sequence: 70, target: Self.tower, claims: []), from: Self.mole)
        guard case .send(Self.tower, .ping(let sequence, _))? = liveness.step(request, at: .start, using: &random).last else {
            Issue.record("no ping")
            return
        }
        // Another's acknowledgement of it counts nothing.
        let stolen = liveness.step(.received(.acknowledge(sequence: sequence, claims: []), from: Self.mole), at: .start, using: &random)
        #expect(stolen.isEmpty)
        let passed = liveness.step(.received(.acknowledge(sequence: sequence, claims: []), from: Self.tower), at: .start, using: &random)
        guard case .send(Self.mole, .acknowledge(70, _))? = passed.last else {
            Issue.record("not passed on")
            return
        }
        _ = liveness.step(request, at: .start, using: &random)
        var negative = false
        while let due = liveness.nextDeadline, due <= .start + .milliseconds(500) {
            for case .send(Self.mole, .negative(70, _)) in liveness.step(.deadlineReached, at: due, using: &random) { negative = true }
        }
        #expect(negative)
    }

    @Test mutating func `pings for others are bounded`() {
        var effects: [Liveness.Effect] = []
        for sequence in 0..<UInt64(Limits.livenessRelaysMax + 1) {
            let request = LivenessMessage.pingRequest(sequence: sequence, target: Self.tower, claims: [])
            effects = liveness.step(.received(request, from: Self.mole), at: .start, using: &random)
        }
        #expect(effects == [.note(.relaysFull(Self.mole))])
    }

    @Test func `no message carries more claims than the bound, and a claim is not told for ever`() {
        var random = SeededGenerator(seed: 1)
        var liveness = Liveness(node: Self.own, incarnation: 1)
        let others = (1...50).map(LivenessNetwork.id)
        _ = liveness.step(.membersChanged(others), at: .start, using: &random)
        var told: [NodeID: Int] = [:]
        func hear(_ message: LivenessMessage) {
            for case .send(let peer, let message) in liveness.step(.received(message, from: others[49]), at: .start, using: &random) {
                #expect(message.claims.count <= Limits.livenessClaimsMax)
                for claim in message.claims where claim.node != peer { told[claim.node, default: 0] += 1 }
            }
        }
        for start in stride(from: 0, to: 50, by: 5) {
            hear(.acknowledge(sequence: .max, claims: others[start..<start + 5].map { .init(node: $0, state: .suspect, incarnation: 2) }))
        }
        for _ in 0..<200 { hear(.ping(sequence: 1, claims: [])) }
        // 3 · log10(52) = 5.1: six times each, besides what a receiver is told of itself.
        #expect(others.dropLast().allSatisfy { (5...6).contains(told[$0] ?? 0) }, "\(told.values.sorted())")
    }

    @Test func `suspicion ends sooner the more confirm it`() {
        let settings = LivenessSettings()
        let timeouts = (0...4).map { settings.suspicionTimeout(confirmedBy: $0, members: 8) }
        #expect(timeouts.first == .seconds(6) && timeouts[3] == .seconds(3) && timeouts[4] == .seconds(3))
        #expect(zip(timeouts, timeouts.dropFirst()).allSatisfy(>=))
        #expect(settings.suspicionTimeout(confirmedBy: 0, members: 2) == .seconds(3))
        #expect(settings.suspicionTimeout(confirmedBy: 3, members: 1000) > .seconds(8))
    }

    @Test mutating func `who is no member any more is forgotten at once`() {
        _ = hear([claim(Self.tower, .suspect, 3)])
        _ = liveness.step(.membersChanged([Self.mole]), at: .start, using: &random)
        #expect(liveness.snapshot.map(\.node) == [Self.mole])
        let later = liveness.step(.deadlineReached, at: .start + .seconds(60), using: &random)
        #expect(!later.contains { if case .stateChanged(Self.tower, _) = $0 { true } else { false } })
        _ = liveness.step(.membersChanged([]), at: .start + .seconds(60), using: &random)
        #expect(liveness.nextDeadline == nil || liveness.snapshot.isEmpty)
    }

    @Test(arguments: UInt64(0)..<30) func `hostile messages neither trap nor grow it`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var liveness = Liveness(node: Self.own, incarnation: 1)
        _ = liveness.step(.membersChanged((0..<6).map(LivenessNetwork.id)), at: .start, using: &random)
        var now = Instant.start
        for _ in 0..<500 {
            let claims = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                LivenessClaim(
                    node: LivenessNetwork.id(Int.random(in: 0..<8, using: &random)),
                    state: LivenessClaim.State.allCases.randomElement(using: &random) ?? .dead,
                    incarnation: [0, 1, 2, counterMax, .max, random.next()].randomElement(using: &random) ?? 0)
            }
            let sequence = [0, 1, 2, .max, random.next()].randomElement(using: &random) ?? 0
            let message: LivenessMessage
            switch Int.random(in: 0..<4, using: &random) {
            case 0: message = .ping(sequence: sequence, claims: claims)
            case 1: message = .acknowledge(sequence: sequence, claims: claims)
            case 2:
                message = .pingRequest(
                    sequence: sequence, target: LivenessNetwork.id(Int.random(in: 0..<8, using: &random)), claims: claims)
            default: message = .negative(sequence: sequence, claims: claims)
            }
            let peer = LivenessNetwork.id(Int.random(in: 0..<8, using: &random))
            _ = liveness.step(.received(message, from: peer), at: now, using: &random)
            if let due = liveness.nextDeadline, Bool.random(using: &random) {
                now = max(now, due)
                _ = liveness.step(.deadlineReached, at: now, using: &random)
                #expect(liveness.nextDeadline.map { $0 > now } ?? true, "seed \(seed)")
            }
        }
        #expect(liveness.snapshot.count == 5 && liveness.incarnation <= counterMax)
    }
}
