internal import Cryptography
internal import Vocabulary

/// The records that hold more than one value. Each begins with its version.
private let recordVersion: UInt8 = 1

extension ByteReader {
    fileprivate mutating func version() throws(CodecError) {
        guard try integer(UInt8.self) == recordVersion else { throw .badValue("a record's version") }
    }
}

/// Everything of the current epoch but its tree, secret tree and proposals.
struct GeneralRecord: WireCodable {
    var context: GroupContext
    var confirmationTag: [UInt8]
    var leafCount: UInt32
    var ownLeaf: UInt32
    var signer: Secret
    var secrets: KeptSecrets
    var keys: [(node: UInt32, secret: Secret)]
    var life: Group.Life

    init(_ group: Group) { self.init(group.current, life: group.life) }

    init(_ current: Group.Current, life: Group.Life) {
        context = current.state.context
        confirmationTag = current.state.confirmationTag
        leafCount = current.state.tree.leafCount
        ownLeaf = current.mine.leaf
        signer = current.signer.secret
        secrets = current.secrets
        keys = current.mine.keys.sorted { $0.key < $1.key }.map { ($0.key, $0.value.secret) }
        self.life = life
    }

    func write(to writer: inout ByteWriter) {
        writer.write(recordVersion)
        writer.write(context)
        writer.write(opaque: confirmationTag)
        writer.write(leafCount)
        writer.write(ownLeaf)
        writer.write(secret: signer)
        for secret in [
            secrets.senderData, secrets.exporter, secrets.external, secrets.membership, secrets.resumption,
            secrets.authenticator, secrets.initial,
        ] { writer.write(secret: secret) }
        writer.write(vector: keys) { writer, item in
            writer.write(item.node)
            writer.write(secret: item.secret)
        }
        switch life {
        case .active: writer.write(UInt8(0))
        case .removed: writer.write(UInt8(1))
        case .ended(let reInit):
            writer.write(UInt8(2))
            writer.write(reInit)
        }
    }

    init(from reader: inout ByteReader) throws(CodecError) {
        try reader.version()
        context = try reader.value()
        confirmationTag = try reader.bytes()
        leafCount = try reader.integer()
        ownLeaf = try reader.integer()
        signer = try reader.secret()
        secrets = KeptSecrets(
            senderData: try reader.secret(), exporter: try reader.secret(), external: try reader.secret(),
            membership: try reader.secret(), resumption: try reader.secret(), authenticator: try reader.secret(),
            initial: try reader.secret())
        keys = try reader.vector { (reader) throws(CodecError) in (try reader.integer(), try reader.secret()) }
        switch try reader.integer(UInt8.self) {
        case 0: life = .active
        case 1: life = .removed
        case 2: life = .ended(try reader.value())
        default: throw .badValue("a group's life")
        }
    }

    /// The epoch again, from this and its tree.
    func current(
        tree: RatchetTree, secretTree: SecretTree, proposals: [PublicState.CachedProposal] = []
    ) throws(MLSError) -> Group.Current {
        let suite = try context.cipherSuite.provider()
        var tree = tree
        guard life == .removed || tree.treeHash(suite) == context.treeHash else { throw .invalidState("the tree") }
        guard ownLeaf < (life == .removed ? TreeMath.leavesMax : tree.leafCount) else { throw .invalidState("our leaf") }
        var mine: [UInt32: EncapsulationKey] = [:]
        for (node, secret) in keys {
            mine[node] = try crypto("stored node key") { () throws(CryptoError) in try suite.encapsulationKey(secret) }
        }
        guard let own = mine[ownLeaf * 2] ?? (life == .removed ? EncapsulationKey(secret: Secret([]), publicKey: []) : nil) else {
            throw .invalidState("our leaf's key")
        }
        var privateTree = PrivateTree(leaf: ownLeaf, key: own)
        privateTree.keys = mine
        let signing = signer
        let signer = try crypto("stored signature key") { () throws(CryptoError) in try suite.signatureKey(signing) }
        let state = PublicState(
            context: context, tree: tree,
            interimTranscriptHash: Transcript.interim(after: context.confirmedTranscriptHash, tag: confirmationTag, suite),
            confirmationTag: confirmationTag, proposals: proposals)
        return Group.Current(
            state: state, mine: privateTree, secrets: secrets, secretTree: secretTree, signer: signer,
            contextBytes: context.encoded)
    }
}

