internal import Cryptography
internal import Vocabulary

/// What a commit is to do.
public struct CommitPlan: Sendable {
    /// Committed by value, in this order, after the referenced ones.
    public var proposals: [Proposal] = []
    /// Which of the pending proposals to take up: nil for all that go together and with `proposals` (§12.2 says which to prefer).
    public var references: [[UInt8]]?
    /// A path is made where it must be, and by default wherever it may be: it heals a compromise (§12.4). False leaves it out of commits that only add.
    public var refreshesPath = true
    public var authenticatedData: [UInt8] = []
    /// A new signing key, credential, capabilities or leaf extensions; needs the path.
    public var identity: MemberIdentity?
    /// Whether Welcome and GroupInfo carry the tree; otherwise newcomers must get it elsewhere.
    public var includesTree = true
    /// Extensions for the GroupInfo of the Welcome, beside the tree.
    public var groupInfoExtensions: [MLSExtension] = []
    /// Set by `commitPrivately`.
    var isPrivate = false

    public init(_ proposals: [Proposal] = []) { self.proposals = proposals }
}

/// A commit that was made but not merged: the group has not changed. Store it before sending, for it may become public; merge it when the
/// Delivery Service has accepted it, drop it when another commit won.
public struct PendingCommit: Equatable, Sendable {
    /// An MLSMessage, for the group.
    public let message: [UInt8]
    /// An MLSMessage for the newcomers, to leave only once the commit is accepted (§14).
    public let welcome: [UInt8]?
    public let summary: CommitSummary
    /// What it was made upon.
    let base: [UInt8]
    let next: Group.Current
    let ending: ReInit?

    /// The GroupInfo of the epoch that the commit begins, with the external key; an MLSMessage. For a hub that takes both in one transaction.
    public func groupInfo(includesTree: Bool = true, extensions: [MLSExtension] = []) throws(MLSError) -> [UInt8] {
        guard ending == nil else { throw .groupEnded }
        return try next.externalInfo(includesTree: includesTree, extensions: extensions)
    }

    public var welcomedReferences: [[UInt8]] { welcome.flatMap { try? MLSMessage($0).welcomedReferences } ?? [] }
}

