internal import Foundation

/// Where a profile is: the folder with keys and store of one user's device.
public struct ProfileLocation: Sendable, Equatable {
    public let folder: String

    /// - Parameters:
    ///   - profile: a name, or a folder if it has a slash in it.
    ///   - data: a folder: the profile itself, or, with a profile's name, where profiles are.
    public init(profile: String?, data: String?) {
        let environment = ProcessInfo.processInfo.environment
        if let profile, profile.contains("/") {
            folder = Self.absolute(profile)
        } else if let data {
            folder = Self.absolute(profile.map { "\(data)/\($0)" } ?? data)
        } else {
            let home = environment["HOME"] ?? "."
            let base = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "\(home)/.local/share"
            folder = Self.absolute("\(base)/courier/\(profile ?? "default")")
        }
    }

    private static func absolute(_ path: String) -> String {
        let full = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        return (full as NSString).standardizingPath
    }

    var keyFile: String { folder + "/profile.key" }
    var saltFile: String { folder + "/passphrase.salt" }
    var database: String { folder + "/courier.sqlite" }
    var exists: Bool { FileManager.default.fileExists(atPath: database) }
}
