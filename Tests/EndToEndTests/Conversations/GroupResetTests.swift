import Foundation
import Testing

extension EndToEnd {
    /// A group over three nodes whose hub's node is expelled.
    @Suite struct GroupResets {
        @Test func `a group goes on in the same thread when its hub is expelled, for those who were away too`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (tower, mill) = (try harbor.invite("tower"), try harbor.invite("mill"))
                let (alice, bob) = (try User("alice", at: tower), try User("bob", at: harbor))
                let (carol, dora) = (try User("carol", at: mill), try User("dora", at: mill))
                let team = try Group("the team", by: alice, with: [bob, carol, dora])
                try team.change("role", by: alice, [bob.address, "admin"])
                for user in [bob, carol, dora] {
                    try eventually("\(user.handle) knows the roles") { try team.members(seenBy: user)[bob.address] == "admin" }
                }
                try team.deliver("before", by: carol)
                for user in [bob, dora] { _ = try user.receive() }

                #expect(try harbor.command(["federation", "expel", "tower", "--reason", "x", "--confirm", "tower"]).code == 0)
                tower.crash()
                try eventually("mill hears of it") { try mill.state(of: "tower") == "expelled" }
                let lost = try team.send("lost", by: carol)
                #expect(lost.code != 0 && "\(lost)".contains("courier group reset \(team.id.prefix(8))"), "\(lost)")
                let refused = try carol.command(["group", "reset", "the team"])
                #expect(refused.code == 77 && refused.errors.contains("owner or admin"), "\(refused)")

                let reset = try bob.command(["group", "reset", "the team"])
                // Alice's home is gone: she cannot be added.
                #expect(reset.code == 65 && reset.errors.contains(alice.address), "\(reset)")
                let news = try carol.receive()
                #expect(news.contains { $0.text("change") == "reset" && $0.text("by") == bob.address }, "\(news)")
                try team.deliver("after", by: carol)
                // Dora was not there in between.
                _ = try dora.receive()
                try team.deliver("and on", by: dora, wait: "accepted")
                try eventually("bob has it") {
                    _ = try bob.receive()
                    return try bob.history(with: "the team").compactMap { $0.text("text") } == ["before", "after", "and on"]
                }
                for user in [carol, dora] {
                    let texts = try team.history(of: user).filter { $0.text("state") != "failed" }.compactMap { $0.text("text") }
                    #expect(texts == ["before", "after", "and on"], "\(user.handle)")
                }
                for user in [bob, carol, dora] {
                    let groups = try user.command(["group", "list", "--json"]).json
                    #expect(groups.map { $0.text("group") } == [team.id], "\(groups)")
                    let info = try user.info("the team")
                    #expect(info.text("goesOnFrom") == team.id && info.text("conversation") != team.id, "\(info)")
                    #expect(info.members == [bob.address: "owner", carol.address: "member", dora.address: "member"])
                }
            }
        }

        @Test func `an owner goes on with a group in the chat`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob, carol) = (try User("alice", at: tower), try User("bob", at: harbor), try User("carol", at: harbor))
                let team = try Group("the team", by: alice, with: [bob, carol])
                try team.change("role", by: alice, [bob.address, "owner"])
                try eventually("bob knows it") { try team.members(seenBy: bob)[bob.address] == "owner" }
                try team.deliver("before", by: carol, wait: "accepted")
                #expect(try harbor.command(["federation", "expel", "tower", "--reason", "x", "--confirm", "tower"]).code == 0)
                tower.crash()
                let terminal = try Multiplexer(world, "bob")
                defer { terminal.close() }
                try terminal.start("courier", ["chat", "--profile", bob.profile])
                try terminal.wait("carol@harbor before")
                try terminal.enter("/reset")
                try terminal.wait("it goes on, as the thread shows") { $0.contains { $0.contains("went on with the group") } }
                try terminal.enter("after")
                try eventually("carol has it") { try carol.receive().contains { $0.text("text") == "after" } }
                try terminal.wait("the same thread has both") { rows in
                    rows.contains { $0.contains("carol@harbor before") } && rows.contains { $0.contains("✓ you") && $0.hasSuffix(" after") }
                }
            }
        }
    }
}
