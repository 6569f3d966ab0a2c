import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §6.3 and §9: what a hostile member can seal, who has the keys of everybody's messages, but not their signatures.
@Suite struct ForgedPrivateTests {
    let suite = CipherSuite.x25519ChaCha20Poly1305.implementation!
    var fleet: Fleet
    let epoch: EpochSecrets
    let eve: MemberIdentity

    init() throws {
        fleet = try Fleet(seed: 170)
        try fleet.add(["bob", "eve"], by: "ann")
        let dan = try fleet.keyPackage("dan")
        let pending = try fleet.commit("ann", CommitPlan([.add(dan.package)]))
        let welcome = try ForgedWelcome(opening: pending.welcome ?? [], by: dan)
        epoch = JoinerSecrets(joiner: welcome.secrets.joinerSecret, pskSecret: suite.zeros, suite)
            .epoch(context: fleet["ann"].context.encoded, suite)
        eve = try .fixture("eve")
    }

    /// Sealed with the keys of `leaf`, signed by eve, whose leaf is 2.
    func seal(
        _ body: FramedContent.Body, as leaf: UInt32 = 2, kind: SecretTree.Kind? = nil, generation: UInt32 = 0, padding: UInt8 = 0,
        signer: SignatureKeyPair? = nil, context: [UInt8]? = nil, under place: UInt32? = nil
    ) throws -> [UInt8] {
        let ann = fleet["ann"]
        let content = FramedContent(groupID: ann.id, epoch: ann.epoch, sender: .member(leaf), authenticatedData: [], body: body)
        var signed = AuthenticatedContent(
            signing: content, wireFormat: WireFormat.privateMessage, context: context ?? ann.context.encoded, with: signer ?? eve.signer,
            suite)
        if case .commit = body { signed.confirmationTag = [UInt8](repeating: 0, count: 32) }
        let tree = SecretTree(leafCount: ann.tree.leafCount, encryptionSecret: epoch.encryption)
        let own: SecretTree.Kind = body.type == .application ? .application : .handshake
        let key = try tree.opening(
            SecretTree.Place(leaf: place ?? min(leaf, 3), kind: kind ?? own), generation: generation, window: .max, suite
        ).key
        let message = try PrivateMessage(
            sealing: signed, leaf: leaf, generation: generation, key: key, senderDataSecret: epoch.senderData,
            reuseGuard: [1, 2, 3, 4], padding: 7, paddingByte: padding, suite)
        return MLSMessage(.privateMessage(message)).bytes
    }

    func expect(_ error: MLSError, _ message: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        var bob = fleet["bob"]
        #expect(throws: error, sourceLocation: sourceLocation) { try bob.process(message, host: fleet.host) }
        #expect(bob == fleet["bob"] && bob.takeChanges() == StateDelta.same(as: fleet["bob"]), sourceLocation: sourceLocation)
    }

    @Test func `what is sealed here is taken when it breaks no rule`() throws {
        var bob = fleet["bob"]
        guard case .application(let message) = try bob.process(seal(.application([5])), host: fleet.host) else { return }
        #expect(message.data == [5] && message.leaf.credential == eve.credential)
        guard case .proposal(_, _, let sender) = try bob.process(seal(.proposal(.remove(0))), host: fleet.host) else { return }
        #expect(sender == .member(2))
    }

    @Test func `who seals as somebody else is found out, and costs that member no key`() throws {
        var bob = fleet["bob"]
        for body: FramedContent.Body in [.application([5]), .proposal(.remove(2)), .commit(Commit(items: [], path: nil))] {
            try expect(.invalidSignature("message"), seal(body, as: 0))
        }
        try expect(.invalidSignature("message"), seal(.application([5]), context: [1, 2, 3]))
        let honest = try fleet["ann"].sealing([7])
        guard case .application(let message) = try bob.process(honest, host: fleet.host) else { return }
        #expect(message.sender == 0 && message.generation == 0)
    }

    @Test func `senders that are not there, and ourselves`() throws {
        for leaf: UInt32 in [4, 7, 8, .max] { try expect(.unknownSender, seal(.application([5]), as: leaf)) }
        try expect(.ownMessage, seal(.application([5]), as: 1))
        try expect(.ownMessage, seal(.proposal(.remove(0)), as: 1))
    }

    @Test func `padding that is not all zeros, and a generation beyond the window`() throws {
        try expect(.nonZeroPadding, seal(.application([5]), padding: 1))
        let window = GroupHost.Bounds().generationsForward
        try expect(.generationTooFarAhead(window + 1, max: window), seal(.application([5]), generation: window + 1))
        var bob = fleet["bob"]
        _ = try bob.process(seal(.application([5]), generation: window), host: fleet.host)
        // All that it skipped is kept within the bound, and opens once.
        _ = try bob.process(seal(.application([6]), generation: 0), host: fleet.host)
        #expect(throws: MLSError.generationConsumed(0)) { try bob.process(seal(.application([6]), generation: 0), host: fleet.host) }
        _ = try bob.process(seal(.application([5]), generation: window + 1), host: fleet.host)
        #expect(throws: MLSError.generationConsumed(window)) {
            try bob.process(seal(.application([6]), generation: window), host: fleet.host)
        }
        #expect(bob.takeChanges().encoded.count < Int(window) * 64 + 4096)
    }

    @Test func `each kind of content has its ratchet, and each leaf its keys`() throws {
        try expect(.decryptionFailed("message"), seal(.application([5]), kind: .handshake))
        try expect(.decryptionFailed("message"), seal(.proposal(.remove(0)), kind: .application))
        try expect(.decryptionFailed("message"), seal(.application([5]), under: 0))
    }

    @Test func `a handshake that is refused for what it says uses no key up`() throws {
        var bob = fleet["bob"]
        try expect(.invalidProposals(.notAMember(9)), seal(.proposal(.remove(9))))
        try expect(.pathRequired, seal(.commit(Commit(items: [], path: nil))))
        _ = try bob.process(seal(.proposal(.remove(0))), host: fleet.host)
        #expect(throws: MLSError.generationConsumed(0)) { try bob.process(seal(.proposal(.remove(0))), host: fleet.host) }
    }

    @Test func `a late handshake is refused, and late data of the wrong kind does not open`() throws {
        var fleet = fleet
        let (late, data) = (try seal(.proposal(.remove(0))), try seal(.application([5])))
        try fleet.commit("ann")
        var bob = fleet["bob"]
        #expect(throws: MLSError.wrongEpoch(sent: 2, current: 3)) { try bob.process(late, host: fleet.host) }
        #expect(bob == fleet["bob"])
        guard case .application(let message) = try bob.process(data, host: fleet.host) else { return }
        #expect(message.epoch == 2 && message.leaf.credential == eve.credential)
        #expect(throws: MLSError.generationConsumed(0)) { try bob.process(data, host: fleet.host) }
    }
}

extension Group {
    fileprivate func sealing(_ data: [UInt8]) throws -> [UInt8] {
        var (copy, random) = (self, SeededGenerator(seed: 1))
        return try copy.seal(data, using: &random)
    }
}

extension StateDelta {
    /// What a copy of the group that did nothing would still have to store.
    fileprivate static func same(as group: Group) -> StateDelta {
        var copy = group
        return copy.takeChanges()
    }
}
