import ClientCore
import Cryptography
import Groups
import Lies
import MLS
import Simulation
import Synchronization
import Testing
import Vocabulary

/// A hub that makes up a group under the id of a true one, or in somebody's name: with the leaves of all who belong there, and one of its own that
/// reads along. Everything that it needs is public, but a member's signature.
@Suite struct MadeUpGroupTests {
    /// What the hub has seen of each device: KeyPackages that anybody may claim.
    private final class Harvest: Sendable {
        private let packages = Mutex<[Int: [KeyPackage]]>([:])
        /// Handshakes and messages by device.
        let submitted = Mutex<[Int: Int]>([:])

        func take(_ device: Int, _ frame: ClientFrame) -> [ClientFrame] {
            switch frame {
            case .publishKeyPackages(_, let supply):
                let found = supply.packages.compactMap { try? MLSMessage($0).keyPackage }
                packages.withLock { $0[device, default: []] += found }
            case .submit: submitted.withLock { $0[device, default: 0] += 1 }
            default: break
            }
            return [frame]
        }

        func package(of device: Int) -> KeyPackage? { packages.withLock { $0[device]?.popLast() } }
        func submissions(by device: Int) -> Int { submitted.withLock { $0[device] ?? 0 } }
    }

    /// - Returns: the ghost, and the group as it is after it has added the others.
    private func madeUp(
        _ id: [UInt8], _ profile: GroupProfile, with packages: [KeyPackage], at now: UInt64
    ) throws -> (ghost: RosterEntry, group: Group, welcome: [UInt8]?) {
        var random = SeededGenerator(seed: 9)
        let host = GroupHost(now: now, refusal: { _ in nil })
        let (entry, identity) = try Ghost.identity(.stranger, at: now, using: &random)
        var group = try Group.create(id: id, member: identity, extensions: profile.groupContext, host: host, using: &random)
        // Later than what the others have seen.
        for _ in 0..<40 {
            let pending = try group.commit(CommitPlan([]), host: host, using: &random)
            try group.merge(pending, host: host)
        }
        let pending = try group.commit(CommitPlan(packages.map { .add($0) }), host: host, using: &random)
        try group.merge(pending, host: host)
        return (entry, group, pending.welcome)
    }

    @Test func `a group that the hub makes up is not entered by who comes back, and nothing is sealed for it`() throws {
        let harvest = Harvest()
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 870, plot: { harvest.take($0, $1) })
        for index in 0..<3 { flow.send(by: index) }
        _ = try flow.settle(staying: [0, 1, 2], within: .seconds(60))
        let victim = flow.users[1]
        let old = flow.world.profile(victim)
        flow.send(by: 1)
        flow.send(by: 0)
        _ = try flow.settle(staying: [0, 1, 2], within: .seconds(60))
        let conversation = try #require(flow.world.profile(victim).conversations[flow.id])
        let packages = try [0, 1, 2].map { try #require(harvest.package(of: flow.users[$0])) }
        let made = try madeUp(conversation.key.groupID, conversation.profile, with: packages, at: flow.world.seconds)
        let parcel = GroupParcel(
            groupInfo: try made.group.groupInfo(includesTree: false), tree: made.group.ratchetTree, head: conversation.head,
            chain: conversation.chain)
        let parts = AnswerPart.parts(of: parcel.encoded())
        flow.world.lie = { device, frame in
            guard device == victim, case .group(let request, let part) = frame else { return [frame] }
            return part.index == 0 ? parts.map { .group(request, $0) } : []
        }
        let before = harvest.submissions(by: victim)
        flow.world.restore(old, device: victim)
        let sent = flow.world.send("a secret for the crew", from: victim, to: flow.id)
        let message = try #require(sent)
        try flow.world.run(for: .seconds(90))
        #expect(harvest.submissions(by: victim) == before, "neither a commit nor a message")
        #expect(flow.world.state(message, at: victim) == .queued)
        let refusal = flow.world.profile(victim).outbox[message]?.refusal
        #expect(refusal?.detail.contains("cannot vouch") == true, "\(String(describing: refusal))")
        #expect(!flow.members(at: 1).contains(made.ghost.user))
        // The truth lets it in.
        flow.world.lie = nil
        #expect(try flow.world.run(until: { $0.state(message, at: victim).isDelivered }, within: .seconds(60)))
        #expect((0..<3).allSatisfy { flow.alarms(at: $0).isEmpty })
    }

