package import Cryptography
internal import Vocabulary

/// The private half of a member's tree: its leaf's key and those of the nodes above that it knows (RFC 9420 §7.4, §7.5).
package struct PrivateTree: Equatable, Sendable {
    package internal(set) var leaf: UInt32
    /// By node index.
    package var keys: [UInt32: EncapsulationKey]

    package init(leaf: UInt32, key: EncapsulationKey) { (self.leaf, keys) = (leaf, [leaf * 2: key]) }

    /// Drops every key that is no longer the tree's.
    mutating func prune(for tree: RatchetTree) {
        keys = keys.filter { tree.encryptionKey($0.key) == $0.value.publicKey }
    }
}

/// path_secret[0] and what follows from it, up a filtered direct path.
struct PathSecrets {
    let secrets: [Secret]
    let keys: [EncapsulationKey]
    /// path_secret[n + 1]
    let commitSecret: Secret

    /// - Parameter first: the secret of the lowest of `count` nodes.
    init(from first: Secret, count: Int, _ suite: any SuiteProvider) throws(MLSError) {
        var (secret, secrets, keys) = (first, [Secret](), [EncapsulationKey]())
        for _ in 0..<count {
            secrets.append(secret)
            let node = suite.derive(secret, "node")
            keys.append(try crypto("node secret") { () throws(CryptoError) in try suite.deriveKeyPair(from: node) })
            secret = suite.derive(secret, "path")
        }
        (self.secrets, self.keys, commitSecret) = (secrets, keys, secret)
    }
}

extension RatchetTree {
    /// Puts new keys on a sender's path and returns the parent hash its leaf must have (§7.5, §7.9). The leaf itself is still the old one.
    mutating func setPath(
        _ path: [(node: UInt32, copath: UInt32)], keys: [[UInt8]], leaf: UInt32, _ suite: any SuiteProvider
    ) -> [UInt8] {
        // The siblings' hashes: the path changes nothing below them.
        let siblings = path.map { hash($0.copath, suite) }
        blankPath(leaf)
        // The leaf's own hash, and so all above, is to be made anew even where a node stays blank.
        hashes.forget(leaf * 2)
        var above: [UInt8] = []
        for index in path.indices.reversed() {
            set(parent: path[index].node, ParentNode(encryptionKey: keys[index], parentHash: above))
            above = Self.parentHash(keys[index], parentHash: above, sibling: siblings[index], suite)
        }
        return above
    }

    /// Applies a received path to the tree after the commit's proposals (§12.4.2): its leaf's rules are the caller's to check.
    package mutating func merge(_ update: UpdatePath, sender: UInt32, _ suite: any SuiteProvider) throws(MLSError) {
        let path = filteredDirectPath(sender)
        guard path.count == update.nodes.count else { throw .invalidPath(.length) }
        let parentHash = setPath(path, keys: update.nodes.map(\.encryptionKey), leaf: sender, suite)
        guard case .commit(let claimed) = update.leaf.source else { throw .invalidLeaf(.wrongSource) }
        guard claimed == parentHash else { throw .parentHashMismatch }
        set(leaf: sender, update.leaf)
    }

