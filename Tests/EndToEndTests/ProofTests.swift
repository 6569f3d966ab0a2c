import Foundation
import Testing

extension EndToEnd {
    /// A short cut of `make proof` (docs/reliability.md). POSTHOUSE_PROOF_SEED chooses another course.
    @Suite struct Proof {
        private static let seed = ProcessInfo.processInfo.environment["POSTHOUSE_PROOF_SEED"] ?? "1"

        /// Restoring takes as long again to come to rest, and shows most of what it shows soon.
        private static let minutes = ["restore": "0.25"]

        /// What must have happened at least, for the run to show anything.
        @Test(arguments: [
            ("kill-sweep", ["kill_points", "messages", "shown"]), ("client-kills", ["kill_points"]), ("backup-kills", ["kill_points"]),
            ("io-sweep", ["calls_that_failed"]), ("power-cut", ["images", "messages"]), ("damage", ["damaged_copies"]),
            ("restore", ["restorations", "profiles_put_back", "messages"]),
        ])
        func `faults break no promise`(scenario: String, figures: [String]) throws {
            try World.run { world in
                let folder = world.folder + "/proof"
                let minutes = Self.minutes[scenario] ?? "0.34"
                let outcome = try world.run(
                    "workbench", ["proof", scenario, "--minutes", minutes, "--seed", Self.seed, "--resume", folder], within: .seconds(150))
                #expect(outcome.exit == .code(0), "seed \(Self.seed): \(outcome)")
                let lines = try String(contentsOfFile: folder + "/parts.jsonl", encoding: .utf8).split(separator: "\n")
                let parts = try lines.map { try JSONDecoder().decode(Part.self, from: Data($0.utf8)) }
                #expect(parts.flatMap(\.violations) == [])
                let reasons = Set(parts.flatMap(\.skipped))
                for reason in reasons.sorted() { skipped(scenario, reason) }
                guard reasons.isEmpty else { return }
                let all = parts.flatMap(\.figures)
                for name in figures { #expect(all.contains { $0.key == name && $0.value > 0 }, "no \(name) in \(all)") }
                measured("\(scenario), seed \(Self.seed): " + all.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
            }
        }

        private struct Part: Decodable {
            struct Figure: Decodable {
                let key: String
                let value: Double
            }
            let figures: [Figure]
            let violations, skipped: [String]
        }
    }
}
