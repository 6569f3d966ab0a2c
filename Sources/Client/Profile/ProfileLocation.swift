internal import Foundation
internal import Glibc
internal import Storage

/// Where a profile is: the folder with keys and store of one user's device.
public struct ProfileLocation: Sendable, Equatable {
    public let folder: String

    /// - Parameters:
    ///   - profile: a name, or a folder if it has a slash in it.
    ///   - data: a folder: the profile itself, or, with a profile's name, where profiles are.
    ///
    /// - Throws: `usage` for a name that is none.
    public init(profile: String?, data: String?) throws(ClientError) {
        if let profile, profile.isEmpty || profile == "." || profile == ".." {
            throw ClientError(
                .usage, what: "'\(profile)' is no profile.", why: "A profile is a name, or a folder if it has a slash in it.",
                remedy: "Name one: --profile work, or --profile ./work")
        }
        if let data, data.isEmpty {
            throw ClientError(
                .usage, what: "--data names no folder.", why: "It is empty.", remedy: "Leave it out for the default, or name a folder.")
        }
        if let profile, profile.contains("/") {
            folder = Self.absolute(profile)
        } else if let data {
            folder = Self.absolute(profile.map { "\(data)/\($0)" } ?? data)
        } else {
            folder = Self.absolute("\(StandardFolder.data("courier"))/\(profile ?? "default")")
        }
    }

    /// Others could put files into a folder that they may write to, and see how much there is in one that they may read.
    func checkMode() throws(ClientError) {
        var status = stat()
        guard stat(folder, &status) == 0, status.st_mode & 0o077 != 0 else { return }
        throw ClientError(
            .configuration, what: "Others have access to the profile \(folder).",
            why: "Its mode is \(String(status.st_mode & 0o777, radix: 8)).", remedy: "Run: chmod 700 '\(folder)'")
    }

    private static func absolute(_ path: String) -> String {
        let full = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        return (full as NSString).standardizingPath
    }

    var keyFile: String { folder + "/profile.key" }
    var saltFile: String { folder + "/passphrase.salt" }
    var database: String { folder + "/courier.sqlite" }
    /// nil while there is no key of either kind.
    var isSealedByPassphrase: Bool? {
        if FileManager.default.fileExists(atPath: saltFile) { return true }
        return FileManager.default.fileExists(atPath: keyFile) ? false : nil
    }
    var exists: Bool { FileManager.default.fileExists(atPath: database) }
}
