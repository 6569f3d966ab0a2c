package import Cryptography
package import Vocabulary

/// Client sessions from the first frame to the last: who may say what when. What an authenticated device asks for is the node's to do.
/// Source: docs/protocol/client-session.md.
package struct Sessions: Sendable {
    /// ```
    /// connected ──hello──▶ greeted ──authenticate──▶ authenticated
    /// ```
    /// In `greeted` a new user may also register and publish.
    package enum Phase: Sendable {
        case connected
        case greeted(clientNonce: Bytes32, nodeNonce: Bytes32)
        case authenticated(RosterEntry)
    }

    package struct Session: Sendable {
        var phase: Phase
        let opened: Instant
        var lastHeard: Instant
        var framesBeforeAuthentication = 0
        /// The user who registers in this session, until the session is authenticated.
        var registering: UserID?
        var bucket: TokenBucket
        var subscriptions: TokenBucket
    }

    package enum Verdict: Sendable {
        case authenticated(RosterEntry, replacing: SessionID?)
        case refused(Refusal)
    }

    private let node: NodeID
    private let federation: FederationID
    private let key: SigningKey
    private let certificateHash: Bytes32
    private var byID: [SessionID: Session] = [:]
    private var byDevice: [DeviceID: SessionID] = [:]

    /// - Parameter certificateHash: SHA-256 of the TLS certificate (DER) that clients are shown.
    package init(key: SigningKey, federation: FederationID, certificateHash: Bytes32) {
        node = NodeID(raw: key.publicKey)
        (self.key, self.federation, self.certificateHash) = (key, federation, certificateHash)
    }

    package var count: Int { byID.count }
    package var authenticatedCount: Int { byDevice.count }
    package var all: [SessionID] { byID.keys.sorted() }

    package func session(of device: DeviceID) -> SessionID? { byDevice[device] }

    package func device(of session: SessionID) -> RosterEntry? {
        if case .authenticated(let entry)? = byID[session]?.phase { entry } else { nil }
    }

    package func phase(of session: SessionID) -> Phase? { byID[session]?.phase }
    package func registering(in session: SessionID) -> UserID? { byID[session]?.registering }
    package mutating func setRegistering(_ user: UserID, in session: SessionID) { byID[session]?.registering = user }

    /// - Returns: a refusal when there are too many.
    package mutating func open(_ session: SessionID, at now: Instant) -> Refusal? {
        guard byID.count < Limits.sessionsMax else { return Refusal(.busy, "The node has as many sessions as it takes.") }
        byID[session] = Session(
            phase: .connected, opened: now, lastHeard: now,
            bucket: TokenBucket(rate: Limits.requestsPerSecond, burst: Limits.requestBurst, at: now),
            subscriptions: TokenBucket(rate: Limits.subscriptionsPerSecond, burst: Limits.subscriptionBurst, at: now))
        return nil
    }

    /// - Returns: the device whose queue nobody takes any more.
    package mutating func close(_ session: SessionID) -> DeviceID? {
        guard let removed = byID.removeValue(forKey: session), case .authenticated(let entry) = removed.phase,
            byDevice[entry.device] == session
        else { return nil }
        byDevice[entry.device] = nil
        return entry.device
    }

    /// Counts a frame against the session's bounds.
    package mutating func admit(_ session: SessionID, at now: Instant) -> Refusal? {
        guard var entry = byID[session] else { return Refusal(.badFrame, "The session is closed.") }
        entry.lastHeard = now
        defer { byID[session] = entry }
        if case .authenticated = entry.phase {
            return entry.bucket.take(at: now) ? nil : Refusal(.rateLimited, "More than \(Int(Limits.requestsPerSecond)) requests a second.")
        }
        entry.framesBeforeAuthentication += 1
        return entry.framesBeforeAuthentication <= Limits.framesBeforeAuthenticationMax
            ? nil : Refusal(.authenticationFailed, "Too many frames before authentication.")
    }

    package mutating func maySubscribe(_ session: SessionID, at now: Instant) -> Bool {
        byID[session]?.subscriptions.take(at: now) ?? false
    }

    /// Answers the first frame with this node's proof, bound to the client's nonce and the certificate it was shown.
    package mutating func hello(
        _ session: SessionID, versions: VersionRange, nonce: Bytes32, using random: inout some RandomNumberGenerator
    ) -> Result<NodeFrame, Refusal> {
        guard case .connected? = byID[session]?.phase else { return .failure(Refusal(.badFrame, "hello was said already.")) }
        guard let version = VersionRange.current.common(with: versions) else {
            let (low, high) = (VersionRange.current.lowest, VersionRange.current.highest)
            return .failure(Refusal(.versionUnsupported, "This node speaks versions \(low) to \(high)."))
        }
        let nodeNonce = random.bytes32()
        byID[session]?.phase = .greeted(clientNonce: nonce, nodeNonce: nodeNonce)
        let proof = SessionProof.node(clientNonce: nonce, nodeNonce: nodeNonce, certificateHash: certificateHash)
        return .success(
            .welcome(
                version: version, node: node, federation: federation, nonce: nodeNonce, certificateHash: certificateHash,
                signature: key.sign(proof, for: .nodeSession)))
    }

    /// - Parameter record: the newest record of the user, if there is one.
    package mutating func authenticate(_ session: SessionID, _ proof: Authentication, record: UserRecord?) -> Verdict {
        guard case .greeted(let clientNonce, let nodeNonce)? = byID[session]?.phase else {
            return .refused(Refusal(.badFrame, "authenticate comes once, after hello."))
        }
        let body = SessionProof.device(
            node: node, clientNonce: clientNonce, nodeNonce: nodeNonce, user: proof.user, device: proof.device)
        // One answer for an unknown user, an unknown device and a wrong signature: a stranger learns nothing.
        guard proof.signature.isValid(over: body, for: .session, by: proof.device), let record,
            record.devices.contains(where: { $0.device == proof.device })
        else { return .refused(Refusal(.authenticationFailed, "No such user and device here, or a wrong signature.")) }
        guard record.home == node else { return .refused(Refusal(.notHome, "The user's home is node \(record.home.hex).")) }
        let entry = RosterEntry(user: proof.user, device: proof.device)
        let old = byDevice[proof.device]
        byID[session]?.phase = .authenticated(entry)
        byDevice[proof.device] = session
        if let old { byID[old]?.phase = .connected }
        return .authenticated(entry, replacing: old)
    }

    /// Sessions that did not authenticate in time or fell silent.
    package func overdue(at now: Instant) -> [(session: SessionID, refusal: Refusal)] {
        byID.compactMap { id, session in
            if case .authenticated = session.phase {
                now - session.lastHeard > Limits.sessionIdleTimeout ? (id, Refusal(.busy, "The session was silent for too long.")) : nil
            } else {
                now - session.opened > Limits.authenticationTimeout
                    ? (id, Refusal(.authenticationFailed, "The session did not authenticate in time.")) : nil
            }
        }.sorted { $0.session < $1.session }
    }
}
