internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import Vocabulary

/// Somebody who does to a node whatever costs it most.
protocol Flood: AnyObject {
    var tally: FloodTally { get }
    /// Whose conversations are founded before it begins; nil for who has none.
    var traffic: LoadTraffic? { get }
    func begin() throws
    /// Whoever stops it need not know whether somebody has before.
    func stop()
}

extension Flood {
    var traffic: LoadTraffic? { nil }
}

/// Whether a flood is over; turned off once, from any thread. A loop that has ended takes no order any more, so the second who stops a
/// flood must not wait for it.
final class FloodSwitch: Sendable {
    private let isTurnedOff = Atomic(false)
    var isOff: Bool { isTurnedOff.load(ordering: .acquiring) }
    /// - Returns: false when it was off already.
    func turnOff() -> Bool { !isTurnedOff.exchange(true, ordering: .acquiringAndReleasing) }
}

/// What a flood has done, and what it was told. Threads of several loops write to it.
final class FloodTally: Sendable {
    struct Counts {
        var sent = 0
        var connections = 0
        /// Refusals by reason, of messages, requests and connections.
        var refusals: [Refusal.Code: Int] = [:]
        /// Connections that the node ended.
        var ended = 0
    }

    private let counts = Mutex(Counts())
    var now: Counts { counts.withLock { $0 } }

    func sent(_ count: Int) { counts.withLock { $0.sent += count } }
    func connected() { counts.withLock { $0.connections += 1 } }
    func refused(_ refusal: Refusal) { counts.withLock { $0.refusals[refusal.code, default: 0] += 1 } }
    func ended() { counts.withLock { $0.ended += 1 } }
}

/// An event loop that yields to all others: who floods from another machine takes none of this one's CPU.
enum FloodLoop {
    static func make() throws -> MultiThreadedEventLoopGroup {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try yielding(group.next())
        return group
    }

    static func yielding(_ loop: any EventLoop) throws {
        // For the calling thread alone: Linux counts threads as processes here.
        try loop.submit { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19) }.wait()
    }
}
