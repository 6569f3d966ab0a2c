package import Cryptography
package import Vocabulary

/// Who sent something (RFC 9420 §6).
public enum Sender: Hashable, Sendable, WireCodable {
    case member(UInt32)
    /// By index into the group's external senders.
    case external(UInt32)
    case newMemberProposal
    case newMemberCommit

    package func write(to writer: inout ByteWriter) {
        switch self {
        case .member(let leaf):
            writer.write(UInt8(1))
            writer.write(leaf)
        case .external(let index):
            writer.write(UInt8(2))
            writer.write(index)
        case .newMemberProposal: writer.write(UInt8(3))
        case .newMemberCommit: writer.write(UInt8(4))
        }
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        switch try reader.integer(UInt8.self) {
        case 1: self = .member(try reader.integer())
        case 2: self = .external(try reader.integer())
        case 3: self = .newMemberProposal
        case 4: self = .newMemberCommit
        default: throw .badValue("a sender type")
        }
    }
}

package enum ContentType: UInt8, Sendable {
    case application = 1
    case proposal = 2
    case commit = 3

    init(from reader: inout ByteReader) throws(CodecError) {
        guard let type = ContentType(rawValue: try reader.integer()) else { throw .badValue("a content type") }
        self = type
    }
}

package enum WireFormat {
    package static let publicMessage: UInt16 = 1
    package static let privateMessage: UInt16 = 2
    static let welcome: UInt16 = 3
    static let groupInfo: UInt16 = 4
    static let keyPackage: UInt16 = 5
}

/// A message's content before any protection (RFC 9420 §6). Keeps its encoding: it is signed, MACed and hashed, and a commit may be long.
package struct FramedContent: Hashable, Sendable, WireCodable {
    package enum Body: Hashable, Sendable {
        case application([UInt8])
        case proposal(Proposal)
        case commit(Commit)

        package var type: ContentType {
            switch self {
            case .application: .application
            case .proposal: .proposal
            case .commit: .commit
            }
        }

        func write(to writer: inout ByteWriter) {
            switch self {
            case .application(let data): writer.write(opaque: data)
            case .proposal(let proposal): writer.write(proposal)
            case .commit(let commit): writer.write(commit)
            }
        }

        init(_ type: ContentType, from reader: inout ByteReader) throws(CodecError) {
            switch type {
            case .application: self = .application(try reader.bytes())
            case .proposal: self = .proposal(try reader.value())
            case .commit: self = .commit(try reader.value())
            }
        }
    }

    package let groupID: [UInt8]
    package let epoch: UInt64
    package let sender: Sender
    package let authenticatedData: [UInt8]
    package let body: Body
    package let encoded: [UInt8]
    /// Where the body begins in `encoded`.
    let bodyStart: Int

    package init(groupID: [UInt8], epoch: UInt64, sender: Sender, authenticatedData: [UInt8], body: Body) {
        (self.groupID, self.epoch, self.sender) = (groupID, epoch, sender)
        (self.authenticatedData, self.body) = (authenticatedData, body)
        var writer = Self.header(groupID, epoch, sender, authenticatedData, body.type)
        bodyStart = writer.bytes.count
        body.write(to: &writer)
        encoded = writer.bytes
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        let start = reader.rest
        groupID = try reader.bytes()
        epoch = try reader.integer()
        sender = try reader.value()
        authenticatedData = try reader.bytes()
        let type = try ContentType(from: &reader)
        bodyStart = reader.consumed(since: start).count
        body = try Body(type, from: &reader)
        encoded = Array(reader.consumed(since: start))
    }

    /// Out of an opened PrivateMessage, whose body stands apart from its header.
    init(opened message: PrivateMessage, sender: UInt32, from reader: inout ByteReader) throws(CodecError) {
        (groupID, epoch, self.sender) = (message.groupID, message.epoch, .member(sender))
        authenticatedData = message.authenticatedData
        var writer = Self.header(groupID, epoch, self.sender, authenticatedData, message.contentType)
        bodyStart = writer.bytes.count
        let start = reader.rest
        body = try Body(message.contentType, from: &reader)
        writer.write(fixed: reader.consumed(since: start))
        encoded = writer.bytes
    }

    private static func header(
        _ groupID: [UInt8], _ epoch: UInt64, _ sender: Sender, _ authenticatedData: [UInt8], _ type: ContentType
    ) -> ByteWriter {
        var writer = ByteWriter(reservingCapacity: groupID.count + authenticatedData.count + 64)
        writer.write(opaque: groupID)
        writer.write(epoch)
        writer.write(sender)
        writer.write(opaque: authenticatedData)
        writer.write(type.rawValue)
        return writer
    }

    package func write(to writer: inout ByteWriter) { writer.write(fixed: encoded) }
}

