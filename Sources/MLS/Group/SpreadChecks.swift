/// Signature checks of a whole tree are independent of each other, and nearly all of what a join costs: the caller may lend cores for them.
extension GroupHost {
    /// - Returns: of each index, what `check` said.
    func all(_ count: Int, _ check: @escaping @Sendable (Int) -> Bool) -> [Bool] {
        guard let spread, count > Self.pieceCount else { return (0..<count).map(check) }
        let results = SharedFlags(count)
        let pieces = (count + Self.pieceCount - 1) / Self.pieceCount
        spread(pieces) { piece in
            for index in piece * Self.pieceCount..<min(count, (piece + 1) * Self.pieceCount) {
                if check(index) { results.set(index) }
            }
        }
        return results.flags
    }

    /// Some 3 ms of checks: much more than it costs to hand them to another core.
    private static let pieceCount = 64
}

/// Flags that several threads set, each its own ones: no two touch the same byte, and all have ended before `flags` is read. Hence the
/// sharing is safe. A flag that nobody set stays false.
private final class SharedFlags: @unchecked Sendable {
    private let memory: UnsafeMutableBufferPointer<Bool>

    init(_ count: Int) {
        memory = .allocate(capacity: count)
        memory.initialize(repeating: false)
    }

    deinit { memory.deallocate() }

    func set(_ index: Int) { memory[index] = true }
    var flags: [Bool] { Array(memory) }
}
