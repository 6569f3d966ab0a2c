import ClientCore
import Simulation
import Testing
import Vocabulary

/// Devices that go on from an old copy of their profile, or whose home has lost their Welcome (docs/protocol/conversations.md §7).
@Suite struct OldCopyTests {
    private static func twoUsers(seed: UInt64) throws -> (world: World, users: [Int]) {
        var world = try World(nodes: 2, seed: seed)
        let users = try (0..<2).map { try world.addUser("user\($0)", at: $0) }
        _ = try world.run(until: { world in users.allSatisfy { world.isMember($0) } }, within: .seconds(60))
        try world.run(for: .seconds(5))
        return (world, users)
    }

    private static func texts(_ world: World, _ user: Int) -> [String] {
        world.history(user).compactMap { if case .incoming(let text) = $0.body { text } else { nil } }
    }

    @Test func `the only owner of a group comes back into it`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 1_000)
        let old = flow.world.profile(flow.users[0])
        for index in 1..<4 { flow.send(by: index) }
        // What it seals after the copy is what it is known by.
        _ = flow.world.send("forgotten", from: flow.users[0], to: flow.id)
        #expect(try flow.settle(staying: [0, 1, 2, 3], within: .seconds(30)))
        flow.world.restore(old, device: flow.users[0])
        try flow.world.run(for: .seconds(10))
        flow.send(by: 0)
        flow.send(by: 1)
        #expect(try flow.settle(staying: [0, 1, 2, 3], within: .seconds(30)))
        #expect(flow.world.profile(flow.users[0]).conversations[flow.id]?.standing == .accepted)
        #expect((0..<4).allSatisfy { flow.alarms(at: $0).isEmpty })
    }

    /// What was taken counts like what was said: the home has deleted it.
    @Test(arguments: [true, false])
    func `a copy that lacks no more than what it received is known for one at once, and nobody is alarmed`(isCommit: Bool) throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 1_020)
        for index in 0..<3 { flow.send(by: index) }
        try flow.world.run(for: .seconds(30))
        let user = flow.users[1]
        let old = flow.world.profile(user)
        if isCommit { flow.wish(.rename(flow.id, "new"), by: 0) } else { flow.send(by: 0) }
        try flow.world.run(for: .seconds(10))
        flow.world.restore(old, device: user)
        let sent = flow.world.send("new", from: user, to: flow.id)
        let message = try #require(sent)
        // Far sooner than a commit that is held back would be given up.
        try flow.world.run(for: .seconds(3))
        #expect(flow.world.heard(user).contains { if case .note(.restored) = $0 { true } else { false } })
        #expect(flow.world.state(message, at: user).isDelivered)
        #expect(flow.world.profile(user).conversations[flow.id]?.profile.name == (isCommit ? "new" : "crew"))
        try flow.world.run(for: .seconds(30))
        #expect((0..<3).allSatisfy { flow.alarms(at: $0).isEmpty })
    }

    /// Told as delivered or read, it would be ahead of the truth; as failed, behind it: the third member has it.
    @Test func `a message that a member of a group came back in behind is neither delivered nor read there, nor told to be`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 1_022)
        for index in 0..<3 { flow.send(by: index) }
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(30)))
        try flow.world.run(for: .seconds(30))
        let (sender, loser, id, head) = (flow.users[0], flow.users[1], flow.id, flow.head(at: 0))
        flow.world.lie = { device, frame in
            guard device == loser, case .entry(_, .event(let envelope)) = frame, envelope.key.conversation == id,
                envelope.number == head.next
            else { return [frame] }
            return []
        }
        let sent = flow.world.send("never seen by one", from: sender, to: id)
        let message = try #require(sent)
        try flow.world.run(for: .seconds(1))
        // What follows shows that something is missing, and is lost with it.
        _ = flow.world.send("behind it", from: flow.users[2], to: id)
        try flow.world.run(for: .seconds(40))
        flow.send(by: 2)
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(30)))
        #expect(!Self.texts(flow.world, loser).contains("never seen by one"))
        #expect(Self.texts(flow.world, flow.users[2]).contains("never seen by one"))
        #expect(flow.world.state(message, at: sender) == .accepted)
        let device = flow.devices[loser]
        for (by, line) in flow.world.profile(sender).receipts[id] ?? [:] {
            #expect(line.hasLost(head.next) == (by == device) && (line.delivered(head.next) == nil) == (by == device))
            #expect((line.read(head.next) == nil) == (by == device))
            #expect(try ReceiptLine(decoding: line.encoded()).hasLost(head.next) == (by == device))
        }
        #expect(
            !flow.world.heard(sender).contains { effect in
                if case .receipt(let news) = effect { news.by.device == device && news.messages.contains(message) } else { false }
            })
        #expect(flow.world.profile(sender).outbox.isEmpty, "nothing more is waited for")
    }

    /// Its hub passes on no watermark of what was before it came back in (`workbench simulate --faults network,disks,clocks,crashes,clones --seed 412`).
    @Test func `that a member came back in behind a message is the last that its sender waits for`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 1_023)
        for index in 0..<3 { flow.send(by: index) }
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(30)))
        try flow.world.run(for: .seconds(30))
        let (sender, loser) = (flow.users[0], flow.users[1])
        let old = flow.world.profile(loser)
        flow.send(by: 0)
        try flow.world.run(for: .seconds(5))
        flow.world.kill(device: loser, for: .seconds(10))
        let sent = flow.world.send("lost", from: sender, to: flow.id)
        let message = try #require(sent)
        try flow.world.run(for: .seconds(3))
        flow.world.restore(old, device: loser)
        try flow.world.run(for: .seconds(30))
        #expect(!Self.texts(flow.world, loser).contains("lost"))
        #expect(Self.texts(flow.world, flow.users[2]).contains("lost"))
        #expect(flow.world.state(message, at: sender) == .accepted)
        #expect(flow.world.profile(sender).outbox[message].map { $0.state >= .delivered } ?? true, "nothing more is waited for")
        #expect((0..<3).allSatisfy { flow.alarms(at: $0).isEmpty })
    }

    /// The copy of its sender goes past the commit by which the recipient said what it lacks (`--faults clones --seed 412`).
    @Test func `a message that its recipient lost is not delivered for an old copy of its sender either`() throws {
        var (world, users) = try Self.twoUsers(seed: 1_024)
        let address = try #require(world.address(users[1]))
        _ = world.send("before", from: users[0], to: address)
        try world.run(for: .seconds(40))
        let old = world.profile(users[1])
        _ = world.send("forgotten", from: users[0], to: address)
        try world.run(for: .seconds(5))
        world.kill(device: users[1], for: .seconds(10))
        let sent = world.send("lost", from: users[0], to: address)
        let message = try #require(sent)
        try world.run(for: .seconds(3))
        let waiting = world.profile(users[0])
        world.restore(old, device: users[1])
        try world.run(for: .seconds(20))
        #expect(!Self.texts(world, users[1]).contains("lost"))
        #expect(world.state(message, at: users[0]) == .failed)
        world.restore(waiting, device: users[0])
        try world.run(for: .seconds(20))
        #expect(world.state(message, at: users[0]) == .failed)
        #expect(!world.told(users[0]).contains { $0.message == message && $0.state >= .delivered && $0.state != .failed })
        let lastSent = world.send("after", from: users[0], to: address)
        let last = try #require(lastSent)
        try world.run(for: .seconds(20))
        #expect(world.state(last, at: users[0]).isDelivered)
        #expect(users.allSatisfy { world.alarms($0) == 0 })
    }

    @Test func `a profile that goes on where it was is no copy, whatever it took last`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 1_021)
        for round in 0..<20 {
            flow.send(by: round % 3)
            try flow.world.run(for: .milliseconds(50))
            for user in flow.users { flow.world.kill(device: user, for: .milliseconds(100)) }
            try flow.world.run(for: .seconds(1))
        }
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(60)))
        for user in flow.users { #expect(!flow.world.heard(user).contains { if case .note(.restored) = $0 { true } else { false } }) }
    }

    @Test func `a conversation from after the copy is known again by its first event`() throws {
        var (world, users) = try Self.twoUsers(seed: 1_001)
        let old = world.profile(users[1])
        let address = try #require(world.address(users[1]))
        _ = world.send("before", from: users[0], to: address)
        try world.run(for: .seconds(20))
        #expect(Self.texts(world, users[1]) == ["before"])
        world.restore(old, device: users[1])
        try world.run(for: .seconds(5))
        #expect(world.profile(users[1]).conversations.isEmpty)
        // What it says before the other is back in is lost, and its sender hears of it.
        let lostSent = world.send("lost", from: users[0], to: address)
        let lost = try #require(lostSent)
        try world.run(for: .seconds(20))
        #expect(world.state(lost, at: users[0]) == .failed)
        let messageSent = world.send("after", from: users[0], to: address)
        let message = try #require(messageSent)
        try world.run(for: .seconds(20))
        #expect(Self.texts(world, users[1]) == ["after"])
        #expect(world.state(message, at: users[0]).isDelivered)
        #expect(users.allSatisfy { world.alarms($0) == 0 })
    }

    /// What has come of it is only in a memory that goes with the profile.
    @Test func `a conversation of which an old copy has heard is known to the copy that takes its place before it is in`() throws {
        var (world, users) = try Self.twoUsers(seed: 1_001)
        let old = world.profile(users[1])
        let address = try #require(world.address(users[1]))
        _ = world.send("before", from: users[0], to: address)
        try world.run(for: .seconds(20))
        world.restore(old, device: users[1])
        try world.run(for: .seconds(5))
        let lostSent = world.send("lost", from: users[0], to: address)
        let lost = try #require(lostSent)
        try world.run(for: .seconds(1))
        #expect(world.profile(users[1]).conversations.values.map(\.isStale) == [true])
        world.restore(old, device: users[1])
        #expect(world.profile(users[1]).conversations.isEmpty)
        try world.run(for: .seconds(20))
        #expect(world.state(lost, at: users[0]) == .failed)
        let messageSent = world.send("after", from: users[0], to: address)
        let message = try #require(messageSent)
        try world.run(for: .seconds(20))
        #expect(Self.texts(world, users[1]) == ["after"])
        #expect(world.state(message, at: users[0]).isDelivered)
        #expect(users.allSatisfy { world.alarms($0) == 0 })
    }

    /// The proposal has its number in front of the message, and is gone with the later self; the member is out before the copy can come in.
    @Test func `what was said between a leave that an old copy does not know and the end is shown as missing`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 1_024)
        for index in 0..<3 { flow.send(by: index) }
        try flow.world.run(for: .seconds(30))
        let user = flow.users[1]
        let old = flow.world.profile(user)
        // The others write before they have heard of the leave, and its sender hears nothing.
        flow.world.lie = { device, frame in
            guard case .entry(_, let item) = frame else { return [frame] }
            if case .event(let envelope) = item, envelope.kind == .proposal { return [] }
            return device == user ? [] : [frame]
        }
        flow.wish(.leave(flow.id), by: 1)
        try flow.world.run(for: .seconds(1))
        flow.send(by: 0)
        try flow.world.run(for: .seconds(1))
        flow.world.kill(device: user, for: .minutes(2))
        flow.world.lie = nil
        try flow.world.run(for: .seconds(20))
        flow.world.restore(old, device: user)
        try flow.world.run(for: .seconds(30))
        #expect(flow.world.profile(user).conversations[flow.id]?.standing == .removed)
        let message = try #require(flow.sent.last?.message)
        let missing = flow.world.history(user).first { $0.message == message }
        let isTold = if case .undecryptable? = missing?.body { true } else { false }
        #expect(isTold)
        #expect((0..<3).allSatisfy { flow.alarms(at: $0).isEmpty })
    }

    /// Its keys were used: with them a second message would be sealed under a key and nonce of another.
    @Test func `by a Welcome that its later self has entered by an old copy seals nothing`() throws {
        var (world, users) = try Self.twoUsers(seed: 1_003)
        let (victim, old) = (users[1], world.profile(users[1]))
        let address = try #require(world.address(users[0]))
        world.plot = { device, frame in
            if case .acknowledge = frame, device == victim { [] } else { [frame] }
        }
        let victimAddress = try #require(world.address(victim))
        _ = world.send("one", from: users[0], to: victimAddress)
        try world.run(for: .seconds(1))
        _ = world.send("two", from: victim, to: address)
        try world.run(for: .seconds(1))
        #expect(Self.texts(world, users[0]) == ["two"])
        world.plot = nil
        world.restore(old, device: victim)
        // Sooner than it takes fresh keys.
        try world.run(for: .seconds(1))
        #expect(Self.texts(world, victim) == ["one"])
        let sent = world.send("three", from: victim, to: address)
        let message = try #require(sent)
        try world.run(for: .seconds(20))
        #expect(Self.texts(world, users[0]) == ["two", "three"])
        #expect(world.state(message, at: victim).isDelivered)
        #expect(users.allSatisfy { world.alarms($0) == 0 })
    }

    /// The word that its hub knows where it stands came to its later self, and is among what the copy comes back in past.
    @Test func `an old copy from while its restored hub found out where it stood comes back in and writes`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 1_025)
        for index in 0..<3 { flow.send(by: index) }
        try flow.world.run(for: .seconds(30))
        let (user, id, before) = (flow.users[0], flow.id, flow.head(at: 0))
        let backup = flow.world.store(0).copy()
        // As long as somebody is away the hub waits for what he says.
        flow.world.kill(device: flow.users[2], for: .seconds(5))
        try flow.world.restore(backup, node: 0)
        #expect(try flow.world.run(until: { ($0.profile(user).conversations[id]?.head ?? .zero) > before }, within: .seconds(5)))
        let old = flow.world.profile(user)
        try flow.world.run(for: .seconds(30))
        flow.world.restore(old, device: user)
        try flow.world.run(for: .seconds(1))
        flow.send(by: 0)
        #expect(try flow.settle(staying: [0, 1, 2], within: .minutes(2)))
        #expect((0..<3).allSatisfy { flow.alarms(at: $0).isEmpty })
    }

    /// Nobody says anything, and the hub's copy had everything: its word of the restoration is the first event that comes.
    @Test func `a conversation from after the copy is known again by the word of a hub that was restored`() throws {
        var (world, users) = try Self.twoUsers(seed: 1_060)
        let old = world.profile(users[1])
        let address = try #require(world.address(users[1]))
        _ = world.send("from after the copy", from: users[0], to: address)
        #expect(try world.run(until: { Self.texts($0, users[1]).contains("from after the copy") }, within: .seconds(30)))
        try world.run(for: .seconds(5))
        let backup = world.store(0).copy()
        world.restore(old, device: users[1])
        try world.run(for: .seconds(10))
        #expect(!Self.texts(world, users[1]).contains("from after the copy"))
        try world.restore(backup, node: 0)
        try world.run(for: .seconds(60))
        let heads = users.map { world.profile($0).conversations.values.map(\.head).max() }
        #expect(heads[0] != nil && heads[0] == heads[1], "\(heads)")
        #expect(users.allSatisfy { world.alarms($0) == 0 })
    }

    /// All that comes is the hub's word on what the later self said there.
    @Test func `a conversation from after the copy is known again by what its later self had on its way`() throws {
        var (world, users) = try Self.twoUsers(seed: 1_004)
        let old = world.profile(users[1])
        let address = try #require(world.address(users[1]))
        _ = world.send("before", from: users[0], to: address)
        try world.run(for: .seconds(20))
        world.kill(node: 0, for: .seconds(5))
        let sender = try #require(world.address(users[0]))
        _ = world.send("on its way", from: users[1], to: sender)
        try world.run(for: .seconds(1))
        world.restore(old, device: users[1])
        try world.run(for: .seconds(30))
        #expect(Self.texts(world, users[0]) == ["on its way"])
        let conversations = users.map { world.profile($0).conversations.values.filter { $0.standing == .accepted } }
        #expect(conversations.map(\.count) == [1, 1])
        #expect(conversations[1].allSatisfy { !$0.isStale && $0.head == conversations[0].first?.head })
        let messageSent = world.send("after", from: users[0], to: address)
        let message = try #require(messageSent)
        try world.run(for: .seconds(5))
        #expect(Self.texts(world, users[1]) == ["after"])
        #expect(world.state(message, at: users[0]).isDelivered)
    }

    /// Its sender is told so, by the commit that was made before it came.
    @Test(arguments: [true, false])
    func `what is said while a device's return is on its way is not shown there, and holds nothing up`(isMissing: Bool) throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 1_023)
        for index in 0..<3 { flow.send(by: index) }
        try flow.world.run(for: .seconds(60))
        let (sender, loser, id) = (flow.users[0], flow.users[1], flow.id)
        let old = flow.world.profile(loser)
        _ = flow.world.send("forgotten", from: loser, to: id)
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(30)))
        // The commit by which it comes back in waits for its next session.
        flow.world.plot = { device, frame in
            if device == loser, case .submit(let submission) = frame, case .commit = submission.kind { [] } else { [frame] }
        }
        flow.world.restore(old, device: loser)
        #expect(try flow.world.run(until: { $0.profile(loser).conversations[id]?.committing != nil }, within: .seconds(10)))
        let head = flow.head(at: 0)
        if isMissing {
            flow.world.lie = { device, frame in
                guard device == loser, case .entry(_, .event(let envelope)) = frame, envelope.number == head.next else { return [frame] }
                return []
            }
        }
        let sent = flow.world.send("in between", from: sender, to: id)
        let message = try #require(sent)
        try flow.world.run(for: .seconds(2))
        flow.world.plot = nil
        flow.world.kill(device: loser, for: .seconds(1))
        try flow.world.run(for: .seconds(5))
        let back = flow.world.profile(loser).conversations[id]
        #expect(back?.isStale == false && back?.committing == nil && back?.head == flow.head(at: 0))
        flow.send(by: 0)
        #expect(try flow.settle(staying: [0, 1, 2], within: .seconds(30)))
        try flow.world.run(for: .seconds(5))
        #expect(flow.texts(at: 2).contains("in between") && !flow.texts(at: 1).contains("in between"))
        #expect(flow.world.state(message, at: sender) == .accepted)
        #expect(flow.world.profile(sender).outbox.isEmpty)
        #expect((0..<3).allSatisfy { flow.alarms(at: $0).isEmpty })
    }

    @Test func `a copy from when its user was out of a group knows by the next event that somebody has added him again`() throws {
        var flow = try GroupFlow(users: 3, nodes: 2, seed: 1_024)
        try flow.world.run(for: .seconds(60))
        let user = flow.users[2]
        let address = try #require(flow.address(2))
        flow.wish(.leave(flow.id), by: 2)
        try flow.world.run(for: .seconds(10))
        let old = flow.world.profile(user)
        #expect(old.conversations[flow.id]?.standing == .removed)
        flow.wish(.add(flow.id, [address]), by: 0)
        try flow.world.run(for: .seconds(30))
        #expect(flow.world.profile(user).conversations[flow.id]?.standing == .accepted)
        flow.world.restore(old, device: user)
        try flow.world.run(for: .seconds(5))
        flow.send(by: 0)
        try flow.world.run(for: .seconds(10))
        let sent = flow.world.send("after", from: flow.users[1], to: flow.id)
        let message = try #require(sent)
        try flow.world.run(for: .seconds(10))
        #expect(flow.world.profile(user).conversations[flow.id]?.standing == .accepted)
        #expect(flow.texts(at: 2) == ["after"])
        #expect(flow.world.state(message, at: flow.users[1]).isDelivered)
        #expect((0..<3).allSatisfy { flow.alarms(at: $0).isEmpty })
    }

    @Test func `what a copy sends once more in a conversation of its own founding is shown once`() throws {
        var (world, users) = try Self.twoUsers(seed: 1_005)
        let address = try #require(world.address(users[1]))
        world.kill(node: 0, for: .seconds(2))
        let messageSent = world.send("once", from: users[0], to: address)
        let message = try #require(messageSent)
        let old = world.profile(users[0])
        try world.run(for: .seconds(20))
        #expect(Self.texts(world, users[1]) == ["once"])
        world.restore(old, device: users[0])
        try world.run(for: .seconds(20))
        #expect(world.profile(users[1]).conversations.count == 2)
        #expect(Self.texts(world, users[1]) == ["once"])
        #expect(world.state(message, at: users[0]).isDelivered)
    }

    @Test func `a Welcome that the home has forgotten is had from the hub, with all that followed it`() throws {
        var (world, users) = try Self.twoUsers(seed: 1_002)
        let address = try #require(world.address(users[1]))
        let copy = world.store(1).copy()
        world.kill(device: users[1], for: .seconds(20))
        let firstSent = world.send("one", from: users[0], to: address)
        let first = try #require(firstSent)
        try world.run(for: .seconds(10))
        #expect(world.state(first, at: users[0]) == .accepted)
        try world.restore(copy, node: 1)
        try world.run(for: .seconds(20))
        // Before anything more is said: the hub sees that the home has gone back.
        #expect(Self.texts(world, users[1]) == ["one"])
        let secondSent = world.send("two", from: users[0], to: address)
        let second = try #require(secondSent)
        try world.run(for: .seconds(20))
        #expect(Self.texts(world, users[1]) == ["one", "two"])
        #expect([first, second].allSatisfy { world.state($0, at: users[0]).isDelivered })
    }

    @Test func `what the copy had still to send and was sent since counts as accepted, and is shown once`() throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 1_003)
        try flow.world.run(for: .seconds(60))
        // Somebody lacks it, so that the hub has it in its log.
        flow.world.kill(device: flow.users[2], for: .seconds(30))
        let messageSent = flow.world.send("once", from: flow.users[1], to: flow.id)
        let message = try #require(messageSent)
        let old = flow.world.profile(flow.users[1])
        _ = flow.world.send("forgotten", from: flow.users[1], to: flow.id)
        try flow.world.run(for: .seconds(5))
        #expect(flow.world.state(message, at: flow.users[1]) == .accepted)
        flow.world.restore(old, device: flow.users[1])
        try flow.world.run(for: .seconds(60))
        #expect(flow.world.state(message, at: flow.users[1]) == .accepted)
        for index in [0, 2, 3] { #expect(flow.texts(at: index) == ["once", "forgotten"], "user \(index)") }
    }

    /// A commit from outside takes no proposal up (RFC 9420 §12.4.3.2): the leave is said once more.
    @Test(arguments: UInt64(0)..<6)
    func `who leaves while another comes back in is out in the end`(seed: UInt64) throws {
        var flow = try GroupFlow(users: 4, nodes: 2, seed: 1_010 + seed)
        try flow.world.run(for: .seconds(60))
        let old = flow.world.profile(flow.users[3])
        flow.send(by: 3)
        #expect(try flow.settle(staying: [0, 1, 2, 3], within: .seconds(30)))
        flow.world.restore(old, device: flow.users[3])
        try flow.world.run(for: .milliseconds(Int64(seed) * 10))
        flow.wish(.leave(flow.id), by: 2)
        try flow.world.run(for: .seconds(30))
        #expect(flow.world.profile(flow.users[2]).conversations[flow.id]?.standing == .removed)
        #expect(flow.members(at: 0).count == 3)
    }
}
