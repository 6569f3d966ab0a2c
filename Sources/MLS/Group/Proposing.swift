public import Cryptography

/// Proposals on their own (RFC 9420 §12.1): of members, of newcomers, of external senders.
extension Group {
    /// Makes a proposal of ours, which also waits here for a commit. Store `takeChanges()` with it.
    /// - Parameter isPrivate: sent encrypted instead of readable by the Delivery Service.
    public mutating func propose(
        _ proposal: Proposal, authenticatedData: [UInt8] = [], isPrivate: Bool = false, host: GroupHost,
        using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> [UInt8] {
        try checkActive()
        if case .update = proposal { throw .invalidProposals(.ownUpdate) }
        return try send(proposal, authenticatedData, isPrivate, host, using: &random).message
    }

    /// Proposes new keys for our own leaf, and what else `identity` says.
    public mutating func proposeUpdate(
        identity: MemberIdentity? = nil, authenticatedData: [UInt8] = [], isPrivate: Bool = false, host: GroupHost,
        using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> [UInt8] {
        try checkActive()
        let suite = try suite()
        guard let old = member(ownLeaf) else { throw .noLeaf(ownLeaf) }
        let identity = identity ?? MemberIdentity(signer: current.signer, leaf: old)
        let key = try random.encapsulationKey(suite)
        let leaf = LeafNode(
            signing: identity.content(encryptionKey: key.publicKey, source: .update), place: (id, ownLeaf), with: identity.signer,
            suite)
        let (message, reference) = try send(.update(leaf), authenticatedData, isPrivate, host, using: &random)
        ownUpdates.append(OwnUpdate(reference: reference, key: key, signer: identity.signer))
        changes.keys.insert(.proposals)
        return message
    }

    private mutating func send(
        _ proposal: Proposal, _ data: [UInt8], _ isPrivate: Bool, _ host: GroupHost, using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> (message: [UInt8], reference: [UInt8]) {
        let suite = try suite()
        if case .add(let package) = proposal {
            let rules = try LeafRules(suite, groupID: id, extensions: context.extensions, host: host)
            try rules.check(package.leaf, at: 0, .keyPackage)
        }
        let content = FramedContent(
            groupID: id, epoch: epoch, sender: .member(ownLeaf), authenticatedData: data, body: .proposal(proposal))
        let authenticated = AuthenticatedContent(
            signing: content, wireFormat: isPrivate ? WireFormat.privateMessage : WireFormat.publicMessage,
            context: current.contextBytes, with: current.signer, suite)
        let reference = try current.state.cache(authenticated, host: host, suite).reference
        changes.keys.insert(.proposals)
        let message =
            isPrivate
            ? try protect(authenticated, paddedTo: 1, suite, using: &random) : protectPublicly(authenticated, suite)
        return (message, reference)
    }

    /// A PSK id with a fresh nonce, to propose.
    public func preSharedKeyID(
        _ kind: PreSharedKeyID.Kind, using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> PreSharedKeyID {
        PreSharedKeyID(kind, nonce: random.secret(try suite().hashLength).copyBytes())
    }

    /// A request of somebody outside to be added (§12.1.8); an MLSMessage for the members.
    public static func requestToJoin(
        _ own: OwnKeyPackage, groupID: [UInt8], epoch: UInt64, authenticatedData: [UInt8] = []
    ) throws(MLSError) -> [UInt8] {
        try external(
            .add(own.package), from: .newMemberProposal, groupID, epoch, authenticatedData, own.package.cipherSuite, own.signer)
    }

    /// A proposal of an external sender of the group (§12.1.8.1).
    /// - Parameter index: the place in the group's `external_senders`.
    public static func proposeExternally(
        _ proposal: Proposal, as index: UInt32, signer: SignatureKeyPair, groupID: [UInt8], epoch: UInt64,
        suite: CipherSuite = .x25519ChaCha20Poly1305, authenticatedData: [UInt8] = []
    ) throws(MLSError) -> [UInt8] {
        switch proposal {
        case .add, .remove, .preSharedKey, .reInit, .groupContextExtensions: break
        case .update, .externalInit: throw .invalidProposals(.notAllowedFromExternalSender)
        }
        return try external(proposal, from: .external(index), groupID, epoch, authenticatedData, suite, signer)
    }

    private static func external(
        _ proposal: Proposal, from sender: Sender, _ groupID: [UInt8], _ epoch: UInt64, _ data: [UInt8], _ suite: CipherSuite,
        _ signer: SignatureKeyPair
    ) throws(MLSError) -> [UInt8] {
        let content = FramedContent(
            groupID: groupID, epoch: epoch, sender: sender, authenticatedData: data, body: .proposal(proposal))
        let authenticated = AuthenticatedContent(
            signing: content, wireFormat: WireFormat.publicMessage, context: [], with: signer, try suite.provider())
        return MLSMessage(.publicMessage(PublicMessage(authenticated: authenticated, membershipTag: nil))).encoded
    }
}
