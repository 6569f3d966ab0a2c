import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// `courier chat` in a real terminal.
    @Suite struct Chat {
        private typealias Chatter = (user: User, terminal: Multiplexer)

        /// Two users on two nodes, each in a terminal with the chat open and bob's request accepted.
        private func chatting(_ body: (World, Chatter, Chatter) throws -> Void) throws {
            try chattingAtHub { world, _, alice, bob in try body(world, alice, bob) }
        }

        /// With alice's home, which is the hub.
        private func chattingAtHub(_ body: (World, Node, Chatter, Chatter) throws -> Void) throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                let (left, right) = (try Multiplexer(world, "alice"), try Multiplexer(world, "bob"))
                defer {
                    left.close()
                    right.close()
                }
                try left.start("courier", ["chat", "--profile", alice.profile])
                try left.wait("no conversations yet")
                try left.enter("/open \(bob.address)")
                try left.wait("the conversation is shown") { $0.first?.contains("bob@tower") == true }
                try left.enter("hello, bob")
                try left.wait("✓")
                try right.start("courier", ["chat", "--profile", bob.profile])
                try right.wait("wants to write to you")
                try right.wait("hello, bob")
                try right.enter("/accept")
                try right.wait("accepted") { rows in !rows.contains { $0.contains("wants to write to you") } }
                try body(world, harbor, (alice, left), (bob, right))
            }
        }

        @Test func `two users on two nodes chat, see ticks turn, and see each other type`() throws {
            try chatting { _, alice, bob in
                try alice.terminal.wait("its tick turns") { $0.contains { $0.contains("✓✓✓ you") && $0.contains("hello, bob") } }
                try bob.terminal.enter("hello, alice")
                try alice.terminal.wait("hello, alice")
                try bob.terminal.wait("✓✓✓ you")
                try bob.terminal.type("I am wri")
                try alice.terminal.wait("typing is shown") { $0.first?.contains("typing") == true }
                try bob.terminal.press("C-c")
                try alice.terminal.wait("typing is over") { $0.first?.contains("typing") == false }
                try bob.terminal.press("C-c")
                try bob.terminal.wait("ready>")
                try alice.terminal.enter("are you there?")
                try alice.terminal.wait("it waits for bob") {
                    $0.contains { $0.contains("✓   you       are you there?") }
                }
                try bob.terminal.start("courier", ["chat", "--profile", bob.user.profile])
                try alice.terminal.wait("✓✓✓ you       are you there?")
            }
        }

        @Test func `hostile text changes nothing but its own line`() throws {
            try chatting { _, alice, bob in
                try bob.terminal.enter("before")
                try alice.terminal.wait("before")
                let title = try #require(alice.terminal.screen().first)
                for (count, text) in Self.hostileTexts.enumerated() {
                    _ = try bob.user.deliver(text, to: alice.user)
                    _ = try bob.user.deliver("after \(count).", to: alice.user)
                    try alice.terminal.wait("after \(count).")
                    let rows = try alice.terminal.screen()
                    #expect(rows.first?.hasPrefix(title.prefix(30)) == true, "\(rows)")
                    #expect(rows.last { !$0.isEmpty }?.hasPrefix(">") == true, "\(rows)")
                    #expect(
                        rows.filter { $0.contains("│") }.allSatisfy { $0.split(separator: "│")[0].count == 24 },
                        "\(rows)")
                    #expect(rows.contains { $0.hasSuffix("bob@tower after \(count).") }, "\(rows)")
                    #expect(!rows.contains { $0.contains("│12:00") }, "nothing looks like a line of somebody else: \(rows)")
                }
                #expect(try alice.terminal.mode("alternate_on") == "1")
            }
        }

        /// Zero bytes cannot be given to a command; the rest is what terminals obey.
        private static let hostileTexts = [
            "\u{1b}[2J\u{1b}[H", "\u{1b}]0;title\u{7}", "\u{1b}]52;c;aGk=\u{1b}\\", "\u{1b}c", "\u{9b}2J",
            "\u{7}\u{8}\u{c}\u{e}\u{f}\u{7f}", "a\rb\u{b}c",
            "\u{1b}[?1049l\u{1b}[?7h", "\u{202e}txet\u{202c}\u{2066}x\u{2069}",
            "\u{200b}\u{200f}\u{feff}\u{2028}\u{85}", "\u{301}lone",
            "e" + String(repeating: "\u{301}", count: 60), "👩‍👩‍👧‍👦🇩🇪👍🏽字", "one\n12:00 ✓✓✓ you       forged",
            String(repeating: "x", count: 400),
        ]

        @Test func `a group is made, written to and read, and who has read is told`() throws {
            try chatting { _, alice, bob in
                try alice.terminal.enter("/group \"the team\" \(bob.user.address)")
                try alice.terminal.wait("added bob@tower")
                try alice.terminal.enter("hello, team")
                try bob.terminal.wait("it is listed as unread") { $0.contains { $0.contains("the team") && $0.contains("(") } }
                try bob.terminal.press("Tab")
                try bob.terminal.wait("hello, team")
                try alice.terminal.wait("read by all") { $0.contains { $0.contains("✓✓✓ you") && $0.contains("hello, team") } }
                try alice.terminal.enter("/receipts")
                try alice.terminal.wait("bob@tower: has it since")
                try alice.terminal.press("Escape")
                try bob.terminal.enter("/leave")
                try alice.terminal.wait("bob@tower left")
            }
        }

        @Test func `a chat shows what another process receives, and goes on when that one is killed`() throws {
            try chatting { _, alice, bob in
                try bob.terminal.press("C-c")
                try bob.terminal.wait("ready>")
                let receiver = try bob.user.follow()
                try eventually("it has the profile") { !receiver.lines.isEmpty || receiver.ended != nil || bob.user.isOwned }
                try bob.terminal.start("courier", ["chat", "--profile", bob.user.profile])
                try bob.terminal.wait("hello, bob")
                try alice.terminal.enter("one")
                try bob.terminal.wait("alice@harbor one")
                receiver.destroy()
                try bob.terminal.enter("two")
                try alice.terminal.wait("bob@tower two")
                try alice.terminal.enter("three")
                try bob.terminal.wait("alice@harbor three")
                try bob.terminal.wait("two is told once") { $0.count { $0.hasSuffix(" two") } == 1 }
            }
        }

        @Test func `what is written while the node is away goes out when it is back`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                let terminal = try Multiplexer(world, "alice")
                defer { terminal.close() }
                try alice.deliver("hello", to: bob, wait: "accepted")
                try terminal.start("courier", ["chat", "--profile", alice.profile])
                try terminal.wait("hello")
                harbor.crash()
                try terminal.wait("offline")
                try terminal.enter("later")
                try terminal.wait("·   you later")
                try harbor.start()
                try terminal.wait("✓   you later")
                #expect(try bob.receive().compactMap { $0.text("text") } == ["hello", "later"])
            }
        }

        @Test func `a hub that forgot what it had ordered raises an alarm that both see, and they write on without it`() throws {
            try chattingAtHub { world, harbor, alice, bob in
                let copy = world.folder + "/copy"
                try alice.terminal.wait("its tick turns") { $0.contains { $0.contains("✓✓✓ you") } }
                try harbor.stop()
                try FileManager.default.copyItem(atPath: harbor.folder, toPath: copy)
                try harbor.start()
                try alice.terminal.enter("forgotten")
                try bob.terminal.wait("alice@harbor forgotten")
                harbor.crash()
                try FileManager.default.removeItem(atPath: harbor.folder)
                try FileManager.default.moveItem(atPath: copy, toPath: harbor.folder)
                try harbor.start()
                // As many as it forgot get numbers for the second time.
                for text in 1...8 { try alice.terminal.enter("after \(text)") }
                try alice.terminal.wait("!!! alarm: ")
                try bob.terminal.wait("!!! alarm: ")
                try alice.terminal.enter("in a new conversation")
                try bob.terminal.wait("alice@harbor in a new conversation")
            }
        }

        @Test func `without a terminal or a profile it says so`() throws {
            try World.run { world in
                #expect(try world.run("courier", ["chat"]).code == 64)
                let terminal = try Multiplexer(world, "t")
                defer { terminal.close() }
                try terminal.start("courier", ["chat", "--profile", "\(world.folder)/nobody"])
                try terminal.wait("There is no profile in")
                #expect(try terminal.mode("alternate_on") == "0")
            }
        }

        @Test func `it works at 80x24, after each resize, and without colour`() throws {
            try World.run { world in
                let alice = try User("alice", at: Node.found("harbor", in: world))
                for (environment, isColoured) in [
                    ([String](), true), (["NO_COLOR=1"], false), (["TERM=dumb"], false), (["LC_ALL=C"], true),
                ] {
                    let terminal = try Multiplexer(
                        world, "t\(environment.first ?? "")", environment: environment)
                    defer { terminal.close() }
                    try terminal.start("courier", ["chat", "--profile", alice.profile])
                    try terminal.wait("no conversations yet")
                    for (columns, rows) in [(40, 10), (132, 43), (20, 4), (80, 24)] {
                        try terminal.resize(columns: columns, rows: rows)
                        try terminal.wait("the input is at the bottom of \(columns)x\(rows)") {
                            $0.count == rows && $0.last?.hasPrefix(">") == true
                        }
                    }
                    try terminal.enter("/help")
                    try terminal.wait("/group NAME MEMBER...")
                    let colours = try terminal.screen(withStyles: true).contains {
                        $0.contains("\u{1b}[3") && !$0.contains("\u{1b}[39")
                    }
                    #expect(!colours || isColoured)
                    try terminal.press("C-c")
                    try terminal.wait("ready>")
                }
            }
        }

        @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGABRT, SIGILL, SIGTRAP, SIGKILL])
        func `the terminal is as it was, whatever signal ends the chat`(number: Int32) throws {
            try World.run { world in
                let alice = try User("alice", at: Node.found("harbor", in: world))
                let terminal = try Multiplexer(world, "t")
                defer { terminal.close() }
                let before = try terminal.settings()
                try terminal.start("courier", ["chat", "--profile", alice.profile])
                try terminal.wait("no conversations yet")
                #expect(try terminal.mode("alternate_on") == "1")
                let pid = try #require(terminal.pid)
                kill(pid, number)
                try eventually("it has ended") { kill(pid, 0) != 0 }
                try eventually("the screen is back") { try terminal.mode("alternate_on") == "0" }
                #expect(try terminal.settings() == before)
                #expect(try terminal.mode("wrap_flag") == "1" && terminal.mode("cursor_flag") == "1")
                #expect(try terminal.screen().contains { $0.contains("ready>") })
            }
        }
    }
}
