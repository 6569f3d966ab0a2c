public import Vocabulary

/// What one node holds of another.
///
/// alive ──silent, claimed──▶ suspect ──deadline, claimed──▶ dead; from each ──higher incarnation──▶ alive   (SWIM §4.2)
struct Health: Equatable, Sendable {
    struct Suspicion: Equatable, Sendable {
        let since: Instant
        /// Members that found the node silent by a probe of their own.
        var confirmedBy: Set<NodeID>
    }

    enum State: Equatable, Sendable {
        case alive
        case suspect(Suspicion)
        case dead

        var claim: LivenessClaim.State {
            switch self {
            case .alive: .alive
            case .suspect: .suspect
            case .dead: .dead
            }
        }
    }

    /// How far above the known one an incarnation may lie. It counts starts and refutations; a liar must not drive it to its end.
    static let incarnationStepMax: UInt64 = 1 << 20

    var state: State = .alive
    /// The subject's own counter; 0 until it is heard of.
    var incarnation: UInt64 = 0
    /// Smoothed round trip of direct pings.
    var roundTrip: Duration?
    /// When it last sent us anything.
    var lastSeen: Instant?
    var changed: Instant

    init(at now: Instant) { changed = now }

    /// Pure; every pair of state and claim is listed.
    func after(_ claim: LivenessClaim.State, incarnation claimed: UInt64, at now: Instant) -> Health {
        guard claimed <= incarnation &+ Self.incarnationStepMax, claimed <= counterMax else { return self }
        var next = self
        switch (state, claim) {
        case (.alive, .alive):
            if claimed > incarnation { next.incarnation = claimed }
            return next
        case (.suspect, .alive), (.dead, .alive):
            guard claimed > incarnation else { return self }
            next.state = .alive
        case (.alive, .suspect):
            guard claimed >= incarnation else { return self }
            next.state = .suspect(Suspicion(since: now, confirmedBy: []))
        case (.suspect, .suspect), (.dead, .suspect):
            guard claimed > incarnation else { return self }
            next.state = .suspect(Suspicion(since: now, confirmedBy: []))
        case (.alive, .dead), (.suspect, .dead):
            guard claimed >= incarnation else { return self }
            next.state = .dead
        case (.dead, .dead):
            if claimed > incarnation { next.incarnation = claimed }
            return next
        }
        next.incarnation = claimed
        next.changed = now
        return next
    }

    /// The subject's own word over its own link. Where somebody has driven what we hold so high, by claims one above the other, that the
    /// subject takes none of it and cannot refute, its word is what counts.
    func after(itsWord own: UInt64, at now: Instant) -> Health {
        guard own <= counterMax, incarnation > own + Self.incarnationStepMax else { return after(.alive, incarnation: own, at: now) }
        var next = self
        next.incarnation = own
        if state != .alive { (next.state, next.changed) = (.alive, now) }
        return next
    }

    /// Exponentially smoothed by an eighth, as TCP does (RFC 6298 §2).
    mutating func measured(_ sample: Duration) {
        roundTrip = roundTrip.map { ($0 * 7 + sample) / 8 } ?? sample
    }
}

/// One member as the operator sees it.
public struct MemberHealth: Hashable, Sendable {
    public let node: NodeID
    public let state: LivenessClaim.State
    public let incarnation: UInt64
    public let roundTrip: Duration?
    /// nil: it has not been heard from since this node started.
    public let lastSeen: Instant?
    /// Since when the state is what it is.
    public let since: Instant

    init(_ node: NodeID, _ health: Health) {
        self.node = node
        state = health.state.claim
        incarnation = health.incarnation
        roundTrip = health.roundTrip
        lastSeen = health.lastSeen
        since = health.changed
    }
}
