package import Vocabulary

/// An extension of a key package, leaf, group or group info (RFC 9420 §13.4); the data of unknown ones is carried along unread.
public struct MLSExtension: Hashable, Sendable, WireCodable {
    public static let applicationID: UInt16 = 0x0001
    public static let ratchetTree: UInt16 = 0x0002
    public static let requiredCapabilities: UInt16 = 0x0003
    public static let externalPub: UInt16 = 0x0004
    public static let externalSenders: UInt16 = 0x0005
    /// The last-resort mark of a key package (draft-ietf-mls-extensions).
    public static let lastResort: UInt16 = 0x000a

    public let type: UInt16
    public let data: [UInt8]

    public init(type: UInt16, data: [UInt8]) { (self.type, self.data) = (type, data) }

    package func write(to writer: inout ByteWriter) {
        writer.write(type)
        writer.write(opaque: data)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        type = try reader.integer()
        data = try reader.bytes()
    }

    /// Understood by everybody, so never listed in capabilities (§7.2).
    static func isDefault(_ type: UInt16) -> Bool { (0x0001...0x0005).contains(type) }

    public static func requiring(_ required: RequiredCapabilities) -> MLSExtension {
        MLSExtension(type: requiredCapabilities, data: required.encoded)
    }

    public static func externalSenders(_ senders: [ExternalSender]) -> MLSExtension {
        var writer = ByteWriter()
        writer.write(list: senders)
        return MLSExtension(type: externalSenders, data: writer.bytes)
    }
}

extension [MLSExtension] {
    public subscript(type type: UInt16) -> MLSExtension? { first { $0.type == type } }

    /// §13.4: one of a type.
    func checkUnique() throws(MLSError) {
        guard count > 1 else { return }
        guard count <= Limits.mlsExtensionsMax else { throw .limitReached("extensions in a list") }
        for (index, item) in enumerated() where self[..<index].contains(where: { $0.type == item.type }) {
            throw .duplicateExtension(item.type)
        }
    }

    func required() throws(MLSError) -> RequiredCapabilities? {
        guard let item = self[type: MLSExtension.requiredCapabilities] else { return nil }
        return try RequiredCapabilities(exactly: item.data)
    }

    func externalSenders() throws(MLSError) -> [ExternalSender]? {
        guard let item = self[type: MLSExtension.externalSenders] else { return nil }
        return try decoding { () throws(CodecError) in
            var reader = ByteReader(item.data)
            let senders = try reader.list(ExternalSender.self)
            try reader.finish()
            return senders
        }
    }
}

/// What every member must support (RFC 9420 §11.1).
public struct RequiredCapabilities: Hashable, Sendable, WireCodable {
    public let extensions, proposals, credentials: [UInt16]

    public init(extensions: [UInt16] = [], proposals: [UInt16] = [], credentials: [UInt16] = []) {
        (self.extensions, self.proposals, self.credentials) = (extensions, proposals, credentials)
    }

    var longestList: Int { max(extensions.count, proposals.count, credentials.count) }

    package func write(to writer: inout ByteWriter) {
        writer.write(types: extensions)
        writer.write(types: proposals)
        writer.write(types: credentials)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        extensions = try reader.types()
        proposals = try reader.types()
        credentials = try reader.types()
    }
}

/// What a member understands beyond the defaults (RFC 9420 §7.2). Unknown values, GREASE among them, are kept and ignored.
public struct Capabilities: Hashable, Sendable, WireCodable {
    public let versions, cipherSuites, extensions, proposals, credentials: [UInt16]

    public init(
        versions: [UInt16] = [1], cipherSuites: [UInt16] = CipherSuite.supported.map(\.rawValue), extensions: [UInt16] = [],
        proposals: [UInt16] = [], credentials: [UInt16] = [Credential.basicType]
    ) {
        (self.versions, self.cipherSuites, self.extensions) = (versions, cipherSuites, extensions)
        (self.proposals, self.credentials) = (proposals, credentials)
    }

    /// With one reserved value (§13.5) in each list that may have one, so that peers who choke on unknown values are found early.
    public func greased(using random: inout some RandomNumberGenerator) -> Capabilities {
        func grease() -> UInt16 { UInt16.random(in: 0...14, using: &random) &* 0x1010 &+ 0x0a0a }
        return Capabilities(
            versions: versions, cipherSuites: cipherSuites + [grease()], extensions: extensions + [grease()],
            proposals: proposals + [grease()], credentials: credentials + [grease()])
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(types: versions)
        writer.write(types: cipherSuites)
        writer.write(types: extensions)
        writer.write(types: proposals)
        writer.write(types: credentials)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        versions = try reader.types()
        cipherSuites = try reader.types()
        extensions = try reader.types()
        proposals = try reader.types()
        credentials = try reader.types()
    }

    var longestList: Int {
        max(versions.count, cipherSuites.count, extensions.count, proposals.count, credentials.count)
    }

    func supports(extension type: UInt16) -> Bool { MLSExtension.isDefault(type) || extensions.contains(type) }
    func supports(proposal type: UInt16) -> Bool { (1...7).contains(type) || proposals.contains(type) }
}