    /// Seals each path secret to the nodes beside the path (§7.6).
    /// - Parameter seeds: draws the randomness of one encapsulation.
    func sealPath(
        _ path: [(node: UInt32, copath: UInt32)], _ secrets: PathSecrets, excluding added: Set<UInt32>, context: [UInt8],
        _ suite: any SuiteProvider, using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> [UpdatePath.Node] {
        let sealer = suite.sealer(label: "UpdatePathNode", context: context)
        var nodes: [UpdatePath.Node] = []
        nodes.reserveCapacity(path.count)
        for (index, step) in path.enumerated() {
            let resolution = resolution(step.copath, excluding: added)
            var sealed = HPKECiphertexts()
            var plaintext = secrets.secrets[index].copyBytes()
            defer { wipe(&plaintext) }
            for node in resolution {
                guard let key = encryptionKey(node) else { continue }
                let seed = random.secret(suite.seedLength)
                sealed.append(
                    try crypto("encryption key of node \(node)") { () throws(CryptoError) in
                        try sealer.seal(plaintext, key, seed)
                    })
            }
            nodes.append(UpdatePath.Node(encryptionKey: secrets.keys[index].publicKey, secrets: sealed))
        }
        return nodes
    }

    /// Opens the one path secret that is for us, and derives those above it. The tree is the merged one.
    /// - Returns: the commit secret.
    package func open(
        _ update: UpdatePath, sender: UInt32, mine: inout PrivateTree, excluding added: Set<UInt32>, context: [UInt8],
        _ suite: any SuiteProvider
    ) throws(MLSError) -> (commitSecret: Secret, pathSecret: Secret) {
        let path = filteredDirectPath(sender)
        guard path.count == update.nodes.count else { throw .invalidPath(.length) }
        guard let start = path.firstIndex(where: { TreeMath.contains($0.node, leaf: mine.leaf) }) else {
            throw .invalidPath(.noSecretForUs)
        }
        let resolution = resolution(path[start].copath, excluding: added)
        guard resolution.count == update.nodes[start].secrets.count else { throw .invalidPath(.ciphertextCount) }
        guard let place = resolution.firstIndex(where: { mine.keys[$0] != nil }), let key = mine.keys[resolution[place]] else {
            throw .invalidPath(.noSecretForUs)
        }
        let sealed = try decoding { () throws(CodecError) in try update.nodes[start].secrets.item(at: place) }
        var plaintext = try suite.open(sealed, with: key, label: "UpdatePathNode", context: context)
        guard plaintext.count == suite.hashLength else { throw .invalidPath(.secretLength) }
        let secret = Secret(consuming: &plaintext)
        let secrets = try PathSecrets(from: secret, count: path.count - start, suite)
        for (offset, key) in secrets.keys.enumerated() {
            guard key.publicKey == update.nodes[start + offset].encryptionKey else { throw .invalidPath(.keyMismatch) }
            mine.keys[path[start + offset].node] = key
        }
        mine.prune(for: self)
        return (secrets.commitSecret, secret)
    }

    /// The number of ciphertexts per node must fit, also of nodes that are not for us (§7.6).
    func checkCounts(_ update: UpdatePath, sender: UInt32, excluding added: Set<UInt32>) throws(MLSError) {
        for (step, node) in zip(filteredDirectPath(sender), update.nodes) {
            guard resolution(step.copath, excluding: added).count == node.secrets.count else {
                throw .invalidPath(.ciphertextCount)
            }
        }
    }
}

extension RandomNumberGenerator {
    mutating func secret(_ count: Int) -> Secret {
        var bytes = bytes(count)
        return Secret(consuming: &bytes)
    }
}

extension RatchetTree {
    /// A path of a member outside any commit, for conformance checks.
    package mutating func freshPath(
        from leaf: UInt32, signer: SignatureKeyPair, context: GroupContext, _ suite: any SuiteProvider,
        using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> (update: UpdatePath, commitSecret: Secret, context: GroupContext) {
        guard let old = self.leaf(leaf) else { throw .noLeaf(leaf) }
        let path = filteredDirectPath(leaf)
        let secrets = try PathSecrets(from: random.secret(suite.hashLength), count: path.count, suite)
        let parentHash = setPath(path, keys: secrets.keys.map(\.publicKey), leaf: leaf, suite)
        let identity = MemberIdentity(signer: signer, leaf: old)
        let key = try random.encapsulationKey(suite)
        let node = LeafNode(
            signing: identity.content(encryptionKey: key.publicKey, source: .commit(parentHash: parentHash)),
            place: (context.groupID, leaf), with: signer, suite)
        set(leaf: leaf, node)
        var context = context
        context.treeHash = treeHash(suite)
        let nodes = try sealPath(path, secrets, excluding: [], context: context.encoded, suite, using: &random)
        return (UpdatePath(leaf: node, nodes: nodes), secrets.commitSecret, context)
    }

    /// One Add, Update or Remove on its own, for conformance checks.
    package mutating func apply(_ proposal: Proposal, sender: UInt32) throws(MLSError) {
        switch proposal {
        case .add(let package): _ = try add(package.leaf)
        case .update(let leaf): update(sender, leaf)
        case .remove(let leaf): remove(leaf)
        case .preSharedKey, .reInit, .externalInit, .groupContextExtensions: throw .wrongContentType
        }
    }

    /// What a joiner checks of a tree by itself, for conformance checks.
    package mutating func validate(group: [UInt8], _ suite: any SuiteProvider) throws(MLSError) {
        try checkShape()
        try checkParentHashes(suite)
        for (index, leaf) in members where !leaf.isSigned(group: group, leaf: index, suite) { throw .invalidLeaf(.signature) }
    }
}
