import Cryptography
import MLS
import Testing
import Vocabulary

@Suite struct PrivateMessageTests {
    let suite = CipherSuite.x25519AES128GCM.implementation!
    let secret = Secret(Array(repeating: 3, count: 32))

    func message(padding: Int, byte: UInt8) throws -> (PrivateMessage, MessageKey) {
        var random = SeededGenerator(seed: 1)
        let signer = try MemberIdentity.fixture("ann").signer
        let content = FramedContent(groupID: [1], epoch: 0, sender: .member(0), authenticatedData: [], body: .application([5, 6]))
        let signed = AuthenticatedContent(signing: content, wireFormat: WireFormat.privateMessage, context: [], with: signer, suite)
        var tree = SecretTree(leafCount: 1, encryptionSecret: secret)
        let (generation, key) = try tree.next(SecretTree.Place(leaf: 0, kind: .application), suite)
        let message = try PrivateMessage(
            sealing: signed, leaf: 0, generation: generation, key: key, senderDataSecret: secret, reuseGuard: random.bytes(4),
            padding: padding, paddingByte: byte, suite)
        return (message, key)
    }

    @Test func `padding must be zeros`() throws {
        let (good, key) = try message(padding: 9, byte: 0)
        #expect(try good.open(good.openSenderData(secret, suite), key: key, suite).content.body == .application([5, 6]))
        let (bad, other) = try message(padding: 9, byte: 1)
        #expect(throws: MLSError.nonZeroPadding) { try bad.open(bad.openSenderData(secret, suite), key: other, suite) }
    }

    @Test func `sender data opens with the ciphertext that it was made for only`() throws {
        let (good, _) = try message(padding: 0, byte: 0)
        var ciphertext = good.ciphertext
        ciphertext[0] ^= 1
        let bad = PrivateMessage(
            groupID: good.groupID, epoch: good.epoch, contentType: good.contentType, authenticatedData: good.authenticatedData,
            encryptedSenderData: good.encryptedSenderData, ciphertext: ciphertext)
        #expect(throws: MLSError.decryptionFailed("sender data")) { try bad.openSenderData(secret, suite) }
    }
}
