internal import Glibc
internal import Vocabulary

/// A child process with its output in a file, and what the system has accounted to it.
///
/// Unchecked: `status` is set by whoever waits, the main thread; a signal handler's thread calls `signal` only.
final class LoadProcess: @unchecked Sendable {
    let pid: pid_t
    let outputFile: String
    let logFile: String
    private var status: Int32?

    /// In a process group of its own: a Ctrl-C reaches the workbench, which ends its children.
    init(_ arguments: [String], output: String, log: String) throws {
        (outputFile, logFile) = (output, log)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
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
        guard code == 0 else { throw LoadFailure("\(arguments.first ?? "") does not start: \(String(cString: strerror(code)))") }
        pid = child
    }

    /// nil while it runs.
    var exitStatus: Int32? {
        if let status { return status }
        var word: Int32 = 0
        guard waitpid(pid, &word, WNOHANG) == pid else { return nil }
        status = word & 0x7f == 0 ? (word >> 8) & 0xff : 128 + (word & 0x7f)
        return status
    }

    func signal(_ number: Int32) { if status == nil { kill(pid, number) } }

    /// Asks it to end, and makes it after ten seconds.
    func stop() {
        signal(SIGTERM)
        let deadline = LoadClock.now + .seconds(10)
        while exitStatus == nil {
            if LoadClock.now > deadline { signal(SIGKILL) }
            usleep(10_000)
        }
    }

    var output: String { Files.text(outputFile) }

    // MARK: Accounts

    struct Memory {
        /// Kilobytes: resident; and proportional, which shares out pages that several processes map.
        var resident = 0
        var proportional = 0
    }

    var memory: Memory {
        var memory = Memory()
        for line in Files.text("/proc/\(pid)/smaps_rollup").split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 2, let value = Int(words[1]) else { continue }
            if words[0] == "Rss:" { memory.resident = value }
            if words[0] == "Pss:" { memory.proportional = value }
        }
        return memory
    }

    /// Kilobytes: the most that were ever resident.
    var memoryPeak: Int {
        for line in Files.text("/proc/\(pid)/status").split(separator: "\n") where line.hasPrefix("VmHWM:") {
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        }
        return 0
    }

    /// User and system time so far, in microseconds; the system counts in hundredths of a second.
    var cpu: Int {
        let text = Files.text("/proc/\(pid)/stat")
        // The second field is the name in parentheses and may hold spaces.
        guard let end = text.lastIndex(of: ")") else { return 0 }
        let words = text[end...].split(separator: " ")
        guard words.count > 13, let user = Int(words[12]), let system = Int(words[13]) else { return 0 }
        return (user + system) * (1_000_000 / max(1, sysconf(Int32(_SC_CLK_TCK))))
    }

    /// The workbench's own.
    static var ownCPU: Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000 + Int(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }
}

struct LoadFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

enum Files {
    /// Empty when it cannot be read. In pieces, since files under /proc have no size.
    static func text(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16 * 1024)
        while case let count = fread(&piece, 1, piece.count, file), count > 0 { bytes += piece[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A new folder of nobody else's, where the system wants such things.
    static func temporaryFolder(_ name: String) throws -> String {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/posthouse-\(name).XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw LoadFailure("no folder can be made in \(parent)") }
        return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
