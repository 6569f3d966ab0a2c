package import Cryptography
package import Vocabulary

/// What opens a group to the newcomers of a commit (RFC 9420 §12.4.3.1).
package struct Welcome: Hashable, Sendable, WireCodable {
    package struct Entry: Hashable, Sendable, WireCodable {
        package let newMember: [UInt8]
        package let secrets: HPKECiphertext

        package init(newMember: [UInt8], secrets: HPKECiphertext) { (self.newMember, self.secrets) = (newMember, secrets) }

        package func write(to writer: inout ByteWriter) {
            writer.write(opaque: newMember)
            writer.write(secrets)
        }

        package init(from reader: inout ByteReader) throws(CodecError) {
            newMember = try reader.bytes()
            secrets = try reader.value()
        }
    }

    package let cipherSuite: CipherSuite
    package let entries: [Entry]
    package let encryptedGroupInfo: [UInt8]

    package init(cipherSuite: CipherSuite, entries: [Entry], encryptedGroupInfo: [UInt8]) {
        (self.cipherSuite, self.entries, self.encryptedGroupInfo) = (cipherSuite, entries, encryptedGroupInfo)
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(cipherSuite.rawValue)
        writer.write(list: entries)
        writer.write(opaque: encryptedGroupInfo)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        cipherSuite = CipherSuite(rawValue: try reader.integer())
        entries = try reader.list()
        encryptedGroupInfo = try reader.bytes()
    }
}

/// What a Welcome seals to each newcomer.
package struct GroupSecrets: Sendable, WireCodable {
    package let joinerSecret: Secret
    package let pathSecret: Secret?
    package let preSharedKeys: [PreSharedKeyID]

    package init(joinerSecret: Secret, pathSecret: Secret?, preSharedKeys: [PreSharedKeyID]) {
        (self.joinerSecret, self.pathSecret, self.preSharedKeys) = (joinerSecret, pathSecret, preSharedKeys)
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(secret: joinerSecret)
        writer.write(optional: pathSecret) { writer, secret in writer.write(secret: secret) }
        writer.write(list: preSharedKeys)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        joinerSecret = try reader.secret()
        pathSecret = try reader.optional { (reader) throws(CodecError) in try reader.secret() }
        preSharedKeys = try reader.list()
    }
}

extension ByteWriter {
    mutating func write(secret: Secret) {
        write(length: secret.count)
        secret.withBytes { write(fixed: $0) }
    }
}

extension ByteReader {
    mutating func secret() throws(CodecError) -> Secret { Secret(try opaque()) }
}

/// A signed picture of an epoch, for those who join (RFC 9420 §12.4.3).
public struct GroupInfo: Hashable, Sendable, WireCodable {
    public let context: GroupContext
    public let extensions: [MLSExtension]
    public let confirmationTag: [UInt8]
    public let signer: UInt32
    public let encoded: [UInt8]
    private let signedCount: Int

    package init(from reader: inout ByteReader) throws(CodecError) {
        let start = reader.rest
        context = try reader.value()
        extensions = try reader.list()
        confirmationTag = try reader.bytes()
        signer = try reader.integer()
        signedCount = reader.consumed(since: start).count
        _ = try reader.opaque()
        encoded = Array(reader.consumed(since: start))
    }

    package func write(to writer: inout ByteWriter) { writer.write(fixed: encoded) }

    init(
        context: GroupContext, extensions: [MLSExtension], confirmationTag: [UInt8], signer: UInt32, key: SignatureKeyPair,
        _ suite: any SuiteProvider
    ) {
        var writer = ByteWriter(reservingCapacity: 1024)
        writer.write(context)
        writer.write(list: extensions)
        writer.write(opaque: confirmationTag)
        writer.write(signer)
        signedCount = writer.bytes.count
        writer.write(opaque: suite.sign(writer.bytes, label: "GroupInfoTBS", with: key))
        (self.context, self.extensions, self.confirmationTag, self.signer) = (context, extensions, confirmationTag, signer)
        encoded = writer.bytes
    }

    package func isSigned(by publicKey: [UInt8], _ suite: any SuiteProvider) -> Bool {
        var reader = ByteReader(encoded[signedCount...])
        guard let signature = try? reader.bytes() else { return false }
        return suite.isValid(signature, over: Array(encoded[..<signedCount]), label: "GroupInfoTBS", by: publicKey)
    }
}
