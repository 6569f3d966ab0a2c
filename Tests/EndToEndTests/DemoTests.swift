import Testing

extension EndToEnd {
    @Suite struct Demo {
        @Test func `the demo comes to its end`() throws {
            try World.run { world in
                let shown = try world.must("posthouse", ["demo"])
                #expect(shown.lines.last?.hasPrefix("Done in") == true)
            }
        }
    }
}
