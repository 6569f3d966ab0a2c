import Foundation
import MLSVectors
import Testing

/// The official vectors, read in place: `../shared/vectors/mls` beside the package.
@Suite struct VectorTests {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("shared/vectors/mls")

    @Test(arguments: [
        ("deserialization", 14), ("tree-math", 10), ("crypto-basics", 2), ("secret-tree", 6), ("message-protection", 2),
        ("key-schedule", 2), ("psk_secret", 22), ("transcript-hashes", 2), ("welcome", 2), ("tree-operations", 5),
        ("tree-validation", 28), ("treekem", 22), ("messages", 300), ("passive-client-welcome", 16),
        ("passive-client-handling-commit", 26), ("passive-client-random.first-half", 1),
    ])
    func `every case of the official vectors holds`(name: String, count: Int) throws {
        let outcome = try VectorFile.run(Self.folder.appendingPathComponent("\(name).json").path)
        #expect(outcome.failures == [])
        #expect(outcome.passed == count)
    }
}
