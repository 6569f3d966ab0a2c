import RelayNode
import Testing
import Vocabulary

@Suite(.timeLimit(.minutes(1))) struct SessionTests {
    private let hello = ClientFrame.hello(versions: .current, nonce: .zero)

    private func session(_ node: TestNode) async throws -> TestClient {
        let client = try await TestClient(node.addresses.clients)
        await client.upgrade()
        #expect(client.status == 101)
        return client
    }

    /// Of a user: who has not authenticated may say little.
    private func authenticated(_ node: TestNode) async throws -> TestClient {
        let client = try await session(node)
        let id = try #require(await node.delegate.record.until { !$0.opened.isEmpty }.opened.last)
        node.send([.ready(waiting: 0, order: 0, restored: 0)], to: id)
        await client.framesUntil { !$0.isEmpty }
        return client
    }

    @Test func `who has not authenticated says little, whole frames or not, and is told so`() async throws {
        let node = try TestNode()
        let client = try await session(node)
        let half = TestClient.frame(opcode: 2, [UInt8](repeating: 1, count: Limits.frameBytesMax)).dropLast()
        client.send(Array(half))
        let frames = await client.framesUntil { $0.contains { $0.opcode == 8 } }
        guard case .goodbye(let refusal)? = frames.first?.frame else { return #expect(Bool(false), "\(frames)") }
        #expect(refusal.code == .tooLarge)
        let user = try await authenticated(node)
        user.send(Array(half) + [1])
        await user.framesUntil { $0.contains { $0.opcode == 8 } }
        #expect(node.network.counts.violations >= 1, "the frame as a whole is read, and is none")
    }

    @Test func `a session opens, its frames arrive in order, and answers go back`() async throws {
        let node = try TestNode()
        let client = try await session(node)
        for number in UInt64(0)..<20 { client.send(.ping(number)) }
        let record = await node.delegate.record.until { $0.frames.count == 20 }
        #expect(record.frames == (0..<20).map { .ping($0) })
        #expect(record.addresses == ["127.0.0.1"])

        node.send([.pong(1), .pong(2)], to: try #require(record.opened.first))
        let frames = await client.framesUntil { $0.count == 2 }
        #expect(frames.map(\.frame) == [.pong(1), .pong(2)])
    }

    @Test func `frames sent together with the upgrade request are not lost`() async throws {
        let node = try TestNode()
        let client = try await TestClient(node.addresses.clients)
        client.send(Array(TestClient.upgradeRequest.utf8) + TestClient.frame(opcode: 2, ClientFrame.ping(7).serialized()))
        #expect(await node.delegate.record.until { !$0.frames.isEmpty }.frames == [.ping(7)])
    }

    @Test func `the end of a session is told once`() async throws {
        let node = try TestNode()
        let client = try await session(node)
        await client.close()
        let record = await node.delegate.record.until { !$0.closed.isEmpty }
        #expect(record.closed == record.opened)
    }

    @Test func `an ordered close says goodbye and why`() async throws {
        let node = try TestNode()
        let client = try await session(node)
        let id = try #require(await node.delegate.record.until { !$0.opened.isEmpty }.opened.first)
        var batch = NetworkBatch()
        batch.send([.pong(1)], to: id)
        batch.close(id, after: Refusal(.replacedByNewerSession, "elsewhere"))
        batch.send([.pong(2)], to: id)
        node.network.perform(batch)
        let frames = TestClient.frames(await client.heard.until(\.isClosed).bytes)
        #expect(frames.compactMap(\.frame) == [.pong(1), .goodbye(Refusal(.replacedByNewerSession, "elsewhere"))])
        #expect(frames.last?.closeCode == 1008)
        #expect(await node.delegate.record.until { !$0.closed.isEmpty }.closed == [id])
    }

    // MARK: RFC 6455

    @Test func `a message in parts arrives whole, with a ping answered in between`() async throws {
        let node = try TestNode()
        let client = try await session(node)
        let bytes = hello.serialized()
        client.send(
            TestClient.frame(opcode: 2, Array(bytes.prefix(5)), isFinal: false) + TestClient.frame(opcode: 9, [1, 2, 3])
                + TestClient.frame(opcode: 0, [], isFinal: false) + TestClient.frame(opcode: 0, Array(bytes.dropFirst(5))))
        #expect(await node.delegate.record.until { !$0.frames.isEmpty }.frames == [hello])
        #expect(await client.framesUntil { !$0.isEmpty }.first == TestClient.Frame(opcode: 10, payload: [1, 2, 3]))
    }

    @Test func `a frame of a kind that nobody knows yet is ignored`() async throws {
        let node = try TestNode()
        let client = try await session(node)
        // Field 1000, empty.
        client.send(TestClient.frame(opcode: 2, [0xc2, 0x3e, 0x00]))
        client.send(.ping(5))
        #expect(await node.delegate.record.until { !$0.frames.isEmpty }.frames == [.ping(5)])
    }

    @Test(arguments: Violation.all)
    func `what breaks the protocol is closed with its code`(_ violation: Violation) async throws {
        let node = try TestNode()
        let bystander = try await session(node)
        let client = try await session(node)
        client.send(violation.bytes)
        #expect(await client.closeCode() == violation.code)
        await client.heard.until(\.isClosed)
        await node.delegate.record.until { $0.closed.count == 1 }
        bystander.send(.ping(1))
        #expect(await node.delegate.record.until { !$0.frames.isEmpty }.frames == [.ping(1)])
    }

    @Test func `an undecodable frame is told so before the close`() async throws {
        let node = try TestNode()
        let client = try await session(node)
        client.send(TestClient.frame(opcode: 2, [0xff, 0xff, 0xff]))
        let frames = await client.framesUntil { $0.contains { $0.opcode == 8 } }
        guard case .goodbye(let refusal)? = frames.first?.frame else { return #expect(Bool(false), "\(frames)") }
        #expect(refusal.code == .badFrame)
    }

    @Test func `frames of unknown kinds are passed over, and a flood of them ends the session`() async throws {
        let node = try TestNode()
        let client = try await authenticated(node)
        let unknown = TestClient.frame(opcode: 2, [0xf8, 0x7f, 1])
        client.send(Array(repeatElement(unknown, count: 20).joined()))
        client.send(.ping(1))
        #expect(await node.delegate.record.until { !$0.frames.isEmpty }.frames == [.ping(1)])
        client.send(Array(repeatElement(unknown, count: 5_000).joined()))
        let frames = await client.framesUntil { $0.contains { $0.opcode == 8 } }
        let told = frames.compactMap { if case .goodbye(let refusal)? = $0.frame { refusal.code } else { nil } }
        #expect(told == [.badFrame])
    }

    // MARK: Bounds

    @Test func `a client that never reads is disconnected`() async throws {
        let node = try TestNode { $0.outboundBytesPerSessionMax = 64 * 1024 }
        let client = try await session(node)
        try await client.stopReading()
        let id = try #require(await node.delegate.record.until { !$0.opened.isEmpty }.opened.first)
        let goodbye = NodeFrame.goodbye(Refusal(.busy, String(repeating: "x", count: 250)))
        // 40 MB at most: more than the kernel's buffers hold; closing ends it long before.
        for _ in 0..<150 {
            if !node.delegate.record.value.closed.isEmpty { break }
            node.send(Array(repeating: goodbye, count: 1_000), to: id)
        }
        #expect(await node.delegate.record.until { !$0.closed.isEmpty }.closed == [id])
        #expect(node.network.counts.slowReaders == 1)
    }

    @Test func `no more is read from a client than the writer keeps up with`() async throws {
        let node = try TestNode()
        let client = try await authenticated(node)
        let submission = Submission(
            message: MessageID(raw: Bytes16(1, 1)), conversation: ConversationID(raw: Bytes16(1, 2)), hub: node.id,
            kind: .application(epoch: 1, payload: [UInt8](repeating: 1, count: 1_000)))
        let count = 4_000
        let bytes = TestClient.frame(opcode: 2, ClientFrame.submit(submission).serialized())
        for _ in 0..<40 { client.send(Array(repeatElement(bytes, count: count / 40).joined())) }
        // The writer catches up: everything arrives, and never more than what is waiting and one read.
        var (done, beyond) = (0, 0)
        while done < count {
            let from = done
            let record = await node.delegate.record.until { $0.costs.count > from }
            beyond = max(beyond, record.frames.count - done)
            var batch = NetworkBatch()
            for (session, cost) in record.costs[from...] { batch.processed(session, bytes: cost) }
            done = record.costs.count
            node.network.perform(batch)
        }
        #expect(beyond <= 2 * Limits.unprocessedFramesPerConnectionMax)
        #expect(node.delegate.record.value.frames.count == count)
    }

    @Test func `when all connections together have too much waiting, all wait, and go on`() async throws {
        let node = try TestNode { $0.unprocessedBytesMax = 4 * 1024 }
        let clients = [try await session(node), try await session(node)]
        for client in clients { for number in UInt64(0)..<200 { client.send(.ping(number)) } }
        var done = 0
        while done < 400 {
            let from = done
            let record = await node.delegate.record.until { $0.costs.count > from }
            var batch = NetworkBatch()
            for (session, cost) in record.costs[from...] { batch.processed(session, bytes: cost) }
            done = record.costs.count
            node.network.perform(batch)
        }
        #expect(node.delegate.record.value.frames.count == 400)
    }

    @Test func `connections that have not authenticated are bounded per address, and free again after`() async throws {
        let node = try TestNode { $0.pendingPerAddressMax = 2 }
        let first = try await session(node)
        let second = try await session(node)
        let third = try await TestClient(node.addresses.clients)
        await third.heard.until(\.isClosed)
        #expect(node.network.counts.connectionsRefused == 1)
        // `ready` means authenticated: its place is free.
        let id = try #require(await node.delegate.record.until { $0.opened.count == 2 }.opened.first)
        node.send([.ready(waiting: 0, order: 0, restored: 0)], to: id)
        await first.framesUntil { !$0.isEmpty }
        _ = try await session(node)
        // The one that goes frees its place as well.
        await second.close()
        await node.delegate.record.until { $0.closed.count == 1 }
    }

    @Test func `a stop says goodbye to all`() async throws {
        let node = try TestNode()
        let client = try await session(node)
        await node.delegate.record.until { !$0.opened.isEmpty }
        node.network.stop()
        let frames = TestClient.frames(await client.heard.until(\.isClosed).bytes)
        #expect(frames.last?.closeCode == 1001)
        guard case .goodbye(let refusal)? = frames.first?.frame else { return #expect(Bool(false), "\(frames)") }
        #expect(refusal.code == .shuttingDown)
    }
}
