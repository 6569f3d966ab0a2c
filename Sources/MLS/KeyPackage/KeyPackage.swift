package import Cryptography
package import Vocabulary

/// What a client publishes so that others can add it while it is away (RFC 9420 §10).
public struct KeyPackage: Hashable, Sendable, WireCodable {
    public let version: UInt16
    public let cipherSuite: CipherSuite
    public let initKey: [UInt8]
    public let leaf: LeafNode
    public let extensions: [MLSExtension]
    public let encoded: [UInt8]
    private let signedCount: Int

    package init(from reader: inout ByteReader) throws(CodecError) {
        let start = reader.rest
        version = try reader.integer()
        cipherSuite = CipherSuite(rawValue: try reader.integer())
        initKey = try reader.bytes()
        leaf = try reader.value()
        extensions = try reader.list()
        signedCount = reader.consumed(since: start).count
        _ = try reader.opaque()
        encoded = Array(reader.consumed(since: start))
    }

    package func write(to writer: inout ByteWriter) { writer.write(fixed: encoded) }

    package init(suite: any SuiteProvider, initKey: [UInt8], leaf: LeafNode, extensions: [MLSExtension], signing key: SignatureKeyPair) {
        var writer = ByteWriter(reservingCapacity: 768)
        writer.write(UInt16(1))
        writer.write(suite.cipherSuite.rawValue)
        writer.write(opaque: initKey)
        writer.write(leaf)
        writer.write(list: extensions)
        signedCount = writer.bytes.count
        writer.write(opaque: suite.sign(writer.bytes, label: "KeyPackageTBS", with: key))
        (version, cipherSuite, self.initKey, self.leaf) = (1, suite.cipherSuite, initKey, leaf)
        self.extensions = extensions
        encoded = writer.bytes
    }

    /// Names the package in a Welcome (§5.2).
    package func reference(_ suite: any SuiteProvider) -> [UInt8] {
        suite.reference("MLS 1.0 KeyPackage Reference", encoded)
    }

    public var isLastResort: Bool { extensions[type: MLSExtension.lastResort] != nil }

    /// §10.1, but for the leaf's own rules, which depend on the group.
    func check(_ suite: any SuiteProvider, host: GroupHost) throws(MLSError) {
        guard version == 1 else { throw .invalidKeyPackage(.version) }
        guard cipherSuite == suite.cipherSuite else { throw .invalidKeyPackage(.cipherSuite) }
        guard case .keyPackage = leaf.source else { throw .invalidLeaf(.wrongSource) }
        // Or nobody could commit the Add.
        guard suite.isUsable(initKey) else { throw .badKey("init key") }
        guard initKey != leaf.encryptionKey else { throw .invalidKeyPackage(.initKeyReused) }
        try extensions.checkUnique()
        guard host.isSigned(self, suite) else { throw .invalidKeyPackage(.signature) }
    }

    func isSigned(_ suite: any SuiteProvider) -> Bool {
        var reader = ByteReader(encoded[signedCount...])
        guard let signature = try? reader.bytes() else { return false }
        return suite.isValid(signature, over: Array(encoded[..<signedCount]), label: "KeyPackageTBS", by: leaf.signatureKey)
    }
}
