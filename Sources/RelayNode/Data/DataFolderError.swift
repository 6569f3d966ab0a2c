package import Vocabulary

/// Why a data folder cannot be used. All of them end a command with exit code 78, but for I/O (74).
package enum DataFolderError: Explained, Equatable {
    case missing(path: String)
    case notPermitted(path: String)
    case exists(path: String)
    case cannotWrite(path: String, reason: String)
    case looseMode(path: String, mode: String, wanted: String)
    case keyMissing(path: String)
    case keyUnreadable(path: String)
    case configurationUnreadable(path: String, reason: String)
    case unknownSetting(path: String, key: String, known: [String])
    case badSetting(path: String, key: String, reason: String)
    case notLoopback(setting: String, endpoint: Endpoint)
    case notFounded(path: String)

    package var explanation: Explanation {
        switch self {
        case .missing(let path):
            Explanation(
                what: "There is no node in \(path).", why: "It holds no posthouse.json.",
                remedy: "Found one with `posthouse init --data \(path) --name NAME`, or join one with `posthouse federation join`.")
        case .notPermitted(let path):
            Explanation(
                what: "Cannot read \(path).", why: "Permission denied: it belongs to another user, or nobody may read it.",
                remedy: "Run the command as the user whose node it is, or give the file back its mode.")
        case .exists(let path):
            Explanation(
                what: "Will not touch \(path).", why: "A node lives there already.",
                remedy: "Name another folder with --data.")
        case .cannotWrite(let path, let reason):
            Explanation(
                what: "Cannot write \(path).", why: reason, remedy: "Make the folder writable for this user, or name another with --data.")
        case .looseMode(let path, let mode, let wanted):
            Explanation(
                what: "Will not start: others can read \(path).", why: "Its mode is 0\(mode).", remedy: "chmod \(wanted) \(path)")
        case .keyMissing(let path):
            Explanation(
                what: "Will not start: \(path) is missing.", why: "A node is its keys.", remedy: "Restore it from your backup.")
        case .keyUnreadable(let path):
            Explanation(
                what: "Will not start: \(path) is not a key of ours.", why: "It cannot be read as `posthouse KIND key 1 …`.",
                remedy: "Restore it from your backup; keys/README.md shows the format.")
        case .configurationUnreadable(let path, let reason):
            Explanation(what: "Cannot read \(path).", why: reason, remedy: "Mend the JSON; docs/operating.md lists the settings.")
        case .unknownSetting(let path, let key, let known):
            Explanation(
                what: "\(path) has an unknown setting \"\(Printable.line(key))\".",
                why: "The settings are \(known.joined(separator: ", ")).",
                remedy: "Remove it or mend its spelling.")
        case .badSetting(let path, let key, let reason):
            Explanation(what: "\(path): the setting \"\(key)\" cannot be used.", why: reason, remedy: "Mend it, then start again.")
        case .notLoopback(let setting, let endpoint):
            Explanation(
                what: "Will not listen on \(endpoint) for \(setting).", why: "It can be reached from other machines, and nobody said so.",
                remedy: "Add \"public\": true to posthouse.json (or --public to the command), or use 127.0.0.1.")
        case .notFounded(let path):
            Explanation(
                what: "The node in \(path) belongs to no federation.", why: "Its store holds no genesis statement.",
                remedy: "If it had one, restore a backup: posthouse backup restore. If not, remove the folder and run `posthouse init` or "
                    + "`posthouse federation join` again.")
        }
    }
}
