internal import Vocabulary

extension Device {
    mutating func received(_ frame: NodeFrame, at now: Instant, using random: inout some RandomNumberGenerator) {
        switch frame {
        case .welcome(let version, let node, _, let nonce, let hash, let signature):
            welcomed(
                version: version, node: node, nodeNonce: nonce, certificateHash: hash, signature: signature, at: now, using: &random)
        case .ready(let waiting, let order, let restored):
            authenticated(waiting: waiting, order: order, restored: restored, at: now, using: &random)
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
            entryCount += 1
            entryBytes += item.payloadBytes
            if stalledAt != nil { stalledAt = now + ClientLimits.stalledAfter }
            switch item {
            case .event(let envelope): take(.event(envelope), at: now, using: &random)
            case .accepted(let acceptance): take(.accepted(acceptance), at: now, using: &random)
            case .failed(let failure): failed(failure, at: now, using: &random)
            case .watermark(let one):
                // Of what our later self said, where this copy of us is older than the conversation.
                if conversations[one.key.conversation] == nil { meet(one.key, one.through, of: nil, at: now) } else { confirmed(one) }
            case .welcome(let part): take(part, at: now, using: &random)
            case .mark(let mark): marked(mark)
            }
        case .caughtUp:
            guard case .live(_, let pingAt, let pongUntil) = phase else { return emit(.note(.unexpectedFrame)) }
            phase = .live(caughtUp: true, pingAt: pingAt, pongUntil: pongUntil)
            (probes, probeAt, stalledAt) = (0, now + ClientLimits.probeAfter, nil)
            if order.isCatchingUp {
                order.isCatchingUp = false
                write(.order(order))
            }
            fetchForgotten(at: now)
            testifyAgain(using: &random)
            for one in conversations.all where hasWork(in: one) {
                resumeRefresh(one.id, at: now, using: &random)
                touched.insert(one.id)
            }
            askWhetherLeft()
            // What was proposed while nobody was there to commit it.
            for one in conversations.groups where one.standing == .accepted && groups[one.id]?.pendingProposals.isEmpty == false {
                awaitTurn(one.id, at: now, using: &random)
            }
            emit(.sessionChanged(.caughtUp))
        case .pong(let token):
            if token == settingsPing { settingsPing = nil }
            guard case .live(let caughtUp, let pingAt, _) = phase else { return }
            phase = .live(caughtUp: caughtUp, pingAt: pingAt, pongUntil: nil)
        case .done(let request):
            guard let question = answered(request) else { return emit(.note(.unexpectedFrame)) }
            done(question)
        case .keyPackages(let request, let claimed):
            guard case .claim(let id, let users)? = answered(request) else { return emit(.note(.unexpectedFrame)) }
            took(claimed, of: users, for: id, at: now, using: &random)
        case .keyPackagesLeft(let count): restock(left: Int(count), using: &random)
        case .group(let request, let part): received(part, of: request, at: now, using: &random)
        case .signal(let signal): received(signal, at: now, using: &random)
        case .presence(let news): for one in news { emit(.presence(one.user, one.presence)) }
        case .goodbye(let refusal): close(.refused(refusal), at: now, using: &random)
        }
    }

    /// What a batch owes as a whole: what it made possible, and one acknowledgement, with one watermark for each conversation that went on.
    mutating func settle(at now: Instant, using random: inout some RandomNumberGenerator) {
        defer {
            (acknowledgeThrough, entryCount, entryBytes) = (nil, 0, 0)
            advanced = []
        }
        while !touched.isEmpty {
            let ids = touched.sorted()
            touched = []
            for id in ids { proceed(with: id, at: now, using: &random) }
        }
        submit()
        guard isLive else { return }
        acknowledgeThrough = acknowledgeable
        mark(at: now, using: &random)
        let watermarks = takeOwed(at: now).compactMap { id -> Watermark? in
            // What comes while nothing is taken is not had: it is said once we are back in, with where that was.
            guard let one = conversations[id], one.head > .zero, one.standing == .accepted || one.standing == .leaving, one.resumed == nil
            else { return nil }
            return account.watermark(one.key, through: one.head, chain: one.chain)
        }
        // What an accepted request owes has no entry to acknowledge with it.
        guard acknowledgeThrough != nil || !watermarks.isEmpty else { return }
        // What was taken is gone at home: a copy of this profile from before is to learn that it is one.
        if !advanced.isEmpty {
            order.handedOver = order.next()
            write(.order(order))
        }
        for some in watermarks.isEmpty ? [[]] : watermarks.chunks(of: Limits.watermarksPerFrameMax) {
            emit(.send(.acknowledge(through: acknowledgeThrough ?? .zero, watermarks: some, order: advanced.isEmpty ? 0 : order.last)))
        }
    }

    // MARK: What is not acknowledged yet

    /// What came is not on our disk: a copy of this profile would never hear of it.
    mutating func keepAtHome(_ id: ConversationID) {
        guard unkept[id] == nil, let position = acknowledgeThrough else { return }
        unkept[id] = position
    }

    /// Without what is only in memory, in front of which something is missing or of which we are not in yet. That does not keep the queue
    /// from going on: of much that waits nothing is held back.
    private var acknowledgeable: QueuePosition? {
        mutating get {
            guard let through = [acknowledgeThrough, withheld?.through].compactMap(\.self).max() else { return nil }
            unkept = unkept.filter { id, _ in
                conversations[id].map { $0.standing.isFollowed && (!$0.held.isEmpty || $0.isPlaceholder) } ?? false
            }
            let (entries, bytes) = ((withheld?.entries ?? 0) + entryCount, (withheld?.bytes ?? 0) + entryBytes)
            guard let first = unkept.values.min(), entries < ClientLimits.withheldMax, bytes < ClientLimits.withheldBytesMax else {
                (withheld, unkept) = (nil, [:])
                return through
            }
            withheld = (through, entries, bytes)
            // Of a step without entries there is nothing to say.
            return acknowledgeThrough.map { _ in QueuePosition(unchecked: max(first.value, 1) - 1) }
        }
    }
}

extension DeviceItem {
    /// What makes it large, if anything does.
    fileprivate var payloadBytes: Int {
        switch self {
        case .event(let envelope): envelope.payload.count
        case .welcome(let part): part.bytes.count
        case .accepted, .failed, .watermark, .mark: 0
        }
    }
}

extension Array {
    func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
