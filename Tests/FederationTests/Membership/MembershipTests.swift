import Cryptography
import Federation
import Testing
import Vocabulary

/// Some membership cores and the frames between them.
private struct Network {
    var nodes: [NodeID: Membership] = [:]
    var links: [NodeID: Set<NodeID>] = [:]
    var now = Instant.start
    var random = SeededGenerator(seed: 5)
    var frames = 0
    var effects: [NodeID: [Membership.Effect]] = [:]
    /// Chance that a frame is lost.
    var loss = 0.0

    mutating func add(_ membership: Membership) { nodes[membership.node] = membership }

    mutating func link(_ x: NodeID, _ y: NodeID) {
        links[x, default: []].insert(y)
        links[y, default: []].insert(x)
        input(.linkUp(y), to: x)
        input(.linkUp(x), to: y)
    }

    mutating func input(_ input: Membership.Input, to node: NodeID) {
        var open = [(node, input)]
        while !open.isEmpty {
            let (at, input) = open.removeFirst()
            let made = nodes[at]?.step(input, at: now, using: &random) ?? []
            effects[at, default: []] += made
            for effect in made {
                switch effect {
                case .send(let peer, let frame): open += received(frame, from: at, at: peer)
                case .broadcast(let frame, let but):
                    for peer in links[at, default: []].sorted() where peer != but { open += received(frame, from: at, at: peer) }
                default: break
                }
            }
        }
    }

    private mutating func received(_ frame: LinkFrame, from: NodeID, at node: NodeID) -> [(NodeID, Membership.Input)] {
        guard links[from, default: []].contains(node), Double.random(in: 0..<1, using: &random) >= loss else { return [] }
        frames += 1
        precondition(frames < 10_000, "the nodes never come to rest")
        switch frame {
        case .statements(let statements): return [(node, .received(statements, from: from))]
        case .statementsDigest(let digest): return [(node, .digestReceived(digest, from: from))]
        default: return []
        }
    }

    mutating func pass(_ duration: Duration) {
        let end = now + duration
        while let due = nodes.values.compactMap(\.nextDeadline).min(), due <= end {
            now = max(now, due)
            for id in nodes.keys.sorted() where nodes[id]?.nextDeadline.map({ $0 <= now }) ?? false { input(.deadlineReached, to: id) }
        }
        now = end
    }
}

@Suite struct MembershipTests {
    let f = MembershipFixture()
    private typealias F = MembershipFixture

    @Test func `a new statement reaches all at once, along a chain of links, and comes to rest`() throws {
        var network = Network()
        let base = (1...4).map { f.admit($0, by: 0, n: UInt64($0)) }
        for index in 0...4 { network.add(try f.membership(index, base)) }
        for index in 0..<4 { network.link(F.id(index), F.id(index + 1)) }
        network.input(.admitRequested(RequestID(1), F.id(5), F.name(5), .member), to: F.id(0))
        #expect(network.nodes.values.allSatisfy { $0.evaluation.isMember(F.id(5)) })
        #expect(network.effects[F.id(4), default: []].contains(.changed))
        #expect(network.frames < 40)
    }

    @Test func `a node that was away catches up at its link's start, in both directions`() throws {
        var network = Network()
        let base = [f.admit(1, by: 0, n: 1, role: .admin)]
        network.add(try f.membership(0, base + [f.admit(2, by: 0, n: 2), f.descriptor(0, version: 1)]))
        network.add(try f.membership(1, base + [f.admit(3, by: 1, n: 1)]))
        network.link(F.id(0), F.id(1))
        #expect(network.nodes[F.id(0)]?.digest == network.nodes[F.id(1)]?.digest)
        #expect(network.nodes[F.id(0)]?.evaluation.activeIndices(of: 4) == [0, 1, 2, 3])
    }

