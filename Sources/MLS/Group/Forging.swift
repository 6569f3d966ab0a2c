package import Cryptography
internal import Vocabulary

/// Messages that break rules on purpose, signed and MACed as honest ones are: what a hostile member can send. For tests.
extension Group {
    package func forged(
        _ body: FramedContent.Body, sender: Sender? = nil, epoch forgedEpoch: UInt64? = nil, signer: SignatureKeyPair? = nil
    ) throws(MLSError) -> [UInt8] {
        let suite = try suite()
        let content = FramedContent(
            groupID: id, epoch: forgedEpoch ?? epoch, sender: sender ?? .member(ownLeaf), authenticatedData: [], body: body)
        var authenticated = AuthenticatedContent(
            signing: content, wireFormat: WireFormat.publicMessage, context: current.contextBytes,
            with: signer ?? current.signer, suite)
        if case .commit = body { authenticated.confirmationTag = [UInt8](repeating: 0, count: suite.hashLength) }
        if case .member = content.sender { return protectPublicly(authenticated, suite) }
        return MLSMessage(.publicMessage(PublicMessage(authenticated: authenticated, membershipTag: nil))).encoded
    }

    /// Our GroupInfo with another tree in it, and its hash.
    package func forgedInfo(
        _ tree: RatchetTree, extensions: [MLSExtension] = [], contextExtensions: [MLSExtension]? = nil, epoch: UInt64? = nil
    ) throws(MLSError) -> [UInt8] {
        let suite = try suite()
        var (copy, tree) = (current, tree)
        copy.state.context.extensions = contextExtensions ?? copy.state.context.extensions
        copy.state.context.treeHash = tree.treeHash(suite)
        copy.state.tree = tree
        copy.state.context.epoch = epoch ?? copy.state.context.epoch
        return MLSMessage(.groupInfo(copy.groupInfo(extensions: extensions, includesTree: true, suite))).encoded
    }

    package var tree: RatchetTree { current.state.tree }
}

extension Group {
    /// A commit that is right in all that can be seen without secrets, with a confirmation tag that nobody can reproduce, and the GroupInfo
    /// that goes with it: no member follows it.
    /// - Parameter key: in place of the epoch's external key.
    package func forgedCommit(
        _ plan: CommitPlan = CommitPlan(), externalKey key: [UInt8]? = nil, host: GroupHost, using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> (commit: [UInt8], groupInfo: [UInt8]) {
        let suite = try suite()
        var tag: [UInt8] = []
        let pending = try draft(plan, linking: nil, host: host, suite, using: &random) { (authenticated, random) throws(MLSError) in
            var authenticated = authenticated
            tag = (0..<suite.hashLength).map { _ in UInt8.random(in: 0...255, using: &random) }
            authenticated.confirmationTag = tag
            return protectPublicly(authenticated, suite)
        }
        var next = pending.next
        next.state.confirmationTag = tag
        guard let key else { return (pending.message, try next.externalInfo(includesTree: false, extensions: [])) }
        var writer = ByteWriter()
        writer.write(opaque: key)
        let external = MLSExtension(type: MLSExtension.externalPub, data: writer.bytes)
        let info = next.groupInfo(extensions: [external], includesTree: false, suite)
        return (pending.message, MLSMessage(.groupInfo(info)).encoded)
    }
}
