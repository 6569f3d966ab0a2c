import Cryptography
import MLS
import Testing
import Vocabulary

/// Bounds, states and senders that honest members never come to (RFC 9420 §6.1, §9.1, §12.1.8, §12.2).
@Suite struct LimitTests {
    var fleet: Fleet
    let server: MemberIdentity

    init() throws {
        server = try .fixture("server")
        fleet = try Fleet(
            seed: 98,
            extensions: [.externalSenders([ExternalSender(signatureKey: server.signer.publicKey, credential: server.credential)])])
        try fleet.add(["bob"], by: "ann")
    }

    func expect(_ error: MLSError, _ message: [UInt8], host: GroupHost? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
        var bob = fleet["bob"]
        #expect(throws: error, sourceLocation: sourceLocation) { try bob.process(message, host: host ?? fleet.host) }
        #expect(bob == fleet["bob"], sourceLocation: sourceLocation)
    }

    @Test func `a commit of more proposals than the bound`() throws {
        let most = Limits.mlsCommitItemsMax
        let items = [Commit.Item](repeating: .reference([1]), count: most + 1)
        try expect(.malformed(.tooLong(bytes: most + 1, max: most)), fleet["ann"].forged(.commit(Commit(items: items, path: nil))))
        var random = SeededGenerator(seed: 2)
        #expect(throws: MLSError.invalidProposals(.tooMany)) {
            let plan = CommitPlan(Array(repeating: .remove(1), count: most + 1))
            return try fleet["ann"].commit(plan, host: fleet.host, using: &random)
        }
    }

    @Test func `more proposals in an epoch than the bound, and lists of required capabilities`() throws {
        let message = try fleet["ann"].forged(.proposal(.remove(1)))
        expect(.limitReached("proposals of an epoch"), message, host: .fixture(bounds: GroupHost.Bounds(proposals: 0)))
        let many = MLSExtension.requiring(RequiredCapabilities(extensions: Array(repeating: 0xf000, count: 300)))
        try expect(
            .limitReached("required capabilities"), fleet["ann"].forged(.proposal(.groupContextExtensions([many]))))
    }

    @Test func `suites that are not there`() throws {
        var random = SeededGenerator(seed: 1)
        for number: UInt16 in [0, 2, 4, 0x0a0a, .max] {
            let suite = CipherSuite(rawValue: number)
            #expect(throws: MLSError.unsupportedCipherSuite(number)) {
                try Group.create(id: [1], suite: suite, member: server, host: fleet.host, using: &random)
            }
            #expect(throws: MLSError.unsupportedCipherSuite(number)) {
                try OwnKeyPackage.make(suite: suite, member: server, using: &random)
            }
            let welcome = MLSMessage(.welcome(Welcome(cipherSuite: suite, entries: [], encryptedGroupInfo: []))).bytes
            let own = try OwnKeyPackage.make(member: server, using: &random)
            #expect(throws: MLSError.unsupportedCipherSuite(number)) { try Group.join(welcome, with: own, host: fleet.host) }
        }
    }

    @Test func `external senders: of the list, with their own key, with what they may propose`() throws {
        let ann = fleet["ann"]
        let update = try ProposalRuleTests.leaf("ann", ann, source: .update)
        let signer = server.signer
        _ = try fleet["bob"].copyProcessing(
            ann.forged(.proposal(.remove(1)), sender: .external(0), signer: signer), fleet.host)
        try expect(.unknownSender, ann.forged(.proposal(.remove(1)), sender: .external(1), signer: signer))
        try expect(.unknownSender, ann.forged(.proposal(.remove(1)), sender: .external(.max), signer: signer))
        try expect(.invalidSignature("message"), ann.forged(.proposal(.remove(1)), sender: .external(0)))
        for proposal: Proposal in [.update(update), .externalInit([1])] {
            try expect(
                .invalidProposals(.notAllowedFromExternalSender), ann.forged(.proposal(proposal), sender: .external(0), signer: signer))
        }
        try expect(
            .wrongContentType, ann.forged(.commit(Commit(items: [], path: nil)), sender: .external(0), signer: signer))
        let evil = ExternalSender(signatureKey: signer.publicKey, credential: .basic(Array("evil".utf8)))
        try expect(.identityRefused("evil"), ann.forged(.proposal(.groupContextExtensions([.externalSenders([evil])]))))
    }

    @Test func `an external commit has no Update and no ReInit`() throws {
        let ann = fleet["ann"]
        let eve = try MemberIdentity.fixture("eve")
        let leaf = try ProposalRuleTests.leaf("eve", ann, source: .commit(parentHash: []), at: 2)
        let update = try ProposalRuleTests.leaf("eve", ann, source: .update, at: 2)
        for odd: Proposal in [.update(update), .reInit(ReInit(groupID: [1], cipherSuite: .x25519AES128GCM))] {
            let commit = Commit(
                items: [.proposal(.externalInit([1])), .proposal(odd)], path: UpdatePath(leaf: leaf, nodes: []))
            try expect(
                .invalidProposals(.notAllowedInExternalCommit),
                ann.forged(.commit(commit), sender: .newMemberCommit, signer: eve.signer))
        }
    }

    @Test func `what is no handshake of a group is not processed by it`() throws {
        var fleet = fleet
        let package = try fleet.keyPackage("eve")
        let welcome = try #require(
            try fleet["ann"].commit(CommitPlan([.add(package.package)]), host: fleet.host, using: &fleet.random).welcome)
        for message in [package.published, welcome, try fleet["ann"].groupInfo()] {
            expect(.wrongContentType, message)
        }
        #expect(throws: MLSError.wrongContentType) { try Group.join(package.published, with: package, host: fleet.host) }
        #expect(throws: MLSError.wrongContentType) { try PublicGroup(welcome, host: fleet.host) }
        #expect(throws: MLSError.wrongContentType) { try KeyPackage.fetched(welcome, host: fleet.host) }
        #expect(throws: MLSError.wrongContentType) {
            try Group.joinExternally(welcome, as: .fixture("eve"), host: fleet.host, using: &fleet.random)
        }
    }

    // MARK: Stored state that no honest run writes

    func records(_ group: Group) -> [(key: [UInt8], value: [UInt8])] {
        group.stored.records.compactMap { record in record.value.map { (record.key, $0) } }
    }

    @Test func `a ratchet at its last generation seals nothing more`() throws {
        var fleet = fleet
        _ = try fleet.seal("ann", [1])
        let changed = records(fleet["ann"]).map { key, value in
            guard key.first == UInt8(ascii: "r") else { return (key: key, value: value) }
            return (key: key, value: value[..<1] + Array(repeating: 0xff, count: 4) + value[5...])
        }
        var group = try Group(restoring: StoredGroup(records: changed.map { (key: $0.key, value: Array($0.value)) }))
        #expect(throws: MLSError.generationsExhausted) { try group.seal([1], using: &fleet.random) }
    }

    @Test func `an update that stands under no member's name is not committed`() throws {
        var fleet = fleet
        let update = Proposal.update(try ProposalRuleTests.leaf("bob", fleet["bob"], source: .update))
        var writer = ByteWriter()
        writer.write(UInt8(1))
        writer.write(vector: [update]) { writer, proposal in
            writer.write(opaque: [7])
            writer.write(proposal)
            writer.write(Sender.newMemberProposal)
        }
        writer.write(opaque: [])
        let changed = records(fleet["ann"]).filter { $0.key != [UInt8(ascii: "p")] } + [([UInt8(ascii: "p")], writer.bytes)]
        let group = try Group(restoring: StoredGroup(records: changed))
        #expect(group.pendingProposals.count == 1)
        var plan = CommitPlan()
        plan.references = [[7]]
        #expect(throws: MLSError.invalidProposals(.updateByNonMember)) {
            try group.commit(plan, host: fleet.host, using: &fleet.random)
        }
    }

    @Test func `state without its records, and keys that are not the package's`() throws {
        var fleet = fleet
        for missing in ["g", "t"] {
            let rest = records(fleet["ann"]).filter { $0.key.first != missing.utf8.first }
            let error = #expect(throws: MLSError.self) { try Group(restoring: StoredGroup(records: rest)) }
            guard case .invalidState = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
        let (bob, eve) = (try fleet.keyPackage("bob"), try fleet.keyPackage("eve"))
        #expect(throws: MLSError.badKey("stored key package")) {
            try OwnKeyPackage(
                package: bob.package, initSecret: eve.initKey.secret, leafSecret: bob.leafKey.secret, signerSecret: bob.signer.secret)
        }
        #expect(throws: MLSError.badKey("signature key")) { try SignatureKeyPair(ed25519: Secret([1])) }
    }
}

extension Group {
    fileprivate func copyProcessing(_ message: [UInt8], _ host: GroupHost) throws -> Received {
        var copy = self
        return try copy.process(message, host: host)
    }
}
