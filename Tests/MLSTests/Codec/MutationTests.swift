import Cryptography
import Foundation
import MLS
import Testing
import Vocabulary

/// Mutations of valid messages: refused or understood, never trapped on.
@Suite struct MutationTests {
    /// POSTHOUSE_MLS_MUTATIONS raises it: a million takes some minutes in a release build.
    static let count = Int(ProcessInfo.processInfo.environment["POSTHOUSE_MLS_MUTATIONS"] ?? "") ?? 3000

    @Test func `no mutation of a valid message traps a member, a hub or a joiner`() throws {
        var fleet = try Fleet(seed: 61)
        try fleet.add(["bob", "cid", "dan"], by: "ann")
        let own = try fleet.keyPackage("eve")
        let proposal = try fleet["ann"].forged(.proposal(.add(own.package)))
        let commit = try fleet["ann"].commit(
            CommitPlan([.add(own.package), .remove(2)]), host: fleet.host, using: &fleet.random)
        let info = try fleet["ann"].groupInfo()
        let join = try Group.joinExternally(info, as: .fixture("fay"), host: fleet.host, using: &fleet.random)
        let seeds = [
            try fleet.seal("ann", Array(repeating: 1, count: 40)), proposal, commit.message, commit.welcome!, info, join.message,
            own.published,
        ]
        let hub = try PublicGroup(info, host: fleet.host)
        let bob = fleet["bob"]
        var random = SeededGenerator(seed: 62)
        for _ in 0..<Self.count {
            let bytes = seeds.randomElement(using: &random)!.mutated(using: &random)
            guard let message = try? MLSMessage(bytes) else { continue }
            #expect(message.bytes == bytes)
            var (member, hub) = (bob, hub)
            _ = try? member.process(message, host: fleet.host)
            _ = try? hub.process(bytes, host: fleet.host)
            switch message.kind {
            case .welcome: _ = try? Group.join(bytes, with: own, host: fleet.host)
            case .groupInfo: _ = try? PublicGroup(bytes, host: fleet.host)
            case .keyPackage: _ = try? KeyPackage.fetched(bytes, host: fleet.host)
            case .application, .proposal, .commit: break
            }
        }
    }
}

extension MutationTests {
    @Test func `no mutation that a hostile member signs traps a member, a hub or a joiner`() throws {
        var fleet = try Fleet(seed: 63)
        try fleet.add(["bob", "cid", "dan", "eve"], by: "ann")
        for name in fleet.order { try fleet.commit(name) }
        try fleet.add(["fay"], by: "cid", refreshesPath: false)
        let own = try fleet.keyPackage("gil")
        var commits: [[UInt8]] = []
        for proposals: [Proposal] in [[], [.add(own.package), .remove(2)], [.groupContextExtensions([.externalSenders([])])]] {
            let pending = try fleet["ann"].commit(CommitPlan(proposals), host: fleet.host, using: &fleet.random)
            guard case .publicMessage(let message) = try MLSMessage(pending.message).body,
                case .commit(let commit) = message.content.body
            else { continue }
            commits.append(commit.encoded)
        }
        let proposals: [[UInt8]] = [
            Proposal.add(own.package).encoded, Proposal.remove(1).encoded,
            Proposal.update(try ProposalRuleTests.leaf("ann", fleet["ann"], source: .update)).encoded,
            Proposal.reInit(ReInit(groupID: [1], cipherSuite: .x25519AES128GCM)).encoded,
            Proposal.groupContextExtensions([.requiring(RequiredCapabilities(extensions: [7]))]).encoded,
        ]
        let tree = fleet["ann"].ratchetTree
        let (bob, hub) = (fleet["bob"], try PublicGroup(fleet["ann"].groupInfo(), host: fleet.host))
        var random = SeededGenerator(seed: 64)
        for round in 0..<Self.count / 4 {
            var forged: [UInt8]?
            switch round % 3 {
            case 0:
                if let commit = try? Commit(exactly: commits.randomElement(using: &random)!.mutated(using: &random)) {
                    forged = try? fleet["ann"].forged(.commit(commit))
                }
            case 1:
                if let proposal = try? Proposal(exactly: proposals.randomElement(using: &random)!.mutated(using: &random)) {
                    forged = try? fleet["ann"].forged(.proposal(proposal))
                }
            default:
                if let tree = try? RatchetTree(exactly: tree.mutated(using: &random)),
                    let info = try? fleet["ann"].forgedInfo(tree)
                {
                    _ = try? PublicGroup(info, host: fleet.host)
                    _ = try? Group.joinExternally(info, as: .fixture("zoe"), host: fleet.host, using: &fleet.random)
                }
            }
            guard let forged else { continue }
            var (member, hub) = (bob, hub)
            _ = try? member.process(forged, host: fleet.host)
            _ = try? hub.process(forged, host: fleet.host)
            if member.pendingProposals.count > 0 { _ = try? member.commit(host: fleet.host, using: &fleet.random) }
        }
    }
}

extension [UInt8] {
    /// Bits flipped, bytes set, pieces dropped, doubled or cut off.
    func mutated(using random: inout SeededGenerator) -> [UInt8] {
        var bytes = self
        for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            let end = Swift.min(bytes.count, index + Int.random(in: 1...16, using: &random))
            switch Int.random(in: 0..<6, using: &random) {
            case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[index] = UInt8.random(in: 0...255, using: &random)
            case 2: bytes.removeSubrange(index..<end)
            case 3: bytes.insert(contentsOf: bytes[index..<end], at: index)
            case 4: bytes.removeLast(bytes.count - index)
            default: bytes[index] = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff].randomElement(using: &random)!
            }
        }
        return bytes
    }
}
