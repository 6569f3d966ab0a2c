internal import Cryptography
internal import Vocabulary

/// Application data with who sent it, which has been verified.
public struct ApplicationMessage: Equatable, Sendable {
    public let sender: UInt32
    /// The sender's leaf as it was in the message's epoch.
    public let leaf: LeafNode
    public let epoch: UInt64
    public let generation: UInt32
    public let authenticatedData: [UInt8]
    public let data: [UInt8]
}

public enum Received: Equatable, Sendable {
    case application(ApplicationMessage)
    /// Kept until a commit takes it up.
    case proposal(reference: [UInt8], Proposal, sender: Sender)
    /// Applied; the group is in the next epoch.
    case commit(CommitSummary, authenticatedData: [UInt8])
    /// Applied; we are out, and the group's secrets are wiped.
    case removed(CommitSummary)
}

extension Group {
    // MARK: Sending

    /// Seals data to the group. Store `takeChanges()` in the transaction that stores the result, before it is sent.
    /// - Parameters:
    ///   - authenticatedData: travels readable, but nobody can change it.
    ///   - paddedTo: the content is padded to a multiple of this many bytes.
    /// - Throws: `pendingProposals` while there are any (§12.4), `groupEnded`, `removedFromGroup`.
    public mutating func seal(
        _ data: [UInt8], authenticatedData: [UInt8] = [], paddedTo multiple: Int = 1,
        using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> [UInt8] {
        try checkActive()
        guard current.state.proposals.isEmpty else { throw .pendingProposals }
        let content = FramedContent(
            groupID: id, epoch: epoch, sender: .member(ownLeaf), authenticatedData: authenticatedData, body: .application(data))
        let suite = try suite()
        let authenticated = AuthenticatedContent(
            signing: content, wireFormat: WireFormat.privateMessage, context: current.contextBytes, with: current.signer, suite)
        return try protect(authenticated, paddedTo: multiple, suite, using: &random)
    }

    mutating func protect(
        _ authenticated: AuthenticatedContent, paddedTo multiple: Int, _ suite: any SuiteProvider,
        using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> [UInt8] {
        let kind: SecretTree.Kind = authenticated.content.body.type == .application ? .application : .handshake
        let (generation, key) = try current.secretTree.next(SecretTree.Place(leaf: ownLeaf, kind: kind), suite)
        let length = authenticated.content.encoded.count - authenticated.content.bodyStart
        let padding = multiple > 1 ? (multiple - length % multiple) % multiple : 0
        let message = try PrivateMessage(
            sealing: authenticated, leaf: ownLeaf, generation: generation, key: key, senderDataSecret: current.secrets.senderData,
            reuseGuard: random.bytes(4), padding: padding, suite)
        return MLSMessage(.privateMessage(message)).encoded
    }

    func protectPublicly(_ authenticated: AuthenticatedContent, _ suite: any SuiteProvider) -> [UInt8] {
        let tag = authenticated.membershipTag(key: current.secrets.membership, context: current.contextBytes, suite)
        return MLSMessage(.publicMessage(PublicMessage(authenticated: authenticated, membershipTag: tag))).encoded
    }

    // MARK: Receiving

    /// Takes a message of the group: opens data, keeps proposals, applies commits. Store `takeChanges()` with what comes out.
    /// - Throws: the rule that the message breaks; then nothing has changed.
    public mutating func process(_ bytes: [UInt8], host: GroupHost) throws(MLSError) -> Received {
        try process(MLSMessage(bytes), host: host)
    }

    public mutating func process(_ message: MLSMessage, host: GroupHost) throws(MLSError) -> Received {
        switch message.body {
        case .publicMessage(let message): return try process(message, host: host)
        case .privateMessage(let message): return try process(message, host: host)
        case .welcome, .groupInfo, .keyPackage: throw .wrongContentType
        }
    }

    private mutating func process(_ message: PublicMessage, host: GroupHost) throws(MLSError) -> Received {
        let content = message.content
        guard content.groupID == id else { throw .wrongGroup }
        if case .application = content.body { throw .applicationDataNotEncrypted }
        try checkActive()
        try current.state.checkPlace(group: content.groupID, epoch: content.epoch)
        let suite = try suite()
        if case .member = content.sender {
            let tag = message.authenticated.membershipTag(
                key: current.secrets.membership, context: current.contextBytes, suite)
            guard let claimed = message.membershipTag, constantTimeEqual(tag, claimed) else { throw .invalidMembershipTag }
        }
        try current.state.verify(message.authenticated, contextBytes: current.contextBytes, suite)
        return try processHandshake(message.authenticated, host: host, suite)
    }

    private mutating func process(_ message: PrivateMessage, host: GroupHost) throws(MLSError) -> Received {
        guard message.groupID == id else { throw .wrongGroup }
        guard life != .removed else { throw .removedFromGroup }
        if message.epoch != epoch { return try processLate(message, host: host) }
        try checkActive()
        let suite = try suite()
        let opened = try open(
            message, senderData: current.secrets.senderData, secretTree: current.secretTree, ownLeaf: ownLeaf,
            contextBytes: current.contextBytes, leaves: current.state.tree.leaves, host: host, suite)
        switch opened.authenticated.content.body {
        case .application(let data):
            current.secretTree.consume(opened.key)
            return .application(opened.message(data))
        case .proposal, .commit:
            // Handshakes may be refused for what they say; their key is used up only when they are taken.
            let before = self
            current.secretTree.consume(opened.key)
            do { return try processHandshake(opened.authenticated, host: host, suite) } catch {
                self = before
                throw error
            }
        }
    }

    /// A message of an epoch that is over: data only (§15.3).
    private mutating func processLate(_ message: PrivateMessage, host: GroupHost) throws(MLSError) -> Received {
        guard message.epoch < epoch else { throw .wrongEpoch(sent: message.epoch, current: epoch) }
        guard message.contentType == .application else { throw .wrongEpoch(sent: message.epoch, current: epoch) }
        guard let index = past.firstIndex(where: { $0.epoch == message.epoch }),
            host.now < past[index].closedAt || host.now - past[index].closedAt <= host.bounds.pastEpochSeconds
        else { throw .epochForgotten(message.epoch) }
        let then = past[index]
        let opened = try open(
            message, senderData: then.senderData, secretTree: then.secretTree, ownLeaf: then.ownLeaf,
            contextBytes: then.contextBytes, leaves: then.leaves, host: host, suite())
        guard case .application(let data) = opened.authenticated.content.body else { throw .wrongContentType }
        past[index].secretTree.consume(opened.key)
        return .application(opened.message(data))
    }

    private struct Opened {
        let authenticated: AuthenticatedContent
        let key: SecretTree.Opening
        let leaf: LeafNode
        let sender: PrivateMessage.SenderData

        func message(_ data: [UInt8]) -> ApplicationMessage {
            ApplicationMessage(
                sender: sender.leaf, leaf: leaf, epoch: authenticated.content.epoch, generation: sender.generation,
                authenticatedData: authenticated.content.authenticatedData, data: data)
        }
    }

    private func open(
        _ message: PrivateMessage, senderData: Secret, secretTree: SecretTree, ownLeaf: UInt32, contextBytes: [UInt8],
        leaves: NodeList<LeafNode>, host: GroupHost, _ suite: any SuiteProvider
    ) throws(MLSError) -> Opened {
        let sender = try message.openSenderData(senderData, suite)
        guard sender.leaf < leaves.count, let leaf = leaves[Int(sender.leaf)] else { throw .unknownSender }
        guard sender.leaf != ownLeaf else { throw .ownMessage }
        let kind: SecretTree.Kind = message.contentType == .application ? .application : .handshake
        let key = try secretTree.opening(
            SecretTree.Place(leaf: sender.leaf, kind: kind), generation: sender.generation,
            window: host.bounds.generationsForward, suite)
        let authenticated = try message.open(sender, key: key.key, suite)
        guard authenticated.isSigned(by: leaf.signatureKey, context: contextBytes, suite) else {
            throw .invalidSignature("message")
        }
        return Opened(authenticated: authenticated, key: key, leaf: leaf, sender: sender)
    }

    private mutating func processHandshake(
        _ authenticated: AuthenticatedContent, host: GroupHost, _ suite: any SuiteProvider
    ) throws(MLSError) -> Received {
        switch authenticated.content.body {
        case .application: throw .applicationDataNotEncrypted
        case .proposal:
            let cached = try current.state.cache(authenticated, host: host, suite)
            changes.keys.insert(.proposals)
            return .proposal(reference: cached.reference, cached.proposal, sender: cached.sender)
        case .commit: return try apply(authenticated, host: host, suite)
        }
    }
}
