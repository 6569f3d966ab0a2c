internal import ChatScreen
internal import Foundation

/// A second process that gives the terminal back when the first one is killed in a way that it cannot notice: SIGKILL.
///
/// It reads a pipe: first the terminal's settings as they were found, then a byte whenever the chat has taken the terminal (0) or
/// given it back (1). If the pipe ends after a 0, it restores. It is a process group of its own, so that what is meant for the chat does not reach it.
struct TerminalGuard {
    let pipe: Int32
    private let child: pid_t

    /// Starts this program again with `arguments`, which must lead to `stand`.
    init?(_ modes: TerminalModes, arguments: [String]) {
        guard let ends = closedOnExecPipe() else { return nil }
        defer { close(ends.read) }
        var (actions, attributes) = (posix_spawn_file_actions_t(), posix_spawnattr_t())
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer { (_, _) = (posix_spawn_file_actions_destroy(&actions), posix_spawnattr_destroy(&attributes)) }
        // Standard input is the pipe, output the terminal. It inherits nothing else: locks and stores are opened to be closed on exec.
        posix_spawn_file_actions_adddup2(&actions, ends.read, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        var argv = (["courier"] + arguments).map { strdup($0) } + [nil]
        defer { for argument in argv { free(argument) } }
        var child: pid_t = 0
        guard posix_spawn(&child, "/proc/self/exe", &actions, &attributes, &argv, environ) == 0 else {
            close(ends.write)
            return nil
        }
        (pipe, self.child) = (ends.write, child)
        _ = modes.bytes.withUnsafeBytes { write(pipe, $0.baseAddress, $0.count) }
    }

    func tell(isRestored: Bool) {
        var byte: UInt8 = isRestored ? 1 : 0
        _ = write(pipe, &byte, 1)
    }

    func dismiss() {
        close(pipe)
        waitpid(child, nil, 0)
    }

    /// The guard itself.
    static func stand() {
        // Setting the terminal from the background would stop it; a hang-up or Control-C is not meant for it.
        for number in [SIGTTOU, SIGTTIN, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGPIPE] { signal(number, SIG_IGN) }
        let size = MemoryLayout<termios>.size
        var (modes, told, last) = (termios(), [UInt8](), UInt8(1))
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = read(0, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            let settings = buffer.prefix(min(count, size - told.count))
            told += settings
            if let byte = buffer[settings.count..<count].last { last = byte }
        }
        guard told.count == size, last == 0 else { return }
        withUnsafeMutableBytes(of: &modes) { $0.copyBytes(from: told) }
        TerminalModes.write(Array(TerminalWriter.leave.utf8))
        _ = tcsetattr(1, TCSANOW, &modes)
    }
}
