import Federation
import Vocabulary

/// The rule of docs/protocol/membership.md §3 as it is written there, statement by statement: slow, and easy to compare with it.
struct AuthorityByDefinition {
    typealias Vote = Authority.Vote
    /// What holds if a given set of Expels holds.
    private struct View {
        /// Admins from senior to junior: the founder, whom the founder admitted in the order of counters, whom these admitted …
        var rank: [NodeID: Int] = [:]
        /// The highest counter that counts, for those whom some Expel names.
        var cut: [NodeID: UInt64] = [:]

        func holds(signer: NodeID, n: UInt64) -> Bool { rank[signer] != nil && n <= cut[signer, default: .max] }
        func holds(_ vote: Vote) -> Bool { holds(signer: vote.signer, n: vote.n) }
    }

    private let founder: NodeID
    /// Admits to the role admin by signer, each list rising by counter.
    private let admits: [NodeID: [Vote]]
    /// Expels among possible admins: others void nothing. In the order of ids.
    private let expels: [Vote]
    private var overruled: Set<Digest> = []
    private var settled = View()

    init(founder: NodeID, adminAdmits: [Vote], expels: [Vote]) {
        self.founder = founder
        admits = Dictionary(grouping: adminAdmits, by: \.signer).mapValues { $0.sorted { ($0.n, $0.id) < ($1.n, $1.id) } }
        let possible = Set(adminAdmits.map(\.subject)).union([founder])
        self.expels = expels.filter { possible.contains($0.subject) && possible.contains($0.signer) }.sorted { $0.id < $1.id }
        settle()
    }

    /// 0 is the founder; nil: no admin.
    func seniority(_ node: NodeID) -> Int? { settled.rank[node] }

    /// Whether an Admit or Expel counts.
    func holds(_ vote: Vote) -> Bool { settled.holds(vote) && !overruled.contains(vote.id) }

    private mutating func settle() {
        // Each turn puts one more key beyond doubt, so there are at most as many turns as admins.
        while true {
            var certain: [Vote] = []
            var possible = view(if: certain)
            while true {
                let more = standing(in: view(if: standing(in: possible)))
                if more == certain { break }
                certain = more
                possible = view(if: certain)
            }
            // `certain` has risen and `possible` fallen from round to round; equal, they are the one solution.
            let doubtful = standing(in: possible)
            if doubtful == certain {
                settled = possible
                return
            }
            overruled.formUnion(againstMostSenior(certain: view(if: doubtful), possible: possible))
        }
    }

    private func standing(in view: View) -> [Vote] { expels.filter { view.holds($0) && !overruled.contains($0.id) } }

    private func view(if standing: [Vote]) -> View {
        var view = View()
        for expel in standing { view.cut[expel.subject] = min(expel.lastN, view.cut[expel.subject, default: .max]) }
        view.rank[founder] = 0
        var order = [founder]
        var next = 0
        while next < order.count {
            for admit in admits[order[next], default: []] where view.holds(admit) && view.rank[admit.subject] == nil {
                view.rank[admit.subject] = order.count
                order.append(admit.subject)
            }
            next += 1
        }
        return view
    }

    /// The Expels to overrule: in a circle of keys that no doubtful statement from outside reaches, those of its most senior key. They
    /// exist: whoever admitted that key ranks above it, is not in the circle, and so is beyond doubt; only Expels can make it doubtful.
    private func againstMostSenior(certain: View, possible: View) -> [Digest] {
        let doubtfulExpels = expels.filter { possible.holds($0) && !certain.holds($0) && !overruled.contains($0.id) }
        let doubtfulAdmits = admits.values.joined().filter { possible.holds($0) && !certain.holds($0) }
        var forward: [NodeID: Set<NodeID>] = [:]
        var backward: [NodeID: Set<NodeID>] = [:]
        for vote in doubtfulExpels + doubtfulAdmits {
            forward[vote.signer, default: []].insert(vote.subject)
            backward[vote.subject, default: []].insert(vote.signer)
        }
        // The last root of a depth-first search lies in a component that no other leads into; then all that leads to
        // it is that component (Kosaraju).
        let circle = lastRoot(of: forward).map { reach(from: $0, along: backward) } ?? []
        let inside = doubtfulExpels.filter { circle.contains($0.signer) && circle.contains($0.subject) }
        let senior = inside.map(\.subject).min { possible.rank[$0, default: .max] < possible.rank[$1, default: .max] }
        // Never seen; but others chose these statements, so it must end in an answer and not in a trap.
        guard let senior else { return doubtfulExpels.map(\.id) }
        return inside.filter { $0.subject == senior }.map(\.id)
    }

    private func lastRoot(of edges: [NodeID: Set<NodeID>]) -> NodeID? {
        var seen: Set<NodeID> = []
        var last: NodeID?
        // Sorted, since the choice among several circles must not depend on the order of a Dictionary.
        for root in edges.keys.sorted() where !seen.contains(root) {
            last = root
            seen.formUnion(reach(from: root, along: edges))
        }
        return last
    }

    private func reach(from start: NodeID, along edges: [NodeID: Set<NodeID>]) -> Set<NodeID> {
        var seen: Set<NodeID> = [start]
        var open = [start]
        while let key = open.popLast() {
            for next in edges[key, default: []] where seen.insert(next).inserted { open.append(next) }
        }
        return seen
    }
}
