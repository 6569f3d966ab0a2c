internal import Federation
internal import Foundation
internal import Vocabulary

/// What waits for the writer: filled by event loops, emptied by one thread. Its bound is the network's: a connection whose frames are not
/// processed is not read (`Limits.unprocessedBytesMax`).
///
/// `@unchecked`: every access holds `condition`.
final class Inbox: @unchecked Sendable {
    /// One input, and whose credit to give back once it is dealt with.
    struct Item {
        enum Source {
            case session(SessionID, bytes: Int)
            case link(LinkID, bytes: Int)
            case local
        }

        let input: NodeInput
        let source: Source
    }

    private let condition = NSCondition()
    private var items: [Item] = []
    private var isStopped = false

    func post(_ input: NodeInput, from source: Item.Source = .local) {
        condition.lock()
        items.append(Item(input: input, source: source))
        let wasEmpty = items.count == 1
        condition.unlock()
        if wasEmpty { condition.signal() }
    }

    var isEmpty: Bool {
        condition.lock()
        defer { condition.unlock() }
        return items.isEmpty
    }

    func stop() {
        condition.lock()
        isStopped = true
        condition.unlock()
        condition.signal()
    }

    /// Everything that waits; waits itself until there is something or the time has come.
    /// - Returns: nil once stopped and empty.
    func take(until deadline: Duration?) -> [Item]? {
        condition.lock()
        defer { condition.unlock() }
        if items.isEmpty, !isStopped {
            if let deadline {
                let seconds = Double(max(0, deadline.nanoseconds)) / 1e9
                if seconds > 0 { _ = condition.wait(until: Date(timeIntervalSinceNow: seconds)) }
            } else {
                condition.wait()
            }
        }
        if items.isEmpty, isStopped { return nil }
        defer { items = [] }
        return items
    }
}
