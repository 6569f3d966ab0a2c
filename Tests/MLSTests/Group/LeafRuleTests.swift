import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §7.3 and §10.1, one rule after the other, by proposals that a member receives.
@Suite struct LeafRuleTests {
    let fleet: Fleet

    init() throws {
        var fleet = try Fleet(seed: 31, extensions: [.requiring(RequiredCapabilities(credentials: [1]))])
        try fleet.add(["bob"], by: "ann")
        self.fleet = fleet
    }

    func expect(_ error: MLSError, _ proposal: Proposal, sourceLocation: SourceLocation = #_sourceLocation) throws {
        var bob = fleet["bob"]
        let message = try fleet["ann"].forged(.proposal(proposal))
        #expect(throws: error, sourceLocation: sourceLocation) { try bob.process(message, host: fleet.host) }
        #expect(bob == fleet["bob"], sourceLocation: sourceLocation)
    }

    func leaf(
        capabilities: Capabilities = Capabilities(), extensions: [MLSExtension] = [], key: [UInt8]? = nil,
        source: LeafNode.Source = .update, at index: UInt32 = 0
    ) throws -> Proposal {
        .update(
            try ProposalRuleTests.leaf(
                "ann", fleet["ann"], source: source, capabilities: capabilities, extensions: extensions, key: key, at: index))
    }

    @Test func `version, suite and credential type must be listed`() throws {
        try expect(.invalidLeaf(.versionNotListed), leaf(capabilities: Capabilities(versions: [2])))
        try expect(.invalidLeaf(.cipherSuiteNotListed), leaf(capabilities: Capabilities(cipherSuites: [2])))
        try expect(.invalidLeaf(.credentialNotListed), leaf(capabilities: Capabilities(credentials: [2])))
    }

    @Test func `extensions must be listed and unique; default types must not be listed`() throws {
        let item = MLSExtension(type: 0xf001, data: [])
        try expect(.invalidLeaf(.extensionNotListed(0xf001)), leaf(extensions: [item]))
        try expect(.duplicateExtension(0xf001), leaf(capabilities: Capabilities(extensions: [0xf001]), extensions: [item, item]))
        try expect(.invalidLeaf(.defaultListed(3)), leaf(capabilities: Capabilities(extensions: [3])))
        try expect(.invalidLeaf(.defaultListed(1)), leaf(capabilities: Capabilities(proposals: [1])))
    }

    @Test func `unknown values in capabilities are ignored, GREASE among them`() throws {
        var random = SeededGenerator(seed: 5)
        let capabilities = Capabilities(extensions: [0xf001]).greased(using: &random)
        #expect(capabilities.extensions.count == 2 && capabilities.extensions[1] & 0x0f0f == 0x0a0a)
        guard
            case .update(let leaf) = try leaf(
                capabilities: capabilities, extensions: [MLSExtension(type: 0xf001, data: [1])])
        else { return }
        var bob = fleet["bob"]
        _ = try bob.process(fleet["ann"].forged(.proposal(.update(leaf))), host: fleet.host)
        #expect(bob.pendingProposals.count == 1)
    }

    @Test func `the source fits the occasion`() throws {
        try expect(.invalidLeaf(.wrongSource), leaf(source: .commit(parentHash: [])))
        try expect(.invalidLeaf(.wrongSource), leaf(source: .keyPackage(Lifetime(notBefore: 0, notAfter: .max))))
    }

    @Test func `the signature is bound to group and leaf`() throws {
        try expect(.invalidLeaf(.signature), leaf(at: 1))
    }

    @Test func `an encryption key has the suite's length`() throws {
        try expect(.invalidLeaf(.keyLength), leaf(key: [1, 2, 3]))
    }

