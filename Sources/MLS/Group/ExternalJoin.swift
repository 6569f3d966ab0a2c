internal import Cryptography
internal import Vocabulary

/// A group that we are about to join on our own: the commit that does it, and the group as it will be. Nothing exists until the
/// Delivery Service has accepted the commit; then `group` is stored and used.
public struct PendingJoin: Equatable, Sendable {
    public let message: [UInt8]
    public let summary: CommitSummary
    public let group: Group
}

/// External commits (RFC 9420 §12.4.3.2).
extension Group {
    /// - Parameters:
    ///   - info: an MLSMessage with a GroupInfo that has the external key.
    ///   - replacing: the old leaf of ours that goes (resync).
    ///   - preSharedKeys: mixed in; the host must have them.
    public static func joinExternally(
        _ info: [UInt8], tree given: [UInt8]? = nil, as member: MemberIdentity, replacing old: UInt32? = nil,
        preSharedKeys: [PreSharedKeyID] = [], authenticatedData: [UInt8] = [], host: GroupHost,
        using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> PendingJoin {
        guard let info = try MLSMessage(info).groupInfo else { throw .wrongContentType }
        let suite = try info.context.cipherSuite.provider()
        guard old != nil || !host.knows(info.context.groupID) else { throw .groupAlreadyKnown }
        let tree = try info.checked(given, host: host, suite)
        for item in info.context.extensions where !member.capabilities.supports(extension: item.type) {
            throw .invalidGroupInfo(.extensionUnsupported(item.type))
        }
        let externalKey = try info.externalKey()
        let seed = random.secret(suite.seedLength)
        let (output, initSecret) = try crypto("external key") { () throws(CryptoError) in
            try suite.exportSending(to: externalKey, context: externalInitLabel, seed: seed)
        }
        let state = PublicState(
            context: info.context, tree: tree,
            interimTranscriptHash: Transcript.interim(
                after: info.context.confirmedTranscriptHash, tag: info.confirmationTag, suite),
            confirmationTag: info.confirmationTag)
        var proposals: [Proposal] = [.externalInit(output)]
        if let old { proposals.append(.remove(old)) }
        proposals += preSharedKeys.map { .preSharedKey($0) }
        let items = proposals.map { ProposalList.Item(proposal: $0, sender: .newMemberCommit, isChecked: false) }
        let list = ProposalList(items: items, committer: .newcomer)
        var provisional = try Provisional(list, to: state, host: host, sending: true, suite)
        let leaf = try provisional.tree.reserveLeaf()
        var context = info.context
        context.epoch = try context.nextEpoch()
        let path = try DraftPath(
            &provisional, leaf: leaf, identity: member, occasion: .externalCommit(previous: provisional.removed.first?.node),
            context: context, host: host, suite, using: &random)
        var mine = PrivateTree(leaf: leaf, key: path.leafKey)
        path.install(in: &mine)
        let content = FramedContent(
            groupID: info.context.groupID, epoch: info.context.epoch, sender: .newMemberCommit,
            authenticatedData: authenticatedData,
            body: .commit(Commit(items: proposals.map { .proposal($0) }, path: path.update)))
        var authenticated = AuthenticatedContent(
            signing: content, wireFormat: WireFormat.publicMessage, context: info.context.encoded, with: member.signer, suite)
        var keys: [(id: PreSharedKeyID, key: Secret)] = []
        for id in preSharedKeys {
            guard let key = host.preSharedKey(id.kind) else { throw .missingPreSharedKey }
            keys.append((id, key))
        }
        let finish = Finish(
            state: state, provisional: provisional, context: context, committer: leaf, initSecret: initSecret,
            commitSecret: path.secrets.commitSecret, pskSecret: PreSharedKeys.secret(keys, suite))
        let (next, _, secrets) = finish.run(&authenticated, suite)
        var group = Group(current: Current(state: next, mine: mine, secrets: secrets, signer: member.signer))
        group.changes.everything = true
        let message = MLSMessage(.publicMessage(PublicMessage(authenticated: authenticated, membershipTag: nil))).encoded
        return PendingJoin(
            message: message, summary: finish.summary(next, hasPath: true, isExternal: true), group: group)
    }
}
