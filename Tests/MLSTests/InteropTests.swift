import Foundation
import Testing

/// Mixed groups with mls-rs, live: `Tests/MLSInterop/run` makes the peer's virtual environment and drives both sides.
@Suite struct InteropTests {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let workbench = root.appendingPathComponent(".build/release/workbench").path

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: workbench), "build the workbench in release first"))
    func `our members and those of mls-rs agree at every epoch and read each other`() throws {
        let process = Process()
        process.executableURL = Self.root.appendingPathComponent("Tests/MLSInterop/run")
        process.arguments = [Self.workbench]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(text)")
        #expect(text.contains("interoperates with mls-rs"))
    }
}
