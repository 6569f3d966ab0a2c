internal import Vocabulary

/// Requests of sessions that wait for another node's `group`. Gone with their session.
struct GroupRequests: Sendable {
    static let perSessionMax = 16
    /// For the next part; and for all of them.
    static let timeout = Duration.seconds(10)
    static let timeoutInAll = Duration.seconds(60)

    struct Request: Sendable {
        let session: SessionID
        let request: RequestID
        let node: NodeID
        /// Parts come in order.
        fileprivate var next: UInt16 = 0
        fileprivate var deadline = Instant.start
        fileprivate var until = Instant.start

        init(session: SessionID, request: RequestID, node: NodeID) { (self.session, self.request, self.node) = (session, request, node) }
    }

    private var byID: [RequestID: Request] = [:]
    private var bySession: [SessionID: Set<RequestID>] = [:]
    /// When one may be overdue; never later than one is.
    private(set) var nextDeadline: Instant?

    subscript(id: RequestID) -> Request? { byID[id] }

    func hasRoom(for session: SessionID) -> Bool { bySession[session, default: []].count < Self.perSessionMax }

    mutating func add(_ id: RequestID, _ request: Request, at now: Instant) {
        var request = request
        (request.deadline, request.until) = (now + Self.timeout, now + Self.timeoutInAll)
        byID[id] = request
        bySession[request.session, default: []].insert(id)
        nextDeadline = min(nextDeadline ?? request.deadline, request.deadline)
    }

    /// A part of an answer.
    /// - Returns: whose it is; nil unless it is the next one of somebody's.
    mutating func take(_ part: AnswerPart, of id: RequestID, from peer: NodeID, at now: Instant) -> Request? {
        guard let request = byID[id], request.node == peer, part.index == request.next else { return nil }
        if part.index + 1 >= part.count {
            remove(id)
        } else {
            byID[id]?.next += 1
            byID[id]?.deadline = min(now + Self.timeout, request.until)
        }
        return request
    }

    mutating func remove(_ id: RequestID) {
        guard let request = byID.removeValue(forKey: id) else { return }
        bySession[request.session]?.remove(id)
        if bySession[request.session]?.isEmpty == true { bySession[request.session] = nil }
    }

    mutating func close(_ session: SessionID) {
        for id in bySession.removeValue(forKey: session) ?? [] { byID[id] = nil }
    }

    /// - Returns: those that have waited too long, or for this node, in the order in which they came.
    mutating func removeOverdue(at now: Instant, of gone: NodeID?) -> [Request] {
        guard gone != nil || nextDeadline.map({ $0 <= now }) == true else { return [] }
        let overdue = byID.filter { $0.value.deadline <= now || $0.value.node == gone }.sorted { $0.key.value < $1.key.value }
        for (id, _) in overdue { remove(id) }
        nextDeadline = byID.values.map(\.deadline).min()
        return overdue.map(\.value)
    }
}
