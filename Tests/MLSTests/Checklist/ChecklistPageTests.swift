import Foundation
import MLS
import Testing
import Vocabulary

/// `MLS.docc/Checklist.md` says which test shows what; here that is held against the tests and against `MLSError.swift`.
@Suite struct ChecklistPageTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The rows of one table: what stands left, and the tests named right.
    func rows(under heading: String) throws -> [(left: String, tests: [String])] {
        let page = try String(contentsOf: Self.root.appendingPathComponent("Sources/MLS/MLS.docc/Checklist.md"), encoding: .utf8)
        let section = try #require(page.components(separatedBy: "\n## ").first { $0.hasPrefix(heading) })
        return section.split(separator: "\n").filter { $0.hasPrefix("| ") }.dropFirst().map { line in
            let cells = line.components(separatedBy: " | ")
            return (
                String(cells[0].dropFirst(2)),
                cells[1...].joined().components(separatedBy: "`").enumerated().filter { $0.offset % 2 == 1 }.map(\.element)
            )
        }
    }

    /// Each test's text, by its name.
    func bodies() throws -> [String: String] {
        var bodies: [String: String] = [:]
        let folder = Self.root.appendingPathComponent("Tests/MLSTests").resolvingSymlinksInPath()
        for case let file as URL in try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)) {
            guard file.pathExtension == "swift" else { continue }
            for piece in try String(contentsOf: file, encoding: .utf8).components(separatedBy: "@Test").dropFirst() {
                let parts = piece.components(separatedBy: "func `")
                guard parts.count == 2, let end = parts[1].firstIndex(of: "`") else { continue }
                let name = String(parts[1][..<end])
                #expect(bodies.updateValue(String(parts[1][end...]), forKey: name) == nil, "two tests are named: \(name)")
            }
        }
        return bodies
    }

    /// The cases of an enumeration in `MLSError.swift`, with whether a rule is inside.
    func cases(of name: String) throws -> [(name: String, rule: String?)] {
        let text = try String(contentsOf: Self.root.appendingPathComponent("Sources/MLS/MLSError.swift"), encoding: .utf8)
        let body = try #require(text.components(separatedBy: "public enum \(name):").last?.components(separatedBy: "\n}").first)
        var cases: [(name: String, rule: String?)] = []
        for line in body.split(separator: "\n").map({ $0.trimmingCharacters(in: .whitespaces) }) where line.hasPrefix("case ") {
            var depth = 0
            var word = ""
            for letter in line.dropFirst(5) + "," {
                depth += letter == "(" ? 1 : letter == ")" ? -1 : 0
                guard letter == ",", depth == 0 else {
                    word.append(letter)
                    continue
                }
                let parts = word.trimmingCharacters(in: .whitespaces).split(separator: "(")
                let inside = parts.count > 1 ? String(parts[1].dropLast()) : nil
                cases.append((String(parts[0]), inside.flatMap { $0.hasSuffix("Rule") ? $0 : nil }))
                word = ""
            }
        }
        return cases
    }

    @Test(arguments: ["The checklist", "The rules of RFC 9420", "The errors"])
    func `every row of the checklist's page names tests, and all of them exist`(heading: String) throws {
        let bodies = try bodies()
        let rows = try rows(under: heading)
        #expect(rows.count > 40)
        for row in rows {
            #expect(!row.tests.isEmpty, "\(row.left)")
            for test in row.tests { #expect(bodies[test] != nil, "\(row.left): there is no test named: \(test)") }
        }
    }

    @Test func `every point of the checklist has its rows, and every chapter of rules`() throws {
        let points = try rows(under: "The checklist").compactMap { $0.left.split(separator: " ").first }
        #expect(Set(points) == Set((1...14).map { "L\($0)" }))
        let chapters = try rows(under: "The rules of RFC 9420").map(\.left)
        for chapter in ["§7.3 ", "§10.1 ", "§12.2 ", "§12.3 ", "§12.4 ", "§12.4.2 ", "§12.4.3.1 "] {
            #expect(chapters.contains { $0.hasPrefix(chapter) })
        }
    }

    @Test func `every error is provoked by the test that its row names first`() throws {
        let bodies = try bodies()
        let rows = try rows(under: "The errors").map { (left: $0.left.replacingOccurrences(of: "`", with: ""), tests: $0.tests) }
        var expected: [String] = []
        for item in try cases(of: "MLSError") {
            if let rule = item.rule {
                expected += try cases(of: rule).map { "\(item.name).\($0.name)" }
            } else {
                expected.append(item.name)
            }
        }
        #expect(expected.count > 90)
        #expect(rows.map(\.left) == expected)
        for row in rows {
            let last = "." + (row.left.split(separator: ".").last.map(String.init) ?? "")
            let body = row.tests.first.flatMap { bodies[$0] } ?? ""
            #expect(
                body.contains(last + "(") || body.contains(last + ")") || body.contains(last + ",") || body.contains(last + " "),
                "\(row.left)")
        }
    }
}
