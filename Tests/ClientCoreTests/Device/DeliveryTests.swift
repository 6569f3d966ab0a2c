import ClientCore
import Cryptography
import Testing
import Vocabulary

struct DeliveryTests {
    private func joined() throws -> World {
        var world = try World("alice", "bob")
        world.connect("alice")
        world.connect("bob")
        return world
    }

    @Test func `a user joins by registering, publishing and authenticating`() throws {
        var world = try World("alice")
        world.connect("alice")
        #expect(world["alice"].device.account.address == (try Address("alice@harbor")))
        #expect(world["alice"].device.isLive)
        #expect(world["alice"].changes == [.joined(try Address("alice@harbor")), .up(waiting: 0), .caughtUp])
    }

    @Test func `a message goes through all states in order and is shown once`() throws {
        var world = try joined()
        let id = try world.send("hello", from: "alice", to: "bob@harbor")
        #expect(world["alice"].states(of: id) == [.queued, .sent, .accepted, .delivered])
        #expect(world["bob"].texts == ["hello"])
        #expect(world["alice"].device.outbox.all.isEmpty)
        #expect(world["bob"].device.name(of: world["alice"].device.account.userID) == .known(try Address("alice@harbor"), verified: false))
    }

    @Test func `an answer goes into the conversation it answers, and both count alike`() throws {
        var world = try joined()
        _ = try world.send("one", from: "alice", to: "bob@harbor")
        let answer = try world.send("two", from: "bob", to: "alice@harbor")
        _ = try world.send("three", from: "alice", to: "bob@harbor")
        #expect(world.home.conversations.count == 1)
        #expect(world["bob"].told[answer]?.last?.number == 2)
        #expect(world["bob"].texts == ["one", "three"])
        #expect(world["alice"].texts == ["two"])
    }

    @Test func `an absent recipient gets everything in order on coming back, and the sender learns of it`() throws {
        var world = try joined()
        world.disconnect("bob")
        let ids = try (0..<20).map { try world.send("\($0)", from: "alice", to: "bob@harbor") }
        #expect(ids.allSatisfy { world["alice"].states(of: $0).last == .accepted })
        world["bob"].now = world["bob"].now + .seconds(60)
        world["bob"].feed([.deadlineReached])
        world["bob"].feed([.connected(certificateHash: HomeDouble.certificateHash)])
        world.run()
        #expect(world["bob"].texts == (0..<20).map { "\($0)" })
        #expect(ids.allSatisfy { world["alice"].states(of: $0).last == .delivered })
    }

    @Test func `what is sent without a session goes out with the next one, even to an address not known yet`() throws {
        var world = try joined()
        world.disconnect("alice")
        let id = try world["alice"].send("later", to: "bob@harbor")
        #expect(world["alice"].states(of: id) == [.queued])
        try world["alice"].restart()
        world.connect("alice")
        #expect(world["alice"].states(of: id).last == .delivered)
        #expect(world["bob"].texts == ["later"])
    }

    @Test func `a crash after any number of frames loses nothing and repeats nothing`() throws {
        for cut in 0..<12 {
            var world = try joined()
            _ = try world.send("first", from: "alice", to: "bob@harbor")
            world.disconnect("alice")
            let id = try world["alice"].send("second", to: "bob@harbor")
            world.connect("alice", framesBeforeCut: cut)
            try world["alice"].restart()
            world.connect("alice")
            #expect(world["bob"].texts == ["first", "second"], "cut after \(cut) frames")
            let states = world["alice"].states(of: id)
            #expect(states.last == .delivered, "cut after \(cut) frames")
            let bytes = Set(world.home.submissions.filter { $0.message == id })
            #expect(bytes.count == 1, "a retry sends the same bytes")
        }
    }

    @Test func `joining is finished by any later session, whatever frame it was cut at`() throws {
        for cut in 0..<5 {
            var world = try World("alice")
            world.connect("alice", framesBeforeCut: cut)
            let user = world["alice"].device.account.userID
            try world["alice"].restart()
            world.connect("alice")
            #expect(world["alice"].device.isLive, "cut after \(cut) frames")
            #expect(world["alice"].device.account.userID == user)
            #expect(world.home.records.count == 1)
        }
    }

