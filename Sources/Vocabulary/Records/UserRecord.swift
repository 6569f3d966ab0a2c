/// An Ed25519 signature: 64 bytes (RFC 8032 §5.1.6).
public struct Signature: Hashable, Sendable {
    public let bytes: [UInt8]

    /// - Returns: nil unless there are exactly 64 bytes.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 64 else { return nil }
        self.bytes = Array(bytes)
    }
}

/// A typed extension; unknown types are kept and ignored.
public struct Extension: Hashable, Sendable {
    public let type: UInt16
    public let data: [UInt8]

    public init(type: UInt16, data: [UInt8]) { (self.type, self.data) = (type, data) }
}

/// One device in its user's record.
public struct DeviceEntry: Hashable, Sendable {
    public let device: DeviceID
    /// The user's signature over `DeviceCertificate.body`.
    public let certificate: Signature
    public let extensions: [Extension]

    public init(device: DeviceID, certificate: Signature, extensions: [Extension]) {
        (self.device, self.certificate, self.extensions) = (device, certificate, extensions)
    }
}

/// The user's word that a key is one of the user's devices; the body that the identity key signs.
public enum DeviceCertificate {
    public static func body(user: UserID, device: DeviceID) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 66)
        writer.write(UInt16(1))
        writer.write(user)
        writer.write(device)
        return writer.bytes
    }
}

/// The issuer's word that a handle belongs to a user, for good; the body that the issuing node signs.
public enum HandleCertificate {
    public static func body(federation: FederationID, handle: Handle, user: UserID) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 128)
        writer.write(UInt16(1))
        writer.write(federation)
        writer.write(text: handle.description)
        writer.write(user)
        return writer.bytes
    }
}

/// Where a user lives and with which devices. Self-certifying: signed by the user and by the home node.
/// Source: docs/protocol/directory.md §1.
public struct UserRecord: Hashable, Sendable {
    public let federation: FederationID
    public let user: UserID
    public let handle: Handle
    /// The node that issued the handle.
    public let issuer: NodeID
    public let handleCertificate: Signature
    public let home: NodeID
    public let devices: [DeviceEntry]
    /// 1, 2, 3 …
    public let version: UInt64
    /// The digest of the version before; zero for version 1.
    public let previous: Digest
    /// Seconds since 1970: sorts records for reconciliation; nothing trusts it.
    public let published: UInt64
    public let extensions: [Extension]

    public init(
        federation: FederationID, user: UserID, handle: Handle, issuer: NodeID, handleCertificate: Signature, home: NodeID,
        devices: [DeviceEntry], version: UInt64, previous: Digest, published: UInt64, extensions: [Extension] = []
    ) {
        self.federation = federation
        self.user = user
        self.handle = handle
        self.issuer = issuer
        self.handleCertificate = handleCertificate
        self.home = home
        self.devices = devices
        self.version = version
        self.previous = previous
        self.published = published
        self.extensions = extensions
    }

    /// The bytes that both signatures cover and whose digest names the record.
    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 512)
        writer.write(UInt16(1))
        writer.write(federation)
        writer.write(user)
        writer.write(text: handle.description)
        writer.write(issuer)
        writer.write(fixed: handleCertificate.bytes)
        writer.write(home)
        writer.write(version)
        writer.write(previous)
        writer.write(published)
        writer.write(vector: devices) { writer, entry in
            writer.write(entry.device)
            writer.write(fixed: entry.certificate.bytes)
            writer.write(extensions: entry.extensions)
        }
        writer.write(extensions: extensions)
        return writer.bytes
    }

    public init(decoding body: [UInt8]) throws(CodecError) {
        guard body.count <= Limits.userRecordBytesMax else {
            throw .tooLong(bytes: body.count, max: Limits.userRecordBytesMax)
        }
        var reader = ByteReader(body)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of a user record") }
        federation = try reader.id()
        user = try reader.id()
        guard let handle = try? Handle(try reader.text(max: Handle.bytesMax)) else { throw .badValue("a handle") }
        self.handle = handle
        issuer = try reader.id()
        handleCertificate = try reader.signature()
        home = try reader.id()
        version = try reader.counter(SequenceNumber.self).value
        previous = try reader.id()
        published = try reader.counter(SequenceNumber.self).value
        devices = try reader.vector(max: Limits.devicesPerUserMax) { reader throws(CodecError) in
            DeviceEntry(device: try reader.id(), certificate: try reader.signature(), extensions: try reader.extensions())
        }
        extensions = try reader.extensions()
        try reader.finish()
        guard version >= 1 else { throw .badValue("version 0") }
        guard Set(devices.map(\.device)).count == devices.count else { throw .badValue("a device listed twice") }
    }
}

/// A user record as it travels and is stored: the signed bytes, kept exactly, and both signatures.
public struct SignedUserRecord: Hashable, Sendable {
    public let body: [UInt8]
    public let userSignature: Signature
    /// The home's consent; nil only on the way from the user to the home.
    public let homeSignature: Signature?

    public init(body: [UInt8], userSignature: Signature, homeSignature: Signature?) {
        (self.body, self.userSignature, self.homeSignature) = (body, userSignature, homeSignature)
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: body.count + 140)
        writer.write(opaque: body)
        writer.write(fixed: userSignature.bytes)
        writer.write(optional: homeSignature) { $0.write(fixed: $1.bytes) }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        body = Array(try reader.opaque(max: Limits.userRecordBytesMax))
        userSignature = try reader.signature()
        homeSignature = try reader.optional { reader throws(CodecError) in try reader.signature() }
        try reader.finish()
    }
}

extension ByteWriter {
    public mutating func write(extensions: [Extension]) {
        write(vector: extensions) { writer, item in
            writer.write(item.type)
            writer.write(opaque: item.data)
        }
    }
}

extension ByteReader {
    public mutating func signature() throws(CodecError) -> Signature {
        guard let signature = Signature(try fixed(64)) else { throw .truncated }
        return signature
    }

    public mutating func extensions() throws(CodecError) -> [Extension] {
        let items = try vector(max: Limits.extensionsMax) { reader throws(CodecError) in
            Extension(type: try reader.integer(), data: Array(try reader.opaque()))
        }
        guard Set(items.map(\.type)).count == items.count else { throw .badValue("an extension listed twice") }
        return items
    }
}
