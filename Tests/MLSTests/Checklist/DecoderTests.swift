import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §2.1, §6 and §13.5: every decoder, fed with what is no message of anybody.
@Suite struct DecoderTests {
    /// One structure: an honest encoding, and what comes out when bytes are read and written again.
    struct Decoder: Sendable, CustomTestStringConvertible {
        let name: String
        let good: [UInt8]
        let again: @Sendable ([UInt8]) throws -> [UInt8]
        var testDescription: String { name }

        init<T: WireCodable>(_ value: T) {
            (name, good) = ("\(T.self)", value.encoded)
            again = { try T(exactly: $0).encoded }
        }
    }

    static let decoders: [Decoder] = {
        do { return try makeDecoders() } catch { preconditionFailure("\(error)") }
    }()

    /// Structures out of a group of six with full, blank and unmerged nodes.
    static func makeDecoders() throws -> [Decoder] {
        var fleet = try Fleet(
            seed: 110, extensions: [.requiring(RequiredCapabilities(credentials: [1])), .externalSenders([])])
        try fleet.add(["bob", "cid", "dan", "eve"], by: "ann", refreshesPath: false)
        for name in ["bob", "cid", "ann"] { try fleet.commit(name) }
        let own = try fleet.keyPackage("fay")
        let pending = try fleet["ann"].commit(
            CommitPlan([.add(own.package), .remove(3)]), host: fleet.host, using: &fleet.random)
        let welcome = try ForgedWelcome(opening: pending.welcome ?? [], by: own)
        let sealed = try fleet.seal("bob", [1, 2, 3], authenticatedData: [4], paddedTo: 32)
        let update = try fleet.proposeUpdate("bob")
        guard case .publicMessage(let message) = try MLSMessage(pending.message).body,
            case .commit(let commit) = message.content.body, let path = commit.path,
            case .welcome(let outer) = try MLSMessage(pending.welcome ?? []).body,
            case .privateMessage(let inner) = try MLSMessage(sealed).body,
            let info = try MLSMessage(fleet["ann"].groupInfo()).groupInfo, let leaf = fleet["ann"].member(0),
            let parent = fleet["ann"].tree.parent(fleet["ann"].tree.root)
        else { throw MLSError.wrongContentType }
        let messages = try [pending.message, pending.welcome ?? [], sealed, update, own.published, fleet["ann"].groupInfo()]
        return try messages.map { Decoder(try MLSMessage($0)) } + [
            Decoder(message), Decoder(message.authenticated), Decoder(message.content), Decoder(commit), Decoder(path),
            Decoder(path.nodes[0].secrets), Decoder(try path.nodes[0].secrets.item(at: 0)), Decoder(outer), Decoder(welcome.secrets),
            Decoder(inner), Decoder(info),
            Decoder(info.context), Decoder(own.package), Decoder(leaf), Decoder(leaf.credential), Decoder(leaf.capabilities),
            Decoder(parent), Decoder(fleet["ann"].tree), Decoder(RequiredCapabilities(extensions: [1], credentials: [2])),
            Decoder(MLSExtension.externalSenders([])), Decoder(ExternalSender(signatureKey: [1], credential: .x509([[1], [2]]))),
            Decoder(PreSharedKeyID(.resumption(.branch, group: [1], epoch: 2), nonce: [3])),
            Decoder(Proposal.reInit(ReInit(groupID: [1], cipherSuite: .x25519AES128GCM))), Decoder(Proposal.externalInit([1])),
            Decoder(Sender.external(7)),
        ]
    }

    @Test(arguments: decoders) func `a structure reads back as it was written, and neither in part nor with more behind it`(
        decoder: Decoder
    ) throws {
        #expect(try decoder.again(decoder.good) == decoder.good)
        for count in 0..<decoder.good.count {
            #expect(throws: MLSError.self, "\(count) bytes") { try decoder.again(Array(decoder.good[..<count])) }
        }
        #expect(throws: MLSError.malformed(.trailingBytes(1))) { try decoder.again(decoder.good + [0]) }
    }

