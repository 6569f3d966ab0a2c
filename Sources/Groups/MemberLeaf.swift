public import Cryptography
public import MLS
public import Vocabulary

/// Who a leaf of one of our groups is: a basic credential `{user id, device id}`, the device key as signature key, and in an
/// extension the user's certificate for the device. The check that binds them is the Authentication Service of RFC 9420 §5.3.1.
public enum MemberLeaf {
    /// Leaf extension: the user's signature over `DeviceCertificate.body`, 64 bytes. From the private range (RFC 9420 §17.3).
    public static let certificateType: UInt16 = 0xf001

    public static let capabilities = Capabilities(extensions: [certificateType, GroupProfile.type])

    public static func credential(_ entry: RosterEntry) -> Credential { .basic(entry.user.bytes + entry.device.bytes) }

    /// - Parameter lifetime: of KeyPackages made with it (RFC 9420 §7.2).
    public static func identity(
        of entry: RosterEntry, device: SigningKey, certificate: Signature, lifetime: Lifetime
    ) throws(MLSError) -> MemberIdentity {
        MemberIdentity(
            signer: try SignatureKeyPair(ed25519: device.seed), credential: credential(entry), capabilities: capabilities,
            extensions: [MLSExtension(type: certificateType, data: certificate.bytes)], lifetime: lifetime)
    }

    /// Whose leaf it says it is; every leaf of a checked tree has passed `refusal`.
    public static func entry(of leaf: LeafNode) -> RosterEntry? { entry(of: leaf.credential) }

    public static func entry(of credential: Credential) -> RosterEntry? {
        guard case .basic(let identity) = credential, identity.count == 64 else { return nil }
        // From memory: a large group's leaves are read at each commit.
        return identity.withUnsafeBytes { memory in
            guard let user = Bytes32(memory: UnsafeRawBufferPointer(rebasing: memory[..<32])),
                let device = Bytes32(memory: UnsafeRawBufferPointer(rebasing: memory[32...]))
            else { return nil }
            return RosterEntry(user: UserID(raw: user), device: DeviceID(raw: device))
        }
    }

    private static let noCertificate = "no certificate of the user for the device"

    /// For `GroupHost.refusal`: why a claim does not hold, nil when it does.
    public static func refusal(_ claim: IdentityClaim) -> String? { refusal(claim, remembering: nil) }

    /// - Parameter memory: of certificates that held before, as of signatures of leaves (`GroupHost.signatures`).
    public static func refusal(_ claim: IdentityClaim, remembering memory: (any SignatureMemory)?) -> String? {
        guard let entry = entry(of: claim.credential) else { return "a credential that names no user and device" }
        guard claim.signatureKey == entry.device.bytes else { return "another signature key than the device's" }
        switch claim.occasion {
        case .externalSender: return "an external sender"
        case .update(let previous), .commit(let previous), .externalCommit(.some(let previous)):
            guard MemberLeaf.entry(of: previous) == entry else { return "another device in the place of the leaf" }
        case .keyPackage, .add, .externalCommit(nil), .join: break
        }
        guard let item = claim.extensions[type: certificateType], let certificate = Signature(item.data) else { return noCertificate }
        // What leaves and key packages are remembered by begins with other bytes.
        let digest = memory.map { _ in
            Hash.blake2b(Array("certificate".utf8) + entry.user.bytes + entry.device.bytes + certificate.bytes).bytes
        }
        if let memory, let digest, memory.contains(digest) { return nil }
        guard
            certificate.isValid(
                over: DeviceCertificate.body(user: entry.user, device: entry.device), for: .deviceCertificate, by: entry.user)
        else { return noCertificate }
        if let memory, let digest { memory.insert(digest) }
        return nil
    }
}

extension ConversationKey {
    /// The MLS group's id: hub and conversation, so that a group is bound to its hub.
    public var groupID: [UInt8] { hub.bytes + conversation.bytes }

    /// - Returns: nil unless the id has the form of ours.
    public init?(groupID: [UInt8]) {
        guard groupID.count == 48, let hub = NodeID(groupID[..<32]), let conversation = ConversationID(groupID[32...]) else { return nil }
        self.init(hub: hub, conversation: conversation)
    }
}
