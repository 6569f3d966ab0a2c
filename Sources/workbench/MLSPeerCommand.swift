internal import ArgumentParser
internal import Cryptography
internal import Glibc
internal import MLS
internal import Vocabulary

/// Members of MLS groups behind a line protocol, so that a script can let them meet another implementation.
struct MLSPeerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mls-peer",
        abstract: "Speak MLS with another implementation, over lines on stdin and stdout.",
        discussion: """
            A line in is `NAME VERB [HEX ...]`, a line out `ok [WORD ...]` or `error TEXT`. Bytes are hex, `-` for none.
            identity | keypackage | create ID | join WELCOME [TREE] | external GROUPINFO [LEAF] | add KEYPACKAGE ... |
            remove LEAF | commit | propose-update | propose-remove LEAF | propose-add KEYPACKAGE | merge | drop |
            process MESSAGE | seal DATA [AAD] | groupinfo | tree | export LABEL CONTEXT COUNT | authenticator | leaf NAME | restart
            """)

    @Option(help: "Cipher suite, by number.")
    var suite: UInt16 = 1

    func run() throws {
        var desk = MLSPeerDesk(suite: CipherSuite(rawValue: suite))
        while let line = readLine() {
            do {
                print((["ok"] + (try desk.take(line))).joined(separator: " "))
            } catch {
                print("error \(error)")
            }
            // A pipe is not line-buffered, and the other side waits for the answer.
            fflush(nil)
        }
    }
}

struct MLSPeerDesk {
    enum Trouble: Error { case line, unknownPeer, noGroup, nothingPending, notHex }

    struct Peer {
        let identity: MemberIdentity
        var packages: [OwnKeyPackage] = []
        var group: Group?
        var pending: PendingCommit?
        var store = StoredGroup()
    }

    let suite: CipherSuite
    var peers: [String: Peer] = [:]
    var random = SystemRandom()

    init(suite: CipherSuite) { self.suite = suite }

    private var host: GroupHost {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return GroupHost(now: UInt64(now.tv_sec), refusal: { _ in nil })
    }

    mutating func take(_ line: String) throws -> [String] {
        let words = line.split(separator: " ").map(String.init)
        guard words.count >= 2 else { throw Trouble.line }
        let name = words[0]
        if peers[name] == nil { peers[name] = try newPeer(name) }
        guard var peer = peers[name] else { throw Trouble.unknownPeer }
        defer { peers[name] = peer }
        let answer = try run(words[1], Array(words.dropFirst(2)), &peer)
        // The store is fed by deltas alone, and `restart` reads it: so it is tested along the way.
        if peer.group != nil, let delta = peer.group?.takeChanges() { peer.store.apply(delta) }
        return answer
    }

    private mutating func newPeer(_ name: String) throws -> Peer {
        var seed = random.bytes(32)
        let now = host.now
        return Peer(
            identity: MemberIdentity(
                signer: try SignatureKeyPair(ed25519: Secret(consuming: &seed)), credential: .basic(Array(name.utf8)),
                capabilities: Capabilities(cipherSuites: [1, 3]).greased(using: &random),
                lifetime: Lifetime(notBefore: now - 3600, notAfter: now + 90 * 86_400)))
    }

    private mutating func run(_ verb: String, _ words: [String], _ peer: inout Peer) throws -> [String] {
        switch verb {
        case "identity": return [hex(peer.identity.signer.publicKey)]
        case "keypackage":
            let own = try OwnKeyPackage.make(suite: suite, member: peer.identity, using: &random)
            peer.packages.append(own)
            return [hex(own.published)]
        case "create":
            peer.group = try Group.create(
                id: try bytes(words, 0), suite: suite, member: peer.identity, host: host, using: &random)
        case "join":
            let welcome = try bytes(words, 0)
            let tree = words.count > 1 ? try bytes(words, 1) : nil
            let references = try MLSMessage(welcome).welcomedReferences
            guard let index = peer.packages.firstIndex(where: { references.contains($0.reference) }) else {
                throw MLSError.noMatchingKeyPackage
            }
            peer.group = try Group.join(welcome, with: peer.packages.remove(at: index), tree: tree, host: host)
        case "external":
            let join = try Group.joinExternally(
                try bytes(words, 0), as: peer.identity, replacing: words.count > 1 ? UInt32(words[1]) : nil, host: host,
                using: &random)
            peer.group = join.group
            return [hex(join.message)]
        case "restart": peer.group = try Group(restoring: StoredGroup(blob: peer.store.blob))
        default: return try runInGroup(verb, words, &peer)
        }
        return []
    }

