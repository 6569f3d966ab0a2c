internal import Cryptography
internal import Vocabulary

/// A commit's proposals, resolved: each with who proposed it. The committer's own for those by value.
struct ProposalList {
    struct Item {
        let proposal: Proposal
        let sender: Sender
        /// Whether `cache` has already checked what the proposal is by itself.
        let isChecked: Bool
    }

    enum Committer: Equatable {
        case member(UInt32)
        /// An external commit; its leaf is assigned once the list is applied.
        case newcomer
    }

    let items: [Item]
    let committer: Committer
    /// Set in the first commit of a successor or a branch.
    var linking: PreSharedKeyID.Usage?

    init(items: [Item], committer: Committer, linking: PreSharedKeyID.Usage? = nil) {
        (self.items, self.committer, self.linking) = (items, committer, linking)
    }

    /// - Throws: `unknownProposal` for a reference that is not among the epoch's proposals.
    init(_ commit: Commit, committer: Committer, cached: [PublicState.CachedProposal]) throws(MLSError) {
        guard commit.items.count <= Limits.mlsCommitItemsMax else { throw .invalidProposals(.tooMany) }
        var items: [Item] = []
        let places = Dictionary(cached.indices.map { (cached[$0].reference, $0) }, uniquingKeysWith: { first, _ in first })
        for item in commit.items {
            switch item {
            case .proposal(let proposal):
                let sender: Sender = if case .member(let leaf) = committer { .member(leaf) } else { .newMemberCommit }
                items.append(Item(proposal: proposal, sender: sender, isChecked: false))
            case .reference(let reference):
                guard committer != .newcomer else { throw .invalidProposals(.referenceInExternalCommit) }
                guard let known = places[reference].map({ cached[$0] }) else { throw .unknownProposal }
                items.append(Item(proposal: known.proposal, sender: known.sender, isChecked: true))
            }
        }
        self.init(items: items, committer: committer)
    }

    var requiresPath: Bool { items.isEmpty || items.contains { $0.proposal.requiresPath } }

    /// The rules of §12.2 that need no tree.
    func check(_ suite: any SuiteProvider) throws(MLSError) {
        switch committer {
        case .member(let committer): try checkRegular(committer)
        case .newcomer: try checkExternal()
        }
        var identifiers: Set<PreSharedKeyID> = []
        for case .preSharedKey(let id) in items.map(\.proposal) {
            try PublicState.check(id, linking: linking, suite)
            guard identifiers.insert(id).inserted else { throw .invalidProposals(.samePreSharedKeyTwice) }
        }
    }

    private func checkRegular(_ committer: UInt32) throws(MLSError) {
        var touched: Set<UInt32> = []
        var extensionLists = 0
        for item in items {
            switch item.proposal {
            case .update:
                guard case .member(let leaf) = item.sender else { throw .invalidProposals(.updateByNonMember) }
                guard leaf != committer else { throw .invalidProposals(.ownUpdate) }
                guard touched.insert(leaf).inserted else { throw .invalidProposals(.sameLeafTwice(leaf)) }
            case .remove(let leaf):
                guard leaf != committer else { throw .invalidProposals(.removesCommitter) }
                guard touched.insert(leaf).inserted else { throw .invalidProposals(.sameLeafTwice(leaf)) }
            case .groupContextExtensions:
                extensionLists += 1
                guard extensionLists == 1 else { throw .invalidProposals(.extensionsTwice) }
            case .reInit(let reInit):
                guard items.count == 1 else { throw .invalidProposals(.reInitWithOthers) }
                guard reInit.version >= 1 else { throw .invalidProposals(.reInitVersion) }
                try reInit.extensions.checkUnique()
            case .externalInit: throw .invalidProposals(.externalInitInside)
            case .add, .preSharedKey: break
            }
        }
    }

    private func checkExternal() throws(MLSError) {
        var (inits, removes) = (0, 0)
        for item in items {
            switch item.proposal {
            case .externalInit: inits += 1
            case .remove: removes += 1
            case .preSharedKey: break
            case .add, .update, .reInit, .groupContextExtensions: throw .invalidProposals(.notAllowedInExternalCommit)
            }
        }
        guard inits == 1 else { throw .invalidProposals(.externalInitCount(inits)) }
        guard removes <= 1 else { throw .invalidProposals(.removesInExternalCommit(removes)) }
    }
}

/// The group after a commit's proposals (§12.3), before its path.
struct Provisional {
    var tree: RatchetTree
    var extensions: [MLSExtension]
    var added: [(leaf: UInt32, package: KeyPackage)] = []
    var updated: [UInt32] = []
    var removed: [(leaf: UInt32, node: LeafNode)] = []
    var preSharedKeys: [PreSharedKeyID] = []
    var externalInit: [UInt8]?
    var reInit: ReInit?

    var addedLeaves: Set<UInt32> { Set(added.map(\.leaf)) }

    /// Checks a list against the group and applies it.
    /// - Parameter sending: whether we are making the commit: lifetimes are then checked strictly.
    init(_ list: ProposalList, to state: PublicState, host: GroupHost, sending: Bool, _ suite: any SuiteProvider) throws(MLSError) {
        try list.check(suite)
        (tree, extensions) = (state.tree, state.context.extensions)
        for case .groupContextExtensions(let new) in list.items.map(\.proposal) {
            try new.checkUnique()
            extensions = new
        }
        let rules = try LeafRules(suite, groupID: state.context.groupID, extensions: extensions, host: host)
        let extensionsChange = extensions != state.context.extensions
        if extensionsChange { try rules.checkExternalSenders() }
        for item in list.items {
            guard case .update(let leaf) = item.proposal, case .member(let index) = item.sender else { continue }
            guard let previous = tree.leaf(index) else { throw .invalidProposals(.notAMember(index)) }
            if item.isChecked {
                try rules.checkRequired(leaf)
            } else {
                try PublicState.checkUpdate(leaf, at: index, previous: previous, rules)
            }
            tree.update(index, leaf)
            updated.append(index)
        }
        for item in list.items {
            guard case .remove(let index) = item.proposal else { continue }
            guard let leaf = tree.leaf(index) else { throw .invalidProposals(.notAMember(index)) }
            tree.remove(index)
            removed.append((index, leaf))
        }
        for item in list.items {
            switch item.proposal {
            case .add(let package):
                if item.isChecked && !sending {
                    try rules.checkRequired(package.leaf)
                } else {
                    try package.check(suite, host: host)
                    try rules.check(package.leaf, at: 0, sending ? .keyPackage : .add)
                }
                added.append((try tree.add(package.leaf), package))
            case .preSharedKey(let id): preSharedKeys.append(id)
            case .externalInit(let output): externalInit = output
            case .reInit(let value): reInit = value
            case .update, .remove, .groupContextExtensions: break
            }
        }
        try tree.checkFit(of: updated + added.map(\.leaf))
        try tree.checkApart(updated + added.map(\.leaf))
        if extensionsChange {
            for (index, leaf) in tree.members {
                do { try rules.checkRequired(leaf) } catch { throw .invalidProposals(.requiredCapabilityUnsupported(member: index)) }
            }
        }
    }
}
