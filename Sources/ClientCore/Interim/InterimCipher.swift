public import Cryptography
public import Vocabulary

/// The interim cipher, for direct conversations only; MLS replaces it. One content key a message, sealed to each device of the
/// recipient by a fresh X25519 key against the device's prekey; the sending device signs all of it with its place.
/// No forward secrecy towards a stolen prekey: that is what MLS is for.
/// Source: docs/protocol/interim-cipher.md.
public struct InterimCipher: MessageCipher {
    /// Where a device publishes its prekey, among its entry's extensions: 32 bytes of key, 64 of the device's signature.
    public static let prekeyExtension: UInt16 = 0xf001
    private static let format: UInt16 = 1
    /// Bytes of a content key sealed for one device.
    private static let keyBoxBytes = 32 + SealingKey.overhead

    private let device: SigningKey
    private let prekey: AgreementKey
    /// The user's word for this device, sent along so that a recipient needs no directory to check the sender.
    private let certificate: Signature

    public init(device: SigningKey, prekey: AgreementKey, certificate: Signature) {
        (self.device, self.prekey, self.certificate) = (device, prekey, certificate)
    }

    public func seal(
        _ content: MessageContent, at place: MessagePlace, to devices: [RecipientDevice], using random: inout some RandomNumberGenerator
    ) throws(CipherError) -> [UInt8] {
        guard !devices.isEmpty else { throw .noRecipient }
        guard content.text.utf8.count <= Limits.textBytesMax else { throw .tooLong }
        var keyBytes = random.bytes(32)
        let contentKey = Secret(consuming: &keyBytes)
        let associated = Self.associated(place)
        var boxes = ByteWriter()
        for recipient in devices {
            let ephemeral = AgreementKey(using: &random)
            guard let shared = try? ephemeral.agree(with: recipient.prekey),
                let key = Self.key(from: shared, ephemeral: ephemeral.publicKey, prekey: recipient.prekey)
            else { throw .noRecipient }
            var plain = contentKey.copyBytes()
            boxes.write(recipient.device)
            boxes.write(fixed: ephemeral.publicKey.bytes)
            boxes.write(fixed: key.seal(plain, place: associated, using: &random))
            wipe(&plain)
        }
        guard let sealing = try? SealingKey(contentKey) else { throw .malformed }
        var writer = ByteWriter()
        writer.write(Self.format)
        writer.write(fixed: certificate.bytes)
        writer.write(opaque: boxes.bytes)
        writer.write(opaque: sealing.seal(Self.padded(content), place: associated, using: &random))
        writer.write(fixed: device.sign(associated + writer.bytes, for: .interimMessage).bytes)
        guard writer.bytes.count <= Limits.payloadBytesMax else { throw .tooLong }
        return writer.bytes
    }

    public func open(_ payload: [UInt8], at place: MessagePlace) throws(CipherError) -> MessageContent {
        guard payload.count > 64, let signature = Signature(payload.suffix(64)) else { throw .malformed }
        let signed = Array(payload.dropLast(64))
        let associated = Self.associated(place)
        let parts = try Self.parts(of: signed)
        let body = DeviceCertificate.body(user: place.sender.user, device: place.sender.device)
        guard parts.certificate.isValid(over: body, for: .deviceCertificate, by: place.sender.user) else { throw .certificate }
        guard signature.isValid(over: associated + signed, for: .interimMessage, by: place.sender.device) else { throw .signature }
        let ours = DeviceID(raw: device.publicKey)
        guard let box = parts.boxes.first(where: { $0.device == ours }) else { throw .notForThisDevice }
        guard let shared = try? prekey.agree(with: box.ephemeral),
            let key = Self.key(from: shared, ephemeral: box.ephemeral, prekey: prekey.publicKey),
            var contentKey = try? key.open(box.box, place: associated),
            let opening = try? SealingKey(Secret(consuming: &contentKey)),
            let plain = try? opening.open(parts.content, place: associated)
        else { throw .tag }
        do { return try Self.unpadded(plain) } catch { throw .malformed }
    }