    private mutating func runInGroup(_ verb: String, _ words: [String], _ peer: inout Peer) throws -> [String] {
        guard var group = peer.group else { throw Trouble.noGroup }
        defer { peer.group = group }
        switch verb {
        case "add", "remove", "commit":
            var plan = CommitPlan()
            for index in words.indices {
                plan.proposals.append(
                    verb == "add" ? .add(try KeyPackage.fetched(bytes(words, index), host: host)) : .remove(try leaf(words, index)))
            }
            let pending = try group.commit(plan, host: host, using: &random)
            peer.pending = pending
            return [hex(pending.message), pending.welcome.map(hex) ?? "-"]
        case "propose-update": return [hex(try group.proposeUpdate(host: host, using: &random))]
        case "propose-remove": return [hex(try group.propose(.remove(leaf(words, 0)), host: host, using: &random))]
        case "propose-add":
            let package = try KeyPackage.fetched(bytes(words, 0), host: host)
            return [hex(try group.propose(.add(package), host: host, using: &random))]
        case "merge":
            guard let pending = peer.pending else { throw Trouble.nothingPending }
            try group.merge(pending, host: host)
            peer.pending = nil
        case "drop": peer.pending = nil
        case "process": return describe(try group.process(bytes(words, 0), host: host))
        case "seal":
            return [
                hex(
                    try group.seal(
                        bytes(words, 0), authenticatedData: words.count > 1 ? bytes(words, 1) : [], paddedTo: 32, using: &random))
            ]
        case "groupinfo": return [hex(try group.groupInfo())]
        case "tree": return [hex(group.ratchetTree)]
        case "export":
            guard words.count == 3, let count = Int(words[2]) else { throw Trouble.line }
            let label = String(decoding: try bytes(words, 0), as: UTF8.self)
            return [hex(try group.export(label: label, context: bytes(words, 1), count: count).copyBytes())]
        case "authenticator": return [hex(group.epochAuthenticator)]
        case "epoch": return [String(group.epoch)]
        case "leaf":
            let wanted = Credential.basic(Array((words.first ?? "").utf8))
            guard let member = group.members.first(where: { $0.leaf.credential == wanted }) else { throw Trouble.unknownPeer }
            return [String(member.index)]
        default: throw Trouble.line
        }
        return []
    }

    private func describe(_ received: Received) -> [String] {
        switch received {
        case .application(let message):
            var name = "-"
            if case .basic(let identity) = message.leaf.credential { name = String(decoding: identity, as: UTF8.self) }
            return ["application", name, hex(message.data), hex(message.authenticatedData)]
        case .proposal(_, let proposal, _): return ["proposal", String(proposal.type)]
        case .commit(let summary, _): return ["commit", String(summary.epoch)]
        case .removed: return ["removed"]
        }
    }

    private func hex(_ bytes: [UInt8]) -> String { bytes.isEmpty ? "-" : Hex.encode(bytes) }

    private func bytes(_ words: [String], _ index: Int) throws -> [UInt8] {
        guard index < words.count else { throw Trouble.line }
        if words[index] == "-" { return [] }
        guard let bytes = Hex.decode(words[index]) else { throw Trouble.notHex }
        return bytes
    }

    private func leaf(_ words: [String], _ index: Int) throws -> UInt32 {
        guard index < words.count, let leaf = UInt32(words[index]) else { throw Trouble.line }
        return leaf
    }
}
