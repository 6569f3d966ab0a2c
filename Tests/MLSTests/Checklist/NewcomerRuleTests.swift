import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §7.3, §10.1 and §11.1 for those who come: by Add, by external commit, by being in the tree that we join.
@Suite struct NewcomerRuleTests {
    static let full = Capabilities(extensions: [0xf001], proposals: [0xf002], credentials: [1, 0xf003])
    var random = SeededGenerator(seed: 95)
    let host = GroupHost.fixture()
    let ann: Group
    let bob: Group

    init() throws {
        let required = RequiredCapabilities(extensions: [0xf001], proposals: [0xf002], credentials: [0xf003])
        let group = try Group.create(
            id: [9, 5], member: .fixture("ann", capabilities: Self.full), extensions: [.requiring(required)], host: host,
            using: &random)
        let own = try OwnKeyPackage.make(member: .fixture("bob", capabilities: Self.full), using: &random)
        let pending = try group.commit(CommitPlan([.add(own.package)]), host: host, using: &random)
        var merged = group
        try merged.merge(pending, host: host)
        ann = merged
        bob = try Group.join(try #require(pending.welcome), with: own, host: host)
    }

    /// A member of ours refuses to commit the proposal, and to take it, alone or in a commit.
    mutating func expect(_ error: MLSError, _ proposal: Proposal, sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(throws: error, sourceLocation: sourceLocation) {
            try ann.commit(CommitPlan([proposal]), host: host, using: &random)
        }
        for body: FramedContent.Body in [.proposal(proposal), .commit(Commit(items: [.proposal(proposal)], path: nil))] {
            var member = bob
            let forged = try ann.forged(body)
            #expect(throws: error, sourceLocation: sourceLocation) { try member.process(forged, host: host) }
            #expect(member == bob, sourceLocation: sourceLocation)
        }
    }

    mutating func eve(_ capabilities: Capabilities) throws -> Proposal {
        .add(try OwnKeyPackage.make(member: .fixture("eve", capabilities: capabilities), using: &random).package)
    }

    @Test mutating func `a newcomer has every capability that the group requires`() throws {
        try expect(
            .invalidLeaf(.requiredExtension(0xf001)), eve(Capabilities(proposals: [0xf002], credentials: [1, 0xf003])))
        try expect(
            .invalidLeaf(.requiredProposal(0xf002)), eve(Capabilities(extensions: [0xf001], credentials: [1, 0xf003])))
        try expect(
            .invalidLeaf(.requiredCredential(0xf003)), eve(Capabilities(extensions: [0xf001], proposals: [0xf002])))
        _ = try ann.commit(CommitPlan([eve(Self.full)]), host: host, using: &random)
    }

    @Test mutating func `who joins by external commit has every capability that the group requires`() throws {
        let info = try ann.groupInfo()
        for (capabilities, error): (Capabilities, MLSError) in [
            (Capabilities(proposals: [0xf002], credentials: [1, 0xf003]), .invalidLeaf(.requiredExtension(0xf001))),
            (Capabilities(extensions: [0xf001], credentials: [1, 0xf003]), .invalidLeaf(.requiredProposal(0xf002))),
            (Capabilities(extensions: [0xf001], proposals: [0xf002]), .invalidLeaf(.requiredCredential(0xf003))),
        ] {
            #expect(throws: error) {
                try Group.joinExternally(info, as: .fixture("eve", capabilities: capabilities), host: host, using: &random)
            }
        }
        _ = try Group.joinExternally(info, as: .fixture("eve", capabilities: Self.full), host: host, using: &random)
    }

    @Test mutating func `a member keeps the required capabilities in its updates and path leaves`() throws {
        let poor = Capabilities(extensions: [0xf001], credentials: [1, 0xf003])
        let update = try ProposalRuleTests.leaf("ann", ann, source: .update, capabilities: poor)
        let leaf = try ProposalRuleTests.leaf("ann", ann, source: .commit(parentHash: []), capabilities: poor)
        for body: FramedContent.Body in [
            .proposal(.update(update)), .commit(Commit(items: [], path: UpdatePath(leaf: leaf, nodes: []))),
        ] {
            var member = bob
            let forged = try ann.forged(body)
            #expect(throws: MLSError.invalidLeaf(.requiredProposal(0xf002))) { try member.process(forged, host: host) }
            #expect(member == bob)
        }
        var plan = CommitPlan()
        plan.identity = try .fixture("ann", capabilities: poor)
        #expect(throws: MLSError.invalidLeaf(.requiredProposal(0xf002))) { try ann.commit(plan, host: host, using: &random) }
    }

