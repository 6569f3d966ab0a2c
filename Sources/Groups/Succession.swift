public import Cryptography
public import Vocabulary

/// What a group that was founded in another's place says of it, signed by the device that founded it: in the profile, so that it is the same for
/// all members, whoever let them in. That the founder might do so is for each member to see in its own copy of the other group.
public struct Succession: Hashable, Sendable {
    public let predecessor: ConversationKey
    public let founder: RosterEntry
    /// The user's, for the device: it need not be in the group any more, nor in the copy that a member has of the other.
    let certificate: Signature
    let signature: Signature

    /// - Parameter successor: the group that is founded; the word is for no other.
    public init(
        of predecessor: ConversationKey, by successor: ConversationKey, founder: RosterEntry, device: SigningKey, certificate: Signature
    ) {
        (self.predecessor, self.founder, self.certificate) = (predecessor, founder, certificate)
        signature = device.sign(Self.body(predecessor, successor, founder), for: .succession)
    }

    /// Whether the founder has said so of this group.
    public func holds(for successor: ConversationKey) -> Bool {
        guard successor.conversation != predecessor.conversation else { return false }
        let body = DeviceCertificate.body(user: founder.user, device: founder.device)
        return certificate.isValid(over: body, for: .deviceCertificate, by: founder.user)
            && signature.isValid(over: Self.body(predecessor, successor, founder), for: .succession, by: founder.device)
    }

    private static func body(_ predecessor: ConversationKey, _ successor: ConversationKey, _ founder: RosterEntry) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 162)
        writer.write(UInt16(1))
        writer.write(predecessor)
        writer.write(successor)
        writer.write(founder)
        return writer.bytes
    }

    // MARK: In the profile

    func write(to writer: inout ByteWriter) {
        writer.write(predecessor)
        writer.write(founder)
        writer.write(fixed: certificate.bytes)
        writer.write(fixed: signature.bytes)
    }

    init(from reader: inout ByteReader) throws(CodecError) {
        predecessor = try reader.conversationKey()
        founder = try reader.rosterEntry()
        (certificate, signature) = (try reader.signature(), try reader.signature())
    }
}
