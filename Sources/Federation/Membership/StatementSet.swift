internal import Cryptography
public import Vocabulary

/// The statements a node keeps: the genesis, the Admits and Expels by anyone ever admitted as an admin, void ones too (a later statement
/// may void what voided them), and the newest descriptor of each member. Grows by union.
public struct StatementSet: Equatable, Sendable {
    /// What one merge changed.
    public struct Merged: Equatable, Sendable {
        public var added: [VerifiedStatement] = []
        /// Ids of descriptors that newer ones replaced, or whose node is no member any more.
        public var removed: [Digest] = []
        public var refused: [StatementError] = []

        public var changed: Bool { !added.isEmpty || !removed.isEmpty }
    }

    public let federation: FederationID
    /// Over the sorted ids: equal sets, equal digests.
    public private(set) var digest: Digest = .zero
    public private(set) var evaluation: Evaluation = .empty
    /// In the order they came in, which puts the admission of a signer before what it signed.
    private var order: [VerifiedStatement] = []
    private var ids: Set<Digest> = []
    private var descriptors: [NodeID: VerifiedStatement] = [:]
    /// Who was ever admitted as an admin, whether or not that is void by now: it only grows, so keeping does not depend on order.
    private var everAdmins: Set<NodeID> = []

    public init(federation: FederationID) { self.federation = federation }

    public var count: Int { ids.count }
    public func contains(_ id: Digest) -> Bool { ids.contains(id) }

    /// A receiver can take them in as they come, whatever the chunks: signers before what they signed, descriptors last.
    public var all: [VerifiedStatement] { order + descriptors.values.sorted { $0.signer < $1.signer } }

    public var genesis: VerifiedStatement? { order.first }

    /// The highest counter seen of a signer's Admits and Expels.
    public func lastN(of signer: NodeID) -> UInt64 { order.lazy.filter { $0.signer == signer }.map(\.counter).max() ?? 0 }

    /// Whether its Admits and Expels are kept.
    func isEverAdmin(_ node: NodeID) -> Bool { everAdmins.contains(node) }

    public func descriptor(of node: NodeID) -> NodeDescriptor? { descriptors[node]?.descriptor }

    /// Takes in what is new. The order within `candidates` does not matter.
    public mutating func merge(_ candidates: [VerifiedStatement]) -> Merged {
        var merged = Merged()
        mergeVotes(candidates.filter { $0.descriptor == nil && !ids.contains($0.id) }, into: &merged)
        if !merged.added.isEmpty { evaluation = Evaluation(of: order) }
        mergeDescriptors(candidates.filter { $0.descriptor != nil && !ids.contains($0.id) }, into: &merged)
        guard merged.changed else { return merged }
        evaluation = evaluation.with(descriptors: descriptors.compactMapValues(\.descriptor))
        digest = Hash.blake2b(ids.sorted().flatMap(\.bytes))
        return merged
    }

    private mutating func mergeVotes(_ candidates: [VerifiedStatement], into merged: inout Merged) {
        var waiting = candidates.sorted { ($0.counter, $0.id) < ($1.counter, $1.id) }
        // Again until nothing more goes in: a signer's own admission may stand behind what it signed.
        var progress = true
        while progress {
            progress = false
            var left: [VerifiedStatement] = []
            for item in waiting where !ids.contains(item.id) {
                guard item.genesis != nil || everAdmins.contains(item.signer) else {
                    left.append(item)
                    continue
                }
                guard hasRoom(for: item) else {
                    merged.refused.append(.full)
                    continue
                }
                if let genesis = item.genesis { everAdmins.insert(genesis.founder) }
                if case .admit(let admit) = item.statement, admit.role == .admin { everAdmins.insert(admit.subject) }
                order.append(item)
                ids.insert(item.id)
                merged.added.append(item)
                progress = true
            }
            waiting = left
        }
        merged.refused += waiting.map { _ in .unknownSigner }
    }

    private func hasRoom(for item: VerifiedStatement) -> Bool {
        switch item.statement {
        case .genesis, .descriptor: true
        case .admit(let admit):
            count < Limits.statementsMax
                && (admit.role < .admin || everAdmins.contains(admit.subject) || everAdmins.count < Limits.adminsMax)
        case .expel: count < Limits.statementsMax + Limits.expelsReserve
        }
    }

    private mutating func mergeDescriptors(_ candidates: [VerifiedStatement], into merged: inout Merged) {
        var added: [NodeID: VerifiedStatement] = [:]
        for item in candidates {
            guard evaluation.isMember(item.signer) else {
                merged.refused.append(.unknownSigner)
                continue
            }
            let known = added[item.signer] ?? descriptors[item.signer]
            if let known, !item.supersedes(known) { continue }
            if known == nil, count + added.count >= Limits.statementsMax {
                merged.refused.append(.full)
                continue
            }
            added[item.signer] = item
        }
        for (node, item) in added.sorted(by: { $0.key < $1.key }) {
            if let old = descriptors.updateValue(item, forKey: node) { remove(old, into: &merged) }
            ids.insert(item.id)
            merged.added.append(item)
        }
        for (node, item) in descriptors.sorted(by: { $0.key < $1.key }) where !evaluation.isMember(node) {
            descriptors[node] = nil
            remove(item, into: &merged)
        }
    }

    private mutating func remove(_ item: VerifiedStatement, into merged: inout Merged) {
        ids.remove(item.id)
        merged.removed.append(item.id)
    }
}

extension VerifiedStatement {
    var descriptor: NodeDescriptor? { if case .descriptor(let descriptor) = statement { descriptor } else { nil } }

    /// The signer's counter of an Admit or Expel; 0 for a genesis.
    var counter: UInt64 {
        switch statement {
        case .genesis: 0
        case .admit(let admit): admit.n
        case .expel(let expel): expel.n
        case .descriptor(let descriptor): descriptor.version
        }
    }

    fileprivate func supersedes(_ other: VerifiedStatement) -> Bool {
        guard let mine = descriptor, let its = other.descriptor else { return false }
        return mine.supersedes(its, id: id, than: other.id)
    }
}
