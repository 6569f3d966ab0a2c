import Glibc
import Testing

extension EndToEnd {
    /// The real shell and the real core of a node, but for what is said to the devices of some users; and users who know nothing of it.
    @Suite struct LyingNode {
        /// What the lie is about.
        enum Matter: Sendable { case message, commit }

        /// When it must be named: by what it consists of, or by the next message after it.
        enum Proof: Sendable { case itself, nextMessage, ownMessage }

        @Test(arguments: [
            ("drop", Matter.message, Proof.nextMessage, "forkedHistory"), ("swap", .message, .nextMessage, "forkedHistory"),
            ("repeat", .message, .itself, "repeated"), ("altered", .message, .itself, "chainBroken"),
            ("gap", .message, .nextMessage, "gap"), ("foreignSender", .message, .itself, "foreignSender"),
            ("ghost", .message, .itself, "forbiddenChange"),
            // A commit is withheld: as if there were none, so that its number is missing, and with all that comes after it.
            ("drop", .commit, .nextMessage, "forkedHistory"), ("gap", .commit, .nextMessage, "gap"),
            ("silence", .commit, .ownMessage, "gap"),
        ])
        func `a hub that lies to a member is named at the next message, and nothing false is shown`(
            lie: String, about matter: Matter, proof: Proof, name: String
        ) throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob, carol) = (try User("alice", at: harbor), try User("bob", at: harbor), try User("carol", at: harbor))
                for user in [bob, carol] { try user.expect(alice) }
                let group = try Group("crew", by: alice, with: [bob, carol])
                var follower = try bob.follow()
                _ = try carol.receive()
                for user in [alice, carol] { try group.deliver("before", by: user) }
                try eventually("bob has what was before") { follower.texts.count == 2 }
                follower.signal(SIGTERM)
                _ = try follower.waitForExit()
                try harbor.stop()
                try harbor.startLying(lie, to: [bob])
                follower = try bob.follow()
                var said: [String] = []
                /// In turns, each knowing what was said before: or a fork would contradict nothing yet.
                func say() throws {
                    let speaker = said.count % 2 == 0 ? alice : carol
                    _ = try speaker.receive()
                    said.append("said \(said.count + 1)")
                    try group.deliver(said[said.count - 1], by: speaker)
                }
                func alarms() -> [JSONLine] { follower.ofType("alarm") }

                // What comes first is told as it is, unless something of bob's own came before it.
                try say()
                try eventually("bob is told something") { harbor.hasLied || follower.texts == said }
                if matter == .commit, !harbor.hasLied { try group.change("rename", by: alice, ["the crew"]) }
                while !harbor.hasLied, said.count < 4 {
                    try say()
                    try eventually("bob is told something") { harbor.hasLied || follower.texts == said }
                }
                try #require(harbor.hasLied)
                switch proof {
                case .itself: break
                case .nextMessage: try say()
                case .ownMessage: try group.send("of bob", by: bob, wait: "sent", timeout: "1s")
                }
                try eventually("bob is alarmed, and needs no more for it") { !alarms().isEmpty }
                #expect(alarms().first?.text("name") == name)

                for _ in 0..<3 { try say() }
                for other in [alice, carol] {
                    _ = try other.receive()
                    #expect(try other.command(["alarms", "--json"]).json.isEmpty, "nobody lied to \(other.handle)")
                }
                #expect(try bob.command(["alarms", "--json"]).json.first?.text("name") == name)
                let shown = follower.texts
                #expect(Set(shown).count == shown.count && Set(shown).isSubset(of: said), "\(shown)")
                #expect(shown == said.filter(shown.contains), "in their order: \(shown)")
                for message in follower.messages {
                    let author = message.text("text").flatMap { said.firstIndex(of: $0) }.map { $0 % 2 == 0 ? alice : carol }
                    #expect(message.text("from") == author?.address, "\(message)")
                }
                #expect(try Set(group.members(seenBy: bob).keys) == Set([alice, bob, carol].map(\.address)))
            }
        }

        @Test func `a receipt that a hub makes up is named, and counts for nothing`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try bob.expect(alice)
                // Else his device says, where no hub can see it, that he has read it: and that is true.
                #expect(try bob.command(["settings", "set", "read-receipts", "off"]).code == 0)
                try alice.deliver("before", to: bob, wait: "accepted")
                _ = try bob.receive()
                try harbor.stop()
                try harbor.startLying("forgedReceipt", to: [alice])
                let watcher = try alice.follow()
                try alice.deliver("never confirmed", to: bob, wait: "accepted")
                _ = try bob.receive()
                try eventually("alice is alarmed") { watcher.ofType("alarm").contains { $0.text("name") == "forgedReceipt" } }
                #expect(try alice.history(with: bob).last?.text("state") == "accepted")
            }
        }
    }
}
