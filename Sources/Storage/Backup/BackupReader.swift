internal import Cryptography
internal import Glibc
public import Vocabulary

/// Reads a backup from front to end; memory stays at a chunk or two. Nothing is believed that did not open.
public final class BackupReader {
    private let path: String
    private let file: Int32
    private let key: SealingKey
    private let header: [UInt8]
    private var chunk: ArraySlice<UInt8> = []
    private var number: UInt64 = 0
    private var isAtEnd = false
    /// Bytes of the part under way that were not read.
    private var left: UInt64 = 0

    public init(path: String, secret: BackupSecret) throws(BackupError) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .io("opening \(path): \(systemText(errno))") }
        do {
            let kind: UInt8
            (header, kind) = try Self.header(of: file, path)
            guard kind == secret.kind else { throw BackupError.wrongKind(needsPassphrase: kind == 2) }
            key = try secret.key(salt: Array(header.dropFirst(BackupFormat.magic.count + 1).prefix(Passphrase.saltBytes)))
        } catch let error as BackupError {
            _ = close(file)
            throw error
        } catch {
            _ = close(file)
            throw .io("\(error)")
        }
        (self.path, self.file) = (path, file)
    }

    deinit { _ = close(file) }

    /// Whether a backup needs a passphrase to open.
    public static func needsPassphrase(path: String) throws(BackupError) -> Bool {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .io("opening \(path): \(systemText(errno))") }
        defer { _ = close(file) }
        return try header(of: file, path).kind == 2
    }

    private static func header(of file: Int32, _ path: String) throws(BackupError) -> (bytes: [UInt8], kind: UInt8) {
        let bytes = try read(BackupFormat.headerBytes, of: file, path) ?? []
        guard bytes.starts(with: BackupFormat.magic), bytes.count == BackupFormat.headerBytes else { throw .notABackup(path: path) }
        let kind = bytes[BackupFormat.magic.count]
        guard kind == 1 || kind == 2 else { throw .notABackup(path: path) }
        return (bytes, kind)
    }

    /// The next part; what was not read of the one before is passed over.
    /// - Returns: nil at the end, when every chunk has opened.
    public func next() throws(BackupError) -> (name: String, size: UInt64)? {
        while left > 0 { _ = try read() }
        if chunk.isEmpty, try !fill() { return nil }
        let count = Int(try take(1)[0])
        guard let name = String(validating: try take(count), as: UTF8.self) else { throw .malformed("a part's name is no UTF-8") }
        var reader = ByteReader(try take(8))
        guard let size = try? reader.integer(UInt64.self), size <= counterMax else { throw .malformed("the size of a part") }
        left = size
        return (name, size)
    }

    /// More of the part; empty at its end.
    public func read() throws(BackupError) -> [UInt8] {
        guard left > 0 else { return [] }
        if chunk.isEmpty, try !fill() { throw .malformed("a part ends too early") }
        let bytes = chunk.prefix(Int(clamping: min(left, UInt64(chunk.count))))
        chunk = chunk.dropFirst(bytes.count)
        left -= UInt64(bytes.count)
        return Array(bytes)
    }

    /// The part whole.
    public func readAll(max: Int) throws(BackupError) -> [UInt8] {
        guard left <= UInt64(max) else { throw .malformed("a part is too long") }
        var bytes: [UInt8] = []
        while left > 0 { bytes += try read() }
        return bytes
    }

    private func take(_ count: Int) throws(BackupError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            if chunk.isEmpty, try !fill() { throw .malformed("a part ends too early") }
            let some = chunk.prefix(count - bytes.count)
            bytes += some
            chunk = chunk.dropFirst(some.count)
        }
        return bytes
    }

    /// - Returns: false at the end.
    private func fill() throws(BackupError) -> Bool {
        while chunk.isEmpty {
            guard !isAtEnd else {
                guard try Self.read(1, of: file, path) == nil else { throw .damaged(chunk: number) }
                return false
            }
            guard let length = try Self.read(4, of: file, path), length.count == 4 else { throw .cutShort }
            var reader = ByteReader(length)
            let bytes = Int((try? reader.integer(UInt32.self)) ?? 0)
            guard (SealingKey.overhead...BackupFormat.chunkBytes + SealingKey.overhead).contains(bytes) else {
                throw .damaged(chunk: number)
            }
            guard let box = try Self.read(bytes, of: file, path), box.count == bytes else { throw .cutShort }
            if let open = try? key.open(box, place: BackupFormat.place(header, number, isLast: false)) {
                chunk = open[...]
            } else if let open = try? key.open(box, place: BackupFormat.place(header, number, isLast: true)) {
                (chunk, isAtEnd) = (open[...], true)
            } else {
                throw number == 0 ? .wrongKey : .damaged(chunk: number)
            }
            number += 1
        }
        return true
    }

    /// - Returns: fewer bytes at the file's end, nil for none.
    private static func read(_ count: Int, of file: Int32, _ path: String) throws(BackupError) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let some = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress?.advanced(by: done), count - done) }
            if some == 0 { break }
            guard some > 0 || errno == EINTR else { throw .io("reading \(path): \(systemText(errno))") }
            done += max(0, some)
        }
        return done == 0 ? nil : Array(bytes.prefix(done))
    }
}
