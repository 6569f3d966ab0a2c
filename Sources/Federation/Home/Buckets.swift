package import Vocabulary

/// So many a second on the long run, so many at once.
struct TokenBucket: Sendable {
    private let rate, burst: Double
    private var tokens: Double
    private var filled: Instant

    init(rate: Double, burst: Double, at now: Instant) {
        (self.rate, self.burst, tokens, filled) = (rate, burst, burst, now)
    }

    mutating func take(at now: Instant) -> Bool {
        fill(at: now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    /// What was taken last was for nothing.
    mutating func giveBack() { tokens = min(burst, tokens + 1) }

    /// From 0, all is taken, to 1, nothing is.
    mutating func level(at now: Instant) -> Double {
        fill(at: now)
        return tokens / burst
    }

    private mutating func fill(at now: Instant) {
        tokens = min(burst, tokens + rate * Double((now - filled).nanoseconds) / 1e9)
        filled = now
    }
}

/// A bucket for each of many keys that others choose. Bounded: a full bucket is as good as none, and when even those that are in use are too
/// many the fullest are forgotten, so that nobody gets rid of his own empty one by filling the table.
package struct Buckets<Key: Hashable & Comparable & Sendable>: Sendable {
    private let rate, burst: Double
    private let countMax: Int
    private var byKey: [Key: TokenBucket] = [:]

    package init(rate: Double, burst: Double, max: Int = Limits.claimCountersMax) { (self.rate, self.burst, countMax) = (rate, burst, max) }

    package var count: Int { byKey.count }

    package mutating func take(_ key: Key, at now: Instant) -> Bool {
        if byKey[key] == nil, byKey.count >= countMax { makeRoom(at: now) }
        return byKey[key, default: TokenBucket(rate: rate, burst: burst, at: now)].take(at: now)
    }

    package mutating func giveBack(_ key: Key) { byKey[key]?.giveBack() }

    private mutating func makeRoom(at now: Instant) {
        var levels: [(level: Double, key: Key)] = []
        for key in byKey.keys { levels.append((byKey[key]?.level(at: now) ?? 1, key)) }
        byKey = byKey.filter { _, bucket in
            var bucket = bucket
            return bucket.level(at: now) < 1
        }
        guard byKey.count > countMax * 3 / 4 else { return }
        levels.sort { ($1.level, $0.key) < ($0.level, $1.key) }
        for (_, key) in levels.prefix(levels.count - countMax * 3 / 4) { byKey[key] = nil }
    }
}

/// Who asks for whom.
struct ClaimPair: Hashable, Comparable, Sendable {
    let asker, target: UserID
    static func < (x: ClaimPair, y: ClaimPair) -> Bool { (x.asker, x.target) < (y.asker, y.target) }
}
