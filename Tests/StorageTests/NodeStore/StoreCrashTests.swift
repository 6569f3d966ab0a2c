import Foundation
import Storage
import Testing
import Vocabulary

@Suite struct StoreCrashTests {
    /// Commit `n` puts record `n`, event `n` and entry `n`.
    static func writes(_ number: UInt64) -> [StoreWrite] {
        [
            .put(.head, "\(number)", "x"), .store(.event(number), "e\(number)", held: true),
            .enqueue(number, to: .phone, "c\(number)", event: .event(number)),
        ]
    }

    /// - Returns: how many commits are there; all three parts of each must be.
    func commits(_ store: SQLiteNodeStore) throws -> UInt64 {
        let numbers = try store.outline(.phone).map(\.position.value)
        let count = UInt64(numbers.count)
        #expect(numbers == (0..<count).map { $0 + 1 })
        #expect(try store.waiting(.phone) == numbers.map { "\($0):c\($0):e\($0)" })
        #expect(try store.heldEvents(.number(1)).map(\.number.value) == numbers)
        #expect(Set(try store.shown(.head)) == Set(numbers.map { "\($0)=x" }))
        return count
    }

    @Test func `whatever was committed is there after a crash, checkpoint or not`() throws {
        let folder = try Folder()
        let store = try openStore(folder)
        for number in UInt64(1)...12 {
            try store.commit(Self.writes(number))
            if number % 5 == 0 { try store.maintain(idle: true) }
            #expect(try commits(openStore(folder.copied())) == number)
        }
    }

    @Test func `a log that was cut anywhere yields the commits before the cut, whole`() throws {
        let folder = try Folder()
        let store = try openStore(folder)
        try store.commit(Self.writes(1))
        try store.maintain(idle: true)
        var ends: [Int] = []
        for number in UInt64(2)...6 {
            try store.commit(Self.writes(number))
            ends.append(folder.bytes("store.db-wal").count)
        }
        let copy = try folder.copied()
        let log = copy.bytes("store.db-wal")
        for cut in stride(from: 0, through: log.count, by: 1_999) {
            let crashed = try copy.copied()
            try crashed.write(Array(log.prefix(cut)), to: "store.db-wal")
            #expect(try commits(openStore(crashed)) == 1 + UInt64(ends.count { $0 <= cut }))
        }
    }

    @Test func `a killed process loses nothing that was committed`() async throws {
        let folder = try Folder()
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String] in
            let store = try SQLiteNodeStore(folder: path, key: storageKey())
            for number in UInt64(1)...25 { try store.commit(StoreCrashTests.writes(number)) }
            kill(getpid(), SIGKILL)
        }
        #expect(try commits(openStore(folder)) == 25)
    }
}
