import Foundation
import Testing

/// `docs/protocol/checklist.md` says which test shows what; here that is held against the tests.
@Suite struct ConversationChecklistPageTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The names of all tests.
    private func names() throws -> Set<String> {
        let folder = Self.root.appendingPathComponent("Tests").resolvingSymlinksInPath()
        var names: Set<String> = []
        for case let file as URL in try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)) {
            guard file.pathExtension == "swift" else { continue }
            for piece in try String(contentsOf: file, encoding: .utf8).components(separatedBy: "func `").dropFirst() {
                if let end = piece.firstIndex(of: "`") { names.insert(String(piece[..<end])) }
            }
        }
        return names
    }

    @Test func `every point of the checklist for devices and hubs names tests, and all of them exist`() throws {
        let page = try String(contentsOf: Self.root.appendingPathComponent("docs/protocol/checklist.md"), encoding: .utf8)
        let rows = page.split(separator: "\n").filter { $0.hasPrefix("| C") || $0.hasPrefix("| H") }
        let names = try names()
        for row in rows {
            let tests = row.components(separatedBy: "`").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
            #expect(!tests.isEmpty, "\(row)")
            for test in tests { #expect(names.contains(test), "there is no test named: \(test)") }
        }
        let points = Set(rows.compactMap { $0.dropFirst(2).split(separator: " ").first.map(String.init) })
        #expect(points == Set((1...11).map { "C\($0)" } + (1...6).map { "H\($0)" }))
    }
}
