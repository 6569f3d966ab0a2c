import Testing

extension EndToEnd {
    /// What is wanted of somebody who is not there: kept, and done as soon as it can be.
    @Suite struct Absence {
        @Test func `somebody whose home is down is added when it is back, and the command says so`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob, carol) = (try User("alice", at: harbor), try User("bob", at: tower), try User("carol", at: harbor))
                let group = try Group("team", by: alice, with: [carol])
                try eventually("harbor knows bob") { try harbor.knows(bob.address) }
                tower.crash()
                let outcome = try alice.command(["group", "add", group.id, bob.address])
                #expect(outcome.code == 75 && outcome.errors.contains(bob.address) && outcome.errors.contains("tried again"), "\(outcome)")
                #expect(try group.members(seenBy: alice)[bob.address] == nil)
                try group.deliver("the others go on", by: alice)

                try tower.start()
                let follower = try alice.follow()
                try eventually("bob is in") { try group.members(seenBy: alice)[bob.address] == "member" }
                try group.deliver("welcome", by: alice)
                let seen = try bob.receive()
                #expect(seen.compactMap { $0.text("text") } == ["welcome"] && seen.first?.text("change") == "joined", "\(seen)")
                #expect(follower.ofType("alarm").isEmpty)
            }
        }

        @Test func `a first message waits in the outbox for a home that is down, and at home for a user who is away`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: tower))
                try eventually("harbor knows bob") { try harbor.knows(bob.address) }
                tower.crash()
                let kept = try alice.send("first", to: bob, timeout: "1s")
                #expect(kept.code == 75 && kept.json.last?.text("state") == "queued", "\(kept)")
                try tower.start()
                try eventually("it goes out") {
                    _ = try alice.receive()
                    return try alice.command(["outbox", "--json"]).json.isEmpty
                }
                harbor.crash()
                #expect(try bob.receive().map { "\($0.text("type") ?? ""): \($0.text("text") ?? "")" } == ["request: first"])
            }
        }

        /// Each founds a conversation of its own; one of the two is given up.
        @Test func `two who write to each other for the first time at the same moment have one thread`() throws {
            try World.run { world in
                let harbor = try Node.found("harbor", in: world)
                let tower = try harbor.invite("tower")
                let pairs = try (0..<4).map { (try User("alice\($0)", at: harbor), try User("bob\($0)", at: $0 % 2 == 0 ? tower : harbor)) }
                for (alice, bob) in pairs {
                    try eventually("they are known") { try harbor.knows(bob.address) && tower.knows(alice.address) }
                }
                let hands = pairs.flatMap { [($0, $1), ($1, $0)] }
                for outcome in try together(hands, { try $0.send("from \($0.handle)", to: $1, timeout: "30s") }) {
                    #expect(outcome.code == 0, "\(outcome)")
                }
                for (alice, bob) in pairs {
                    let receivers = [try alice.follow(), try bob.follow()]
                    try eventually("both are shown") {
                        receivers[0].texts == ["from \(bob.handle)"] && receivers[1].texts == ["from \(alice.handle)"]
                    }
                    for round in 1...2 {
                        try alice.deliver("\(round) of alice", to: bob)
                        try bob.deliver("\(round) of bob", to: alice)
                    }
                    let (mine, theirs) = (try alice.history(with: bob), try bob.history(with: alice))
                    #expect(
                        Set(mine.suffix(4).map { $0.text("conversation") } + theirs.suffix(4).map { $0.text("conversation") }).count == 1)
                    #expect(Set(mine.compactMap { $0.text("text") }) == Set(theirs.compactMap { $0.text("text") }))
                    #expect(mine.count == 6 && theirs.count == 6, "\(mine) \(theirs)")
                    for receiver in receivers {
                        #expect(receiver.ofType("alarm").isEmpty)
                        receiver.destroy()
                    }
                }
            }
        }
    }
}
