import Cryptography
import RelayNode
import Synchronization
import Transport
import Vocabulary

/// Remembers what the network told it.
final class RecordingDelegate: NetworkDelegate {
    struct Record: Sendable {
        var opened: [SessionID] = []
        var addresses: [String] = []
        var frames: [ClientFrame] = []
        var costs: [(SessionID, Int)] = []
        var closed: [SessionID] = []
        var links: [(link: LinkID, peer: NodeID, dialled: Bool)] = []
        var linkFrames: [LinkFrame] = []
        var linkCosts: [Int] = []
        var linksClosed: [LinkID] = []
        var dialFailures: [(peer: NodeID, reason: String)] = []
        var admin: [AdminHTTPRequest] = []
    }

    let record = Watched(Record())
    let expelled = Mutex<Set<NodeID>>([])

    func sessionOpened(_ session: SessionID, from address: String) {
        record.change {
            $0.opened.append(session)
            $0.addresses.append(address)
        }
    }

    func session(_ session: SessionID, received frame: ClientFrame, bytes: Int) {
        record.change {
            $0.frames.append(frame)
            $0.costs.append((session, bytes))
        }
    }

    func sessionClosed(_ session: SessionID) { record.change { $0.closed.append(session) } }
    func linkOpened(_ link: LinkID, peer: NodeID, dialled: Bool) { record.change { $0.links.append((link, peer, dialled)) } }
    func link(_ link: LinkID, received frame: LinkFrame, bytes: Int) {
        record.change {
            $0.linkFrames.append(frame)
            $0.linkCosts.append(bytes)
        }
    }

    func linkClosed(_ link: LinkID) { record.change { $0.linksClosed.append(link) } }
    func dialFailed(_ peer: NodeID, reason: String) { record.change { $0.dialFailures.append((peer, reason)) } }
    func admits(peer: NodeID) -> Bool { expelled.withLock { !$0.contains(peer) } }

    func admin(_ request: AdminHTTPRequest, reply: @escaping @Sendable (AdminHTTPResponse) -> Void) {
        record.change { $0.admin.append(request) }
        reply(AdminHTTPResponse(status: 200, body: Array("\(request.method) \(request.path)".utf8) + request.body))
    }
}

/// A network on loopback ports of the system's choice.
final class TestNode {
    let network: Network
    let delegate = RecordingDelegate()
    let addresses: NetworkAddresses
    let key: SigningKey
    var id: NodeID { NodeID(raw: key.publicKey) }

    init(_ seed: UInt64 = 1, change: (inout NetworkConfiguration) -> Void = { _ in }) throws {
        var random = SeededGenerator(seed: seed)
        key = SigningKey(using: &random)
        let loopback = Endpoint(host: "127.0.0.1", port: 0)
        var configuration = NetworkConfiguration(
            clients: loopback, peers: loopback, key: key, certificate: try ServedCertificate(selfSigned: key), nodeName: "harbor",
            eventLoops: 2)
        // Tests of other suites may keep a client from speaking for long; those of the time itself choose their own.
        configuration.handshakeTimeout = .minutes(5)
        change(&configuration)
        network = try Network(configuration, delegate: delegate)
        do {
            addresses = try network.start()
        } catch {
            network.stop()
            throw error
        }
    }

    deinit { network.stop() }

    func send(_ frames: [NodeFrame], to session: SessionID) {
        var batch = NetworkBatch()
        batch.send(frames, to: session)
        network.perform(batch)
    }
}