    @Test func `what rumour missed is mended within two intervals`() throws {
        var network = Network()
        let base = [f.admit(1, by: 0, n: 1)]
        network.add(try f.membership(0, base))
        network.add(try f.membership(1, base))
        network.link(F.id(0), F.id(1))
        // The link swallows a frame.
        network.links = [:]
        network.input(.admitRequested(RequestID(1), F.id(5), F.name(5), .member), to: F.id(0))
        network.links = [F.id(0): [F.id(1)], F.id(1): [F.id(0)]]
        #expect(network.nodes[F.id(1)]?.evaluation.isMember(F.id(5)) == false)
        network.pass(Membership.compareInterval * 2)
        #expect(network.nodes[F.id(1)]?.evaluation.isMember(F.id(5)) == true)
    }

    @Test func `nodes at rest exchange digests alone`() throws {
        var network = Network()
        let base = [f.admit(1, by: 0, n: 1)]
        network.add(try f.membership(0, base))
        network.add(try f.membership(1, base))
        network.link(F.id(0), F.id(1))
        let before = network.frames
        network.pass(.seconds(100))
        #expect((16...26).contains(network.frames - before))
    }

    @Test(arguments: UInt64(0)..<20) func `admins that act at once, over links that lose frames, agree once the network heals`(seed: UInt64)
        throws
    {
        var network = Network()
        network.random = SeededGenerator(seed: seed)
        let base = (1...5).map { f.admit($0, by: 0, n: UInt64($0), role: .admin) }
        for index in 0...5 { network.add(try f.membership(index, base)) }
        for index in 0..<5 { network.link(F.id(index), F.id(index + 1)) }
        network.loss = 0.5
        for turn in 0..<12 {
            let actor = F.id(Int.random(in: 0...5, using: &network.random))
            let subject = Int.random(in: 0...12, using: &network.random)
            let role = MemberRole.allCases.randomElement(using: &network.random) ?? .member
            switch Int.random(in: 0..<3, using: &network.random) {
            case 0: network.input(.expelRequested(RequestID(1), F.id(subject), reason: "\(turn)", lastN: nil), to: actor)
            case 1: network.input(.announced(F.contents("\(turn)")), to: actor)
            default: network.input(.admitRequested(RequestID(1), F.id(subject), F.name(subject % 9), role), to: actor)
            }
            network.pass(.seconds(1))
        }
        network.loss = 0
        network.pass(.minutes(3))
        // Expelled nodes are not listened to any more: only those that are members everywhere must agree.
        let inside = (0...5).map(F.id).filter { node in network.nodes.values.allSatisfy { $0.evaluation.isMember(node) } }
        for (x, y) in zip((0...5).map(F.id), (1...5).map(F.id)) where inside.contains(x) && inside.contains(y) {
            #expect(network.nodes[x]?.digest == network.nodes[y]?.digest, "seed \(seed)")
            #expect(network.nodes[x]?.evaluation == network.nodes[y]?.evaluation, "seed \(seed)")
        }
    }

    @Test func `bad statements are counted, not stored and not passed on`() throws {
        var membership = try f.membership(0, [f.admit(1, by: 0, n: 1)])
        var random = SeededGenerator(seed: 1)
        let sound = f.admit(2, by: 1, n: 2)
        let forged = SignedStatement(body: sound.body, signer: F.id(0), signature: sound.signature)
        let effects = membership.step(.received([forged], from: F.id(1)), at: .start, using: &random)
        #expect(effects == [.note(.badStatement(.badSignature, from: F.id(1)))])
        #expect(membership.badStatements == [F.id(1): 1])
        // The rest of a frame full of garbage is not looked at.
        let many = (0..<100).map { SignedStatement(body: [UInt8($0)], signer: F.id(1), signature: sound.signature) }
        #expect(membership.step(.received(many, from: F.id(1)), at: .start, using: &random).count == Limits.badStatementsPerFrameMax)
    }

