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
        past.append(
            PastEpoch(
                epoch: epoch, ownLeaf: ownLeaf, closedAt: host.now, contextBytes: current.contextBytes,
                senderData: current.secrets.senderData, leaves: current.state.tree.leaves, secretTree: current.secretTree))
        resumptions.append(ResumptionSecret(epoch: epoch, secret: current.secrets.resumption))
        changes.noteEpoch(from: current.state.tree, of: epoch, to: next.state.tree)
        current = next
        ownUpdates = []
        if let ending { life = .ended(ending) }
        forget(host: host)
    }

    /// Drops past epochs that are too many or too old. Called by every commit; a caller that idles may call it by its clock.
    public mutating func forget(host: GroupHost) {
        let excess = max(0, past.count - max(0, host.bounds.pastEpochs))
        past.removeFirst(excess)
        past.removeAll { host.now > $0.closedAt && host.now - $0.closedAt > host.bounds.pastEpochSeconds }
        resumptions.removeFirst(max(0, resumptions.count - max(0, host.bounds.resumptionEpochs)))
        changes.past = true
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
