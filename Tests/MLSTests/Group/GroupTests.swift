import Cryptography
import MLS
import Testing
import Vocabulary

@Suite struct GroupTests {
    @Test(arguments: CipherSuite.supported)
    func `members who join by Welcome share keys and messages`(suite: CipherSuite) throws {
        var fleet = try Fleet(suite: suite)
        try fleet.add(["bob"], by: "ann")
        try fleet.add(["cid", "dan"], by: "bob")
        #expect(fleet.agrees)
        let sealed = try fleet.seal("cid", [1, 2, 3], authenticatedData: [9], paddedTo: 64)
        for name in ["ann", "bob", "dan"] {
            guard case .application(let message) = try fleet[name].process(sealed, host: fleet.host) else {
                Issue.record("no application message")
                continue
            }
            #expect(message.data == [1, 2, 3] && message.authenticatedData == [9] && message.epoch == 2)
            #expect(message.leaf.credential == .basic(Array("cid".utf8)))
        }
    }

    @Test func `a commit changes nothing until it is merged`() throws {
        var fleet = try Fleet()
        try fleet.add(["bob"], by: "ann")
        let before = fleet["ann"]
        let pending = try fleet["ann"].commit(host: fleet.host, using: &fleet.random)
        #expect(fleet["ann"] == before)
        try fleet["ann"].merge(pending, host: fleet.host)
        #expect(fleet["ann"].epoch == 2)
        #expect(throws: MLSError.staleCommit) { try fleet["ann"].merge(pending, host: fleet.host) }
    }

    @Test func `the loser of a race processes the winner and its own commit is stale`() throws {
        var fleet = try Fleet()
        try fleet.add(["bob"], by: "ann")
        let lost = try fleet["ann"].commit(host: fleet.host, using: &fleet.random)
        try fleet.commit("bob")
        #expect(fleet.agrees)
        #expect(throws: MLSError.staleCommit) { try fleet["ann"].merge(lost, host: fleet.host) }
    }

    @Test func `every kind of proposal is taken by reference`() throws {
        var fleet = try Fleet()
        fleet.host = .fixture(psks: [[7]: Secret([1, 2, 3])])
        try fleet.add(["bob", "cid", "dan"], by: "ann")
        let package = try fleet.keyPackage("eve")
        let update = try fleet.proposeUpdate("bob")
        try fleet.deliver(update, except: "bob")
        let psk = try fleet["cid"].preSharedKeyID(.external([7]), using: &fleet.random)
        for (name, proposal): (String, Proposal) in [
            ("cid", .add(package.package)), ("bob", .preSharedKey(psk)), ("bob", .remove(fleet["dan"].ownLeaf)),
            ("bob", .groupContextExtensions([.externalSenders([])])),
        ] {
            let message = try fleet.propose(name, proposal)
            try fleet.deliver(message, except: name)
        }
        #expect(throws: MLSError.pendingProposals) { try fleet.seal("ann", [1]) }
        let pending = try fleet.commit("ann")
        #expect(fleet.order == ["ann", "bob", "cid"])
        fleet.groups["eve"] = try Group.join(pending.welcome!, with: package, host: fleet.host)
        fleet.order.append("eve")
        #expect(fleet.agrees)
        #expect(fleet["eve"].context.extensions.count == 1)
        try fleet.commit("bob")
        #expect(fleet.agrees)
    }

    @Test func `encrypted handshakes work as readable ones do`() throws {
        var fleet = try Fleet()
        try fleet.add(["bob", "cid"], by: "ann")
        let proposal = try fleet.proposeUpdate("bob", isPrivate: true)
        try fleet.deliver(proposal, except: "bob")
        let pending = try fleet.commitPrivately("ann")
        try fleet.deliver(pending.message, except: "ann")
        try fleet["ann"].merge(pending, host: fleet.host)
        #expect(fleet.agrees)
    }

    @Test func `a removed member is told, and has no secret left`() throws {
        var fleet = try Fleet()
        try fleet.add(["bob", "cid"], by: "ann")
        var bob = fleet["bob"]
        let pending = try fleet["ann"].commit(CommitPlan([.remove(bob.ownLeaf)]), host: fleet.host, using: &fleet.random)
        guard case .removed(let summary) = try bob.process(pending.message, host: fleet.host) else {
            Issue.record("not told")
            return
        }
        #expect(summary.removed.map(\.leaf) == [1])
        #expect(!bob.isActive)
        #expect(throws: MLSError.removedFromGroup) { try bob.export(label: "x", count: 32) }
        #expect(throws: MLSError.removedFromGroup) { try bob.seal([1], using: &fleet.random) }
        #expect(bob.resumptionSecret(epoch: 1) == nil)
    }

    @Test func `a newcomer joins by external commit, and a member replaces its old leaf`() throws {
        var fleet = try Fleet()
        try fleet.add(["bob"], by: "ann")
        try fleet.rejoin("cid", through: "bob")
        #expect(fleet.agrees && fleet.order.count == 3)
        try fleet.rejoin("bob", through: "ann", replacing: fleet["bob"].ownLeaf)
        #expect(fleet.order.count == 3)
        #expect(fleet.agrees)
        try fleet.commit("cid")
        #expect(fleet.agrees)
    }

