internal import Synchronization
internal import Vocabulary

/// Bytes of received frames that wait for the writer, of all connections together. Above the bound no socket is read, so that a slow
/// disk becomes TCP back-pressure instead of memory.
final class Inflow: Sendable {
    private let bytes = Atomic<Int>(0)
    let bytesMax: Int
    private let waiters = Mutex<[@Sendable () -> Void]>([])

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    var waiting: Int { bytes.load(ordering: .relaxed) }
    var isFull: Bool { waiting >= bytesMax }

    func add(_ count: Int) { bytes.wrappingAdd(count, ordering: .relaxed) }

    /// - Parameter body: called each time that it has fallen below half of the bound: whoever waits may read again.
    func whenDrained(_ body: @escaping @Sendable () -> Void) { waiters.withLock { $0.append(body) } }

    func release(_ count: Int) {
        let (old, new) = bytes.wrappingSubtract(count, ordering: .relaxed)
        guard old >= bytesMax / 2, new < bytesMax / 2 else { return }
        for wake in waiters.withLock({ $0 }) { wake() }
    }
}

/// What one connection has waiting for the writer.
struct Credit {
    private(set) var frames = 0
    private(set) var bytes = 0

    var isUsedUp: Bool { frames >= Limits.unprocessedFramesPerConnectionMax || bytes >= Limits.unprocessedBytesPerConnectionMax }

    /// More is not even decoded, though it has been read.
    var isFull: Bool { frames >= Limits.decodedFramesPerConnectionMax }

    /// - Returns: what the frame costs.
    mutating func take(frameBytes: Int) -> Int {
        let cost = frameBytes + Limits.unprocessedFrameOverheadBytes
        frames += 1
        bytes += cost
        return cost
    }

    mutating func giveBack(frames count: Int, bytes cost: Int) {
        frames = max(0, frames - count)
        bytes = max(0, bytes - cost)
    }
}
