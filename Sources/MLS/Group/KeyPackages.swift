public import Cryptography
internal import Vocabulary

/// A key package of ours with its private keys: stored from its publication until its Welcome was joined, then deleted.
public struct OwnKeyPackage: Equatable, Sendable {
    public let package: KeyPackage
    public let initKey: EncapsulationKey
    public let leafKey: EncapsulationKey
    public let signer: SignatureKeyPair

    /// - Parameter lastResort: marks a package that may be used more than once (§16.8).
    /// - Throws: `unsupportedCipherSuite`.
    public static func make(
        suite cipherSuite: CipherSuite = .x25519ChaCha20Poly1305, member: MemberIdentity, extensions: [MLSExtension] = [],
        lastResort: Bool = false, using random: inout some RandomNumberGenerator
    ) throws(MLSError) -> OwnKeyPackage {
        let suite = try cipherSuite.provider()
        let initKey = try random.encapsulationKey(suite)
        let leafKey = try random.encapsulationKey(suite)
        var member = member
        if lastResort, !member.capabilities.extensions.contains(MLSExtension.lastResort) {
            let has = member.capabilities
            member = MemberIdentity(
                signer: member.signer, credential: member.credential,
                capabilities: Capabilities(
                    versions: has.versions, cipherSuites: has.cipherSuites, extensions: has.extensions + [MLSExtension.lastResort],
                    proposals: has.proposals, credentials: has.credentials),
                extensions: member.extensions, lifetime: member.lifetime)
        }
        let leaf = LeafNode(
            signing: member.content(encryptionKey: leafKey.publicKey, source: .keyPackage(member.lifetime)), place: nil,
            with: member.signer, suite)
        let package = KeyPackage(
            suite: suite, initKey: initKey.publicKey, leaf: leaf,
            extensions: extensions + (lastResort ? [MLSExtension(type: MLSExtension.lastResort, data: [])] : []), signing: member.signer)
        return OwnKeyPackage(package: package, initKey: initKey, leafKey: leafKey, signer: member.signer)
    }

    public init(package: KeyPackage, initKey: EncapsulationKey, leafKey: EncapsulationKey, signer: SignatureKeyPair) {
        (self.package, self.initKey, self.leafKey, self.signer) = (package, initKey, leafKey, signer)
    }

    /// As an MLSMessage: what is published.
    public var published: [UInt8] { MLSMessage(.keyPackage(package)).encoded }

    /// How Welcomes and directories name it.
    public var reference: [UInt8] {
        guard let suite = package.cipherSuite.implementation else { return [] }
        return package.reference(suite)
    }

    /// For the caller's store, which seals it: contains the private keys.
    public var stored: [UInt8] {
        var writer = ByteWriter(reservingCapacity: package.encoded.count + 128)
        writer.write(UInt8(1))
        writer.write(package)
        writer.write(secret: initKey.secret)
        writer.write(secret: leafKey.secret)
        writer.write(secret: signer.secret)
        return writer.bytes
    }

    public init(stored bytes: [UInt8]) throws(MLSError) {
        var reader = ByteReader(bytes)
        let (package, initSecret, leafSecret, signerSecret) = try decoding { () throws(CodecError) in
            guard try reader.integer(UInt8.self) == 1 else { throw .badValue("the version of a stored key package") }
            let parts = (try reader.value(KeyPackage.self), try reader.secret(), try reader.secret(), try reader.secret())
            try reader.finish()
            return parts
        }
        try self.init(package: package, initSecret: initSecret, leafSecret: leafSecret, signerSecret: signerSecret)
    }

    /// - Throws: `badKey` unless the private keys are those of the package.
    public init(package: KeyPackage, initSecret: Secret, leafSecret: Secret, signerSecret: Secret) throws(MLSError) {
        let suite = try package.cipherSuite.provider()
        self.package = package
        (initKey, leafKey, signer) = try crypto("stored key package") { () throws(CryptoError) in
            (try suite.encapsulationKey(initSecret), try suite.encapsulationKey(leafSecret), try suite.signatureKey(signerSecret))
        }
        guard initKey.publicKey == package.initKey, leafKey.publicKey == package.leaf.encryptionKey,
            signer.publicKey == package.leaf.signatureKey
        else { throw .badKey("stored key package") }
    }
}

extension KeyPackage {
    /// A fetched key package, checked as far as it can be without a group (§10.1): signatures, lifetime, identity.
    public static func fetched(_ bytes: [UInt8], host: GroupHost) throws(MLSError) -> KeyPackage {
        guard let package = try MLSMessage(bytes).keyPackage else { throw .wrongContentType }
        let suite = try package.cipherSuite.provider()
        try package.check(suite, host: host)
        try LeafRules(suite, groupID: [], extensions: [], host: host).check(package.leaf, at: 0, .keyPackage)
        return package
    }
}

extension SignatureKeyPair {
    /// For suites 0x0001 and 0x0003: the seed of an Ed25519 key.
    /// - Throws: `badKey` unless there are 32 bytes.
    public init(ed25519 seed: Secret) throws(MLSError) {
        self = try crypto("signature key") { () throws(CryptoError) in try Ed25519Scheme.keyPair(privateKey: seed) }
    }
}
