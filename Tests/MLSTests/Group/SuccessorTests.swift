import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §11.2 and §11.3: what a successor or a branch must be.
@Suite struct SuccessorTests {
    var fleet: Fleet

    init() throws {
        fleet = try Fleet(seed: 71)
        try fleet.add(["bob", "cid"], by: "ann")
    }

    @Test mutating func `a branch has only members of the old group`() throws {
        let eve = try fleet.keyPackage("eve")
        #expect(throws: MLSError.invalidGroupInfo(.members)) {
            try fleet["ann"].branch(
                id: [1], with: [eve.package], member: .fixture("ann"), host: fleet.host, using: &fleet.random)
        }
        // A member who lets a stranger in all the same is found out by those who join.
        let bob = try fleet.keyPackage("bob")
        var (group, opening) = try fleet["ann"].branch(
            id: [1], with: [bob.package], member: .fixture("ann"), host: fleet.host, using: &fleet.random)
        try group.merge(opening, host: fleet.host)
        _ = try Group.join(opening.welcome!, with: bob, former: fleet["bob"], host: fleet.host)
        var smaller = fleet
        try smaller.remove("ann", by: "bob")
        #expect(throws: MLSError.invalidGroupInfo(.members)) {
            try Group.join(opening.welcome!, with: bob, former: smaller["bob"], host: fleet.host)
        }
    }

    @Test mutating func `a successor has all members, and the parameters of the ReInit`() throws {
        let (bob, cid) = (try fleet.keyPackage("bob"), try fleet.keyPackage("cid"))
        #expect(throws: MLSError.invalidGroupInfo(.reInitMismatch)) {
            try fleet["ann"].succeed(
                with: [bob.package, cid.package], member: .fixture("ann"), host: fleet.host, using: &fleet.random)
        }
        var other = fleet
        try fleet.commit("cid", CommitPlan([.reInit(ReInit(groupID: [7], cipherSuite: .x25519ChaCha20Poly1305))]))
        try other.commit("cid", CommitPlan([.reInit(ReInit(groupID: [8], cipherSuite: .x25519ChaCha20Poly1305))]))
        #expect(throws: MLSError.invalidGroupInfo(.members)) {
            try fleet["ann"].succeed(with: [bob.package], member: .fixture("ann"), host: fleet.host, using: &fleet.random)
        }
        let (_, commit) = try fleet["ann"].succeed(
            with: [bob.package, cid.package], member: .fixture("ann"), host: fleet.host, using: &fleet.random)
        _ = try Group.join(commit.welcome!, with: bob, former: fleet["bob"], host: fleet.host)
        // Of another history: other secrets.
        #expect(throws: MLSError.self) {
            try Group.join(commit.welcome!, with: bob, former: other["bob"], host: fleet.host)
        }
    }

    @Test mutating func `a group that has ended takes nothing more`() throws {
        let before = fleet["bob"]
        try fleet.commit("cid", CommitPlan([.reInit(ReInit(groupID: [7], cipherSuite: .x25519ChaCha20Poly1305))]))
        var ann = fleet["ann"]
        #expect(throws: MLSError.groupEnded) { try ann.commit(host: fleet.host, using: &fleet.random) }
        #expect(throws: MLSError.groupEnded) { try ann.groupInfo() }
        #expect(throws: MLSError.groupEnded) { try fleet.propose("bob", .remove(0)) }
        // What was sent before still opens.
        var late = before
        var random = SeededGenerator(seed: 3)
        let sealed = try late.seal([1], using: &random)
        _ = try ann.process(sealed, host: fleet.host)
    }

    @Test mutating func `credentials that a member does not know are refused`() throws {
        let identity = try MemberIdentity.fixture("eve")
        let odd = MemberIdentity(
            signer: identity.signer, credential: .x509([[1]]), capabilities: Capabilities(credentials: [1, 2]),
            lifetime: identity.lifetime)
        let own = try OwnKeyPackage.make(member: odd, using: &fleet.random)
        let open = GroupHost(now: noon, refusal: { _ in nil })
        #expect(throws: MLSError.invalidLeaf(.credentialUnsupportedByMember(0))) {
            try fleet["ann"].commit(CommitPlan([.add(own.package)]), host: open, using: &fleet.random)
        }
    }

    @Test mutating func `the identity check is told what it judges`() throws {
        final class Seen: @unchecked Sendable { var claims: [IdentityClaim.Occasion] = [] }  // one thread only
        let seen = Seen()
        let host = GroupHost(
            now: noon,
            refusal: {
                seen.claims.append($0.occasion)
                return nil
            })
        let ann = fleet["ann"].member(0)!
        let pending = try fleet["ann"].commit(host: host, using: &fleet.random)
        #expect(seen.claims == [.commit(previous: ann)])
        seen.claims = []
        var bob = fleet["bob"]
        _ = try bob.process(pending.message, host: host)
        #expect(seen.claims == [.commit(previous: ann)])
        seen.claims = []
        let info = try fleet["cid"].groupInfo()
        _ = try Group.joinExternally(info, as: .fixture("bob"), replacing: 1, host: host, using: &fleet.random)
        #expect(seen.claims == [.join, .join, .join, .externalCommit(previous: fleet["bob"].member(1)!)])
    }
}
