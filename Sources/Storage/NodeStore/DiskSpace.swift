internal import Glibc
internal import Vocabulary

/// How much room the store leaves on its disk. Every figure is a share of the file system, so that a small one is not all reserve,
/// with a ceiling, so that a large one is not wasted.
package struct SpacePolicy: Equatable, Sendable {
    /// Bytes of write-ahead log at which it is brought into the file. Raising it makes checkpoints rarer and longer.
    package let logBytes: Int
    /// A file of nothing that is given up when the disk is full, so that deleting, which writes too, still works. As large as the log:
    /// then a checkpoint fits into what it frees.
    package let ballastBytes: Int
    /// Less than this free (free pages of the file count): the store is low and takes nothing that makes it grow.
    package let lowBytes: Int
    /// As much as this free: it is low no more. Apart from `lowBytes`, so that it does not flutter.
    package let enoughBytes: Int

    package init(capacityBytes: Int) {
        logBytes = max(64 << 10, min(capacityBytes / 16, 8 << 20))
        ballastBytes = logBytes
        lowBytes = min(capacityBytes / 8, 64 << 20)
        enoughBytes = lowBytes + lowBytes / 4
    }
}

/// The room on the disk, and the ballast.
struct DiskSpace {
    let policy: SpacePolicy
    private let folder: String
    private let ballast: String
    private(set) var isLow = false
    /// Bytes for more, as of the last `refresh`: free ones, and pages that are not used.
    private(set) var room = 0

    init(folder: String) throws(StoreError) {
        self.folder = folder
        ballast = folder + "/ballast"
        policy = SpacePolicy(capacityBytes: try Self.read(folder).capacity)
        restoreBallast()
    }

    /// - Parameters:
    ///   - reusable: bytes of pages that the database's file has and does not use.
    ///   - log: bytes of the log's file, which is written over from its start.
    mutating func refresh(reusable: Int, log: Int) throws(StoreError) {
        let free = try freeBytes
        room = free + reusable
        let (enough, logRoom) = isLow ? (policy.enoughBytes, policy.logBytes + policy.logBytes / 4) : (policy.lowBytes, policy.logBytes)
        isLow = room < enough || free + log < logRoom
    }

    /// A write did not fit, whatever the figures say: until the next `refresh`.
    mutating func foundFull() { isLow = true }

    var freeBytes: Int { get throws(StoreError) { try Self.freeBytes(of: folder) } }

    /// Of the file system that the folder is on.
    static func freeBytes(of folder: String) throws(StoreError) -> Int { try read(folder).free }

    /// - Returns: false when there was none.
    func releaseBallast() -> Bool { unlink(ballast) == 0 }

    /// Where there is room for it twice over; failing is no error, there is just none.
    func restoreBallast() {
        guard fileBytes(ballast) != policy.ballastBytes, let free = try? freeBytes, free >= policy.lowBytes + 2 * policy.ballastBytes else {
            return
        }
        let file = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { return }
        defer { _ = close(file) }
        if ftruncate(file, 0) != 0 || posix_fallocate(file, 0, policy.ballastBytes) != 0 { unlink(ballast) }
    }

    private static func read(_ folder: String) throws(StoreError) -> (free: Int, capacity: Int) {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { throw .io("statvfs of \(folder): \(systemText(errno))") }
        func bytes(_ blocks: UInt) -> Int { Int(clamping: blocks.multipliedFullWidth(by: status.f_frsize).low) }
        return (bytes(status.f_bavail), bytes(status.f_blocks))
    }
}
