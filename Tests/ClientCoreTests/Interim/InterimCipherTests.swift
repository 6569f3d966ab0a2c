import ClientCore
import Cryptography
import Testing
import Vocabulary

struct InterimCipherTests {
    private struct Someone {
        let identity, device: SigningKey
        let prekey: AgreementKey
        let cipher: InterimCipher

        init(seed: UInt64) {
            var random = SeededGenerator(seed: seed)
            identity = SigningKey(using: &random)
            device = SigningKey(using: &random)
            prekey = AgreementKey(using: &random)
            let body = DeviceCertificate.body(user: UserID(raw: identity.publicKey), device: DeviceID(raw: device.publicKey))
            certificate = identity.sign(body, for: .deviceCertificate)
            cipher = InterimCipher(device: device, prekey: prekey, certificate: certificate)
        }

        let certificate: Signature
        var entry: RosterEntry { RosterEntry(user: UserID(raw: identity.publicKey), device: DeviceID(raw: device.publicKey)) }
        var recipient: RecipientDevice { RecipientDevice(device: entry.device, prekey: prekey.publicKey) }
    }

    private let alice = Someone(seed: 1), bob = Someone(seed: 2), phone = Someone(seed: 3)
    private var place: MessagePlace {
        MessagePlace(
            key: ConversationKey(hub: NodeID(raw: Hash.sha256([1])), conversation: ConversationID(raw: Bytes16(1, 2))),
            sender: alice.entry, message: MessageID(raw: Bytes16(3, 4)))
    }

    private func sealed(_ text: String) throws -> [UInt8] {
        var random = SeededGenerator(seed: 9)
        return try alice.cipher.seal(
            MessageContent(text: text, sent: Timestamp(milliseconds: 5)), at: place, to: [bob.recipient, phone.recipient], using: &random)
    }

    @Test func `every device it is sealed to opens it and no other does`() throws {
        let payload = try sealed("Grüße")
        #expect(try bob.cipher.open(payload, at: place) == MessageContent(text: "Grüße", sent: Timestamp(milliseconds: 5)))
        #expect(try phone.cipher.open(payload, at: place).text == "Grüße")
        #expect(throws: CipherError.notForThisDevice) { try alice.cipher.open(payload, at: place) }
    }

    @Test func `any changed byte, and any cut, is refused`() throws {
        let payload = try sealed("hello")
        for index in payload.indices {
            var altered = payload
            altered[index] ^= 0x40
            #expect(throws: CipherError.self) { try bob.cipher.open(altered, at: place) }
        }
        for count in 0..<payload.count {
            #expect(throws: CipherError.self) { try bob.cipher.open(Array(payload.prefix(count)), at: place) }
        }
    }

    @Test func `it opens in no other conversation, under no other id and from no other sender`() throws {
        let payload = try sealed("hello")
        let other = ConversationKey(hub: place.key.hub, conversation: ConversationID(raw: Bytes16(1, 3)))
        for wrong in [
            MessagePlace(key: other, sender: place.sender, message: place.message),
            MessagePlace(key: place.key, sender: place.sender, message: MessageID(raw: Bytes16(3, 5))),
            MessagePlace(key: place.key, sender: phone.entry, message: place.message),
            MessagePlace(key: place.key, sender: RosterEntry(user: phone.entry.user, device: alice.entry.device), message: place.message),
        ] {
            #expect(throws: CipherError.self) { try bob.cipher.open(payload, at: wrong) }
        }
    }

    @Test func `short texts have one size, and long ones grow by an eighth at most`() throws {
        #expect(try sealed("").count == sealed(String(repeating: "x", count: 50)).count)
        for count in [100, 1000, 10_000, Limits.textBytesMax] {
            let size = try sealed(String(repeating: "x", count: count)).count
            #expect(size <= count + count / 8 + 512)
        }
        #expect(throws: CipherError.tooLong) { try sealed(String(repeating: "x", count: Limits.textBytesMax + 1)) }
    }

    @Test func `a prekey counts only when its own device signed it`() throws {
        let published = InterimCipher.publish(bob.prekey, by: bob.device)
        let entry = DeviceEntry(device: bob.entry.device, certificate: bob.certificate, extensions: [published])
        #expect(InterimCipher.recipient(entry) == bob.recipient)
        let foreign = DeviceEntry(
            device: bob.entry.device, certificate: bob.certificate, extensions: [InterimCipher.publish(phone.prekey, by: phone.device)])
        #expect(InterimCipher.recipient(foreign) == nil)
        #expect(InterimCipher.recipient(DeviceEntry(device: bob.entry.device, certificate: bob.certificate, extensions: [])) == nil)
    }
}
