import Foundation
import Glibc

/// A temporary folder with the nodes and users of one test. All that was started in it is stopped with it.
final class World: @unchecked Sendable {
    /// What a command said.
    struct Outcome: CustomStringConvertible {
        let command: String
        let exit: Program.Exit
        let lines: [String]
        let errors: String
        var json: [JSONLine] { lines.compactMap { JSONLine($0) } }
        var code: Int32? { if case .code(let code) = exit { code } else { nil } }
        var description: String { "\(command): \(exit)\n\(lines.joined(separator: "\n"))\n\(errors)" }
    }

    let folder: String
    private let lock = NSLock()
    private var programs: [Program] = []
    private var count = 0

    /// Runs a test in a folder of its own. The folder of a failed test stays, for whoever looks into it.
    static func run(_ body: (World) throws -> Void) throws {
        let world = try World()
        do { try body(world) } catch {
            world.stopAll()
            print("the folder of the failed test: \(world.folder)")
            for log in (try? FileManager.default.contentsOfDirectory(atPath: world.folder))?.sorted() ?? [] where log.hasSuffix(".log") {
                let text = (try? String(contentsOfFile: world.folder + "/" + log, encoding: .utf8)) ?? ""
                print("--- \(log)\n\(text.suffix(2000))")
            }
            throw error
        }
        world.stopAll()
        try? FileManager.default.removeItem(atPath: world.folder)
    }

    private init() throws {
        var template = Array("/tmp/posthouse-e2e-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Program.Failure(description: "mkdtemp: \(errno)") }
        folder = String(cString: made)
    }

    private func stopAll() {
        let all = lock.withLock { programs }
        for program in all { program.signal(SIGKILL) }
        for program in all { program.destroy() }
    }

    /// Beside the test bundle, where SwiftPM builds both; POSTHOUSE_BIN_DIR names another place.
    static let programsFolder: String = {
        if let folder = ProcessInfo.processInfo.environment["POSTHOUSE_BIN_DIR"] { return folder }
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return (bundle as NSString).deletingLastPathComponent
    }()

    /// A file name for a program's stderr that no other has.
    private func fresh(_ name: String) -> String {
        let number = lock.withLock {
            count += 1
            return count
        }
        return "\(folder)/\(name)-\(number).err"
    }

    /// Starts a program that goes on running. `path` is one of ours by name, or any other by its path.
    func start(
        _ name: String, _ arguments: [String], errorFile: String? = nil, onLine: (@Sendable (String) -> Void)? = nil
    ) throws -> Program {
        let path = name.hasPrefix("/") ? name : "\(Self.programsFolder)/\(name)"
        let program = try Program(
            path, arguments, environment: ["HOME": folder, "XDG_DATA_HOME": folder + "/xdg"],
            errorFile: errorFile ?? fresh((name as NSString).lastPathComponent), onLine: onLine)
        lock.withLock { programs.append(program) }
        return program
    }

    /// Runs a command to its end.
    @discardableResult
    func run(_ name: String, _ arguments: [String], input: String? = nil, within limit: Duration = .seconds(60)) throws -> Outcome {
        let path = name.hasPrefix("/") ? name : "\(Self.programsFolder)/\(name)"
        let program = try Program(
            path, arguments, environment: ["HOME": folder, "XDG_DATA_HOME": folder + "/xdg"], input: input,
            errorFile: fresh((name as NSString).lastPathComponent))
        defer {
            program.destroy()
            unlink(program.errorFile)
            unlink(program.errorFile + ".in")
        }
        let exit = try program.waitForExit(within: limit)
        return Outcome(
            command: ([name] + arguments).joined(separator: " "), exit: exit, lines: program.lines, errors: program.errors)
    }

    /// Runs a command that must succeed.
    @discardableResult
    func must(_ name: String, _ arguments: [String], input: String? = nil) throws -> Outcome {
        let outcome = try run(name, arguments, input: input)
        guard outcome.exit == .code(0) else { throw Program.Failure(description: "\(outcome)") }
        return outcome
    }
}
