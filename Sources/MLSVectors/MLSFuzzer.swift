internal import Cryptography
internal import MLS
internal import Vocabulary

/// Mutates what groups send and feeds it to a member, a hub and a joiner: refused or understood, never a trap. Half of the inputs are
/// mutated as they travel, half before they are signed, as a hostile member could. One seed is one run.
public struct MLSFuzzer: Sendable {
    private var random: SeededGenerator
    private let host = GroupHost(now: 1_800_000_000, refusal: { _ in nil })
    private let (ann, bob): (Group, Group)
    private let hub: PublicGroup
    private let newcomer: OwnKeyPackage
    private var messages: [[UInt8]] = []
    private var commits: [[UInt8]] = []
    private var proposals: [[UInt8]] = []
    private let tree: [UInt8]
    private let stored: [UInt8]
    /// How many inputs got past decoding, and how many of them were taken.
    public private(set) var (decoded, taken) = (0, 0)

    public init(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let host = host
        func member(_ name: String) throws -> MemberIdentity {
            var bytes = Hash.blake2b(Array(name.utf8)).bytes
            return MemberIdentity(
                signer: try SignatureKeyPair(ed25519: Secret(consuming: &bytes)), credential: .basic(Array(name.utf8)),
                lifetime: Lifetime(notBefore: host.now - 60, notAfter: host.now + 60))
        }
        var group = try Group.create(id: [1, 2, 3], member: member("ann"), host: host, using: &random)
        let packages = try ["bob", "cid", "dan", "eve", "fay"].map { try OwnKeyPackage.make(member: member($0), using: &random) }
        let adding = try group.commit(CommitPlan(packages.map { .add($0.package) }), host: host, using: &random)
        try group.merge(adding, host: host)
        var joined = try packages.map { try Group.join(adding.welcome ?? [], with: $0, host: host) }
        // Everybody commits once, then one more comes without a path: a tree of full, blank and unmerged nodes.
        for index in joined.indices where index != 2 {
            let commit = try joined[index].commit(host: host, using: &random)
            try joined[index].merge(commit, host: host)
            for other in joined.indices where other != index { _ = try joined[other].process(commit.message, host: host) }
            _ = try group.process(commit.message, host: host)
        }
        (ann, bob, newcomer) = (group, joined[0], try OwnKeyPackage.make(member: member("gil"), using: &random))
        hub = try PublicGroup(ann.groupInfo(), host: host)
        tree = ann.ratchetTree
        var store = StoredGroup()
        store.apply(ann.stored)
        stored = store.blob
        var sender = ann
        messages.append(try sender.seal(Array(repeating: 7, count: 50), using: &random))
        messages += [newcomer.published, try ann.groupInfo()]
        let join = try Group.joinExternally(ann.groupInfo(), as: member("hal"), host: host, using: &random)
        messages.append(join.message)
        for proposals: [Proposal] in [[], [.add(newcomer.package), .remove(3)], [.groupContextExtensions([])]] {
            let pending = try ann.commit(CommitPlan(proposals), host: host, using: &random)
            messages += [pending.message] + (pending.welcome.map { [$0] } ?? [])
            if case .publicMessage(let message) = try MLSMessage(pending.message).body,
                case .commit(let commit) = message.content.body
            {
                commits.append(commit.encoded)
            }
        }
        let update = try sender.proposeUpdate(host: host, using: &random)
        messages.append(update)
        if case .publicMessage(let message) = try MLSMessage(update).body, case .proposal(let proposal) = message.content.body {
            proposals.append(proposal.encoded)
        }
        proposals += [
            Proposal.add(newcomer.package).encoded, Proposal.remove(1).encoded,
            Proposal.reInit(ReInit(groupID: [1], cipherSuite: .x25519AES128GCM)).encoded,
            Proposal.groupContextExtensions([.requiring(RequiredCapabilities(extensions: [7]))]).encoded,
            Proposal.preSharedKey(PreSharedKeyID(.external([1]), nonce: Array(repeating: 1, count: 32))).encoded,
        ]
        self.random = random
    }

    public mutating func run(_ count: Int) {
        for _ in 0..<count {
            switch Int.random(in: 0..<16, using: &random) {
            case 0..<8: take(mutated(pick(messages)), as: .message)
            case 8..<11: take(mutated(pick(commits)), as: .commit)
            case 11..<13: take(mutated(pick(proposals)), as: .proposal)
            case 13..<15: take(mutated(tree), as: .tree)
            default: take(mutated(stored), as: .store)
            }
        }
    }

    /// How bytes come to the group: as they are, or signed by a member who means ill.
    public enum Way: UInt8, CaseIterable, Sendable { case message, commit, proposal, tree, store }

    /// What a run begins with: one honest input, with its way in.
    public var seeds: [(way: Way, bytes: [UInt8])] {
        messages.map { (.message, $0) } + commits.map { (.commit, $0) } + proposals.map { (.proposal, $0) } + [
            (.tree, tree), (.store, stored),
        ]
    }

    /// One input, from `run` or from a fuzzer that watches which branches it takes.
    public mutating func take(_ bytes: [UInt8], as way: Way) {
        switch way {
        case .message: feed(bytes)
        case .commit:
            if let commit = try? Commit(exactly: bytes), let forged = try? ann.forged(.commit(commit)) { feed(forged) }
        case .proposal:
            if let proposal = try? Proposal(exactly: bytes), let forged = try? ann.forged(.proposal(proposal)) { feed(forged) }
        case .tree: if let tree = try? RatchetTree(exactly: bytes), let info = try? ann.forgedInfo(tree) { feed(info) }
        case .store: if let store = try? StoredGroup(blob: bytes) { _ = try? Group(restoring: store) }
        }
    }

    private mutating func feed(_ bytes: [UInt8]) {
        guard let message = try? MLSMessage(bytes) else { return }
        decoded += 1
        precondition(message.bytes == bytes, "what was read is not what is written: \(Hex.encode(bytes))")
        var (member, hub) = (bob, hub)
        var isTaken = (try? member.process(message, host: host)) != nil
        isTaken = (try? hub.process(bytes, host: host)) != nil || isTaken
        switch message.kind {
        case .welcome: isTaken = (try? Group.join(bytes, with: newcomer, host: host)) != nil
        case .groupInfo: isTaken = (try? PublicGroup(bytes, host: host)) != nil
        case .keyPackage: isTaken = (try? KeyPackage.fetched(bytes, host: host)) != nil
        case .application, .proposal, .commit: break
        }
        if isTaken, !member.pendingProposals.isEmpty { _ = try? member.commit(host: host, using: &random) }
        taken += isTaken ? 1 : 0
    }

    private mutating func pick(_ list: [[UInt8]]) -> [UInt8] { list.randomElement(using: &random) ?? [] }

    /// Bits flipped, bytes set, pieces dropped, doubled or cut off.
    private mutating func mutated(_ original: [UInt8]) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            let end = min(bytes.count, index + Int.random(in: 1...16, using: &random))
            switch Int.random(in: 0..<8, using: &random) {
            case 0...2: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 3: bytes[index] = UInt8.random(in: 0...255, using: &random)
            case 4: bytes.removeSubrange(index..<end)
            case 5: bytes.insert(contentsOf: bytes[index..<end], at: index)
            case 6: bytes.removeLast(bytes.count - index)
            default: bytes[index] = [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff].randomElement(using: &random) ?? 0
            }
        }
        return bytes
    }
}
