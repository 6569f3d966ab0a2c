/// Why a backup cannot be made, opened or restored.
public enum BackupError: Explained, Equatable {
    case io(String)
    case exists(path: String)
    case notABackup(path: String)
    /// Sealed under a key of the other kind.
    case wrongKind(needsPassphrase: Bool)
    /// Chunk 0 does not open: the key is another's, or the file's start is damaged.
    case wrongKey
    case damaged(chunk: UInt64)
    case cutShort
    case malformed(String)
    case keyUnusable(String)

    public var explanation: Explanation {
        switch self {
        case .io(let why):
            Explanation(
                what: "The backup could not be read or written.", why: why, remedy: "Check the path, the disk and the folder's mode.")
        case .exists(let path):
            Explanation(what: "Will not overwrite \(path).", why: "There is a file already.", remedy: "Name another file with --to.")
        case .notABackup(let path):
            Explanation(
                what: "\(path) is no backup.", why: "It does not begin as one made by this program.",
                remedy: "Name a file that `posthouse backup create` has made.")
        case .wrongKind(let needsPassphrase):
            needsPassphrase
                ? Explanation(
                    what: "The backup is sealed with a passphrase.", why: "It was made with --passphrase-file.",
                    remedy: "Name the file with the passphrase: --passphrase-file F")
                : Explanation(
                    what: "The backup is sealed with the node's storage.key.", why: "It was made without --passphrase-file.",
                    remedy: "Name the folder with the node's keys: --keys DIR")
        case .wrongKey:
            Explanation(
                what: "The backup does not open.", why: "The key or passphrase is not the one it was made with, or its start is damaged.",
                remedy: "Use the right one, or another backup.")
        case .damaged(let chunk):
            Explanation(
                what: "The backup is damaged.", why: "Chunk \(chunk) is altered, missing or in the wrong place.",
                remedy: "Use another backup.")
        case .cutShort:
            Explanation(what: "The backup is damaged.", why: "Its end is missing.", remedy: "Use another backup.")
        case .malformed(let why):
            Explanation(what: "The backup does not hold what it should.", why: why, remedy: "Use another backup.")
        case .keyUnusable(let why):
            Explanation(what: "The backup's key cannot be made.", why: why, remedy: "See that 64 MiB of memory are free.")
        }
    }
}
