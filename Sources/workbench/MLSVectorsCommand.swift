internal import ArgumentParser
internal import MLSVectors

/// Runs official MLS test vectors, of any kind and from anywhere.
struct MLSVectorsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mls-vectors",
        abstract: "Run files of official MLS test vectors; the start of a file's name says its kind.",
        discussion: "Prints `KIND: N passed, M failed, K skipped` a file; exits 1 if any case failed or a file could not be run.")

    @Argument(help: "Files in the format of mlswg/mls-implementations.", completion: .file(extensions: ["json"]))
    var files: [String]

    @Flag(help: "Say what was wrong with each failed case.")
    var verbose = false

    func run() throws {
        var failed = false
        for file in files {
            do {
                let outcome = try VectorFile.run(file)
                print(outcome)
                if verbose { for failure in outcome.failures { print("  \(failure)") } }
                failed = failed || !outcome.failures.isEmpty
            } catch {
                print("\(file): \(error)")
                failed = true
            }
        }
        if failed { throw ExitCode(1) }
    }
}
