import Foundation
import Glibc

/// One child process, started by us and stopped by its pid: its lines on stdout as they come, its stderr in a file.
///
/// Unchecked: all that changes is behind the lock.
final class Program: @unchecked Sendable {
    enum Exit: Equatable {
        case code(Int32)
        case signal(Int32)
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let pid: pid_t
    let errorFile: String
    private static let spawning = NSLock()
    private let lock = NSLock()
    private var pending: [UInt8] = []
    private var collected: [String] = []
    private var isFinished = false
    private var exit: Exit?

    /// - Parameter onLine: called on the reader's thread for each line of stdout, in order, before it is in `lines`.
    init(
        _ path: String, _ arguments: [String], environment: [String: String] = [:], input: String? = nil, errorFile: String,
        onLine: (@Sendable (String) -> Void)? = nil
    ) throws {
        self.errorFile = errorFile
        var ends: [Int32] = [-1, -1]
        // One at a time: between these lines another child would inherit the pipe, and keep it open.
        Self.spawning.lock()
        defer { Self.spawning.unlock() }
        guard pipe(&ends) == 0 else { throw Failure(description: "pipe: \(errno)") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[1]) }

        let inputFile = input.map { _ in errorFile + ".in" } ?? "/dev/null"
        if let input { try Data(input.utf8).write(to: URL(fileURLWithPath: inputFile)) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, inputFile, O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, errorFile, O_WRONLY | O_CREAT | O_APPEND, 0o600)

        // Threads of pools block signals, and a child inherits that: a node would not hear SIGTERM.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0.key)=\($0.value)" }
        var child = pid_t()
        let result = withCStrings([path] + arguments) { argv in
            withCStrings(variables) { envp in posix_spawn(&child, path, &actions, &attributes, argv, envp) }
        }
        guard result == 0 else {
            close(ends[0])
            throw Failure(description: "cannot start \(path): \(String(cString: strerror(result))). Build it first: swift build -c release")
        }
        pid = child

        let output = ends[0]
        let thread = Thread { [self] in
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = read(output, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                for line in take(buffer[..<count]) {
                    onLine?(line)
                    lock.withLock { collected.append(line) }
                }
            }
            close(output)
            lock.withLock { isFinished = true }
        }
        thread.stackSize = 256 << 10
        thread.start()
    }

    private func take(_ bytes: ArraySlice<UInt8>) -> [String] {
        pending += bytes
        var lines: [String] = []
        while let end = pending.firstIndex(of: 10) {
            lines.append(String(decoding: pending[..<end], as: UTF8.self))
            pending.removeSubrange(...end)
        }
        return lines
    }

    /// The whole lines that have come so far.
    var lines: [String] { lock.withLock { collected } }
    var errors: String { (try? String(contentsOfFile: errorFile, encoding: .utf8)) ?? "" }

    /// How it ended; nil while it runs. Only here is the child waited for, so its pid is its own until this says how it ended.
    var ended: Exit? {
        lock.withLock {
            if let exit { return exit }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            let signal = status & 0x7f
            exit = signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)
            return exit
        }
    }

    func signal(_ number: Int32) {
        lock.withLock { if exit == nil { _ = kill(pid, number) } }
    }

    /// Waits until it has ended and all of its output is read.
    @discardableResult
    func waitForExit(within limit: Duration = .seconds(60)) throws -> Exit {
        try eventually("\(pid) ends", within: limit, every: 4) { ended != nil && lock.withLock { isFinished } }
        guard let ended else { throw Failure(description: "\(pid) did not end") }
        return ended
    }

    /// Stops it at once, whatever it does.
    func destroy() {
        guard ended == nil else { return }
        signal(SIGKILL)
        _ = try? waitForExit()
    }
}

/// The strings as a C array that ends with nil.
private func withCStrings<T>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> T) -> T {
    let pointers = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
}
