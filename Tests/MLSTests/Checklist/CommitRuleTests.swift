import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §12.2 to §12.4 where `ProposalRuleTests` ends: proposals by reference, the extensions of the same commit, path leaves, resyncs.
@Suite struct CommitRuleTests {
    var fleet: Fleet
    var hub: PublicGroup

    init() throws {
        fleet = try Fleet(seed: 120)
        try fleet.add(["bob", "cid", "dan"], by: "ann")
        hub = try PublicGroup(fleet["ann"].groupInfo(), host: fleet.host)
    }

    /// Bob and the hub refuse a message, and are what they were.
    func expect(_ error: MLSError, _ message: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) throws {
        var (bob, hub) = (fleet["bob"], hub)
        #expect(throws: error, sourceLocation: sourceLocation) { try bob.process(message, host: fleet.host) }
        #expect(throws: error, sourceLocation: sourceLocation) { try hub.process(message, host: fleet.host) }
        #expect(bob == fleet["bob"] && hub == self.hub, sourceLocation: sourceLocation)
    }

    /// Everybody hears of a proposal.
    mutating func hear(_ message: [UInt8], except sender: String?) throws -> [UInt8] {
        try fleet.deliver(message, except: sender)
        guard case .proposal(let reference, _, _) = try hub.process(message, host: fleet.host) else { throw MLSError.wrongContentType }
        return reference
    }

    mutating func propose(_ name: String, _ proposal: Proposal) throws -> [UInt8] {
        try hear(fleet.propose(name, proposal), except: name)
    }

    /// A commit of ann's.
    func commit(_ items: [Commit.Item], path: UpdatePath? = nil) throws -> [UInt8] {
        try fleet["ann"].forged(.commit(Commit(items: items, path: path)))
    }

    /// The path of an honest commit of ann's, with another leaf if one is given.
    func path(_ leaf: LeafNode? = nil) throws -> UpdatePath {
        var random = SeededGenerator(seed: 7)
        guard case .publicMessage(let message) = try MLSMessage(fleet["ann"].commit(host: fleet.host, using: &random).message).body,
            case .commit(let commit) = message.content.body, let path = commit.path
        else { throw MLSError.pathRequired }
        return UpdatePath(leaf: leaf ?? path.leaf, nodes: path.nodes)
    }

    func package(_ name: String, key: [UInt8]? = nil, capabilities: Capabilities = Capabilities()) throws -> KeyPackage {
        let identity = try MemberIdentity.fixture(name)
        let suite = try #require(CipherSuite.x25519ChaCha20Poly1305.implementation)
        let leaf = try ProposalRuleTests.leaf(
            name, fleet["ann"], source: .keyPackage(identity.lifetime), capabilities: capabilities, key: key)
        return KeyPackage(
            suite: suite, initKey: suite.hash(Array(name.utf8)), leaf: leaf, extensions: [], signing: identity.signer)
    }

    // MARK: Lists

    @Test mutating func `the rules of a list hold for proposals by reference as well`() throws {
        let path = try path()
        let key = PreSharedKeyID(.external([1]), nonce: Array(repeating: 1, count: 32))
        let removal = try propose("bob", .remove(2))
        let psk = try propose("bob", .preSharedKey(key))
        let extensions = try propose("bob", .groupContextExtensions([]))
        let reInit = try propose("bob", .reInit(ReInit(groupID: [1], cipherSuite: .x25519AES128GCM)))
        let own = try propose("bob", .remove(0))
        let add = try propose("bob", .add(package("eve")))
        for (items, error): ([Commit.Item], MLSError) in [
            ([.reference(removal), .reference(removal)], .invalidProposals(.sameLeafTwice(2))),
            ([.reference(removal), .proposal(.remove(2))], .invalidProposals(.sameLeafTwice(2))),
            ([.reference(psk), .proposal(.preSharedKey(key))], .invalidProposals(.samePreSharedKeyTwice)),
            ([.reference(extensions), .proposal(.groupContextExtensions([]))], .invalidProposals(.extensionsTwice)),
            ([.reference(reInit), .reference(psk)], .invalidProposals(.reInitWithOthers)),
            ([.reference(own)], .invalidProposals(.removesCommitter)),
            ([.reference(add), .reference(add)], .invalidLeaf(.signatureKeyInUse)),
        ] {
            try expect(error, commit(items, path: path))
        }
    }

