internal import Cryptography

/// A commit that is right as far as anybody outside can see (RFC 9420 §12.4.2): its proposals and path are applied to the tree, its
/// transcript hash is known. What only members can check, the path secrets and the confirmation tag, comes on top.
struct StagedCommit {
    let provisional: Provisional
    /// The committer's leaf in the new tree.
    let committer: UInt32
    let path: UpdatePath?
    /// Encoded with the old transcript hash: what path secrets are sealed under.
    let provisionalContext: [UInt8]
    /// Of the new epoch.
    let context: GroupContext
    let isExternal: Bool

    init(
        _ authenticated: AuthenticatedContent, on state: PublicState, linking: PreSharedKeyID.Usage? = nil, host: GroupHost,
        _ suite: any SuiteProvider
    ) throws(MLSError) {
        guard case .commit(let commit) = authenticated.content.body else { throw .wrongContentType }
        let who: ProposalList.Committer
        switch authenticated.content.sender {
        case .member(let leaf): who = .member(leaf)
        case .newMemberCommit: who = .newcomer
        case .external, .newMemberProposal: throw .wrongContentType
        }
        var list = try ProposalList(commit, committer: who, cached: state.proposals)
        list.linking = linking
        guard commit.path != nil || !list.requiresPath else { throw .pathRequired }
        var provisional = try Provisional(list, to: state, host: host, sending: false, suite)
        let old: LeafNode?
        switch who {
        case .member(let leaf):
            committer = leaf
            old = state.tree.leaf(leaf)
        case .newcomer:
            committer = try provisional.tree.reserveLeaf()
            old = provisional.removed.first?.node
        }
        isExternal = who == .newcomer
        if let path = commit.path {
            let rules = try LeafRules(suite, groupID: state.context.groupID, extensions: provisional.extensions, host: host)
            guard case .commit = path.leaf.source else { throw .invalidLeaf(.wrongSource) }
            guard path.leaf.encryptionKey != old?.encryptionKey else { throw .invalidPath(.sameLeafKey) }
            let occasion: IdentityClaim.Occasion =
                if let old, !isExternal { .commit(previous: old) } else { .externalCommit(previous: old) }
            try rules.check(path.leaf, at: committer, occasion)
            try provisional.tree.checkUnused([path.leaf.encryptionKey] + path.nodes.map(\.encryptionKey))
            for node in path.nodes where !suite.isUsable(node.encryptionKey) { throw .badKey("path node") }
            try provisional.tree.checkCounts(path, sender: committer, excluding: provisional.addedLeaves)
            try provisional.tree.merge(path, sender: committer, suite)
            try provisional.tree.checkFit(of: [committer])
        }
        self.path = commit.path
        var context = state.context
        context.epoch = try context.nextEpoch()
        context.treeHash = provisional.tree.treeHash(suite)
        context.extensions = provisional.extensions
        provisionalContext = context.encoded
        context.confirmedTranscriptHash = Transcript.confirmed(after: state.interimTranscriptHash, authenticated, suite)
        self.context = context
        self.provisional = provisional
    }

    /// The public state of the new epoch.
    func state(confirmationTag: [UInt8], _ suite: any SuiteProvider) -> PublicState {
        PublicState(
            context: context, tree: provisional.tree,
            interimTranscriptHash: Transcript.interim(after: context.confirmedTranscriptHash, tag: confirmationTag, suite),
            confirmationTag: confirmationTag)
    }

    var summary: CommitSummary {
        CommitSummary(
            epoch: context.epoch, committer: committer, isExternal: isExternal,
            added: provisional.added.map(\.leaf) + (isExternal ? [committer] : []), updated: provisional.updated,
            removed: provisional.removed.map { RemovedMember(leaf: $0.leaf, node: $0.node) }, hasPath: path != nil,
            reInit: provisional.reInit, preSharedKeys: provisional.preSharedKeys)
    }
}

/// What a commit changed.
public struct CommitSummary: Equatable, Sendable {
    /// The epoch that it began.
    public let epoch: UInt64
    public let committer: UInt32
    public let isExternal: Bool
    public let added, updated: [UInt32]
    public let removed: [RemovedMember]
    public let hasPath: Bool
    public let reInit: ReInit?
    public let preSharedKeys: [PreSharedKeyID]
}

public struct RemovedMember: Equatable, Sendable {
    public let leaf: UInt32
    public let node: LeafNode
}
