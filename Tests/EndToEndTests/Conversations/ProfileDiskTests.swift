import Testing

extension EndToEnd {
    /// Checklist C 2: what a device could not store it has not had.
    @Suite struct ProfileDisk {
        /// The how-manieth `fdatasync` of a command fails.
        @Test(arguments: [1, 2, 3, 5])
        func `a device whose disk fails ends with exit 74, says delivered of nothing it has not stored, and shows all once`(sync: Int)
            throws
        {
            try World.run { world in
                guard try world.run("/usr/bin/env", ["strace", "-o", "/dev/null", "true"]).code == 0 else {
                    return skipped("a failing disk of a device", "strace is missing or not permitted here")
                }
                let harbor = try Node.found("harbor", in: world)
                let (alice, bob) = (try User("alice", at: harbor), try User("bob", at: harbor))
                try bob.expect(alice)
                let texts = (1...5).map { "message \($0)" }
                for text in texts { try alice.deliver(text, to: bob, wait: "accepted") }

                let failing = try world.run(
                    "/usr/bin/env",
                    ["strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=\(sync)+"]
                        + ["\(World.programsFolder)/courier", "receive", "--json", "--profile", bob.profile])
                #expect(failing.code == 74 && failing.errors.contains("remedy: "), "\(failing)")
                let said = try alice.history(with: bob).filter(\.isDelivered).compactMap { $0.text("text") }
                let stored = try bob.history(with: alice).compactMap { $0.text("text") }
                #expect(Set(said).isSubset(of: stored), "\(said) is more than \(stored)")

                _ = try bob.receive()
                #expect(try bob.history(with: alice).compactMap { $0.text("text") } == texts)
                try alice.deliver("the end", to: bob, wait: "accepted")
                #expect(try bob.receive().compactMap { $0.text("text") } == ["the end"])
            }
        }
    }
}
