internal import Cryptography
internal import Vocabulary

/// Where the session stands.
/// idle ──wanted──▶ connecting ──▶ greeting ──▶ (joining ──▶) authenticating ──▶ live; from each ──lost──▶ resting ──▶ connecting
enum Phase: Equatable, Sendable {
    case idle
    case resting(until: Instant)
    case connecting(until: Instant)
    case greeting(nonce: Bytes32, certificateHash: Bytes32, until: Instant)
    case joining(clientNonce: Bytes32, nodeNonce: Bytes32, until: Instant)
    case authenticating(until: Instant)
    case live(caughtUp: Bool, pingAt: Instant, pongUntil: Instant?)
    /// Refused for good: nothing more is tried in this process.
    case over

    var deadline: Instant? {
        switch self {
        case .idle, .over: nil
        case .resting(let until), .connecting(let until), .greeting(_, _, let until), .joining(_, _, let until), .authenticating(let until):
            until
        case .live(_, let pingAt, let pongUntil): pongUntil ?? pingAt
        }
    }
}

/// A home that was restored from a backup may not know its user any more: it is shown the record that it signed, once, before its refusal
/// is for good.
enum RecordReturn: Sendable {
    case none
    case due(Refusal)
    case offered(Refusal)
}

extension Device {
    mutating func connect(at now: Instant) {
        phase = .connecting(until: now + ClientLimits.openingTimeout)
        emit(.connect(account.endpoint))
    }

    mutating func connected(certificateHash: Bytes32, at now: Instant, using random: inout some RandomNumberGenerator) {
        guard case .connecting = phase else { return }
        let nonce = random.bytes32()
        phase = .greeting(nonce: nonce, certificateHash: certificateHash, until: now + ClientLimits.openingTimeout)
        emit(.send(.hello(versions: .current, nonce: nonce)))
    }

    /// The node proves to hold the pinned key and to have shown us this very certificate; before that nothing is told to it.
    mutating func welcomed(
        version: UInt32, node: NodeID, nodeNonce: Bytes32, certificateHash: Bytes32, signature: Signature, at now: Instant,
        using random: inout some RandomNumberGenerator
    ) {
        guard case .greeting(let nonce, let shown, let until) = phase else { return emit(.note(.unexpectedFrame)) }
        let proof = SessionProof.node(clientNonce: nonce, nodeNonce: nodeNonce, certificateHash: shown)
        guard version == 1, node == account.home, certificateHash == shown,
            signature.isValid(over: proof, for: .nodeSession, by: account.home)
        else { return close(.wrongNode(expected: account.home), at: now, using: &random) }
        phase = .joining(clientNonce: nonce, nodeNonce: nodeNonce, until: until)
        join(at: now)
    }

    /// Takes the next step of joining, or authenticates when there is none left.
    mutating func join(at now: Instant) {
        guard case .joining(let clientNonce, let nodeNonce, let until) = phase else { return }
        switch account.stage {
        case .registering(let secret):
            emit(.send(.register(open(.registration), secret: secret, user: account.userID, handle: account.handle)))
        case .publishing(_, let record):
            emit(.send(.publish(open(.publication), record)))
        case .member(_, let record):
            if case .due(let refusal) = returning {
                returning = .offered(refusal)
                return emit(.send(.publish(open(.publication), record)))
            }
            let proof = SessionProof.device(
                node: account.home, clientNonce: clientNonce, nodeNonce: nodeNonce, user: account.userID, device: account.deviceID)
            phase = .authenticating(until: until)
            emit(
                .send(
                    .authenticate(
                        Authentication(
                            user: account.userID, device: account.deviceID, signature: account.device.sign(proof, for: .session)))))
        }
    }

    mutating func granted(_ grant: Grant, at now: Instant) {
        guard case .registering = account.stage, case .joining = phase else { return emit(.note(.unexpectedFrame)) }
        let body = HandleCertificate.body(federation: grant.federation, handle: account.handle, user: account.userID)
        guard grant.issuer == account.home, grant.certificate.isValid(over: body, for: .handleCertificate, by: grant.issuer) else {
            return emit(.note(.badRecord))
        }
        account.stage = .publishing(grant, account.firstRecord(under: grant, published: wall.seconds))
        write(.account(account))
        join(at: now)
    }

    mutating func published(_ record: SignedUserRecord, at now: Instant) {
        if case .member(_, let ours) = account.stage, case .joining = phase, record.body == ours.body { return join(at: now) }
        guard case .publishing(let grant, let ours) = account.stage, case .joining = phase else { return emit(.note(.unexpectedFrame)) }
        guard record.body == ours.body, (try? record.verified(in: grant.federation, checking: .all)) != nil else {
            return emit(.note(.badRecord))
        }
        account.stage = .member(grant, record)
        write(.account(account))
        hasJustJoined = true
        join(at: now)
    }

