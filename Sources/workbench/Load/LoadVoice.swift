internal import ClientCore
internal import Cryptography
internal import Vocabulary

/// The least that a device on a session must do: say something with a new id, acknowledge what comes with a signed watermark for each
/// conversation that went on, and notice what became of its messages. It neither encrypts nor checks anything.
///
/// Used on its user's event loop only.
final class LoadVoice {
    private let account: Account
    private let tell: (LoadUser.Event) -> Void
    private let template: Submission?
    private var order: UInt64
    private var nonce = Bytes32.zero
    /// Events that came.
    private(set) var received = 0
    /// Numbered, and not covered by anybody's watermark yet; of each conversation, rising.
    private var waiting: [ConversationKey: [(number: SequenceNumber, message: MessageID)]] = [:]
    private var fronts: [ConversationKey: Int] = [:]

    init(account: Account, template: Submission?, tell: @escaping (LoadUser.Event) -> Void) {
        (self.account, self.template, self.tell) = (account, template, tell)
        order = template?.order ?? 0
    }

    /// The last message of the device once more, with an id of its own: to the nodes it is another.
    func next(using random: inout SeededGenerator) -> Submission? {
        guard let template else { return nil }
        order += 1
        return Submission(
            message: MessageID.random(using: &random), conversation: template.conversation, hub: template.hub, kind: template.kind,
            timeToLive: template.timeToLive, order: order)
    }

    /// The first frame of a session that the voice begins itself.
    func hello(certificateHash: Bytes32) -> ClientFrame {
        nonce = Hash.blake2b(account.deviceID.bytes + certificateHash.bytes).raw
        return .hello(versions: .current, nonce: nonce)
    }

    private func authenticate(to node: NodeID, nodeNonce: Bytes32) -> ClientFrame {
        let body = SessionProof.device(
            node: node, clientNonce: nonce, nodeNonce: nodeNonce, user: account.userID, device: account.deviceID)
        return .authenticate(
            Authentication(user: account.userID, device: account.deviceID, signature: account.device.sign(body, for: .session)))
    }

    /// - Returns: what they earn: mostly one acknowledgement for all of them.
    func receive(_ frames: [NodeFrame]) -> ClientFrame? {
        var through: QueuePosition?
        let receivedBefore = received
        var heads: [ConversationKey: (number: SequenceNumber, chain: Digest)] = [:]
        for frame in frames {
            switch frame {
            case .entry(let position, let item):
                through = position
                switch item {
                case .event(let envelope):
                    heads[envelope.key] = (envelope.number, envelope.chain)
                    received += 1
                case .accepted(let acceptance):
                    heads[acceptance.key] = (acceptance.number, acceptance.chain)
                    waiting[acceptance.key, default: []].append((acceptance.number, acceptance.message))
                    tell(.state(acceptance.message, .accepted, nil))
                case .watermark(let watermark): if watermark.device != account.deviceID { cover(watermark.key, watermark.through) }
                case .failed(let failure): tell(.state(failure.message, .failed, failure.refusal))
                default: break
                }
            case .welcome(_, let node, _, let nonce, _, _): return authenticate(to: node, nodeNonce: nonce)
            case .ready: tell(.up)
            case .goodbye(let refusal): tell(.refused(refusal))
            case .refusedRequest(_, let refusal): tell(.answered(refusal))
            case .refusedMessage(let message, let refusal): tell(.state(message, .failed, refusal))
            default: break
            }
        }
        guard let through else { return nil }
        if received != receivedBefore { tell(.received(received - receivedBefore)) }
        var watermarks: [Watermark] = []
        for (key, head) in heads {
            let body = Watermark.body(key: key, device: account.deviceID, through: head.number, chain: head.chain)
            watermarks.append(
                Watermark(
                    key: key, device: account.deviceID, through: head.number, chain: head.chain,
                    signature: account.device.sign(body, for: .watermark)))
        }
        if !heads.isEmpty { order += 1 }
        return .acknowledge(through: through, watermarks: watermarks, order: heads.isEmpty ? 0 : order)
    }

    private func cover(_ key: ConversationKey, _ through: SequenceNumber) {
        guard let lines = waiting[key] else { return }
        var front = fronts[key] ?? 0
        while front < lines.count, lines[front].number <= through {
            tell(.state(lines[front].message, .delivered, nil))
            front += 1
        }
        if front == lines.count {
            (waiting[key], fronts[key]) = ([], 0)
        } else if front > 4096 {
            (waiting[key], fronts[key]) = (Array(lines[front...]), 0)
        } else {
            fronts[key] = front
        }
    }
}
