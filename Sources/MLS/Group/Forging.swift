package import Cryptography

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
