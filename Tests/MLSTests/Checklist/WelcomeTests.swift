import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §12.4.3.1 and §16.8: Welcomes that are for others, come twice, or for a group that is there already.
@Suite struct WelcomeTests {
    var fleet: Fleet
    let bob: OwnKeyPackage
    let welcome: [UInt8]

    init() throws {
        fleet = try Fleet(seed: 160)
        bob = try fleet.keyPackage("bob")
        welcome = try #require(try fleet.commit("ann", CommitPlan([.add(bob.package)])).welcome)
    }

    @Test mutating func `two groups with one id: the second is refused, by creator, Welcome and external join`() throws {
        let group = try Group.join(welcome, with: bob, host: fleet.host)
        let knowing = GroupHost.fixture(known: [group.id])
        #expect(throws: MLSError.groupAlreadyKnown) {
            try Group.create(id: group.id, member: .fixture("bob"), host: knowing, using: &fleet.random)
        }
        // Somebody else's group of that id.
        var other = try Fleet(seed: 160, creator: "eve")
        let second = try OwnKeyPackage.make(member: .fixture("bob", seed: 2), using: &other.random)
        let taken = try #require(try other.commit("eve", CommitPlan([.add(second.package)])).welcome)
        #expect(throws: MLSError.groupAlreadyKnown) { try Group.join(taken, with: second, host: knowing) }
        #expect(throws: MLSError.groupAlreadyKnown) {
            try Group.joinExternally(other["eve"].groupInfo(), as: .fixture("bob", seed: 2), host: knowing, using: &other.random)
        }
        // Nothing was used up: where the id is not known, the same package joins.
        #expect(try Group.join(taken, with: second, host: other.host).epochAuthenticator == other["eve"].epochAuthenticator)
        // And messages of one are none of the other's.
        var mine = group
        let sealed = try other.seal("eve", [1])
        #expect(throws: MLSError.self) { try mine.process(sealed, host: fleet.host) }
        #expect(mine == group)
    }

    @Test mutating func `a Welcome for the group that we are in changes nothing in it`() throws {
        var group = try Group.join(welcome, with: bob, host: fleet.host)
        _ = group.takeChanges()
        let before = group
        #expect(throws: MLSError.groupAlreadyKnown) {
            try Group.join(welcome, with: bob, host: .fixture(known: [group.id]))
        }
        #expect(throws: MLSError.wrongContentType) { try group.process(welcome, host: fleet.host) }
        #expect(group == before && group.takeChanges().isEmpty)
    }

    @Test mutating func `a key package that was used is gone, and a second Welcome for it finds none`() throws {
        // What a client keeps: packages by reference, each deleted by the transaction that stores its group.
        var kept = [bob.reference: bob]
        let spare = try fleet.keyPackage("bob")
        kept[spare.reference] = spare
        func join(_ welcome: [UInt8], _ kept: inout [[UInt8]: OwnKeyPackage]) throws -> Group {
            for reference in try MLSMessage(welcome).welcomedReferences {
                guard let own = kept[reference] else { continue }
                let group = try Group.join(welcome, with: own, host: fleet.host)
                if !own.package.isLastResort { kept[reference] = nil }
                return group
            }
            throw MLSError.noMatchingKeyPackage
        }
        _ = try join(welcome, &kept)
        #expect(kept.count == 1)
        #expect(throws: MLSError.noMatchingKeyPackage) { try join(welcome, &kept) }
        #expect(throws: MLSError.noMatchingKeyPackage) { try Group.join(welcome, with: spare, host: fleet.host) }
        // Nor does it open with other keys under the same name.
        let wrong = OwnKeyPackage(package: bob.package, initKey: spare.initKey, leafKey: bob.leafKey, signer: bob.signer)
        #expect(throws: MLSError.decryptionFailed("Welcome")) { try Group.join(welcome, with: wrong, host: fleet.host) }
    }

    @Test mutating func `a refused join leaves nothing that bars the next one`() throws {
        let opened = try ForgedWelcome(opening: welcome, by: bob)
        let evil = GroupHost(now: noon, refusal: { _ in "no" })
        let attempts: [(welcome: [UInt8], tree: [UInt8]?, host: GroupHost)] = [
            (welcome, nil, evil), (welcome, nil, .fixture(known: [fleet["ann"].id])),
            (try opened.sealed(pathSecret: Secret([1])), nil, fleet.host),
            (try opened.sealed(joiner: Secret([1]), pathSecret: nil), nil, fleet.host), (Array(welcome.dropLast()), nil, fleet.host),
        ]
        let before = bob.stored
        for attempt in attempts {
            #expect(throws: MLSError.self) { try Group.join(attempt.welcome, with: bob, tree: attempt.tree, host: attempt.host) }
        }
        #expect(bob.stored == before)
        let group = try Group.join(welcome, with: bob, host: fleet.host)
        #expect(group.epochAuthenticator == fleet["ann"].epochAuthenticator)
    }

    @Test mutating func `a tree in the Welcome comes before one that is handed in, and must be the one that was signed`() throws {
        var bare = try Fleet(seed: 161)
        let own = try bare.keyPackage("bob")
        var plan = CommitPlan([.add(own.package)])
        plan.includesTree = false
        let treeless = try #require(try bare.commit("ann", plan).welcome)
        #expect(throws: MLSError.treeHashMismatch) {
            // Ann of the other group has the same key, so that the signature alone tells nothing.
            try Group.join(treeless, with: own, tree: fleet["ann"].ratchetTree, host: bare.host)
        }
        #expect(throws: MLSError.self) { try Group.join(treeless, with: own, tree: [], host: bare.host) }
        _ = try Group.join(treeless, with: own, tree: bare["ann"].ratchetTree, host: bare.host)
        _ = try Group.join(welcome, with: bob, tree: [1, 2, 3], host: fleet.host)
    }

    @Test mutating func `a Welcome into a tree that has not our leaf`() throws {
        let eve = try fleet.keyPackage("eve")
        let forged = try ForgedWelcome(to: eve, like: fleet["ann"], by: MemberIdentity.fixture("ann").signer)
        #expect(throws: MLSError.noMatchingKeyPackage) { try Group.join(forged.sealed(), with: eve, host: fleet.host) }
    }

    @Test mutating func `authenticated data of handshakes is bound for members and hub, and handed out`() throws {
        fleet.groups["bob"] = try Group.join(welcome, with: bob, host: fleet.host)
        fleet.order.append("bob")
        var hub = try PublicGroup(fleet["ann"].groupInfo(), host: fleet.host)
        var plan = CommitPlan()
        plan.authenticatedData = [0xab, 0xcd, 0xef, 0x01]
        let pending = try fleet["ann"].commit(plan, host: fleet.host, using: &fleet.random)
        #expect(try MLSMessage(pending.message).authenticatedData == plan.authenticatedData)
        let place = try #require(pending.message.indices.first { pending.message[$0...].starts(with: plan.authenticatedData) })
        var bad = pending.message
        bad[place] ^= 1
        #expect(throws: MLSError.invalidMembershipTag) { try fleet["bob"].process(bad, host: fleet.host) }
        #expect(throws: MLSError.invalidSignature("message")) { try hub.process(bad, host: fleet.host) }
        guard case .commit(_, let data) = try hub.process(pending.message, host: fleet.host),
            case .commit(_, let same) = try fleet["bob"].process(pending.message, host: fleet.host)
        else { return }
        #expect(data == plan.authenticatedData && same == data)
    }
}
