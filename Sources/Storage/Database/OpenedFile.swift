internal import Glibc
internal import Vocabulary

/// Which file a path led to when it was opened: the system goes on writing to a file whose name is gone, and nobody would find it again.
struct OpenedFile {
    private let path: String
    private let device: dev_t
    private let number: ino_t

    init(_ path: String) throws(StoreError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw .io("opening \(path): \(systemText(errno))") }
        (self.path, device, number) = (path, status.st_dev, status.st_ino)
    }

    /// The error when the path leads nowhere, or to another file.
    var gone: StoreError? {
        var status = stat()
        if stat(path, &status) == 0 { return status.st_dev == device && status.st_ino == number ? nil : .gone(path: path) }
        // Anything else says nothing about the file.
        return errno == ENOENT || errno == ENOTDIR ? .gone(path: path) : nil
    }
}
