/// What memory keeps of a queue: one line an entry, in order of rising positions. The entries themselves are on disk.
struct Outline: Sendable {
    struct Line: Sendable {
        let position: UInt64
        let bytes: UInt32
        /// On whose account: see `Queues.Shares`.
        var share: UInt32 = 0
    }

    private var lines: [Line] = []
    /// Lines before this one are gone; cleared away now and then, so that taking from the front costs nothing.
    private var front = 0
    private(set) var bytes = 0
    /// Of it what stands on nobody's account.
    private(set) var unshared = (entries: 0, bytes: 0)

    var count: Int { lines.count - front }
    var first: Line? { front < lines.count ? lines[front] : nil }
    var last: Line? { front < lines.count ? lines[lines.count - 1] : nil }

    /// - Returns: false for a position that is not above the last.
    mutating func append(_ line: Line) -> Bool {
        if let last, last.position >= line.position { return false }
        lines.append(line)
        count(line, 1)
        return true
    }

    private mutating func count(_ line: Line, _ sign: Int) {
        bytes += sign * Int(line.bytes)
        if line.share == 0 { unshared = (unshared.entries + sign, unshared.bytes + sign * Int(line.bytes)) }
    }

    mutating func removeFirst() {
        guard front < lines.count else { return }
        count(lines[front], -1)
        front += 1
        if front == lines.count {
            lines.removeAll(keepingCapacity: lines.capacity <= 1024)
            front = 0
        } else if front >= 4096, front * 2 >= lines.count {
            lines.removeFirst(front)
            front = 0
        }
    }

    /// - Returns: the line that was there.
    mutating func remove(position: UInt64) -> Line? {
        let index = firstIndex(above: position) - 1
        guard index >= front, lines[index].position == position else { return nil }
        count(lines[index], -1)
        return lines.remove(at: index)
    }

    func contains(position: UInt64) -> Bool {
        let index = firstIndex(above: position) - 1
        return index >= front && lines[index].position == position
    }

    /// How many lines lie above a position.
    func count(above position: UInt64) -> Int { lines.count - firstIndex(above: position) }

    private func firstIndex(above position: UInt64) -> Int {
        var (low, high) = (front, lines.count)
        while low < high {
            let middle = (low + high) / 2
            if lines[middle].position <= position { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
