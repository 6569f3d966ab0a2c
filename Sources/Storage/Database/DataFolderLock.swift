internal import Glibc
public import Vocabulary

/// One process owns a data folder at a time: the lock on `DIR/lock` is the kernel's and goes with its holder, however that ends.
public final class DataFolderLock {
    private var file: Int32

    /// - Parameter patience: how long a holder that is just ending may take: what was killed goes when the kernel has cleared it away.
    /// - Throws: `inUse`, naming the folder and the process that has it; `io` when the lock file cannot be made.
    public init(folder: String, patience: Duration = .zero) throws(StoreError) {
        let path = folder + "/lock"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw .io("opening \(path): \(systemText(errno))") }
        let end = ContinuousClock.now + patience
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            if code == EWOULDBLOCK, ContinuousClock.now < end {
                usleep(10_000)
                continue
            }
            defer { _ = close(file) }
            guard code == EWOULDBLOCK else { throw .io("locking \(path): \(systemText(code))") }
            throw .inUse("\(folder) is in use by \(Self.holder(file)).")
        }
        self.file = file
        // Who has it, for the message above: nothing depends on it, so a full disk may leave it out.
        _ = ftruncate(file, 0)
        let text = "\(getpid())\n"
        _ = pwrite(file, text, text.utf8.count, 0)
    }

    deinit { release() }

    public func release() {
        guard file >= 0 else { return }
        _ = close(file)
        file = -1
    }

    /// `process 4711`, or what stands for it: for messages alone.
    public static func holder(of folder: String) -> String {
        let file = open(folder + "/lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return "another process" }
        defer { _ = close(file) }
        return holder(file)
    }

    private static func holder(_ file: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 20)
        let count = pread(file, &bytes, bytes.count, 0)
        guard count > 0, let id = Int32(String(decoding: bytes.prefix(count).prefix { $0 != 10 }, as: UTF8.self)) else {
            return "another process"
        }
        return "process \(id)"
    }
}
