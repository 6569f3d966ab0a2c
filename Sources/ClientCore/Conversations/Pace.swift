internal import Vocabulary

/// What others are told of a large conversation, one word for all that came in between: at once, then once an interval. Or each message
/// would cost its hub a frame from every member.
struct Pace: Sendable {
    private var next: [ConversationID: Instant] = [:]

    /// From when on it may be told.
    func due(_ id: ConversationID) -> Instant { next[id] ?? .start }

    /// - Returns: whether it is told now; then what comes next has to wait.
    mutating func admits(_ id: ConversationID, at now: Instant) -> Bool {
        guard due(id) <= now else { return false }
        next[id] = now + Limits.receiptInterval
        return true
    }
}
