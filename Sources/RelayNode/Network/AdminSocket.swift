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
        let path = folder + "/admin.sock"
        guard path.utf8.count > UnixSocket.pathBytesMax else { return path }
        let name = Hash.blake2b(Array(folder.utf8)).hex.prefix(24)
        let short = "/tmp/posthouse-\(UnixSocket.userID)-\(name)"
        try UnixSocket.privateFolder(short)
        return short + "/admin.sock"
    }
}
