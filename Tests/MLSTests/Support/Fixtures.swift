import Cryptography
import MLS
import Vocabulary

/// Seconds at which all tests begin.
let noon: UInt64 = 1_800_000_000

extension GroupHost {
    /// Trusts everybody whose basic identity does not begin with "evil".
    static func fixture(
        now: UInt64 = noon, psks: [[UInt8]: Secret] = [:], known: Set<[UInt8]> = [], bounds: Bounds = Bounds()
    ) -> GroupHost {
        GroupHost(
            now: now,
            refusal: { claim in
                guard case .basic(let name) = claim.credential else { return "no basic credential" }
                return name.starts(with: "evil".utf8) ? "evil" : nil
            },
            preSharedKey: { kind in if case .external(let id) = kind { psks[id] } else { nil } },
            knows: { known.contains($0) }, bounds: bounds)
    }
}

extension MemberIdentity {
    static func fixture(
        _ name: String, seed: UInt64 = 0, capabilities: Capabilities = Capabilities(), extensions: [MLSExtension] = [],
        lifetime: Lifetime = Lifetime(notBefore: noon - 3600, notAfter: noon + 90 * 86_400)
    ) throws -> MemberIdentity {
        var bytes = Hash.blake2b(Array(name.utf8) + [UInt8(truncatingIfNeeded: seed)]).bytes
        return MemberIdentity(
            signer: try SignatureKeyPair(ed25519: Secret(consuming: &bytes)), credential: .basic(Array(name.utf8)),
            capabilities: capabilities, extensions: extensions, lifetime: lifetime)
    }
}

/// Groups that all hear everything.
struct Fleet {
    var random: SeededGenerator
    var host = GroupHost.fixture()
    let suite: CipherSuite
    /// By name; `order` for determinism.
    var groups: [String: Group] = [:]
    var order: [String] = []

    init(seed: UInt64 = 1, suite: CipherSuite = .x25519ChaCha20Poly1305, creator: String = "ann", extensions: [MLSExtension] = []) throws {
        random = SeededGenerator(seed: seed)
        self.suite = suite
        groups[creator] = try Group.create(
            id: Array("group \(seed)".utf8), suite: suite, member: .fixture(creator), extensions: extensions, host: host,
            using: &random)
        order = [creator]
    }

    subscript(name: String) -> Group {
        get { groups[name]! }
        set { groups[name] = newValue }
    }

    mutating func keyPackage(_ name: String) throws -> OwnKeyPackage {
        try OwnKeyPackage.make(suite: suite, member: .fixture(name), using: &random)
    }

    mutating func seal(
        _ name: String, _ data: [UInt8], authenticatedData: [UInt8] = [], paddedTo multiple: Int = 1
    ) throws -> [UInt8] {
        try groups[name]!.seal(data, authenticatedData: authenticatedData, paddedTo: multiple, using: &random)
    }

    mutating func propose(_ name: String, _ proposal: Proposal, isPrivate: Bool = false) throws -> [UInt8] {
        try groups[name]!.propose(proposal, isPrivate: isPrivate, host: host, using: &random)
    }

    mutating func proposeUpdate(_ name: String, isPrivate: Bool = false) throws -> [UInt8] {
        try groups[name]!.proposeUpdate(isPrivate: isPrivate, host: host, using: &random)
    }

    mutating func commitPrivately(_ name: String) throws -> PendingCommit {
        try groups[name]!.commitPrivately(host: host, using: &random)
    }

    /// Everybody else processes; those who are removed leave the fleet.
    mutating func deliver(_ message: [UInt8], except sender: String? = nil) throws {
        for name in order where name != sender {
            if case .removed = try groups[name]!.process(message, host: host) { groups[name] = nil }
        }
        order.removeAll { groups[$0] == nil }
    }

    @discardableResult
    mutating func commit(_ sender: String, _ plan: CommitPlan = CommitPlan()) throws -> PendingCommit {
        let pending = try self[sender].commit(plan, host: host, using: &random)
        try deliver(pending.message, except: sender)
        try self[sender].merge(pending, host: host)
        return pending
    }

    mutating func add(_ names: [String], by sender: String, refreshesPath: Bool = true, joining: [String]? = nil) throws {
        let packages = try names.map { try keyPackage($0) }
        var plan = CommitPlan(packages.map { .add($0.package) })
        plan.refreshesPath = refreshesPath
        let pending = try commit(sender, plan)
        for (name, own) in zip(names, packages) where joining?.contains(name) ?? true {
            groups[name] = try Group.join(pending.welcome!, with: own, host: host)
            order.append(name)
        }
    }

    mutating func remove(_ name: String, by sender: String) throws {
        try commit(sender, CommitPlan([.remove(self[name].ownLeaf)]))
    }

    mutating func rejoin(_ name: String, through helper: String, replacing old: UInt32? = nil) throws {
        let info = try self[helper].groupInfo()
        let join = try Group.joinExternally(
            info, as: .fixture(name), replacing: old, host: host, using: &random)
        try deliver(join.message)
        groups[name] = join.group
        if !order.contains(name) { order.append(name) }
    }

    /// What everybody must have in common.
    var agrees: Bool {
        let first = self[order[0]]
        return order.allSatisfy { name in
            let group = self[name]
            return group.epochAuthenticator == first.epochAuthenticator && group.ratchetTree == first.ratchetTree
                && group.context == first.context
                && (try? group.export(label: "x", count: 32)) == (try? first.export(label: "x", count: 32))
        }
    }
}
