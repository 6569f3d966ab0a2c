internal import Vocabulary

/// Messages of a session that must wait behind one that was refused for now. A client hands over many before it hears what became of the
/// first: with room again meanwhile those behind it would be numbered before it, and people would read them in another order than written.
///
/// What comes first the count of what the device has sealed tells: of those that were refused the lowest is taken next. A message that was
/// sealed anew has a new count, under its old id.
/// Source: docs/protocol/client-session.md, "Messages out".
struct HeldBack: Sendable {
    private struct Hold: Sendable {
        /// Those that were refused and have not come again, and their counts.
        var waiting: [MessageID: UInt64] = [:]
        var refusal: Refusal
        var until: Instant
    }

    private var holds: [SessionID: [ConversationID: Hold]] = [:]

    /// - Parameter order: the device's count, as submitted.
    /// - Returns: why a message is not to be taken yet.
    mutating func refusal(of submission: Submission, _ order: UInt64, in session: SessionID, at now: Instant) -> Refusal? {
        guard submission.kind.isMessage, var hold = holds[session]?[submission.conversation] else { return nil }
        hold.waiting[submission.message] = nil
        guard now < hold.until, let lowest = hold.waiting.values.min() else {
            holds[session]?[submission.conversation] = nil
            return nil
        }
        if order > lowest, hold.waiting.count < Limits.heldBackMax { hold.waiting[submission.message] = order }
        holds[session]?[submission.conversation] = hold
        return order > lowest ? hold.refusal : nil
    }

    mutating func refused(_ submission: Submission, _ order: UInt64, _ refusal: Refusal, in session: SessionID, at now: Instant) {
        guard submission.kind.isMessage, refusal.code.isTransient else { return }
        var hold = holds[session]?[submission.conversation] ?? Hold(refusal: refusal, until: now)
        guard !hold.waiting.isEmpty || holds[session, default: [:]].count < Limits.heldBackMax else { return }
        (hold.refusal, hold.until) = (refusal, now + Limits.heldBackFor)
        if hold.waiting.count < Limits.heldBackMax { hold.waiting[submission.message] = order }
        holds[session, default: [:]][submission.conversation] = hold
    }

    mutating func close(_ session: SessionID) { holds[session] = nil }
}

extension SubmissionKind {
    fileprivate var isMessage: Bool { if case .application = self { true } else { false } }
}
