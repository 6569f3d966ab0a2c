internal import ChatScreen
internal import Foundation

/// The terminal's settings: as they were found, and as a full-screen program needs them.
struct TerminalModes {
    private let found: termios

    /// - Returns: nil unless standard input and output are a terminal.
    init?() {
        var modes = termios()
        guard isatty(0) == 1, isatty(1) == 1, tcgetattr(0, &modes) == 0 else { return nil }
        found = modes
    }

    /// Each key as it comes, none of them a signal, nothing echoed.
    func enter() {
        var raw = found
        cfmakeraw(&raw)
        _ = tcsetattr(0, TCSADRAIN, &raw)
        Self.write(Array(TerminalWriter.enter.utf8))
    }

    func leave() {
        Self.write(Array(TerminalWriter.leave.utf8))
        withUnsafePointer(to: found) { _ = tcsetattr(0, TCSADRAIN, $0) }
    }

    var bytes: [UInt8] { withUnsafeBytes(of: found) { Array($0) } }

    /// Columns and rows; 80x24 where the terminal does not say.
    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Blocks while the terminal takes nothing. One that is gone is told by the loop's reading, not here.
    static func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(1, $0.baseAddress, $0.count) }
            if count < 0 {
                guard errno == EINTR || errno == EAGAIN else { return }
                var writable = pollfd(fd: 1, events: Int16(POLLOUT), revents: 0)
                _ = poll(&writable, 1, 1000)
                continue
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Colours, as far as the user and the terminal have them (no-color.org).
    static var looks: TerminalWriter.Looks {
        let environment = ProcessInfo.processInfo.environment
        switch environment["TERM"] {
        case nil, "", "dumb": return .plain
        case .some: return environment["NO_COLOR"].map { !$0.isEmpty } == true ? .monochrome : .colours
        }
    }

    static var isUTF8: Bool {
        let environment = ProcessInfo.processInfo.environment
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        return locale.uppercased().replacingOccurrences(of: "-", with: "").hasSuffix("UTF8")
    }
}

/// A pipe that other programs do not inherit.
func closedOnExecPipe() -> (read: Int32, write: Int32)? {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
}
