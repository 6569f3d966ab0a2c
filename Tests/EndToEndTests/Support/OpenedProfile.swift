import Cryptography
import Foundation
import Storage
import Vocabulary

/// A profile's disk in the hands of somebody who has its key: every row, opened. Not by the client's own code, which shows what it thinks
/// it has; a row that this does not open fails the test.
struct OpenedProfile {
    /// Of a row; the numbers are those of the client's store (`ProfileStore.Kind`).
    enum Kind: UInt8 {
        case outbox = 4
        case message = 16
        case status, peer, alarm
        case group = 32
        case receipts, owner
    }

    let rows: [(kind: UInt8, body: [UInt8])]
    /// The MLS group of each conversation that was asked for: the records of its state.
    let groups: [String: [(key: [UInt8], value: [UInt8])]]
    private let files: [UInt8]

    /// - Parameter conversations: ids in hexadecimal.
    init(of user: User, groups conversations: [String]) throws {
        let database = try Database(reading: user.profile + "/courier.sqlite")
        defer { database.close() }
        guard (try? Data(contentsOf: URL(fileURLWithPath: user.profile + "/courier.sqlite-wal")))?.isEmpty != false else {
            throw Program.Failure(description: "\(user.handle)'s profile is in use")
        }
        let key = try SealingKey(Secret(Data(contentsOf: URL(fileURLWithPath: user.profile + "/profile.key"))))
        let sealing = try SealingKey(key.derived(for: "posthouse profile rows 1"))
        let hashing = key.derived(for: "posthouse profile keys 1")
        var found: [(kind: UInt8, body: [UInt8])] = []
        func open(_ box: [UInt8], _ kind: UInt8, _ key: [UInt8]) throws(StoreError) -> [UInt8] {
            guard let body = try? sealing.open(box, place: [kind] + key) else { throw .unusable("a row of kind \(kind) does not open") }
            found.append((kind, body))
            return body
        }
        try database.rows("SELECT kind, key, body FROM item") { row throws(StoreError) in
            _ = try open(try row.blob(2), UInt8(clamping: try row.integer(0)), try row.blob(1))
        }
        try database.rows("SELECT key, body, status FROM message") { row throws(StoreError) in
            _ = try open(try row.blob(1), Kind.message.rawValue, try row.blob(0))
            _ = try open(try row.blob(2), Kind.status.rawValue, try row.blob(0))
        }
        try database.rows("SELECT body FROM alarm") { row throws(StoreError) in
            _ = try open(try row.blob(0), Kind.alarm.rawValue, [])
        }
        var groups: [String: [(key: [UInt8], value: [UInt8])]] = [:]
        var owners: [[UInt8]: String] = [:]
        for id in conversations { owners[Hash.keyed([Kind.owner.rawValue] + (Hex.decode(id) ?? []), key: hashing)] = id }
        try database.rows("SELECT kind, owner, key, body FROM record") { row throws(StoreError) in
            let kind = UInt8(clamping: try row.integer(0))
            let body = try open(try row.blob(3), kind, try row.blob(2))
            guard kind == Kind.group.rawValue, let id = owners[try row.blob(1)] else { return }
            var reader = ByteReader(body)
            guard let key = try? reader.opaque(), let value = try? reader.opaque() else { throw .corrupt("a record") }
            groups[id, default: []].append((Array(key), Array(value)))
        }
        (rows, self.groups) = (found, groups)
        files = try FileManager.default.contentsOfDirectory(atPath: user.profile).sorted().flatMap { name in
            (try? Data(contentsOf: URL(fileURLWithPath: user.profile + "/" + name))) ?? Data()
        }
    }

    func rows(_ kind: Kind) -> [[UInt8]] { rows.filter { $0.kind == kind.rawValue }.map(\.body) }

    /// All that is in it: what was opened, and the files as they are.
    var bytes: [UInt8] { rows.flatMap(\.body) + files }
}
