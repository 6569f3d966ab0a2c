package import Cryptography
internal import Foundation
internal import Vocabulary

/// A key in a file of its own: one line, `posthouse KIND key 1 BASE64URL`, mode 0600. Documented in keys/README.md.
package enum KeyFile {
    package enum Kind: String { case node, storage }

    /// Creates a fresh key; never replaces one.
    package static func create(_ kind: Kind, at path: String, secret: Secret) throws(DataFolderError) {
        var bytes = secret.copyBytes()
        defer { wipe(&bytes) }
        let line = Array("posthouse \(kind.rawValue) key 1 \(Base64URL.encode(bytes))\n".utf8)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .cannotWrite(path: path, reason: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        guard write(descriptor, line, line.count) == line.count, fsync(descriptor) == 0 else {
            throw .cannotWrite(path: path, reason: String(cString: strerror(errno)))
        }
    }

    /// - Throws: `looseMode` when others can read it, as ssh does; the remedy is the `chmod` that mends it.
    package static func read(_ kind: Kind, at path: String) throws(DataFolderError) -> Secret {
        var status = stat()
        guard stat(path, &status) == 0 else { throw errno == EACCES ? .notPermitted(path: path) : .keyMissing(path: path) }
        guard status.st_mode & 0o077 == 0 else {
            throw .looseMode(path: path, mode: String(status.st_mode & 0o777, radix: 8), wanted: "600")
        }
        guard access(path, R_OK) == 0 else { throw .notPermitted(path: path) }
        guard status.st_size < 1024, let data = FileManager.default.contents(atPath: path) else {
            throw .keyUnreadable(path: path)
        }
        return try read(kind, in: Array(data), of: path)
    }

    /// - Parameter path: where the bytes are from.
    package static func read(_ kind: Kind, in bytes: [UInt8], of path: String) throws(DataFolderError) -> Secret {
        let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 5, words[0] == "posthouse", words[1] == kind.rawValue, words[2] == "key", words[3] == "1",
            var secret = Base64URL.decode(String(words[4])), secret.count == 32
        else { throw .keyUnreadable(path: path) }
        return Secret(consuming: &secret)
    }
}
