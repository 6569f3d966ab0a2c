public import Cryptography
internal import Vocabulary

/// How a backup stands in its file: a header, then sealed chunks. Source: docs/operating.md, "The file of a backup".
///
/// Header: `posthouse backup 1` and a line feed (19 bytes), how the key is made (1), salt (16), random name (16). A chunk: bytes of its box
/// (big-endian, 4), then the box, sealed to header, the chunk's number and whether it is the last: what is cut off, exchanged, put in or of
/// another backup does not open. What the chunks hold in a row: parts, each with its name's length (1), name, size (8) and bytes.
enum BackupFormat {
    static let magic = Array("posthouse backup 1\n".utf8)
    static let headerBytes = magic.count + 1 + Passphrase.saltBytes + 16
    /// Bytes in one chunk; of the last fewer.
    static let chunkBytes = 64 << 10

    static func place(_ header: [UInt8], _ number: UInt64, isLast: Bool) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: header.count + 9)
        writer.write(fixed: header)
        writer.write(number)
        writer.write(UInt8(isLast ? 1 : 0))
        return writer.bytes
    }
}

/// What opens a backup, and nothing else does.
public enum BackupSecret: Sendable {
    /// The node's `storage.key`.
    case storageKey(Secret)
    /// By Argon2id, with the backup's own salt.
    case passphrase(Secret)

    var kind: UInt8 {
        switch self {
        case .storageKey: 1
        case .passphrase: 2
        }
    }

    func key(salt: [UInt8]) throws(BackupError) -> SealingKey {
        do {
            switch self {
            case .storageKey(let key): return try SealingKey(SealingKey(key).derived(for: "posthouse backup"))
            case .passphrase(let phrase):
                return try SealingKey(SealingKey(Passphrase.key(from: phrase, salt: salt)).derived(for: "posthouse backup"))
            }
        } catch { throw .keyUnusable("\(error)") }
    }
}
