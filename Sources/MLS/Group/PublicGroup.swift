internal import Cryptography

/// What somebody who sees the handshakes but has no secrets knows of a group: a hub. Follows the tree, refuses every commit that can be
/// seen to be wrong, and names the members. Path secrets and confirmation tags only members can check.
public struct PublicGroup: Equatable, Sendable {
    var state: PublicState
    /// What changed since the last `takeChanges`.
    var changes = StateChanges()

    /// From a GroupInfo (an MLSMessage), checked as a joiner does.
    public init(_ info: [UInt8], tree: [UInt8]? = nil, host: GroupHost) throws(MLSError) {
        guard let info = try MLSMessage(info).groupInfo else { throw .wrongContentType }
        let suite = try info.context.cipherSuite.provider()
        state = PublicState(
            context: info.context, tree: try info.checked(tree, host: host, suite),
            interimTranscriptHash: Transcript.interim(
                after: info.context.confirmedTranscriptHash, tag: info.confirmationTag, suite),
            confirmationTag: info.confirmationTag)
        changes.everything = true
    }

    public var context: GroupContext { state.context }
    public var id: [UInt8] { state.context.groupID }
    public var epoch: UInt64 { state.context.epoch }
    public var members: [(index: UInt32, leaf: LeafNode)] { state.tree.members }
    public func member(_ leaf: UInt32) -> LeafNode? { state.tree.leaf(leaf) }
    public var ratchetTree: [UInt8] { state.tree.encoded }
    public var confirmationTag: [UInt8] { state.confirmationTag }
    public var pendingProposals: [(reference: [UInt8], proposal: Proposal, sender: Sender)] {
        state.proposals.map { ($0.reference, $0.proposal, $0.sender) }
    }

    /// What a commit would change, without changing anything: for the hub to decide by.
    public func preview(_ bytes: [UInt8], host: GroupHost) throws(MLSError) -> CommitSummary {
        var copy = self
        guard case .commit(let summary, _) = try copy.process(bytes, host: host) else { throw .wrongContentType }
        return summary
    }

    /// Takes a handshake sent as PublicMessage.
    /// - Throws: the rule that it breaks; then nothing has changed.
    public mutating func process(_ bytes: [UInt8], host: GroupHost) throws(MLSError) -> Received {
        try process(MLSMessage(bytes), host: host)
    }

    public mutating func process(_ message: MLSMessage, host: GroupHost) throws(MLSError) -> Received {
        guard case .publicMessage(let message) = message.body else { throw .wrongContentType }
        let content = message.content
        if case .application = content.body { throw .applicationDataNotEncrypted }
        try state.checkPlace(group: content.groupID, epoch: content.epoch)
        let suite = try state.suite()
        try state.verify(message.authenticated, contextBytes: state.context.encoded, suite)
        switch content.body {
        case .application: throw .applicationDataNotEncrypted
        case .proposal:
            let cached = try state.cache(message.authenticated, host: host, suite)
            changes.keys.insert(.proposals)
            return .proposal(reference: cached.reference, cached.proposal, sender: cached.sender)
        case .commit:
            let staged = try StagedCommit(message.authenticated, on: state, host: host, suite)
            guard let tag = message.authenticated.confirmationTag, tag.count == suite.hashLength else {
                throw .invalidConfirmationTag
            }
            let next = staged.state(confirmationTag: tag, suite)
            changes.note(from: state.tree, to: next.tree)
            changes.keys.formUnion([.general, .proposals])
            state = next
            return .commit(staged.summary, authenticatedData: content.authenticatedData)
        }
    }

    /// A GroupInfo is what a hub hands out: taken only when it is of this very epoch (§12.4.3), and when nothing in it keeps out whoever
    /// comes in by it (§12.4.3.2). With that a member can put others out of an epoch, and not out of the group.
    public func accepts(_ info: [UInt8], host: GroupHost) throws(MLSError) {
        guard let info = try MLSMessage(info).groupInfo else { throw .wrongContentType }
        let suite = try state.suite()
        guard info.context == state.context else {
            throw .wrongEpoch(sent: info.context.epoch, current: state.context.epoch)
        }
        guard constantTimeEqual(info.confirmationTag, state.confirmationTag) else { throw .invalidConfirmationTag }
        guard let signer = state.tree.leaf(info.signer) else { throw .invalidGroupInfo(.signerBlank) }
        guard info.isSigned(by: signer.signatureKey, suite) else { throw .invalidGroupInfo(.signature) }
        try info.extensions.checkUnique()
        guard suite.isUsable(try info.externalKey()) else { throw .badKey("external key") }
        if let own = info.extensions[type: MLSExtension.ratchetTree], own.data != state.tree.encoded { throw .treeHashMismatch }
    }
}
