internal import Vocabulary

extension Device {
    mutating func received(_ frame: NodeFrame, at now: Instant, using random: inout some RandomNumberGenerator) {
        switch frame {
        case .welcome(let version, let node, _, let nonce, let hash, let signature):
            welcomed(
                version: version, node: node, nodeNonce: nonce, certificateHash: hash, signature: signature, at: now, using: &random)
        case .ready(let waiting): authenticated(waiting: waiting, at: now, using: &random)
        case .granted(let request, let federation, let issuer, let issuerName, let certificate):
            guard answered(request) == .registration else { return emit(.note(.unexpectedFrame)) }
            granted(Grant(federation: federation, issuer: issuer, issuerName: issuerName, certificate: certificate), at: now)
        case .published(let request, let record):
            guard answered(request) == .publication else { return emit(.note(.unexpectedFrame)) }
            published(record, at: now)
        case .found(let request, let record, let address):
            guard let question = answered(request) else { return emit(.note(.unexpectedFrame)) }
            found(record, address: address, for: question, at: now, using: &random)
        case .refusedRequest(let request, let refusal):
            guard let question = answered(request) else { return emit(.note(.unexpectedFrame)) }
            refused(question, refusal, at: now, using: &random)
        case .sent(let message): sent(message)
        case .refusedMessage(let message, let refusal): refused(message, refusal, at: now, using: &random)
        case .entry(let position, let item):
            guard isLive else { return emit(.note(.unexpectedFrame)) }
            acknowledgeThrough = max(acknowledgeThrough ?? .zero, position)
            switch item {
            case .event(let envelope): take(envelope)
            case .accepted(let acceptance): accepted(acceptance)
            case .failed(let failure): failed(failure)
            case .watermark(let watermark): confirmed(watermark)
            }
        case .caughtUp:
            guard case .live(_, let pingAt, let pongUntil) = phase else { return emit(.note(.unexpectedFrame)) }
            phase = .live(caughtUp: true, pingAt: pingAt, pongUntil: pongUntil)
            emit(.sessionChanged(.caughtUp))
        case .pong:
            guard case .live(let caughtUp, let pingAt, _) = phase else { return }
            phase = .live(caughtUp: caughtUp, pingAt: pingAt, pongUntil: nil)
        case .goodbye(let refusal): close(.refused(refusal), at: now, using: &random)
        }
    }

    /// What a batch owes as a whole: one acknowledgement, with one watermark for each conversation that went on.
    mutating func settle() {
        defer {
            acknowledgeThrough = nil
            advanced = []
        }
        guard isLive, let position = acknowledgeThrough else { return }
        let watermarks = advanced.sorted().compactMap { id -> Watermark? in
            guard let conversation = conversations[id], conversation.head > .zero else { return nil }
            return account.watermark(conversation.key, through: conversation.head, chain: conversation.chain)
        }
        emit(.send(.acknowledge(through: position, watermarks: watermarks)))
    }
}