    @Test func `keys are unique among members`() throws {
        let taken = try #require(fleet["bob"].member(1)?.encryptionKey)
        var bob = fleet["bob"]
        var reference: [UInt8] = []
        let message = try fleet["ann"].forged(.proposal(leaf(key: taken)))
        if case .proposal(let given, _, _) = try bob.process(message, host: fleet.host) { reference = given }
        var random = SeededGenerator(seed: 6)
        #expect(throws: MLSError.invalidLeaf(.encryptionKeyInUse)) {
            var plan = CommitPlan()
            plan.references = [reference]
            return try bob.commit(plan, host: fleet.host, using: &random)
        }
        #expect(!reference.isEmpty)
    }

    @Test func `key packages: version, suite, signature, keys, source`() throws {
        let suite = try #require(CipherSuite.x25519ChaCha20Poly1305.implementation)
        let other = try #require(CipherSuite.x25519AES128GCM.implementation)
        let eve = try MemberIdentity.fixture("eve")
        let lifetime = Lifetime(notBefore: noon - 3600, notAfter: noon + 3600)
        let good = try ProposalRuleTests.leaf("eve", fleet["ann"], source: .keyPackage(lifetime))
        func package(
            _ leaf: LeafNode, initKey: [UInt8] = Array(repeating: 9, count: 32), by signer: SignatureKeyPair? = nil,
            _ with: any SuiteProvider
        ) -> Proposal {
            .add(KeyPackage(suite: with, initKey: initKey, leaf: leaf, extensions: [], signing: signer ?? eve.signer))
        }
        try expect(.invalidKeyPackage(.cipherSuite), package(good, other))
        try expect(.invalidKeyPackage(.signature), package(good, by: try MemberIdentity.fixture("fay").signer, suite))
        try expect(.invalidKeyPackage(.initKeyReused), package(good, initKey: good.encryptionKey, suite))
        try expect(.invalidLeaf(.wrongSource), package(try ProposalRuleTests.leaf("eve", fleet["ann"], source: .update), suite))
        var bytes = good.encoded
        bytes[bytes.count - 1] ^= 1
        try expect(.invalidLeaf(.signature), package(try LeafNode(exactly: bytes), suite))
    }

    @Test func `required capabilities hold for newcomers`() throws {
        var fleet = try Fleet(seed: 32, extensions: [.requiring(RequiredCapabilities(credentials: [1]))])
        try fleet.add(["bob"], by: "ann")
        let own = try OwnKeyPackage.make(
            member: .fixture("eve", capabilities: Capabilities(credentials: [1, 2])), using: &fleet.random)
        _ = try fleet["ann"].commit(CommitPlan([.add(own.package)]), host: fleet.host, using: &fleet.random)
        let required = MLSExtension.requiring(RequiredCapabilities(credentials: [1, 7]))
        #expect(throws: MLSError.invalidProposals(.requiredCapabilityUnsupported(member: 0))) {
            try fleet["ann"].commit(CommitPlan([.groupContextExtensions([required])]), host: fleet.host, using: &fleet.random)
        }
    }

    @Test func `lifetimes of others are checked only when the caller wants it`() throws {
        let leaf = try ProposalRuleTests.leaf(
            "eve", fleet["ann"], source: .keyPackage(Lifetime(notBefore: 1, notAfter: 2)))
        let suite = try #require(CipherSuite.x25519ChaCha20Poly1305.implementation)
        let package = KeyPackage(
            suite: suite, initKey: Array(repeating: 9, count: 32), leaf: leaf, extensions: [],
            signing: try MemberIdentity.fixture("eve").signer)
        let message = try fleet["ann"].forged(.proposal(.add(package)))
        var bob = fleet["bob"]
        #expect(throws: MLSError.invalidLeaf(.lifetime)) {
            try bob.process(message, host: .fixture(bounds: GroupHost.Bounds(checksReceivedLifetimes: true)))
        }
        _ = try bob.process(message, host: fleet.host)
        #expect(throws: MLSError.invalidLeaf(.lifetime)) {
            try KeyPackage.fetched(MLSMessage(.keyPackage(package)).bytes, host: fleet.host)
        }
    }
}
