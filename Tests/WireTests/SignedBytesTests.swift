import Cryptography
import Foundation
import Testing
import Vocabulary

/// The vectors on the protocol's pages, which were computed by other implementations of Ed25519 and BLAKE2b.
struct SignedBytesTests {
    private let node, user, device: SigningKey
    private let lines: Set<String>

    init() throws {
        func key(_ byte: UInt8) throws -> SigningKey { try SigningKey(seed: Secret([UInt8](repeating: byte, count: 32))) }
        (node, user, device) = (try key(1), try key(2), try key(3))
        let pages = try ["client-session", "hub"].map {
            try String(contentsOf: Schema.root.appending(path: "docs/protocol/\($0).md"), encoding: .utf8)
        }
        // "name   hex", with one space between.
        lines = Set(
            pages.joined(separator: "\n").split(separator: "\n").map {
                $0.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
            })
    }

    private var nodeID: NodeID { NodeID(raw: node.publicKey) }
    private var userID: UserID { UserID(raw: user.publicKey) }
    private var deviceID: DeviceID { DeviceID(raw: device.publicKey) }
    private var conversation: ConversationKey { ConversationKey(hub: nodeID, conversation: Fixture.id16(8)) }

    private func isOnPage(_ name: String, _ bytes: [UInt8]) {
        #expect(lines.contains("\(name) \(Hex.encode(bytes))"), "\(name)")
    }

    @Test func `keys and session proofs`() {
        isOnPage("node", nodeID.bytes)
        isOnPage("user", userID.bytes)
        isOnPage("device", deviceID.bytes)
        let (clientNonce, nodeNonce) = (Fixture.bytes32(4), Fixture.bytes32(5))
        let proof = SessionProof.device(node: nodeID, clientNonce: clientNonce, nodeNonce: nodeNonce, user: userID, device: deviceID)
        isOnPage("device's session proof", device.sign(proof, for: .session).bytes)
        let nodeProof = SessionProof.node(clientNonce: clientNonce, nodeNonce: nodeNonce, certificateHash: Fixture.bytes32(7))
        isOnPage("node's session proof", node.sign(nodeProof, for: .nodeSession).bytes)
    }

    @Test func `certificates and the user record`() throws {
        let (federation, handle): (FederationID, Handle) = (Fixture.id32(6), try Handle("alice"))
        let handleCertificate = node.sign(
            HandleCertificate.body(federation: federation, handle: handle, user: userID), for: .handleCertificate)
        let deviceCertificate = user.sign(DeviceCertificate.body(user: userID, device: deviceID), for: .deviceCertificate)
        isOnPage("handle certificate", handleCertificate.bytes)
        isOnPage("device certificate", deviceCertificate.bytes)
        let body = UserRecord(
            federation: federation, user: userID, handle: handle, issuer: nodeID, handleCertificate: handleCertificate, home: nodeID,
            devices: [DeviceEntry(device: deviceID, certificate: deviceCertificate, extensions: [])], version: 1, previous: .zero,
            published: 1_700_000_000
        ).encoded()
        let signed = SignedUserRecord(
            body: body, userSignature: user.sign(body, for: .userRecord), homeSignature: node.sign(body, for: .homeConsent))
        isOnPage("digest of the record", signed.digest.bytes)
        isOnPage("user's signature over it", signed.userSignature.bytes)
        isOnPage("home's signature over it", try #require(signed.homeSignature).bytes)
        #expect(try signed.verified(in: federation, checking: .all).handle == handle)
    }

    @Test func `the chain and a watermark`() {
        isOnPage("chain 0", Chain.start(conversation).bytes)
        let chain = Chain.next(
            after: Chain.start(conversation), number: 1, sender: RosterEntry(user: userID, device: deviceID), message: Fixture.id16(9),
            kind: .application, epoch: 0, payload: Array("hello".utf8))
        isOnPage("chain 1", chain.bytes)
        let body = Watermark.body(key: conversation, device: deviceID, through: 1, chain: chain)
        isOnPage("device's watermark through 1", device.sign(body, for: .watermark).bytes)
    }
}