    mutating func authenticated(
        waiting: UInt64, order seen: UInt64, restored restoration: UInt64, at now: Instant, using random: inout some RandomNumberGenerator
    ) {
        guard case .authenticating = phase else { return emit(.note(.unexpectedFrame)) }
        phase = .live(caughtUp: false, pingAt: now + ClientLimits.pingEvery, pongUntil: nil)
        (failures, returning) = (0, .none)
        stalledAt = now + ClientLimits.stalledAfter
        if seen > order.handedOver { restored(seen: seen) }
        homeRestored(restoration)
        emit(.sessionChanged(.up(waiting: waiting)))
        outbox.sessionOpened(at: wall)
        forgetOldWelcomes()
        (unlisted, ownersGone) = ([], [])
        freshness = [:]
        (due, restingUntil, claimAgainAt, attempts, hubless, answered) = ([:], [:], [:], [:], [], [])
        unvouched = [:]
        resolveAll()
        announce(using: &random)
        touched.formUnion(conversations.all.filter { hasWork(in: $0) }.map(\.id))
        submit()
    }

    /// We end it: the shell is told to close, and what follows is the same as if it had been lost.
    mutating func close(_ failure: SessionFailure, at now: Instant, using random: inout some RandomNumberGenerator) {
        emit(.disconnect)
        closed(failure, at: now, using: &random)
    }

    mutating func closed(_ failure: SessionFailure, at now: Instant, using random: inout some RandomNumberGenerator) {
        switch phase {
        case .idle, .over, .resting: return
        case .connecting, .greeting, .joining, .authenticating, .live: break
        }
        outbox.sessionClosed()
        (acknowledgeThrough, withheld, unkept) = (nil, nil, [:])
        advanced = []
        (lookupRetryAt, probeAt, stalledAt) = (nil, nil, nil)
        parcels = [:]
        for one in conversations.all where one.refetch != nil || !one.held.isEmpty {
            // What was held is not in the home's queue any more.
            refill.insert(one.id)
            _ = conversations.update(one.id) {
                $0.refetch = nil
                $0.forgetHeld()
            }
        }
        let open = questions.sorted { $0.key < $1.key }.map(\.value) + waitingQuestions + putOff
        questions = [:]
        (waitingQuestions, putOff) = ([], [])
        for question in open {
            switch question {
            case .contact(let ticket, _): emit(.contactRefused(ticket, Refusal(.busy, "the node cannot be reached")))
            // The home may still have those that were to go.
            case .keyPackages(let supply) where supply.replaces: keyPackages.isDoubtful = true
            default: break
            }
        }
        for ticket in wishes.keys.sorted(by: { $0.value < $1.value }) { report(ticket, unreachable: true) }
        if case .refused(let refusal) = failure, refusal.code == .authenticationFailed, account.isMember, case .none = returning {
            returning = .due(refusal)
            phase = .resting(until: now)
            return
        }
        if case .refused(let refusal) = failure, !refusal.code.isTransient, refusal.code != .unknown {
            phase = .over
        } else {
            // What breaks the protocol in each session would do so at each of many tries.
            if case .misbehaved = failure { failures = max(failures, ClientLimits.failuresMisbehaved) }
            phase = .resting(until: now + Backoff.delay(attempt: failures, using: &random))
            failures += 1
        }
        emit(.sessionChanged(.down(failure)))
    }

    mutating func deadlineReached(at now: Instant, using random: inout some RandomNumberGenerator) {
        if isLive, let due = stalledAt, due <= now { return close(.stalled(account.endpoint), at: now, using: &random) }
        if let due = outbox.retryAt, due <= now {
            outbox.retry()
            submit()
        }
        for (id, time) in due where time <= now {
            due[id] = nil
            touched.insert(id)
        }
        refetchOverdue(at: now, using: &random)
        if isLive, let due = probeAt, due <= now { probe(at: now) }
        if let due = lookupRetryAt, due <= now {
            lookupRetryAt = nil
            resolveAll()
        }
        guard let deadline = phase.deadline, deadline <= now else { return }
        switch phase {
        case .idle, .over: break
        case .resting: connect(at: now)
        case .connecting, .greeting, .joining, .authenticating:
            close(.unreachable(account.endpoint, "no answer within \(ClientLimits.openingTimeout)"), at: now, using: &random)
        case .live(_, _, .some):
            close(.unreachable(account.endpoint, "no answer to a ping"), at: now, using: &random)
        case .live(let caughtUp, _, nil):
            phase = .live(caughtUp: caughtUp, pingAt: now + ClientLimits.pingEvery, pongUntil: now + ClientLimits.pongTimeout)
            emit(.send(.ping(UInt64(clamping: now.nanoseconds))))
        }
    }
}
