internal import Cryptography
internal import Vocabulary

/// Where the admin socket of a data folder is: the one function for both sides.
package enum AdminSocket {
    /// `admin.sock` in the data folder; where that path is too long for a socket address, in a folder of this user's own under /tmp
    /// that is named after it.
    package static func path(dataFolder: String) throws(NetworkError) -> String {
        guard let folder = UnixSocket.realPath(dataFolder) else {
            throw .adminFolder(path: dataFolder, reason: "There is no such folder.")
        }
        let own = folder + "/admin.sock"
        guard own.utf8.count > UnixSocket.pathBytesMax else { return own }
        let path = shortPrefix + Hash.blake2b(Array(folder.utf8)).hex.prefix(24) + "/admin.sock"
        try makeFolder(of: path)
        return path
    }

    /// Of a socket that is not in the data folder.
    static func makeFolder(of path: String) throws(NetworkError) {
        guard path.hasPrefix(shortPrefix), let end = path.lastIndex(of: "/") else { return }
        try UnixSocket.privateFolder(String(path[..<end]))
    }

    private static var shortPrefix: String { "/tmp/posthouse-\(UnixSocket.userID)-" }
}
