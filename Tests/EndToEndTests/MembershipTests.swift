import Foundation
import Testing

extension EndToEnd {
    @Suite struct Membership {
        private static let listening = ["--clients", "127.0.0.1:0", "--peers", "127.0.0.1:0", "--yes"]

        private static func join(_ ticket: String, _ folder: String, in world: World) throws -> World.Outcome {
            try world.run("posthouse", ["federation", "join", ticket, "--data", "\(world.folder)/\(folder)"] + listening)
        }

        /// With one character changed, so that it is still of the alphabet.
        private static func forged(_ ticket: String, at offset: Int) -> String {
            var characters = Array(ticket)
            characters[offset] = characters[offset] == "A" ? "B" : "A"
            return String(characters)
        }

        @Test func `a ticket serves one node, once`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let ticket = try harbor.ticket(for: "tower")
                #expect(try Self.join(ticket, "first", in: world).code == 0)
                let second = try Self.join(ticket, "second", in: world)
                #expect(second.code == 77, "\(second)")
                #expect(second.errors.contains("used"), "\(second)")
                #expect(!FileManager.default.fileExists(atPath: world.folder + "/second/posthouse.json"))
            }
        }

        @Test func `a ticket that is forged, damaged or no ticket is refused before anything is made`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let ticket = try harbor.ticket(for: "tower")
                for offset in [8, 40, ticket.count / 2, ticket.count - 12, ticket.count - 1] {
                    let outcome = try Self.join(Self.forged(ticket, at: offset), "tower", in: world)
                    #expect(outcome.code == 65, "offset \(offset): \(outcome)")
                }
                for text in ["", "phf1:", "hello", String(ticket.dropLast(20)), ticket + "AAAA"] {
                    let outcome = try Self.join(text, "tower", in: world)
                    #expect(outcome.code == 65 || outcome.code == 64, "\(outcome)")
                }
                #expect(!FileManager.default.fileExists(atPath: world.folder + "/tower"))
                #expect(try Self.join(ticket, "tower", in: world).code == 0, "the true one still serves")
            }
        }

        @Test func `an expired ticket is refused`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let ticket = try harbor.ticket(for: "tower", ["--expires", "1s"])
                let made = Date()
                try eventually("it expires") { Date().timeIntervalSince(made) > 1.1 }
                let outcome = try Self.join(ticket, "tower", in: world)
                #expect(outcome.code == 65 || outcome.code == 77, "\(outcome)")
                #expect(outcome.errors.contains("expired"), "\(outcome)")
            }
        }

        @Test func `a node of another federation keeps to its own`() throws {
            try World.run { world in
                let (harbor, other) = (try Node.found("harbor", in: world), try Node.found("other", in: world))
                let ticket = try harbor.ticket(for: "other")
                #expect(try Self.join(ticket, "other", in: world).code == 78)
                try other.stop()
                #expect(try Self.join(ticket, "other", in: world).code == 78)
                try other.start()
                #expect(try other.state(of: "other") == "self")
                #expect(try harbor.state(of: "other") == nil)
            }
        }

        @Test func `a name that is taken gets no ticket`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                _ = try harbor.invite("tower")
                for name in ["harbor", "tower"] {
                    let outcome = try harbor.command(["federation", "invite", "--for", name])
                    #expect(outcome.code == 65, "\(outcome)")
                    #expect(outcome.lines.isEmpty)
                }
            }
        }

        @Test func `only admins invite and expel`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                for arguments in [
                    ["federation", "invite", "--for", "mill"], ["federation", "expel", "harbor", "--reason", "x", "--confirm", "harbor"],
                ] {
                    let outcome = try tower.command(arguments)
                    #expect(outcome.code == 77 || outcome.code == 65, "\(outcome)")
                    #expect(outcome.errors.contains("admin"), "\(outcome)")
                }
                #expect(try harbor.state(of: "harbor") == "self")
            }
        }

        @Test func `expelling is final and at once, on every node that has heard of it`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (tower, mill) = (try harbor.invite("tower"), try harbor.invite("mill"))
                let (alice, bob, carol) = (try User("alice", at: harbor), try User("bob", at: tower), try User("carol", at: mill))
                for user in [alice, carol] { try bob.expect(user) }
                try carol.expect(alice)
                let receivers = try [alice, bob, carol].map { try $0.follow() }
                try alice.deliver("before", to: bob)
                try carol.deliver("before", to: bob)
                try bob.deliver("before", to: alice)

                #expect(try harbor.command(["federation", "expel", "tower", "--reason", "x", "--confirm", "mill"]).code == 64)
                let expelled = try harbor.command(["federation", "expel", "tower", "--reason", "key stolen", "--confirm", "tower"])
                #expect(expelled.code == 0, "\(expelled)")
                #expect(try harbor.state(of: "tower") == "expelled")
                try eventually("mill hears of it") { try mill.state(of: "tower") == "expelled" }
                for node in [harbor, mill] {
                    #expect(try node.command(["user", "show", bob.address]).code == 65)
                    #expect(try node.status.number("peers") == 1, "\(node.name) is linked to the other member only")
                }

                // What is written to its users, known or not, is refused with the reason, and what they write reaches nobody.
                for sender in [alice, carol] {
                    let outcome = try sender.send("after", to: bob, wait: "delivered", timeout: "20s")
                    #expect(outcome.json.last?.text("state") == "failed", "\(outcome)")
                }
                _ = try bob.send("from the expelled", to: alice, wait: "delivered", timeout: "2s")
                tower.crash()
                try tower.start()
                _ = try bob.send("from the expelled again", to: alice, wait: "delivered", timeout: "2s")
                #expect(receivers[0].texts == ["before"])
                #expect(!receivers[1].texts.contains("after"))
                try alice.deliver("the others go on", to: carol)

                // Nobody of it is added to a group, and that is said at once; the others are.
                let alone = try alice.command(["group", "create", "alone", bob.address])
                #expect(alone.lines.count == 1 && alone.errors.contains("\(bob.address) was not added"), "\(alone)")
                let crew = try alice.command(["group", "create", "crew", bob.address, carol.address])
                #expect(crew.lines.count == 1 && crew.errors.contains("\(bob.address) was not added"), "\(crew)")
                try eventually("carol is in") { try alice.info("crew").members.count == 2 }

                // Its own operator is told, and why.
                let check = try tower.command(["check"])
                #expect(check.code == 78 && "\(check)".contains("This node was expelled") && "\(check)".contains("key stolen"), "\(check)")
                #expect(check.lines.count { $0.hasPrefix("FAIL") } == 1, "one fault is told once: \(check)")
                #expect(try harbor.command(["federation", "members"]).lines.contains("tower was expelled: key stolen"))

                // Its name is free again; its key is not.
                let again = try harbor.command(["federation", "expel", "tower", "--reason", "x", "--confirm", "tower"])
                #expect(again.code == 65 && again.errors.contains("tower was expelled already"), "\(again)")
            }
        }

        @Test func `a handle is taken once on a node, and free on another`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let link = try harbor.invitation(["--uses", "3"])
                let alice = try User("alice", at: harbor, link: link)
                for handle in ["alice", "ALICE"] {
                    let outcome = try world.run(
                        "courier", ["join", link, "--handle", handle, "--profile", "\(world.folder)/profiles/second"])
                    #expect(outcome.code == 77 || (handle == "ALICE" && outcome.code == 65), "\(outcome)")
                }
                let other = try User("alice", at: tower)
                #expect(alice.address == "alice@harbor" && other.address == "alice@tower")
                #expect(alice.identity.text("user") != other.identity.text("user"))
                try other.expect(alice)
                let receiver = try other.follow()
                try alice.deliver("to my namesake", to: other)
                try eventually("it is shown") { receiver.texts == ["to my namesake"] }
            }
        }

        @Test func `an invitation is good for as many users as it says, at its own node only`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let link = try harbor.invitation()
                _ = try User("alice", at: harbor, link: link)
                func join(_ link: String, _ handle: String) throws -> World.Outcome {
                    try world.run("courier", ["join", link, "--handle", handle, "--profile", "\(world.folder)/profiles/\(handle)"])
                }
                let used = try join(link, "bob")
                #expect(used.code == 77, "\(used)")
                let fresh = try harbor.invitation()
                let misled = fresh.replacingOccurrences(of: ":\(harbor.clientsPort)/", with: ":\(tower.clientsPort)/")
                let wrongNode = try join(misled, "carol")
                #expect(wrongNode.code == 77, "\(wrongNode)")
                let expiring = try harbor.invitation(["--expires", "1s"])
                let made = Date()
                // The node's own clock decides, which it reads when it has something to do.
                try eventually("it expires") { Date().timeIntervalSince(made) > 4 }
                let late = try join(expiring, "dave")
                #expect(late.code == 77, "\(late)")
                #expect(try join("https://example.org/", "erin").code == 65)
                #expect(try harbor.status.number("users") == 1)
            }
        }
    }
}
