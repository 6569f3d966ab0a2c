internal import Cryptography
internal import Glibc
public import Vocabulary

/// Writes a backup. It has its final name when it is whole and on disk, and not before; whoever does not come to `finish` leaves nothing.
public final class BackupWriter {
    private let path: String
    private let temporary: String
    private let file: Int32
    private let key: SealingKey
    private let header: [UInt8]
    private var random = SystemRandom()
    private var chunk: [UInt8] = []
    private var number: UInt64 = 0
    /// Bytes that the part under way has still to get.
    private var owed: UInt64 = 0
    private var isFinished = false
    public private(set) var bytesWritten = 0

    /// - Throws: `exists`: nothing is overwritten.
    public init(path: String, secret: BackupSecret) throws(BackupError) {
        guard access(path, F_OK) != 0 else { throw .exists(path: path) }
        let salt = random.bytes(Passphrase.saltBytes)
        header = BackupFormat.magic + [secret.kind] + salt + random.bytes(16)
        key = try secret.key(salt: salt)
        self.path = path
        temporary = "\(path).\(getpid()).part"
        file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw .io("making \(temporary): \(systemText(errno))") }
        chunk.reserveCapacity(BackupFormat.chunkBytes)
        try put(header)
    }

    deinit {
        _ = close(file)
        if !isFinished { unlink(temporary) }
    }

    /// The process that a file under way is of, by its name: `NAME.PROCESS.part`.
    public static func maker(ofPart file: String, of name: String) -> Substring? {
        guard file.hasPrefix(name + "."), file.hasSuffix(".part"), file.count > name.count + 6 else { return nil }
        return file.dropFirst(name.count + 1).dropLast(5)
    }

    /// Begins a part, which then gets so many bytes.
    public func begin(_ name: String, size: UInt64) throws(BackupError) {
        precondition(owed == 0 && name.utf8.count < 256, "a part inside another")
        var writer = ByteWriter()
        writer.write(UInt8(clamping: name.utf8.count))
        writer.write(fixed: name.utf8)
        writer.write(size)
        try add(writer.bytes[...])
        owed = size
    }

    public func write(_ bytes: [UInt8]) throws(BackupError) {
        precondition(UInt64(bytes.count) <= owed, "more than the part has")
        owed -= UInt64(bytes.count)
        try add(bytes[...])
    }

    public func write(part name: String, _ bytes: [UInt8]) throws(BackupError) {
        try begin(name, size: UInt64(bytes.count))
        try write(bytes)
    }

    /// Seals the end and gives the file its name.
    public func finish() throws(BackupError) {
        precondition(owed == 0, "a part that is not whole")
        try seal(isLast: true)
        guard fsync(file) == 0 else { throw .io("syncing \(temporary): \(systemText(errno))") }
        // Never over a file that came meanwhile.
        guard link(temporary, path) == 0 else {
            if errno == EEXIST { throw .exists(path: path) }
            throw .io("naming \(path): \(systemText(errno))")
        }
        unlink(temporary)
        isFinished = true
        do { try Database.syncFolder(of: path) } catch { throw .io("\(error.explanation.why)") }
    }

    private func add(_ bytes: ArraySlice<UInt8>) throws(BackupError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = min(rest.count, BackupFormat.chunkBytes - chunk.count)
            chunk += rest.prefix(count)
            rest = rest.dropFirst(count)
            if chunk.count == BackupFormat.chunkBytes { try seal(isLast: false) }
        }
    }

    private func seal(isLast: Bool) throws(BackupError) {
        let box = key.seal(chunk, place: BackupFormat.place(header, number, isLast: isLast), using: &random)
        var writer = ByteWriter(reservingCapacity: 4)
        writer.write(UInt32(clamping: box.count))
        try put(writer.bytes + box)
        number += 1
        chunk.removeAll(keepingCapacity: true)
    }

    private func put(_ bytes: [UInt8]) throws(BackupError) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress?.advanced(by: done), bytes.count - done) }
            guard count > 0 || (count < 0 && errno == EINTR) else { throw .io("writing \(temporary): \(systemText(errno))") }
            done += max(0, count)
        }
        bytesWritten += bytes.count
    }
}
