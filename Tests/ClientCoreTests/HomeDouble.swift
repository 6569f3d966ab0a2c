import ClientCore
import Cryptography
import Vocabulary

/// A node as far as clients see it, in memory: home and hub of everybody, honest unless a test says otherwise.
struct HomeDouble {
    let key: SigningKey
    let name: NodeName
    let federation = FederationID(raw: Hash.blake2b([1]).raw)
    let nonce = Hash.sha256([2])
    private(set) var records: [UserID: SignedUserRecord] = [:]
    private(set) var queues: [DeviceID: [(position: QueuePosition, item: DeviceItem)]] = [:]
    private(set) var conversations: [ConversationID: Log] = [:]
    private(set) var position: QueuePosition = .zero
    private(set) var submissions: [Submission] = []
    /// What is answered to submissions instead of taking them.
    var refusal: Refusal?
    /// What is answered to look-ups of an address instead of the truth.
    var forged: [Address: (SignedUserRecord, Address)] = [:]

    struct Log {
        var roster: [RosterEntry]
        var head: SequenceNumber = .zero
        var chain: Digest
        var messages: [MessageID: Acceptance] = [:]
    }

    init(seed: UInt64, name: String = "harbor") throws {
        var random = SeededGenerator(seed: seed)
        key = SigningKey(using: &random)
        self.name = try NodeName(name)
    }

    var id: NodeID { NodeID(raw: key.publicKey) }
    static let certificateHash = Hash.sha256([3])

    func link() -> InvitationLink {
        InvitationLink(endpoint: Endpoint(host: "127.0.0.1", port: 4180), secret: [UInt8](repeating: 7, count: 16), node: id)
    }

    /// Answers one frame of a device; what it says to others goes to their queues.
    mutating func answer(_ frame: ClientFrame, from device: DeviceID) -> [NodeFrame] {
        switch frame {
        case .hello(_, let clientNonce):
            let proof = SessionProof.node(clientNonce: clientNonce, nodeNonce: nonce, certificateHash: Self.certificateHash)
            return [
                .welcome(
                    version: 1, node: id, federation: federation, nonce: nonce, certificateHash: Self.certificateHash,
                    signature: key.sign(proof, for: .nodeSession))
            ]
        case .register(let request, _, let user, let handle):
            let body = HandleCertificate.body(federation: federation, handle: handle, user: user)
            return [
                .granted(
                    request, federation: federation, issuer: id, issuerName: name, certificate: key.sign(body, for: .handleCertificate))
            ]
        case .publish(let request, let record):
            guard let verified = try? record.verified(in: federation, requiringHome: false) else {
                return [.refusedRequest(request, Refusal(.recordInvalid, "the record does not hold"))]
            }
            let signed = SignedUserRecord(
                body: record.body, userSignature: record.userSignature, homeSignature: key.sign(record.body, for: .homeConsent))
            records[verified.user] = signed
            return [.published(request, signed)]
        case .authenticate:
            let waiting = queues[device, default: []]
            return [.ready(waiting: UInt64(waiting.count))] + waiting.map { .entry($0.position, $0.item) } + [.caughtUp]
        case .submit(let submission): return take(submission, from: device)
        case .acknowledge(let through, let watermarks):
            queues[device]?.removeAll { $0.position <= through }
            for mark in watermarks {
                for entry in conversations[mark.key.conversation]?.roster ?? [] where entry.device != device {
                    queue(.watermark(mark), for: entry.device)
                }
            }
            return []
        case .lookup(let request, let key): return [look(up: key, request)]
        case .ping(let value): return [.pong(value)]
        }
    }

    private mutating func take(_ submission: Submission, from device: DeviceID) -> [NodeFrame] {
        if let refusal { return [.refusedMessage(submission.message, refusal)] }
        submissions.append(submission)
        let id = submission.conversation
        let key = ConversationKey(hub: self.id, conversation: id)
        switch submission.kind {
        case .create(let roster):
            if conversations[id] == nil { conversations[id] = Log(roster: roster, chain: Chain.start(key)) }
        case .application(let epoch, let payload):
            guard var log = conversations[id], let sender = log.roster.first(where: { $0.device == device }) else {
                return [.refusedMessage(submission.message, Refusal(.unknownConversation, "no such conversation"))]
            }
            if let known = log.messages[submission.message] {
                queue(.accepted(known), for: device)
                return [.sent(submission.message)]
            }
            log.head = log.head.next
            log.chain = Chain.next(
                after: log.chain, number: log.head, sender: sender, message: submission.message, kind: .application, epoch: epoch,
                payload: payload)
            let acceptance = Acceptance(key: key, number: log.head, message: submission.message, chain: log.chain)
            log.messages[submission.message] = acceptance
            conversations[id] = log
            queue(.accepted(acceptance), for: device)
            let envelope = Envelope(
                key: key, number: log.head, sender: sender, message: submission.message, kind: .application, epoch: epoch,
                payload: payload, chain: log.chain)
            for entry in log.roster where entry.device != device { queue(.event(envelope), for: entry.device) }
        }
        return [.sent(submission.message)]
    }

    private func look(up key: LookupKey, _ request: RequestID) -> NodeFrame {
        if case .address(let address) = key, let (record, shown) = forged[address] { return .found(request, record, address: shown) }
        for (user, signed) in records {
            guard let record = try? UserRecord(decoding: signed.body) else { continue }
            let address = Address(handle: record.handle, issuer: name)
            if key == .user(user) || key == .address(address) { return .found(request, signed, address: address) }
        }
        return .refusedRequest(request, Refusal(.unknownUser, "nobody has this address"))
    }

    mutating func queue(_ item: DeviceItem, for device: DeviceID) {
        position = position.next
        queues[device, default: []].append((position, item))
    }
}
