import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §12.4.3.1, §11.2 and §11.3: Welcomes of a hostile committer, all of them sealed and signed as honest ones are.
@Suite struct JoinRuleTests {
    var fleet: Fleet
    let bob: OwnKeyPackage
    let welcome: [UInt8]
    let signer: SignatureKeyPair
    let random32 = Secret(Array(repeating: 9, count: 32))

    init() throws {
        fleet = try Fleet(seed: 91)
        bob = try fleet.keyPackage("bob")
        let others = [try fleet.keyPackage("cid"), try fleet.keyPackage("dan")]
        welcome = try #require(
            try fleet.commit("ann", CommitPlan([.add(bob.package)] + others.map { .add($0.package) })).welcome)
        fleet.groups["cid"] = try Group.join(welcome, with: others[0], host: fleet.host)
        signer = try MemberIdentity.fixture("ann").signer
    }

    func expect(_ error: MLSError, _ welcome: [UInt8], former: Group? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(throws: error, sourceLocation: sourceLocation) {
            try Group.join(welcome, with: bob, former: former, host: fleet.host)
        }
    }

    func resumption(_ usage: PreSharedKeyID.Usage, of group: Group, epoch: UInt64? = nil) throws -> (id: PreSharedKeyID, key: Secret) {
        let kind = PreSharedKeyID.Kind.resumption(usage, group: group.id, epoch: epoch ?? group.epoch)
        return (
            PreSharedKeyID(kind, nonce: Array(repeating: 1, count: 32)),
            try #require(group.resumptionSecret(epoch: epoch ?? group.epoch))
        )
    }

    func former(suite: CipherSuite = .x25519ChaCha20Poly1305) throws -> Group {
        var old = try Fleet(seed: 92, suite: suite)
        try old.add(["bob", "cid", "dan"], by: "ann")
        return old["bob"]
    }

    @Test func `what is forged here is taken when it breaks no rule`() throws {
        let forged = try ForgedWelcome(to: bob, like: fleet["ann"], by: signer)
        #expect(try Group.join(forged.sealed(), with: bob, host: fleet.host).ownLeaf == 1)
        #expect(try Group.join(ForgedWelcome(opening: welcome, by: bob).sealed(), with: bob, host: fleet.host).ownLeaf == 1)
        let former = try former()
        let linked = try ForgedWelcome(
            to: bob, like: fleet["ann"], by: signer, epoch: 1, keys: [resumption(.branch, of: former)])
        _ = try Group.join(linked.sealed(), with: bob, former: former, host: fleet.host)
    }

    @Test func `the GroupInfo of a Welcome is of the Welcome's suite`() throws {
        let forged = try ForgedWelcome(to: bob, like: fleet["ann"], by: signer, suite: .x25519AES128GCM)
        try expect(.invalidGroupInfo(.cipherSuite), forged.sealed())
    }

    @Test func `the GroupInfo of a Welcome is signed by its signer, and its confirmation tag holds`() throws {
        let stranger = try MemberIdentity.fixture("eve").signer
        try expect(.invalidGroupInfo(.signature), ForgedWelcome(to: bob, like: fleet["ann"], by: stranger).sealed())
        for tag: [UInt8] in [[], Array(repeating: 0, count: 32)] {
            try expect(.invalidConfirmationTag, ForgedWelcome(to: bob, like: fleet["ann"], by: signer, tag: tag).sealed())
        }
    }

    @Test func `a joiner supports every extension of the group`() throws {
        let forged = try ForgedWelcome(
            to: bob, like: fleet["ann"], by: signer, extensions: [MLSExtension(type: 0xf123, data: [])])
        try expect(.invalidLeaf(.requiredExtension(0xf123)), forged.sealed())
    }

    @Test func `a joiner secret that does not open the GroupInfo`() throws {
        let forged = try ForgedWelcome(opening: welcome, by: bob)
        try expect(.decryptionFailed("group info"), forged.sealed(joiner: random32, pathSecret: forged.secrets.pathSecret))
    }

    @Test func `the path secret of a Welcome gives the keys of the tree`() throws {
        let forged = try ForgedWelcome(opening: welcome, by: bob)
        for secret in [random32, Secret([1]), Secret([])] {
            try expect(.invalidGroupInfo(.pathSecretMismatch), forged.sealed(pathSecret: secret))
        }
    }

    @Test func `who was welcomed without its path secret refuses the commit that needs it`() throws {
        var robbed = try Group.join(
            ForgedWelcome(opening: welcome, by: bob).sealed(pathSecret: nil), with: bob, host: fleet.host)
        let before = robbed
        var fleet = fleet
        let commit = try fleet["cid"].commit(host: fleet.host, using: &fleet.random)
        #expect(throws: MLSError.invalidPath(.noSecretForUs)) { try robbed.process(commit.message, host: fleet.host) }
        #expect(robbed == before)
    }

    @Test func `pre-shared keys of a Welcome: nonce, presence, one resumption at most`() throws {
        let forged = try ForgedWelcome(opening: welcome, by: bob)
        func sealed(_ keys: [PreSharedKeyID]) throws -> [UInt8] {
            try forged.sealed(pathSecret: forged.secrets.pathSecret, keys: keys)
        }
        let nonce = [UInt8](repeating: 1, count: 32)
        try expect(.invalidProposals(.preSharedKeyNonce), sealed([PreSharedKeyID(.external([1]), nonce: [1])]))
        try expect(.missingPreSharedKey, sealed([PreSharedKeyID(.external([1]), nonce: nonce)]))
        let (branch, reInit) = (
            PreSharedKeyID(.resumption(.branch, group: [1], epoch: 1), nonce: nonce),
            PreSharedKeyID(.resumption(.reInit, group: [1], epoch: 1), nonce: nonce)
        )
        try expect(.invalidGroupInfo(.resumptionMixed), sealed([branch, reInit]))
        try expect(.invalidGroupInfo(.resumptionMixed), sealed([branch, branch]))
    }

    @Test func `a successor or branch begins with epoch 1`() throws {
        let former = try former()
        let forged = try ForgedWelcome(
            to: bob, like: fleet["ann"], by: signer, epoch: 2, keys: [resumption(.branch, of: former)])
        try expect(.invalidGroupInfo(.resumptionEpoch), forged.sealed(), former: former)
    }

    @Test func `a branch has the suite of its group`() throws {
        let former = try former(suite: .x25519AES128GCM)
        let forged = try ForgedWelcome(
            to: bob, like: fleet["ann"], by: signer, epoch: 1, keys: [resumption(.branch, of: former)])
        try expect(.invalidGroupInfo(.branchMismatch), forged.sealed(), former: former)
    }

    @Test func `a successor is of a group that ended by ReInit, and is what that said`() throws {
        let former = try former()
        let early = try ForgedWelcome(
            to: bob, like: fleet["ann"], by: signer, epoch: 1, keys: [resumption(.reInit, of: former)])
        try expect(.invalidGroupInfo(.reInitMismatch), early.sealed(), former: former)
        for (plan, error): (ReInit, MLSError?) in [
            (ReInit(groupID: [1], cipherSuite: .x25519ChaCha20Poly1305), .invalidGroupInfo(.reInitMismatch)),
            (ReInit(groupID: fleet["ann"].id, cipherSuite: .x25519AES128GCM), .invalidGroupInfo(.reInitMismatch)),
            (
                ReInit(groupID: fleet["ann"].id, version: 2, cipherSuite: .x25519ChaCha20Poly1305),
                .invalidGroupInfo(.reInitMismatch)
            ),
            (
                ReInit(groupID: fleet["ann"].id, cipherSuite: .x25519ChaCha20Poly1305, extensions: [.externalSenders([])]),
                .invalidGroupInfo(.reInitMismatch)
            ),
            (ReInit(groupID: fleet["ann"].id, cipherSuite: .x25519ChaCha20Poly1305), nil),
        ] {
            var old = try Fleet(seed: 92)
            try old.add(["bob", "cid", "dan"], by: "ann")
            try old.commit("ann", CommitPlan([.reInit(plan)]))
            let forged = try ForgedWelcome(
                to: bob, like: fleet["ann"], by: signer, epoch: 1, keys: [resumption(.reInit, of: old["bob"])])
            if let error {
                try expect(error, forged.sealed(), former: old["bob"])
            } else {
                _ = try Group.join(forged.sealed(), with: bob, former: old["bob"], host: fleet.host)
            }
        }
    }

    @Test func `a successor has every member of the group that ended`() throws {
        var old = try Fleet(seed: 92)
        try old.add(["bob", "cid", "dan", "eve"], by: "ann")
        try old.commit("ann", CommitPlan([.reInit(ReInit(groupID: fleet["ann"].id, cipherSuite: .x25519ChaCha20Poly1305))]))
        let forged = try ForgedWelcome(
            to: bob, like: fleet["ann"], by: signer, epoch: 1, keys: [resumption(.reInit, of: old["bob"])])
        try expect(.invalidGroupInfo(.members), forged.sealed(), former: old["bob"])
    }
}
