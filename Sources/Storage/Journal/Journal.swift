internal import Cryptography
internal import Glibc
internal import Vocabulary

/// A file of sealed frames: the first place of what a store is told.
///
/// Two halves of equal size, in turn: the frames of one generation stand in one half from its start, page by page, numbered from 0. From
/// which frame on they count is said elsewhere: in the tables, in the transaction that made those before it needless (`Mark`). While that
/// transaction is under way the next generation may have begun: then both count, one after the other, and the new one's first frame says
/// how many frames the old one has. Without such an overlap the old half is free. A generation has its first frame before it counts, be it
/// one without writes: a file without it is not the one that was written. No generation is given twice, also where one was prepared and
/// never begun. The file has its full size from the start: a write that only replaces bytes is the cheapest that a file system has to sync.
/// A frame begins on a page of its own: no byte that was acknowledged is written again.
///
/// Frame: kind, bytes of the box, generation, number (little-endian; 4, 4, 8, 8 bytes), then the box: its writes, sealed to kind,
/// generation and number. What does not open is not a frame.
final class Journal {
    static let pageBytes = 4096
    private static let headerBytes = 24

    private enum Kind: UInt32 {
        case appended = 0x6a68_7031
        /// Written before the generation began: what the one before it has too, as far as the tables of the new one lack it.
        case prepared = 0x6a68_7032
    }

    /// A frame's place among all.
    struct Mark: Equatable, Sendable {
        var generation: UInt64
        var number: UInt64
    }

    /// Bytes that one generation can take.
    let halfBytes: Int
    /// What frames are appended to.
    private(set) var generation: UInt64
    /// The first frame that the tables lack.
    private(set) var base: Mark
    /// Never given before.
    private(set) var nextGeneration: UInt64
    /// Where the present generation stands: 0 or 1.
    private var half = 0
    private let path: String
    private let file: Int32
    private let key: SealingKey
    private var random = PooledRandom()
    /// The next frame's number and place.
    private var next: UInt64 = 0
    private(set) var usedBytes = 0
    /// Nothing stands in the present generation but its empty first frame.
    private(set) var isFresh = false
    /// How far each half was written since it was last wiped.
    private var dirty = [0, 0]
    private var failure: StoreError?

