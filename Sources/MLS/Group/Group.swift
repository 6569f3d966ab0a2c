public import Cryptography
internal import Vocabulary

/// A member's view of a group (RFC 9420): a plain value. Opening and sending messages steps ratchets in place; a commit is made as a
/// `PendingCommit` and merged once it is known to be the one. What has to be stored when: `MLS.docc/MLS.md`.
public struct Group: Equatable, Sendable {
    /// Everything that a commit replaces.
    struct Current: Equatable, Sendable {
        var state: PublicState
        var mine: PrivateTree
        var secrets: KeptSecrets
        var secretTree: SecretTree
        var signer: SignatureKeyPair
        /// Cached: every signature and HPKE context of the epoch takes it.
        var contextBytes: [UInt8]
    }

    enum Life: Equatable, Sendable {
        case active
        /// A commit removed us: no secret is left.
        case removed
        /// A commit with ReInit was merged: the group only serves to make or join its successor.
        case ended(ReInit)
    }

    var current: Current
    var life: Life = .active
    /// Newest last.
    var past: [PastEpoch] = []
    /// Newest last; the current epoch's is in `current`.
    var resumptions: [ResumptionSecret] = []
    /// Keys of Update proposals of ours in this epoch, by reference.
    var ownUpdates: [OwnUpdate] = []
    /// What changed since the last `takeChanges`.
    var changes = StateChanges()

    struct OwnUpdate: Equatable, Sendable {
        let reference: [UInt8]
        let key: EncapsulationKey
        let signer: SignatureKeyPair
    }

    // MARK: What is known

    public var cipherSuite: CipherSuite { current.state.context.cipherSuite }
    public var context: GroupContext { current.state.context }
    public var id: [UInt8] { current.state.context.groupID }
    public var epoch: UInt64 { current.state.context.epoch }
    public var ownLeaf: UInt32 { current.mine.leaf }
    public var isActive: Bool { life == .active }
    /// What the group is to become, once a ReInit was committed.
    public var successorParameters: ReInit? { if case .ended(let reInit) = life { reInit } else { nil } }
    /// Members by rising leaf.
    public var members: [(index: UInt32, leaf: LeafNode)] { current.state.tree.members }
    public func member(_ leaf: UInt32) -> LeafNode? { current.state.tree.leaf(leaf) }
    /// Proposals that wait for a commit; while there are any, no data may be sent (§12.4).
    public var pendingProposals: [(reference: [UInt8], proposal: Proposal, sender: Sender)] {
        current.state.proposals.map { ($0.reference, $0.proposal, $0.sender) }
    }
    /// Equal among members that see the same group (§8.7).
    public var epochAuthenticator: [UInt8] { current.secrets.authenticator.copyBytes() }
    /// The tree as the `ratchet_tree` extension has it.
    public var ratchetTree: [UInt8] { current.state.tree.encoded }

    func suite() throws(MLSError) -> any SuiteProvider { try current.state.suite() }

    /// MLS-Exporter (§8.5).
    /// - Throws: `exportTooLong` above 255 hashes, `removedFromGroup`.
    public func export(label: String, context: [UInt8] = [], count: Int) throws(MLSError) -> Secret {
        guard life != .removed else { throw .removedFromGroup }
        return try EpochSecrets.export(current.secrets.exporter, label: label, context: context, count: count, suite())
    }

    /// The resumption PSK of this epoch or a kept past one (§8.6).
    public func resumptionSecret(epoch: UInt64) -> Secret? {
        if life == .removed { return nil }
        return epoch == self.epoch ? current.secrets.resumption : resumptions.last { $0.epoch == epoch }?.secret
    }

    func checkActive() throws(MLSError) {
        switch life {
        case .active: return
        case .removed: throw .removedFromGroup
        case .ended: throw .groupEnded
        }
    }

    // MARK: Creation (§11)

