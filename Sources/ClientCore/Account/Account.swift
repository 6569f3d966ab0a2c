public import Cryptography
internal import Groups
internal import MLS
public import Vocabulary

/// What the issuing node granted: the handle, for good.
public struct Grant: Hashable, Sendable {
    public let federation: FederationID
    public let issuer: NodeID
    public let issuerName: NodeName
    public let certificate: Signature

    public init(federation: FederationID, issuer: NodeID, issuerName: NodeName, certificate: Signature) {
        (self.federation, self.issuer, self.issuerName, self.certificate) = (federation, issuer, issuerName, certificate)
    }
}

/// The user and the device that a profile holds, and how far joining has come. Every step is stored before it is taken, so that a
/// crash anywhere is mended by taking it again: a node answers a repeat alike.
public struct Account: Sendable {
    /// registering ──granted──▶ publishing ──published──▶ member
    public enum Stage: Hashable, Sendable {
        case registering(secret: [UInt8])
        /// The record's bytes are kept, so that a repeat is the same record.
        case publishing(Grant, SignedUserRecord)
        case member(Grant, SignedUserRecord)
    }

    public let identity: SigningKey
    public let device: SigningKey
    public let endpoint: Endpoint
    /// The node key pinned by the invitation link.
    public let home: NodeID
    public let handle: Handle
    public internal(set) var stage: Stage

    public init(link: InvitationLink, handle: Handle, using random: inout some RandomNumberGenerator) {
        identity = SigningKey(using: &random)
        device = SigningKey(using: &random)
        endpoint = link.endpoint
        home = link.node
        self.handle = handle
        stage = .registering(secret: link.secret)
    }

    public var userID: UserID { UserID(raw: identity.publicKey) }
    public var deviceID: DeviceID { DeviceID(raw: device.publicKey) }
    public var entry: RosterEntry { RosterEntry(user: userID, device: deviceID) }

    public var isMember: Bool {
        if case .member = stage { true } else { false }
    }

    public var grant: Grant? {
        switch stage {
        case .registering: nil
        case .publishing(let grant, _), .member(let grant, _): grant
        }
    }

    public var record: SignedUserRecord? {
        switch stage {
        case .registering: nil
        case .publishing(_, let record), .member(_, let record): record
        }
    }

    public var address: Address? { grant.map { Address(handle: handle, issuer: $0.issuerName) } }

    var certificate: Signature {
        identity.sign(DeviceCertificate.body(user: userID, device: deviceID), for: .deviceCertificate)
    }

    /// Who we are in every group (RFC 9420 §5.3): valid from an hour ago, for clocks differ.
    func identity(at wall: Timestamp) throws(MLSError) -> MemberIdentity {
        let begin = wall.seconds > 3600 ? wall.seconds - 3600 : 0
        let end = wall.seconds + UInt64(ClientLimits.keyPackageLifetime.components.seconds)
        return try MemberLeaf.identity(
            of: entry, device: device, certificate: certificate, lifetime: Lifetime(notBefore: begin, notAfter: end))
    }

    /// The first record: this one device, at home where the invitation came from.
    func firstRecord(under grant: Grant, published: UInt64) -> SignedUserRecord {
        let entry = DeviceEntry(device: deviceID, certificate: certificate, extensions: [])
        let record = UserRecord(
            federation: grant.federation, user: userID, handle: handle, issuer: grant.issuer, handleCertificate: grant.certificate,
            home: home, devices: [entry], version: 1, previous: .zero, published: published)
        let body = record.encoded()
        return SignedUserRecord(body: body, userSignature: identity.sign(body, for: .userRecord), homeSignature: nil)
    }

    func watermark(_ key: ConversationKey, through number: SequenceNumber, chain: Digest) -> Watermark {
        let body = Watermark.body(key: key, device: deviceID, through: number, chain: chain)
        return Watermark(key: key, device: deviceID, through: number, chain: chain, signature: device.sign(body, for: .watermark))
    }
}