    @Test mutating func `each proposal that needs a path needs it by reference too`() throws {
        let update = try hear(fleet.proposeUpdate("bob"), except: "bob")
        let removal = try propose("cid", .remove(3))
        let extensions = try propose("cid", .groupContextExtensions([]))
        let add = try propose("cid", .add(package("eve")))
        for reference in [update, removal, extensions] {
            try expect(.pathRequired, commit([.reference(reference)]))
            try expect(.pathRequired, commit([.reference(add), .reference(reference)]))
        }
        // Without them it does not, and the commit gets as far as its tag.
        var bob = fleet["bob"]
        #expect(throws: MLSError.invalidConfirmationTag) { try bob.process(commit([.reference(add)]), host: fleet.host) }
    }

    @Test mutating func `a proposal of an epoch that is over is unknown`() throws {
        let old = try propose("bob", .remove(3))
        var plan = CommitPlan()
        plan.references = []
        _ = try hub.process(fleet.commit("ann", plan).message, host: fleet.host)
        #expect(fleet["bob"].pendingProposals.isEmpty && hub.pendingProposals.isEmpty)
        try expect(.unknownProposal, commit([.reference(old)], path: path()))
        plan.references = [old]
        #expect(throws: MLSError.unknownProposal) { try fleet["ann"].commit(plan, host: fleet.host, using: &fleet.random) }
    }

    @Test func `a ReInit names no extension twice`() throws {
        let twice = ReInit(
            groupID: [1], cipherSuite: .x25519AES128GCM, extensions: [.externalSenders([]), .externalSenders([])])
        try expect(.duplicateExtension(MLSExtension.externalSenders), commit([.proposal(.reInit(twice))]))
        try expect(.duplicateExtension(MLSExtension.externalSenders), fleet["ann"].forged(.proposal(.reInit(twice))))
    }

    @Test func `extensions of the group that cannot be read are refused`() throws {
        for type in [MLSExtension.requiredCapabilities, MLSExtension.externalSenders] {
            for data: [UInt8] in [[], [9], [0, 0, 0, 0]] {
                let proposal = Proposal.groupContextExtensions([MLSExtension(type: type, data: data)])
                for message in try [fleet["ann"].forged(.proposal(proposal)), commit([.proposal(proposal)], path: path())] {
                    var (bob, hub) = (fleet["bob"], hub)
                    for error in [
                        #expect(throws: MLSError.self) { try bob.process(message, host: fleet.host) },
                        #expect(throws: MLSError.self) { try hub.process(message, host: fleet.host) },
                    ] {
                        guard case .malformed = error else {
                            Issue.record("type \(type), \(data): \(String(describing: error))")
                            continue
                        }
                    }
                }
            }
        }
    }