    /// A group of one. `id` has to be unique: random bytes as long as the hash will do.
    public static func create(
        id: [UInt8], suite cipherSuite: CipherSuite = .x25519ChaCha20Poly1305, member: MemberIdentity,
        extensions: [MLSExtension] = [], host: GroupHost, using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> Group {
        let suite = try cipherSuite.provider()
        guard !host.knows(id) else { throw .groupAlreadyKnown }
        try extensions.checkUnique()
        let rules = try LeafRules(suite, groupID: id, extensions: extensions, host: host)
        let key = try random.encapsulationKey(suite)
        // As out of a key package: a leaf made inside a group would have to be an update or a commit.
        let leaf = LeafNode(
            signing: member.content(
                encryptionKey: key.publicKey, source: .keyPackage(member.lifetime)), place: nil, with: member.signer, suite)
        try rules.check(leaf, at: 0, .keyPackage)
        try rules.checkExternalSenders()
        var tree = RatchetTree(leaf)
        let context = GroupContext(
            cipherSuite: cipherSuite, groupID: id, epoch: 0, treeHash: tree.treeHash(suite), confirmedTranscriptHash: [],
            extensions: extensions)
        let secrets = EpochSecrets(random.secret(suite.hashLength), suite)
        let tag = suite.mac([], key: secrets.confirmation)
        let state = PublicState(
            context: context, tree: tree, interimTranscriptHash: Transcript.interim(after: [], tag: tag, suite),
            confirmationTag: tag)
        var group = Group(
            current: Current(state: state, mine: PrivateTree(leaf: 0, key: key), secrets: secrets, signer: member.signer))
        group.changes.everything = true
        return group
    }
}

extension Group.Current {
    init(state: PublicState, mine: PrivateTree, secrets: EpochSecrets, signer: SignatureKeyPair) {
        self.state = state
        self.mine = mine
        self.secrets = KeptSecrets(secrets)
        secretTree = SecretTree(leafCount: state.tree.leafCount, encryptionSecret: secrets.encryption)
        self.signer = signer
        contextBytes = state.context.encoded
    }
}

/// The secrets of the current epoch that are needed while it lasts.
struct KeptSecrets: Equatable, Sendable {
    let senderData, exporter, external, membership, resumption, authenticator, initial: Secret

    init(_ secrets: EpochSecrets) {
        (senderData, exporter, external) = (secrets.senderData, secrets.exporter, secrets.external)
        (membership, resumption) = (secrets.membership, secrets.resumption)
        (authenticator, initial) = (secrets.authenticator, secrets.initial)
    }

    init(
        senderData: Secret, exporter: Secret, external: Secret, membership: Secret, resumption: Secret, authenticator: Secret,
        initial: Secret
    ) {
        (self.senderData, self.exporter, self.external) = (senderData, exporter, external)
        (self.membership, self.resumption) = (membership, resumption)
        (self.authenticator, self.initial) = (authenticator, initial)
    }
}

/// What late messages of an epoch are opened with. Keeps the senders of then: a leaf may have another member by now.
struct PastEpoch: Equatable, Sendable {
    let epoch: UInt64
    let ownLeaf: UInt32
    let closedAt: UInt64
    let contextBytes: [UInt8]
    let senderData: Secret
    let leaves: NodeList<LeafNode>
    /// Where the epoch after has another leaf: what is stored of `leaves`.
    let changedLeaves: [UInt32]
    var secretTree: SecretTree
}

struct ResumptionSecret: Equatable, Sendable {
    let epoch: UInt64
    let secret: Secret
}

/// Who we are in a group: what our leaf says, and the key that signs.
public struct MemberIdentity: Equatable, Sendable {
    public let signer: SignatureKeyPair
    public let credential: Credential
    public let capabilities: Capabilities
    public let extensions: [MLSExtension]
    public let lifetime: Lifetime

    public init(
        signer: SignatureKeyPair, credential: Credential, capabilities: Capabilities = Capabilities(), extensions: [MLSExtension] = [],
        lifetime: Lifetime
    ) {
        (self.signer, self.credential, self.capabilities) = (signer, credential, capabilities)
        (self.extensions, self.lifetime) = (extensions, lifetime)
    }

    func content(encryptionKey: [UInt8], source: LeafNode.Source) -> LeafNode.Content {
        LeafNode.Content(
            encryptionKey: encryptionKey, signatureKey: signer.publicKey, credential: credential, capabilities: capabilities,
            source: source, extensions: extensions)
    }
}

extension RandomNumberGenerator {
    mutating func encapsulationKey(_ suite: any SuiteProvider) throws(MLSError) -> EncapsulationKey {
        let seed = secret(suite.hashLength)
        return try crypto("random seed") { () throws(CryptoError) in try suite.deriveKeyPair(from: seed) }
    }
}
