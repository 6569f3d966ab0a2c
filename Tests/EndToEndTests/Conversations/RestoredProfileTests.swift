import Foundation
import Testing

extension EndToEnd {
    @Suite struct RestoredProfile {
        @Test func `an old copy of a profile is noticed: it comes back in before it sends, and all is read again`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob, carol) = (try User("alice", at: harbor), try User("bob", at: tower), try User("carol", at: tower))
                try bob.expect(alice)
                try alice.expect(bob)
                let group = try Group("team", by: alice, with: [bob, carol])
                try alice.deliver("before", to: bob, wait: "accepted")
                _ = try bob.receive()
                try bob.deliver("old", to: alice, wait: "accepted")
                try group.deliver("old", by: bob)

                let copy = bob.profile + ".copy"
                try FileManager.default.copyItem(atPath: bob.profile, toPath: copy)
                for number in 1...5 {
                    try bob.deliver("forgotten \(number)", to: alice, wait: "accepted")
                    try group.deliver("forgotten \(number)", by: bob)
                    try alice.deliver("heard once \(number)", to: bob, wait: "accepted")
                    _ = try bob.receive()
                }
                try FileManager.default.removeItem(atPath: bob.profile)
                try FileManager.default.moveItem(atPath: copy, toPath: bob.profile)

                let (followers, receiver) = ([try alice.follow(), try carol.follow()], try bob.follow())
                let first = try bob.send("new", to: alice, wait: "delivered")
                #expect(first.code == 0, "\(first)")
                let outcome = try group.send("new", by: bob, wait: "delivered", timeout: "30s")
                #expect(outcome.code == 0, "\(outcome)")
                try alice.deliver("answer", to: bob)
                try group.deliver("answer", by: alice, wait: "delivered")
                try eventually("bob is shown both answers") { receiver.texts.count { $0 == "answer" } == 2 }
                // By whichever of the two had the profile first.
                #expect((receiver.errors + first.errors).contains("old copy"), "it is told: \(receiver.errors) \(first)")

                let said = ["old"] + (1...5).map { "forgotten \($0)" } + ["new"]
                #expect(try alice.history(with: bob).filter { $0.text("direction") == "in" }.compactMap { $0.text("text") } == said)
                for reader in [alice, carol] {
                    let texts = try group.history(of: reader).filter { $0.text("from") == bob.address }.compactMap { $0.text("text") }
                    #expect(texts == said, "\(reader.handle)")
                }
                for follower in followers { #expect(follower.ofType("undecryptable").isEmpty) }
                for user in [alice, carol] { #expect(try user.command(["alarms", "--json"]).lines == []) }
            }
        }

        @Test func `an old copy that lacks no more than a commit gets its message out, by itself`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                let group = try Group("team", by: alice, with: [bob])
                try bob.command(["send", group.id, "old"])
                let copy = bob.profile + ".copy"
                try FileManager.default.copyItem(atPath: bob.profile, toPath: copy)
                try group.change("rename", by: alice, ["crew"])
                _ = try bob.receive()
                #expect(try bob.info(group.id).text("groupName") == "crew")
                try FileManager.default.removeItem(atPath: bob.profile)
                try FileManager.default.moveItem(atPath: copy, toPath: bob.profile)

                let sent = try bob.command(["send", group.id, "new"])
                #expect(sent.code == 0 && sent.errors.contains("old copy"), "\(sent)")
                #expect(try bob.info(group.id).text("groupName") == "crew")
                #expect(try alice.receive().compactMap { $0.text("text") } == ["old", "new"])
                for user in [alice, bob] { #expect(try user.command(["alarms", "--json"]).lines == []) }
            }
        }

        @Test func `where a restored profile cannot come back in, the direct conversation is founded anew`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try alice.expect(bob)
                try bob.expect(alice)
                // Its hub will know nothing of the conversation, nor can anybody tell it: it is from after the backup.
                let backup = world.folder + "/harbor.backup"
                #expect(try harbor.command(["backup", "create", "--to", backup]).code == 0)
                try alice.deliver("old", to: bob, wait: "accepted")
                try eventually("bob has it") { try bob.receive().contains { $0.text("text") == "old" } }
                let copy = bob.profile + ".copy"
                try FileManager.default.copyItem(atPath: bob.profile, toPath: copy)
                try bob.deliver("forgotten", to: alice, wait: "accepted")
                harbor.crash()
                #expect(try harbor.command(["backup", "restore", backup, "--replace"]).code == 0)
                try harbor.start()
                try FileManager.default.removeItem(atPath: bob.profile)
                try FileManager.default.moveItem(atPath: copy, toPath: bob.profile)

                let refused = try bob.send("not in there", to: alice, wait: "delivered", timeout: "30s")
                #expect(refused.json.last?.text("state") == "failed", "\(refused)")
                let follower = try alice.follow()
                let sent = try bob.send("anew", to: alice, wait: "delivered", timeout: "30s")
                #expect(sent.code == 0, "\(sent)")
                try eventually("alice has it") { follower.texts.contains("anew") }
                // What she writes where the hub knows nothing fails, and is said to; the next goes on in the new one.
                try eventually("the answer goes out") { try alice.send("answer", to: bob, timeout: "20s").code == 0 }
                #expect(try bob.receive().compactMap { $0.text("text") } == ["answer"])
                for user in [alice, bob] { #expect(try user.command(["alarms", "--json"]).lines == []) }
            }
        }

        @Test func `an old copy that is written with before it reaches its node does not pass for the newest`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try alice.expect(bob)
                try bob.deliver("old", to: alice, wait: "accepted")
                let copy = bob.profile + ".copy"
                try FileManager.default.copyItem(atPath: bob.profile, toPath: copy)
                try bob.deliver("forgotten", to: alice, wait: "accepted")
                try FileManager.default.removeItem(atPath: bob.profile)
                try FileManager.default.moveItem(atPath: copy, toPath: bob.profile)

                harbor.crash()
                for number in 1...3 { #expect(try bob.send("kept \(number)", to: alice).code == 75) }
                try harbor.start()
                let last = try bob.send("new", to: alice)
                #expect(last.code == 0 && last.errors.contains("old copy"), "\(last)")
                var seen: [JSONLine] = []
                try eventually("alice has all") {
                    seen += try alice.receive()
                    return seen.contains { $0.text("text") == "new" }
                }
                // None is sealed under a key that the later copy had used.
                #expect(seen.compactMap { $0.text("text") } == ["old", "forgotten", "kept 1", "kept 2", "kept 3", "new"], "\(seen)")
                #expect(try alice.command(["alarms", "--json"]).lines == [])
            }
        }
    }
}
