import Foundation
import Testing

extension EndToEnd {
    /// What scripts build on: exit codes, fields, order.
    @Suite struct CommandContract {
        @Test(arguments: [
            ["posthouse"], ["posthouse", "init"], ["posthouse", "run"], ["posthouse", "federation", "invite"],
            ["posthouse", "federation", "join"],
            ["posthouse", "federation", "members"], ["posthouse", "federation", "expel"], ["posthouse", "invite", "create"],
            ["posthouse", "user", "list"], ["posthouse", "user", "show"], ["posthouse", "status"],
            ["posthouse", "queues"], ["posthouse", "check"],
            ["posthouse", "demo"],
            ["courier"], ["courier", "join"], ["courier", "whoami"], ["courier", "send"], ["courier", "receive"], ["courier", "history"],
            ["courier", "outbox"], ["courier", "contact"], ["courier", "contact", "list"], ["courier", "contact", "show"],
            ["courier", "contact", "verify"], ["courier", "contact", "trust"], ["courier", "contact", "block"],
            ["courier", "contact", "unblock"],
            ["courier", "group"], ["courier", "group", "create"], ["courier", "group", "list"], ["courier", "group", "info"],
            ["courier", "group", "add"], ["courier", "group", "remove"], ["courier", "group", "leave"], ["courier", "group", "rename"],
            ["courier", "group", "role"], ["courier", "receipts"], ["courier", "presence"], ["courier", "requests"],
            ["courier", "requests", "list"], ["courier", "requests", "accept"], ["courier", "requests", "decline"],
            ["courier", "settings"],
            ["courier", "settings", "get"], ["courier", "settings", "set"], ["courier", "alarms"],
        ])
        func `help shows examples before anything else but what it does`(command: [String]) throws {
            try World.run { world in
                let outcome = try world.run(command[0], command.dropFirst() + ["--help"])
                #expect(outcome.code == 0)
                let text = outcome.lines.joined(separator: "\n")
                let example = text.range(of: "Example")
                let usage = text.range(of: "USAGE")
                #expect(example != nil && usage != nil, "\(text)")
                if let example, let usage { #expect(example.lowerBound < usage.lowerBound, "\(text)") }
                let words = command.joined(separator: " ")
                #expect(text.contains("  \(words) ") || text.contains("  \(words)\n") || command.count == 1, "an example of \(words)")
            }
        }

        @Test func `what is no command is a usage error, on stderr`() throws {
            try World.run { world in
                for (program, arguments) in [
                    ("posthouse", ["frob"]), ("posthouse", ["init", "--data", "x"]), ("posthouse", ["invite", "create", "--uses", "0"]),
                    ("posthouse", ["federation", "expel", "tower", "--reason", "", "--confirm", "tower"]),
                    ("courier", ["frob"]), ("courier", ["send"]), ("courier", ["send", "a@b", "x", "--wait", "tomorrow"]),
                    ("courier", ["receive", "--count", "0"]), ("courier", ["settings", "set", "read-receipts", "perhaps"]),
                    ("courier", ["settings", "set", "x", "on"]), ("courier", ["group", "add", "g"]),
                    ("courier", ["whoami", "--profile", ""]),
                    ("courier", ["whoami", "--profile", "."]), ("courier", ["whoami", "--profile", ".."]),
                ] {
                    let outcome = try world.run(program, arguments)
                    #expect(outcome.code == 64, "\(outcome)")
                    #expect(outcome.lines.isEmpty && !outcome.errors.isEmpty, "\(outcome)")
                }
            }
        }

        @Test func `without a node or a profile the commands say what to do, exit 78`() throws {
            try World.run { world in
                for arguments in [["run"], ["status"], ["queues"], ["check"], ["user", "list"], ["federation", "members"]] {
                    let outcome = try world.run("posthouse", arguments + ["--data", world.folder + "/none"])
                    #expect(outcome.code == 78, "\(outcome)")
                }
                // Of a folder that is no node's that is the one thing that is wrong.
                let check = try world.run("posthouse", ["check", "--data", world.folder])
                #expect(check.code == 78 && check.lines.filter { $0.hasPrefix("FAIL") }.count == 1, "\(check)")
                #expect(check.lines.first?.hasPrefix("FAIL  There is no node in") == true, "\(check)")
                for arguments in [
                    ["whoami"], ["send", "bob@tower", "x"], ["receive"], ["history", "bob@tower"], ["outbox"], ["contact", "list"],
                    ["group", "list"], ["group", "create", "team"], ["receipts", "abcdef"], ["presence", "bob@tower"],
                    ["requests", "list"],
                    ["settings", "get"], ["alarms"],
                ] {
                    let outcome = try world.run("courier", arguments + ["--profile", world.folder + "/none"])
                    #expect(outcome.code == 78, "\(outcome)")
                    #expect(outcome.errors.contains("courier join"), "\(outcome)")
                }
            }
        }

        @Test func `one address for two listeners is refused before anything is made or bound`() throws {
            try World.run { world in
                let folder = world.folder + "/harbor"
                let make = ["init", "--data", folder, "--name", "harbor"]
                // The second is that of `--peers` where nothing else is said.
                for options in [
                    ["--clients", "127.0.0.1:9443", "--peers", "127.0.0.1:9443"], ["--clients", "127.0.0.1:7444"],
                    ["--public", "--clients", "127.0.0.1:9443", "--peers", "0.0.0.0:9443", "--peers-advertised", "a.example:9443"],
                ] {
                    let refused = try world.run("posthouse", make + options)
                    #expect(refused.code == 64 && refused.errors.contains("one place to listen"), "\(refused)")
                }
                #expect(!FileManager.default.fileExists(atPath: folder))
                try world.must("posthouse", make + ["--clients", "127.0.0.1:0", "--peers", "127.0.0.1:0"])
                let settings = #"{"name": "harbor", "clients": "127.0.0.1:9443", "peers": "127.0.0.1:9444", "metrics": "127.0.0.1:9444"}"#
                try settings.write(toFile: folder + "/posthouse.json", atomically: true, encoding: .utf8)
                let run = try world.run("posthouse", ["run", "--data", folder])
                #expect(run.code == 78 && run.errors.contains("\"peers\" listens there already"), "\(run)")
            }
        }

        @Test func `the states of a message come in order, with its number`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try bob.expect(alice)
                let receiver = try bob.follow()
                var (times, last): ([Double], UInt64) = ([], 0)
                for number in 1...20 {
                    let outcome = try alice.send("message \(number)", to: bob, wait: "delivered")
                    #expect(outcome.code == 0, "\(outcome)")
                    #expect(outcome.json.compactMap { $0.text("state") } == ["sent", "accepted", "delivered"], "\(outcome)")
                    for line in outcome.json {
                        #expect(line.number("v") == 1 && line.text("type") == "state" && line.text("id")?.count == 32)
                        #expect(line.keys.isSuperset(of: ["v", "type", "id", "state", "number", "reason"]))
                    }
                    // What the protocol needs takes numbers too.
                    let place = try UInt64(#require(outcome.json.last?.number("number")))
                    #expect(place > last)
                    last = place
                    if let time = outcome.json.last?.milliseconds("ms") { times.append(time) }
                }
                times.sort()
                measured(
                    "delivered across two nodes: median \(times[times.count / 2]) ms, worst \(times[times.count - 1]) ms of \(times.count)")

                try eventually("all are shown") { receiver.messages.count == 20 }
                for (index, line) in receiver.messages.enumerated() {
                    #expect(
                        line.keys.isSuperset(of: ["v", "type", "id", "conversation", "from", "number", "sent", "text", "verified"]),
                        "\(line)")
                    #expect(line.number("v") == 1 && line.text("from") == "alice@harbor")
                    #expect(line.text("text") == "message \(index + 1)" && line.bool("verified") == false)
                    #expect(line.text("sent")?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/) != nil, "\(line)")
                }
            }
        }

