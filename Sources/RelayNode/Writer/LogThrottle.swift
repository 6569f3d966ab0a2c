package import Vocabulary

/// Keeps what others cause from filling the log: of each kind and node some lines at once, then one in a while, which says how many were left
/// out.
package struct LogThrottle {
    package static let atOnce = 10
    package static let interval = Duration.seconds(10)
    /// Nodes of one kind of line that are told apart; strangers have a new key whenever they like, and share a pace beyond.
    package static let nodesMax = 64

    private struct Key: Hashable {
        let kind: String
        let node: NodeID?
    }

    private struct Pace {
        var lines = 0
        var leftOut = 0
        var since: Instant
    }

    private var paces: [Key: Pace] = [:]

    package init() {}

    /// - Returns: nil for a line that is left out; else how many were before it.
    package mutating func take(_ kind: String, of node: NodeID?, at now: Instant) -> Int? {
        let key = self.key(kind, node, at: now)
        var pace = paces[key] ?? Pace(since: now)
        defer { paces[key] = pace }
        if now - pace.since >= Self.interval {
            let leftOut = pace.leftOut
            // Who has filled it goes on with one line at a time, until it is silent for as long.
            pace = Pace(lines: leftOut > 0 ? Self.atOnce : 1, since: now)
            return leftOut
        }
        guard pace.lines < Self.atOnce else {
            pace.leftOut += 1
            return nil
        }
        pace.lines += 1
        return 0
    }

    private mutating func key(_ kind: String, _ node: NodeID?, at now: Instant) -> Key {
        let own = Key(kind: kind, node: node)
        guard paces[own] == nil, paces.keys.count(where: { $0.kind == kind }) >= Self.nodesMax else { return own }
        paces = paces.filter { $0.key.kind != kind || $0.value.leftOut > 0 || now - $0.value.since < Self.interval }
        return paces.keys.count { $0.kind == kind } < Self.nodesMax ? own : Key(kind: kind, node: nil)
    }
}
