public import Cryptography
public import MLS
public import Vocabulary

/// Seals read receipts and signals under a key that an epoch of the group exports (RFC 9420 §8.5): members alone can open them.
public struct MarkKey: Sendable {
    public let epoch: Epoch
    public let secret: Secret

    public init(epoch: Epoch, secret: Secret) { (self.epoch, self.secret) = (epoch, secret) }

    public init(of group: Group) throws(MLSError) {
        self.init(epoch: Epoch(unchecked: min(group.epoch, counterMax)), secret: try group.export(label: "posthouse marks 1", count: 32))
    }

    func seal(_ body: [UInt8], place: [UInt8], using random: inout some RandomNumberGenerator) -> [UInt8] {
        (try? SealingKey(secret))?.seal(body, place: place, using: &random) ?? []
    }

    func open(_ sealed: [UInt8], place: [UInt8]) -> [UInt8]? { try? (try? SealingKey(secret))?.open(sealed, place: place) }
}

/// "I have shown everything through this number": a read receipt, signed by the device inside the seal.
public struct ReadMark: Hashable, Sendable {
    public let key: ConversationKey
    public let device: DeviceID
    public let through: SequenceNumber
    /// By the reader's clock.
    public let at: Timestamp

    public init(key: ConversationKey, device: DeviceID, through: SequenceNumber, at: Timestamp) {
        (self.key, self.device, self.through, self.at) = (key, device, through, at)
    }

    private var body: [UInt8] {
        var writer = ByteWriter(reservingCapacity: 128)
        writer.write(UInt16(1))
        writer.write(key)
        writer.write(device)
        writer.write(through)
        writer.write(UInt64(clamping: at.milliseconds))
        return writer.bytes
    }

    private static func place(_ key: ConversationKey, _ device: DeviceID, _ epoch: Epoch) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 128)
        writer.write(fixed: "posthouse read mark 1".utf8)
        writer.write(key)
        writer.write(device)
        writer.write(epoch)
        return writer.bytes
    }

    public func sealed(under mark: MarkKey, by signer: SigningKey, using random: inout some RandomNumberGenerator) -> SealedMark {
        var writer = ByteWriter()
        writer.write(through)
        writer.write(UInt64(clamping: at.milliseconds))
        writer.write(fixed: signer.sign(body, for: .readMark).bytes)
        let sealed = mark.seal(writer.bytes, place: Self.place(key, device, mark.epoch), using: &random)
        return SealedMark(key: key, device: device, epoch: mark.epoch, sealed: sealed)
    }

    /// What is wrong with a mark.
    public enum Flaw: Error {
        /// Sealed under another key: a group that was restored may have had another in an epoch of the same number.
        case notOurs
        /// It opens, so a member made it, and the device that it names did not sign it.
        case forged
    }

    public init(_ mark: SealedMark, under key: MarkKey) throws(Flaw) {
        guard mark.epoch == key.epoch, let bytes = key.open(mark.sealed, place: Self.place(mark.key, mark.device, mark.epoch)) else {
            throw .notOurs
        }
        var reader = ByteReader(bytes)
        guard let through = try? reader.counter(SequenceNumber.self), let at = try? reader.counter(SequenceNumber.self),
            let signature = try? reader.signature(), (try? reader.finish()) != nil
        else { throw .forged }
        self.init(key: mark.key, device: mark.device, through: through, at: Timestamp(milliseconds: Int64(at.value)))
        guard signature.isValid(over: body, for: .readMark, by: mark.device) else { throw .forged }
    }
}

/// What a signal says.
public enum SignalContent: UInt8, Hashable, Sendable {
    case typing = 1
    case typingEnded = 2

    private static func place(_ key: ConversationKey, _ sender: RosterEntry, _ epoch: Epoch) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 160)
        writer.write(fixed: "posthouse signal 1".utf8)
        writer.write(key)
        writer.write(sender)
        writer.write(epoch)
        return writer.bytes
    }

    public func sealed(
        in key: ConversationKey, by sender: RosterEntry, under mark: MarkKey, using random: inout some RandomNumberGenerator
    ) -> Signal {
        let sealed = mark.seal([rawValue], place: Self.place(key, sender, mark.epoch), using: &random)
        return Signal(key: key, sender: sender, epoch: mark.epoch, sealed: sealed)
    }

    public init?(_ signal: Signal, under key: MarkKey) {
        guard signal.epoch == key.epoch,
            let bytes = key.open(signal.sealed, place: Self.place(signal.key, signal.sender, signal.epoch)), bytes.count == 1,
            let content = SignalContent(rawValue: bytes[0])
        else { return nil }
        self = content
    }
}
