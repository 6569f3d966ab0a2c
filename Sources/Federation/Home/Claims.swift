package import Vocabulary

/// Claims of local users that wait for other nodes: merged into one answer for each request, given up after a while.
/// Source: docs/protocol/node-link.md, "KeyPackages".
package struct Claims: Sendable {
    /// What a session asked and what it is to be told.
    package struct Answer: Sendable {
        package let session: SessionID
        package let request: RequestID
        package let asker: UserID
        package let users: [ClaimedKeyPackages]
    }

    package struct Question: Hashable, Sendable {
        package let id: RequestID
        package let asker: UserID
        package let users: [UserID]
    }

    private struct Claim: Sendable {
        let session: SessionID
        let request: RequestID
        let asker: UserID
        let users: [UserID]
        let deadline: Instant
        var answers: [UserID: ClaimedKeyPackages]
        var open: [NodeID: (users: [UserID], isSent: Bool)]
        var bytes: Int

        var answer: Answer {
            Answer(
                session: session, request: request, asker: asker,
                users: users.map { answers[$0] ?? ClaimedKeyPackages(user: $0, refusal: unreachable) })
        }
    }

    static let unreachable = Refusal(.busy, "The user's node cannot be reached.")
    static let awaited = Refusal(.busy, "The user's node was restored from a backup and waits for the user's device.")
    static let unknown = Refusal(.unknownUser, "No such user is known.")
    static let tooMuch = Refusal(.busy, "The answer is full: claim the rest with another request.")

    private var byID: [RequestID: Claim] = [:]
    /// In the order of their deadlines.
    private var order: ArraySlice<RequestID> = []

    package init() {}

    package var count: Int { byID.count }
    package var nextDeadline: Instant? { order.first.flatMap { byID[$0]?.deadline } }

    /// Why this session cannot wait for more; asked before anything is handed out for the claim.
    package func refusal(for session: SessionID) -> Refusal? {
        guard byID.count < Limits.claimsPendingMax, byID.values.count(where: { $0.session == session }) < Limits.claimsPerSessionMax else {
            return Refusal(.busy, "Too many claims are under way.")
        }
        return nil
    }

    /// - Parameters:
    ///   - answers: what is known already.
    ///   - remote: whom the other nodes are to be asked for.
    package mutating func open(
        _ id: RequestID, session: SessionID, request: RequestID, asker: UserID, users: [UserID], answers: [ClaimedKeyPackages],
        remote: [NodeID: [UserID]], at now: Instant
    ) {
        byID[id] = Claim(
            session: session, request: request, asker: asker, users: users, deadline: now + Limits.claimTimeout,
            answers: Dictionary(answers.map { ($0.user, $0) }, uniquingKeysWith: { first, _ in first }),
            open: remote.mapValues { ($0, false) }, bytes: answers.reduce(0) { $0 + $1.bytes })
        order.append(id)
    }

    /// What the node was not asked over the link that is up now.
    package mutating func takeUnsent(to peer: NodeID) -> [Question] {
        var questions: [Question] = []
        for id in byID.filter({ $0.value.open[peer]?.isSent == false }).keys.sorted() {
            guard let claim = byID[id], let users = claim.open[peer]?.users else { continue }
            byID[id]?.open[peer]?.isSent = true
            questions.append(Question(id: id, asker: claim.asker, users: users))
        }
        return questions
    }

    /// An answer may have been lost: the next link, if it comes in time, is asked again.
    package mutating func linkDown(_ peer: NodeID) {
        for id in byID.filter({ $0.value.open[peer] != nil }).keys { byID[id]?.open[peer]?.isSent = false }
    }

    package func isWaiting(_ id: RequestID, for peer: NodeID) -> Bool { byID[id]?.open[peer] != nil }

    /// - Returns: the whole answer, if this was the last part. Nothing for an answer that nobody waits for from this node.
    package mutating func answered(_ id: RequestID, by peer: NodeID, _ claimed: [ClaimedKeyPackages]) -> Answer? {
        guard var claim = byID[id], let (users, _) = claim.open.removeValue(forKey: peer) else { return nil }
        let asked = Set(users)
        for answer in claimed where asked.contains(answer.user) && claim.answers[answer.user] == nil {
            claim.answers[answer.user] = Self.checked(answer, room: Limits.claimedBytesMax - claim.bytes)
            claim.bytes += claim.answers[answer.user]?.bytes ?? 0
        }
        byID[id] = claim
        return claim.open.isEmpty ? finish(id) : nil
    }

    /// The claims that waited long enough.
    package mutating func expire(at now: Instant) -> [Answer] {
        var answers: [Answer] = []
        // The first is always one that still waits: `finish` sees to it.
        while let first = order.first, let deadline = byID[first]?.deadline, deadline <= now, let answer = finish(first) {
            answers.append(answer)
        }
        return answers
    }

    /// Nobody waits any more.
    package mutating func close(_ session: SessionID) {
        for id in byID.filter({ $0.value.session == session }).keys { _ = finish(id) }
    }

    private mutating func finish(_ id: RequestID) -> Answer? {
        let answer = byID.removeValue(forKey: id)?.answer
        while let first = order.first, byID[first] == nil { order.removeFirst() }
        return answer
    }

    /// Another node's word, in our own words: its sentences would tell the asker more than the codes do.
    private static func checked(_ answer: ClaimedKeyPackages, room: Int) -> ClaimedKeyPackages {
        if let refusal = answer.refusal {
            switch refusal.code {
            case .unknownUser: return ClaimedKeyPackages(user: answer.user, refusal: unknown)
            case .rateLimited:
                return ClaimedKeyPackages(user: answer.user, refusal: Refusal(.rateLimited, "This user was asked for too often of late."))
            default: return ClaimedKeyPackages(user: answer.user, refusal: unreachable)
            }
        }
        let isSound =
            (1...Limits.devicesPerUserMax).contains(answer.packages.count)
            && answer.packages.allSatisfy { (1...Limits.keyPackageBytesMax).contains($0.count) }
        guard isSound else { return ClaimedKeyPackages(user: answer.user, refusal: unknown) }
        return answer.bytes <= room ? answer : ClaimedKeyPackages(user: answer.user, refusal: tooMuch)
    }
}

extension ClaimedKeyPackages {
    var bytes: Int { packages.reduce(0) { $0 + $1.count } }
}