    @Test func `a refusal for now is tried again and one for good ends the message`() throws {
        var world = try joined()
        _ = try world.send("first", from: "alice", to: "bob@harbor")
        world.home.refusal = Refusal(.busy, "one moment")
        let kept = try world.send("kept", from: "alice", to: "bob@harbor")
        #expect(world["alice"].told[kept]?.last == MessageStatus(.queued, refusal: Refusal(.busy, "one moment")))
        world.home.refusal = nil
        let due = try #require(world["alice"].device.nextDeadline)
        world["alice"].now = due
        world["alice"].feed([.deadlineReached])
        world.run()
        #expect(world["alice"].states(of: kept).last == .delivered)

        world.home.refusal = Refusal(.expired, "too late")
        let lost = try world.send("lost", from: "alice", to: "bob@harbor")
        #expect(world["alice"].told[lost]?.last == MessageStatus(.failed, refusal: Refusal(.expired, "too late")))
        #expect(world["alice"].device.outbox.all.isEmpty)
    }

    @Test func `an address that nobody has fails for good`() throws {
        var world = try joined()
        let id = try world.send("who?", from: "alice", to: "carol@harbor")
        #expect(world["alice"].told[id]?.last?.state == .failed)
        #expect(world["alice"].told[id]?.last?.refusal?.code == .unknownUser)
    }

    @Test func `a device is settled only when the home has answered for the outbox`() throws {
        var world = try joined()
        world.disconnect("alice")
        _ = try world["alice"].send("later", to: "bob@harbor")
        try world["alice"].restart()
        world.connect("alice", framesBeforeCut: 3)
        #expect(!world["alice"].device.isSettled)
        try world["alice"].restart()
        world.connect("alice")
        #expect(world["alice"].device.isSettled)
    }

    @Test func `asking twice with one id sends once`() throws {
        var world = try joined()
        world.disconnect("alice")
        let id = try world["alice"].send("once", to: "bob@harbor")
        world["alice"].feed([
            .sendRequested(
                OutgoingText(
                    message: id, address: try Address("bob@harbor"), text: "once", sent: Timestamp(milliseconds: 1)))
        ])
        #expect(world["alice"].device.outbox.waiting.count == 1)
    }

    @Test func `a batch of entries is acknowledged by one frame`() throws {
        var world = try joined()
        world.disconnect("bob")
        for index in 0..<5 { _ = try world.send("\(index)", from: "alice", to: "bob@harbor") }
        try world["bob"].restart()
        world["bob"].feed([.sessionWanted])
        world["bob"].feed([.connected(certificateHash: HomeDouble.certificateHash)])
        var acknowledgements: [ClientFrame] = []
        while !world["bob"].outgoing.isEmpty {
            let frames = world["bob"].outgoing
            world["bob"].outgoing = []
            acknowledgements += frames.filter { if case .acknowledge = $0 { true } else { false } }
            let answers = frames.flatMap { world.home.answer($0, from: world["bob"].id) }
            if !answers.isEmpty { world["bob"].feed(answers.map { .received($0) }) }
        }
        #expect(acknowledgements.count == 1)
        guard case .acknowledge(_, let watermarks) = acknowledgements.first else { return }
        #expect(watermarks.count == 1 && watermarks.allSatisfy { $0.isSigned && $0.through == 5 })
    }
}

extension World {
    /// As `connect`, but the connection breaks when the node has had that many frames.
    mutating func connect(_ handle: String, framesBeforeCut cut: Int) {
        self[handle].feed([.sessionWanted, .connected(certificateHash: HomeDouble.certificateHash)])
        var (left, pushed) = (cut, QueuePosition.zero)
        while left > 0, !self[handle].outgoing.isEmpty {
            let frame = self[handle].outgoing.removeFirst()
            left -= 1
            var answers = home.answer(frame, from: self[handle].id)
            for case .entry(let position, _) in answers { pushed = max(pushed, position) }
            if self[handle].device.isLive {
                for (position, item) in home.queues[self[handle].id] ?? [] where position > pushed {
                    pushed = position
                    answers.append(.entry(position, item))
                }
            }
            // The last answer is lost with the connection.
            if left > 0, !answers.isEmpty { self[handle].feed(answers.map { .received($0) }) }
        }
    }
}
