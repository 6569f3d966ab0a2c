internal import Vocabulary

/// Claims still to be passed on, the newest of each node: each message takes those that were told least often (SWIM §4.1).
struct Gossip: Equatable, Sendable {
    private struct Item: Equatable {
        let claim: LivenessClaim
        var told = 0
    }

    private var items: [NodeID: Item] = [:]

    var count: Int { items.count }

    mutating func tell(_ claim: LivenessClaim) { items[claim.node] = Item(claim: claim) }

    mutating func forget(_ node: NodeID) { items[node] = nil }

    /// - Parameters:
    ///   - limit: of claims.
    ///   - times: after which a claim is dropped.
    ///   - but: nodes whose claims the message carries anyway.
    mutating func take(_ limit: Int, times: Int, but: [NodeID]) -> [LivenessClaim] {
        let chosen = items.values
            .filter { !but.contains($0.claim.node) }
            .sorted { ($0.told, $0.claim.node) < ($1.told, $1.claim.node) }
            .prefix(max(limit, 0))
        for item in chosen {
            items[item.claim.node] = item.told + 1 < times ? Item(claim: item.claim, told: item.told + 1) : nil
        }
        return chosen.map(\.claim)
    }
}