    /// - Parameter halfBytes: for a file that has to be made; one that is there keeps its size.
    /// - Returns: nil where there is no room for it.
    init?(path: String, halfBytes: Int, key: SealingKey, base: Mark) throws(StoreError) {
        (self.path, self.base, generation, nextGeneration) = (path, base, base.generation, base.generation + 1)
        do { self.key = try SealingKey(key.derived(for: "posthouse store journal")) } catch {
            throw .unusable("storage.key has no 32 bytes.")
        }
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw .io("opening \(path): \(systemText(errno))") }
        let standing = fileBytes(path)
        let size =
            standing >= 2 * Self.pageBytes
            ? standing / (2 * Self.pageBytes) * 2 * Self.pageBytes : halfBytes / Self.pageBytes * Self.pageBytes * 2
        self.file = file
        self.halfBytes = size / 2
        // A second one of the same folder, of this process or another.
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            _ = Glibc.close(file)
            throw .inUse("\(path) is in use.")
        }
        if standing != size {
            let code = posix_fallocate(file, 0, size)
            guard code == 0, fsync(file) == 0 else {
                _ = Glibc.close(file)
                unlink(path)
                guard code == ENOSPC || code == EDQUOT || code == EFBIG else {
                    throw .io("making \(path): \(systemText(code == 0 ? errno : code))")
                }
                return nil
            }
            try Database.syncFolder(of: path)
        }
    }

    func close() {
        guard failure == nil else { return }
        failure = .io("\(path) is closed")
        _ = Glibc.close(file)
    }

    deinit { close() }

    /// Bytes of the file that a frame with so many bytes of writes takes.
    static func frameBytes(_ count: Int) -> Int { pages(headerBytes + SealingKey.overhead + count) * pageBytes }

    private static func pages(_ bytes: Int) -> Int { (bytes + pageBytes - 1) / pageBytes }

    var freeBytes: Int { halfBytes - usedBytes }
    /// Something that does not count any more was not overwritten yet.
    var hasRemains: Bool { dirty[1 - half] > 0 || dirty[half] > usedBytes }
    /// What is appended next.
    var end: Mark { Mark(generation: generation, number: next) }
    /// Two generations count.
    var isSpread: Bool { base.generation != generation }
    /// Of the file.
    var bytes: Int { 2 * halfBytes }

    // MARK: Writing

    /// The next frame's place. The caller has seen that it fits, and writes it (`Frame.write`) before it reserves another: after a crash
    /// a gap between frames tells of damage.
    func reserve(_ writes: [UInt8]) -> Frame {
        let size = Self.frameBytes(writes.count)
        precondition(size <= freeBytes, "a frame of \(size) bytes in \(freeBytes)")
        let frame = Frame(
            path: path, file: file, key: key, offset: half * halfBytes + usedBytes, generation: generation, number: next, writes: writes)
        isFresh = false
        advance(size)
        return frame
    }

    /// A frame with its place, to be sealed and brought to disk by any one thread, while the journal is open.
    struct Frame: Sendable {
        fileprivate let path: String
        fileprivate let file: Int32
        fileprivate let key: SealingKey
        fileprivate let offset: Int
        fileprivate let generation, number: UInt64
        fileprivate let writes: [UInt8]

        /// On disk when it returns. After an error nobody knows what is: the journal must not be used again.
        func write() throws(StoreError) {
            var random = SystemRandom()
            let bytes = Journal.frame(.appended, writes, generation: generation, number: number, key: key, using: &random)
            try Journal.write(bytes, at: offset, file, path)
            try Journal.sync(file, path)
        }
    }

    /// The first frames of a generation, one at least, to be written to the half that does not count.
    struct Preparation: Sendable {
        let generation: UInt64
        fileprivate let patch: Patch
        fileprivate let bytes: Int
        fileprivate let frames: UInt64
        fileprivate let isFresh: Bool

        /// On disk when it returns; by any one thread, while the journal is open.
        func write() throws(StoreError) { try patch.write() }
    }

    /// The next generation's first frames.
    ///
    /// - Parameter rest: what it begins with.
    /// - Returns: nil when that does not fit into half of what a generation can take. It counts once `begin` says so.
    func prepareNext(_ rest: Overlay.Remainder) -> Preparation? {
        precondition(!isSpread, "both halves count")
        let generation = nextGeneration
        nextGeneration += 1
        var bytes: [UInt8] = []
        let parts = parts(rest)
        for (number, part) in parts.enumerated() {
            bytes += Self.frame(.prepared, part, generation: generation, number: UInt64(number), key: key, using: &random)
        }
        guard bytes.count <= halfBytes / 2 else { return nil }
        let other = 1 - half
        let patch = Patch(
            path: path, file: file, offset: other * halfBytes, bytes: bytes, zeros: max(0, dirty[other] - bytes.count))
        dirty[other] = bytes.count
        return Preparation(
            generation: generation, patch: patch, bytes: bytes.count, frames: UInt64(parts.count), isFresh: rest.isEmpty)
    }

    /// A frame is not for a whole generation at once; what was prepared is read as one batch again. The first says what it follows.
    private func parts(_ rest: Overlay.Remainder) -> [[UInt8]] {
        let partBytes = min(256 << 10, halfBytes / 64)
        var parts: [[UInt8]] = []
        var part: [UInt8] = []
        JournalCodec.append(follows: end, to: &part)
        func endPart() {
            guard part.count >= partBytes else { return }
            parts.append(part)
            part = []
        }
        for (destination, through) in rest.dequeues {
            JournalCodec.append(.dequeue(destination, through: through), to: &part)
            endPart()
        }
        for released in rest.released {
            JournalCodec.append(released, to: &part)
            endPart()
        }
        for write in rest.writes {
            JournalCodec.append(write, to: &part)
            endPart()
        }
        if !part.isEmpty { parts.append(part) }
        return parts
    }

    /// Frames go to the prepared generation from now on; it is written. Those before it count until `passed`.
    func begin(_ prepared: Preparation) {
        generation = prepared.generation
        half = 1 - half
        (next, usedBytes, isFresh) = (prepared.frames, prepared.bytes, prepared.isFresh)
    }

    /// The tables have what is before the mark, and say so.
    func passed(_ mark: Mark) { base = mark }

    /// Bytes to be written over, by any one thread, while the journal is open.
    struct Patch: Sendable {
        fileprivate let path: String
        fileprivate let file: Int32
        fileprivate let offset: Int
        fileprivate let bytes: [UInt8]
        /// That many bytes after those.
        fileprivate let zeros: Int
        /// A sync that others wait for behind this one takes as long as what is there to write.
        private static let syncBytes = 1 << 20

        /// On disk when it returns. After an error nobody knows what is: the journal must not be used again.
        func write() throws(StoreError) {
            if !bytes.isEmpty { try Journal.write(bytes, at: offset, file, path) }
            let empty = [UInt8](repeating: 0, count: min(zeros, 1 << 18))
            var (done, unsynced) = (0, bytes.count)
            while done < zeros {
                let count = min(empty.count, zeros - done)
                try Journal.write(count == empty.count ? empty : Array(empty.prefix(count)), at: offset + bytes.count + done, file, path)
                done += count
                unsynced += count
                guard unsynced >= Self.syncBytes, done < zeros else { continue }
                try Journal.sync(file, path)
                unsynced = 0
            }
            try Journal.sync(file, path)
        }
    }

    /// What is left in the half that does not count: to be overwritten.
    ///
    /// - Returns: nil: nothing.
    func wiping() -> Patch? {
        precondition(!isSpread, "both halves count")
        let other = 1 - half
        guard dirty[other] > 0 else { return nil }
        defer { dirty[other] = 0 }
        return Patch(path: path, file: file, offset: other * halfBytes, bytes: [], zeros: dirty[other])
    }

    /// Overwrites both halves where they were written, but for the generation's first frame. To be called when it is fresh.
    func wipe() throws(StoreError) {
        precondition(isFresh, "frames that count")
        let rest = Patch(path: path, file: file, offset: half * halfBytes + usedBytes, bytes: [], zeros: dirty[half] - usedBytes)
        dirty[half] = usedBytes
        let other = wiping()
        try lasting { () throws(StoreError) in
            if rest.zeros > 0 { try rest.write() }
            try other?.write()
        }
    }

    private func advance(_ count: Int) {
        next += 1
        usedBytes += count
        dirty[half] = max(dirty[half], usedBytes)
    }

    private static func frame(
        _ kind: Kind, _ writes: [UInt8], generation: UInt64, number: UInt64, key: SealingKey, using random: inout some RandomNumberGenerator
    ) -> [UInt8] {
        let box = writes.count + SealingKey.overhead
        var header: [UInt8] = []
        header.reserveCapacity(headerBytes)
        withUnsafeBytes(of: kind.rawValue.littleEndian) { header.append(contentsOf: $0) }
        withUnsafeBytes(of: UInt32(clamping: box).littleEndian) { header.append(contentsOf: $0) }
        withUnsafeBytes(of: generation.littleEndian) { header.append(contentsOf: $0) }
        withUnsafeBytes(of: number.littleEndian) { header.append(contentsOf: $0) }
        return key.seal(
            writes, place: place(kind, generation, number), after: header, bytes: frameBytes(writes.count), using: &random)
    }

    private static func place(_ kind: Kind, _ generation: UInt64, _ number: UInt64) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 20)
        writer.write(kind.rawValue)
        writer.write(generation)
        writer.write(number)
        return writer.bytes
    }

    private static func write(_ bytes: [UInt8], at offset: Int, _ file: Int32, _ path: String) throws(StoreError) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { pwrite(file, $0.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .io("writing \(path): \(systemText(errno))") }
            done += count
        }
    }

    private static func sync(_ file: Int32, _ path: String) throws(StoreError) {
        guard fdatasync(file) == 0 else { throw .io("fdatasync of \(path): \(systemText(errno))") }
    }

    /// After a failed sync nobody knows what is on disk, and a second one would say that all is well: the first error stays.
    func lasting<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
        if let failure { throw failure }
        do { return try body() } catch {
            failure = error
            throw error
        }
    }

    // MARK: Reading

    /// The batches of the frames that count, in order; to be called once, before anything is written. What was prepared is one batch,
    /// however many frames it took: an entry may stand in another than the event that it refers to.
    ///
    /// - Returns: nil where there is no frame of the generation that the tables name.
    /// - Throws: `corrupt` where a frame is damaged that is not the unfinished last one, or where the file is newer than the tables.
    func read() throws(StoreError) -> [[UInt8]]? {
        let halves = [try headers(of: 0), try headers(of: 1)]
        let known = base.generation
        // Of several the last: no generation begins while two count.
        var begun: UInt64?
        for header in halves.joined() where header.generation > known {
            guard try open(header) != nil else { continue }
            nextGeneration = max(nextGeneration, header.generation + 1)
            if header.kind == .appended { begun = max(begun ?? 0, header.generation) }
        }
        let standing = try frames(of: known, in: halves)
        guard standing.isEmpty || base.number <= next else { return nil }
        var found: [[UInt8]] = []
        for (number, frame) in standing.enumerated() where number >= base.number {
            if frame.kind == .prepared, !found.isEmpty { found[0] += frame.writes } else { found.append(frame.writes) }
        }
        isFresh = standing.count == 1 && standing[0].kind == .prepared && JournalCodec.isFirst(standing[0].writes)
        guard let begun else { return standing.isEmpty ? nil : found }
        let followed = end
        generation = begun
        let later = try frames(of: begun, in: halves)
        guard let first = later.first, first.kind == .prepared, try JournalCodec.follows(first.writes) == followed else {
            throw .corrupt("\(path) is newer than the database beside it: one of them is an old copy")
        }
        isFresh = false
        return found + later.filter { $0.kind == .appended }.map(\.writes)
    }

    /// A generation's frames; the half is where they stand, and what is appended next comes after them.
    private func frames(of generation: UInt64, in halves: [[Header]]) throws(StoreError) -> [(kind: Kind, writes: [UInt8])] {
        (next, usedBytes) = (0, 0)
        var found: [(kind: Kind, writes: [UInt8])] = []
        for (half, headers) in halves.enumerated() where headers.contains(where: { $0.generation == generation }) {
            self.half = half
            for header in headers where header.generation == generation {
                guard let writes = try open(header) else { continue }
                // Each was synced before the next was written: a gap tells of damage, not of a crash.
                guard header.number == next, header.offset == half * halfBytes + usedBytes else {
                    throw .corrupt("frame \(next) of \(path) is damaged; frame \(header.number) is not")
                }
                found.append((header.kind, writes))
                advance(Self.frameBytes(writes.count))
            }
        }
        return found
    }

    private struct Header {
        let offset: Int
        let kind: Kind
        let generation, number: UInt64
        let boxBytes: Int
    }

    /// What looks like the beginning of a frame, in order.
    private func headers(of half: Int) throws(StoreError) -> [Header] {
        var found: [Header] = []
        let pagesAtOnce = 64
        for start in stride(from: 0, to: halfBytes, by: pagesAtOnce * Self.pageBytes) {
            let offset = half * halfBytes + start
            let bytes = try bytes(min(pagesAtOnce * Self.pageBytes, halfBytes - start), at: offset)
            for page in stride(from: 0, to: bytes.count - Self.headerBytes, by: Self.pageBytes) {
                if bytes[page..<page + 16].contains(where: { $0 != 0 }) { dirty[half] = start + page + Self.pageBytes }
                func integer(_ from: Int, _ count: Int) -> UInt64 {
                    bytes[(page + from)..<(page + from + count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
                }
                guard let kind = Kind(rawValue: UInt32(truncatingIfNeeded: integer(0, 4))), integer(8, 8) < counterMax else { continue }
                found.append(
                    Header(
                        offset: offset + page, kind: kind, generation: integer(8, 8), number: integer(16, 8), boxBytes: Int(integer(4, 4))))
            }
        }
        return found
    }

    private func open(_ header: Header) throws(StoreError) -> [UInt8]? {
        let end = header.offset % halfBytes + Self.headerBytes + header.boxBytes
        guard header.boxBytes >= SealingKey.overhead, end <= halfBytes else { return nil }
        let box = try bytes(header.boxBytes, at: header.offset + Self.headerBytes)
        return try? key.open(box, place: Self.place(header.kind, header.generation, header.number))
    }

    private func bytes(_ count: Int, at offset: Int) throws(StoreError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes { pread(file, $0.baseAddress.map { $0 + done }, count - done, off_t(offset + done)) }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .io("reading \(path): \(systemText(errno))") }
            guard got > 0 else { break }
            done += got
        }
        return bytes
    }
}
