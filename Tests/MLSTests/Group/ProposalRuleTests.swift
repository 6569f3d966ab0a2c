import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §12.2 and §12.4: a commit that breaks a rule is refused by members and hub alike, and nothing has changed.
@Suite struct ProposalRuleTests {
    let fleet: Fleet
    let hub: PublicGroup
    let update: LeafNode

    init() throws {
        var fleet = try Fleet(seed: 21)
        try fleet.add(["bob", "cid", "dan"], by: "ann")
        hub = try PublicGroup(fleet["ann"].groupInfo(), host: fleet.host)
        self.fleet = fleet
        update = try Self.leaf("ann", fleet["ann"], source: .update)
    }

    static func leaf(
        _ name: String, _ group: Group, source: LeafNode.Source, capabilities: Capabilities = Capabilities(),
        extensions: [MLSExtension] = [], key: [UInt8]? = nil, credential: Credential? = nil, at index: UInt32? = nil
    ) throws -> LeafNode {
        let suite = try #require(group.cipherSuite.implementation)
        let identity = try MemberIdentity.fixture(name)
        let content = LeafNode.Content(
            encryptionKey: key ?? suite.hash(Array("key \(name)".utf8)), signatureKey: identity.signer.publicKey,
            credential: credential ?? identity.credential, capabilities: capabilities, source: source, extensions: extensions)
        let place: (group: [UInt8], leaf: UInt32)? =
            if case .keyPackage = source { nil } else { (group.id, index ?? group.ownLeaf) }
        return LeafNode(signing: content, place: place, with: identity.signer, suite)
    }

    /// Bob and the hub take a commit of ann's.
    func expect(_ error: MLSError, _ proposals: [Proposal], path: UpdatePath? = nil, sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        let commit = Commit(items: proposals.map { .proposal($0) }, path: path)
        try expect(error, fleet["ann"].forged(.commit(commit)), sourceLocation: sourceLocation)
    }

    func expect(_ error: MLSError, _ message: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) throws {
        var (bob, hub) = (fleet["bob"], hub)
        #expect(throws: error, sourceLocation: sourceLocation) { try bob.process(message, host: fleet.host) }
        #expect(throws: error, sourceLocation: sourceLocation) { try hub.process(message, host: fleet.host) }
        #expect(bob == fleet["bob"] && hub == self.hub, sourceLocation: sourceLocation)
    }

    func path() throws -> UpdatePath {
        var fleet = fleet
        guard case .publicMessage(let message) = try MLSMessage(fleet["ann"].commit(host: fleet.host, using: &fleet.random).message).body,
            case .commit(let commit) = message.content.body
        else { throw MLSError.pathRequired }
        return try #require(commit.path)
    }

    func package(_ name: String) throws -> KeyPackage {
        var fleet = fleet
        return try fleet.keyPackage(name).package
    }

    func psk(_ kind: PreSharedKeyID.Kind, nonce: Int = 32) -> Proposal {
        .preSharedKey(PreSharedKeyID(kind, nonce: Array(repeating: 1, count: nonce)))
    }

    @Test func `the committer's own update`() throws {
        try expect(.invalidProposals(.ownUpdate), [.update(update)], path: path())
    }

    @Test func `the committer's own removal`() throws {
        try expect(.invalidProposals(.removesCommitter), [.remove(0)], path: path())
    }

    @Test func `two changes of one leaf`() throws {
        try expect(.invalidProposals(.sameLeafTwice(2)), [.remove(2), .remove(2)], path: path())
        var fleet = fleet
        let proposal = try fleet.proposeUpdate("cid")
        var (bob, hub) = (fleet["bob"], hub)
        guard case .proposal(let reference, _, _) = try bob.process(proposal, host: fleet.host) else { return }
        _ = try hub.process(proposal, host: fleet.host)
        let commit = try fleet["ann"].forged(.commit(Commit(items: [.reference(reference), .proposal(.remove(2))], path: path())))
        #expect(throws: MLSError.invalidProposals(.sameLeafTwice(2))) { try bob.process(commit, host: fleet.host) }
        #expect(throws: MLSError.invalidProposals(.sameLeafTwice(2))) { try hub.process(commit, host: fleet.host) }
    }

    @Test func `one client added twice, or a member added`() throws {
        let package = try package("eve")
        try expect(.invalidLeaf(.signatureKeyInUse), [.add(package), .add(package)], path: path())
        try expect(.invalidLeaf(.signatureKeyInUse), [.add(self.package("cid"))], path: path())
    }

