import Cryptography
import Federation
import Vocabulary

/// Keys and hand-made statements of one federation: what an honest node would not sign included.
struct MembershipFixture {
    let genesis: SignedStatement
    let federation: FederationID

    init(founder: Int = 0) {
        var random = SeededGenerator(seed: 1)
        genesis = .genesis(name: "coast", founderName: Self.name(founder), key: Self.key(founder), using: &random)
        federation = genesis.foundedFederation ?? FederationID(raw: .zero)
    }

    static func key(_ index: Int) -> SigningKey {
        var random = SeededGenerator(seed: UInt64(1000 + index))
        return SigningKey(using: &random)
    }

    static func id(_ index: Int) -> NodeID { NodeID(raw: key(index).publicKey) }

    static func name(_ index: Int) -> NodeName {
        guard let name = try? NodeName("node\(index)") else { preconditionFailure("node\(index)") }
        return name
    }

    func admit(_ subject: Int, by signer: Int, n: UInt64, role: MemberRole = .member, name: NodeName? = nil) -> SignedStatement {
        .signing(
            .admit(Admit(federation: federation, subject: Self.id(subject), name: name ?? Self.name(subject), role: role, n: n)),
            with: Self.key(signer))
    }

    func expel(_ subject: Int, by signer: Int, n: UInt64, lastN: UInt64 = 0, reason: String = "stolen") -> SignedStatement {
        .signing(
            .expel(Expel(federation: federation, subject: Self.id(subject), lastN: lastN, reason: reason, n: n)), with: Self.key(signer))
    }

    func descriptor(_ node: Int, version: UInt64, software: String = "posthouse 1") -> SignedStatement {
        .signing(
            .descriptor(
                NodeDescriptor(
                    federation: federation, node: Self.id(node), contents: Self.contents(software), version: version)), with: Self.key(node)
        )
    }

    static func contents(_ software: String = "posthouse 1", incarnation: UInt64 = 1) -> NodeDescriptor.Contents {
        NodeDescriptor.Contents(
            peers: [Endpoint(host: "127.0.0.1", port: 4001)], clients: [], software: software, incarnation: incarnation)
    }

    func verified(_ statements: [SignedStatement]) -> [VerifiedStatement] {
        statements.compactMap { try? $0.verified(in: federation) }
    }

    func evaluate(_ statements: [SignedStatement]) -> Evaluation { Evaluation(of: verified([genesis] + statements)) }

    func membership(_ node: Int, _ statements: [SignedStatement] = []) throws -> Membership {
        try Membership(key: Self.key(node), statements: [genesis] + statements)
    }
}

extension Evaluation {
    /// The members that are not expelled, by their index in the fixture.
    func activeIndices(of count: Int) -> [Int] { (0..<count).filter { isMember(MembershipFixture.id($0)) } }
    func expelledIndices(of count: Int) -> [Int] { (0..<count).filter { self[MembershipFixture.id($0)]?.isExpelled == true } }
}
