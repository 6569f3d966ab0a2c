import Foundation

struct NeverHappened: Error, CustomStringConvertible {
    let description: String
}

/// Waits for a condition of the outer world: the one place where a test lets time pass.
///
/// The limit is far above what is needed, so that only something that never comes reaches it; how long it took is nobody's assertion.
/// - Parameter every: milliseconds between two looks.
func eventually(
    _ what: String, within limit: Duration = .seconds(60), every: UInt32 = 15, _ condition: () throws -> Bool
) throws {
    let start = ContinuousClock.now
    while true {
        if try condition() { return }
        guard ContinuousClock.now - start < limit else { throw NeverHappened(description: "Not within \(limit): \(what)") }
        usleep(every * 1000)
    }
}

/// What an experiment needs and this machine lacks: said aloud, since a silent skip looks like a pass.
func skipped(_ test: String, _ reason: String) {
    FileHandle.standardError.write(Data("SKIPPED \(test): \(reason)\n".utf8))
}

/// A figure for whoever reads the log; no assertion hangs on it.
func measured(_ what: String) {
    FileHandle.standardError.write(Data("measured: \(what)\n".utf8))
}
