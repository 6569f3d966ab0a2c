import Testing

extension EndToEnd {
    /// `workbench load flood`, for a few seconds each: what becomes of bystanders, memory and the node. How much slower bystanders are it
    /// measures too, but a test depends on no time: docs/performance.md has the figures of an idle machine.
    @Suite struct Floods {
        private func flood(_ kind: String, in world: World) throws -> JSONLine {
            let outcome = try world.run(
                "workbench", ["load", "flood", kind, "--seconds", "3", "--rate", "100", "--pairs", "5", "--json"], within: .seconds(240))
            let line = try #require(outcome.json.first, "\(outcome)")
            measured("\(line)")
            #expect(outcome.exit == .code(0), "\(outcome)")
            #expect(line.number("alive") == 1)
            #expect(line.number("bystanders_failed") == 0)
            #expect((line.number("rss_peak_kib") ?? .max) <= 256 * 1024)
            #expect((line.number("flood_sent") ?? 0) > 100)
            return line
        }

        @Test func `one client that floods harms no bystander, and is told why it is refused`() throws {
            try World.run { world in
                let line = try flood("client", in: world)
                #expect((line.number("refused_rateLimited") ?? 0) > 0, "\(line)")
            }
        }

        @Test func `one member node that floods harms no bystander`() throws {
            try World.run { world in
                let line = try flood("node", in: world)
                #expect((line.number("refused_unknownUser") ?? 0) > 0, "\(line)")
            }
        }

        @Test func `strangers that flood harm no bystander`() throws {
            try World.run { world in
                let line = try flood("strangers", in: world)
                #expect((line.number("refused_badFrame") ?? 0) > 0 && (line.number("refused_authenticationFailed") ?? 0) > 0, "\(line)")
            }
        }
    }
}
