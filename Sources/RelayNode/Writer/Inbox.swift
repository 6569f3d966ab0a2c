internal import Federation
internal import Synchronization
internal import Vocabulary

/// What waits for the writer: filled by event loops, emptied by the writer's. Its bound is the network's: a connection whose frames are not
/// processed is not read (`Limits.unprocessedBytesMax`).
final class Inbox: Sendable {
    /// One input, and whose credit to give back once it is dealt with.
    struct Item: Sendable {
        enum Source: Sendable {
            case session(SessionID, bytes: Int)
            case link(LinkID, bytes: Int)
            case local

            /// What the frame costs of a connection's credit.
            var bytes: Int {
                switch self {
                case .session(_, let bytes), .link(_, let bytes): bytes
                case .local: 0
                }
            }
        }

        let input: NodeInput
        let source: Source
    }

    private struct State {
        var items: [Item] = []
        var isStopped = false
        /// The writer will come by itself.
        var isExpected = true
        var wake: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    /// - Parameter wake: makes the writer take what is here; called once for all that is posted until it does.
    func open(wake: @escaping @Sendable () -> Void) {
        state.withLock { $0.wake = wake }
        wake()
    }

    func post(_ input: NodeInput, from source: Item.Source = .local) { change { $0.items.append(Item(input: input, source: source)) } }

    func stop() { change { $0.isStopped = true } }

    private func change(_ body: (inout State) -> Void) {
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            body(&state)
            guard !state.isExpected else { return nil }
            state.isExpected = true
            return state.wake
        }
        wake?()
    }

    var isEmpty: Bool { state.withLock { $0.items.isEmpty } }

    /// Everything that waits.
    func take() -> (items: [Item], isStopped: Bool) {
        state.withLock { state in
            state.isExpected = false
            defer { state.items = [] }
            return (state.items, state.isStopped)
        }
    }
}