    @Test func `who gave a group up by its hub's word comes back in by the word of somebody it knows alone`() throws {
        let harvest = Harvest()
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 874, plot: { harvest.take($0, $1) })
        for index in 0..<3 { flow.send(by: index) }
        _ = try flow.settle(staying: [0, 1, 2], within: .seconds(60))
        let victim = flow.users[1]
        let conversation = try #require(flow.world.profile(victim).conversations[flow.id])
        let packages = try [1, 2].map { try #require(harvest.package(of: flow.users[$0])) }
        let made = try madeUp(conversation.key.groupID, conversation.profile, with: packages, at: flow.world.seconds)
        let parcel = GroupParcel(
            groupInfo: try made.group.groupInfo(includesTree: false), tree: made.group.ratchetTree, head: conversation.head.next,
            chain: conversation.chain)
        let parts = AnswerPart.parts(of: parcel.encoded())
        let failure = Failure(key: conversation.key, message: MessageID(raw: Bytes16(1, 1)), refusal: Refusal(.unknownConversation, "gone"))
        let told = Atomic(false)
        flow.world.lie = { device, frame in
            guard device == victim else { return [frame] }
            switch frame {
            case .group(let request, let part): return part.index == 0 ? parts.map { .group(request, $0) } : []
            case .entry(let position, .event) where !told.exchange(true, ordering: .relaxed):
                return [.entry(position, .failed(failure)), frame]
            default: return [frame]
            }
        }
        let before = harvest.submissions(by: victim)
        flow.send(by: 0)
        try flow.world.run(for: .seconds(30))
        _ = flow.world.send("a secret for the crew", from: victim, to: flow.id)
        try flow.world.run(for: .seconds(60))
        #expect(told.load(ordering: .relaxed) && harvest.submissions(by: victim) == before, "neither a commit nor a message")
        #expect(!flow.members(at: 1).contains(made.ghost.user))
        flow.world.lie = nil
        try flow.world.run(for: .seconds(120))
        let sent = flow.world.send("for the crew", from: victim, to: flow.id)
        let message = try #require(sent)
        #expect(try flow.world.run(until: { $0.state(message, at: victim).isDelivered }, within: .seconds(60)))
    }

