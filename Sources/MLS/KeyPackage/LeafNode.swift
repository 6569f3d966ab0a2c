package import Cryptography
package import Vocabulary

/// When a key package may be used: seconds since 1970, both ends included (RFC 9420 §7.2).
public struct Lifetime: Hashable, Sendable {
    public let notBefore, notAfter: UInt64

    public init(notBefore: UInt64, notAfter: UInt64) { (self.notBefore, self.notAfter) = (notBefore, notAfter) }

    public func contains(_ seconds: UInt64) -> Bool { notBefore <= seconds && seconds <= notAfter }
}

/// A member as the group sees it (RFC 9420 §7.2). Never changes once made, so that the trees of all epochs share it: hence a class.
public final class LeafNode: Hashable, Sendable, WireCodable {
    public enum Source: Hashable, Sendable {
        case keyPackage(Lifetime)
        case update
        case commit(parentHash: [UInt8])
    }

    /// The fields above the signature.
    public struct Content: Hashable, Sendable {
        public let encryptionKey: [UInt8]
        public let signatureKey: [UInt8]
        public let credential: Credential
        public let capabilities: Capabilities
        public let source: Source
        public let extensions: [MLSExtension]

        public init(
            encryptionKey: [UInt8], signatureKey: [UInt8], credential: Credential, capabilities: Capabilities, source: Source,
            extensions: [MLSExtension]
        ) {
            (self.encryptionKey, self.signatureKey, self.credential) = (encryptionKey, signatureKey, credential)
            (self.capabilities, self.source, self.extensions) = (capabilities, source, extensions)
        }

        func write(to writer: inout ByteWriter) {
            writer.write(opaque: encryptionKey)
            writer.write(opaque: signatureKey)
            writer.write(credential)
            writer.write(capabilities)
            switch source {
            case .keyPackage(let lifetime):
                writer.write(UInt8(1))
                writer.write(lifetime.notBefore)
                writer.write(lifetime.notAfter)
            case .update: writer.write(UInt8(2))
            case .commit(let parentHash):
                writer.write(UInt8(3))
                writer.write(opaque: parentHash)
            }
            writer.write(list: extensions)
        }

        init(from reader: inout ByteReader) throws(CodecError) {
            encryptionKey = try reader.bytes()
            signatureKey = try reader.bytes()
            credential = try reader.value()
            capabilities = try reader.value()
            switch try reader.integer(UInt8.self) {
            case 1: source = .keyPackage(Lifetime(notBefore: try reader.integer(), notAfter: try reader.integer()))
            case 2: source = .update
            case 3: source = .commit(parentHash: try reader.bytes())
            default: throw .badValue("a leaf node source")
            }
            extensions = try reader.list()
        }
    }

    public let content: Content
    /// As sent; the signed part comes first.
    public let encoded: [UInt8]
    private let signedCount: Int

    public var encryptionKey: [UInt8] { content.encryptionKey }
    public var signatureKey: [UInt8] { content.signatureKey }
    public var credential: Credential { content.credential }
    public var capabilities: Capabilities { content.capabilities }
    public var source: Source { content.source }
    public var extensions: [MLSExtension] { content.extensions }

    package init(from reader: inout ByteReader) throws(CodecError) {
        let start = reader.rest
        content = try Content(from: &reader)
        signedCount = reader.consumed(since: start).count
        _ = try reader.opaque()
        encoded = Array(reader.consumed(since: start))
    }

    package func write(to writer: inout ByteWriter) { writer.write(fixed: encoded) }

    func supports(credentials types: [UInt16]) -> Bool { types.allSatisfy { capabilities.credentials.contains($0) } }

    /// Signs a leaf for a key package (`place` nil) or for its place in a group.
    package init(signing content: Content, place: (group: [UInt8], leaf: UInt32)?, with key: SignatureKeyPair, _ suite: any SuiteProvider) {
        var writer = ByteWriter(reservingCapacity: 512)
        content.write(to: &writer)
        self.content = content
        signedCount = writer.bytes.count
        let signature = suite.sign(Self.signed(writer.bytes[...], place), label: "LeafNodeTBS", with: key)
        writer.write(opaque: signature)
        encoded = writer.bytes
    }

    /// LeafNodeTBS: leaves made inside a group are bound to it and to their place.
    private static func signed(_ content: ArraySlice<UInt8>, _ place: (group: [UInt8], leaf: UInt32)?) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: content.count + 64)
        writer.write(fixed: content)
        if let place {
            writer.write(opaque: place.group)
            writer.write(place.leaf)
        }
        return writer.bytes
    }

    func isSigned(group: [UInt8], leaf: UInt32, _ suite: any SuiteProvider) -> Bool {
        var reader = ByteReader(encoded[signedCount...])
        guard let signature = try? reader.bytes() else { return false }
        let place: (group: [UInt8], leaf: UInt32)? = if case .keyPackage = source { nil } else { (group, leaf) }
        return suite.isValid(
            signature, over: Self.signed(encoded[..<signedCount], place), label: "LeafNodeTBS", by: signatureKey)
    }

    public static func == (x: LeafNode, y: LeafNode) -> Bool { x === y || x.encoded == y.encoded }
    public func hash(into hasher: inout Hasher) { hasher.combine(encoded) }
}
