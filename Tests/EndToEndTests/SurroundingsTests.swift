import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// What a program makes of a machine, a shell or a neighbour that is not as it should be.
    @Suite struct Surroundings {
        /// Runs one of our programs by way of a shell, which has changed something first.
        private func shell(_ prepare: String, _ program: String, _ arguments: [String], in world: World) throws -> World.Outcome {
            try world.run("/bin/bash", ["-c", prepare, "\(World.programsFolder)/\(program)"] + arguments)
        }

        /// What makes a program believe that it is another time by so many seconds.
        private func clock(off seconds: Int) -> [String] {
            ["/usr/bin/env", "LD_PRELOAD=\(World.programsFolder)/libFaultShim.so", "POSTHOUSE_FAULT_CLOCK=\(seconds)"]
        }

        // MARK: A process that has the profile

        @Test func `whatever is handed to a courier process that is stopped ends with what to do, exit 69`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try alice.deliver("before", to: bob, wait: "accepted")
                let owner = try alice.follow()
                try eventually("it has the profile") { alice.isOwned }
                owner.signal(SIGSTOP)
                let commands = [
                    ["whoami"], ["outbox"], ["receive"], ["receive", "--follow"], ["history", bob.address], ["receipts", "abcdef"],
                    ["contact", "list"], ["contact", "show", bob.address], ["group", "list"],
                    ["group", "create", "team", "--timeout", "1m"],
                    ["requests", "list"], ["settings", "get"], ["alarms"], ["presence", bob.address, "--follow"],
                    ["send", bob.address, "handed over", "--timeout", "1m"],
                ]
                let asking = try commands.map { try world.start("courier", $0 + ["--profile", alice.profile]) }
                for program in asking {
                    #expect(try program.waitForExit() == .code(69), "\(program.errors)")
                    #expect(program.lines.isEmpty && program.errors.contains("does not answer"), "\(program.errors)")
                    #expect(program.errors.contains("process \(owner.pid)"), "\(program.errors)")
                }
                owner.signal(SIGCONT)
                try eventually("what it was handed before is done once it goes on") {
                    try bob.history(with: alice).compactMap { $0.text("text") } == ["before", "handed over"]
                }
            }
        }

        @Test func `a courier process that has the profile and waits for its node is not taken for one that is stopped`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try alice.expect(bob)
                let owner = try alice.follow()
                try eventually("there is a session") { try alice.send("hello", to: bob, timeout: "5s").code == 0 }
                harbor.process?.signal(SIGSTOP)
                // Longer than silence is taken for an owner that is there.
                let overdue = try alice.command(["group", "create", "late", bob.address, "--timeout", "13s"])
                // Not done in time, or the session was given up for lost by then.
                #expect(overdue.code == 21 || overdue.code == 75, "\(overdue)")
                harbor.process?.signal(SIGCONT)
                #expect(owner.ended == nil)
            }
        }

        // MARK: The limits of the system

        @Test func `too few file descriptors are refused, and the fewest that are not suffice`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let alice = try User("alice", at: harbor)
                try harbor.stop()
                for count in [8, 12, 16, 24, 48] {
                    let limited = "ulimit -n \(count); exec \"$0\" \"$@\""
                    for outcome in [
                        try shell(limited, "posthouse", ["run", "--data", harbor.folder], in: world),
                        try shell(limited, "posthouse", ["check", "--data", harbor.folder], in: world),
                        try shell(limited, "courier", ["receive", "--profile", alice.profile], in: world),
                    ] {
                        #expect(outcome.code == 78 && outcome.lines.isEmpty && outcome.errors.contains("ulimit -n"), "\(outcome)")
                    }
                }
                let least = 64 + 2 * ProcessInfo.processInfo.activeProcessorCount
                // The soft limit is raised.
                try harbor.start(under: ["/bin/bash", "-c", "ulimit -Sn 10; ulimit -Hn \(least); exec \"$0\" \"$@\""])
                let bob = try User("bob", at: harbor)
                try alice.deliver("hello", to: bob, wait: "accepted")
                #expect(try harbor.command(["status"]).code == 0)
                let received = try shell(
                    "ulimit -n \(least); exec \"$0\" \"$@\"", "courier", ["receive", "--profile", bob.profile], in: world)
                #expect(received.code == 0 && received.lines.contains { $0.contains("hello") }, "\(received)")
                #expect(try harbor.stop() == .code(0))
            }
        }

        @Test func `with a clock from before the program was made nothing starts, and one centuries ahead harms nothing`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let alice = try User("alice", at: harbor)
                try harbor.stop()
                // Before 1970, just after, and the day before yesterday's firmware.
                for off in [-10_000_000_000, -Int(Date().timeIntervalSince1970) + 60, -800_000_000] {
                    let early = clock(off: off)
                    for command in [
                        ["\(World.programsFolder)/posthouse", "run", "--data", harbor.folder],
                        ["\(World.programsFolder)/posthouse", "check", "--data", harbor.folder],
                        ["\(World.programsFolder)/courier", "receive", "--profile", alice.profile],
                    ] {
                        let outcome = try world.run(early[0], early.dropFirst() + command)
                        #expect(outcome.code == 78, "\(outcome)")
                        #expect((outcome.errors + outcome.lines.joined()).contains("The clock is wrong."), "\(outcome)")
                    }
                }
                for years in [500, 200_000] {
                    let late = clock(off: years * 31_556_952)
                    let name = "y\(years)"
                    try harbor.start(under: late)
                    func courier(_ arguments: [String], as user: String) throws -> World.Outcome {
                        let profile = "\(world.folder)/profiles/\(user)"
                        return try world.run(
                            late[0], late.dropFirst() + ["\(World.programsFolder)/courier"] + arguments + ["--profile", profile])
                    }
                    // Until then no invitation expires.
                    let link = try harbor.invitation(["--expires", "3650d", "--uses", "2"])
                    if years == 500 {
                        // Made by the true clock it is over for the node: by its own it is not.
                        #expect(try courier(["join", link, "--handle", "\(name)-ann"], as: name + "ann").code == 0)
                        #expect(try courier(["join", link, "--handle", "\(name)-bob"], as: name + "bob").code == 0)
                        let sent = try courier(["send", "\(name)-bob@harbor", "hello"], as: name + "ann")
                        #expect(sent.code == 0, "\(sent)")
                        #expect(try courier(["group", "create", "crew", "\(name)-bob@harbor"], as: name + "ann").code == 0)
                        let shown = try courier(["receive"], as: name + "bob")
                        #expect(shown.code == 0 && shown.lines.contains { $0.hasPrefix("25") && $0.contains("hello") }, "\(shown)")
                    } else {
                        for command in [["receive"], ["send", "\(name)@harbor", "hello"], ["history", "\(name)@harbor"]] {
                            let outcome = try courier(command, as: "alice@harbor")
                            #expect(outcome.code != nil, "\(outcome)")
                        }
                    }
                    #expect(harbor.isRunning)
                    #expect(try harbor.stop() == .code(0))
                }
            }
        }

        // MARK: Where output goes, and where arguments come from

        @Test func `output that cannot be written is no success, exit 74`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let alice = try User("alice", at: harbor)
                let data = ["--data", harbor.folder]
                for place in [">/dev/full", ">&-"] {
                    let blocked = "exec \"$0\" \"$@\" \(place)"
                    for (program, arguments) in [
                        ("posthouse", ["status"] + data), ("posthouse", ["status", "--json"] + data),
                        ("posthouse", ["federation", "members"] + data), ("posthouse", ["invite", "create"] + data),
                        ("posthouse", ["check"] + data), ("posthouse", ["--help"]), ("posthouse", ["--version"]),
                        ("courier", ["whoami", "--profile", alice.profile]), ("courier", ["send", "--help"]),
                    ] {
                        let outcome = try shell(blocked, program, arguments, in: world)
                        #expect(outcome.code == 74 && outcome.errors.contains("The output cannot be written."), "\(place) \(outcome)")
                    }
                }
                // What is written is not read as what comes after: a stream that is closed is no file of the store.
                try harbor.stop()
                let silent = try shell("exec \"$0\" \"$@\" 0<&- >&- 2>&-", "posthouse", ["run"] + data, in: world)
                #expect(silent.code == 74, "\(silent)")
                try harbor.start()
                #expect(try harbor.command(["store", "check"]).code == 0)
            }
        }

        @Test func `an argument that is not UTF-8, or would command a terminal, is refused and harmless`() throws {
            try World.run { world in
                for (program, arguments) in [
                    ("posthouse", #"init --name $'h\xffarbor'"#), ("posthouse", #"status --data $'/tmp/\xc3\x28'"#),
                    ("courier", #"send bob@tower $'caf\xe9'"#), ("courier", #"whoami --profile $'\xff'"#),
                ] {
                    let outcome = try shell("exec \"$0\" \(arguments)", program, [], in: world)
                    #expect(outcome.code == 64 && outcome.errors.contains("UTF-8"), "\(outcome)")
                }
                for (program, arguments) in [
                    ("posthouse", ["\u{1b}[31mfrob"]), ("posthouse", ["run", "--\u{1b}]0;owned\u{7}"]),
                    ("posthouse", ["status", "--data", world.folder + "/\u{1b}[2J"]),
                    ("courier", ["\u{1b}[31mfrob"]), ("courier", ["send", "--\u{9b}31m"]),
                    ("courier", ["whoami", "--profile", "\u{1b}[2J"]),
                ] {
                    let outcome = try world.run(program, arguments)
                    #expect(outcome.code == 64 || outcome.code == 78, "\(outcome)")
                    #expect(!outcome.errors.isEmpty && outcome.lines.isEmpty, "\(outcome)")
                    for scalar in outcome.errors.unicodeScalars {
                        #expect(scalar == "\n" || scalar.value >= 32 && !(127..<160).contains(scalar.value), "\(outcome)")
                    }
                }
            }
        }

        @Test func `a passphrase for a profile that has none is no mistake to pass over`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let alice = try User("alice", at: harbor)
                let file = world.folder + "/passphrase"
                try "open sesame".write(toFile: file, atomically: true, encoding: .utf8)
                let outcome = try alice.command(["whoami", "--passphrase-file", file])
                #expect(outcome.code == 64 && outcome.errors.contains("has no passphrase") && outcome.lines.isEmpty, "\(outcome)")
            }
        }

        @Test func `a passphrase may come by a pipe, and where it cannot be read that is said with the reason`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let profile = ["--profile", world.folder + "/sealed"]
                func piped(_ passphrase: String, _ arguments: [String]) throws -> World.Outcome {
                    let prepare = "exec \"$0\" \"$@\" --passphrase-file <(echo '\(passphrase)')"
                    return try shell(prepare, "courier", arguments + profile, in: world)
                }
                let joined = try piped("open sesame", ["join", try harbor.invitation(), "--handle", "alice"])
                #expect(joined.code == 0, "\(joined)")
                let known = try piped("open sesame", ["whoami"])
                #expect(known.code == 0 && known.lines.first == "alice@harbor", "\(known)")
                #expect(try piped("open barley", ["whoami"]).code == 77)
                for (file, why) in [
                    (world.folder, "Is a directory"), (world.folder + "/none", "No such file"), ("/dev/zero", "more than"),
                    ("/dev/null", "empty"),
                ] {
                    let outcome = try world.run("courier", ["whoami", "--passphrase-file", file] + profile)
                    #expect(outcome.code == 78 && outcome.errors.contains(why), "\(outcome)")
                }
            }
        }

        // MARK: The data folder

        @Test(arguments: ["store.db", "journal", "."])
        func `a node whose files are taken away ends and says so, exit 74`(_ name: String) throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let alice = try User("alice", at: harbor)
                let process = try #require(harbor.process)
                if name == "." {
                    try FileManager.default.moveItem(atPath: harbor.folder, toPath: harbor.folder + ".elsewhere")
                } else {
                    #expect(unlink("\(harbor.folder)/\(name)") == 0)
                }
                #expect(try process.waitForExit() == .code(74))
                #expect(process.errors.contains("moved, replaced or deleted") && process.errors.contains("remedy: Put it back"))
                guard name == "." else { return }
                // Nothing of it was lost.
                try FileManager.default.moveItem(atPath: harbor.folder + ".elsewhere", toPath: harbor.folder)
                try harbor.start()
                #expect(try alice.receive().isEmpty)
            }
        }
    }
}
