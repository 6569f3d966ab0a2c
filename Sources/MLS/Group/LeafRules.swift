internal import Cryptography
internal import Vocabulary

/// Leaf node validation (RFC 9420 §7.3), in the two parts that it has: what a leaf is by itself, and how it fits the others.
struct LeafRules {
    let suite: any SuiteProvider
    let groupID: [UInt8]
    let extensions: [MLSExtension]
    let required: RequiredCapabilities?
    let host: GroupHost

    init(_ suite: any SuiteProvider, groupID: [UInt8], extensions: [MLSExtension], host: GroupHost) throws(MLSError) {
        (self.suite, self.groupID, self.extensions, self.host) = (suite, groupID, extensions, host)
        required = try extensions.required()
        if let required, required.longestList > Limits.mlsExtensionsMax { throw .limitReached("required capabilities") }
    }

    /// Everything about one leaf that needs no other leaf. The expensive part, the signature, comes last but for the identity check.
    func check(
        _ leaf: LeafNode, at index: UInt32, _ occasion: IdentityClaim.Occasion, signatureChecked: Bool = false
    ) throws(MLSError) {
        try checkForm(leaf)
        try checkRequired(leaf)
        try checkLifetime(leaf, occasion)
        guard signatureChecked || host.isSigned(leaf, group: groupID, at: index, suite) else { throw .invalidLeaf(.signature) }
        try checkIdentity(leaf, occasion)
    }

    private func checkForm(_ leaf: LeafNode) throws(MLSError) {
        let capabilities = leaf.capabilities
        guard capabilities.longestList <= Limits.mlsCapabilitiesMax else { throw .limitReached("capabilities of a leaf") }
        guard capabilities.versions.contains(1) else { throw .invalidLeaf(.versionNotListed) }
        guard capabilities.cipherSuites.contains(suite.cipherSuite.rawValue) else { throw .invalidLeaf(.cipherSuiteNotListed) }
        guard capabilities.credentials.contains(leaf.credential.type) else { throw .invalidLeaf(.credentialNotListed) }
        guard leaf.encryptionKey.count == suite.kemPublicKeyLength else { throw .invalidLeaf(.keyLength) }
        // Every path after would be sealed to it, and could not be.
        guard suite.isUsable(leaf.encryptionKey) else { throw .badKey("encryption key") }
        try leaf.extensions.checkUnique()
        for item in leaf.extensions where !capabilities.supports(extension: item.type) {
            throw .invalidLeaf(.extensionNotListed(item.type))
        }
        if let type = capabilities.extensions.first(where: MLSExtension.isDefault) { throw .invalidLeaf(.defaultListed(type)) }
        if let type = capabilities.proposals.first(where: { (1...7).contains($0) }) { throw .invalidLeaf(.defaultListed(type)) }
    }

    /// §11.1 and §13.4: what the group requires, and the extensions it uses.
    func checkRequired(_ leaf: LeafNode) throws(MLSError) {
        let capabilities = leaf.capabilities
        for item in extensions where !capabilities.supports(extension: item.type) {
            throw .invalidLeaf(.requiredExtension(item.type))
        }
        guard let required else { return }
        for type in required.extensions where !capabilities.supports(extension: type) {
            throw .invalidLeaf(.requiredExtension(type))
        }
        for type in required.proposals where !capabilities.supports(proposal: type) {
            throw .invalidLeaf(.requiredProposal(type))
        }
        for type in required.credentials where !capabilities.credentials.contains(type) {
            throw .invalidLeaf(.requiredCredential(type))
        }
    }

    private func checkLifetime(_ leaf: LeafNode, _ occasion: IdentityClaim.Occasion) throws(MLSError) {
        guard case .keyPackage(let lifetime) = leaf.source else { return }
        // How long it lasts in all is asked of every leaf (§7.2): that answer does not change while a member idles.
        guard lifetime.notBefore <= lifetime.notAfter else { throw .invalidLeaf(.lifetime) }
        guard lifetime.notAfter - lifetime.notBefore <= host.bounds.lifetimeSeconds else { throw .invalidLeaf(.lifetimeTooLong) }
        guard occasion == .keyPackage || host.bounds.checksReceivedLifetimes else { return }
        guard lifetime.contains(host.now) else { throw .invalidLeaf(.lifetime) }
    }

    func checkIdentity(_ leaf: LeafNode, _ occasion: IdentityClaim.Occasion) throws(MLSError) {
        let claim = IdentityClaim(
            groupID: groupID, credential: leaf.credential, signatureKey: leaf.signatureKey, extensions: leaf.extensions,
            occasion: occasion)
        if let reason = host.refusal(claim) { throw .identityRefused(reason) }
    }

