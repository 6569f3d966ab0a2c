package import Vocabulary

/// Who may admit and expel, and through which counter: the part of the evaluation in which statements void each other.
///
/// An Expel stands if its signer is an admin by standing statements and no standing Expel of that signer has a lower `lastN`. That
/// sentence speaks of itself, so it is settled in rounds (the well-founded semantics of logic programs): what stands even if every
/// doubtful Expel stood, stands; what stands not even if no doubtful one stood, is void. Only circles stay in doubt ("A expels B" against
/// "B expels A"): there the most senior of the circle prevails, and the rounds begin anew without the circle's Expels of it.
/// Source: docs/protocol/membership.md §3.
package struct Authority {
    package struct Vote: Hashable {
        package let id: Digest
        package let signer, subject: NodeID
        package let n: UInt64
        /// Of an Expel; 0 for an Admit.
        package let lastN: UInt64

        package init(id: Digest, signer: NodeID, subject: NodeID, n: UInt64, lastN: UInt64) {
            (self.id, self.signer, self.subject, self.n, self.lastN) = (id, signer, subject, n, lastN)
        }
    }

    /// What one key says of another, as far as it may say it: its statements of one kind, by their counters.
    private struct Relation {
        let signer, subject: Int
        /// Rising by counter; and the least `lastN` through each.
        private(set) var votes: [Vote]
        private(set) var lastN: [UInt64] = []

        init(_ votes: [Vote], _ signer: Int, _ subject: Int) {
            (self.signer, self.subject) = (signer, subject)
            self.votes = votes.sorted { ($0.n, $0.id) < ($1.n, $1.id) }
            lastN.reserveCapacity(votes.count)
            for vote in self.votes { lastN.append(min(vote.lastN, lastN.last ?? .max)) }
        }

        /// How many of them hold: what holds begins with the lowest counter.
        func held(in view: View) -> Int {
            guard view.rank[signer] != nil else { return 0 }
            let limit = view.cut[signer]
            if let last = votes.last, last.n <= limit { return votes.count }
            var (low, high) = (0, votes.count)
            while low < high {
                let middle = (low + high) / 2
                if votes[middle].n <= limit { low = middle + 1 } else { high = middle }
            }
            return low
        }

        /// - Returns: those that count no more.
        mutating func keep(_ count: Int) -> [Vote] {
            defer {
                votes.removeSubrange(count...)
                lastN.removeSubrange(count...)
            }
            return Array(votes[count...])
        }
    }

    /// What holds if a given set of Expels holds. By the place of a key in `keys`.
    private struct View: Equatable {
        /// Admins from senior to junior: the founder, whom the founder admitted in the order of counters, whom these admitted …
        var rank: [Int?]
        /// The highest counter that counts; of those whom no Expel names, all.
        var cut: [UInt64]
    }

    /// Possible admins, rising: others void nothing.
    private let keys: [NodeID]
    private let places: [NodeID: Int]
    private let founder: Int
    /// By signer, each list rising by the first counter of a subject: any later one says no more.
    private let admits: [[Relation]]
    private var expels: [Relation]
    private var overruled: Set<Digest> = []
    private var settled: View

    package init(founder: NodeID, adminAdmits: [Vote], expels: [Vote]) {
        keys = Set(adminAdmits.map(\.subject)).union([founder]).sorted()
        let places = Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1, $0) })
        func relations(_ votes: [Vote]) -> [Relation] {
            Dictionary(grouping: votes) { Pair(signer: $0.signer, subject: $0.subject) }.compactMap { pair, votes in
                guard let signer = places[pair.signer], let subject = places[pair.subject] else { return nil }
                return Relation(votes, signer, subject)
            }
        }
        var admits = [[Relation]](repeating: [], count: keys.count)
        for relation in relations(adminAdmits) { admits[relation.signer].append(relation) }
        for place in admits.indices {
            admits[place].sort { one, other in
                guard let one = one.votes.first, let other = other.votes.first else { return false }
                return (one.n, one.id) < (other.n, other.id)
            }
        }
        (self.admits, self.places) = (admits, places)
        self.expels = relations(expels).sorted { ($0.signer, $0.subject) < ($1.signer, $1.subject) }
        self.founder = places[founder] ?? 0
        settled = View(rank: [], cut: [])
        settle()
    }

    private struct Pair: Hashable { let signer, subject: NodeID }

    /// 0 is the founder; nil: no admin.
    package func seniority(_ node: NodeID) -> Int? { places[node].flatMap { settled.rank[$0] } }

    /// Whether an Admit or Expel counts.
    package func holds(_ vote: Vote) -> Bool {
        guard let signer = places[vote.signer], settled.rank[signer] != nil else { return false }
        return vote.n <= settled.cut[signer] && !overruled.contains(vote.id)
    }

    private mutating func settle() {
        // Each turn puts one more key beyond doubt, so there are at most as many turns as admins.
        while true {
            // What stands even if all that may stand stood, and what may stand if that alone does.
            var possible = view(nil)
            var certain = view(possible)
            while true {
                let fewer = view(certain)
                if fewer == possible { break }
                (possible, certain) = (fewer, view(fewer))
            }
            // What is certain has risen and what is possible fallen from round to round; equal, they are the one solution.
            let doubtful = expels.indices.filter { expels[$0].held(in: possible) != expels[$0].held(in: certain) }
            if doubtful.isEmpty {
                settled = possible
                return
            }
            for place in againstMostSenior(doubtful, certain: certain, possible: possible) {
                // Those too that are not even possible: that they hold not is certain.
                overruled.formUnion(expels[place].keep(expels[place].held(in: certain)).map(\.id))
            }
        }
    }

    /// - Parameter before: whose Expels stand; nil: none do.
    private func view(_ before: View?) -> View {
        var view = View(rank: Array(repeating: nil, count: keys.count), cut: Array(repeating: .max, count: keys.count))
        if let before {
            for expel in expels {
                let held = expel.held(in: before)
                if held > 0 { view.cut[expel.subject] = min(view.cut[expel.subject], expel.lastN[held - 1]) }
            }
        }
        view.rank[founder] = 0
        var order = [founder]
        var next = 0
        while next < order.count {
            for admit in admits[order[next]] where view.rank[admit.subject] == nil && admit.held(in: view) > 0 {
                view.rank[admit.subject] = order.count
                order.append(admit.subject)
            }
            next += 1
        }
        return view
    }

    /// Whose Expels to overrule: in a circle of keys that no doubtful statement from outside reaches, those of its most senior key. They
    /// exist: whoever admitted that key ranks above it, is not in the circle, and so is beyond doubt; only Expels can make it doubtful.
    private func againstMostSenior(_ doubtful: [Int], certain: View, possible: View) -> [Int] {
        var forward = [[Int]](repeating: [], count: keys.count)
        var backward = forward
        func add(_ relation: Relation) {
            forward[relation.signer].append(relation.subject)
            backward[relation.subject].append(relation.signer)
        }
        for place in doubtful { add(expels[place]) }
        for admit in admits.joined() where admit.held(in: possible) != admit.held(in: certain) { add(admit) }
        // The last root of a depth-first search lies in a component that no other leads into; then all that leads to
        // it is that component (Kosaraju).
        let circle = lastRoot(of: forward).map { reach(from: $0, along: backward) } ?? []
        let inside = doubtful.filter { circle.contains(expels[$0].signer) && circle.contains(expels[$0].subject) }
        let senior = inside.map { expels[$0].subject }.min { possible.rank[$0] ?? .max < possible.rank[$1] ?? .max }
        // Never seen; but others chose these statements, so it must end in an answer and not in a trap.
        guard let senior else { return doubtful }
        return inside.filter { expels[$0].subject == senior }
    }

    private func lastRoot(of edges: [[Int]]) -> Int? {
        var seen: Set<Int> = []
        var last: Int?
        // In order, since the choice among several circles must be everybody's.
        for root in edges.indices where !edges[root].isEmpty && !seen.contains(root) {
            last = root
            seen.formUnion(reach(from: root, along: edges))
        }
        return last
    }

    private func reach(from start: Int, along edges: [[Int]]) -> Set<Int> {
        var seen: Set<Int> = [start]
        var open = [start]
        while let key = open.popLast() {
            for next in edges[key] where seen.insert(next).inserted { open.append(next) }
        }
        return seen
    }
}