    @Test mutating func `a newcomer knows the credential types in use`() throws {
        let open = GroupHost(now: noon, refusal: { _ in nil })
        let both = Capabilities(credentials: [1, 2])
        var group = try Group.create(id: [1], member: .fixture("ann", capabilities: both), host: open, using: &random)
        let identity = try MemberIdentity.fixture("bob")
        let certified = MemberIdentity(
            signer: identity.signer, credential: .x509([[1]]), capabilities: both, lifetime: identity.lifetime)
        let own = try OwnKeyPackage.make(member: certified, using: &random)
        try group.merge(group.commit(CommitPlan([.add(own.package)]), host: open, using: &random), host: open)
        let eve = try eve(Capabilities())
        #expect(throws: MLSError.invalidLeaf(.credentialUnsupportedByMember(2))) {
            try group.commit(CommitPlan([eve]), host: open, using: &random)
        }
        // Nor does anybody stay who does not know the newcomer's; what was in use once binds nobody.
        try group.merge(group.commit(CommitPlan([.remove(1)]), host: open, using: &random), host: open)
        try group.merge(group.commit(CommitPlan([eve]), host: open, using: &random), host: open)
        #expect(throws: MLSError.invalidLeaf(.credentialUnsupportedByMember(1))) {
            try group.commit(CommitPlan([.add(own.package)]), host: open, using: &random)
        }
    }

    @Test mutating func `a key package of another version`() throws {
        guard case .add(let package) = try eve(Self.full) else { return }
        var bytes = package.encoded
        bytes[1] = 2
        let odd = try KeyPackage(exactly: bytes)
        try expect(.invalidKeyPackage(.version), .add(odd))
        let published = MLSMessage(.keyPackage(odd)).bytes
        #expect(throws: MLSError.invalidKeyPackage(.version)) { try KeyPackage.fetched(published, host: host) }
    }

    @Test mutating func `keys to which nothing can be sealed are refused before anybody has to`() throws {
        let suite = try #require(ann.cipherSuite.implementation)
        let identity = try MemberIdentity.fixture("eve", capabilities: Self.full)
        let leaf = try ProposalRuleTests.leaf(
            "eve", ann, source: .keyPackage(identity.lifetime), capabilities: Self.full)
        for key: [UInt8] in WeakKeys.all + [[], [1, 2, 3], Array(repeating: 7, count: 33)] {
            let package = KeyPackage(suite: suite, initKey: key, leaf: leaf, extensions: [], signing: identity.signer)
            try expect(.badKey("init key"), .add(package))
        }
        for key in WeakKeys.all {
            let update = try ProposalRuleTests.leaf("ann", ann, source: .update, capabilities: Self.full, key: key)
            let path = UpdatePath(
                leaf: try ProposalRuleTests.leaf(
                    "ann", ann, source: .commit(parentHash: []), capabilities: Self.full, key: key), nodes: [])
            for body: FramedContent.Body in [.proposal(.update(update)), .commit(Commit(items: [], path: path))] {
                var member = bob
                let forged = try ann.forged(body)
                #expect(throws: MLSError.badKey("encryption key")) { try member.process(forged, host: host) }
            }
        }
    }

    // MARK: In the tree

    @Test func `each rule of a leaf holds for those who are there when we join`() throws {
        func joined(_ leaf: LeafNode) throws -> MLSError? {
            var tree = ann.tree
            tree.set(leaf: 1, leaf)
            // Without parents: no parent hash is in the way.
            let bare = try RatchetTree(leaves: tree.leaves, parents: tree.parents.map { _ in nil })
            let info = try ann.forgedInfo(bare)
            do throws(MLSError) { _ = try PublicGroup(info, host: host) } catch { return error }
            return nil
        }
        func leaf(
            _ capabilities: Capabilities = Self.full, name: String = "bob", extensions: [MLSExtension] = [], key: [UInt8]? = nil,
            credential: Credential? = nil, at index: UInt32 = 1
        ) throws -> LeafNode {
            try ProposalRuleTests.leaf(
                name, ann, source: .update, capabilities: capabilities, extensions: extensions, key: key, credential: credential,
                at: index)
        }
        func with(versions: [UInt16] = [1], suites: [UInt16] = [3], extensions: [UInt16] = [0xf001]) -> Capabilities {
            Capabilities(
                versions: versions, cipherSuites: suites, extensions: extensions, proposals: [0xf002], credentials: [1, 0xf003])
        }
        #expect(try joined(leaf()) == nil)
        #expect(try joined(leaf(at: 0)) == .invalidLeaf(.signature))
        #expect(try joined(leaf(with(versions: [2]))) == .invalidLeaf(.versionNotListed))
        #expect(try joined(leaf(with(suites: [1]))) == .invalidLeaf(.cipherSuiteNotListed))
        #expect(try joined(leaf(with(extensions: [0xf001, 5]))) == .invalidLeaf(.defaultListed(5)))
        #expect(try joined(leaf(with(extensions: []))) == .invalidLeaf(.requiredExtension(0xf001)))
        #expect(
            try joined(leaf(Capabilities(extensions: [0xf001], proposals: [0xf002], credentials: [0xf003])))
                == .invalidLeaf(.credentialUnsupportedByMember(1)))
        let item = MLSExtension(type: 0xf009, data: [])
        #expect(try joined(leaf(extensions: [item])) == .invalidLeaf(.extensionNotListed(0xf009)))
        #expect(try joined(leaf(with(extensions: [0xf001, 0xf009]), extensions: [item, item])) == .duplicateExtension(0xf009))
        #expect(try joined(leaf(key: [1, 2])) == .invalidLeaf(.keyLength))
        #expect(try joined(leaf(key: WeakKeys.all[0])) == .badKey("encryption key"))
        #expect(try joined(leaf(credential: .basic(Array("evil".utf8)))) == .identityRefused("evil"))
        #expect(try joined(leaf(name: "ann")) == .invalidLeaf(.signatureKeyInUse))
    }
}

/// The points of small order of Curve25519: a secret agreed with one of them is no secret.
enum WeakKeys {
    static let all: [[UInt8]] = [
        Array(repeating: 0, count: 32), [1] + Array(repeating: 0, count: 31),
        Hex.decode("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800") ?? [],
        Hex.decode("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157") ?? [],
        [0xec] + Array(repeating: 0xff, count: 30) + [0x7f], [0xed] + Array(repeating: 0xff, count: 30) + [0x7f],
        [0xee] + Array(repeating: 0xff, count: 30) + [0x7f], Array(repeating: 0, count: 31) + [0x80],
        [0xec] + Array(repeating: 0xff, count: 31),
    ]
}
