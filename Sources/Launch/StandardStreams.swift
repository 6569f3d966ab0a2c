internal import Glibc
internal import Vocabulary

/// Standard output for what was asked for, standard error for everything else.
public enum StandardStreams {
    /// A line for people or programs, out at once: whoever reads it may act on it. What cannot be written was not said: the process ends (74).
    public static func say(_ line: String) {
        guard let code = write(line + "\n", to: STDOUT_FILENO) else { return }
        complain(
            Explanation(
                what: "The output cannot be written.", why: String(cString: strerror(code)),
                remedy: "See where standard output leads, and that there is room."
            ).description)
        exit(74)
    }

    /// - Returns: false when nobody can read it any more.
    public static func canSay(_ line: String) -> Bool { write(line + "\n", to: STDOUT_FILENO) == nil }

    /// For people. What a terminal would obey is shown instead. Nobody is there to be told that it could not be written.
    public static func complain(_ text: String) { _ = write(Printable.text(text) + "\n", to: STDERR_FILENO) }

    /// A stream that is closed would be the next file that is opened, and what is said would be written into the store. In its place comes
    /// one that fails where somebody asks, and is silent where nobody does.
    static func open() {
        for (descriptor, flags) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_WRONLY)]
        where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
            // The lowest free number, which is this one: those below are open by now.
            _ = Glibc.open("/dev/null", flags)
        }
    }

    /// - Returns: why not all of it is out.
    private static func write(_ text: String, to descriptor: Int32) -> Int32? {
        var rest = ArraySlice(Array(text.utf8))
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&wanted, 1, -1)
            } else if errno != EINTR {
                return errno
            }
        }
        return nil
    }
}
