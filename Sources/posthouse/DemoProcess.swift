import Foundation
import Glibc

/// A child process whose output goes to files. Files rather than pipes: nothing blocks, and the last lines are there to be shown.
/// Used by one thread at a time, under `DemoStage`'s lock where a signal could interfere.
final class DemoProcess {
    let name: String
    let pid: pid_t
    let outputFile: String
    let logFile: String
    private(set) var status: Int32?

    /// In a process group of its own: a Ctrl-C reaches the demo, and the demo ends its children.
    init(_ name: String, _ arguments: [String], output: String, log: String) throws(DemoFailure) {
        (self.name, outputFile, logFile) = (name, output, log)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { sigaddset(&signals, number) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        defer { for word in words { free(word) } }
        words.append(nil)
        var child: pid_t = 0
        let code = posix_spawn(&child, arguments.first ?? "", &actions, &attributes, words, environ)
        guard code == 0 else { throw DemoFailure("\(arguments.first ?? "") does not start: \(String(cString: strerror(code)))") }
        pid = child
    }

    /// False once it has ended; then `status` is set, and its number is never used again.
    var isRunning: Bool {
        guard status == nil else { return false }
        var word: Int32 = 0
        guard waitpid(pid, &word, WNOHANG) == pid else { return true }
        status = word & 0x7f == 0 ? (word >> 8) & 0xff : 128 + (word & 0x7f)
        return false
    }

    func signal(_ number: Int32) {
        if isRunning { kill(pid, number) }
    }

    /// The complete lines of its output so far.
    var lines: [String] {
        guard let data = FileManager.default.contents(atPath: outputFile), let end = data.lastIndex(of: 10) else { return [] }
        return String(decoding: data[..<end], as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

/// Why the demo did not go on.
struct DemoFailure: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}
