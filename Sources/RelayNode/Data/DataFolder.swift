package import Cryptography
internal import Foundation
package import Storage
package import Vocabulary

/// A node's data folder: `posthouse.json`, `keys/` (0700), the store and the lock. One process at a time.
package struct DataFolder: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    package var configurationFile: String { path + "/" + NodeConfiguration.fileName }
    package var keysFolder: String { path + "/keys" }
    package var nodeKeyFile: String { keysFolder + "/node.key" }
    package var storageKeyFile: String { keysFolder + "/storage.key" }
    package var storeFile: String { path + "/store.db" }
    package var exists: Bool { FileManager.default.fileExists(atPath: configurationFile) }

    package static var standard: String { StandardFolder.data("posthouse") }

    /// Makes the folder with fresh keys. The configuration is written last: without it the folder is no node's.
    package func create(_ configuration: NodeConfiguration) throws(DataFolderError) -> SigningKey {
        guard !exists else { throw .exists(path: path) }
        try makeFolder(path)
        try makeFolder(keysFolder)
        // Of a command that was ended half-way: the store is made anew, but the keys stay, since a ticket may be bound to the node's already.
        for file in [storeFile, storeFile + "-wal", storeFile + "-shm", path + "/journal"] { unlink(file) }
        var random = SystemRandom()
        if access(storageKeyFile, F_OK) != 0 {
            var storage = random.bytes(32)
            try KeyFile.create(.storage, at: storageKeyFile, secret: Secret(consuming: &storage))
        }
        if access(nodeKeyFile, F_OK) != 0 { try KeyFile.create(.node, at: nodeKeyFile, secret: SigningKey(using: &random).seed) }
        return try nodeKey()
    }

    /// Takes away what `create` made, if no configuration was written.
    package func removeUnused() {
        guard !exists else { return }
        for file in [nodeKeyFile, storageKeyFile, path + "/lock"] { unlink(file) }
        rmdir(keysFolder)
        rmdir(path)
    }

    package func write(_ configuration: NodeConfiguration) throws(DataFolderError) {
        let temporary = configurationFile + ".new"
        guard FileManager.default.createFile(atPath: temporary, contents: Data(configuration.json)),
            rename(temporary, configurationFile) == 0
        else { throw .cannotWrite(path: configurationFile, reason: String(cString: strerror(errno))) }
    }

    package func nodeKey() throws(DataFolderError) -> SigningKey {
        let seed = try KeyFile.read(.node, at: nodeKeyFile)
        guard let key = try? SigningKey(seed: seed) else { throw .keyUnreadable(path: nodeKeyFile) }
        return key
    }

    package func storageKey() throws(DataFolderError) -> Secret { try KeyFile.read(.storage, at: storageKeyFile) }

    package func configuration() throws(DataFolderError) -> NodeConfiguration {
        guard exists else {
            // Somebody else's looks like an empty one.
            if access(configurationFile, F_OK) != 0, errno == EACCES { throw .notPermitted(path: path) }
            throw .missing(path: path)
        }
        return try NodeConfiguration(contentsOf: configurationFile)
    }

    /// Refuses folders and keys that others can read, as ssh does.
    package func checkModes() throws(DataFolderError) {
        var status = stat()
        guard stat(keysFolder, &status) == 0 else { throw .keyMissing(path: keysFolder) }
        guard status.st_mode & 0o077 == 0 else {
            throw .looseMode(path: keysFolder, mode: String(status.st_mode & 0o777, radix: 8), wanted: "700")
        }
        _ = try KeyFile.read(.node, at: nodeKeyFile)
        _ = try KeyFile.read(.storage, at: storageKeyFile)
        // Who can write the folder can put other keys into it.
        guard stat(path, &status) == 0, status.st_mode & 0o022 == 0 else {
            throw .looseMode(path: path, mode: String(status.st_mode & 0o777, radix: 8), wanted: "700")
        }
    }

    private func makeFolder(_ folder: String) throws(DataFolderError) {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch { throw .cannotWrite(path: folder, reason: "The folder cannot be made: \(error.localizedDescription)") }
        guard access(folder, W_OK) == 0 else { throw .cannotWrite(path: folder, reason: String(cString: strerror(errno))) }
        if folder == keysFolder { chmod(folder, 0o700) }
    }
}
