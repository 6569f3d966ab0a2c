internal import Glibc
internal import Histories
internal import Synchronization
internal import Vocabulary

/// What all clients of a run saw, as it happens: fed to the project's checker at once, so that a run of a million messages need not be
/// held; and, if wanted, written to a file.
final class ProofHistory: Sendable {
    struct Counts {
        var events = 0
        var invoked = 0
        var sent = 0
        var accepted = 0
        /// Delivered to everybody, or failed.
        var settled = 0
        var failed = 0
        var shown = 0
        var alarms = 0
        var receipts = 0
    }

    private struct State {
        var checker: HistoryChecker
        var counts = Counts()
        var names: [UserID: String] = [:]
        var file: UnsafeMutablePointer<FILE>?
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - file: where to write the lines; nil: nowhere.
    ///   - allowsTombstones: where old copies are put back, not everything can be read.
    init(file: String? = nil, allowsTombstones: Bool = false) {
        var state = State(checker: HistoryChecker(HistoryRules(isExact: true, allowsTombstones: allowsTombstones)))
        if let file { state.file = fopen(file, "w") }
        self.state = Mutex(state)
    }

    var counts: Counts { state.withLock { $0.counts } }

    func know(_ user: UserID, as name: String) { state.withLock { $0.names[user] = name } }
    func name(of user: UserID) -> String { state.withLock { $0.names[user] ?? user.short } }

    func note(_ client: String, _ what: HistoryEvent.What) {
        state.withLock { state in
            // Within the lock, so that times rise.
            let event = HistoryEvent(LoadClock.now.nanoseconds, client, what)
            state.counts.take(what)
            state.checker.take(event)
            if let file = state.file { fputs(event.line + "\n", file) }
        }
    }

    /// All that is wrong; the history is over.
    func conclude() -> [Violation] {
        state.withLock { state in
            if let file = state.file { fclose(file) }
            state.file = nil
            return state.checker.conclude()
        }
    }
}

extension ProofHistory.Counts {
    fileprivate mutating func take(_ what: HistoryEvent.What) {
        events += 1
        switch what {
        case .invoke: invoked += 1
        case .ok(_, .sent, _, _): sent += 1
        case .ok(_, .accepted, _, _): accepted += 1
        case .fail:
            failed += 1
            settled += 1
        case .show: shown += 1
        case .alarm: alarms += 1
        case .receipt: receipts += 1
        default: break
        }
    }
}