    @Test(arguments: [true, false])
    func `a direct conversation that a hub makes up with a third in it is not entered, and an alarm is raised`(byWelcome: Bool) throws {
        let harvest = Harvest()
        var world = try World(nodes: 2, seed: 871)
        world.plot = { harvest.take($0, $1) }
        let users = try (0..<2).map { try world.addUser("user\($0)", at: $0) }
        _ = try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(60))
        try world.run(for: .seconds(5))
        let (ann, victim) = (users[0], users[1])
        let (address, back) = (try #require(world.address(victim)), try #require(world.address(ann)))
        _ = world.send("hello", from: ann, to: address)
        _ = world.send("hello", from: victim, to: back)
        try world.run(for: .seconds(20))
        let old = world.profile(victim)
        _ = world.send("again", from: victim, to: back)
        try world.run(for: .seconds(20))
        let conversation = try #require(world.profile(victim).conversations.values.first)
        let packages = try users.map { try #require(harvest.package(of: $0)) }
        let annEntry = RosterEntry(user: world.profile(ann).account.userID, device: world.profile(ann).account.deviceID)
        let key =
            byWelcome ? ConversationKey(hub: conversation.key.hub, conversation: ConversationID(raw: Bytes16(7, 7))) : conversation.key
        let made = try madeUp(key.groupID, conversation.profile, with: packages, at: world.seconds)
        let before = harvest.submissions(by: victim)
        if byWelcome {
            let welcome = WelcomeParcel(
                sender: annEntry, chain: conversation.chain, welcome: try #require(made.welcome), tree: made.group.ratchetTree)
            let parts = AnswerPart.parts(of: welcome.encoded()).map {
                WelcomePart(key: key, number: 2, index: $0.index, count: $0.count, bytes: $0.bytes)
            }
            let told = Atomic(false)
            world.lie = { device, frame in
                guard device == victim, case .entry(let position, .event) = frame, !told.exchange(true, ordering: .relaxed) else {
                    return [frame]
                }
                return parts.map { .entry(position, .welcome($0)) } + [frame]
            }
            _ = world.send("go on", from: ann, to: address)
            try world.run(for: .seconds(20))
            #expect(world.profile(victim).conversations[key.conversation] == nil)
            #expect(world.profile(victim).alarms.map(\.alarm) == [.badHandshake])
        } else {
            let parcel = GroupParcel(
                groupInfo: try made.group.groupInfo(includesTree: false), tree: made.group.ratchetTree, head: conversation.head,
                chain: conversation.chain)
            let parts = AnswerPart.parts(of: parcel.encoded())
            world.lie = { device, frame in
                guard device == victim, case .group(let request, let part) = frame else { return [frame] }
                return part.index == 0 ? parts.map { .group(request, $0) } : []
            }
            world.restore(old, device: victim)
            try world.run(for: .seconds(3))
            #expect(harvest.submissions(by: victim) == before, "neither a commit nor a message")
            #expect(world.profile(victim).alarms.map(\.alarm) == [.badHandshake])
            let members = world.members(of: conversation.id, at: victim)
            #expect(!members.contains(made.ghost))
        }
    }

    @Test func `who comes back into a group that a newcomer changed last asks for one it knows, and is let in`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 872, outside: 1)
        for index in 0..<3 { flow.send(by: index) }
        _ = try flow.settle(staying: [0, 1, 2], within: .seconds(60))
        try flow.world.run(for: .seconds(60))
        let user = flow.users[1]
        let old = flow.world.profile(user)
        flow.send(by: 1)
        let newcomer = try #require(flow.address(3))
        flow.wish(.add(flow.id, [newcomer]), by: 0)
        // It takes keys of its own, and with that it has changed the group last.
        let (id, newUser) = (flow.id, flow.world.profile(flow.users[3]).account.userID)
        let member = RosterEntry(user: old.account.userID, device: old.account.deviceID)
        func signer(_ world: World) -> UserID? {
            guard let parts = world.node(0)?.orderer.parcel(id, for: member),
                let parcel = try? GroupParcel(decoding: parts.flatMap(\.bytes)),
                let info = try? MLSMessage(parcel.groupInfo).groupInfo,
                let outline = try? PublicGroup(
                    parcel.groupInfo, tree: parcel.tree, host: GroupHost(now: world.seconds, refusal: { _ in nil }))
            else { return nil }
            return outline.member(info.signer).flatMap(MemberLeaf.entry)?.user
        }
        #expect(try flow.world.run(until: { signer($0) == newUser }, within: .seconds(7_200)))
        flow.world.restore(old, device: user)
        let sent = flow.world.send("back", from: user, to: flow.id)
        let message = try #require(sent)
        #expect(try flow.world.run(until: { $0.state(message, at: user).isDelivered }, within: .seconds(60)))
        let shown = flow.world.history(user).compactMap { record -> [UserID]? in
            if case .membership(.present(let users)) = record.body { users } else { nil }
        }
        #expect(shown == [[newUser]], "nobody is in unseen")
        #expect((0..<4).allSatisfy { flow.alarms(at: $0).isEmpty })
    }
}