    @Test func `a member may be added again by the commit that removes it`() throws {
        var fleet = fleet
        let own = try fleet.keyPackage("cid")
        let pending = try fleet.commit("ann", CommitPlan([.remove(2), .add(own.package)]))
        fleet.groups["cid"] = try Group.join(pending.welcome!, with: own, host: fleet.host)
        fleet.order.append("cid")
        #expect(fleet.agrees)
    }

    @Test func `one pre-shared key twice, a short nonce, a usage of other occasions`() throws {
        try expect(.invalidProposals(.samePreSharedKeyTwice), [psk(.external([1])), psk(.external([1]))])
        try expect(.invalidProposals(.preSharedKeyNonce), [psk(.external([1]), nonce: 31)])
        for usage in [PreSharedKeyID.Usage.reInit, .branch] {
            try expect(.invalidProposals(.preSharedKeyUsage), [psk(.resumption(usage, group: [1], epoch: 1))])
        }
    }

    @Test func `two lists of extensions`() throws {
        try expect(.invalidProposals(.extensionsTwice), [.groupContextExtensions([]), .groupContextExtensions([])], path: path())
    }

    @Test func `one extension twice`() throws {
        let twice = [MLSExtension.externalSenders([]), .externalSenders([])]
        try expect(.duplicateExtension(MLSExtension.externalSenders), [.groupContextExtensions(twice)], path: path())
    }

    @Test func `ReInit with others, or to an older version`() throws {
        let reInit = ReInit(groupID: [1], cipherSuite: .x25519AES128GCM)
        try expect(.invalidProposals(.reInitWithOthers), [.reInit(reInit), psk(.external([1]))])
        try expect(.invalidProposals(.reInitVersion), [.reInit(ReInit(groupID: [1], version: 0, cipherSuite: .x25519AES128GCM))])
    }

    @Test func `ExternalInit inside the group`() throws {
        try expect(.invalidProposals(.externalInitInside), [.externalInit([1])], path: path())
    }

    @Test func `removal of nobody`() throws {
        try expect(.invalidProposals(.notAMember(9)), [.remove(9)], path: path())
        try expect(.invalidProposals(.notAMember(.max)), [.remove(.max)], path: path())
    }

    @Test func `no path where one is required`() throws {
        try expect(.pathRequired, [] as [Proposal])
        try expect(.pathRequired, [.remove(2)])
        try expect(.pathRequired, [.groupContextExtensions([])])
        try expect(.pathRequired, [psk(.external([1])), .remove(2)])
    }

    @Test func `no path is needed for Add, PSK and ReInit alone`() throws {
        var fleet = fleet
        fleet.host = .fixture(psks: [[1]: Secret([1])])
        var plan = CommitPlan([psk(.external([1]))])
        plan.refreshesPath = false
        #expect(try !fleet.commit("ann", plan).summary.hasPath)
        #expect(fleet.agrees)
        try fleet.add(["eve"], by: "bob", refreshesPath: false)
        #expect(fleet.agrees)
        try fleet.commit("cid", CommitPlan([.reInit(ReInit(groupID: [1], cipherSuite: .x25519AES128GCM))]))
        #expect(fleet.agrees)
    }

    @Test func `a reference to an unknown proposal, and a missing pre-shared key`() throws {
        let commit = Commit(items: [.reference([1, 2])], path: try path())
        try expect(.unknownProposal, fleet["ann"].forged(.commit(commit)))
        var bob = fleet["bob"]
        let unknown = try fleet["ann"].forged(.commit(Commit(items: [.proposal(psk(.external([1])))], path: nil)))
        #expect(throws: MLSError.missingPreSharedKey) { try bob.process(unknown, host: fleet.host) }
        #expect(bob == fleet["bob"])
    }

    @Test func `required capabilities that a member lacks`() throws {
        let required = MLSExtension.requiring(RequiredCapabilities(extensions: [0xf123]))
        try expect(
            .invalidProposals(.requiredCapabilityUnsupported(member: 0)), [.groupContextExtensions([required])], path: path())
        try expect(
            .invalidProposals(.requiredCapabilityUnsupported(member: 0)),
            [.groupContextExtensions([MLSExtension(type: 0xf123, data: [])])], path: path())
    }

