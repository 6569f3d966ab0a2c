package import Vocabulary

/// Queues of nobody: names of queues are hashes, so that whose they were is not to be known, and positions rise, so that what comes later is not
/// meant.
package struct Strays: Sendable {
    var queues: [[UInt8]] = []
    var through = QueuePosition.zero
    /// That one fold takes.
    package var rowsMax = 16_384
}

extension SQLiteNodeStore {
    /// As much as a fold takes beside its own work: it must not keep commits waiting.
    private static let bytesMax = 64 << 20

    package var hasStrays: Bool { !strays.queues.isEmpty }

    package func dropQueues(except destinations: [Destination]) throws(StoreError) {
        var (found, last): ([[UInt8]], [UInt8]) = ([], [])
        let known = Set(destinations.map { seal.name($0) })
        while let next = try queue(after: last) {
            if !known.contains(next) { found.append(next) }
            last = next
        }
        (strays.queues, strays.through) = (found, highest)
    }

    /// From queue to queue by the index, not from row to row.
    private func queue(after name: [UInt8]) throws(StoreError) -> [UInt8]? {
        try database.first("SELECT queue FROM entry WHERE queue>? ORDER BY queue LIMIT 1", .blob(name)) { row throws(StoreError) in
            try row.blob(0)
        }
    }

    /// - Returns: those that are left.
    func deleteStrays(_ changes: inout EventChanges) throws(StoreError) -> [[UInt8]] {
        var (left, rows, bytes) = (strays.queues, 0, 0)
        while let queue = left.first, rows < strays.rowsMax, bytes < Self.bytesMax {
            // The index has it all.
            var (last, isAll): (QueuePosition?, Bool) = (nil, true)
            try database.rows(
                "SELECT position, bytes FROM entry WHERE queue=? AND position<=? ORDER BY position LIMIT ?", .blob(queue),
                .integer(Int64(clamping: strays.through.value)), .integer(Int64(strays.rowsMax - rows + 1))
            ) { row throws(StoreError) in
                guard rows < strays.rowsMax, bytes < Self.bytesMax else {
                    isAll = false
                    return
                }
                last = try row.position(0)
                (rows, bytes) = (rows + 1, bytes + Int(clamping: max(0, try row.integer(1))))
            }
            if let last { try delete(queue, through: last, &changes) }
            if isAll { left.removeFirst() }
        }
        return left
    }
}