    func checkExternalSenders() throws(MLSError) {
        for sender in try extensions.externalSenders() ?? [] {
            let claim = IdentityClaim(
                groupID: groupID, credential: sender.credential, signatureKey: sender.signatureKey, extensions: [],
                occasion: .externalSender)
            if let reason = host.refusal(claim) { throw .identityRefused(reason) }
        }
    }
}

extension RatchetTree {
    /// How fresh leaves fit the others: keys that nobody else has, and credentials that all understand (§7.3).
    mutating func checkFit(of fresh: [UInt32]) throws(MLSError) {
        guard !fresh.isEmpty else { return }
        var (signatureKeys, encryptionKeys) = (KeySet(), KeySet())
        let freshSet = Set(fresh)
        for index in fresh {
            guard let leaf = leaf(index) else { continue }
            guard signatureKeys.insert(leaf.signatureKey) else { throw .invalidLeaf(.signatureKeyInUse) }
            guard encryptionKeys.insert(leaf.encryptionKey) else { throw .invalidLeaf(.encryptionKeyInUse) }
        }
        for index in leaves.indices
        where signatureKeys.mayContain(marks.signature[index]) || encryptionKeys.mayContain(marks.encryption[index * 2]) {
            guard let leaf = leaves[index], !freshSet.contains(UInt32(index)) else { continue }
            guard !signatureKeys.contains(leaf.signatureKey) else { throw .invalidLeaf(.signatureKeyInUse) }
            guard !encryptionKeys.contains(leaf.encryptionKey) else { throw .invalidLeaf(.encryptionKeyInUse) }
        }
        if credentialTypes == nil { credentialTypes = try commonCredentialTypes() }
    }

    /// The types of all leaves' credentials, which each leaf must support.
    private func commonCredentialTypes() throws(MLSError) -> [UInt16] {
        var types: [UInt16] = []
        for case .some(let leaf) in leaves where !types.contains(leaf.credential.type) { types.append(leaf.credential.type) }
        for (index, leaf) in leaves.enumerated() {
            if let leaf, !leaf.supports(credentials: types) { throw .invalidLeaf(.credentialUnsupportedByMember(UInt32(index))) }
        }
        return types
    }

    /// No fresh leaf has the key of an inner node: a joiner would refuse such a tree (§12.4.3.1), and so all joins would be barred.
    func checkApart(_ fresh: [UInt32]) throws(MLSError) {
        guard !fresh.isEmpty else { return }
        var keys = KeySet()
        for index in fresh { if let leaf = leaf(index) { _ = keys.insert(leaf.encryptionKey) } }
        for index in parents.indices where keys.mayContain(marks.encryption[index * 2 + 1]) {
            if let parent = parents[index], keys.contains(parent.encryptionKey) { throw .invalidLeaf(.encryptionKeyInUse) }
        }
    }

    /// §12.4.2: no key of a path is anywhere else in the tree.
    func checkUnused(_ keys: [[UInt8]]) throws(MLSError) {
        var fresh = KeySet()
        for key in keys where !fresh.insert(key) { throw .invalidPath(.keyInUse) }
        for (node, mark) in marks.encryption.enumerated() where fresh.mayContain(mark) {
            if let key = encryptionKey(UInt32(node)), fresh.contains(key) { throw .invalidPath(.keyInUse) }
        }
    }

    /// What a joiner verifies of the tree's shape (§12.4.3.1), but for leaves' own rules and parent hashes.
    func checkShape() throws(MLSError) {
        var encryptionKeys = KeySet()
        for leaf in leaves {
            if let leaf, !encryptionKeys.insert(leaf.encryptionKey) { throw .invalidTree(.duplicateEncryptionKey) }
        }
        for (index, parent) in parents.enumerated() {
            guard let parent else { continue }
            guard encryptionKeys.insert(parent.encryptionKey) else { throw .invalidTree(.duplicateEncryptionKey) }
            let node = UInt32(index) * 2 + 1
            for (position, leaf) in parent.unmergedLeaves.enumerated() {
                guard position == 0 || parent.unmergedLeaves[position - 1] < leaf else { throw .invalidTree(.unmergedUnsorted) }
                guard TreeMath.contains(node, leaf: leaf) else { throw .invalidTree(.unmergedOutside) }
                guard self.leaf(leaf) != nil else { throw .invalidTree(.unmergedBlank) }
            }
        }
        // All lists rise: so they can be searched by halves.
        for (index, parent) in parents.enumerated() {
            let node = UInt32(index) * 2 + 1
            for leaf in parent?.unmergedLeaves ?? [] {
                for below in TreeMath.directPath(leaf: leaf, leaves: leafCount) {
                    if below == node { break }
                    guard self.parent(below)?.isUnmerged(leaf) ?? true else { throw .invalidTree(.unmergedNotUpward) }
                }
            }
        }
    }
}
