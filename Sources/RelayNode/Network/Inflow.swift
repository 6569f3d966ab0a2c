internal import Synchronization
internal import Vocabulary

/// Bytes of received frames that wait for the writer, of all connections together. Above the bound no socket is read, so that a slow
/// disk becomes TCP back-pressure instead of memory.
final class Inflow: Sendable {
    private let bytes = Atomic<Int>(0)
    let bytesMax: Int

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    var waiting: Int { bytes.load(ordering: .relaxed) }
    var isFull: Bool { waiting >= bytesMax }

    func add(_ count: Int) { bytes.wrappingAdd(count, ordering: .relaxed) }

    /// - Returns: true when this brought it below half of the bound: whoever waits may read again.
    func release(_ count: Int) -> Bool {
        let (old, new) = bytes.wrappingSubtract(count, ordering: .relaxed)
        return old >= bytesMax / 2 && new < bytesMax / 2
    }
}

/// What one connection has waiting for the writer.
struct Credit {
    private(set) var frames = 0
    private(set) var bytes = 0

    var isUsedUp: Bool { frames >= Limits.unprocessedFramesPerConnectionMax || bytes >= Limits.unprocessedBytesPerConnectionMax }

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
