internal import Foundation

/// Keeps what is written to standard error off the screen, and shows the end of it when the chat is over.
struct ErrorShelter {
    let terminal: Int32
    let kept: Int32
    static let bytesMax = 16 * 1024

    /// - Returns: nil if standard error is no terminal: then it disturbs nobody.
    init?() {
        guard isatty(2) == 1 else { return nil }
        var name = Array((NSTemporaryDirectory() + "courier-XXXXXX").utf8CString)
        let kept = mkstemp(&name)
        let terminal = fcntl(2, F_DUPFD_CLOEXEC, 3)
        // Without a name it is gone with the process.
        if kept >= 0 { unlink(name) }
        guard kept >= 0, terminal >= 0, fcntl(kept, F_SETFD, FD_CLOEXEC) == 0, fcntl(kept, F_SETFL, O_APPEND) == 0, dup2(kept, 2) == 2
        else {
            for descriptor in [kept, terminal] where descriptor >= 0 { close(descriptor) }
            return nil
        }
        (self.kept, self.terminal) = (kept, terminal)
    }

    /// What is kept does not grow: of much that was written only the newest is.
    func trim() {
        if lseek(kept, 0, SEEK_END) > off_t(64 * Self.bytesMax) { ftruncate(kept, 0) }
    }

    func release() {
        dup2(terminal, 2)
        var buffer = [UInt8](repeating: 0, count: Self.bytesMax)
        let count = pread(kept, &buffer, buffer.count, max(0, lseek(kept, 0, SEEK_END) - off_t(Self.bytesMax)))
        if count > 0 { _ = write(2, buffer, count) }
        close(kept)
        close(terminal)
    }
}
