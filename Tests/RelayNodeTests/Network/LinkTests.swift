import Cryptography
import RelayNode
import Testing
import Transport
import Vocabulary
import Wire

@Suite(.timeLimit(.minutes(1))) struct LinkTests {
    private static func bytes(_ frame: LinkFrame) -> [UInt8] {
        let bytes = frame.serialized()
        return [UInt8(bytes.count >> 24), UInt8(bytes.count >> 16 & 255), UInt8(bytes.count >> 8 & 255), UInt8(bytes.count & 255)] + bytes
    }

    @Test func `two nodes know each other by key and exchange frames`() async throws {
        let harbor = try TestNode(1)
        let tower = try TestNode(2)
        harbor.network.dial(tower.id, at: [tower.addresses.peers])
        let there = try #require(await harbor.delegate.record.until { !$0.links.isEmpty }.links.first)
        let here = try #require(await tower.delegate.record.until { !$0.links.isEmpty }.links.first)
        #expect(there.peer == tower.id && there.dialled)
        #expect(here.peer == harbor.id && !here.dialled)

        var batch = NetworkBatch()
        let frames = (UInt64(1)...300).map { LinkFrame.acknowledge(through: QueuePosition(unchecked: $0)) }
        batch.send(frames, to: there.link)
        harbor.network.perform(batch)
        #expect(await tower.delegate.record.until { $0.linkFrames.count == 300 }.linkFrames == frames)

        var answer = NetworkBatch()
        answer.send([.statementsDigest(.zero)], to: here.link)
        answer.close(here.link, after: Refusal(.shuttingDown, "bye"))
        tower.network.perform(answer)
        let heard = await harbor.delegate.record.until { !$0.linksClosed.isEmpty }
        #expect(heard.linkFrames == [.statementsDigest(.zero), .goodbye(Refusal(.shuttingDown, "bye"))])
        #expect(heard.linksClosed == [there.link])
        #expect(await tower.delegate.record.until { !$0.linksClosed.isEmpty }.linksClosed == [here.link])
    }

    @Test func `of what a node says at once no more is decoded than may wait for the writer, and the rest comes in order`() async throws {
        let harbor = try TestNode(1)
        let tower = try TestNode(2)
        harbor.network.dial(tower.id, at: [tower.addresses.peers])
        let there = try #require(await harbor.delegate.record.until { !$0.links.isEmpty }.links.first)
        let here = try #require(await tower.delegate.record.until { !$0.links.isEmpty }.links.first)
        let frames = (UInt64(1)...20_000).map { LinkFrame.acknowledge(through: QueuePosition(unchecked: $0)) }
        var batch = NetworkBatch()
        batch.send(frames, to: there.link)
        harbor.network.perform(batch)
        let most = Limits.decodedFramesPerConnectionMax
        // It is more than one read may bring, and waits in part with the system.
        await tower.delegate.record.until { $0.linkFrames.count >= most }
        var (done, beyond) = (0, 0)
        while done < frames.count {
            let from = done
            let record = await tower.delegate.record.until { $0.linkCosts.count > from }
            beyond = max(beyond, record.linkFrames.count - done)
            var processed = NetworkBatch()
            for cost in record.linkCosts[done...] { processed.processed(here.link, bytes: cost) }
            done = record.linkCosts.count
            tower.network.perform(processed)
        }
        #expect(beyond <= most)
        #expect(tower.delegate.record.value.linkFrames == frames)
        #expect(tower.network.counts.unprocessedBytes == 0)
    }

    @Test func `another node at the address is not the one that was dialled`() async throws {
        let harbor = try TestNode(1)
        let tower = try TestNode(2)
        let expected = try TestNode(3)
        harbor.network.dial(expected.id, at: [tower.addresses.peers])
        let record = await harbor.delegate.record.until { !$0.dialFailures.isEmpty }
        #expect(record.dialFailures.first?.peer == expected.id)
        #expect(record.links.isEmpty)
        #expect(tower.delegate.record.value.links.isEmpty)
    }

    @Test func `the next address is tried`() async throws {
        let harbor = try TestNode(1)
        let tower = try TestNode(2)
        let other = try TestNode(3)
        let gone = try TestNode(4)
        let nobody = gone.addresses.peers
        gone.network.stop()
        harbor.network.dial(tower.id, at: [nobody, other.addresses.peers, tower.addresses.peers])
        #expect(await harbor.delegate.record.until { !$0.links.isEmpty }.links.first?.peer == tower.id)
        harbor.network.dial(tower.id, at: [nobody])
        #expect(await harbor.delegate.record.until { !$0.dialFailures.isEmpty }.dialFailures.first?.reason.contains("\(nobody)") == true)
    }

    @Test func `an expelled key gets no link`() async throws {
        let harbor = try TestNode(1)
        let tower = try TestNode(2)
        tower.delegate.expelled.withLock { _ = $0.insert(harbor.id) }
        harbor.network.dial(tower.id, at: [tower.addresses.peers])
        // In TLS 1.3 the dialler may hear of the refusal only after its own handshake.
        await harbor.delegate.record.until { !$0.dialFailures.isEmpty || !$0.linksClosed.isEmpty }
        #expect(tower.delegate.record.value.links.isEmpty)
    }

    @Test func `a stranger without a certificate gets no link`() async throws {
        let tower = try TestNode(2)
        let stranger = try await TestClient(tower.addresses.peers, tls: .standard)
        stranger.send(Self.bytes(.acknowledge(through: 1)))
        await stranger.heard.until(\.isClosed)
        #expect(tower.delegate.record.value.links.isEmpty)
    }

    @Test(arguments: [
        // A length of 4 GiB, one byte too much, and no protobuf.
        [0xff, 0xff, 0xff, 0xff],
        [0x00, 0x01, 0x80, 0x01],
        [0x00, 0x00, 0x00, 0x03, 0xff, 0xff, 0xff],
    ])
    func `hostile bytes from a peer end its link alone`(bytes: [UInt8]) async throws {
        let tower = try TestNode(2)
        let harbor = try TestNode(1)
        harbor.network.dial(tower.id, at: [tower.addresses.peers])
        let bystander = try #require(await harbor.delegate.record.until { !$0.links.isEmpty }.links.first)

        var random = SeededGenerator(seed: 9)
        let key = SigningKey(using: &random)
        let context = try TLSContexts.peerDialer(try ServedCertificate(selfSigned: key))
        let peer = try await TestClient(tower.addresses.peers, tls: .peer(context, tower.id))
        peer.send(bytes)
        await peer.heard.until(\.isClosed)
        await tower.delegate.record.until { !$0.linksClosed.isEmpty }

        var batch = NetworkBatch()
        batch.send([.acknowledge(through: 1)], to: bystander.link)
        harbor.network.perform(batch)
        #expect(await tower.delegate.record.until { !$0.linkFrames.isEmpty }.linkFrames == [.acknowledge(through: 1)])
    }
}
