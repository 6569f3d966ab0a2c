import Testing

extension EndToEnd {
    /// `workbench simulate`, as a process: Swift seeds its hashes anew in each, so that what depends on the order of a Set shows here.
    @Suite struct Simulate {
        @Test func `two processes with one seed write the same trace, byte for byte`() throws {
            try World.run { world in
                let arguments = [
                    "simulate", "--seed", "5", "--nodes", "3", "--clients", "5", "--minutes", "0.3", "--pause", "2", "--trace",
                ]
                let (first, second) = (try world.must("workbench", arguments), try world.must("workbench", arguments))
                #expect(first.lines.count > 2_000)
                #expect(first.lines == second.lines)
            }
        }

        @Test func `a run that fails says with which command it can be had again`() throws {
            try World.run { world in
                let arguments = [
                    "simulate", "--seed", "1", "--nodes", "3", "--clients", "4", "--minutes", "0.2", "--pause", "2", "--faults", "none",
                    "--plant", "showsTwice",
                ]
                let outcome = try world.run("workbench", arguments)
                #expect(outcome.exit == .code(1))
                let command = try #require(outcome.lines.last)
                #expect(command.hasPrefix("replay: workbench simulate --seed 1 --nodes 3 --clients 4"))
                let again = try world.run("workbench", command.split(separator: " ").dropFirst(2).map(String.init))
                #expect(again.exit == .code(1) && again.lines == outcome.lines)
            }
        }
    }
}
