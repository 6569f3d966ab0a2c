import ClientCore
import Foundation
import MLS
import Testing
import Vocabulary

extension EndToEnd {
    /// Whoever was removed and goes on listening: with the disk, its key, and all that came over the network.
    @Suite struct RemovedMember {
        /// A member's profile at some moment, and the secrets of its group then.
        private struct Moment {
            let profile: OpenedProfile
            let secrets: GroupSecrets
            let group: MLS.Group

            init(_ user: User, _ id: String) throws {
                profile = try OpenedProfile(of: user, groups: [id])
                let records = try #require(profile.groups[id], "\(user.handle) has no state of the group")
                secrets = try GroupSecrets(records)
                group = try MLS.Group(restoring: StoredGroup(records: records))
            }
        }

        private static func finds(_ canaries: [Canary], in bytes: [UInt8]) -> Set<String> {
            Set(canaries.filter { !$0.finds(in: bytes).isEmpty }.map(\.name))
        }

        private static func opens(_ message: [UInt8], with group: MLS.Group) -> Bool {
            var group = group
            let host = GroupHost(now: UInt64(Date().timeIntervalSince1970), refusal: { _ in nil })
            guard case .application? = try? group.process(message, host: host) else { return false }
            return true
        }

        /// Written while the hub is down, so that what goes over the network can be read from the outbox first.
        private static func seal(_ text: String, by user: User, in group: Group, hub: Node) throws -> [UInt8] {
            hub.crash()
            #expect(try group.send(text, by: user, timeout: "1s").code == 75)
            let waiting = try OpenedProfile(of: user, groups: []).rows(.outbox).map { try OutboxItem(decoding: $0) }
            let sealed = waiting.compactMap { item -> [UInt8]? in
                guard case .text(text, _) = item.body, case .application(_, let bytes)? = item.submission?.kind else { return nil }
                return bytes
            }
            try hub.start()
            try #require(sealed.count == 1)
            try eventually("it goes out") {
                _ = try user.receive()
                return try user.command(["outbox", "--json"]).json.isEmpty
            }
            return sealed[0]
        }

        @Test func `who was removed has nothing of later epochs, on disk or from the network, and nothing that opens them`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob, carol) = (try User("alice", at: harbor), try User("bob", at: tower), try User("carol", at: tower))
                for user in [bob, carol] { try user.expect(alice) }
                try tower.stop()
                try tower.startRecording([bob, carol])
                let group = try Group("crew", by: alice, with: [bob, carol])
                for user in [bob, carol] { _ = try user.receive() }
                let early = try [alice, bob, carol].map { user in
                    let text = "said early by \(user.handle)"
                    try group.deliver(text, by: user)
                    return Canary(text, text: text)
                }
                for user in [alice, bob, carol] { _ = try user.receive() }
                let earlySealed = try Self.seal("sealed early", by: alice, in: group, hub: harbor)
                let before = try [alice, bob, carol].map { try Moment($0, group.id) }
                let last = before.map(\.secrets.epoch).max() ?? 0
                #expect(before.allSatisfy { $0.secrets.epoch == last })
                let follower = try bob.follow()
                try eventually("bob has what was said before") { follower.texts.contains("sealed early") }

                try group.change("remove", by: alice, [bob.address])
                try eventually("bob knows") { follower.ofType("membership").contains { $0.text("change") == "removed" } }
                _ = try carol.receive()
                var moments = try [alice, carol].map { try Moment($0, group.id) }
                var sealed = [try Self.seal("said later by alice", by: alice, in: group, hub: harbor)]
                try group.change("rename", by: alice, ["the others"])
                _ = try carol.receive()
                moments += try [alice, carol].map { try Moment($0, group.id) }
                sealed.append(try Self.seal("said last by alice", by: alice, in: group, hub: harbor))
                try group.deliver("said later by carol", by: carol)
                for user in [alice, carol] { _ = try user.receive() }
                moments += try [alice, carol].map { try Moment($0, group.id) }
                // Of later than all that: so bob has heard whatever there was for him.
                try bob.expect(alice)
                try alice.deliver("for bob alone", to: bob, wait: "accepted")
                try eventually("bob goes on listening") { follower.texts.contains("for bob alone") }
                follower.signal(SIGTERM)
                _ = try follower.waitForExit()

                let secrets = Set(moments.flatMap(\.secrets.all)).filter { $0.epoch > last }
                #expect(Set(secrets.map(\.epoch)).count >= 2)
                let later = secrets.map { Canary("\($0.name) of epoch \($0.epoch): \(Hex.encode($0.bytes.prefix(4)))", $0.bytes) }
                let texts = ["said later by alice", "said last by alice", "said later by carol", "the others"].map { Canary($0, text: $0) }
                // The middle of what was encrypted: what is around it could be elsewhere too.
                let bodies = sealed.enumerated().map { Canary("body \($0)", Array($1.suffix(160).prefix(128))) }

                // What is looked for is found where it may be: the secrets that all members share with another one, the rest with its owner.
                let common: Set = ["sender data", "exporter", "external", "membership", "resumption", "authenticator", "init"]
                for index in [0, 2, 4] {
                    let of = moments[index].secrets
                    let canaries = of.all.filter { $0.epoch == of.epoch && common.contains($0.name) }.map { Canary($0.name, $0.bytes) }
                    let found = Self.finds(canaries, in: moments[index + 1].profile.bytes)
                    #expect(of.epoch > last && found == common, "carol at moment \(index)")
                }
                #expect(Set(secrets.map(\.name)).isSuperset(of: ["secret tree", "ratchet", "node key"]))
                let all = moments.flatMap(\.profile.bytes)
                #expect(Self.finds(later, in: all).count == later.count)
                #expect(Self.finds(texts, in: moments[5].profile.bytes).count == texts.count, "carol's profile")
                #expect(Self.finds(bodies, in: try tower.told(to: carol).flatMap { $0 }).count == bodies.count, "what carol was told")
                // And bob's is opened as theirs are: what was his is in it.
                let shared = before[0].secrets.all.filter { ["sender data", "exporter", "init"].contains($0.name) && $0.epoch == last }
                #expect(Self.finds(shared.map { Canary($0.name, $0.bytes) }, in: before[1].profile.bytes).count == 3)

                let now = try OpenedProfile(of: bob, groups: [group.id])
                let heard = try tower.told(to: bob).flatMap { $0 }
                #expect(Self.finds(early + [Canary("for bob alone", text: "for bob alone")], in: now.bytes).count == early.count + 1)
                #expect(Self.finds([Canary("body", Array(earlySealed.suffix(160).prefix(128)))], in: heard).count == 1)
                #expect(Self.finds(later + texts + bodies, in: now.bytes) == [], "bob's profile")
                #expect(Self.finds(later + texts + bodies, in: heard) == [], "what bob was told")

                // Had he kept everything that he had before he was removed, and were given what the others say.
                #expect(Self.opens(earlySealed, with: before[1].group))
                #expect(Self.opens(sealed[0], with: moments[1].group) && Self.opens(sealed[1], with: moments[3].group))
                for message in sealed { #expect(!Self.opens(message, with: before[1].group)) }
                let kept = try #require(now.groups[group.id])
                #expect(try GroupSecrets(kept).all.allSatisfy { $0.epoch <= last })
                #expect(try !MLS.Group(restoring: StoredGroup(records: kept)).isActive)
            }
        }
    }
}
