import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §12.2: what a committer prefers when pending proposals do not go together.
@Suite struct ProposalChoiceTests {
    var fleet: Fleet

    init() throws {
        fleet = try Fleet(seed: 81)
        try fleet.add(["bob", "cid", "dan"], by: "ann")
    }

    mutating func propose(_ name: String, _ proposal: Proposal?) throws {
        let message = try proposal.map { try fleet.propose(name, $0) } ?? fleet.proposeUpdate(name)
        try fleet.deliver(message, except: name)
    }

    @Test mutating func `removal before update, the latest update, never our own`() throws {
        for name in ["ann", "bob", "bob", "cid"] { try propose(name, nil) }
        try propose("dan", .remove(2))
        try propose("bob", .remove(2))
        try propose("dan", .remove(0))
        let pending = try fleet.commit("ann")
        #expect(pending.summary.updated == [1] && pending.summary.removed.map(\.leaf) == [2])
        #expect(fleet.agrees && fleet.order == ["ann", "bob", "dan"])
        try fleet.commit("bob")
        #expect(fleet.agrees)
    }

    @Test mutating func `a proposal that makes the list invalid is left out, and bars nobody`() throws {
        let odd = try ProposalRuleTests.leaf("dan", fleet["dan"], source: .update, key: fleet["cid"].member(2)!.encryptionKey)
        try fleet.deliver(fleet["dan"].forged(.proposal(.update(odd))), except: "dan")
        try propose("bob", nil)
        let pending = try fleet["ann"].commit(host: fleet.host, using: &fleet.random)
        #expect(pending.summary.updated == [1])
        #expect(throws: MLSError.invalidProposals(.removesCommitter)) {
            try fleet["ann"].commit(CommitPlan([.remove(0)]), host: fleet.host, using: &fleet.random)
        }
    }

    @Test mutating func `ReInit waits for everything else; the last list of extensions counts`() throws {
        try propose("bob", .reInit(ReInit(groupID: [1], cipherSuite: .x25519AES128GCM)))
        try propose("bob", .groupContextExtensions([.externalSenders([])]))
        try propose("cid", .groupContextExtensions([]))
        let pending = try fleet.commit("ann")
        #expect(pending.summary.reInit == nil)
        #expect(fleet["bob"].context.extensions == [])
        try propose("bob", .reInit(ReInit(groupID: [1], cipherSuite: .x25519AES128GCM)))
        #expect(try fleet.commit("ann").summary.reInit != nil)
    }

    @Test mutating func `one client is added once`() throws {
        let own = try fleet.keyPackage("eve")
        try propose("bob", .add(own.package))
        try propose("cid", .add(try fleet.keyPackage("eve").package))
        try propose("cid", .add(try fleet.keyPackage("dan").package))
        let pending = try fleet.commit("ann")
        #expect(pending.summary.added == [4])
        let eve = try Group.join(pending.welcome!, with: own, host: fleet.host)
        #expect(eve.epochAuthenticator == fleet["ann"].epochAuthenticator)
    }

    @Test mutating func `the GroupInfo of the epoch to come is there before it begins`() throws {
        let pending = try fleet["ann"].commit(host: fleet.host, using: &fleet.random)
        let info = try pending.groupInfo()
        var hub = try PublicGroup(fleet["bob"].groupInfo(), host: fleet.host)
        #expect(throws: MLSError.wrongEpoch(sent: 2, current: 1)) { try hub.accepts(info, host: fleet.host) }
        _ = try hub.process(pending.message, host: fleet.host)
        try hub.accepts(info, host: fleet.host)
        #expect(throws: MLSError.wrongEpoch(sent: 1, current: 2)) { try hub.accepts(fleet["bob"].groupInfo(), host: fleet.host) }
        let join = try Group.joinExternally(info, as: .fixture("eve"), host: fleet.host, using: &fleet.random)
        try fleet.deliver(pending.message, except: "ann")
        try fleet["ann"].merge(pending, host: fleet.host)
        try fleet.deliver(join.message)
        #expect(fleet["bob"].epochAuthenticator == join.group.epochAuthenticator)
    }
}
