package import Cryptography
internal import Vocabulary

/// Sealing and opening PrivateMessages (RFC 9420 §6.3) with the keys of an epoch.
extension PrivateMessage {
    /// Who sent a message, and with which key.
    package struct SenderData: Equatable, Sendable {
        package let leaf, generation: UInt32
        let guardBytes: [UInt8]
    }

    /// - Parameters:
    ///   - padding: bytes after the content; always zeros but in a test of what is refused.
    ///   - reuseGuard: four fresh random bytes (§6.3.1): they part two uses of one generation after a lost state.
    package init(
        sealing authenticated: AuthenticatedContent, leaf: UInt32, generation: UInt32, key: MessageKey, senderDataSecret: Secret,
        reuseGuard: [UInt8], padding: Int, paddingByte: UInt8 = 0, _ suite: any SuiteProvider
    ) throws(MLSError) {
        let content = authenticated.content
        var plaintext = ByteWriter(reservingCapacity: content.encoded.count + padding + 160)
        plaintext.write(fixed: content.encoded[content.bodyStart...])
        authenticated.writeAuthentication(to: &plaintext)
        plaintext.write(fixed: repeatElement(paddingByte, count: padding))
        let type = content.body.type
        let header = Self.header(content.groupID, content.epoch, type)
        let ciphertext = try crypto("message key") { () throws(CryptoError) in
            try suite.seal(
                plaintext.bytes, key: key.key, nonce: key.nonce(guardedBy: reuseGuard),
                authenticating: Self.contentAAD(header, content.authenticatedData))
        }
        var data = ByteWriter(reservingCapacity: 12)
        data.write(leaf)
        data.write(generation)
        data.write(fixed: reuseGuard)
        let senderKey = Self.senderKey(senderDataSecret, ciphertext, suite)
        let encryptedSenderData = try crypto("sender data key") { () throws(CryptoError) in
            try suite.seal(data.bytes, key: senderKey.key, nonce: senderKey.nonce, authenticating: header)
        }
        self.init(
            groupID: content.groupID, epoch: content.epoch, contentType: type, authenticatedData: content.authenticatedData,
            encryptedSenderData: encryptedSenderData, ciphertext: ciphertext)
    }

    package func openSenderData(_ secret: Secret, _ suite: any SuiteProvider) throws(MLSError) -> SenderData {
        let key = Self.senderKey(secret, ciphertext, suite)
        let plaintext: [UInt8]
        do {
            plaintext = try suite.open(
                encryptedSenderData, key: key.key, nonce: key.nonce, authenticating: Self.header(groupID, epoch, contentType))
        } catch { throw .decryptionFailed("sender data") }
        return try decoding { () throws(CodecError) in
            var reader = ByteReader(plaintext)
            let data = SenderData(
                leaf: try reader.integer(), generation: try reader.integer(), guardBytes: Array(try reader.fixed(4)))
            try reader.finish()
            return data
        }
    }

    /// Opens the content; its signature is still to be checked.
    package func open(
        _ sender: SenderData, key: MessageKey, _ suite: any SuiteProvider
    ) throws(MLSError) -> AuthenticatedContent {
        let aad = Self.contentAAD(Self.header(groupID, epoch, contentType), authenticatedData)
        let plaintext: [UInt8]
        do {
            plaintext = try suite.open(ciphertext, key: key.key, nonce: key.nonce(guardedBy: sender.guardBytes), authenticating: aad)
        } catch { throw .decryptionFailed("message") }
        var reader = ByteReader(plaintext)
        let opened = try decoding { () throws(CodecError) in
            let content = try FramedContent(opened: self, sender: sender.leaf, from: &reader)
            return try AuthenticatedContent(wireFormat: WireFormat.privateMessage, content: content, from: &reader)
        }
        guard reader.rest.allSatisfy({ $0 == 0 }) else { throw .nonZeroPadding }
        return opened
    }

    /// SenderDataAAD, and the beginning of PrivateContentAAD.
    private static func header(_ group: [UInt8], _ epoch: UInt64, _ type: ContentType) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: group.count + 16)
        writer.write(opaque: group)
        writer.write(epoch)
        writer.write(type.rawValue)
        return writer.bytes
    }

    private static func contentAAD(_ header: [UInt8], _ data: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: header.count + data.count + 4)
        writer.write(fixed: header)
        writer.write(opaque: data)
        return writer.bytes
    }

    /// From the secret and a sample of the ciphertext (§6.3.2).
    package static func senderKey(_ secret: Secret, _ ciphertext: [UInt8], _ suite: any SuiteProvider) -> MessageKey {
        let sample = Array(ciphertext.prefix(suite.hashLength))
        return MessageKey(
            key: suite.expand(secret, label: "key", context: sample, count: suite.keyLength),
            nonce: suite.expand(secret, label: "nonce", context: sample, count: suite.nonceLength).copyBytes())
    }
}

/// A key and nonce that serve for one message.
package struct MessageKey: Equatable, Sendable {
    package let key: Secret
    package let nonce: [UInt8]

    func nonce(guardedBy reuseGuard: [UInt8]) -> [UInt8] {
        var nonce = nonce
        for (index, byte) in reuseGuard.enumerated() where index < nonce.count { nonce[index] ^= byte }
        return nonce
    }
}
