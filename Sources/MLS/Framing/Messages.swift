package import Vocabulary

/// Content that is signed, MACed by members, and readable by the Delivery Service (RFC 9420 §6.2).
package struct PublicMessage: Hashable, Sendable, WireCodable {
    package let authenticated: AuthenticatedContent
    /// Of members only.
    package let membershipTag: [UInt8]?

    package var content: FramedContent { authenticated.content }

    package init(authenticated: AuthenticatedContent, membershipTag: [UInt8]?) {
        (self.authenticated, self.membershipTag) = (authenticated, membershipTag)
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(authenticated.content)
        authenticated.writeAuthentication(to: &writer)
        if let membershipTag { writer.write(opaque: membershipTag) }
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        let content: FramedContent = try reader.value()
        authenticated = try AuthenticatedContent(wireFormat: WireFormat.publicMessage, content: content, from: &reader)
        if case .member = content.sender { membershipTag = try reader.bytes() } else { membershipTag = nil }
    }
}

/// Content that is encrypted to the group (RFC 9420 §6.3).
package struct PrivateMessage: Hashable, Sendable, WireCodable {
    package let groupID: [UInt8]
    package let epoch: UInt64
    package let contentType: ContentType
    package let authenticatedData: [UInt8]
    package let encryptedSenderData: [UInt8]
    package let ciphertext: [UInt8]

    package init(
        groupID: [UInt8], epoch: UInt64, contentType: ContentType, authenticatedData: [UInt8], encryptedSenderData: [UInt8],
        ciphertext: [UInt8]
    ) {
        (self.groupID, self.epoch, self.contentType) = (groupID, epoch, contentType)
        (self.authenticatedData, self.encryptedSenderData) = (authenticatedData, encryptedSenderData)
        self.ciphertext = ciphertext
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(opaque: groupID)
        writer.write(epoch)
        writer.write(contentType.rawValue)
        writer.write(opaque: authenticatedData)
        writer.write(opaque: encryptedSenderData)
        writer.write(opaque: ciphertext)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        groupID = try reader.bytes()
        epoch = try reader.integer()
        contentType = try ContentType(from: &reader)
        authenticatedData = try reader.bytes()
        encryptedSenderData = try reader.bytes()
        ciphertext = try reader.bytes()
    }
}

/// Anything that MLS puts on a wire (RFC 9420 §6).
public struct MLSMessage: Hashable, Sendable, WireCodable {
    package enum Body: Hashable, Sendable {
        case publicMessage(PublicMessage)
        case privateMessage(PrivateMessage)
        case welcome(Welcome)
        case groupInfo(GroupInfo)
        case keyPackage(KeyPackage)
    }

    package let body: Body

    package init(_ body: Body) { self.body = body }

    /// - Throws: `malformed` for anything but one whole message.
    public init(_ bytes: [UInt8]) throws(MLSError) { self = try MLSMessage(exactly: bytes) }

    public var bytes: [UInt8] { encoded }

    package func write(to writer: inout ByteWriter) {
        writer.write(UInt16(1))
        switch body {
        case .publicMessage(let message):
            writer.write(WireFormat.publicMessage)
            writer.write(message)
        case .privateMessage(let message):
            writer.write(WireFormat.privateMessage)
            writer.write(message)
        case .welcome(let welcome):
            writer.write(WireFormat.welcome)
            writer.write(welcome)
        case .groupInfo(let info):
            writer.write(WireFormat.groupInfo)
            writer.write(info)
        case .keyPackage(let package):
            writer.write(WireFormat.keyPackage)
            writer.write(package)
        }
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("an MLS version") }
        switch try reader.integer(UInt16.self) {
        case WireFormat.publicMessage: body = .publicMessage(try reader.value())
        case WireFormat.privateMessage: body = .privateMessage(try reader.value())
        case WireFormat.welcome: body = .welcome(try reader.value())
        case WireFormat.groupInfo: body = .groupInfo(try reader.value())
        case WireFormat.keyPackage: body = .keyPackage(try reader.value())
        default: throw .badValue("a wire format")
        }
    }

    /// What the message is, as far as its outside shows it: enough for a Delivery Service to route it.
    public enum Kind: Hashable, Sendable { case application, proposal, commit, welcome, groupInfo, keyPackage }

    public var kind: Kind {
        switch body {
        case .publicMessage(let message): Kind(message.content.body.type)
        case .privateMessage(let message): Kind(message.contentType)
        case .welcome: .welcome
        case .groupInfo: .groupInfo
        case .keyPackage: .keyPackage
        }
    }

    /// Nil of messages that no group or epoch is written on.
    public var place: (group: [UInt8], epoch: UInt64)? {
        switch body {
        case .publicMessage(let message): (message.content.groupID, message.content.epoch)
        case .privateMessage(let message): (message.groupID, message.epoch)
        case .groupInfo(let info): (info.context.groupID, info.context.epoch)
        case .welcome, .keyPackage: nil
        }
    }

    /// Readable by all who see the message, and authenticated for members; nil of messages that have none.
    public var authenticatedData: [UInt8]? {
        switch body {
        case .publicMessage(let message): message.content.authenticatedData
        case .privateMessage(let message): message.authenticatedData
        case .welcome, .groupInfo, .keyPackage: nil
        }
    }

    public var keyPackage: KeyPackage? { if case .keyPackage(let package) = body { package } else { nil } }
    public var groupInfo: GroupInfo? { if case .groupInfo(let info) = body { info } else { nil } }
    /// The references of the key packages that a Welcome is for.
    public var welcomedReferences: [[UInt8]] { if case .welcome(let welcome) = body { welcome.entries.map(\.newMember) } else { [] } }

    /// A Welcome for some of its newcomers: into how many it is parted is free (§12.4.3.1), and an entry for each of a thousand others is
    /// nothing that a device needs.
    /// - Returns: nil for another message, and if it has no entry for any of them.
    public func welcome(for references: Set<[UInt8]>) -> MLSMessage? {
        guard case .welcome(let welcome) = body else { return nil }
        let entries = welcome.entries.filter { references.contains($0.newMember) }
        guard !entries.isEmpty else { return nil }
        return MLSMessage(
            .welcome(
                Welcome(cipherSuite: welcome.cipherSuite, entries: entries, encryptedGroupInfo: welcome.encryptedGroupInfo)))
    }
}

extension MLSMessage.Kind {
    init(_ type: ContentType) {
        self =
            switch type {
            case .application: .application
            case .proposal: .proposal
            case .commit: .commit
            }
    }
}
