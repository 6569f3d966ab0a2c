internal import Cryptography

/// Applying a commit of somebody else (RFC 9420 §12.4.2).
extension Group {
    mutating func apply(
        _ authenticated: AuthenticatedContent, host: GroupHost, _ suite: any SuiteProvider
    ) throws(MLSError) -> Received {
        if case .member(ownLeaf) = authenticated.content.sender { throw .ownMessage }
        let staged = try StagedCommit(authenticated, on: current.state, host: host, suite)
        guard let tag = authenticated.confirmationTag else { throw .invalidConfirmationTag }
        if staged.provisional.removed.contains(where: { $0.leaf == ownLeaf }) {
            leave(state: staged.state(confirmationTag: tag, suite))
            return .removed(staged.summary)
        }
        let pskSecret = try preSharedKeySecret(staged.provisional.preSharedKeys, host: host, suite)
        var mine = current.mine
        var signer = current.signer
        if staged.provisional.updated.contains(ownLeaf) {
            guard let leaf = staged.provisional.tree.leaf(ownLeaf),
                let update = ownUpdates.first(where: { $0.key.publicKey == leaf.encryptionKey })
            else { throw .unknownProposal }
            mine = PrivateTree(leaf: ownLeaf, key: update.key)
            signer = update.signer
        }
        mine.prune(for: staged.provisional.tree)
        let commitSecret: Secret
        if let path = staged.path {
            commitSecret = try staged.provisional.tree.open(
                path, sender: staged.committer, mine: &mine, excluding: staged.provisional.addedLeaves,
                context: staged.provisionalContext, suite
            ).commitSecret
        } else {
            commitSecret = suite.zeros
        }
        let initSecret = try initSecret(staged.provisional.externalInit, suite)
        let context = staged.context.encoded
        let secrets = JoinerSecrets(
            initSecret: initSecret, commitSecret: commitSecret, pskSecret: pskSecret, context: context, suite
        ).epoch(context: context, suite)
        let expected = suite.mac(staged.context.confirmedTranscriptHash, key: secrets.confirmation)
        guard constantTimeEqual(expected, tag) else { throw .invalidConfirmationTag }
        let next = Current(state: staged.state(confirmationTag: tag, suite), mine: mine, secrets: secrets, signer: signer)
        advance(to: next, ending: staged.provisional.reInit, host: host)
        return .commit(staged.summary, authenticatedData: authenticated.content.authenticatedData)
    }

    /// §8.3: from the epoch before, or from the newcomer of an external commit.
    func initSecret(_ output: [UInt8]?, _ suite: any SuiteProvider) throws(MLSError) -> Secret {
        guard let output else { return current.secrets.initial }
        let key = try EpochSecrets.externalKey(current.secrets.external, suite)
        return try crypto("external init") { () throws(CryptoError) in
            try suite.exportReceiving(output, with: key, context: externalInitLabel)
        }
    }

    func preSharedKeySecret(
        _ ids: [PreSharedKeyID], host: GroupHost, _ suite: any SuiteProvider
    ) throws(MLSError) -> Secret {
        var keys: [(id: PreSharedKeyID, key: Secret)] = []
        for id in ids {
            let own: Secret? =
                if case .resumption(.application, group: self.id, let epoch) = id.kind { resumptionSecret(epoch: epoch) } else { nil }
            guard let key = own ?? host.preSharedKey(id.kind) else { throw .missingPreSharedKey }
            keys.append((id, key))
        }
        return PreSharedKeys.secret(keys, suite)
    }

    /// Into the next epoch; the one that ends is kept for late messages within the bounds.
    mutating func advance(to next: Current, ending: ReInit?, host: GroupHost) {
        let (old, new) = (current.state.tree, next.state.tree)
        let changedLeaves = old.leaves.changes(to: new.leaves)
        var ended = current.secretTree
        changes.note(&ended, epoch: epoch)
        past.append(
            PastEpoch(
                epoch: epoch, ownLeaf: ownLeaf, closedAt: host.now, contextBytes: current.contextBytes,
                senderData: current.secrets.senderData, leaves: old.leaves, changedLeaves: changedLeaves, secretTree: ended))
        resumptions.append(ResumptionSecret(epoch: epoch, secret: current.secrets.resumption))
        changes.note(from: old, to: new)
        changes.keys.formUnion([.general, .proposals, .pastEpoch(epoch), .resumption(epoch)])
        for leaf in changedLeaves { changes.keys.insert(.pastLeaf(epoch: epoch, leaf: leaf)) }
        current = next
        changes.keys.insert(.secretNode(epoch: epoch, node: new.root))
        ownUpdates = []
        if let ending { life = .ended(ending) }
        forget(host: host)
    }

    /// Drops past epochs that are too many or too old. Every commit does it; a caller that idles may do it by its clock.
    public mutating func forget(host: GroupHost) {
        let excess = max(0, past.count - max(0, host.bounds.pastEpochs))
        let old = past.enumerated().filter { index, item in
            index < excess || (host.now > item.closedAt && host.now - item.closedAt > host.bounds.pastEpochSeconds)
        }
        for (_, item) in old { changes.noteForgotten(item) }
        let gone = Set(old.map(\.element.epoch))
        past.removeAll { gone.contains($0.epoch) }
        for item in resumptions.dropLast(max(0, host.bounds.resumptionEpochs)) { changes.keys.insert(.resumption(item.epoch)) }
        resumptions.removeFirst(max(0, resumptions.count - max(0, host.bounds.resumptionEpochs)))
    }

    /// After a resync: what late messages of before are opened with, from the group that the new one replaces. Its own messages among
    /// them are still told apart by the leaf that we had then.
    public mutating func inheritPast(of old: Group, host: GroupHost) {
        guard old.id == id, old.epoch < epoch, old.life != .removed, past.isEmpty else { return }
        past = old.past
        resumptions = old.resumptions + [ResumptionSecret(epoch: old.epoch, secret: old.current.secrets.resumption)]
        let (then, now) = (old.current.state.tree, current.state.tree)
        past.append(
            PastEpoch(
                epoch: old.epoch, ownLeaf: old.ownLeaf, closedAt: host.now, contextBytes: old.current.contextBytes,
                senderData: old.current.secrets.senderData, leaves: then.leaves,
                changedLeaves: then.leaves.changes(to: now.leaves), secretTree: old.current.secretTree))
        changes.everything = true
        forget(host: host)
    }

    /// We were removed: the public state stays for the record, every secret goes.
    mutating func leave(state: PublicState) {
        let none = Secret([])
        current.state = state
        current.contextBytes = state.context.encoded
        current.mine.keys = [:]
        current.secrets = KeptSecrets(
            senderData: none, exporter: none, external: none, membership: none, resumption: none, authenticator: none,
            initial: none)
        current.secretTree = SecretTree(leafCount: 1, nodes: [:], ratchets: [:])
        (past, resumptions, ownUpdates, life) = ([], [], [], .removed)
        changes.everything = true
    }
}

/// The exporter context of external init (§8.3).
let externalInitLabel = Array("MLS 1.0 external init secret".utf8)