/// The epoch's proposals, and the keys of those that are our own updates.
struct ProposalsRecord: WireCodable {
    var proposals: [PublicState.CachedProposal]
    var updates: [(reference: [UInt8], key: Secret, signer: Secret)]

    init(_ group: Group) {
        proposals = group.current.state.proposals
        updates = group.ownUpdates.map { ($0.reference, $0.key.secret, $0.signer.secret) }
    }

    init(_ proposals: [PublicState.CachedProposal]) { (self.proposals, updates) = (proposals, []) }

    func write(to writer: inout ByteWriter) {
        writer.write(recordVersion)
        writer.write(vector: proposals) { writer, item in
            writer.write(opaque: item.reference)
            writer.write(item.proposal)
            writer.write(item.sender)
        }
        writer.write(vector: updates) { writer, item in
            writer.write(opaque: item.reference)
            writer.write(secret: item.key)
            writer.write(secret: item.signer)
        }
    }

    init(from reader: inout ByteReader) throws(CodecError) {
        try reader.version()
        proposals = try reader.vector { (reader) throws(CodecError) in
            PublicState.CachedProposal(reference: try reader.bytes(), proposal: try reader.value(), sender: try reader.value())
        }
        updates = try reader.vector { (reader) throws(CodecError) in
            (try reader.bytes(), try reader.secret(), try reader.secret())
        }
    }
}

struct PastEpochRecord: WireCodable {
    let epoch: UInt64
    let ownLeaf: UInt32
    let closedAt: UInt64
    let contextBytes: [UInt8]
    let senderData: Secret
    let leafCount: UInt32

    init(_ past: PastEpoch) {
        (epoch, ownLeaf, closedAt) = (past.epoch, past.ownLeaf, past.closedAt)
        (contextBytes, senderData, leafCount) = (past.contextBytes, past.senderData, UInt32(past.leaves.count))
    }

    func write(to writer: inout ByteWriter) {
        writer.write(recordVersion)
        writer.write(epoch)
        writer.write(ownLeaf)
        writer.write(closedAt)
        writer.write(opaque: contextBytes)
        writer.write(secret: senderData)
        writer.write(leafCount)
    }

    init(from reader: inout ByteReader) throws(CodecError) {
        try reader.version()
        epoch = try reader.integer()
        ownLeaf = try reader.integer()
        closedAt = try reader.integer()
        contextBytes = try reader.bytes()
        senderData = try reader.secret()
        leafCount = try reader.integer()
        guard leafCount <= TreeMath.leavesMax, leafCount.nonzeroBitCount == 1 else { throw .badValue("a number of leaves") }
    }
}

struct RatchetRecord: WireCodable {
    let ratchet: SecretTree.Ratchet

    init(_ ratchet: SecretTree.Ratchet) { self.ratchet = ratchet }

    func write(to writer: inout ByteWriter) {
        writer.write(recordVersion)
        writer.write(ratchet.generation)
        writer.write(secret: ratchet.secret)
        writer.write(vector: ratchet.skipped) { writer, item in
            writer.write(item.generation)
            writer.write(secret: item.key.key)
            writer.write(opaque: item.key.nonce)
        }
    }

    init(from reader: inout ByteReader) throws(CodecError) {
        try reader.version()
        let generation: UInt32 = try reader.integer()
        let secret = try reader.secret()
        let skipped = try reader.vector { (reader) throws(CodecError) in
            SecretTree.Skipped(
                generation: try reader.integer(), key: MessageKey(key: try reader.secret(), nonce: try reader.bytes()))
        }
        ratchet = SecretTree.Ratchet(secret: secret, generation: generation, skipped: skipped)
    }
}
