internal import Vocabulary

/// The last commits' durations, for `status`: a ring, so that it costs no memory over time.
struct CommitTimes: Sendable {
    private static let capacity = 1024
    private var durations: [Int64] = []
    private var next = 0
    private(set) var count = 0

    mutating func add(_ duration: Duration) {
        count += 1
        if durations.count < Self.capacity {
            durations.append(duration.nanoseconds)
        } else {
            durations[next] = duration.nanoseconds
            next = (next + 1) % Self.capacity
        }
    }

    /// Milliseconds; nil before the first commit.
    func percentile(_ share: Double) -> Double? {
        guard !durations.isEmpty else { return nil }
        let sorted = durations.sorted()
        let index = min(sorted.count - 1, Int(Double(sorted.count) * share))
        return Double(sorted[index]) / 1e6
    }
}