    @Test func `the committer is held to the same rules`() throws {
        var fleet = fleet
        let ann = fleet["ann"]
        for (proposals, error): ([Proposal], MLSError) in [
            ([.remove(0)], .invalidProposals(.removesCommitter)), ([.remove(9)], .invalidProposals(.notAMember(9))),
            ([.update(update)], .invalidProposals(.ownUpdate)), ([.externalInit([])], .invalidProposals(.externalInitInside)),
        ] {
            #expect(throws: error) { try ann.commit(CommitPlan(proposals), host: fleet.host, using: &fleet.random) }
        }
        let expired = try OwnKeyPackage.make(
            member: .fixture("eve", lifetime: Lifetime(notBefore: noon - 3600, notAfter: noon - 1)), using: &fleet.random)
        #expect(throws: MLSError.invalidLeaf(.lifetime)) {
            try ann.commit(CommitPlan([.add(expired.package)]), host: fleet.host, using: &fleet.random)
        }
        let endless = try OwnKeyPackage.make(
            member: .fixture("eve", lifetime: Lifetime(notBefore: 1, notAfter: .max)), using: &fleet.random)
        #expect(throws: MLSError.invalidLeaf(.lifetimeTooLong)) {
            try ann.commit(CommitPlan([.add(endless.package)]), host: fleet.host, using: &fleet.random)
        }
    }

    // MARK: External commits

    @Test func `an external commit has one ExternalInit, at most one Remove, no reference and nothing else`() throws {
        let eve = try MemberIdentity.fixture("eve")
        let leaf = try Self.leaf("eve", fleet["ann"], source: .commit(parentHash: []), at: 4)
        let path = UpdatePath(leaf: leaf, nodes: try path().nodes)
        for (items, error): ([Commit.Item], MLSError) in [
            ([], .invalidProposals(.externalInitCount(0))),
            ([.proposal(.externalInit([1])), .proposal(.externalInit([1]))], .invalidProposals(.externalInitCount(2))),
            (
                [.proposal(.externalInit([1])), .proposal(.remove(1)), .proposal(.remove(2))],
                .invalidProposals(.removesInExternalCommit(2))
            ),
            ([.proposal(.externalInit([1])), .reference([1])], .invalidProposals(.referenceInExternalCommit)),
            ([.proposal(.externalInit([1])), .proposal(.groupContextExtensions([]))], .invalidProposals(.notAllowedInExternalCommit)),
            ([.proposal(.externalInit([1])), .proposal(.add(try package("fay")))], .invalidProposals(.notAllowedInExternalCommit)),
        ] {
            let commit = Commit(items: items, path: path)
            try expect(error, fleet["ann"].forged(.commit(commit), sender: .newMemberCommit, signer: eve.signer))
        }
        let bare = Commit(items: [.proposal(.externalInit([1]))], path: nil)
        try expect(.pathRequired, fleet["ann"].forged(.commit(bare), sender: .newMemberCommit, signer: eve.signer))
    }

    // MARK: Senders

    @Test func `each sender has its content types and its key`() throws {
        let ann = fleet["ann"]
        try expect(.unknownSender, ann.forged(.proposal(.remove(1)), sender: .member(77)))
        try expect(.invalidSignature("message"), ann.forged(.proposal(.remove(1)), sender: .member(2)))
        try expect(.invalidProposals(.noExternalSenders), ann.forged(.proposal(.remove(1)), sender: .external(0)))
        try expect(.invalidProposals(.onlyAddByNewMember), ann.forged(.proposal(.remove(1)), sender: .newMemberProposal))
        try expect(.wrongContentType, ann.forged(.commit(Commit(items: [], path: nil)), sender: .newMemberProposal))
        try expect(.wrongContentType, ann.forged(.proposal(.remove(1)), sender: .newMemberCommit))
        try expect(.applicationDataNotEncrypted, ann.forged(.application([1])))
        try expect(.wrongEpoch(sent: 9, current: 1), ann.forged(.proposal(.remove(1)), epoch: 9))
        try expect(.wrongEpoch(sent: 0, current: 1), ann.forged(.proposal(.remove(1)), epoch: 0))
        var random = SeededGenerator(seed: 3)
        let other = try Group.create(id: [1], member: .fixture("zoe"), host: fleet.host, using: &random)
        try expect(.wrongGroup, other.forged(.proposal(.remove(1))))
    }

    @Test func `an update of somebody who is no member, and an identity that is refused`() throws {
        try expect(
            .invalidLeaf(.sameEncryptionKey),
            try fleet["ann"].forged(
                .proposal(
                    .update(
                        Self.leaf("ann", fleet["ann"], source: .update, key: fleet["ann"].member(0)?.encryptionKey)))))
        try expect(
            .identityRefused("evil"),
            try fleet["ann"].forged(
                .proposal(
                    .update(
                        Self.leaf("ann", fleet["ann"], source: .update, credential: .basic(Array("evil ann".utf8)))))))
    }
}