extension Group {
    /// Makes a commit (§12.4.1).
    /// - Throws: the rule of §12.2 that the proposals break, with the proposal at fault where one is.
    public func commit(
        _ plan: CommitPlan = CommitPlan(), host: GroupHost, using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> PendingCommit {
        let suite = try suite()
        return try draft(plan, linking: nil, host: host, suite, using: &random) { (authenticated, _) throws(MLSError) in
            protectPublicly(authenticated, suite)
        }
    }

    /// Makes a commit that travels encrypted. Uses up a handshake key, so the group's ratchet steps: store `takeChanges()` with it.
    public mutating func commitPrivately(
        _ plan: CommitPlan = CommitPlan(), host: GroupHost, using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> PendingCommit {
        var plan = plan
        plan.isPrivate = true
        let suite = try suite()
        var stepped = self
        let pending = try draft(plan, linking: nil, host: host, suite, using: &random) {
            (authenticated, random) throws(MLSError) in
            try stepped.protect(authenticated, paddedTo: 1, suite, using: &random)
        }
        self = stepped
        return pending
    }

    /// Into the epoch that our own commit begins.
    /// - Throws: `staleCommit` when the group has moved since the commit was made.
    public mutating func merge(_ pending: PendingCommit, host: GroupHost) throws(MLSError) {
        try checkActive()
        guard pending.base == current.state.interimTranscriptHash, pending.next.state.context.epoch == (try context.nextEpoch()) else {
            throw .staleCommit
        }
        advance(to: pending.next, ending: pending.ending, host: host)
    }

    func draft<R: RandomNumberGenerator>(
        _ plan: CommitPlan, linking: (usage: PreSharedKeyID.Usage, key: Secret)?, host: GroupHost, _ suite: any SuiteProvider,
        using random: inout R, protect: (AuthenticatedContent, inout R) throws(MLSError) -> [UInt8]
    ) throws(MLSError) -> PendingCommit {
        try checkActive()
        var (items, list) = try resolve(plan, linking: linking?.usage)
        var provisional: Provisional
        do {
            provisional = try Provisional(list, to: current.state, host: host, sending: true, suite)
        } catch {
            // One member's odd proposal must not keep all others from committing.
            guard plan.references == nil, !current.state.proposals.isEmpty else { throw error }
            var lenient = plan
            lenient.references = try sound(plan, linking: linking?.usage, host: host, suite)
            (items, list) = try resolve(lenient, linking: linking?.usage)
            provisional = try Provisional(list, to: current.state, host: host, sending: true, suite)
        }
        let hasPath = list.requiresPath || (plan.refreshesPath && provisional.reInit == nil) || plan.identity != nil
        var context = current.state.context
        context.epoch = try context.nextEpoch()
        context.extensions = provisional.extensions
        var mine = current.mine
        mine.prune(for: provisional.tree)
        var path: DraftPath?
        if hasPath {
            guard let old = provisional.tree.leaf(ownLeaf) else { throw .noLeaf(ownLeaf) }
            let identity = plan.identity ?? MemberIdentity(signer: current.signer, leaf: old)
            path = try DraftPath(
                &provisional, leaf: ownLeaf, identity: identity, occasion: .commit(previous: old), context: context, host: host,
                suite, using: &random)
            path?.install(in: &mine)
        }
        let commit = Commit(items: items, path: path?.update)
        let wireFormat = plan.isPrivate ? WireFormat.privateMessage : WireFormat.publicMessage
        let content = FramedContent(
            groupID: id, epoch: epoch, sender: .member(ownLeaf), authenticatedData: plan.authenticatedData, body: .commit(commit))
        var authenticated = AuthenticatedContent(
            signing: content, wireFormat: wireFormat, context: current.contextBytes, with: current.signer, suite)
        let pskSecret: Secret
        if let linking {
            pskSecret = PreSharedKeys.secret(provisional.preSharedKeys.map { ($0, linking.key) }, suite)
        } else {
            pskSecret = try preSharedKeySecret(provisional.preSharedKeys, host: host, suite)
        }
        let finish = Finish(
            state: current.state, provisional: provisional, context: context, committer: ownLeaf,
            initSecret: current.secrets.initial, commitSecret: path?.secrets.commitSecret ?? suite.zeros, pskSecret: pskSecret)
        let (state, joiner, secrets) = finish.run(&authenticated, suite)
        let message = try protect(authenticated, &random)
        let signer = plan.identity?.signer ?? current.signer
        let next = Current(state: state, mine: mine, secrets: secrets, signer: signer)
        let welcome = try next.welcome(
            provisional, joiner: joiner, path: path, plan: plan, suite, using: &random)
        return PendingCommit(
            message: message, welcome: welcome, summary: finish.summary(state, hasPath: hasPath, isExternal: false),
            base: current.state.interimTranscriptHash, next: next, ending: provisional.reInit)
    }

    /// Tries pending proposals one after the other, and leaves out those that make the list invalid.
    /// - Throws: the rule that `plan.proposals` break by themselves.
    private func sound(
        _ plan: CommitPlan, linking: PreSharedKeyID.Usage?, host: GroupHost, _ suite: any SuiteProvider
    ) throws(MLSError) -> [[UInt8]] {
        var trial = plan
        trial.references = []
        _ = try Provisional(resolve(trial, linking: linking).list, to: current.state, host: host, sending: true, suite)
        var sound: [[UInt8]] = []
        for reference in current.state.compatible(with: plan.proposals, committer: ownLeaf).prefix(Limits.mlsProposalsTriedMax) {
            trial.references = sound + [reference]
            guard let list = try? resolve(trial, linking: linking).list,
                (try? Provisional(list, to: current.state, host: host, sending: true, suite)) != nil
            else { continue }
            sound.append(reference)
        }
        return sound
    }

    private func resolve(
        _ plan: CommitPlan, linking: PreSharedKeyID.Usage?
    ) throws(MLSError) -> (items: [Commit.Item], list: ProposalList) {
        var items: [Commit.Item] = []
        let chosen = Set(plan.references ?? current.state.compatible(with: plan.proposals, committer: ownLeaf))
        for cached in current.state.proposals where chosen.contains(cached.reference) {
            items.append(.reference(cached.reference))
        }
        guard items.count == plan.references.map({ Set($0).count }) ?? items.count else { throw .unknownProposal }
        items += plan.proposals.map { .proposal($0) }
        let commit = Commit(items: items, path: nil)
        var list = try ProposalList(commit, committer: .member(ownLeaf), cached: current.state.proposals)
        list.linking = linking
        return (items, list)
    }
}

extension MemberIdentity {
    /// What the leaf says now.
    init(signer: SignatureKeyPair, leaf: LeafNode) {
        let lifetime: Lifetime = if case .keyPackage(let lifetime) = leaf.source { lifetime } else { Lifetime(notBefore: 0, notAfter: 0) }
        self.init(
            signer: signer, credential: leaf.credential, capabilities: leaf.capabilities, extensions: leaf.extensions,
            lifetime: lifetime)
    }
}

/// A path of ours: made, put on the tree, sealed to the others (§7.5).
struct DraftPath {
    let update: UpdatePath
    let secrets: PathSecrets
    let nodes: [UInt32]
    let leaf: UInt32
    let leafKey: EncapsulationKey

    init(
        _ provisional: inout Provisional, leaf: UInt32, identity: MemberIdentity, occasion: IdentityClaim.Occasion,
        context: GroupContext, host: GroupHost, _ suite: any SuiteProvider, using random: inout some RandomNumberGenerator
    ) throws(MLSError) {
        self.leaf = leaf
        leafKey = try random.encapsulationKey(suite)
        let path = provisional.tree.filteredDirectPath(leaf)
        nodes = path.map(\.node)
        secrets = try PathSecrets(from: random.secret(suite.hashLength), count: path.count, suite)
        let parentHash = provisional.tree.setPath(path, keys: secrets.keys.map(\.publicKey), leaf: leaf, suite)
        let node = LeafNode(
            signing: identity.content(encryptionKey: leafKey.publicKey, source: .commit(parentHash: parentHash)),
            place: (context.groupID, leaf), with: identity.signer, suite)
        let rules = try LeafRules(suite, groupID: context.groupID, extensions: provisional.extensions, host: host)
        try rules.check(node, at: leaf, occasion, signatureChecked: true)
        provisional.tree.set(leaf: leaf, node)
        try provisional.tree.checkFit(of: [leaf])
        var context = context
        context.treeHash = provisional.tree.treeHash(suite)
        let sealed = try provisional.tree.sealPath(
            path, secrets, excluding: provisional.addedLeaves, context: context.encoded, suite, using: &random)
        update = UpdatePath(leaf: node, nodes: sealed)
    }

    func install(in mine: inout PrivateTree) {
        mine.keys[leaf * 2] = leafKey
        for (node, key) in zip(nodes, secrets.keys) { mine.keys[node] = key }
    }

    /// For a newcomer: the secret of the lowest node that is above both of us.
    func secret(for newcomer: UInt32) -> Secret? {
        let ancestor = TreeMath.commonAncestor(leaf, newcomer)
        return nodes.firstIndex(of: ancestor).map { secrets.secrets[$0] }
    }
}

/// The end of making a commit: transcript, key schedule, confirmation tag.
struct Finish {
    let state: PublicState
    let provisional: Provisional
    let context: GroupContext
    let committer: UInt32
    let initSecret, commitSecret, pskSecret: Secret

    func run(
        _ authenticated: inout AuthenticatedContent, _ suite: any SuiteProvider
    ) -> (PublicState, JoinerSecrets, EpochSecrets) {
        var (context, tree) = (context, provisional.tree)
        context.treeHash = tree.treeHash(suite)
        context.confirmedTranscriptHash = Transcript.confirmed(after: state.interimTranscriptHash, authenticated, suite)
        let encoded = context.encoded
        let joiner = JoinerSecrets(
            initSecret: initSecret, commitSecret: commitSecret, pskSecret: pskSecret, context: encoded, suite)
        let secrets = joiner.epoch(context: encoded, suite)
        let tag = suite.mac(context.confirmedTranscriptHash, key: secrets.confirmation)
        authenticated.confirmationTag = tag
        let next = PublicState(
            context: context, tree: tree,
            interimTranscriptHash: Transcript.interim(after: context.confirmedTranscriptHash, tag: tag, suite),
            confirmationTag: tag)
        return (next, joiner, secrets)
    }

    func summary(_ next: PublicState, hasPath: Bool, isExternal: Bool) -> CommitSummary {
        CommitSummary(
            epoch: next.context.epoch, committer: committer, isExternal: isExternal,
            added: provisional.added.map(\.leaf) + (isExternal ? [committer] : []), updated: provisional.updated,
            removed: provisional.removed.map { RemovedMember(leaf: $0.leaf, node: $0.node) }, hasPath: hasPath,
            reInit: provisional.reInit, preSharedKeys: provisional.preSharedKeys)
    }
}
