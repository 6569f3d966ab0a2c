package import Cryptography
internal import Vocabulary

/// From one epoch's init secret to the next epoch's secrets (RFC 9420 §8). All of it is wiped when the last reference goes.
package struct JoinerSecrets {
    package let joiner: Secret
    /// Extract of the joiner and PSK secrets: what the welcome and epoch secrets come from.
    let member: Secret

    package init(initSecret: Secret, commitSecret: Secret, pskSecret: Secret, context: [UInt8], _ suite: any SuiteProvider) {
        let extracted = suite.extract(salt: initSecret, material: commitSecret)
        let joiner = suite.expand(extracted, label: "joiner", context: context, count: suite.hashLength)
        self.init(joiner: joiner, pskSecret: pskSecret, suite)
    }

    package init(joiner: Secret, pskSecret: Secret, _ suite: any SuiteProvider) {
        self.joiner = joiner
        member = suite.extract(salt: joiner, material: pskSecret)
    }

    package func welcomeSecret(_ suite: any SuiteProvider) -> Secret { suite.derive(member, "welcome") }

    package func welcomeKey(_ suite: any SuiteProvider) -> MessageKey {
        let secret = welcomeSecret(suite)
        return MessageKey(
            key: suite.expand(secret, label: "key", count: suite.keyLength),
            nonce: suite.expand(secret, label: "nonce", count: suite.nonceLength).copyBytes())
    }

    package func epoch(context: [UInt8], _ suite: any SuiteProvider) -> EpochSecrets {
        EpochSecrets(suite.expand(member, label: "epoch", context: context, count: suite.hashLength), suite)
    }
}

/// What an epoch is run with. The encryption secret goes into the secret tree and the confirmation key is used once: both are
/// handed out, not kept.
package struct EpochSecrets: Equatable, Sendable {
    package let senderData, exporter, external, membership, resumption, authenticator, initial: Secret
    package let encryption, confirmation: Secret

    package init(_ epoch: Secret, _ suite: any SuiteProvider) {
        senderData = suite.derive(epoch, "sender data")
        encryption = suite.derive(epoch, "encryption")
        exporter = suite.derive(epoch, "exporter")
        external = suite.derive(epoch, "external")
        confirmation = suite.derive(epoch, "confirm")
        membership = suite.derive(epoch, "membership")
        resumption = suite.derive(epoch, "resumption")
        authenticator = suite.derive(epoch, "authentication")
        initial = suite.derive(epoch, "init")
    }

    package func externalKey(_ suite: any SuiteProvider) throws(MLSError) -> EncapsulationKey {
        try Self.externalKey(external, suite)
    }

    static func externalKey(_ external: Secret, _ suite: any SuiteProvider) throws(MLSError) -> EncapsulationKey {
        try crypto("external secret") { () throws(CryptoError) in try suite.deriveKeyPair(from: external) }
    }

    package func export(label: String, context: [UInt8], count: Int, _ suite: any SuiteProvider) throws(MLSError) -> Secret {
        try Self.export(exporter, label: label, context: context, count: count, suite)
    }

    /// MLS-Exporter (§8.5).
    static func export(
        _ exporter: Secret, label: String, context: [UInt8], count: Int, _ suite: any SuiteProvider
    ) throws(MLSError) -> Secret {
        guard (0...255 * suite.hashLength).contains(count) else { throw .exportTooLong(count) }
        return suite.expand(suite.derive(exporter, label), label: "exported", context: suite.hash(context), count: count)
    }
}

/// Transcript hashes (RFC 9420 §8.2).
package enum Transcript {
    package static func confirmed(
        after interim: [UInt8], _ commit: AuthenticatedContent, _ suite: any SuiteProvider
    ) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: interim.count + commit.content.encoded.count + 128)
        writer.write(fixed: interim)
        writer.write(commit.wireFormat)
        writer.write(commit.content)
        writer.write(opaque: commit.signature)
        return suite.hash(writer.bytes)
    }

    package static func interim(after confirmed: [UInt8], tag: [UInt8], _ suite: any SuiteProvider) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: confirmed.count + tag.count + 4)
        writer.write(fixed: confirmed)
        writer.write(opaque: tag)
        return suite.hash(writer.bytes)
    }
}

/// Pre-shared keys (RFC 9420 §8.4).
package enum PreSharedKeys {
    /// - Returns: zeros for none.
    package static func secret(_ keys: [(id: PreSharedKeyID, key: Secret)], _ suite: any SuiteProvider) -> Secret {
        var secret = suite.zeros
        for (index, item) in keys.enumerated() {
            let extracted = suite.extract(salt: suite.zeros, material: item.key)
            var label = ByteWriter()
            label.write(item.id)
            label.write(UInt16(truncatingIfNeeded: index))
            label.write(UInt16(truncatingIfNeeded: keys.count))
            let input = suite.expand(extracted, label: "derived psk", context: label.bytes, count: suite.hashLength)
            secret = suite.extract(salt: input, material: secret)
        }
        return secret
    }
}