        @Test func `an answer to nobody fails with its reason, and says so once`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let alice = try User("alice", at: harbor)
                for address in ["nobody@harbor", "bob@nowhere"] {
                    let outcome = try alice.command(["send", address, "hello", "--json", "--timeout", "20s"])
                    #expect(outcome.code == 65, "\(outcome)")
                    #expect(
                        outcome.json.map { $0.text("state") } == ["failed"] && outcome.json.last?.text("reason")?.isEmpty == false,
                        "\(outcome)")
                }
                #expect(try alice.command(["send", "nobody", "hello"]).code == 65)
                #expect(try alice.command(["send", alice.address, "hello"]).code == 65)
                #expect(try alice.command(["send", "bob@harbor", ""]).code == 65)
                let long = try alice.command(["send", "bob@harbor", "-"], input: String(repeating: "x", count: 20_000))
                #expect(long.code == 65, "\(long)")
                #expect(try alice.command(["outbox", "--json"]).json.isEmpty)
            }
        }

        @Test func `what is written while the node is down is kept, and goes out with the next command`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                harbor.crash()
                let kept = try alice.send("kept", to: bob)
                #expect(kept.code == 75, "\(kept)")
                #expect(kept.json.last?.text("state") == "queued" && kept.json.last?.text("reason")?.isEmpty == false, "\(kept)")
                let waiting = try alice.command(["outbox", "--json"]).json
                #expect(waiting.count == 1 && waiting.first?.text("to") == bob.address && waiting.first?.text("state") == "queued")
                #expect(waiting.first?.text("id") == kept.json.last?.text("id"))
                let unreachable = try alice.command(["receive", "--json"])
                #expect(unreachable.code == 69, "\(unreachable)")

                try harbor.start()
                try eventually("it goes out") {
                    _ = try alice.receive()
                    return try alice.command(["outbox", "--json"]).json.isEmpty
                }
                #expect(try bob.receive().map { $0.text("text") } == ["kept"])
                #expect(try bob.receive().isEmpty, "shown once")
                #expect(try alice.history(with: bob).map { $0.text("text") } == ["kept"])
            }
        }

        @Test func `receive stops after --count or --timeout, and the rest is for the next`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                for number in 1...5 { try alice.deliver("\(number)", to: bob, wait: "accepted") }
                func receive(_ options: [String]) throws -> (Int32?, [String?]) {
                    let outcome = try bob.command(["receive", "--json"] + options)
                    return (outcome.code, outcome.json.map { $0.text("text") })
                }
                #expect(try receive(["--follow", "--count", "2", "--timeout", "60s"]) == (0, ["1", "2"]))
                #expect(try receive(["--count", "1"]) == (0, ["3"]))
                #expect(try receive(["--follow", "--count", "3", "--timeout", "2s"]) == (21, ["4", "5"]))
                #expect(try receive(["--follow", "--timeout", "300ms"]) == (0, []))
                let overdue = try alice.send("6", to: bob, wait: "read", timeout: "500ms")
                #expect(overdue.code == 21 && overdue.json.last?.text("state") == "accepted", "\(overdue)")
            }
        }

        @Test func `text from others cannot command a terminal`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                let text = "red \u{1b}[31m bell \u{7} turn \u{202e} line\nnext"
                try alice.command(["send", bob.address, "-"], input: text)
                let shown = try bob.command(["receive"])
                #expect(!shown.lines.isEmpty)
                for scalar in shown.lines.joined(separator: "\n").unicodeScalars {
                    #expect(scalar.value >= 32 && scalar != "\u{202e}" && scalar.value != 127 || scalar == "\n", "\(shown)")
                }
                #expect(try bob.history(with: alice).first?.text("text") == text, "JSON gives it whole")
            }
        }

        @Test func `safety numbers agree on both sides, and a blocked contact is not written to`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try eventually("harbor knows bob") { try harbor.knows(bob.address) }
                let (mine, theirs) = (
                    try alice.command(["contact", "show", bob.address, "--json"]).json.first,
                    try bob.command(["contact", "show", alice.address, "--json"]).json.first
                )
                let code = try #require(mine?.text("safetyNumber"))
                #expect(code == theirs?.text("safetyNumber"))
                let wrong = String(code.reversed())
                #expect(try alice.command(["contact", "verify", bob.address, "--code", wrong]).code == 65)
                #expect(
                    try alice.command(["contact", "verify", bob.address, "--code", code, "--json"]).json.first?.bool("verified") == true)
                try alice.command(["contact", "block", bob.address])
                #expect(try alice.send("no", to: bob).code == 77)
                let own = try alice.command(["contact", "block", alice.address])
                #expect(own.code == 65 && own.errors.contains("your own"), "\(own)")
                try alice.command(["contact", "unblock", bob.address])
                try alice.deliver("yes", to: bob, wait: "accepted")
            }
        }
    }
}
