import Foundation
import Storage
import Testing
import Vocabulary

/// A small file system of its own; mounting one takes root.
private final class SmallDisk {
    let folder: Folder

    init(mebibytes: Int) throws {
        folder = try Folder()
        let mounted = mount("tmpfs", folder.path, "tmpfs", 0, "size=\(mebibytes)m")
        if mounted != 0 { throw POSIXError(.EPERM) }
    }

    deinit { umount2(folder.path, Int32(MNT_DETACH)) }

    /// Takes all that is left, as another program would.
    func fill() throws {
        let file = open(folder.file("other"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        defer { close(file) }
        let block = [UInt8](repeating: 1, count: 4_096)
        while write(file, block, block.count) == block.count {}
    }

    func empty() { unlink(folder.file("other")) }

    static let isPossible: Bool = {
        let possible = (try? SmallDisk(mebibytes: 1)) != nil
        if !possible { print("SKIPPED: the full-disk tests of StoreFullDiskTests need root, to mount a tmpfs") }
        return possible
    }()
}

@Suite(.enabled(if: SmallDisk.isPossible, "mounting a tmpfs needs root")) struct StoreFullDiskTests {
    private let disk: SmallDisk

    init() throws { disk = try SmallDisk(mebibytes: 8) }

    private static let payload = [UInt8](repeating: 3, count: 4_000)

    private func message(_ number: UInt64) -> [StoreWrite] {
        [
            .storeEvent(.event(number), bytes: Self.payload, held: false),
            .enqueue(number, to: .phone, "c\(number)", event: .event(number)), .put(.head, "head", "\(number)"),
        ]
    }

    /// Messages until one is refused.
    private func fill(_ store: JournaledNodeStore, from first: UInt64 = 1) throws -> UInt64 {
        var number = first
        while true {
            do {
                try store.commit(message(number))
                try store.maintain()
            } catch {
                guard error == .full else { throw error }
                return number - 1
            }
            number += 1
            guard number < 100_000 else { throw StoreError.io("the disk is never full") }
        }
    }

    @Test func `a store that fills its disk refuses, goes on deleting, and takes new ones when it has room`() throws {
        var store = try openStore(disk.folder)
        let last = try fill(store)
        #expect(last > 800)
        #expect(store.isLowOnSpace)
        // Room is kept for deleting.
        #expect(try store.freeBytes > 256 << 10)
        #expect(try store.outline(.phone).count == Int(last))
        #expect(try store.value(.head, key: Array("head".utf8)) == Array("\(last)".utf8))
        for number in 1...last / 2 {
            try store.commit([.dequeue(.phone, through: QueuePosition(unchecked: number)), .put(.linkCursor, "c", "\(number)")])
            if number % 50 == 0 { try store.maintain() }
        }
        try store.maintain()
        #expect(!store.isLowOnSpace)
        try store.commit(message(last + 1))
        try store.close()
        store = try openStore(disk.folder)
        #expect(try store.outline(.phone).map(\.position.value) == Array(last / 2 + 1...last + 1))
    }

    @Test func `when others have taken the whole disk, deleting works on the ballast`() throws {
        let store = try openStore(disk.folder)
        let ballast = disk.folder.size("ballast")
        #expect(ballast == 512 << 10)
        for number in UInt64(1)...300 { try store.commit(message(number)) }
        try disk.fill()
        #expect(try store.freeBytes == 0)
        let last = try fill(store, from: 301)
        #expect(store.isLowOnSpace)
        for number in UInt64(1)...last {
            try store.commit([.dequeue(.phone, through: QueuePosition(unchecked: number)), .put(.linkCursor, "c", "\(number)")])
            try store.maintain(idle: number % 10 == 0)
        }
        #expect(try store.outline(.phone).isEmpty)
        #expect(throws: StoreError.full) { for number in last + 1...last + 1_000 { try store.commit(message(number)) } }
        disk.empty()
        try store.maintain()
        #expect(!store.isLowOnSpace)
        #expect(disk.folder.size("ballast") == ballast)
        let next = try store.highestPosition().value + 1
        try store.commit(message(next))
        #expect(try store.outline(.phone).last?.position.value == next)
    }

    @Test func `a refused batch leaves nothing of itself, also when it is larger than the disk`() throws {
        let store = try openStore(disk.folder)
        try store.commit(message(1))
        let large = (UInt64(2)...4_000).flatMap { message($0) }
        #expect(throws: StoreError.full) { try store.commit(large) }
        try store.maintain()
        #expect(try store.outline(.phone).map(\.position) == [1])
        #expect(try store.event(.event(2)) == nil)
        #expect(try store.highestPosition() == 1)
        try store.commit(message(5))
        #expect(try openStore(disk.folder.copied()).outline(.phone).map(\.position) == [1, 5])
    }

    @Test func `a fold beside commits that finds the disk full loses nothing, and is done when there is room`() throws {
        let store = try openStore(disk.folder)
        for number in UInt64(1)...20 { try store.commit(message(number)) }
        try #require(try store.prepareFold(wipes: true)).result().get()
        let job = try #require(try store.beginFold())
        for number in UInt64(21)...25 { try store.commit(message(number)) }
        try disk.fill()
        #expect(throws: StoreError.full) { try job.result().get() }
        #expect(try store.advance(after: job) == nil)
        #expect(store.isLowOnSpace)
        #expect(try store.outline(.phone).count == 25)
        #expect(throws: StoreError.full) { for number in UInt64(26)...1_000 { try store.commit(message(number)) } }
        let count = try UInt64(store.outline(.phone).count)
        try store.commit([.dequeue(.phone, through: 10)])
        disk.empty()
        try store.maintain()
        #expect(!store.isLowOnSpace)
        #expect(try store.outline(.phone).count == Int(count) - 10)
        try store.commit(message(1_001))
        try store.maintain(idle: true)
        #expect(try openStore(disk.folder.copied()).outline(.phone).count == Int(count) - 9)
    }

    @Test func `the log stays bounded without any maintenance`() throws {
        let store = try openStore(disk.folder)
        for number in UInt64(1)...2_000 {
            try store.commit(message(number))
            try store.commit([.dequeue(.phone, through: QueuePosition(unchecked: number))])
            #expect(disk.folder.size("store.db-wal") < 5 * 512 << 10)
        }
    }
}

@Suite struct SpacePolicyTests {
    @Test(arguments: [1 << 20, 8 << 20, 1 << 30, 1 << 40, 0]) func `log, ballast and reserve fit on the disk they are for`(capacity: Int) {
        let policy = SpacePolicy(capacityBytes: capacity)
        #expect(policy.lowBytes < policy.enoughBytes || capacity == 0)
        #expect(policy.ballastBytes >= policy.logBytes)
        #expect(capacity == 0 || policy.enoughBytes + policy.logBytes + policy.ballastBytes < capacity / 2)
        #expect(policy.lowBytes <= 64 << 20 && policy.logBytes <= 8 << 20)
    }
}
