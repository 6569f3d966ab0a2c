import ClientCore
import Cryptography
import Testing
import Vocabulary

/// What a device does when node, hub or contact are not what they should be.
struct DistrustTests {
    private func joined() throws -> World {
        var world = try World("alice", "bob")
        world.connect("alice")
        world.connect("bob")
        return world
    }

    private func conversation(_ world: World) throws -> (ConversationKey, HomeDouble.Log) {
        let (id, log) = try #require(world.home.conversations.first)
        return (ConversationKey(hub: world.home.id, conversation: id), log)
    }

    @Test func `a node that shows another certificate than it signs is told nothing`() throws {
        var world = try World("alice")
        world["alice"].feed([.sessionWanted])
        world["alice"].feed([.connected(certificateHash: Hash.sha256([9]))])
        world.run()
        #expect(!world["alice"].isConnected)
        #expect(world["alice"].changes == [.down(.wrongNode(expected: world.home.id))])
        #expect(world.home.records.isEmpty)
    }

    @Test func `a node of another key is told nothing`() throws {
        var world = try World("alice")
        let pinned = world.home.id
        world.home = try HomeDouble(seed: 99)
        world["alice"].feed([.sessionWanted])
        world["alice"].feed([.connected(certificateHash: HomeDouble.certificateHash)])
        world.run()
        #expect(world["alice"].changes == [.down(.wrongNode(expected: pinned))])
        #expect(world.home.records.isEmpty)
    }

    @Test func `an event that skips a number or breaks the chain closes the conversation and is not shown`() throws {
        for (step, alarm) in [(UInt64(2), Alarm.gap), (1, .chainBroken)] {
            var world = try joined()
            _ = try world.send("one", from: "alice", to: "bob@harbor")
            let (key, log) = try conversation(world)
            let forged = Envelope(
                key: key, number: SequenceNumber(unchecked: log.head.value + step), sender: world["alice"].device.account.entry,
                message: MessageID(raw: Bytes16(1, 2)), kind: .application, epoch: 0, payload: [1], chain: Hash.blake2b([4]))
            let position = QueuePosition(unchecked: 1000)
            world["bob"].feed([.received(.entry(position, .event(forged)))])
            #expect(world["bob"].alarms == [alarm])
            #expect(world["bob"].texts == ["one"])
            #expect(world["bob"].device.conversations[key.conversation]?.isBroken == true)
            // The queue must not stick: acknowledged there, but by no watermark.
            #expect(world["bob"].outgoing == [.acknowledge(through: position, watermarks: [])])
            // What is sent from now on goes into a new conversation.
            world["bob"].outgoing = []
            _ = try world.send("two", from: "bob", to: "alice@harbor")
            #expect(world.home.conversations.count == 2)
            #expect(world["alice"].texts == ["two"])
        }
    }

    @Test func `a known conversation at another hub is an alarm and changes nothing`() throws {
        var world = try joined()
        _ = try world.send("one", from: "alice", to: "bob@harbor")
        let (key, _) = try conversation(world)
        let other = ConversationKey(hub: NodeID(raw: Hash.sha256([5])), conversation: key.conversation)
        let chain = Chain.next(
            after: Chain.start(other), number: 1, sender: world["alice"].device.account.entry, message: MessageID(raw: Bytes16(1, 2)),
            kind: .application, epoch: 0, payload: [1])
        world.home.queue(
            .event(
                Envelope(
                    key: other, number: 1, sender: world["alice"].device.account.entry, message: MessageID(raw: Bytes16(1, 2)),
                    kind: .application, epoch: 0, payload: [1], chain: chain)), for: world["bob"].id)
        world.run()
        #expect(world["bob"].alarms == [.otherHub])
        #expect(world["bob"].device.conversations[key.conversation]?.isBroken == false)
        _ = try world.send("two", from: "alice", to: "bob@harbor")
        #expect(world["bob"].texts == ["one", "two"])
    }

    @Test func `a message that does not open is recorded in its place and what follows is shown`() throws {
        var world = try joined()
        _ = try world.send("one", from: "alice", to: "bob@harbor")
        let (key, log) = try conversation(world)
        let submission = Submission(
            message: MessageID(raw: Bytes16(7, 7)), conversation: key.conversation, hub: key.hub,
            kind: .application(epoch: 0, payload: [1, 2, 3]))
        _ = world.home.answer(.submit(submission), from: world["alice"].id)
        // To alice's own device that number stands for a message it never sent: her conversation is closed, with an alarm.
        world.run()
        #expect(world["alice"].alarms == [.gap])
        let poison = try #require(world["bob"].shown.last)
        #expect(poison.status.number == log.head.next)
        #expect(poison.body == .undecryptable("malformed"))
        _ = try world.send("three", from: "bob", to: "alice@harbor")
        #expect(world["bob"].device.conversations[key.conversation]?.head == 3)
    }

