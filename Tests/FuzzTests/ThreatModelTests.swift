import Foundation
import Testing

/// `docs/threat-model.md` names the tests that show what it says; here that is held against the tests there are.
@Suite struct ThreatModelTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func page() throws -> String {
        try String(contentsOf: Self.root.appending(path: "docs/threat-model.md"), encoding: .utf8)
    }

    /// What stands between backticks and is a sentence: names of settings and commands have no three words.
    private func sentences(in text: String) -> [String] {
        text.components(separatedBy: "`").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
            .filter { $0.split(separator: " ").count >= 3 && !$0.hasPrefix("grep ") && !$0.hasPrefix("workbench ") }
    }

    /// The names of all tests of the package.
    private func tests() throws -> Set<String> {
        var names: Set<String> = []
        let folder = Self.root.appending(path: "Tests").resolvingSymlinksInPath()
        for case let file as URL in try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        where file.pathExtension == "swift" {
            for piece in try String(contentsOf: file, encoding: .utf8).components(separatedBy: "@Test").dropFirst() {
                let parts = piece.components(separatedBy: "func `")
                if parts.count >= 2, let end = parts[1].firstIndex(of: "`") { names.insert(String(parts[1][..<end])) }
            }
        }
        return names
    }

    @Test func `every test that the threat model names exists`() throws {
        let (named, there) = (sentences(in: try page()), try tests())
        #expect(named.count > 60 && there.count > 500)
        for name in named { #expect(there.contains(name), "no such test: \(name)") }
    }

    @Test func `each adversary has what it can do, what it cannot, and a test`() throws {
        let adversaries = try page().components(separatedBy: "\n## ").dropFirst().filter { !$0.hasPrefix("Not protected") }
        #expect(adversaries.count == 9)
        for section in adversaries {
            let title = section.prefix { $0 != "\n" }
            #expect(section.contains("- Can") || title == "Who makes up users or nodes", "\(title)")
            #expect(!sentences(in: section).isEmpty, "\(title)")
        }
    }
}
