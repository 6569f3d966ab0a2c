import Cryptography
import Federation
import Testing
import Vocabulary

@Suite struct AuthorityTests {
    /// Few keys and low counters, so that most statements are about one another.
    @Test(arguments: 0..<400) func `who may admit and expel is what the rule says, whatever statements there are`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let nodes = try (0..<Int.random(in: 2...7, using: &random)).map { try #require(NodeID([UInt8](repeating: UInt8($0), count: 32))) }
        func votes(_ count: Int, isExpel: Bool) throws -> [Authority.Vote] {
            try (0..<count).map { _ in
                Authority.Vote(
                    id: try #require(Digest((0..<32).map { _ in UInt8.random(in: 0...255, using: &random) })),
                    signer: nodes.randomElement(using: &random) ?? nodes[0], subject: nodes.randomElement(using: &random) ?? nodes[0],
                    n: UInt64.random(in: 0...12, using: &random), lastN: isExpel ? UInt64.random(in: 0...12, using: &random) : 0)
            }
        }
        let admits = try votes(Int.random(in: 0...24, using: &random), isExpel: false)
        let expels = try votes(Int.random(in: 0...40, using: &random), isExpel: true)
        let fast = Authority(founder: nodes[0], adminAdmits: admits, expels: expels)
        let slow = AuthorityByDefinition(founder: nodes[0], adminAdmits: admits, expels: expels)
        #expect(nodes.map(fast.seniority) == nodes.map(slow.seniority))
        #expect((admits + expels).map(fast.holds) == (admits + expels).map(slow.holds))
    }
}