    @Test func `a receipt counts only when a device of the contact signed it over our chain`() throws {
        var world = try joined()
        _ = try world.send("one", from: "alice", to: "bob@harbor")
        world.disconnect("bob")
        let id = try world.send("two", from: "alice", to: "bob@harbor")
        let (key, log) = try conversation(world)
        var random = SeededGenerator(seed: 5)
        let stranger = SigningKey(using: &random)
        let device = DeviceID(raw: stranger.publicKey)
        let body = Watermark.body(key: key, device: device, through: log.head, chain: log.chain)
        let foreign = Watermark(
            key: key, device: device, through: log.head, chain: log.chain, signature: stranger.sign(body, for: .watermark))
        let unsigned = Watermark(key: key, device: world["bob"].id, through: log.head, chain: log.chain, signature: foreign.signature)
        world["alice"].feed([.received(.entry(1000, .watermark(foreign))), .received(.entry(1001, .watermark(unsigned)))])
        #expect(world["alice"].states(of: id).last == .accepted)
        #expect(world["alice"].notes.filter { $0 == .unsignedReceipt }.count == 2)

        let bob = world["bob"].device.account.device
        let forkedBody = Watermark.body(key: key, device: world["bob"].id, through: log.head, chain: Hash.blake2b([8]))
        let forked = Watermark(
            key: key, device: world["bob"].id, through: log.head, chain: Hash.blake2b([8]), signature: bob.sign(forkedBody, for: .watermark)
        )
        world["alice"].feed([.received(.entry(1002, .watermark(forked)))])
        #expect(world["alice"].alarms == [.forkedReceipt])
        #expect(world["alice"].states(of: id).last == .accepted)
    }

    @Test func `a changed key stops sending until the user trusts it`() throws {
        var world = try joined()
        _ = try world.send("one", from: "alice", to: "bob@harbor")
        let address = try Address("bob@harbor")
        // The issuer gives the handle to another key.
        var impostor = try Party("bob", at: world.home, seed: 77)
        impostor.feed([.sessionWanted])
        impostor.feed([.connected(certificateHash: HomeDouble.certificateHash)])
        while !impostor.outgoing.isEmpty {
            let frames = impostor.outgoing
            impostor.outgoing = []
            let answers = frames.flatMap { world.home.answer($0, from: impostor.id) }
            if !answers.isEmpty { impostor.feed(answers.map { .received($0) }) }
        }
        let record = try #require(world.home.records[impostor.device.account.userID])
        world.home.forged[address] = (record, address)

        world["alice"].now = world["alice"].now + .seconds(120)
        let held = try world.send("two", from: "alice", to: "bob@harbor")
        #expect(world["alice"].refused[held] == .keyChanged(address))
        let again = try world.send("three", from: "alice", to: "bob@harbor")
        #expect(world["alice"].refused[again] == .keyChanged(address))
        #expect(world["alice"].device.outbox[again] == nil)
        #expect(world["bob"].texts == ["one"])

        try world["alice"].restart()
        world.connect("alice")
        #expect(world["alice"].device.contacts.claimant(of: address)?.user == impostor.device.account.userID)
        world["alice"].feed([.contactDecided(address, .trust)])
        world.run()
        #expect(world["alice"].device.contacts[address]?.user == impostor.device.account.userID)
        // The text that was in the outbox goes to the key that the user chose.
        #expect(world["alice"].states(of: held).last == .accepted)
        #expect(world["bob"].texts == ["one"])
    }

    @Test func `a record that does not hold, is rolled back or of another federation is not used`() throws {
        var world = try joined()
        let bob = try #require(world.home.records[world["bob"].device.account.userID])
        let address = try Address("bob@harbor")
        var altered = bob.body
        altered[40] ^= 1
        world.home.forged[address] = (
            SignedUserRecord(body: altered, userSignature: bob.userSignature, homeSignature: bob.homeSignature), address
        )
        let id = try world.send("one", from: "alice", to: "bob@harbor")
        #expect(world["alice"].told[id]?.last?.refusal?.code == .recordInvalid)
        #expect(world["alice"].notes.contains(.badRecord))
        #expect(world["alice"].device.contacts.count == 0)
    }

    @Test func `a blocked contact is neither written to nor shown`() throws {
        var world = try joined()
        _ = try world.send("one", from: "alice", to: "bob@harbor")
        world["bob"].feed([.contactDecided(try Address("alice@harbor"), .block(true))])
        let id = try world.send("two", from: "alice", to: "bob@harbor")
        #expect(world["bob"].texts == ["one"])
        #expect(world["alice"].states(of: id).last == .delivered)
        let own = try world.send("three", from: "bob", to: "alice@harbor")
        #expect(world["bob"].refused[own] == .blocked(try Address("alice@harbor")))
    }

    @Test func `frames out of turn change nothing`() throws {
        var world = try World("alice")
        world["alice"].feed([
            .sessionWanted, .connected(certificateHash: HomeDouble.certificateHash), .received(.ready(waiting: 0)),
            .received(
                .entry(
                    1,
                    .failed(
                        Failure(
                            key: ConversationKey(hub: world.home.id, conversation: ConversationID(raw: Bytes16(1, 1))),
                            message: MessageID(raw: Bytes16(1, 1)), refusal: Refusal(.expired, ""))))),
            .received(.refusedRequest(RequestID(7), Refusal(.busy, ""))), .received(.sent(MessageID(raw: Bytes16(1, 1)))),
        ])
        #expect(!world["alice"].device.isLive)
        world.run()
        #expect(world["alice"].device.isLive)
    }
}
