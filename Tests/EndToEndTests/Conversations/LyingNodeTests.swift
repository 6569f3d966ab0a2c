import Glibc
import Testing

extension EndToEnd {
    /// The real shell and the real core of a node, but for what is said to the devices of some users; and users who know nothing of it.
    @Suite struct LyingNode {
        /// - Parameter names: by which of these the lie is called; what a ghost or a swap leads to depends on what comes next.
        @Test(arguments: [
            ("drop", ["forkedHistory"]), ("swap", ["forkedHistory"]), ("repeat", ["repeated"]), ("altered", ["chainBroken"]),
            ("gap", ["gap"]), ("foreignSender", ["foreignSender"]), ("ghost", ["forbiddenChange"]),
        ])
        func `a hub that lies to a member is named at the next message, and nothing false is shown`(lie: String, names: [String]) throws {
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
                let said = (1...6).map { "said \($0)" }
                for (index, text) in said.enumerated() {
                    try group.deliver(text, by: index % 2 == 0 ? alice : carol)
                }
                try eventually("bob is alarmed") { !follower.ofType("alarm").isEmpty }
                let alarm = follower.ofType("alarm").first
                #expect(names.contains(alarm?.text("name") ?? ""), "\(lie): \(alarm?.text("name") ?? "-")")
                let shown = follower.texts
                #expect(Set(shown).count == shown.count && Set(shown).isSubset(of: said), "\(shown)")
                if lie != "swap" { #expect(shown == said.filter(shown.contains), "in their order: \(shown)") }
                for other in [alice, carol] {
                    _ = try other.receive()
                    #expect(try other.command(["alarms", "--json"]).json.isEmpty, "nobody lied to \(other.handle)")
                }
                #expect(try bob.command(["alarms", "--json"]).json.first?.text("name") == alarm?.text("name"))
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
