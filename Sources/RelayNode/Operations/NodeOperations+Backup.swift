package import Cryptography
internal import Federation
internal import Foundation
package import Storage
internal import Vocabulary

/// What a backup says of itself, before what it holds.
package struct BackupManifest: Codable, Sendable {
    package let v: Int
    package let name: String
    /// The node's id: 64 hex digits.
    package let node: String
    /// Milliseconds since 1970.
    package let created: Int64
    package let withKeys: Bool
    package let software: String
}

/// What came of making, looking at or restoring one.
package struct BackupResult: Codable, Sendable {
    package let v: Int
    package let file: String
    package let node: String
    package let name: String
    package let created: Int64
    package let withKeys: Bool
    package let bytes: Int
    package let storeBytes: Int
    package var rows: Int?
    package var data: String?
    /// The folder that was there before.
    package var moved: String?
}

package enum BackupPart {
    static let manifest = "manifest.json"
    static let store = "store.db"
    static let nodeKey = "keys/node.key"
    static let storageKey = "keys/storage.key"
    static let smallBytesMax = 1 << 20
}

extension NodeOperations {
    /// One point in time of the whole store, of a node that runs (by its admin socket; everything else goes on) or that does not.
    ///
    /// - Parameter passphrase: nil: sealed under a key from `storage.key`.
    package static func backUp(
        _ folder: DataFolder, to file: String, passphrase: Secret?, withKeys: Bool
    ) throws -> BackupResult {
        let configuration = try folder.configuration()
        try folder.checkModes()
        let secret: BackupSecret = try passphrase.map { .passphrase($0) } ?? .storageKey(folder.storageKey())
        let manifest = BackupManifest(
            v: 1, name: configuration.name.description, node: NodeID(raw: try folder.nodeKey().publicKey).hex,
            created: Clock.wall.milliseconds, withKeys: withKeys, software: Software.version)
        removeParts(of: file)
        let writer = try BackupWriter(path: file, secret: secret)
        try writer.write(part: BackupPart.manifest, Array(try JSONEncoder().encode(manifest)))
        try writer.write(part: NodeConfiguration.fileName, try read(folder.configurationFile))
        if withKeys {
            try writer.write(part: BackupPart.nodeKey, try read(folder.nodeKeyFile))
            try writer.write(part: BackupPart.storageKey, try read(folder.storageKeyFile))
        }
        let storeBytes = try holdingStill(folder) { try copy(folder.storeFile, into: writer) }
        try writer.finish()
        return BackupResult(
            v: 1, file: file, node: manifest.node, name: manifest.name, created: manifest.created, withKeys: withKeys,
            bytes: writer.bytesWritten, storeBytes: storeBytes)
    }

    /// Runs `work` while the store's file is whole and does not change.
    static func holdingStill<T>(_ folder: DataFolder, _ work: () throws -> T) throws -> T {
        do {
            let open = try OpenStore(folder)
            defer { open.lock.release() }
            // Brings everything into the file.
            try open.store.close()
            return try work()
        } catch StoreError.inUse {
            let admin = try AdminClient(dataFolder: folder.path)
            try ask(admin, "begin")
            let keeper = keepHolding(admin)
            defer { keeper.cancel() }
            do {
                let result = try work()
                keeper.cancel()
                try ask(admin, "end")
                return result
            } catch {
                _ = try? ask(admin, "end")
                throw error
            }
        }
    }

