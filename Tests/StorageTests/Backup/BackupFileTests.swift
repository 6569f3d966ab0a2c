import Cryptography
import Foundation
import Storage
import Testing
import Vocabulary

@Suite struct BackupFileTests {
    private let secret = BackupSecret.storageKey(Secret((0..<32).map { UInt8($0) }))

    private func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }

    private func make(_ path: String, _ secret: BackupSecret, parts: [(String, Int)]) throws {
        let writer = try BackupWriter(path: path, secret: secret)
        for (name, count) in parts { try writer.write(part: name, bytes(count)) }
        try writer.finish()
    }

    private func read(_ path: String, _ secret: BackupSecret) throws -> [(String, [UInt8])] {
        let reader = try BackupReader(path: path, secret: secret)
        var parts: [(String, [UInt8])] = []
        while let (name, _) = try reader.next() { parts.append((name, try reader.readAll(max: 1 << 24))) }
        return parts
    }

    @Test(arguments: [0, 1, 65_500, 65_536, 65_537, 300_000]) func `what was written is read`(count: Int) throws {
        let folder = try Folder()
        try make(folder.file("b"), secret, parts: [("a", 3), ("store", count), ("z", 0)])
        let parts = try read(folder.file("b"), secret)
        #expect(parts.map(\.0) == ["a", "store", "z"] && parts.map(\.1) == [bytes(3), bytes(count), []])
    }

    @Test func `a part that nobody reads is passed over, and checked all the same`() throws {
        let folder = try Folder()
        try make(folder.file("b"), secret, parts: [("a", 200_000), ("b", 2)])
        let reader = try BackupReader(path: folder.file("b"), secret: secret)
        #expect(try reader.next()?.name == "a")
        #expect(try reader.next()?.name == "b")
        #expect(try reader.readAll(max: 2) == bytes(2))
        #expect(try reader.next() == nil)
    }

    @Test func `a passphrase opens it, another one or a key does not`() throws {
        let folder = try Folder()
        let phrase = BackupSecret.passphrase(Secret(Array("correct horse".utf8)))
        try make(folder.file("b"), phrase, parts: [("a", 3)])
        #expect(try read(folder.file("b"), phrase).count == 1)
        #expect(try BackupReader.needsPassphrase(path: folder.file("b")))
        #expect(throws: BackupError.wrongKey) { try read(folder.file("b"), .passphrase(Secret(Array("battery staple".utf8)))) }
        #expect(throws: BackupError.wrongKind(needsPassphrase: true)) { try read(folder.file("b"), secret) }
    }

    @Test func `what is no backup, or only the beginning of one, is told for what it is, before any key is asked for`() throws {
        let folder = try Folder()
        try make(folder.file("b"), secret, parts: [("a", 3)])
        let whole = [UInt8](try #require(FileManager.default.contents(atPath: folder.file("b"))))
        for (name, length) in [("empty", 0), ("magic", "posthouse backup 1\n".utf8.count), ("header", 51)] {
            try Data(whole.prefix(length)).write(to: URL(fileURLWithPath: folder.file(name)))
            #expect(throws: BackupError.notABackup(path: folder.file(name))) { try BackupReader.needsPassphrase(path: folder.file(name)) }
            #expect(throws: BackupError.notABackup(path: folder.file(name))) { try read(folder.file(name), secret) }
        }
    }

    @Test func `nothing is overwritten, and what is not finished has no name`() throws {
        let folder = try Folder()
        try make(folder.file("b"), secret, parts: [("a", 3)])
        #expect(throws: BackupError.exists(path: folder.file("b"))) { try make(folder.file("b"), secret, parts: []) }
        do {
            let writer = try BackupWriter(path: folder.file("c"), secret: secret)
            try writer.write(part: "a", bytes(200_000))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["b"])
    }

    /// Chunk by chunk: the first two of three are whole ones.
    @Test func `every flipped bit, cut, exchange, repetition and addition is noticed`() throws {
        let folder = try Folder()
        try make(folder.file("b"), secret, parts: [("store", 150_000)])
        let whole = folder.bytes("b")
        let (header, chunk) = (52, 4 + 24 + 16 + 65_536)
        func isRefused(_ altered: [UInt8], _ what: String) throws {
            let copy = try Folder()
            try copy.write(altered, to: "b")
            #expect(throws: BackupError.self, "\(what)") { try read(copy.file("b"), secret) }
        }
        for index in Array(0..<header + 30) + stride(from: header + 30, to: whole.count, by: 4_999) {
            var altered = whole
            altered[index] ^= 1 << UInt8(index % 8)
            try isRefused(altered, "bit of byte \(index)")
        }
        for length in [0, 1, 19, header, header + 3, header + chunk, header + 2 * chunk, whole.count - 1] {
            try isRefused(Array(whole.prefix(length)), "\(length) bytes")
        }
        let (start, first) = (whole.prefix(header), whole[header..<header + chunk])
        let (second, last) = (whole[(header + chunk)..<(header + 2 * chunk)], whole[(header + 2 * chunk)...])
        try isRefused(Array(start + second + first + last), "exchanged")
        try isRefused(Array(start + first + last), "left out")
        try isRefused(Array(start + first + first + second + last), "repeated")
        try isRefused(whole + last, "added")
        try make(folder.file("c"), secret, parts: [("store", 150_000)])
        try isRefused(Array(start + folder.bytes("c")[header..<header + chunk] + second + last), "of another backup")
    }
}
