internal import Federation
internal import Synchronization
internal import Vocabulary

/// Who waits for which answer of the core, by request id. Bounded: each waits on a connection of the admin socket.
final class AdminDesk: Sendable {
    private struct Waiting {
        let question: AdminRoutes.Question
        let reply: @Sendable (AdminHTTPResponse) -> Void
    }

    private let state = Mutex<(next: UInt64, waiting: [RequestID: Waiting])>((1, [:]))

    func register(_ question: AdminRoutes.Question, _ reply: @escaping @Sendable (AdminHTTPResponse) -> Void) -> RequestID {
        state.withLock { state in
            let id = RequestID(state.next)
            state.next += 1
            state.waiting[id] = Waiting(question: question, reply: reply)
            return id
        }
    }

    func answer(_ request: RequestID, _ answer: Result<AdminAnswer, AdminError>, _ context: AdminRoutes.Context) {
        guard let waiting = state.withLock({ $0.waiting.removeValue(forKey: request) }) else { return }
        waiting.reply(AdminRoutes.response(to: waiting.question, answer, context))
    }

    func answer(_ request: RequestID, with response: AdminHTTPResponse) {
        state.withLock { $0.waiting.removeValue(forKey: request) }?.reply(response)
    }

    func failAll(_ response: AdminHTTPResponse) {
        let all = state.withLock { state in
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for waiting in all { waiting.reply(response) }
    }
}