    @Test func `what would not be kept costs no signature check, and who describes itself again and again is passed over`() throws {
        var membership = try f.membership(0, [f.admit(1, by: 0, n: 1)])
        var random = SeededGenerator(seed: 1)
        let checked = CheckedSignatures()
        let strange = (1...50).map { f.admit(9, by: 5, n: $0) } + [f.descriptor(5, version: 1)]
        let own = (1...50).map { f.descriptor(1, version: $0) }
        let effects = CheckedSignatures.$current.withValue(checked) {
            membership.step(.received(strange + own + own, from: F.id(1)), at: .start, using: &random)
        }
        #expect(checked.count == 1)
        #expect(membership.evaluation[F.id(1)]?.descriptor?.version == 50)
        #expect(effects.contains(.note(.notKept(.unknownSigner, from: F.id(1)))))
        for version in UInt64(51)...150 {
            _ = membership.step(.received([f.descriptor(1, version: version)], from: F.id(1)), at: .start, using: &random)
        }
        #expect(membership.evaluation[F.id(1)]?.descriptor?.version == 49 + UInt64(Limits.descriptorBurst))
        // Later the newest is taken, from whoever has it.
        let later = Instant.start + .seconds(1 / Limits.descriptorsPerSecond)
        _ = membership.step(.received([f.descriptor(1, version: 150)], from: F.id(2)), at: later, using: &random)
        #expect(membership.evaluation[F.id(1)]?.descriptor?.version == 150)
    }

    @Test func `signers and whom they admit may come in any order of one frame`() throws {
        var membership = try f.membership(0)
        var random = SeededGenerator(seed: 1)
        let all = [
            f.descriptor(3, version: 1), f.admit(3, by: 2, n: 1), f.admit(2, by: 1, n: 1, role: .admin),
            f.admit(1, by: 0, n: 1, role: .admin),
        ]
        _ = membership.step(.received(all, from: F.id(1)), at: .start, using: &random)
        #expect(membership.evaluation.isMember(F.id(3)) && membership.evaluation[F.id(3)]?.descriptor?.version == 1)
    }

    @Test func `an expelled node is not listened to, and neither it nor a stranger is a peer`() throws {
        var membership = try f.membership(0, [f.admit(1, by: 0, n: 1), f.expel(1, by: 0, n: 2)])
        var random = SeededGenerator(seed: 1)
        let received = Membership.Input.received([f.admit(2, by: 0, n: 3)], from: F.id(1))
        #expect(membership.step(received, at: .start, using: &random) == [.note(.fromExpelled(F.id(1)))])
        for peer in [F.id(1), F.id(7)] {
            #expect(membership.step(.digestReceived(.zero, from: peer), at: .start, using: &random).isEmpty)
            #expect(membership.step(.linkUp(peer), at: .start, using: &random) == [.expelled(peer)])
        }
    }

    @Test func `a member whose admission has not come yet may bring it itself`() throws {
        var membership = try f.membership(0, [])
        var random = SeededGenerator(seed: 1)
        _ = membership.step(.received([f.admit(2, by: 0, n: 1)], from: F.id(2)), at: .start, using: &random)
        #expect(membership.evaluation.isMember(F.id(2)))
    }

    @Test func `an expulsion is told to all, the expelled too, before its link is given up`() throws {
        var membership = try f.membership(0, [f.admit(1, by: 0, n: 1), f.admit(2, by: 0, n: 2)])
        var random = SeededGenerator(seed: 1)
        let request = Membership.Input.expelRequested(RequestID(1), F.id(1), reason: "stolen", lastN: nil)
        let effects = membership.step(request, at: .start, using: &random)
        let told = effects.firstIndex { if case .broadcast(.statements, nil) = $0 { true } else { false } }
        let closed = effects.firstIndex(of: .expelled(F.id(1)))
        #expect(try #require(told) < #require(closed))
        guard case .write(.put(.statement, _, _))? = effects.first else {
            Issue.record("the statement is not stored first")
            return
        }
        #expect(effects.contains(.done(RequestID(1))))
        #expect(membership.step(request, at: .start, using: &random) == [.refused(RequestID(1), .expelled(F.id(1)))])
    }

    @Test func `only admins expel, and nobody itself`() throws {
        var random = SeededGenerator(seed: 1)
        var plain = try f.membership(1, [f.admit(1, by: 0, n: 1)])
        let expel = Membership.Input.expelRequested(RequestID(1), F.id(0), reason: "", lastN: nil)
        #expect(plain.step(expel, at: .start, using: &random) == [.refused(RequestID(1), .notAdmin)])
        var founder = try f.membership(0)
        #expect(founder.step(expel, at: .start, using: &random) == [.refused(RequestID(1), .cannotExpelSelf)])
        let stranger = Membership.Input.expelRequested(RequestID(2), F.id(9), reason: "", lastN: nil)
        #expect(founder.step(stranger, at: .start, using: &random) == [.refused(RequestID(2), .unknownNode(F.id(9)))])
    }

