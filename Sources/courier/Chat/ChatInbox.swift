internal import ChatScreen
internal import Foundation
internal import Synchronization

/// Updates on their way to the screen. They are taken all at once, so that a burst of them is one drawing.
final class ChatInbox: Sendable {
    /// More wait only while the terminal takes nothing; then they are dropped and the client is asked anew.
    static let updatesMax = 20_000

    struct Taken {
        var updates: [ChatUpdate] = []
        /// Some were dropped.
        var isIncomplete = false
        var isClosed = false
    }

    private let waiting = Mutex(Taken())
    /// A byte in it wakes the loop.
    private let wake: Int32

    init(wake: Int32) { self.wake = wake }

    func send(_ update: ChatUpdate) {
        change { taken in
            if taken.updates.count >= Self.updatesMax {
                taken.updates = []
                taken.isIncomplete = true
            }
            taken.updates.append(update)
        }
    }

    /// The client is gone: the chat ends once what was sent before is shown.
    func close() { change { $0.isClosed = true } }

    func take() -> Taken {
        waiting.withLock { taken in
            defer { taken = Taken() }
            return taken
        }
    }

    private func change(_ body: (inout Taken) -> Void) {
        waiting.withLock { body(&$0) }
        var byte: UInt8 = 0
        // A full pipe wakes as well.
        _ = write(wake, &byte, 1)
    }
}
