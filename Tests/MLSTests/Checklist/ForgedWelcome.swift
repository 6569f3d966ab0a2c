import Cryptography
import MLS
import Testing
import Vocabulary

/// A Welcome opened by the one it is for, to be changed and sealed again: what a hostile committer can make.
struct ForgedWelcome {
    let own: OwnKeyPackage
    let suite: any SuiteProvider
    let encryptedInfo: [UInt8]
    let secrets: GroupSecrets

    init(opening welcome: [UInt8], by own: OwnKeyPackage) throws {
        guard case .welcome(let welcome) = try MLSMessage(welcome).body else { throw MLSError.wrongContentType }
        (self.own, encryptedInfo) = (own, welcome.encryptedGroupInfo)
        suite = try #require(welcome.cipherSuite.implementation)
        let entry = try #require(welcome.entries.first { $0.newMember == own.reference })
        secrets = try GroupSecrets(
            exactly: suite.open(entry.secrets, with: own.initKey, label: "Welcome", context: encryptedInfo))
    }

    /// A Welcome out of nothing, for a group that looks like `group` but for what is given.
    init(
        to own: OwnKeyPackage, like group: Group, by signer: SignatureKeyPair, suite claimed: CipherSuite? = nil, epoch: UInt64? = nil,
        extensions: [MLSExtension]? = nil, keys: [(id: PreSharedKeyID, key: Secret)] = [], tag: [UInt8]? = nil
    ) throws {
        let suite = try #require(own.package.cipherSuite.implementation)
        let context = GroupContext(
            cipherSuite: claimed ?? group.cipherSuite, groupID: group.id, epoch: epoch ?? group.epoch,
            treeHash: group.context.treeHash, confirmedTranscriptHash: group.context.confirmedTranscriptHash,
            extensions: extensions ?? group.context.extensions)
        let joiner = JoinerSecrets(
            joiner: Secret(Array(repeating: 5, count: 32)), pskSecret: PreSharedKeys.secret(keys, suite), suite)
        let confirmation = joiner.epoch(context: context.encoded, suite).confirmation
        var writer = ByteWriter()
        writer.write(context)
        writer.write(list: [MLSExtension(type: MLSExtension.ratchetTree, data: group.ratchetTree)])
        writer.write(opaque: tag ?? suite.mac(context.confirmedTranscriptHash, key: confirmation))
        writer.write(group.ownLeaf)
        writer.write(opaque: suite.sign(writer.bytes, label: "GroupInfoTBS", with: signer))
        let key = joiner.welcomeKey(suite)
        encryptedInfo = try suite.seal(writer.bytes, key: key.key, nonce: key.nonce, authenticating: [])
        (self.own, self.suite) = (own, suite)
        secrets = GroupSecrets(joinerSecret: joiner.joiner, pathSecret: nil, preSharedKeys: keys.map(\.id))
    }

    func sealed(_ secrets: GroupSecrets? = nil) throws -> [UInt8] {
        var random = SeededGenerator(seed: 1)
        let sealed = try suite.seal(
            (secrets ?? self.secrets).encoded, to: own.package.initKey, label: "Welcome", context: encryptedInfo, using: &random)
        let entry = Welcome.Entry(newMember: own.reference, secrets: sealed)
        let welcome = Welcome(cipherSuite: suite.cipherSuite, entries: [entry], encryptedGroupInfo: encryptedInfo)
        return MLSMessage(.welcome(welcome)).bytes
    }

    func sealed(joiner: Secret? = nil, pathSecret: Secret?, keys: [PreSharedKeyID]? = nil) throws -> [UInt8] {
        try sealed(
            GroupSecrets(
                joinerSecret: joiner ?? secrets.joinerSecret, pathSecret: pathSecret, preSharedKeys: keys ?? secrets.preSharedKeys))
    }
}
