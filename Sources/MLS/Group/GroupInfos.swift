internal import Cryptography
internal import Vocabulary

/// What members hand to those who join: Welcome and GroupInfo (RFC 9420 §12.4.3).
extension Group.Current {
    func groupInfo(extensions: [MLSExtension], includesTree: Bool, _ suite: any SuiteProvider) -> GroupInfo {
        var all = extensions
        if includesTree { all.append(MLSExtension(type: MLSExtension.ratchetTree, data: state.tree.encoded)) }
        return GroupInfo(
            context: state.context, extensions: all, confirmationTag: state.confirmationTag, signer: mine.leaf, key: signer, suite)
    }

    func externalInfo(includesTree: Bool, extensions: [MLSExtension]) throws(MLSError) -> [UInt8] {
        let suite = try state.suite()
        let key = try EpochSecrets.externalKey(secrets.external, suite)
        var writer = ByteWriter(reservingCapacity: 40)
        writer.write(opaque: key.publicKey)
        let external = MLSExtension(type: MLSExtension.externalPub, data: writer.bytes)
        let info = groupInfo(extensions: extensions + [external], includesTree: includesTree, suite)
        return MLSMessage(.groupInfo(info)).encoded
    }

    func welcome(
        _ provisional: Provisional, joiner: JoinerSecrets, path: DraftPath?, plan: CommitPlan, _ suite: any SuiteProvider,
        using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> [UInt8]? {
        guard !provisional.added.isEmpty else { return nil }
        let info = groupInfo(extensions: plan.groupInfoExtensions, includesTree: plan.includesTree, suite)
        let key = joiner.welcomeKey(suite)
        let encryptedInfo = try crypto("welcome key") { () throws(CryptoError) in
            try suite.seal(info.encoded, key: key.key, nonce: key.nonce, authenticating: [])
        }
        let sealer = suite.sealer(label: "Welcome", context: encryptedInfo)
        var entries: [Welcome.Entry] = []
        for (leaf, package) in provisional.added {
            let secrets = GroupSecrets(
                joinerSecret: joiner.joiner, pathSecret: path?.secret(for: leaf), preSharedKeys: provisional.preSharedKeys)
            // Reserved in one piece: a buffer that grew would leave secrets behind where it was.
            var writer = ByteWriter(reservingCapacity: 128 + 128 * provisional.preSharedKeys.count)
            writer.write(secrets)
            var plaintext = writer.bytes
            writer = ByteWriter()
            defer { wipe(&plaintext) }
            let seed = random.secret(suite.seedLength)
            let sealed = try crypto("init key") { () throws(CryptoError) in try sealer.seal(plaintext, package.initKey, seed) }
            entries.append(Welcome.Entry(newMember: package.reference(suite), secrets: sealed))
        }
        let welcome = Welcome(cipherSuite: suite.cipherSuite, entries: entries, encryptedGroupInfo: encryptedInfo)
        return MLSMessage(.welcome(welcome)).encoded
    }
}

extension Group {
    /// A GroupInfo of this epoch with the external key, by which others may join on their own (§12.4.3.2); an MLSMessage.
    public func groupInfo(includesTree: Bool = true, extensions: [MLSExtension] = []) throws(MLSError) -> [UInt8] {
        try checkActive()
        return try current.externalInfo(includesTree: includesTree, extensions: extensions)
    }
}

extension GroupInfo {
    /// The tree that goes with a GroupInfo: its own, or one got elsewhere; in any case the one that it was signed for.
    func tree(_ given: [UInt8]?) throws(MLSError) -> RatchetTree {
        guard let bytes = extensions[type: MLSExtension.ratchetTree]?.data ?? given else { throw .missingTree }
        return try RatchetTree(exactly: bytes)
    }

    func externalKey() throws(MLSError) -> [UInt8] {
        guard let item = extensions[type: MLSExtension.externalPub] else { throw .invalidGroupInfo(.noExternalKey) }
        return try decoding { () throws(CodecError) in
            var reader = ByteReader(item.data)
            let key = try reader.bytes()
            try reader.finish()
            return key
        }
    }

    /// Everything that a joiner verifies before any secret is used (§12.4.3.1): signature, tree, leaves.
    /// - Returns: the tree.
    func checked(_ given: [UInt8]?, host: GroupHost, _ suite: any SuiteProvider) throws(MLSError) -> RatchetTree {
        guard context.cipherSuite == suite.cipherSuite else { throw .invalidGroupInfo(.cipherSuite) }
        try extensions.checkUnique()
        try context.extensions.checkUnique()
        var tree = try tree(given)
        guard let signing = tree.leaf(signer) else { throw .invalidGroupInfo(.signerBlank) }
        guard isSigned(by: signing.signatureKey, suite) else { throw .invalidGroupInfo(.signature) }
        guard tree.treeHash(suite) == context.treeHash else { throw .treeHashMismatch }
        try tree.checkShape()
        try tree.checkParentHashes(suite)
        let rules = try LeafRules(suite, groupID: context.groupID, extensions: context.extensions, host: host)
        try rules.checkExternalSenders()
        try tree.checkFit(of: tree.members.map(\.index))
        let members = tree.members
        let groupID = context.groupID
        let signed = host.all(members.count) { host.isSigned(members[$0].leaf, group: groupID, at: members[$0].index, suite) }
        guard signed.allSatisfy({ $0 }) else { throw .invalidLeaf(.signature) }
        for (index, leaf) in members { try rules.check(leaf, at: index, .join, signatureChecked: true) }
        return tree
    }
}
