internal import Cryptography
internal import Vocabulary

/// Joining by Welcome (RFC 9420 §12.4.3.1). Nothing is stored or used up before all of it is checked: a refused join leaves no trace.
extension Group {
    /// - Parameters:
    ///   - tree: where the Welcome does not carry it.
    ///   - former: the group that this one continues (ReInit) or branches off, when that is known.
    /// - Throws: `noMatchingKeyPackage` when the Welcome is for others; `groupAlreadyKnown`; or the rule that is broken.
    public static func join(
        _ welcome: [UInt8], with own: OwnKeyPackage, tree given: [UInt8]? = nil, former: Group? = nil, host: GroupHost
    ) throws(MLSError) -> Group {
        try joinNamingSigner(welcome, with: own, tree: given, former: former, host: host).group
    }

    /// - Returns: also the leaf that has signed the GroupInfo. Group and tree are as that member says, whoever has handed them over.
    public static func joinNamingSigner(
        _ welcome: [UInt8], with own: OwnKeyPackage, tree given: [UInt8]? = nil, former: Group? = nil, host: GroupHost
    ) throws(MLSError) -> (group: Group, signer: UInt32) {
        guard case .welcome(let welcome) = try MLSMessage(welcome).body else { throw .wrongContentType }
        let suite = try welcome.cipherSuite.provider()
        let reference = own.package.reference(suite)
        guard own.package.cipherSuite == welcome.cipherSuite,
            let entry = welcome.entries.first(where: { $0.newMember == reference })
        else { throw .noMatchingKeyPackage }
        var opened = try suite.open(entry.secrets, with: own.initKey, label: "Welcome", context: welcome.encryptedGroupInfo)
        defer { wipe(&opened) }
        let secrets = try GroupSecrets(exactly: opened)
        let link = try Link(secrets.preSharedKeys)
        let pskSecret = try joinerKeys(secrets.preSharedKeys, former: former, host: host, suite)
        let joiner = JoinerSecrets(joiner: secrets.joinerSecret, pskSecret: pskSecret, suite)
        let key = joiner.welcomeKey(suite)
        let info: GroupInfo
        do {
            info = try GroupInfo(
                exactly: try suite.open(welcome.encryptedGroupInfo, key: key.key, nonce: key.nonce, authenticating: []))
        } catch let error as MLSError { throw error } catch { throw .decryptionFailed("group info") }
        guard !host.knows(info.context.groupID) else { throw .groupAlreadyKnown }
        var tree = try info.checked(given, host: host, suite)
        // Ours is among the leaves that were checked: so we support all that the group uses (§13.4).
        guard let place = tree.members.first(where: { $0.leaf == own.package.leaf }) else { throw .noMatchingKeyPackage }
        var mine = PrivateTree(leaf: place.index, key: own.leafKey)
        if let pathSecret = secrets.pathSecret {
            try mine.derive(pathSecret, signer: info.signer, in: tree, suite)
        }
        let context = info.context.encoded
        let epoch = joiner.epoch(context: context, suite)
        let tag = suite.mac(info.context.confirmedTranscriptHash, key: epoch.confirmation)
        guard constantTimeEqual(tag, info.confirmationTag) else { throw .invalidConfirmationTag }
        try link?.check(info, tree: tree, former: former)
        _ = tree.treeHash(suite)
        let state = PublicState(
            context: info.context, tree: tree,
            interimTranscriptHash: Transcript.interim(after: info.context.confirmedTranscriptHash, tag: tag, suite),
            confirmationTag: tag)
        var group = Group(current: Current(state: state, mine: mine, secrets: epoch, signer: own.signer))
        group.changes.everything = true
        return (group, info.signer)
    }

    private static func joinerKeys(
        _ ids: [PreSharedKeyID], former: Group?, host: GroupHost, _ suite: any SuiteProvider
    ) throws(MLSError) -> Secret {
        var keys: [(id: PreSharedKeyID, key: Secret)] = []
        for id in ids {
            guard id.nonce.count == suite.hashLength else { throw .invalidProposals(.preSharedKeyNonce) }
            var key: Secret?
            if case .resumption(_, let group, let epoch) = id.kind, group == former?.id {
                key = former?.resumptionSecret(epoch: epoch)
            }
            guard let key = key ?? host.preSharedKey(id.kind) else { throw .missingPreSharedKey }
            keys.append((id, key))
        }
        return PreSharedKeys.secret(keys, suite)
    }
}

extension PrivateTree {
    /// The keys above us that the commit renewed, from the secret of the lowest of them.
    mutating func derive(
        _ pathSecret: Secret, signer: UInt32, in tree: RatchetTree, _ suite: any SuiteProvider
    ) throws(MLSError) {
        guard pathSecret.count == suite.hashLength, signer != leaf else { throw .invalidGroupInfo(.pathSecretMismatch) }
        let path = tree.filteredDirectPath(signer)
        guard let start = path.firstIndex(where: { TreeMath.contains($0.node, leaf: leaf) }) else {
            throw .invalidGroupInfo(.pathSecretMismatch)
        }
        let secrets = try PathSecrets(from: pathSecret, count: path.count - start, suite)
        for (step, key) in zip(path[start...], secrets.keys) {
            guard tree.encryptionKey(step.node) == key.publicKey else { throw .invalidGroupInfo(.pathSecretMismatch) }
            keys[step.node] = key
        }
    }
}

/// The tie of a new group to the one before (§11.2, §11.3): a single resumption PSK of usage reinit or branch.
private struct Link {
    let usage: PreSharedKeyID.Usage
    let group: [UInt8]
    let epoch: UInt64

    /// - Returns: nil when there is none.
    init?(_ ids: [PreSharedKeyID]) throws(MLSError) {
        var found: [(PreSharedKeyID.Usage, [UInt8], UInt64)] = []
        for id in ids {
            if case .resumption(let usage, let group, let epoch) = id.kind, usage != .application {
                found.append((usage, group, epoch))
            }
        }
        guard found.count <= 1 else { throw .invalidGroupInfo(.resumptionMixed) }
        guard let only = found.first else { return nil }
        (usage, group, epoch) = only
    }

    func check(_ info: GroupInfo, tree: RatchetTree, former: Group?) throws(MLSError) {
        guard info.context.epoch == 1 else { throw .invalidGroupInfo(.resumptionEpoch) }
        guard let former, former.id == group else { throw .missingPreSharedKey }
        let old = former.members.map(\.leaf.credential)
        let new = tree.members.map(\.leaf.credential)
        switch usage {
        case .application: return
        case .reInit:
            guard let plan = former.successorParameters, former.epoch == epoch, plan.groupID == info.context.groupID,
                plan.version == 1, plan.cipherSuite == info.context.cipherSuite, plan.extensions == info.context.extensions
            else { throw .invalidGroupInfo(.reInitMismatch) }
            guard old.allSatisfy({ new.contains($0) }) else { throw .invalidGroupInfo(.members) }
        case .branch:
            guard former.cipherSuite == info.context.cipherSuite else { throw .invalidGroupInfo(.branchMismatch) }
            guard new.allSatisfy({ old.contains($0) }) else { throw .invalidGroupInfo(.members) }
        }
    }
}