    // MARK: The device's prekey

    /// The extension for the device's entry in its user's record.
    public static func publish(_ prekey: AgreementKey, by device: SigningKey) -> Extension {
        let body = prekeyBody(prekey.publicKey, device: DeviceID(raw: device.publicKey))
        return Extension(type: prekeyExtension, data: prekey.publicKey.bytes + device.sign(body, for: .prekey).bytes)
    }

    /// - Returns: nil when the entry has no prekey signed by its device: such a device cannot be written to.
    public static func recipient(_ entry: DeviceEntry) -> RecipientDevice? {
        guard let data = entry.extensions.first(where: { $0.type == prekeyExtension })?.data, data.count == 96,
            let prekey = Bytes32(data.prefix(32)), let signature = Signature(data.suffix(64)),
            signature.isValid(over: prekeyBody(prekey, device: entry.device), for: .prekey, by: entry.device)
        else { return nil }
        return RecipientDevice(device: entry.device, prekey: prekey)
    }

    private static func prekeyBody(_ prekey: Bytes32, device: DeviceID) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(1))
        writer.write(device)
        writer.write(fixed: prekey.bytes)
        return writer.bytes
    }

    // MARK: Parts

    private struct KeyBox {
        let device: DeviceID
        let ephemeral: Bytes32
        let box: [UInt8]
    }

    private struct Parts {
        let certificate: Signature
        let boxes: [KeyBox]
        let content: [UInt8]
    }

    private static func parts(of signed: [UInt8]) throws(CipherError) -> Parts {
        do {
            var reader = ByteReader(signed)
            guard try reader.integer(UInt16.self) == format else { throw CodecError.badValue("the format of a sealed message") }
            let certificate = try reader.signature()
            let boxes = try reader.vector(max: Limits.devicesPerUserMax) { reader throws(CodecError) in
                let device: DeviceID = try reader.id()
                guard let ephemeral = Bytes32(try reader.fixed(32)) else { throw .truncated }
                return KeyBox(device: device, ephemeral: ephemeral, box: Array(try reader.fixed(keyBoxBytes)))
            }
            let content = Array(try reader.opaque(max: Limits.payloadBytesMax))
            try reader.finish()
            return Parts(certificate: certificate, boxes: boxes, content: content)
        } catch { throw .malformed }
    }

    private static func associated(_ place: MessagePlace) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 160)
        writer.write(format)
        writer.write(place.key)
        writer.write(place.sender)
        writer.write(place.message)
        return writer.bytes
    }

    private static func key(from shared: Secret, ephemeral: Bytes32, prekey: Bytes32) -> SealingKey? {
        var bytes = Hash.keyed(Array("posthouse interim key 1".utf8) + ephemeral.bytes + prekey.bytes, key: shared)
        return try? SealingKey(Secret(consuming: &bytes))
    }

    /// To the next size of Padmé (at most 12 % more; the size tells log log of the length), 64 bytes at least.
    private static func padded(_ content: MessageContent) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: content.text.utf8.count + 64)
        writer.write(UInt64(content.sent.milliseconds))
        writer.write(text: content.text)
        let count = max(writer.bytes.count, 64)
        let exponent = Int.bitWidth - 1 - count.leadingZeroBitCount
        let free = exponent - (Int.bitWidth - exponent.leadingZeroBitCount)
        let mask = (1 << max(free, 0)) - 1
        let size = (count + mask) & ~mask
        return writer.bytes + [UInt8](repeating: 0, count: size - writer.bytes.count)
    }

    private static func unpadded(_ plain: [UInt8]) throws(CodecError) -> MessageContent {
        var reader = ByteReader(plain)
        let sent = try reader.counter(SequenceNumber.self).value
        let text = try reader.text(max: Limits.textBytesMax)
        guard reader.rest.allSatisfy({ $0 == 0 }) else { throw .badValue("padding that is not zero") }
        return MessageContent(text: text, sent: Timestamp(milliseconds: Int64(sent)))
    }
}
