import Testing

extension EndToEnd {
    /// `workbench load flood`, for a second each: what becomes of bystanders, memory and the node. How much slower bystanders are it
    /// measures too, but a test depends on no time: docs/performance.md has the figures.
    @Suite struct Floods {
        @Test func `a client, a member node and strangers that flood harm no bystander, and are told why they are refused`() throws {
            try World.run { world in
                let arguments = "load flood client node strangers --seconds 1 --rate 100 --pairs 5 --json"
                let outcome = try world.run("workbench", arguments.split(separator: " ").map(String.init), within: .seconds(240))
                let lines = outcome.json
                for line in lines { measured("\(line)") }
                #expect(outcome.exit == .code(0), "\(outcome)")
                #expect(lines.map { $0.text("scenario") } == ["flood-client", "flood-node", "flood-strangers"], "\(outcome)")
                for line in lines {
                    #expect(line.number("alive") == 1 && line.number("bystanders_failed") == 0, "\(line)")
                    #expect((line.number("rss_peak_kib") ?? .max) <= 256 * 1024, "\(line)")
                    #expect((line.number("flood_sent") ?? 0) > 20, "\(line)")
                }
                let reasons = lines.map { line in line.keys.filter { $0.hasPrefix("refused_") && (line.number($0) ?? 0) > 0 } }
                let expected = [["refused_rateLimited"], ["refused_unknownUser"], ["refused_badFrame", "refused_authenticationFailed"]]
                for (told, wanted) in zip(reasons, expected) { #expect(told.isSuperset(of: wanted), "\(reasons)") }
            }
        }
    }
}