    @Test func `an external commit is processed while an own commit is pending`() throws {
        var fleet = try Fleet()
        try fleet.add(["bob"], by: "ann")
        let pending = try fleet["ann"].commit(host: fleet.host, using: &fleet.random)
        try fleet.rejoin("cid", through: "bob")
        #expect(fleet.agrees)
        #expect(throws: MLSError.staleCommit) { try fleet["ann"].merge(pending, host: fleet.host) }
    }

    @Test func `a hub follows the public group and refuses what members would`() throws {
        var fleet = try Fleet()
        try fleet.add(["bob", "cid"], by: "ann")
        var hub = try PublicGroup(fleet["ann"].groupInfo(), host: fleet.host)
        let update = try fleet.proposeUpdate("bob")
        _ = try hub.process(update, host: fleet.host)
        try fleet.deliver(update, except: "bob")
        let commit = try fleet.commit("ann")
        #expect(try hub.preview(commit.message, host: fleet.host).updated == [1])
        _ = try hub.process(commit.message, host: fleet.host)
        #expect(hub.context == fleet["ann"].context && hub.ratchetTree == fleet["ann"].ratchetTree)
        try hub.accepts(fleet["bob"].groupInfo(), host: fleet.host)
        let join = try Group.joinExternally(
            fleet["cid"].groupInfo(), as: .fixture("dan"), host: fleet.host, using: &fleet.random)
        _ = try hub.process(join.message, host: fleet.host)
        try fleet.deliver(join.message)
        #expect(hub.context == join.group.context)
        #expect(throws: MLSError.wrongEpoch(sent: 1, current: 3)) { try hub.process(commit.message, host: fleet.host) }
    }

    @Test func `groups are initialised anew and branched with the old group's secret`() throws {
        var fleet = try Fleet(suite: .x25519AES128GCM)
        try fleet.add(["bob"], by: "ann")
        // A branch.
        let package = try fleet.keyPackage("bob")
        var (branch, opening) = try fleet["ann"].branch(
            id: [8], with: [package.package], member: .fixture("ann"), host: fleet.host, using: &fleet.random)
        try branch.merge(opening, host: fleet.host)
        let joined = try Group.join(opening.welcome!, with: package, former: fleet["bob"], host: fleet.host)
        #expect(joined.epochAuthenticator == branch.epochAuthenticator)
        #expect(throws: MLSError.missingPreSharedKey) { try Group.join(opening.welcome!, with: package, host: fleet.host) }
        // A successor with another suite.
        let reInit = ReInit(groupID: [9], cipherSuite: .x25519ChaCha20Poly1305)
        try fleet.commit("bob", CommitPlan([.reInit(reInit)]))
        #expect(fleet["ann"].successorParameters == reInit)
        #expect(throws: MLSError.groupEnded) { try fleet.seal("ann", [1]) }
        let fresh = try OwnKeyPackage.make(suite: .x25519ChaCha20Poly1305, member: .fixture("bob"), using: &fleet.random)
        var (next, commit) = try fleet["ann"].succeed(
            with: [fresh.package], member: .fixture("ann"), host: fleet.host, using: &fleet.random)
        try next.merge(commit, host: fleet.host)
        let successor = try Group.join(commit.welcome!, with: fresh, former: fleet["bob"], host: fleet.host)
        #expect(successor.epochAuthenticator == next.epochAuthenticator)
        #expect(successor.cipherSuite == .x25519ChaCha20Poly1305)
    }

    @Test func `outsiders propose: an external sender removes, a newcomer asks to be added`() throws {
        let server = try MemberIdentity.fixture("server")
        var fleet = try Fleet(
            extensions: [.externalSenders([ExternalSender(signatureKey: server.signer.publicKey, credential: server.credential)])])
        try fleet.add(["bob", "cid"], by: "ann")
        let (id, epoch) = (fleet["ann"].id, fleet["ann"].epoch)
        try fleet.deliver(
            try Group.proposeExternally(.remove(1), as: 0, signer: server.signer, groupID: id, epoch: epoch))
        let own = try fleet.keyPackage("dan")
        try fleet.deliver(try Group.requestToJoin(own, groupID: id, epoch: epoch))
        let pending = try fleet.commit("cid")
        #expect(fleet.order == ["ann", "cid"])
        let dan = try Group.join(pending.welcome!, with: own, host: fleet.host)
        #expect(dan.epochAuthenticator == fleet["ann"].epochAuthenticator)
        #expect(throws: MLSError.invalidProposals(.notAllowedFromExternalSender)) {
            try Group.proposeExternally(.externalInit([]), as: 0, signer: server.signer, groupID: id, epoch: epoch)
        }
    }

    @Test func `a group's own resumption secret is mixed in as a pre-shared key`() throws {
        var fleet = try Fleet()
        try fleet.add(["bob"], by: "ann")
        try fleet.commit("bob")
        let psk = try fleet["ann"].preSharedKeyID(.resumption(.application, group: fleet["ann"].id, epoch: 1), using: &fleet.random)
        try fleet.commit("ann", CommitPlan([.preSharedKey(psk)]))
        #expect(fleet.agrees)
    }
}