    /// Says now and then that the work goes on; that it could not be said is heard at the end.
    private static func keepHolding(_ admin: AdminClient) -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource()
        timer.schedule(deadline: .now() + 5, repeating: 5)
        timer.setEventHandler { try? ask(admin, "keep") }
        timer.resume()
        return timer
    }

    private static func ask(_ admin: AdminClient, _ step: String) throws {
        let (status, body) = try admin.request("POST", "/v1/backup/\(step)", timeout: .seconds(120))
        guard status == 200 else {
            let answer = try? JSONDecoder().decode(ErrorAnswer.self, from: Data(body))
            throw OperationError.backupRefused(answer?.why ?? "It answered \(status).")
        }
    }

    private static func copy(_ path: String, into writer: BackupWriter) throws -> Int {
        guard let file = FileHandle(forReadingAtPath: path) else { throw BackupError.io("\(path) cannot be opened") }
        defer { try? file.close() }
        let size = try file.seekToEnd()
        try file.seek(toOffset: 0)
        try writer.begin(BackupPart.store, size: size)
        var left = size
        while left > 0 {
            let some = try file.read(upToCount: Int(min(left, 1 << 20))) ?? Data()
            guard !some.isEmpty else { throw BackupError.io("\(path) became shorter") }
            try writer.write(Array(some))
            left -= UInt64(some.count)
        }
        return Int(size)
    }

    private static func read(_ path: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else { throw BackupError.io("\(path) cannot be read") }
        return Array(data)
    }

    // MARK: Looking at one

    /// Opens every chunk, and the store inside.
    ///
    /// - Parameter keys: the folder with the node's keys, if they are not in the backup.
    package static func verifyBackup(_ file: String, passphrase: Secret?, keys: String?) throws -> BackupResult {
        removeVerified()
        let place = "\(NSTemporaryDirectory())/\(verified)\(getpid())-\(UUID().uuidString)"
        defer { unlink(place) }
        let contents = try Self.contents(of: file, passphrase: passphrase, keys: keys, storeTo: place)
        let report = try StoreCheck.run(path: place, key: SealingKey(contents.storageKey()), removing: true)
        guard report.isWhole else { throw OperationError.storeDamaged(report.summary) }
        let manifest = contents.manifest
        guard NodeID(raw: try contents.nodeKey().publicKey).hex == manifest.node else { throw OperationError.otherNode(keys ?? file) }
        return BackupResult(
            v: 1, file: file, node: manifest.node, name: manifest.name, created: manifest.created, withKeys: manifest.withKeys,
            bytes: contents.fileBytes, storeBytes: contents.storeBytes, rows: report.rows.values.reduce(0, +))
    }

    /// The store of a backup that is looked at, in the folder for temporary files: this and the process. Sealed as in the backup; no key is
    /// beside it.
    private static let verified = "posthouse-verify-"

    /// What died meanwhile has left it, since SQLite opens nothing that has no name.
    private static func removeVerified() {
        let folder = NSTemporaryDirectory()
        for one in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where one.hasPrefix(verified) {
            let maker = one.dropFirst(verified.count).prefix { $0 != "-" }
            // Earlier versions made a folder, without the process in its name.
            if pid_t(maker) != nil, !isRunning(maker) { unlink(folder + "/" + one) }
        }
    }

    /// Makes a node's folder of a backup, marked as restored. All of it is on disk before the folder has its name.
    ///
    /// - Parameter replaces: a folder of this very node may be there: it is moved aside.
    package static func restoreBackup(
        _ file: String, to folder: DataFolder, passphrase: Secret?, keys: String?, replaces: Bool
    ) throws -> BackupResult {
        let files = FileManager.default
        let isThere = files.fileExists(atPath: folder.path)
        var isEmpty = true
        var lock: DataFolderLock?
        if isThere {
            // What a lock leaves behind is no content.
            isEmpty = try files.contentsOfDirectory(atPath: folder.path).allSatisfy { $0 == "lock" }
            guard isEmpty || replaces else { throw OperationError.folderNotEmpty(folder.path) }
            lock = try DataFolderLock(folder: folder.path)
        }
        defer { lock?.release() }
        removeUnfinished(beside: folder)
        let place = unusedPath("\(folder.path).restoring")
        defer { try? files.removeItem(atPath: place) }
        try files.createDirectory(atPath: place, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try write(to: place + "/" + unfinished) { try $0.write(contentsOf: Data("\(getpid())\n".utf8)) }
        let oldKeys = !isEmpty && files.fileExists(atPath: folder.storageKeyFile) ? folder.keysFolder : nil
        let (manifest, sizes) = try extract(file, to: place, passphrase: passphrase, keys: keys ?? oldKeys)
        let new = DataFolder(place)
        try checkSame(manifest, new)
        if !isEmpty {
            guard let old = try? folder.nodeKey(), NodeID(raw: old.publicKey).hex == manifest.node else {
                throw OperationError.otherNode(folder.path)
            }
        }
        // The numbers that a restored node gives follow the clock: one that is behind would have it give some twice.
        let newest = max(manifest.created / 1000, isEmpty ? 0 : newestChange(in: folder))
        guard Int64(clamping: Clock.wall.seconds) + 1 >= newest else { throw OperationError.clockBehind }
        let report = try StoreCheck.run(path: new.storeFile, key: SealingKey(new.storageKey()))
        guard report.isWhole else { throw OperationError.storeDamaged(report.summary) }
        try JournaledNodeStore.forgetJournal(folder: place, key: SealingKey(new.storageKey()))
        let open = try OpenStore(new)
        try open.store.markRestored(at: Clock.wall)
        try open.store.close()
        open.lock.release()
        unlink(place + "/lock")
        try sync(place + "/keys")
        try sync(place)
        var moved: String?
        if isThere {
            let aside = unusedPath("\(folder.path).before-\(Clock.wall.seconds)")
            try exchange(place, folder.path)
            if isEmpty {
                try? files.removeItem(atPath: place)
            } else {
                guard rename(place, aside) == 0 else { throw BackupError.io("moving \(place): \(String(cString: strerror(errno)))") }
                moved = aside
            }
        } else {
            guard rename(place, folder.path) == 0 else {
                throw BackupError.io("naming \(folder.path): \(String(cString: strerror(errno)))")
            }
        }
        // Last: a folder of this name without it is nobody's to delete, since it may be the one that was there before.
        unlink(folder.path + "/" + unfinished)
        try sync((folder.path as NSString).deletingLastPathComponent)
        return BackupResult(
            v: 1, file: file, node: manifest.node, name: manifest.name, created: manifest.created, withKeys: manifest.withKeys,
            bytes: sizes.file, storeBytes: sizes.store, rows: report.rows.values.reduce(0, +), data: folder.path, moved: moved)
    }

    /// Seconds since 1970.
    private static func newestChange(in folder: DataFolder) -> Int64 {
        let times = ["/store.db", "/store.db-wal", "/journal"].map { name -> Int64 in
            var status = stat()
            return stat(folder.path + name, &status) == 0 ? Int64(status.st_mtim.tv_sec) : 0
        }
        return times.max() ?? 0
    }

    /// Both have the other's name, at once: whenever it is cut short, a whole folder is there.
    private static func exchange(_ new: String, _ old: String) throws {
        if let renameat2 = renameat2 {
            if renameat2(AT_FDCWD, new, AT_FDCWD, old, renameExchange) == 0 { return }
            let code = errno
            // Not every file system can.
            guard code == EINVAL || code == ENOSYS || code == EXDEV || code == EOPNOTSUPP else {
                throw BackupError.io("naming \(old): \(String(cString: strerror(code)))")
            }
        }
        let between = unusedPath("\(old).moving")
        guard rename(old, between) == 0, rename(new, old) == 0, rename(between, new) == 0 else {
            throw BackupError.io("naming \(old): \(String(cString: strerror(errno)))")
        }
    }

    /// Linux has it, but no header that Swift reads: `RENAME_EXCHANGE` of rename(2).
    private static let renameExchange: UInt32 = 2
    private typealias Rename = @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
    private static var renameat2: Rename? { dlsym(nil, "renameat2").map { unsafeBitCast($0, to: Rename.self) } }

    /// In a folder that is not yet what it is to be: who makes it.
    private static let unfinished = "unfinished"

    private static func unusedPath(_ path: String) -> String {
        var (found, number) = (path, 1)
        while access(found, F_OK) == 0 {
            number += 1
            found = "\(path)-\(number)"
        }
        return found
    }

    /// What restorations that were cut short have left.
    private static func removeUnfinished(beside folder: DataFolder) {
        let files = FileManager.default
        let (parent, name) = ((folder.path as NSString).deletingLastPathComponent, (folder.path as NSString).lastPathComponent)
        for one in (try? files.contentsOfDirectory(atPath: parent)) ?? [] where one.hasPrefix("\(name).restoring") {
            let path = parent + "/" + one
            guard let mark = files.contents(atPath: path + "/" + unfinished) else {
                // The folder that was there before, and has not come to its name.
                rename(path, unusedPath("\(folder.path).before-\(Clock.wall.seconds)"))
                continue
            }
            // Without its end: its maker died as it wrote it.
            let maker = String(decoding: mark, as: UTF8.self)
            if maker.last != "\n" || !isRunning(maker.dropLast()) { try? files.removeItem(atPath: path) }
        }
    }

    /// What backups to this file that were cut short have left.
    private static func removeParts(of file: String) {
        let (parent, name) = ((file as NSString).deletingLastPathComponent, (file as NSString).lastPathComponent)
        let folder = parent.isEmpty ? "." : parent
        for one in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            guard let maker = BackupWriter.maker(ofPart: one, of: name), !isRunning(maker) else { continue }
            unlink(folder + "/" + one)
        }
    }

    private static func isRunning(_ process: Substring) -> Bool {
        guard let id = pid_t(process), id > 0 else { return false }
        return kill(id, 0) == 0 || errno != ESRCH
    }

    private static func checkSame(_ manifest: BackupManifest, _ folder: DataFolder) throws {
        guard NodeID(raw: try folder.nodeKey().publicKey).hex == manifest.node else { throw OperationError.otherNode(folder.keysFolder) }
    }

    /// What a backup holds, but for its store.
    private struct BackupContents {
        var manifest: BackupManifest
        /// Settings and keys, by the names of their files: the keys from elsewhere if the backup has none.
        var files: [String: [UInt8]]
        var fileBytes: Int
        var storeBytes: Int

        func storageKey() throws -> Secret { try key(.storage, BackupPart.storageKey) }
        func nodeKey() throws -> SigningKey { try SigningKey(seed: try key(.node, BackupPart.nodeKey)) }
        private func key(_ kind: KeyFile.Kind, _ name: String) throws -> Secret {
            try KeyFile.read(kind, in: files[name] ?? [], of: name)
        }
    }

    /// Brings what the backup holds into a new folder, and the keys to it if it does not hold them.
    private static func extract(
        _ file: String, to place: String, passphrase: Secret?, keys: String?
    ) throws -> (BackupManifest, sizes: (file: Int, store: Int)) {
        try FileManager.default.createDirectory(
            atPath: place + "/keys", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        chmod(place, 0o700)
        let contents = try Self.contents(of: file, passphrase: passphrase, keys: keys, storeTo: place + "/" + BackupPart.store)
        for (name, bytes) in contents.files.sorted(by: { $0.key < $1.key }) {
            try write(to: place + "/" + name) { try $0.write(contentsOf: Data(bytes)) }
        }
        return (contents.manifest, (contents.fileBytes, contents.storeBytes))
    }

    /// Opens every chunk.
    /// - Parameter place: the file to make of the store.
    private static func contents(
        of file: String, passphrase: Secret?, keys: String?, storeTo place: String
    ) throws -> BackupContents {
        let secret: BackupSecret
        if let passphrase {
            secret = .passphrase(passphrase)
        } else if let keys {
            secret = .storageKey(try KeyFile.read(.storage, at: keys + "/storage.key"))
        } else {
            throw OperationError.keysNeeded(passphrase: try BackupReader.needsPassphrase(path: file))
        }
        let reader = try BackupReader(path: file, secret: secret)
        var manifest: BackupManifest?
        var files: [String: [UInt8]] = [:]
        var storeBytes: Int?
        while let (name, size) = try reader.next() {
            switch name {
            case BackupPart.manifest:
                manifest = try? JSONDecoder().decode(BackupManifest.self, from: Data(reader.readAll(max: BackupPart.smallBytesMax)))
            case NodeConfiguration.fileName, BackupPart.nodeKey, BackupPart.storageKey:
                files[name] = try reader.readAll(max: BackupPart.smallBytesMax)
            case BackupPart.store:
                try write(to: place) { output in
                    while true {
                        let bytes = try reader.read()
                        if bytes.isEmpty { break }
                        try output.write(contentsOf: Data(bytes))
                    }
                }
                storeBytes = Int(clamping: size)
            // Of a newer version, and not needed by this one.
            default: break
            }
        }
        guard let manifest, manifest.v == 1, let storeBytes else { throw BackupError.malformed("it has no manifest or no store") }
        for name in [BackupPart.nodeKey, BackupPart.storageKey] where files[name] == nil {
            guard let keys else { throw OperationError.keysNeeded(passphrase: false) }
            files[name] = try read(keys + "/" + (name as NSString).lastPathComponent)
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0
        return BackupContents(manifest: manifest, files: files, fileBytes: size, storeBytes: storeBytes)
    }

    /// A new file, mode 0600, on disk when it returns.
    private static func write(to path: String, _ work: (FileHandle) throws -> Void) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw BackupError.io("making \(path): \(String(cString: strerror(errno)))") }
        let output = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do { try work(output) } catch let error as BackupError { throw error } catch { throw BackupError.io("writing \(path): \(error)") }
        guard fsync(descriptor) == 0 else { throw BackupError.io("syncing \(path): \(String(cString: strerror(errno)))") }
    }

    private static func sync(_ folder: String) throws {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw BackupError.io("syncing \(folder): \(String(cString: strerror(errno)))")
        }
    }

    // MARK: Looking at a store

    /// Reads every row of a node's store, running or not.
    package static func checkStore(_ folder: DataFolder) throws -> StoreCheck.Report {
        guard folder.exists else { throw DataFolderError.missing(path: folder.path) }
        let key = try SealingKey(folder.storageKey())
        return try holdingStill(folder) { try StoreCheck.run(path: folder.storeFile, key: key) }
    }
}

extension StoreCheck.Report {
    /// In one line.
    package var summary: String {
        let tables = damaged.sorted { $0.key < $1.key }.map { "\($0.value) of \(rows[$0.key] ?? 0) rows of \($0.key)" }
        return (tables + faults).joined(separator: "; ")
    }
}