    @Test mutating func `the extensions that a commit sets are those that its other proposals must fit`() throws {
        let required = MLSExtension.requiring(RequiredCapabilities(proposals: [0xf002]))
        let able = Capabilities(proposals: [0xf002])
        var random = SeededGenerator(seed: 4)
        let host = fleet.host
        var ann = try Group.create(id: [4], member: .fixture("ann", capabilities: able), host: host, using: &random)
        let bobs = try OwnKeyPackage.make(member: .fixture("bob", capabilities: able), using: &random)
        let dans = try OwnKeyPackage.make(member: .fixture("dan"), using: &random)
        let adding = try ann.commit(CommitPlan([.add(bobs.package), .add(dans.package)]), host: host, using: &random)
        try ann.merge(adding, host: host)
        var bob = try Group.join(adding.welcome ?? [], with: bobs, host: host)
        // Dan lacks it: it cannot be required while dan is there, but by the commit that removes dan.
        #expect(throws: MLSError.invalidProposals(.requiredCapabilityUnsupported(member: 2))) {
            try ann.commit(CommitPlan([.groupContextExtensions([required])]), host: host, using: &random)
        }
        let removing = try ann.commit(CommitPlan([.groupContextExtensions([required]), .remove(2)]), host: host, using: &random)
        var taker = bob
        _ = try taker.process(removing.message, host: host)
        // A newcomer without it, proposed before, by value and by reference.
        let eves = try OwnKeyPackage.make(member: .fixture("eve"), using: &random)
        let proposal = try bob.propose(.add(eves.package), host: host, using: &random)
        _ = try ann.process(proposal, host: host)
        let items: [Commit.Item] = [
            .proposal(.groupContextExtensions([required])), .proposal(.remove(2)), .reference(ann.pendingProposals[0].reference),
        ]
        #expect(throws: MLSError.invalidLeaf(.requiredProposal(0xf002))) {
            try bob.process(ann.forged(.commit(Commit(items: items, path: path()))), host: host)
        }
        #expect(throws: MLSError.invalidLeaf(.requiredProposal(0xf002))) {
            try ann.commit(
                CommitPlan([.groupContextExtensions([required]), .remove(2), .add(eves.package)]), host: host, using: &random)
        }
        #expect(throws: MLSError.invalidProposals(.requiredCapabilityUnsupported(member: 2))) {
            try bob.process(ann.forged(.commit(Commit(items: [items[0]], path: path()))), host: host)
        }
    }

    @Test mutating func `an Update in the pool that lacks what the commit comes to require`() throws {
        let all = Capabilities(extensions: [0xf001])
        let host = fleet.host
        var random = SeededGenerator(seed: 5)
        var ann = try Group.create(id: [5], member: .fixture("ann", capabilities: all), host: host, using: &random)
        let bobs = try OwnKeyPackage.make(member: .fixture("bob", capabilities: all), using: &random)
        let adding = try ann.commit(CommitPlan([.add(bobs.package)]), host: host, using: &random)
        try ann.merge(adding, host: host)
        var bob = try Group.join(adding.welcome ?? [], with: bobs, host: host)
        let update = try bob.proposeUpdate(identity: .fixture("bob"), host: host, using: &random)
        guard case .proposal(let reference, _, _) = try ann.process(update, host: host) else { return }
        let extensions = Proposal.groupContextExtensions([MLSExtension(type: 0xf001, data: [])])
        var plan = CommitPlan([extensions])
        plan.references = [reference]
        #expect(throws: MLSError.invalidLeaf(.requiredExtension(0xf001))) { try ann.commit(plan, host: host, using: &random) }
        // Left to choose, the committer leaves the update out.
        let pending = try ann.commit(CommitPlan([extensions]), host: host, using: &random)
        #expect(pending.summary.updated.isEmpty)
        _ = try bob.process(pending.message, host: host)
    }

    // MARK: Keys

    @Test mutating func `no newcomer and no update has a key that the tree has, be it of a leaf or of an inner node`() throws {
        for name in ["bob", "cid", "dan", "ann"] { _ = try hub.process(fleet.commit(name).message, host: fleet.host) }
        let tree = fleet["ann"].tree
        let inner = try #require(tree.encryptionKey(tree.root))
        let outer = try #require(tree.encryptionKey(2))
        for key in [inner, outer] {
            // Without a path: that would make all inner nodes above the committer anew.
            try expect(.invalidLeaf(.encryptionKeyInUse), commit([.proposal(.add(package("eve", key: key)))]))
            #expect(throws: MLSError.invalidLeaf(.encryptionKeyInUse)) {
                try fleet["ann"].commit(CommitPlan([.add(package("eve", key: key))]), host: fleet.host, using: &fleet.random)
            }
        }
        let same = [UInt8](repeating: 7, count: 32)
        try expect(
            .invalidLeaf(.encryptionKeyInUse),
            commit([.proposal(.add(package("eve", key: same))), .proposal(.add(package("fay", key: same)))]))
        // An update of dan's with the key of the node above ann and bob, which stays.
        let odd = try ProposalRuleTests.leaf("dan", fleet["dan"], source: .update, key: tree.encryptionKey(1))
        let reference = try hear(fleet["dan"].forged(.proposal(.update(odd))), except: "dan")
        try expect(.invalidLeaf(.encryptionKeyInUse), commit([.reference(reference)], path: path()))
    }

    // MARK: Path leaves

    @Test func `each rule of a leaf holds for the leaf of a path`() throws {
        let ann = fleet["ann"]
        func check(
            _ error: MLSError, _ capabilities: Capabilities = Capabilities(), source: LeafNode.Source = .commit(parentHash: []),
            extensions: [MLSExtension] = [], key: [UInt8]? = nil, credential: Credential? = nil, at index: UInt32 = 0,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let leaf = try ProposalRuleTests.leaf(
                "ann", ann, source: source, capabilities: capabilities, extensions: extensions, key: key, credential: credential,
                at: index)
            try expect(error, commit([], path: path(leaf)), sourceLocation: sourceLocation)
        }
        try check(.invalidLeaf(.versionNotListed), Capabilities(versions: [2]))
        try check(.invalidLeaf(.cipherSuiteNotListed), Capabilities(cipherSuites: [1]))
        try check(.invalidLeaf(.credentialNotListed), Capabilities(credentials: [2]))
        try check(.invalidLeaf(.defaultListed(2)), Capabilities(extensions: [2]))
        try check(.invalidLeaf(.defaultListed(7)), Capabilities(proposals: [7]))
        let item = MLSExtension(type: 0xf001, data: [])
        try check(.invalidLeaf(.extensionNotListed(0xf001)), extensions: [item])
        try check(.duplicateExtension(0xf001), Capabilities(extensions: [0xf001]), extensions: [item, item])
        try check(.invalidLeaf(.wrongSource), source: .update)
        try check(.invalidLeaf(.wrongSource), source: .keyPackage(Lifetime(notBefore: noon - 1, notAfter: noon + 1)))
        try check(.invalidLeaf(.signature), at: 1)
        try check(.invalidLeaf(.keyLength), key: [1])
        try check(.identityRefused("evil"), credential: .basic(Array("evil".utf8)))
        try check(.invalidPath(.sameLeafKey), key: ann.member(0)?.encryptionKey)
        try check(.invalidPath(.keyInUse), key: ann.member(1)?.encryptionKey)
        let open = GroupHost(now: noon, refusal: { _ in nil })
        let certified = try ProposalRuleTests.leaf(
            "ann", ann, source: .commit(parentHash: []), capabilities: Capabilities(credentials: [1, 2]), credential: .x509([[1]]))
        var bob = fleet["bob"]
        // The other members do not know the type; the parent hash, which cannot be right here, is looked at before.
        #expect(throws: MLSError.parentHashMismatch) { try bob.process(commit([], path: path(certified)), host: open) }
        var random = SeededGenerator(seed: 6)
        var plan = CommitPlan()
        let signer = try MemberIdentity.fixture("ann").signer
        plan.identity = MemberIdentity(
            signer: signer, credential: .x509([[1]]), capabilities: Capabilities(credentials: [1, 2]),
            lifetime: Lifetime(notBefore: 0, notAfter: 0))
        #expect(throws: MLSError.invalidLeaf(.credentialUnsupportedByMember(1))) { try ann.commit(plan, host: open, using: &random) }
        plan.identity = try .fixture("bob")
        #expect(throws: MLSError.invalidLeaf(.signatureKeyInUse)) { try ann.commit(plan, host: open, using: &random) }
    }

    @Test func `a confirmation tag of another length, and a commit of our own that comes back`() throws {
        var random = SeededGenerator(seed: 8)
        let pending = try fleet["ann"].commit(host: fleet.host, using: &random)
        guard case .publicMessage(let message) = try MLSMessage(pending.message).body else { return }
        var short = message.authenticated
        short.confirmationTag?.removeLast()
        let bytes = MLSMessage(.publicMessage(PublicMessage(authenticated: short, membershipTag: message.membershipTag))).bytes
        var hub = hub
        #expect(throws: MLSError.invalidConfirmationTag) { try hub.process(bytes, host: fleet.host) }
        var bob = fleet["bob"]
        #expect(throws: MLSError.invalidMembershipTag) { try bob.process(bytes, host: fleet.host) }
        var ann = fleet["ann"]
        #expect(throws: MLSError.ownMessage) { try ann.process(pending.message, host: fleet.host) }
        try ann.merge(pending, host: fleet.host)
        #expect(ann.epoch == 2)
    }

    // MARK: External commits

    @Test func `a resync is a new leaf of the same person, signed by its own key`() throws {
        let ann = fleet["ann"]
        let dan = try MemberIdentity.fixture("dan")
        func external(_ leaf: LeafNode, _ extra: [Proposal] = [.remove(3)], signer: SignatureKeyPair? = nil) throws -> [UInt8] {
            let commit = Commit(
                items: ([.externalInit(Array(repeating: 9, count: 32))] + extra).map { .proposal($0) },
                path: UpdatePath(leaf: leaf, nodes: try path().nodes))
            return try ann.forged(.commit(commit), sender: .newMemberCommit, signer: signer ?? dan.signer)
        }
        func leaf(_ source: LeafNode.Source = .commit(parentHash: []), key: [UInt8]? = nil, credential: Credential? = nil) throws
            -> LeafNode
        {
            try ProposalRuleTests.leaf("dan", ann, source: source, key: key, credential: credential, at: 3)
        }
        try expect(.invalidPath(.sameLeafKey), external(leaf(key: ann.member(3)?.encryptionKey)))
        try expect(.identityRefused("evil"), external(leaf(credential: .basic(Array("evil".utf8)))))
        try expect(.invalidLeaf(.wrongSource), external(leaf(.update)))
        try expect(.invalidSignature("message"), external(leaf(), signer: MemberIdentity.fixture("eve").signer))
        try expect(.invalidProposals(.notAMember(9)), external(leaf(), [.remove(9)]))
        try expect(
            .invalidProposals(.preSharedKeyNonce), external(leaf(), [.preSharedKey(PreSharedKeyID(.external([1]), nonce: [1]))]))
        // Of a path that was made for another place the form is wrong first.
        try expect(.invalidPath(.ciphertextCount), external(leaf()))
        // The identity check is told whose place is taken.
        let asked = GroupHost(
            now: noon, refusal: { $0.occasion == .externalCommit(previous: ann.member(3)) ? "not dan" : nil })
        var bob = fleet["bob"]
        #expect(throws: MLSError.identityRefused("not dan")) { try bob.process(external(leaf()), host: asked) }
    }

    @Test mutating func `an external commit may bring a pre-shared key, which all must have`() throws {
        let key = try fleet["ann"].preSharedKeyID(.external([7]), using: &fleet.random)
        let without = fleet.host
        let info = try fleet["ann"].groupInfo()
        #expect(throws: MLSError.missingPreSharedKey) {
            try Group.joinExternally(info, as: .fixture("eve"), preSharedKeys: [key], host: without, using: &fleet.random)
        }
        fleet.host = .fixture(psks: [[7]: Secret([1, 2, 3])])
        let join = try Group.joinExternally(info, as: .fixture("eve"), preSharedKeys: [key], host: fleet.host, using: &fleet.random)
        var bob = fleet["bob"]
        #expect(throws: MLSError.missingPreSharedKey) { try bob.process(join.message, host: without) }
        #expect(bob == fleet["bob"])
        try fleet.deliver(join.message)
        #expect(fleet.agrees && join.group.epochAuthenticator == fleet["ann"].epochAuthenticator)
    }

    @Test mutating func `external keys and external inits with which nothing can be agreed`() throws {
        for weak in WeakKeys.all + [[1, 2]] {
            var writer = ByteWriter()
            writer.write(opaque: weak)
            let info = try fleet["ann"].forgedInfo(
                fleet["ann"].tree, extensions: [MLSExtension(type: MLSExtension.externalPub, data: writer.bytes)])
            #expect(throws: MLSError.badKey("external key")) {
                try Group.joinExternally(info, as: .fixture("eve"), host: fleet.host, using: &fleet.random)
            }
            // An honest external commit, but for what it agrees with.
            let join = try Group.joinExternally(fleet["ann"].groupInfo(), as: .fixture("eve"), host: fleet.host, using: &fleet.random)
            guard case .publicMessage(let message) = try MLSMessage(join.message).body,
                case .commit(let commit) = message.content.body
            else { return }
            let forged = try fleet["ann"].forged(
                .commit(Commit(items: [.proposal(.externalInit(weak))], path: commit.path)), sender: .newMemberCommit,
                signer: MemberIdentity.fixture("eve").signer)
            var bob = fleet["bob"]
            #expect(throws: MLSError.badKey("external init")) { try bob.process(forged, host: fleet.host) }
            #expect(bob == fleet["bob"])
        }
    }

    // MARK: The hub's GroupInfo

    @Test mutating func `a hub takes no GroupInfo of another epoch, tag, signer or key`() throws {
        let host = fleet.host
        let group = fleet["ann"]
        let bare = try group.forgedInfo(group.tree)
        #expect(throws: MLSError.invalidGroupInfo(.noExternalKey)) { try hub.accepts(bare, host: host) }
        var bad = try group.groupInfo()
        bad[bad.count - 1] ^= 1
        #expect(throws: MLSError.invalidGroupInfo(.signature)) { try hub.accepts(bad, host: host) }
        guard let info = try MLSMessage(group.groupInfo()).groupInfo else { return }
        func changed(tag: [UInt8]? = nil, signer: UInt32? = nil) -> [UInt8] {
            var writer = ByteWriter()
            writer.write(UInt16(1))
            writer.write(UInt16(4))
            writer.write(info.context)
            writer.write(list: info.extensions)
            writer.write(opaque: tag ?? info.confirmationTag)
            writer.write(signer ?? info.signer)
            writer.write(opaque: [UInt8](repeating: 0, count: 64))
            return writer.bytes
        }
        let other = changed(tag: Array(repeating: 0, count: 32))
        #expect(throws: MLSError.invalidConfirmationTag) { try hub.accepts(other, host: host) }
        for signer: UInt32 in [4, 9, .max] {
            #expect(throws: MLSError.invalidGroupInfo(.signerBlank)) { try hub.accepts(changed(signer: signer), host: host) }
        }
        let package = try fleet.keyPackage("eve").published
        #expect(throws: MLSError.wrongContentType) { try hub.accepts(package, host: host) }
        let later = try fleet["ann"].commit(host: host, using: &fleet.random).groupInfo()
        #expect(throws: MLSError.wrongEpoch(sent: 2, current: 1)) { try hub.accepts(later, host: host) }
    }

    /// It could be signed, of the right epoch, and shut everybody out who was put out of that epoch by its commit.
    @Test mutating func `a hub takes no GroupInfo by which nobody could come in`() throws {
        let (host, ann) = (fleet.host, fleet["ann"])
        func external(_ key: [UInt8]) -> MLSExtension {
            var writer = ByteWriter()
            writer.write(opaque: key)
            return MLSExtension(type: MLSExtension.externalPub, data: writer.bytes)
        }
        for weak in WeakKeys.all + [[1, 2]] {
            let info = try ann.forgedInfo(ann.tree, extensions: [external(weak)])
            #expect(throws: MLSError.badKey("external key")) { try hub.accepts(info, host: host) }
        }
        let twice = try ann.groupInfo(extensions: [external(Array(repeating: 9, count: 32))])
        #expect(throws: MLSError.duplicateExtension(MLSExtension.externalPub)) { try hub.accepts(twice, host: host) }
        let other = MLSExtension(type: MLSExtension.ratchetTree, data: Array(ann.tree.encoded.dropLast()))
        let elsewhere = try ann.groupInfo(includesTree: false, extensions: [other])
        #expect(throws: MLSError.treeHashMismatch) { try hub.accepts(elsewhere, host: host) }
        try hub.accepts(ann.groupInfo(includesTree: true), host: host)
        try hub.accepts(ann.groupInfo(includesTree: false), host: host)
    }
}
