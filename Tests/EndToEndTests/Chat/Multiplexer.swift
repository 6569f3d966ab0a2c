import Foundation
import Glibc

/// A shell in a real terminal: tmux draws, the test types and looks.
final class Multiplexer {
    private let world: World
    private let socket: String
    /// Where programs started by `start` leave their process id.
    private let pidFile: String

    /// - Parameter environment: for the shell, such as `NO_COLOR=1`.
    init(_ world: World, _ name: String, columns: Int = 80, rows: Int = 24, environment: [String] = []) throws {
        self.world = world
        socket = "\(world.folder)/\(name).tmux"
        pidFile = "\(world.folder)/\(name).pid"
        // dash leaves the terminal as it finds it; other shells mend it, and would hide what we left broken.
        // As words of their own, no shell reads them.
        let shell =
            ["env", "-u", "NO_COLOR", "LC_ALL=C.UTF-8", "PS1=ready> "] + environment + ["/bin/sh"]
        try tmux(
            [
                "-u", "-f", "/dev/null", "new-session", "-d", "-s", "s", "-x", "\(columns)", "-y",
                "\(rows)",
            ] + shell)
        try wait("ready>")
    }

    /// The server ends with it, and with that all that runs in it.
    func close() { _ = try? tmux("kill-server") }

    @discardableResult
    private func tmux(_ arguments: String...) throws -> [String] { try tmux(arguments) }

    @discardableResult
    private func tmux(_ arguments: [String]) throws -> [String] {
        try world.must("/usr/bin/tmux", ["-S", socket] + arguments).lines
    }

    // MARK: Typing

    /// Keys as they are, no names.
    func type(_ text: String) throws { try tmux("send-keys", "-t", "s", "-l", text) }

    /// tmux's names: `Enter`, `Tab`, `C-c`, `PPage`, `Escape`.
    func press(_ key: String) throws { try tmux("send-keys", "-t", "s", key) }

    func enter(_ line: String) throws {
        try type(line)
        try press("Enter")
    }

    func resize(columns: Int, rows: Int) throws {
        try tmux("resize-window", "-t", "s", "-x", "\(columns)", "-y", "\(rows)")
    }

    // MARK: Looking

    /// The rows as they are seen, blanks at their ends left away.
    func screen(withStyles: Bool = false) throws -> [String] {
        try tmux("capture-pane", "-t", "s", withStyles ? "-pe" : "-p")
    }

    /// What the terminal is in: `alternate_on`, `wrap_flag`, `cursor_flag`.
    func mode(_ name: String) throws -> String {
        try tmux("display-message", "-t", "s", "-p", "#{\(name)}").first ?? ""
    }

    func wait(_ text: String, within limit: Duration = .seconds(60)) throws {
        try wait(text, within: limit) { $0.contains { $0.contains(text) } }
    }

    func wait(_ what: String, within limit: Duration = .seconds(60), _ condition: ([String]) -> Bool)
        throws
    {
        var last: [String] = []
        do {
            try eventually(what, within: limit, every: 40) {
                last = try screen()
                return condition(last)
            }
        } catch { throw NeverHappened(description: "\(error)\n\(last.joined(separator: "\n"))") }
    }

    // MARK: Programs

    /// Runs one of our programs in the shell; `pid` knows it.
    func start(_ name: String, _ arguments: [String]) throws {
        let words = (["\(World.programsFolder)/\(name)"] + arguments).map { "'\($0)'" }.joined(
            separator: " ")
        unlink(pidFile)
        try enter("sh -c 'echo $$ > \(pidFile); exec \"$@\"' x \(words)")
        try eventually("\(name) runs", every: 20) { pid != nil }
    }

    var pid: pid_t? {
        (try? String(contentsOfFile: pidFile, encoding: .utf8)).flatMap {
            pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
    }

    /// The terminal's settings, in the form of `stty -g`.
    func settings() throws -> String {
        let file = pidFile + ".stty"
        unlink(file)
        try enter("stty -g > \(file).new; mv \(file).new \(file)")
        try eventually("stty answers") { FileManager.default.fileExists(atPath: file) }
        return try String(contentsOfFile: file, encoding: .utf8)
    }
}

extension User {
    /// A process has the profile and takes requests.
    var isOwned: Bool { FileManager.default.fileExists(atPath: profile + "/courier.sock") }
}
