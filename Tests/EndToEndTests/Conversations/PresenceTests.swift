import Testing

extension EndToEnd {
    @Suite struct PresenceAcrossNodes {
        /// Both have written to the other: each holds the other's token. Nobody follows.
        private func acquaint(_ alice: User, _ bob: User) throws {
            for (one, other) in [(alice, bob), (bob, alice)] { try one.expect(other) }
            try alice.deliver("hello", to: bob, wait: "accepted")
            try eventually("bob has it") { try bob.receive().contains { $0.text("text") == "hello" } }
            try bob.deliver("hello yourself", to: alice, wait: "accepted")
            _ = try alice.receive()
        }

        @Test func `a node that dies takes its users offline elsewhere within ten seconds, and they are online when it is back`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try alice.expect(bob)
                try bob.expect(alice)
                let follower = try bob.follow()
                try alice.deliver("hello", to: bob)
                try bob.deliver("hello yourself", to: alice, wait: "accepted")
                let watcher = try world.start("courier", ["presence", bob.address, "--follow", "--json", "--profile", alice.profile])
                func state() -> String? { watcher.ofType("presence").last?.text("state") }
                try eventually("bob is online") { state() == "online" }
                let start = ContinuousClock.now
                tower.crash()
                // Whether bob shares when that was, the node that is left may not know.
                try eventually("bob is offline", within: .seconds(20)) { state() != "online" }
                let time = ContinuousClock.now - start
                measured("a dead node's user is offline after \(time)")
                // The promise is about the node's time-outs, not about this machine: they are far below.
                #expect(time < .seconds(10))
                try tower.start()
                try eventually("bob is online again") { state() == "online" }
                #expect(follower.ended == nil)
            }
        }

        @Test func `a user whose node is dead is not said to share nothing`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try acquaint(alice, bob)
                tower.crash()
                // It has never heard when bob was there.
                try harbor.restart()
                #expect(try alice.command(["presence", bob.address]).lines == ["unknown: the node of bob@tower cannot be reached"])
                let line = try alice.command(["presence", bob.address, "--json"]).json.last
                #expect(
                    line?.text("state") == "unknown" && line?.text("reason") == "the node of bob@tower cannot be reached", "\(line as Any)")
                try tower.start()
                // It does not know yet either, but not for the same reason.
                try eventually("tower is asked") {
                    try alice.command(["presence", bob.address]).lines
                        == ["unknown: the node of bob@tower has not heard of the user since it started"]
                }
            }
        }

        @Test func `a user whose node was restarted is unknown until the user's device was there`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try acquaint(alice, bob)
                func seen() throws -> [String] { try alice.command(["presence", bob.address]).lines }
                #expect(try seen().first?.hasPrefix("last seen") == true)
                for isKilled in [true, false] {
                    if isKilled {
                        harbor.crash()
                        try harbor.start()
                    } else {
                        try harbor.restart()
                    }
                    let reason = "the node of bob@harbor has not heard of the user since it started"
                    #expect(try seen() == ["unknown: \(reason)"])
                    let line = try alice.command(["presence", bob.address, "--json"]).json.last
                    #expect(line?.text("state") == "unknown" && line?.text("reason") == reason, "\(line as Any)")
                    _ = try bob.receive()
                    #expect(try seen().first?.hasPrefix("last seen") == true)
                }
            }
        }

        @Test func `whether last seen is shared holds when the command is done, and with the next session where the node is down`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try acquaint(alice, bob)
                func seen() throws -> String { try alice.command(["presence", bob.address]).lines.joined(separator: "\n") }
                #expect(try seen().hasPrefix("last seen"))
                for (value, start) in [("off", "not shared"), ("on", "last seen"), ("off", "not shared"), ("on", "last seen")] {
                    let set = try bob.command(["settings", "set", "last-seen", value])
                    #expect(set.code == 0 && set.errors.isEmpty && set.lines == ["last-seen \(value)"], "\(set)")
                    #expect(try seen().hasPrefix(start))
                }
                harbor.crash()
                let set = try bob.command(["settings", "set", "last-seen", "off"])
                #expect(set.code == 0 && set.lines == ["last-seen off"], "\(set)")
                #expect(set.errors.contains("cannot be reached") && set.errors.contains("your node learns of it with the next command"))
                // Read receipts are this device's own.
                let other = try bob.command(["settings", "set", "read-receipts", "off"])
                #expect(other.code == 0 && other.errors.isEmpty, "\(other)")
                try harbor.start()
                _ = try bob.receive()
                #expect(try seen() == "not shared")
            }
        }

        @Test func `who is blocked learns no more than of a user who is not there`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let (bob, mallory) = (try User("bob", at: harbor), try User("mallory", at: harbor))
                try bob.command(["contact", "block", mallory.address])
                let refused = try mallory.send("let me in", to: bob, timeout: "20s")
                #expect(refused.code != 0, "\(refused)")
                #expect(!"\(refused)".contains("block") && !refused.errors.contains("warning"), "\(refused)")
                _ = try bob.follow()
                // Who blocked, a stranger, and nobody.
                let stranger = try User("carol", at: harbor)
                for address in [bob.address, stranger.address, "nobody@harbor"] {
                    let told = try mallory.command(["presence", address])
                    #expect(told.lines == ["not shared"] && told.code == 0, "\(address): \(told)")
                }
                try bob.command(["contact", "unblock", mallory.address])
                #expect(try mallory.send("now?", to: bob, timeout: "20s").code == 0)
            }
        }

        @Test func `what a blocked contact writes is not shown, and the sender sees no more than that it left`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try alice.expect(bob)
                let receiver = try bob.follow()
                try bob.deliver("hello", to: alice, wait: "accepted")
                try alice.deliver("hello", to: bob)
                #expect(try bob.command(["contact", "block", alice.address]).code == 0)
                let unheard = try alice.send("unheard", to: bob, wait: "delivered", timeout: "2s")
                #expect(unheard.code == 21 && unheard.json.last?.text("state") == "accepted", "\(unheard)")
                #expect(try bob.command(["contact", "unblock", alice.address]).code == 0)
                try bob.deliver("again", to: alice, wait: "accepted")
                #expect(try alice.receive().compactMap { $0.text("text") } == ["hello", "again"])
                #expect(receiver.texts == ["hello"])
            }
        }
    }
}
