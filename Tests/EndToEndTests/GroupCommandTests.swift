import Foundation
import Glibc
import Testing

extension User {
    /// Takes somebody for a contact beforehand, so that what comes is no request of a stranger.
    func expect(_ other: User) throws {
        try eventually("\(address) can look \(other.address) up") { try command(["requests", "accept", other.address]).code == 0 }
    }

    /// The id of a new group.
    func group(_ name: String, _ members: [User]) throws -> String {
        let outcome = try command(["group", "create", name] + members.map(\.address))
        guard outcome.code == 0, let id = outcome.lines.first, id.count == 32 else { throw Program.Failure(description: "\(outcome)") }
        return id
    }

    func info(_ group: String) throws -> JSONLine {
        let outcome = try command(["group", "info", group, "--json"])
        guard outcome.code == 0, let line = outcome.json.first else { throw Program.Failure(description: "\(outcome)") }
        return line
    }
}

extension JSONLine {
    func list(_ key: String) -> [String] {
        guard case .array(let values)? = self[key] else { return [] }
        return values.compactMap { if case .string(let text) = $0 { text } else { nil } }
    }

    /// Addresses and roles of a group's members.
    var members: [String: String] {
        guard case .array(let values)? = self["members"] else { return [:] }
        var found: [String: String] = [:]
        for case .object(let fields) in values {
            if case .string(let address)? = fields["address"], case .string(let role)? = fields["role"] { found[address] = role }
        }
        return found
    }
}

