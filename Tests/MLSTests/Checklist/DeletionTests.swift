import Cryptography
import MLS
import Testing
import Vocabulary

/// RFC 9420 §9.2, §8, §7.4: what must be gone is not in the store. Secrets are worked out aside, by one who may know them all, and looked for
/// in what the members wrote.
@Suite struct DeletionTests {
    let suite = CipherSuite.x25519ChaCha20Poly1305.implementation!
    var fleet: Fleet
    var stores: [String: StoredGroup] = [:]
    /// Dan, who has just been added by a commit with a path, and what its Welcome tells.
    let dan: OwnKeyPackage
    let welcome: ForgedWelcome
    let epoch: EpochSecrets

    init() throws {
        fleet = try Fleet(seed: 150)
        try fleet.add(["bob", "cid"], by: "ann")
        for name in fleet.order { try fleet.commit(name) }
        dan = try fleet.keyPackage("dan")
        let pending = try fleet.commit("ann", CommitPlan([.add(dan.package)]))
        fleet.groups["dan"] = try Group.join(pending.welcome ?? [], with: dan, host: fleet.host)
        fleet.order.append("dan")
        welcome = try ForgedWelcome(opening: pending.welcome ?? [], by: dan)
        let joiner = JoinerSecrets(joiner: welcome.secrets.joinerSecret, pskSecret: suite.zeros, suite)
        epoch = joiner.epoch(context: fleet["ann"].context.encoded, suite)
        store()
    }

    mutating func store() {
        for name in fleet.order { stores[name, default: StoredGroup()].apply(fleet[name].takeChanges()) }
    }

    func holders(of secret: Secret) -> [String] { fleet.order.filter { Self.contains(stores[$0]?.blob ?? [], secret) } }

    static func contains(_ bytes: [UInt8], _ secret: Secret) -> Bool {
        let sought = secret.copyBytes()
        guard let first = sought.first, bytes.count >= sought.count else { return false }
        return (0...bytes.count - sought.count).contains { bytes[$0] == first && bytes[$0..<$0 + sought.count].elementsEqual(sought) }
    }

    @Test func `what is looked for here is found while it may be there`() {
        for secret in [epoch.exporter, epoch.initial, epoch.senderData, epoch.encryption] {
            #expect(holders(of: secret) == ["ann", "bob", "cid", "dan"])
        }
        #expect(holders(of: dan.leafKey.secret) == ["dan"])
    }

