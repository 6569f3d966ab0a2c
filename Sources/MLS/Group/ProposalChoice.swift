/// Which pending proposals a committer takes up when the caller does not say (RFC 9420 §12.2): as many as go together. A Remove is
/// preferred to an Update, the latest Update to earlier ones, everything to a ReInit.
extension PublicState {
    /// - Parameter proposals: what is committed by value, which comes first.
    /// - Returns: references, in the order of the pool.
    func compatible(with proposals: [Proposal], committer: UInt32) -> [[UInt8]] {
        var removed = Set(proposals.compactMap { if case .remove(let leaf) = $0 { leaf } else { nil } })
        let stated = removed
        for item in self.proposals { if case .remove(let leaf) = item.proposal, leaf != committer { removed.insert(leaf) } }
        var updated: [UInt32: [UInt8]] = [:]
        for item in self.proposals {
            if case .update = item.proposal, case .member(let leaf) = item.sender { updated[leaf] = item.reference }
        }
        let lastExtensions = self.proposals.last { if case .groupContextExtensions = $0.proposal { true } else { false } }?.reference
        let statesExtensions = proposals.contains { if case .groupContextExtensions = $0 { true } else { false } }
        var keys = Set(tree.members.filter { !removed.contains($0.index) }.map(\.leaf.signatureKey))
        for case .add(let package) in proposals { keys.insert(package.leaf.signatureKey) }
        var taken = stated
        var preSharedKeys = Set(proposals.compactMap { if case .preSharedKey(let id) = $0 { id } else { nil } })
        var chosen: [[UInt8]] = []
        for item in self.proposals {
            let isTaken: Bool
            switch item.proposal {
            case .add(let package): isTaken = keys.insert(package.leaf.signatureKey).inserted
            case .update:
                guard case .member(let leaf) = item.sender else { continue }
                isTaken = leaf != committer && !removed.contains(leaf) && updated[leaf] == item.reference
            case .remove(let leaf): isTaken = leaf != committer && taken.insert(leaf).inserted
            case .preSharedKey(let id): isTaken = preSharedKeys.insert(id).inserted
            case .groupContextExtensions: isTaken = !statesExtensions && item.reference == lastExtensions
            case .reInit, .externalInit: isTaken = false
            }
            if isTaken { chosen.append(item.reference) }
        }
        if chosen.isEmpty, proposals.isEmpty,
            let reInit = self.proposals.first(where: { if case .reInit = $0.proposal { true } else { false } })
        {
            return [reInit.reference]
        }
        return chosen
    }
}