extension EndToEnd {
    /// The commands for groups, receipts, presence, requests, settings and alarms.
    @Suite struct ConversationCommands {
        @Test func `who was added writes, renames and leaves without having received anything before`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let alice = try User("alice", at: harbor)
                let others = try ["bob", "carol", "dora"].map { try User($0, at: tower) }
                try eventually("harbor knows them") { try others.allSatisfy { try harbor.knows($0.address) } }
                for other in others { try other.expect(alice) }
                let id = try alice.group("the team", others)
                let sent = try others[0].command(["send", "the team", "hello", "--wait", "accepted", "--timeout", "30s"])
                #expect(sent.code == 0, "\(sent)")
                #expect(try others[1].command(["group", "leave", id]).code == 0)
                let forbidden = try others[2].command(["group", "rename", String(id.prefix(8)), "mine"])
                #expect(forbidden.code == 77, "\(forbidden)")
                let nobody = try others[2].command(["send", "another team", "hello"])
                #expect(nobody.code == 65 && nobody.errors.contains("There is no group another team."), "\(nobody)")
                #expect(try alice.receive().compactMap { $0.text("text") } == ["hello"])
            }
        }

        @Test func `a process that has the profile and is stopped is not said to have kept or to lack anything`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try alice.deliver("before", to: bob, wait: "accepted")
                let owner = try alice.follow()
                try eventually("it has the profile") { alice.isOwned }
                owner.signal(SIGSTOP)
                let sent = try alice.command(["send", bob.address, "handed over", "--timeout", "2s", "--json"])
                #expect(sent.code == 69 && sent.lines.isEmpty, "\(sent)")
                #expect(sent.errors.contains("does not answer: it is not known what comes of this."), "\(sent)")
                let asking = try world.start("courier", ["outbox", "--profile", alice.profile])
                asking.signal(SIGTERM)
                // The signal may have come before it was awaited.
                #expect(try [.code(69), .signal(SIGTERM)].contains(asking.waitForExit()) && asking.lines.isEmpty)
                owner.signal(SIGCONT)
                var shown: [String] = []
                try eventually("it goes out once the process goes on") {
                    shown += try bob.receive().compactMap { $0.text("text") }
                    return shown == ["before", "handed over"]
                }
            }
        }

        @Test func `a group that takes longer than the command is named by its id, and made in the end`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try alice.expect(bob)
                let owner = try alice.follow()
                try eventually("there is a session") { try alice.send("hello", to: bob, timeout: "5s").code == 0 }
                harbor.process?.signal(SIGSTOP)
                let overdue = try alice.command(["group", "create", "late", bob.address, "--timeout", "1s"])
                #expect(overdue.code == 21 && overdue.lines.count == 1 && overdue.lines.first?.count == 32, "\(overdue)")
                let json = try alice.command(["group", "create", "later", bob.address, "--timeout", "1s", "--json"])
                #expect(json.code == 21 && json.json.first?.text("groupName") == "later", "\(json)")
                harbor.process?.signal(SIGCONT)
                for id in [overdue.lines.first, json.json.first?.text("group")].compactMap({ $0 }) {
                    try eventually("bob is in \(id)") { try alice.info(id).members.count == 2 }
                }
                #expect(owner.ended == nil)
            }
        }

        @Test func `a command tries the node anew, however often another courier process has failed to reach it`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let alice = try User("alice", at: harbor)
                let id = try alice.group("notes", [])
                // Nobody else is in it: there is nothing more to wait for.
                let sent = try alice.command(["send", id, "to myself", "--wait", "read", "--timeout", "20s"])
                #expect(sent.code == 0 && sent.lines.last?.hasPrefix("accepted") == true, "\(sent)")
                _ = try alice.follow()
                try eventually("it has the profile") { alice.isOwned }
                try harbor.crash()
                for name in 1...6 {
                    let outcome = try alice.command(["group", "rename", id, "name \(name)"])
                    #expect(outcome.code == 75 && outcome.errors.contains("The change is kept."), "\(outcome)")
                }
                try harbor.start()
                let outcome = try alice.command(["group", "rename", id, "at last"])
                #expect(outcome.code == 0, "\(outcome)")
                #expect(try alice.info(id).text("groupName") == "at last")
            }
        }

        @Test func `a group is made, talked in, changed and left, and its history says so`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob, carol) = (try User("alice", at: harbor), try User("bob", at: tower), try User("carol", at: tower))
                try eventually("harbor knows them") { try [bob, carol].allSatisfy { try harbor.knows($0.address) } }
                let follower = try bob.follow()
                let id = try alice.group("the team", [bob])
                #expect(try alice.info("the team").members == [alice.address: "owner", bob.address: "member"])
                #expect(try alice.info(String(id.prefix(6))).text("group") == id)

                #expect(try alice.command(["send", "the team", "hello", "--wait", "read", "--timeout", "30s"]).code == 0)
                #expect(try alice.command(["group", "add", id, carol.address]).code == 0)
                #expect(try alice.command(["group", "role", id, bob.address, "admin"]).code == 0)
                #expect(try bob.command(["group", "rename", "the team", "the crew"]).code == 0)
                #expect(try bob.command(["send", "the crew", "to all"]).code == 0)
                let seen = try carol.receive()
                #expect(seen.compactMap { $0.text("text") } == ["to all"], "nothing of before")
                #expect(seen.first?.text("type") == "membership" && seen.first?.text("change") == "joined")
                for line in seen { #expect(line.text("group") == id && line.text("groupName") == "the crew" && line.number("v") == 1) }
                #expect(try bob.command(["group", "remove", id, carol.address]).code == 0)
                #expect(try alice.command(["send", id, "without carol"]).code == 0)
                #expect(try !carol.receive().contains { $0.text("text") == "without carol" })
                #expect(try carol.command(["send", id, "still here?"]).code == 77)
                #expect(try carol.command(["group", "list", "--json"]).json.map { $0.text("standing") } == ["removed"])
                #expect(try bob.command(["group", "leave", id]).code == 0)
                try eventually("alice lets bob out") {
                    _ = try alice.receive()
                    return try alice.info(id).members == [alice.address: "owner"]
                }

                let history = try alice.command(["history", id, "--json"]).json
                #expect(history.compactMap { $0.text("text") } == ["hello", "to all", "without carol"])
                #expect(history.compactMap { $0.text("change") } == ["added", "added", "roles", "renamed", "removed", "left"])
                #expect(
                    history.first { $0.text("change") == "removed" }.map { ($0.list("who"), $0.text("by")) } ?? ([], nil) == (
                        [carol.address], bob.address
                    ))
                #expect(history.first { $0.text("change") == "left" }?.list("who") == [bob.address])
                let numbers = history.compactMap { $0.number("number") }
                #expect(numbers == numbers.sorted(), "\(history)")
                try eventually("bob has seen it all") { follower.texts == ["hello", "without carol"] }
            }
        }

        @Test func `what roles forbid, and what names nobody, is refused with its reason`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob, carol) = (try User("alice", at: harbor), try User("bob", at: harbor), try User("carol", at: harbor))
                let id = try alice.group("team", [bob])
                _ = try bob.receive()
                for (user, arguments, code) in [
                    (bob, ["add", id, carol.address], 77), (bob, ["remove", id, alice.address], 77), (bob, ["rename", id, "mine"], 77),
                    (bob, ["role", id, bob.address, "owner"], 77), (alice, ["leave", id], 77),
                    (alice, ["role", id, bob.address, "king"], 64),
                    (alice, ["add", id, "nobody@harbor"], 65), (alice, ["add", "another", carol.address], 65),
                    (alice, ["create", "x", "nobody@harbor"], 65), (alice, ["create", String(repeating: "x", count: 200)], 65),
                    (alice, ["create", "x", "no address"], 65),
                ] as [(User, [String], Int32)] {
                    let outcome = try user.command(["group"] + arguments)
                    #expect(outcome.code == code && !outcome.errors.isEmpty, "\(outcome)")
                }
                #expect(try alice.info(id).members == [alice.address: "owner", bob.address: "member"])
                #expect(try alice.command(["send", "another", "x"]).code == 65)
                let twin = try alice.group("team", [])
                let ambiguous = try alice.command(["send", "team", "x"])
                #expect(ambiguous.code == 65 && ambiguous.errors.contains(id) && ambiguous.errors.contains(twin), "\(ambiguous)")
                #expect(try alice.command(["send", twin, "to myself", "--wait", "accepted"]).code == 0)
            }
        }

        @Test func `what is asked about a group is judged and told as the node has it, not as the profile had it last`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let users = try ["alice", "bob", "carol", "dora"].map { try User($0, at: harbor) }
                let (alice, bob, carol, dora) = (users[0], users[1], users[2], users[3])
                let id = try alice.group("team", [bob])
                #expect(try alice.command(["group", "role", id, bob.address, "admin"]).code == 0)
                #expect(try bob.command(["group", "add", id, carol.address]).code == 0)
                #expect(try bob.command(["send", id, "welcome, carol"]).code == 0)
                let role = try alice.command(["group", "role", id, carol.address, "admin"])
                #expect(role.code == 0, "\(role)")
                #expect(try alice.history(with: id).contains { $0.text("text") == "welcome, carol" })
                let stranger = try alice.command(["group", "remove", id, dora.address])
                #expect(stranger.code == 65 && stranger.errors.contains("\(dora.address) is not in the group"), "\(stranger)")
                let twice = try alice.command(["group", "add", id, carol.address])
                #expect(twice.code == 0 && twice.lines == ["\(carol.address) is in it already"], "\(twice)")
                let listed = try alice.command(["group", "add", id, carol.address, "--json"]).json.first
                #expect(listed?.list("already") == [carol.address], "\(listed?.description ?? "")")
                let nameless = try alice.command(["group", "rename", id, ""])
                #expect(nameless.code == 65 && nameless.errors.contains("0 bytes"), "\(nameless)")
                let nobody = try alice.command(["group", "add", id, dora.address, "nobody@harbor"])
                #expect(nobody.code == 65 && nobody.errors.contains("nobody@harbor"), "\(nobody)")
                #expect(try Set(alice.info(id).members.keys) == [alice.address, bob.address, carol.address])
            }
        }

        @Test func `who is removed stays out, whoever else is still to be added`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob, carol) = (try User("alice", at: harbor), try User("bob", at: harbor), try User("carol", at: harbor))
                let (erin, mallory) = (try User("erin", at: tower), try User("mallory", at: tower))
                try eventually("harbor knows them") { try [erin, mallory].allSatisfy { try harbor.knows($0.address) } }
                tower.crash()
                let made = try alice.command(
                    ["group", "create", "crew", bob.address, carol.address, erin.address, mallory.address, "--timeout", "50s"])
                let id = try #require(made.lines.first, "\(made)")
                #expect(made.code == 0 && made.errors.contains(erin.address), "\(made)")
                for gone in [carol, mallory] {
                    let outcome = try alice.command(["group", "remove", id, gone.address])
                    #expect(outcome.code == 0, "\(outcome)")
                }
                #expect(try bob.command(["group", "leave", id]).code == 0)
                try tower.start()
                let follower = try alice.follow()
                try eventually("erin is in, and bob is out", within: .seconds(90)) {
                    try alice.info(id).members == [alice.address: "owner", erin.address: "member"]
                }
                #expect(try alice.command(["send", id, "to those who are in", "--wait", "accepted"]).code == 0)
                #expect(try alice.info(id).members == [alice.address: "owner", erin.address: "member"])
                #expect(follower.ofType("alarm").isEmpty)
            }
        }

        @Test func `a change that was kept and is refused later is told to whoever runs the next command, with why and what to do`() throws
        {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try bob.expect(alice)
                let group = try Group("the team", by: alice, with: [bob])
                let id = group.id
                try group.change("role", by: alice, [bob.address, "admin"])
                try eventually("bob knows that he is an admin") { try bob.info(id).members[bob.address] == "admin" }
                _ = try tower.stop()
                let kept = try bob.command(["group", "rename", id, "mine"])
                #expect(kept.code == 75, "\(kept)")
                let demoted = try alice.command(["group", "role", id, bob.address, "member"])
                #expect(demoted.code == 0, "\(demoted)")
                try tower.restart()
                var told = ""
                try eventually("bob is told") {
                    told += try bob.command(["receive"]).errors
                    return told.contains("is not done")
                }
                #expect(told.contains("What was kept is not done in the group the team: rename to mine.\nwhy: "), "\(told)")
                #expect(told.contains("\nremedy: See who may: courier group info \(id.prefix(8))"), "\(told)")
                #expect(!told.contains("warning courier:"), "\(told)")
            }
        }

        @Test func `receipts say which device has a message and read it, unless that is switched off`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob, carol) = (try User("alice", at: harbor), try User("bob", at: harbor), try User("carol", at: harbor))
                let id = try alice.group("team", [bob, carol])
                #expect(try carol.command(["settings", "set", "read-receipts", "off"]).lines == ["read-receipts off"])
                #expect(try carol.command(["settings", "get", "--json"]).json.compactMap { $0.text("value") } == ["off", "on"])
                let message = try #require(try alice.command(["send", id, "who reads this?", "--json"]).json.last?.text("id"))
                _ = try bob.receive()
                _ = try carol.receive()
                var lines: [JSONLine] = []
                try eventually("bob has read it") {
                    lines = try alice.command(["receipts", message, "--json"]).json
                    return lines.contains { $0.text("by") == bob.address && $0.text("read") != nil }
                }
                #expect(Set(lines.compactMap { $0.text("by") }) == [bob.address, carol.address])
                for line in lines {
                    #expect(line.text("delivered") != nil && line.text("message") == message && line.text("device")?.count == 64)
                }
                #expect(lines.first { $0.text("by") == carol.address }?["read"] == .null)
                #expect(try alice.command(["receipts", String(message.prefix(8))]).lines.count == 3)
                #expect(try alice.command(["receipts", "0123456789abcdef0123456789abcdef"]).code == 65)
                let unread = try alice.command(["send", id, "x", "--wait", "read", "--timeout", "1s", "--json"])
                #expect(unread.code == 21, "\(unread)")
            }
        }

        @Test func `a stranger's message is a request: no receipt before it is accepted, nothing after it is declined`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob, mallory) = (try User("alice", at: harbor), try User("bob", at: harbor), try User("mallory", at: harbor))
                try alice.deliver("may I?", to: bob, wait: "accepted")
                try mallory.deliver("buy!", to: bob, wait: "accepted")
                let shown = try bob.receive()
                #expect(Set(shown.map { $0.text("type") }) == ["request"] && shown.count == 2, "\(shown)")
                #expect(
                    try Set(bob.command(["requests", "list", "--json"]).json.compactMap { $0.text("from") }) == [
                        alice.address, mallory.address,
                    ])
                _ = try alice.receive()
                #expect(try alice.history(with: bob).first?.text("state") == "accepted")

                let receipts = try alice.follow()
                let accepted = try bob.command(["requests", "accept", alice.address])
                #expect(accepted.code == 0 && accepted.lines.first == "\(alice.address) is a contact now", "\(accepted)")
                let declined = try bob.command(["requests", "decline", mallory.address])
                #expect(declined.code == 0 && declined.lines.first?.hasPrefix("declined: ") == true, "\(declined)")
                let again = try bob.command(["requests", "decline", mallory.address, "--json"])
                #expect(again.json.first?.text("decision") == "declined" && again.json.first?.bool("already") == true, "\(again)")
                let nothing = try bob.command(["requests", "decline", alice.address])
                #expect(nothing.code == 65 && nothing.errors.contains("nothing to decline of \(alice.address)"), "\(nothing)")
                _ = try bob.receive()
                try eventually("alice learns that it was read") {
                    receipts.lines.compactMap { JSONLine($0) }.contains { $0.text("type") == "receipt" && $0.text("state") == "read" }
                }
                let next = try alice.send("thank you", to: bob)
                #expect(next.code == 0)
                try mallory.send("again!", to: bob)
                #expect(try bob.receive().map { "\($0.text("type") ?? ""): \($0.text("text") ?? "")" } == ["message: thank you"])
                #expect(try bob.command(["requests", "list", "--json"]).json.isEmpty)
            }
        }

        @Test func `presence is shown to contacts, and not once it is switched off or blocked`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try bob.expect(alice)
                let follower = try bob.follow()
                #expect(try alice.send("hello", to: bob, wait: "read").code == 0)
                func presence() throws -> JSONLine? { try alice.command(["presence", bob.address, "--json"]).json.last }
                try eventually("bob is online") { try presence()?.text("state") == "online" }
                follower.signal(SIGTERM)
                try follower.waitForExit()
                var gone: JSONLine?
                try eventually("bob is gone") {
                    gone = try presence()
                    return gone?.text("state") == "offline"
                }
                #expect(gone?.text("lastSeen")?.hasSuffix(":00.000Z") == true, "rounded to a minute: \(gone?.description ?? "")")
                try bob.command(["settings", "set", "last-seen", "off"])
                _ = try bob.receive()
                try eventually("bob shares no last seen") { try presence()?.text("state") == "not shared" }
                try bob.command(["contact", "block", alice.address])
                _ = try bob.follow()
                #expect(try presence()?.text("state") == "not shared")
            }
        }

        @Test func `an honest run raises no alarm`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try alice.deliver("hello", to: bob, wait: "accepted")
                _ = try bob.receive()
                for user in [alice, bob] {
                    #expect(try user.command(["alarms", "--json"]).json.isEmpty)
                    #expect(try user.command(["alarms"]).lines == ["No alarms."])
                }
            }
        }

        @Test func `a profile that others can reach is refused with the command that mends it`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let alice = try User("alice", at: harbor)
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: alice.profile)
                let refused = try alice.command(["whoami"])
                #expect(refused.code == 78 && refused.errors.contains("chmod 700"), "\(refused)")
            }
        }
    }
}