    @Test(arguments: decoders) func `a changed structure is refused, or reads back as what it has become`(decoder: Decoder) {
        var random = SeededGenerator(seed: 111)
        for _ in 0..<2000 {
            var bytes = decoder.good
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 1: bytes[index] = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff].randomElement(using: &random) ?? 0
                case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
                default: if bytes.count > 1 { bytes.remove(at: index) }
                }
            }
            if let again = try? decoder.again(bytes) { #expect(again == bytes) }
        }
    }

    @Test(arguments: decoders) func `a length that is not minimal, too wide or past the end is refused wherever it stands`(decoder: Decoder)
    {
        for header: [UInt8] in [[0xbf, 0xff, 0xff, 0xff], [0xc0, 0, 0, 0, 0, 0, 0, 1], [0x40, 0x01], [0x80, 0, 0, 1]] {
            for place in decoder.good.indices {
                let bytes = decoder.good[..<place] + header + decoder.good[(place + 1)...]
                if let again = try? decoder.again(Array(bytes)) { #expect(again == Array(bytes)) }
            }
        }
    }

    @Test func `a structure holds no more items than it has bytes, and a tree no more nodes than the bound`() throws {
        func blanks(_ count: Int) -> [UInt8] {
            var writer = ByteWriter(reservingCapacity: count + 8)
            writer.write(opaque: [UInt8](repeating: 0, count: count))
            return writer.bytes
        }
        #expect(throws: MLSError.self) { try RatchetTree(exactly: blanks(1 << 16)) }
        #expect(throws: MLSError.malformed(.tooLong(bytes: 1 << 17 - 1, max: 1 << 16))) { try RatchetTree(exactly: blanks(1 << 20)) }
        // 2^29 types are announced, and not there.
        #expect(throws: MLSError.malformed(.truncated)) { try RequiredCapabilities(exactly: [0xbf, 0xff, 0xff, 0xfe, 0, 1]) }
        #expect(throws: MLSError.malformed(.truncated)) { try RequiredCapabilities(exactly: [3, 0, 1, 0, 0, 0]) }
        let types = try RequiredCapabilities(exactly: blanks(1 << 20) + [0, 0])
        #expect(types.extensions.count == 1 << 19)
    }

    @Test func `unknown values of every enumeration are refused`() throws {
        func refused<T: WireCodable>(_: T.Type, _ bytes: [UInt8], _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(throws: MLSError.malformed(.badValue(what)), sourceLocation: sourceLocation) { try T(exactly: bytes) }
        }
        for version: [UInt8] in [[0, 0], [0, 2], [0x0a, 0x0a], [0xff, 0xff]] {
            refused(MLSMessage.self, version + [0, 1], "an MLS version")
            refused(GroupContext.self, version, "the version of a group context")
        }
        for format: [UInt8] in [[0, 0], [0, 6], [0xff, 0xff]] { refused(MLSMessage.self, [0, 1] + format, "a wire format") }
        for kind: UInt8 in [0, 5, 255] { refused(Sender.self, [kind, 0, 0, 0, 0], "a sender type") }
        for kind: UInt8 in [0, 4, 255] {
            refused(PrivateMessage.self, [0] + Array(repeating: 0, count: 8) + [kind], "a content type")
            refused(FramedContent.self, [0] + Array(repeating: 0, count: 8) + [3, 0, kind], "a content type")
        }
        for kind: [UInt8] in [[0, 0], [0, 8], [0x0a, 0x0a], [0xff, 0xff]] { refused(Proposal.self, kind, "a proposal type") }
        for kind: UInt8 in [0, 3, 255] { refused(Commit.Item.self, [kind, 0], "a proposal-or-reference type") }
        for kind: [UInt8] in [[0, 0], [0, 3], [0x0a, 0x0a]] { refused(Credential.self, kind, "a credential type") }
        for kind: UInt8 in [0, 3, 255] { refused(PreSharedKeyID.self, [kind, 0, 0], "a PSK type") }
        for kind: UInt8 in [0, 4, 255] { refused(PreSharedKeyID.self, [2, kind, 0], "a PSK usage") }
        for kind: UInt8 in [0, 4, 255] {
            refused(LeafNode.self, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, kind], "a leaf node source")
        }
        refused(Commit.self, [0, 2], "an optional's presence byte")
        refused(RatchetTree.self, [2, 1, 3], "a node type: leaves stand at even places, parents at odd ones")
    }

    @Test func `GREASE in capabilities and extensions is ignored by everybody`() throws {
        var fleet = try Fleet(seed: 112)
        try fleet.add(["bob"], by: "ann")
        let greased = Capabilities(extensions: [0x2a2a]).greased(using: &fleet.random)
        let grease = MLSExtension(type: 0x2a2a, data: [1, 2, 3])
        let unlisted = MLSExtension(type: 0x3a3a, data: [4])
        let identity = try MemberIdentity.fixture("cid", capabilities: greased, extensions: [grease])
        // Of a key package's own extensions none need be listed (§7.3 speaks of the leaf's).
        let own = try OwnKeyPackage.make(member: identity, extensions: [unlisted], using: &fleet.random)
        let fetched = try KeyPackage.fetched(own.published, host: fleet.host)
        #expect(fetched.extensions == [unlisted])
        var plan = CommitPlan([.add(fetched)])
        plan.groupInfoExtensions = [MLSExtension(type: 0x4a4a, data: [])]
        let pending = try fleet.commit("ann", plan)
        fleet.groups["cid"] = try Group.join(pending.welcome ?? [], with: own, host: fleet.host)
        fleet.order.append("cid")
        #expect(fleet.agrees)
        try fleet.commit("cid")
        let update = try fleet.proposeUpdate("cid")
        try fleet.deliver(update, except: "cid")
        try fleet.commit("bob")
        #expect(fleet.agrees && fleet["ann"].member(2)?.extensions == [grease])
        let info = try fleet["cid"].groupInfo(extensions: [MLSExtension(type: 0x5a5a, data: [9])])
        let other = try MemberIdentity.fixture("dan", capabilities: greased, extensions: [grease])
        let join = try Group.joinExternally(info, as: other, host: fleet.host, using: &fleet.random)
        try fleet.deliver(join.message)
        #expect(fleet.agrees && join.group.epochAuthenticator == fleet["ann"].epochAuthenticator)
    }
}
