package import Vocabulary

/// Messages of a session that must wait behind one that was refused for now. A client hands over many before it hears what became of the
/// first: with room again meanwhile those behind it would be numbered before it, and people would read them in another order than written.
///
/// What comes first the count of what the device has sealed tells: of those that were refused the lowest is taken next. A message that was
/// sealed anew has a new count, under its old id.
/// Source: docs/protocol/client-session.md, "Messages out".
package struct HeldBack: Sendable {
    private struct Hold: Sendable {
        /// Those that were refused and have not come again, and their counts.
        var waiting: [MessageID: UInt64] = [:]
        var refusal: Refusal
        var until: Instant
    }

    /// Of one session.
    private struct Holds: Sendable {
        var byConversation: [ConversationID: Hold] = [:]
        /// Messages that wait in all of them.
        var count = 0
        var sweptAt: Instant?

        mutating func remove(_ conversation: ConversationID) {
            count -= byConversation.removeValue(forKey: conversation)?.waiting.count ?? 0
        }

        mutating func note(_ message: MessageID, _ order: UInt64, in conversation: ConversationID) {
            if byConversation[conversation]?.waiting.updateValue(order, forKey: message) == nil { count += 1 }
        }

        /// Room for one more; holds that are over make some, and are looked for once a second.
        mutating func hasRoom(at now: Instant) -> Bool {
            if count < Limits.heldBackMax { return true }
            if let sweptAt, now - sweptAt < .seconds(1) { return false }
            sweptAt = now
            byConversation = byConversation.filter { now < $0.value.until }
            count = byConversation.values.reduce(0) { $0 + $1.waiting.count }
            return count < Limits.heldBackMax
        }
    }

    private var holds: [SessionID: Holds] = [:]

    package init() {}

    /// Messages that are held back.
    package var count: Int { holds.values.reduce(0) { $0 + $1.count } }

    /// - Parameter order: the device's count, as submitted.
    /// - Returns: why a message is not to be taken yet.
    package mutating func refusal(of submission: Submission, _ order: UInt64, in session: SessionID, at now: Instant) -> Refusal? {
        let conversation = submission.conversation
        guard submission.kind.isMessage, var all = holds[session],
            let (refusal, until) = all.byConversation[conversation].map({ ($0.refusal, $0.until) })
        else { return nil }
        defer { holds[session] = all.byConversation.isEmpty ? nil : all }
        // Out of the way while it is worked on, so that nothing is copied.
        holds[session] = nil
        if all.byConversation[conversation]?.waiting.removeValue(forKey: submission.message) != nil { all.count -= 1 }
        guard now < until, let lowest = all.byConversation[conversation]?.waiting.values.min() else {
            all.remove(conversation)
            return nil
        }
        guard order > lowest else { return nil }
        if all.hasRoom(at: now) { all.note(submission.message, order, in: conversation) }
        return refusal
    }

    package mutating func refused(_ submission: Submission, _ order: UInt64, _ refusal: Refusal, in session: SessionID, at now: Instant) {
        guard submission.kind.isMessage, refusal.code.isTransient else { return }
        let conversation = submission.conversation
        let hasRoom = holds[session, default: Holds()].hasRoom(at: now)
        guard hasRoom || holds[session]?.byConversation[conversation] != nil else { return }
        let until = now + Limits.heldBackFor
        holds[session]?.byConversation[conversation, default: Hold(refusal: refusal, until: until)].refusal = refusal
        holds[session]?.byConversation[conversation]?.until = until
        if hasRoom { holds[session]?.note(submission.message, order, in: conversation) }
    }

    package mutating func close(_ session: SessionID) { holds[session] = nil }
}

extension SubmissionKind {
    fileprivate var isMessage: Bool { if case .application = self { true } else { false } }
}
