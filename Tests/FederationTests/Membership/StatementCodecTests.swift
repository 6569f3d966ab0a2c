import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct StatementCodecTests {
    let f = MembershipFixture()

    private var samples: [SignedStatement] {
        [
            f.genesis, f.admit(1, by: 0, n: 1, role: .admin), f.expel(1, by: 0, n: counterMax, lastN: counterMax, reason: "ü"),
            f.descriptor(1, version: 3),
        ]
    }

    @Test func `statements survive coding`() throws {
        for signed in samples {
            #expect(try SignedStatement(decoding: signed.encoded()) == signed)
            #expect(try Statement(decoding: signed.body).encoded() == signed.body)
            #expect(throws: Never.self) { try signed.verified(in: f.federation) }
        }
    }

    @Test func `an Admit has these bytes`() throws {
        let subject = try #require(NodeID([UInt8](repeating: 0x22, count: 32)))
        let federation = try #require(FederationID([UInt8](repeating: 0x11, count: 32)))
        let body = Statement.admit(
            Admit(federation: federation, subject: subject, name: try NodeName("tower"), role: .admin, n: 258)
        ).encoded()
        let golden =
            "00010002" + String(repeating: "11", count: 32) + String(repeating: "22", count: 32) + "05" + "746f776572" + "02"
            + "0000000000000102"
        #expect(Hex.encode(body) == golden)
    }

    @Test func `truncated, lengthened and changed bytes are refused without a trap`() {
        for signed in samples {
            for count in 0..<signed.body.count {
                #expect(throws: CodecError.self) { try Statement(decoding: Array(signed.body.prefix(count))) }
            }
            #expect(throws: CodecError.self) { try Statement(decoding: signed.body + [0]) }
            for index in signed.body.indices {
                var body = signed.body
                body[index] ^= 0xff
                let changed = SignedStatement(body: body, signer: signed.signer, signature: signed.signature)
                #expect(throws: StatementError.self) { try changed.verified(in: f.federation) }
            }
        }
    }

    @Test(arguments: UInt64(0)..<50) func `random bytes never trap`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for kind in UInt8(1)...4 {
            let noise = random.bytes(Int.random(in: 0...300, using: &random))
            _ = try? Statement(decoding: [0, 1, 0, kind] + noise)
            _ = try? SignedStatement(decoding: noise)
        }
    }

    @Test func `counters above 2^53 and of zero are refused`() {
        #expect(throws: CodecError.self) {
            try Statement(decoding: f.admit(1, by: 0, n: counterMax + 1).body)
        }
        #expect(throws: CodecError.self) { try Statement(decoding: f.admit(1, by: 0, n: 0).body) }
        #expect(throws: CodecError.self) { try Statement(decoding: f.descriptor(1, version: .max).body) }
    }

    @Test func `a statement is refused for the reason it gives`() {
        let other = MembershipFixture(founder: 1)
        #expect(throws: StatementError.otherFederation) { try other.admit(2, by: 1, n: 1).verified(in: f.federation) }
        #expect(throws: StatementError.otherFederation) { try other.genesis.verified(in: f.federation) }
        let descriptor = f.descriptor(1, version: 1)
        let stolen = SignedStatement(body: descriptor.body, signer: MembershipFixture.id(2), signature: descriptor.signature)
        #expect(throws: StatementError.wrongSigner) { try stolen.verified(in: f.federation) }
        let admit = f.admit(1, by: 0, n: 1)
        let forged = SignedStatement(body: admit.body, signer: MembershipFixture.id(1), signature: admit.signature)
        #expect(throws: StatementError.badSignature) { try forged.verified(in: f.federation) }
        let noise = SignedStatement(body: [1, 2, 3], signer: admit.signer, signature: admit.signature)
        #expect(throws: StatementError.undecodable) { try noise.verified(in: f.federation) }
    }

    @Test func `a descriptor's contents are cut to what fits a statement`() throws {
        let endpoint = Endpoint(host: String(repeating: "a", count: 250), port: 65535)
        let contents = NodeDescriptor.Contents(
            peers: Array(repeating: endpoint, count: 9), clients: Array(repeating: endpoint, count: 9),
            software: String(repeating: "x", count: 500), capabilities: Array(0..<500).reversed(), incarnation: .max)
        let body = Statement.descriptor(
            NodeDescriptor(federation: f.federation, node: MembershipFixture.id(0), contents: contents, version: 1)
        ).encoded()
        #expect(body.count <= Limits.statementBytesMax)
        #expect(throws: Never.self) { try Statement(decoding: body) }
    }
}
