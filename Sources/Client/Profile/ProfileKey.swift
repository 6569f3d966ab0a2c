internal import Cryptography
internal import Foundation
internal import Glibc

/// The key that seals a profile's store: from a passphrase (Argon2id, its salt beside the store), or in a file that only its owner reads.
enum ProfileKey {
    /// Makes the folder and its key, once; what is there already is left alone.
    static func make(in location: ProfileLocation, passphrase: Secret?) throws(ClientError) {
        do {
            try FileManager.default.createDirectory(
                atPath: location.folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ClientError(
                .inputOutput, what: "The profile folder \(location.folder) cannot be made.", why: error.localizedDescription,
                remedy: "Choose a folder that you may write to: --profile DIR")
        }
        guard location.isSealedByPassphrase == nil else { return }
        var random = SystemRandom()
        if passphrase != nil {
            try write(random.bytes(Passphrase.saltBytes), to: location.saltFile)
        } else {
            var bytes = random.bytes(32)
            defer { wipe(&bytes) }
            try write(bytes, to: location.keyFile)
        }
    }

    static func load(from location: ProfileLocation, passphrase: Secret?) throws(ClientError) -> SealingKey {
        if location.isSealedByPassphrase == true {
            guard let passphrase else {
                throw ClientError(
                    .permission, what: "The profile \(location.folder) is closed.", why: "It was made with a passphrase.",
                    remedy: "Name the file that holds it: --passphrase-file F")
            }
            let salt = try read(location.saltFile)
            do { return try SealingKey(Passphrase.key(from: passphrase, salt: salt)) } catch {
                throw ClientError(
                    .configuration, what: "The profile's key cannot be derived.", why: "\(error)",
                    remedy: "Check \(location.saltFile) (\(Passphrase.saltBytes) bytes) and that 64 MiB of memory are free.")
            }
        }
        try checkMode(location.keyFile)
        var bytes = try read(location.keyFile)
        do { return try SealingKey(Secret(consuming: &bytes)) } catch {
            throw ClientError(
                .configuration, what: "\(location.keyFile) is no profile key.", why: "It must hold 32 bytes.",
                remedy: "Restore it from a backup.")
        }
    }

    private static func checkMode(_ path: String) throws(ClientError) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw ClientError(
                .configuration, what: "The profile's key is missing.", why: "\(path): \(String(cString: strerror(errno)))",
                remedy: "Restore it from a backup.")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw ClientError(
                .configuration, what: "Others can read \(path).", why: "Its mode is \(String(status.st_mode & 0o777, radix: 8)).",
                remedy: "Run: chmod 600 \(path)")
        }
    }

    private static func read(_ path: String) throws(ClientError) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ClientError(
                .inputOutput, what: "\(path) cannot be read.", why: String(cString: strerror(errno)), remedy: "Check its owner and mode.")
        }
        return Array(data)
    }

    /// Whole and on disk, or not there: a new file beside it, synced and renamed.
    private static func write(_ bytes: [UInt8], to path: String) throws(ClientError) {
        let fresh = path + ".new"
        let file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        let written = file >= 0 && Glibc.write(file, bytes, bytes.count) == bytes.count && fsync(file) == 0
        let code = errno
        if file >= 0 { _ = close(file) }
        guard written, rename(fresh, path) == 0 else {
            throw ClientError(
                .inputOutput, what: "\(path) cannot be written.", why: String(cString: strerror(code)),
                remedy: "Check the disk and the folder's mode.")
        }
        let folder = open((path as NSString).deletingLastPathComponent, O_RDONLY | O_CLOEXEC)
        if folder >= 0 {
            _ = fsync(folder)
            _ = close(folder)
        }
    }
}
