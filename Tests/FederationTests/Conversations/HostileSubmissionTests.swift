import Cryptography
import Federation
import Groups
import MLS
import Testing
import Vocabulary

/// Valid submissions with bytes changed: nothing traps, and what is refused changes nothing.
@Suite struct HostileSubmissionTests {
    private struct Case {
        let name: String
        let hub: Hub
        let sender: RosterEntry
        let submission: Submission

        /// Whether what was changed is for members alone to judge: ciphertexts, a Welcome, the membership tag at the end of a handshake.
        func isOnlyForMembers(_ kind: SubmissionKind) -> Bool {
            switch (submission.kind, kind) {
            case (.application, .application): true
            case (.proposal(_, let old), .proposal(_, let new)): isTagAlone(old, new)
            case (.commit(let old), .commit(let new)):
                old.groupInfo == new.groupInfo && (old.commit == new.commit || isTagAlone(old.commit, new.commit))
            default: false
            }
        }

        private func isTagAlone(_ old: [UInt8], _ new: [UInt8]) -> Bool {
            let content = old.count - 33
            return new.count >= content && old.prefix(content) == new.prefix(content)
        }
    }

    private func cases() throws -> [Case] {
        var cases: [Case] = []
        var empty = try Anchorage(homes: [0, 0])
        cases.append(
            Case(
                name: "found", hub: empty.relay.core.orderer, sender: empty.members[0].entry,
                submission: try empty.members[0].found(empty.key)))
        var anchorage = try Anchorage.group([0, 0, 0])
        func add(_ name: String, _ index: Int, _ submission: Submission) {
            cases.append(
                Case(name: name, hub: anchorage.relay.core.orderer, sender: anchorage.members[index].entry, submission: submission))
        }
        add("application", 1, try anchorage.members[1].say("hello", message: 40))
        add("proposal", 2, try anchorage.members[2].leave(message: 41))
        let leaf = try anchorage.members[0].leaf(of: anchorage.members[2].person)
        add("removal", 0, try anchorage.members[0].commit([.remove(leaf)], message: 42))
        let package = try anchorage.sign(person: "late")
        _ = try anchorage.say("x", by: 1)
        add("addition", 0, try anchorage.members[0].commit([.add(package)], message: 43))
        let profile = GroupProfile(kind: .group, name: "other", roles: [anchorage.members[0].person.id: .owner])
        add("renaming", 0, try anchorage.members[0].commit([.groupContextExtensions(profile.groupContext)], message: 44))
        let parcel = try #require(try anchorage.fetch(by: 1))
        let own = try anchorage.members[1].mine.ownLeaf
        add("external", 1, try anchorage.members[1].rejoin(parcel, replacing: own, message: 45))
        return cases
    }

    private func mutated(_ bytes: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        switch Int.random(in: 0..<8, using: &random) {
        case 0: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
        case 1: bytes += (0..<Int.random(in: 1...9, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        case 2 where !bytes.isEmpty:
            let at = Int.random(in: 0..<bytes.count, using: &random)
            bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...40, using: &random)))
        case 3 where !bytes.isEmpty:
            let at = Int.random(in: 0..<bytes.count, using: &random)
            bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 33)], at: at)
        case 4 where !bytes.isEmpty:
            // A length or a count, most likely, near the front.
            bytes[Int.random(in: 0..<min(80, bytes.count), using: &random)] =
                [0, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xff].randomElement(using: &random) ?? 0
        default:
            for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8(1 << Int.random(in: 0..<8, using: &random))
            }
        }
        return bytes
    }

    private func mutated(_ kind: SubmissionKind, using random: inout SeededGenerator) -> SubmissionKind {
        switch kind {
        case .found(let info): return .found(groupInfo: mutated(info, using: &random))
        case .application(let epoch, let payload): return .application(epoch: epoch, payload: mutated(payload, using: &random))
        case .proposal(let epoch, let message): return .proposal(epoch: epoch, message: mutated(message, using: &random))
        case .commit(let bundle):
            var (commit, welcome, info) = (bundle.commit, bundle.welcome, bundle.groupInfo)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: commit = mutated(commit, using: &random)
            case 1: info = mutated(info, using: &random)
            default: if let bytes = welcome { welcome = mutated(bytes, using: &random) } else { commit = mutated(commit, using: &random) }
            }
            return .commit(CommitBundle(epoch: bundle.epoch, commit: commit, welcome: welcome, groupInfo: info))
        case .testimony: return kind
        }
    }

    @Test func `no bytes trap the hub, and a refusal leaves it as it was`() throws {
        var random = SeededGenerator(seed: 2_026)
        for item in try cases() {
            let id = item.submission.conversation
            let host = HubHost(wall: Coast.wall.seconds, upTime: 5, obstacle: nil, refusal: { _ in nil }, isGone: { _ in false })
            var accepted: [SubmissionKind] = []
            for _ in 0..<300 {
                var hub = item.hub
                var writes: [StoreWrite] = []
                let kind = mutated(item.submission.kind, using: &random)
                let submission = Submission(message: item.submission.message, conversation: id, hub: item.submission.hub, kind: kind)
                switch hub.submit(submission, from: item.sender, host: host, writes: &writes) {
                case .refused:
                    #expect(writes.isEmpty)
                    #expect(hub.epoch(of: id) == item.hub.epoch(of: id) && hub.head(of: id) == item.hub.head(of: id))
                    #expect(hub.roster(of: id) == item.hub.roster(of: id))
                case .accepted: if !item.isOnlyForMembers(kind) { accepted.append(kind) }
                case .founded, .repeated: #expect(kind == item.submission.kind)
                }
            }
            #expect(accepted.isEmpty, "\(item.name)")
            var hub = item.hub
            var writes: [StoreWrite] = []
            let whole = hub.submit(item.submission, from: item.sender, host: host, writes: &writes)
            if case .refused(let refusal) = whole { Issue.record("\(item.name): \(refusal)") }
        }
    }
}
