import Cryptography
import Dispatch
import Federation
import Foundation
import Logging
import RelayNode
import Storage
import Synchronization
import Testing
import Transport
import Vocabulary

/// A node's writer on an event loop, with a store in a folder and nobody connected: the test says what came, and looks at the disk in the
/// midst of a turn.
///
/// `@unchecked`: the store is the writer's while that runs, and looked at on its event loop alone.
private final class Harness: @unchecked Sendable {
    static let nonce = Bytes32([UInt8](repeating: 4, count: 32)) ?? .zero
    static let elsewhere = NodeID(raw: key(2).publicKey)
    /// Whoever asks for it makes the writer read: it is on disk, though nothing can be made of it.
    static let asleep = ConversationKey(hub: NodeID(raw: key(1).publicKey), conversation: ConversationID(raw: Bytes16(7, 3)))

    let folder: String
    let store: JournaledNodeStore
    let user = key(3)
    let device = key(4)
    private let node = key(1)

    static func key(_ seed: UInt64) -> SigningKey {
        var random = SeededGenerator(seed: seed)
        return SigningKey(using: &random)
    }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("writer-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        store = try JournaledNodeStore(folder: folder, key: SealingKey(Secret([UInt8](repeating: 1, count: 32))))
        var random = SeededGenerator(seed: 5)
        let genesis = SignedStatement.genesis(name: "coast", founderName: try NodeName("harbor"), key: node, using: &random)
        let founded = try Membership(key: node, statements: [genesis])
        let admit = Admit(
            federation: founded.federation, subject: Self.elsewhere, name: try NodeName("tower"), role: .member, n: 1)
        let membership = try Membership(
            key: node, statements: [genesis, .signing(.admit(admit), with: node)], federation: founded.federation)
        try commit(
            membership.writes + [
                .put(.userRecord, key: user.publicKey.bytes, value: try record(founded.federation).encoded()),
                .put(.conversation, key: Self.asleep.conversation.bytes, value: [0]),
            ])
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func commit(_ writes: [StoreWrite]) throws {
        guard let staged = try store.stage(writes) else { return }
        try store.confirm(staged.result())
    }

    private func record(_ federation: FederationID) throws -> SignedUserRecord {
        let (id, home) = (UserID(raw: user.publicKey), NodeID(raw: node.publicKey))
        let handle = try Handle("alice")
        let own = DeviceID(raw: device.publicKey)
        let entry = DeviceEntry(
            device: own, certificate: user.sign(DeviceCertificate.body(user: id, device: own), for: .deviceCertificate), extensions: [])
        let certificate = node.sign(HandleCertificate.body(federation: federation, handle: handle, user: id), for: .handleCertificate)
        let body = UserRecord(
            federation: federation, user: id, handle: handle, issuer: home, handleCertificate: certificate, home: home, devices: [entry],
            version: 1, previous: .zero, published: 1_700_000_000
        ).encoded()
        return SignedUserRecord(
            body: body, userSignature: user.sign(body, for: .userRecord), homeSignature: node.sign(body, for: .homeConsent))
    }

    func proof(_ nonce: Bytes32) -> Authentication {
        let (id, own) = (UserID(raw: user.publicKey), DeviceID(raw: device.publicKey))
        let body = SessionProof.device(
            node: NodeID(raw: node.publicKey), clientNonce: Self.nonce, nodeNonce: nonce, user: id, device: own)
        return Authentication(user: id, device: own, signature: device.sign(body, for: .session))
    }

    /// Runs until it is told to stop.
    /// - Parameter said: every frame, as the core says it, before it is on its way.
    func run(begin: (NodeWriter) -> Void, said: @escaping (NodeWriter, SessionID, NodeFrame) -> Void) async throws {
        let loopback = Endpoint(host: "127.0.0.1", port: 0)
        let certificate = try ServedCertificate(selfSigned: node)
        let (store, node) = (store, node)
        let reference = Reference()
        let writer = try NodeWriter(
            store: store, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            lie: { _, session, frame in
                if let writer = reference.writer { said(writer, session, frame) }
                return [frame]
            },
            restart: {
                let rows = try NodeRows(
                    values: { table throws(StoreError) in try store.values(table) }, highestPosition: try store.highestPosition())
                return try Node(
                    key: node, software: "test", certificateHash: certificate.hash, rows: rows, at: Clock.now, wall: Clock.wall)
            })
        reference.writer = writer
        let network = try Network(
            NetworkConfiguration(
                clients: loopback, peers: loopback, key: node, certificate: certificate, nodeName: "harbor", eventLoops: 1),
            delegate: writer)
        writer.attach(network)
        begin(writer)
        let end: Result<Void, any Error> = await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                let end = Result { try writer.run() }
                network.stop()
                continuation.resume(returning: end)
            }
        }
        try end.get()
    }

    /// `@unchecked`: written once, before the writer runs.
    private final class Reference: @unchecked Sendable { weak var writer: NodeWriter? }
}

@Suite(.timeLimit(.minutes(1))) struct NodeWriterTests {
    /// As KeyPackages that were handed out and cursors of links do, the count of what a device has sealed goes into the row at a batch's end.
    /// A turn that reads from the disk in its middle has that end too, and no other: what comes after it finds the row.
    @Test func `a turn that reads from the disk ends with all that its answers rest on`() async throws {
        let harness = try Harness()
        let session = SessionID(1)
        let seen = Mutex<[[UInt8]?]>([])
        try await harness.run { writer in
            writer.sessionOpened(session, from: "127.0.0.1")
            writer.session(session, received: .hello(versions: .current, nonce: Harness.nonce), bytes: 0)
        } said: { writer, session, frame in
            switch frame {
            case .welcome(_, _, _, let nonce, _, _): writer.session(session, received: .authenticate(harness.proof(nonce)), bytes: 0)
            case .ready:
                // Both come in one turn. For the second a conversation is read.
                let submission = Submission(
                    message: MessageID(raw: Bytes16(7, 1)), conversation: ConversationID(raw: Bytes16(7, 2)), hub: Harness.elsewhere,
                    kind: .application(epoch: 1, payload: [1]), order: 7)
                writer.session(session, received: .submit(submission), bytes: 0)
                writer.session(session, received: .fetchGroup(RequestID(1), Harness.asleep), bytes: 0)
            case .refusedRequest(RequestID(1), _): writer.session(session, received: .fetchGroup(RequestID(2), Harness.asleep), bytes: 0)
            case .refusedRequest(let request, _):
                let row = try? harness.store.value(.submissionOrder, key: harness.device.publicKey.bytes)
                // The turn before may have found the disk busy: then it is not staged yet, and nothing of it was said.
                if row == nil, request.value < 10_000 {
                    writer.session(session, received: .fetchGroup(RequestID(request.value + 1), Harness.asleep), bytes: 0)
                    return
                }
                seen.withLock { $0.append(row) }
                writer.stop()
            default: break
            }
        }
        #expect(seen.withLock { $0.count } == 1)
        #expect(seen.withLock { $0.first??.isEmpty } == false, "the turn's end did not write what it counted")
    }
}
