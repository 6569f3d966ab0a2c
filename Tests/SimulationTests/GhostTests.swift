import ClientCore
import Cryptography
import Federation
import Groups
import Lies
import MLS
import Simulation
import Testing
import Vocabulary

/// A hub that puts somebody into the group, alone or with an insider's help; and one that tells two stories.
@Suite struct GhostTests {
    enum Trick: String, CaseIterable, Sendable {
        /// By external commit, as another device of a member, whose certificate for it there is none.
        case deviceOfAMember
        /// By external commit, under a name of its own: no user of the group.
        case strangerFromOutside
        /// An insider adds a device that its user has not certified.
        case insiderAddsADevice
        /// An insider who may not add anybody adds a stranger.
        case insiderAddsAStranger
        /// A commit in a member's name that the member did not sign.
        case unsigned
    }

    private struct Stage {
        var flow: GroupFlow
        let ghost: @Sendable (Envelope, Digest) -> Ghost?
    }

    /// - Parameter insider: in league with the hub.
    private func stage(_ trick: Trick, insider: Int) throws -> Stage {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 850)
        for index in 0..<4 { flow.send(by: index) }
        _ = try flow.settle(staying: [0, 1, 2, 3], within: .seconds(60))
        try flow.world.run(for: .seconds(40))
        let (world, id) = (flow.world, flow.id)
        func entry(_ index: Int) -> RosterEntry {
            let account = world.profile(flow.users[index]).account
            return RosterEntry(user: account.userID, device: account.deviceID)
        }
        let member = entry(3)
        let parts = try #require(world.node(0)?.orderer.parcel(id, for: member))
        let parcel = try GroupParcel(decoding: parts.flatMap(\.bytes))
        let group = try #require(world.group(id, at: flow.users[insider]))
        let (accomplice, now) = (entry(insider), world.seconds)
        return Stage(flow: flow) { envelope, _ in
            var random = SeededGenerator(seed: 7)
            switch trick {
            case .deviceOfAMember:
                return try? .entering(parcel, as: .member(member.user), message: envelope.message, at: now, using: &random)
            case .strangerFromOutside: return try? .entering(parcel, as: .stranger, message: envelope.message, at: now, using: &random)
            case .insiderAddsADevice, .insiderAddsAStranger:
                return try? .added(
                    by: group, accomplice, as: trick == .insiderAddsADevice ? .member(member.user) : .stranger, message: envelope.message,
                    head: parcel.head, chain: parcel.chain, at: now, using: &random)
            case .unsigned:
                guard let signer = try? SignatureKeyPair(ed25519: SigningKey(using: &random).seed),
                    let commit = try? group.forged(.commit(Commit(items: [], path: nil)), signer: signer)
                else { return nil }
                return Ghost(sender: accomplice, commit: commit)
            }
        }
    }

    @Test(arguments: Trick.allCases) func `a ghost that the hub lets in is refused by every member, with an alarm`(trick: Trick) throws {
        // A member who may not add.
        let staged = try stage(trick, insider: 2)
        var flow = staged.flow
        let everybody = [0, 1, 2, 3]
        let (before, devices) = (everybody.map { flow.texts(at: $0) }, flow.devices)
        let members = flow.members(at: 0)
        let liar = Liar(
            .ghost, in: flow.id, after: (flow.head(at: 0), flow.chain(at: 0)), ghost: staged.ghost, to: flow.isOne(of: [0, 1, 3]))
        flow.world.lie = { liar.tell(devices[$0], $1) }
        // Once the hub has numbered something, it puts the ghost in its place.
        flow.send(by: 2)
        let users = flow.users
        #expect(try flow.world.run(until: { world in [0, 1, 3].allSatisfy { world.alarms(users[$0]) > 0 } }, within: .seconds(1)))
        for index in [0, 1, 3] {
            #expect(flow.alarms(at: index) == [trick == .unsigned ? .badHandshake : .forbiddenChange], "\(trick), member \(index)")
            #expect(flow.texts(at: index) == before[index], "nothing is shown in its place")
            #expect(flow.members(at: index) == members && flow.world.members(of: flow.id, at: flow.users[index]).count == 4)
        }
        // The hub goes back to the truth: it has told two stories of one number, and is not believed any more.
        flow.world.lie = nil
        flow.send(by: 2)
        try flow.world.run(for: .seconds(20))
        for index in [0, 1, 3] {
            let standing = flow.world.profile(flow.users[index]).conversations[flow.id]?.standing
            #expect(standing == .broken)
            #expect(Set(flow.texts(at: index)).count == flow.texts(at: index).count)
        }
    }

    @Test func `the hub itself refuses the ghosts that a member hands in`() throws {
        for trick in [Trick.insiderAddsADevice, .insiderAddsAStranger] {
            let staged = try stage(trick, insider: 2)
            var flow = staged.flow
            let users = flow.users
            let ghost = staged.ghost
            flow.world.plot = { device, frame in
                guard device == users[2], case .submit(let submission) = frame, case .commit(let bundle) = submission.kind else {
                    return [frame]
                }
                let envelope = Envelope(
                    key: ConversationKey(hub: submission.hub, conversation: submission.conversation), number: 1,
                    sender: RosterEntry(user: UserID(raw: .zero), device: DeviceID(raw: .zero)), message: submission.message, kind: .commit,
                    epoch: bundle.epoch, payload: [], chain: .zero)
                guard let made = ghost(envelope, .zero) else { return [frame] }
                let forged = CommitBundle(epoch: bundle.epoch, commit: made.commit, welcome: nil, groupInfo: bundle.groupInfo)
                return [
                    .submit(
                        Submission(
                            message: submission.message, conversation: submission.conversation, hub: submission.hub, kind: .commit(forged),
                            order: submission.order))
                ]
            }
            let epoch = flow.world.node(0)?.hubEpoch(flow.id)
            flow.wish(.rename(flow.id, "x"), by: 2)
            try flow.world.run(for: .seconds(5))
            #expect(flow.world.node(0)?.hubEpoch(flow.id) == epoch)
            for index in 0..<4 { #expect(flow.alarms(at: index).isEmpty) }
        }
    }

    /// Two messages that were written without knowing of each other, and told to one member in the other order: so far nothing contradicts.
    @Test func `a fork is noticed at the next message, by those whom either story was told`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 851)
        for index in 0..<4 { flow.send(by: index) }
        _ = try flow.settle(staying: [0, 1, 2, 3], within: .seconds(60))
        try flow.world.run(for: .seconds(40))
        let devices = flow.devices
        let liar = Liar(.swap, in: flow.id, after: (flow.head(at: 0), flow.chain(at: 0)), to: flow.isOne(of: [1]))
        flow.world.lie = { liar.tell(devices[$0], $1) }
        flow.send(by: 0)
        flow.send(by: 2)
        try flow.world.run(for: .seconds(5))
        let heads = [1, 3].map { flow.world.profile(flow.users[$0]).conversations[flow.id].map { ($0.head, $0.chain) } }
        #expect(heads[0]?.0 == heads[1]?.0 && heads[0]?.1 != heads[1]?.1, "two members have other events at one number")
        #expect((0..<4).allSatisfy { flow.alarms(at: $0).isEmpty })
        flow.send(by: 3)
        try flow.world.run(for: .seconds(5))
        #expect(flow.alarms(at: 1) == [.forkedHistory])

        flow.send(by: 1)
        try flow.world.run(for: .seconds(5))
        #expect(Set(flow.texts(at: 1)).count == flow.texts(at: 1).count)
    }

    @Test func `a receipt over another history is noticed by who gets it`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 852)
        for index in 0..<3 { flow.send(by: index) }
        _ = try flow.settle(staying: [0, 1, 2], within: .seconds(60))
        try flow.world.run(for: .seconds(40))
        // What the one who was lied to would sign: the hub passes it on.
        let (key, id) = (flow.world.profile(flow.users[1]).account.device, flow.id)
        let (devices, victim, liar) = (flow.devices, flow.users[0], flow.world.profile(flow.users[1]).account.deviceID)
        flow.world.lie = { device, frame in
            guard device == victim, devices[device] != liar, case .entry(let position, .watermark(let mark)) = frame, mark.device == liar,
                mark.key.conversation == id
            else { return [frame] }
            let chain = Digest(raw: Bytes32(Array(repeating: 5, count: 32)) ?? .zero)
            let body = Watermark.body(key: mark.key, device: liar, through: mark.through, chain: chain)
            return [
                .entry(
                    position,
                    .watermark(
                        Watermark(
                            key: mark.key, device: liar, through: mark.through, chain: chain, signature: key.sign(body, for: .watermark))))
            ]
        }
        flow.send(by: 0)
        try flow.world.run(for: .seconds(5))
        #expect(flow.alarms(at: 0) == [.forkedReceipt])
    }
}
