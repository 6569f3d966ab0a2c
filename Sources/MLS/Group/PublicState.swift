internal import Cryptography
internal import Vocabulary

/// What anybody who follows the handshakes knows of a group in an epoch: members and a hub have it alike.
package struct PublicState: Equatable, Sendable {
    package var context: GroupContext
    package var tree: RatchetTree
    package var interimTranscriptHash: [UInt8]
    package var confirmationTag: [UInt8]
    /// Proposals of this epoch that a commit may refer to, in the order they came.
    package var proposals: [CachedProposal] = []

    package struct CachedProposal: Equatable, Sendable {
        package let reference: [UInt8]
        package let proposal: Proposal
        package let sender: Sender
    }

    func suite() throws(MLSError) -> any SuiteProvider { try context.cipherSuite.provider() }

    // MARK: Messages

    /// Group and epoch of a handshake (§12.4.2).
    func checkPlace(group: [UInt8], epoch: UInt64) throws(MLSError) {
        guard group == context.groupID else { throw .wrongGroup }
        guard epoch == context.epoch else { throw .wrongEpoch(sent: epoch, current: context.epoch) }
    }

    /// Content and signature of a message (§6.1): who may send what, and the key it is checked with.
    func verify(_ authenticated: AuthenticatedContent, contextBytes: [UInt8], _ suite: any SuiteProvider) throws(MLSError) {
        let content = authenticated.content
        let key: [UInt8]
        switch (content.sender, content.body) {
        case (.member(let leaf), _):
            guard let member = tree.leaf(leaf) else { throw .unknownSender }
            key = member.signatureKey
        case (.external(let index), .proposal(let proposal)):
            guard let senders = try context.extensions.externalSenders() else { throw .invalidProposals(.noExternalSenders) }
            guard index < senders.count else { throw .unknownSender }
            switch proposal {
            case .add, .remove, .preSharedKey, .reInit, .groupContextExtensions: break
            case .update, .externalInit: throw .invalidProposals(.notAllowedFromExternalSender)
            }
            key = senders[Int(index)].signatureKey
        case (.newMemberProposal, .proposal(let proposal)):
            guard case .add(let package) = proposal else { throw .invalidProposals(.onlyAddByNewMember) }
            key = package.leaf.signatureKey
        case (.newMemberCommit, .commit(let commit)):
            guard let path = commit.path else { throw .pathRequired }
            key = path.leaf.signatureKey
        default: throw .wrongContentType
        }
        guard authenticated.isSigned(by: key, context: contextBytes, suite) else { throw .invalidSignature("message") }
    }

    /// Checks what a proposal is by itself (§12.1) and keeps it for a commit to refer to.
    mutating func cache(
        _ authenticated: AuthenticatedContent, host: GroupHost, _ suite: any SuiteProvider
    ) throws(MLSError) -> CachedProposal {
        guard case .proposal(let proposal) = authenticated.content.body else { throw .wrongContentType }
        let sender = authenticated.content.sender
        let cached = CachedProposal(reference: authenticated.proposalReference(suite), proposal: proposal, sender: sender)
        if let known = proposals.first(where: { $0.reference == cached.reference }) { return known }
        guard proposals.count < host.bounds.proposals else { throw .limitReached("proposals of an epoch") }
        try checkAlone(proposal, from: sender, host: host, suite)
        proposals.append(cached)
        return cached
    }

    private func checkAlone(
        _ proposal: Proposal, from sender: Sender, host: GroupHost, _ suite: any SuiteProvider
    ) throws(MLSError) {
        let rules = try LeafRules(suite, groupID: context.groupID, extensions: context.extensions, host: host)
        switch proposal {
        case .add(let package):
            try package.check(suite, host: host)
            try rules.check(package.leaf, at: 0, .add)
        case .update(let leaf):
            guard case .member(let index) = sender, let previous = tree.leaf(index) else {
                throw .invalidProposals(.updateByNonMember)
            }
            try Self.checkUpdate(leaf, at: index, previous: previous, rules)
        case .remove(let index): guard tree.leaf(index) != nil else { throw .invalidProposals(.notAMember(index)) }
        case .preSharedKey(let id): try Self.check(id, linking: nil, suite)
        case .reInit(let reInit):
            guard reInit.version >= 1 else { throw .invalidProposals(.reInitVersion) }
            try reInit.extensions.checkUnique()
        case .externalInit: throw .invalidProposals(.externalInitInside)
        case .groupContextExtensions(let extensions):
            try extensions.checkUnique()
            _ = try extensions.required()
            try LeafRules(suite, groupID: context.groupID, extensions: extensions, host: host).checkExternalSenders()
        }
    }

    static func checkUpdate(
        _ leaf: LeafNode, at index: UInt32, previous: LeafNode, _ rules: LeafRules
    ) throws(MLSError) {
        guard case .update = leaf.source else { throw .invalidLeaf(.wrongSource) }
        guard leaf.encryptionKey != previous.encryptionKey else { throw .invalidLeaf(.sameEncryptionKey) }
        try rules.check(leaf, at: index, .update(previous: previous))
    }

    /// §12.1.4. `linking`: the usage that is allowed in the first commit of a successor or branch.
    static func check(
        _ id: PreSharedKeyID, linking: PreSharedKeyID.Usage?, _ suite: any SuiteProvider
    ) throws(MLSError) {
        guard id.nonce.count == suite.hashLength else { throw .invalidProposals(.preSharedKeyNonce) }
        if case .resumption(let usage, _, _) = id.kind, usage != .application, usage != linking {
            throw .invalidProposals(.preSharedKeyUsage)
        }
    }
}