    @Test func `joiner, welcome, epoch, commit and path secrets and the confirmation key are gone after the commit`() throws {
        let joiner = welcome.secrets.joinerSecret
        let member = suite.extract(salt: joiner, material: suite.zeros)
        var gone = [
            joiner, member, suite.derive(member, "welcome"), epoch.confirmation,
            suite.expand(member, label: "epoch", context: fleet["ann"].context.encoded, count: 32),
        ]
        // From dan's and ann's common ancestor up: path secrets, node secrets, and in the end the commit secret.
        var path = try #require(welcome.secrets.pathSecret)
        for _ in 0..<3 {
            gone += [path, suite.derive(path, "node")]
            path = suite.derive(path, "path")
        }
        for secret in gone { #expect(holders(of: secret) == []) }
    }

    @Test mutating func `an epoch's secrets are gone with it, but for what late messages need`() throws {
        try fleet.commit("bob")
        store()
        for secret in [
            epoch.initial, epoch.exporter, epoch.external, epoch.membership, epoch.authenticator,
            try epoch.externalKey(suite).secret,
        ] {
            #expect(holders(of: secret) == [])
        }
        #expect(holders(of: epoch.senderData) == ["ann", "bob", "cid", "dan"])
        for _ in 0..<GroupHost.Bounds().pastEpochs { try fleet.commit("cid") }
        store()
        #expect(holders(of: epoch.senderData) == [] && holders(of: epoch.encryption) == [])
        // Its resumption PSK has a bound of its own.
        #expect(holders(of: epoch.resumption).count == 4)
        fleet.host.bounds.resumptionEpochs = 1
        try fleet.commit("ann")
        for name in fleet.order { fleet[name].forget(host: fleet.host) }
        store()
        #expect(holders(of: epoch.resumption) == [])
    }

    @Test mutating func `a past epoch is gone from the store when its time is over`() throws {
        try fleet.commit("bob")
        store()
        #expect(holders(of: epoch.senderData).count == 4)
        let late = GroupHost.fixture(now: noon + GroupHost.Bounds().pastEpochSeconds + 1)
        for name in fleet.order { fleet[name].forget(host: late) }
        store()
        #expect(holders(of: epoch.senderData) == [] && holders(of: epoch.encryption) == [])
    }

    @Test func `an init key is in no group's state`() {
        #expect(holders(of: dan.initKey.secret) == [])
        #expect(Self.contains(dan.stored, dan.initKey.secret))
    }

    @Test mutating func `replaced leaf and node keys are gone`() throws {
        // The key of the node above dan and cid is ann's gift to dan; dan's own commit replaces that and its leaf's.
        let node = suite.derive(try #require(welcome.secrets.pathSecret), "node")
        let above = try suite.deriveKeyPair(from: node).secret
        #expect(holders(of: above).contains("dan"))
        try fleet.commit("dan")
        store()
        #expect(holders(of: dan.leafKey.secret) == [] && holders(of: above) == [])
        let update = try fleet.proposeUpdate("dan")
        try fleet.deliver(update, except: "dan")
        let before = fleet["dan"]
        try fleet.commit("ann")
        store()
        #expect(fleet["dan"].member(3)?.encryptionKey != before.member(3)?.encryptionKey)
        #expect(fleet.agrees)
    }

    @Test mutating func `used message keys and the secrets they came from are gone, for sender and receiver`() throws {
        var tree = SecretTree(leafCount: fleet["ann"].tree.leafCount, encryptionSecret: epoch.encryption)
        let place = SecretTree.Place(leaf: 0, kind: .application)
        _ = try tree.opening(place, generation: 0, window: 1, suite)
        let (_, first) = try tree.next(place, suite)
        let after = try #require(tree.ratchets[place]?.secret)
        let (_, second) = try tree.next(place, suite)
        let sealed = try (0..<2).map { try fleet.seal("ann", [UInt8($0)]) }
        store()
        #expect(holders(of: epoch.encryption) == ["bob", "cid", "dan"])
        // The second comes first: the first one's key waits, what it came from is gone.
        try fleet.deliver(sealed[1], except: "ann")
        store()
        #expect(holders(of: epoch.encryption) == [])
        #expect(holders(of: first.key) == ["bob", "cid", "dan"])
        #expect(holders(of: second.key) == [] && holders(of: after) == [])
        try fleet.deliver(sealed[0], except: "ann")
        store()
        #expect(holders(of: first.key) == [])
    }

    @Test mutating func `who is removed keeps no secret of the group`() throws {
        var dan = fleet["dan"]
        var kept = stores["dan"] ?? StoredGroup()
        let pending = try fleet["ann"].commit(CommitPlan([.remove(3)]), host: fleet.host, using: &fleet.random)
        _ = try dan.process(pending.message, host: fleet.host)
        kept.apply(dan.takeChanges())
        for secret in [
            epoch.initial, epoch.exporter, epoch.external, epoch.membership, epoch.authenticator, epoch.senderData, epoch.encryption,
            epoch.resumption, self.dan.leafKey.secret,
        ] {
            #expect(!Self.contains(kept.blob, secret))
        }
    }

    @Test func `a secret that takes bytes over leaves zeros, and wiping leaves zeros`() {
        var bytes: [UInt8] = [1, 2, 3]
        let secret = Secret(consuming: &bytes)
        #expect(bytes == [0, 0, 0] && secret.copyBytes() == [1, 2, 3])
        var copy = secret.copyBytes()
        wipe(&copy)
        #expect(copy == [0, 0, 0])
        #expect("\(secret) \(String(reflecting: [secret]))" == "Secret(3 bytes) [Secret(3 bytes)]")
    }
}