/// Content with its signature and, of a commit, its confirmation tag (RFC 9420 §6.1).
package struct AuthenticatedContent: Hashable, Sendable, WireCodable {
    package let wireFormat: UInt16
    package let content: FramedContent
    package let signature: [UInt8]
    /// Only on commits; nil there only until the new epoch's key schedule gives it.
    package var confirmationTag: [UInt8]?

    package init(wireFormat: UInt16, content: FramedContent, signature: [UInt8], confirmationTag: [UInt8]?) {
        (self.wireFormat, self.content) = (wireFormat, content)
        (self.signature, self.confirmationTag) = (signature, confirmationTag)
    }

    /// - Parameter context: the encoded GroupContext; left out for senders who cannot know it.
    package init(
        signing content: FramedContent, wireFormat: UInt16, context: [UInt8], with key: SignatureKeyPair, _ suite: any SuiteProvider
    ) {
        self.init(
            wireFormat: wireFormat, content: content,
            signature: suite.sign(Self.signed(content, wireFormat, context).bytes, label: "FramedContentTBS", with: key),
            confirmationTag: nil)
    }

    package func isSigned(by publicKey: [UInt8], context: [UInt8], _ suite: any SuiteProvider) -> Bool {
        suite.isValid(signature, over: Self.signed(content, wireFormat, context).bytes, label: "FramedContentTBS", by: publicKey)
    }

    /// FramedContentTBS, with room for `more` bytes behind it.
    private static func signed(_ content: FramedContent, _ wireFormat: UInt16, _ context: [UInt8], before more: Int = 0) -> ByteWriter {
        var writer = ByteWriter(reservingCapacity: content.encoded.count + context.count + 8 + more)
        writer.write(UInt16(1))
        writer.write(wireFormat)
        writer.write(content)
        switch content.sender {
        case .member, .newMemberCommit: writer.write(fixed: context)
        case .external, .newMemberProposal: break
        }
        return writer
    }

    /// Over AuthenticatedContentTBM (§6.2).
    package func membershipTag(key: Secret, context: [UInt8], _ suite: any SuiteProvider) -> [UInt8] {
        var writer = Self.signed(content, wireFormat, context, before: signature.count + (confirmationTag?.count ?? 0) + 8)
        writeAuthentication(to: &writer)
        return suite.mac(writer.bytes, key: key)
    }

    func writeAuthentication(to writer: inout ByteWriter) {
        writer.write(opaque: signature)
        if let confirmationTag { writer.write(opaque: confirmationTag) }
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(wireFormat)
        writer.write(content)
        writeAuthentication(to: &writer)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        let wireFormat: UInt16 = try reader.integer()
        try self.init(wireFormat: wireFormat, content: try reader.value(), from: &reader)
    }

    init(wireFormat: UInt16, content: FramedContent, from reader: inout ByteReader) throws(CodecError) {
        (self.wireFormat, self.content) = (wireFormat, content)
        signature = try reader.bytes()
        confirmationTag = content.body.type == .commit ? try reader.bytes() : nil
    }

    /// Names a proposal in a commit (§5.2).
    package func proposalReference(_ suite: any SuiteProvider) -> [UInt8] {
        suite.reference("MLS 1.0 Proposal Reference", encoded)
    }
}