    @Test func `a node announces itself once, and above a former life that peers remember`() throws {
        var random = SeededGenerator(seed: 1)
        var membership = try f.membership(0, [f.admit(1, by: 0, n: 1)])
        let first = membership.step(.announced(F.contents()), at: .start, using: &random)
        #expect(first.contains(.changed))
        #expect(membership.step(.announced(F.contents()), at: .start, using: &random).isEmpty)
        _ = membership.step(.linkUp(F.id(1)), at: .start, using: &random)
        _ = membership.step(.received([f.descriptor(0, version: 9, software: "old")], from: F.id(1)), at: .start, using: &random)
        #expect(membership.evaluation[F.id(0)]?.descriptor?.contents.software == "old")
        let due = try #require(membership.nextDeadline)
        _ = membership.step(.deadlineReached, at: due, using: &random)
        #expect(membership.evaluation[F.id(0)]?.descriptor?.version == 10)
        #expect(membership.evaluation[F.id(0)]?.descriptor?.contents == F.contents())
    }

    @Test func `what is written is what a restart needs`() throws {
        var random = SeededGenerator(seed: 1)
        var membership = try f.membership(0)
        var stored = Dictionary(uniqueKeysWithValues: membership.writes.compactMap(\.row))
        for input in [
            Membership.Input.announced(F.contents("a")), .announced(F.contents("b")),
            .admitRequested(RequestID(1), F.id(1), F.name(1), .admin), .received([f.admit(2, by: 1, n: 1)], from: F.id(1)),
            .expelRequested(RequestID(2), F.id(1), reason: "x", lastN: nil),
        ] {
            for case .write(let write) in membership.step(input, at: .start, using: &random) {
                if let (key, value) = write.row { stored[key] = value }
                if case .remove(_, let key) = write { stored[key] = nil }
            }
        }
        let statements = try stored.values.map { try SignedStatement(decoding: $0) }
        let restored = try Membership(key: F.key(0), statements: statements)
        #expect(restored.digest == membership.digest)
        #expect(restored.evaluation == membership.evaluation)
        #expect(restored.evaluation.activeIndices(of: 4) == [0, 2])
    }

    @Test func `a large set is sent in frames that fit, and no oftener than every three seconds`() throws {
        let many = (1...1500).map { f.admit($0, by: 0, n: UInt64($0)) }
        var full = try f.membership(0, many)
        var fresh = try f.membership(1, [many[0]])
        var random = SeededGenerator(seed: 1)
        let answer = full.step(.digestReceived(fresh.digest, from: F.id(1)), at: .start, using: &random)
        let frames = answer.compactMap { effect -> [SignedStatement]? in
            if case .send(_, .statements(let statements)) = effect { statements } else { nil }
        }
        #expect(frames.count > 1)
        #expect(frames.allSatisfy { $0.reduce(0) { $0 + $1.encoded().count + 8 } < Limits.frameBytesMax })
        for frame in frames { _ = fresh.step(.received(frame, from: F.id(0)), at: .start, using: &random) }
        #expect(fresh.digest == full.digest)
        #expect(full.step(.digestReceived(.zero, from: F.id(1)), at: .start + .seconds(1), using: &random).isEmpty)
        #expect(!full.step(.digestReceived(.zero, from: F.id(1)), at: .start + .seconds(3), using: &random).isEmpty)
    }

    @Test func `statements without their genesis start nothing`() {
        #expect(throws: MembershipError.noGenesis) { try Membership(key: F.key(0), statements: [f.admit(1, by: 0, n: 1)]) }
        let other = MembershipFixture(founder: 3)
        #expect(throws: MembershipError.noGenesis) {
            try Membership(key: F.key(0), statements: [other.genesis], federation: f.federation)
        }
    }
}

extension StoreWrite {
    fileprivate var row: ([UInt8], [UInt8])? { if case .put(_, let key, let value) = self { (key, value) } else { nil } }
}
