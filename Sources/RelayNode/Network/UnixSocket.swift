internal import Vocabulary

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Unix-domain stream sockets by the system's calls, for the admin socket: its mode has to be right from the first moment, and commands
/// need no event loop.
enum UnixSocket {
    static let addressInUse = EADDRINUSE
    static let accessDenied = EACCES
    static let notPermitted = EPERM
    static let addressNotAvailable = EADDRNOTAVAIL
    /// Bytes of a path that every system takes: `sun_path` holds 104 to 108 with the final zero.
    static let pathBytesMax = 100

    struct Failure: Error {
        let code: Int32
        var reason: String { String(cString: strerror(code)) }
    }

    /// Replaces the socket of a dead process. The file is never open to others: its mode is set before it exists.
    static func listen(at path: String) throws(NetworkError) -> Int32 {
        if exists(path) {
            guard isSocket(path) else { throw .adminFolder(path: path, reason: "A file that is no socket is in the way.") }
            if let descriptor = try? connect(to: path) {
                close(descriptor)
                throw .adminSocketInUse(path: path)
            }
            unlink(path)
        }
        do {
            let descriptor = try open()
            // Linux gives the new file the mode of the socket's own inode, less the umask.
            guard fchmod(descriptor, 0o600) == 0, withAddress(path, { bind(descriptor, $0, $1) }) == 0, chmod(path, 0o600) == 0 else {
                let code = errno
                close(descriptor)
                throw Failure(code: code)
            }
            return descriptor
        } catch let failure as Failure {
            throw .adminFolder(path: path, reason: failure.reason)
        } catch {
            throw .adminFolder(path: path, reason: "\(error)")
        }
    }

    static func connect(to path: String) throws(Failure) -> Int32 {
        let descriptor = try open()
        // Shadowed by this function's name otherwise.
        #if canImport(Glibc)
            let result = withAddress(path) { Glibc.connect(descriptor, $0, $1) }
        #elseif canImport(Musl)
            let result = withAddress(path) { Musl.connect(descriptor, $0, $1) }
        #else
            let result = withAddress(path) { Darwin.connect(descriptor, $0, $1) }
        #endif
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw Failure(code: code)
        }
        return descriptor
    }

    static func remove(_ path: String) { unlink(path) }

    /// Sends all, then reads to the end. Closes the descriptor.
    static func exchange(_ request: [UInt8], on descriptor: Int32, bytesMax: Int, timeout: Duration) throws(Failure) -> [UInt8] {
        defer { close(descriptor) }
        var limit = timeval(tv_sec: Int(max(1, timeout.milliseconds / 1000)), tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var sent = 0
        while sent < request.count {
            let count = request.withUnsafeBytes {
                send(descriptor, $0.baseAddress.map { $0 + sent }, request.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            // The node may answer and close before it has read all: what it said counts.
            guard count > 0 else { break }
            sent += count
        }
        var answer: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = recv(descriptor, &part, part.count, 0)
            if count < 0, errno == EINTR { continue }
            // Likewise: what the node closed on had said all it wanted to.
            if count < 0, errno == ECONNRESET, !answer.isEmpty { return answer }
            guard count >= 0 else { throw Failure(code: errno) }
            guard count > 0 else { return answer }
            answer += part[..<count]
            guard answer.count <= bytesMax else { throw Failure(code: EMSGSIZE) }
        }
    }

    /// A folder of this user alone, made if it is missing.
    static func privateFolder(_ path: String) throws(NetworkError) {
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw .adminFolder(path: path, reason: String(cString: strerror(errno))) }
        var status = stat()
        guard lstat(path, &status) == 0 else { throw .adminFolder(path: path, reason: String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .adminFolder(path: path, reason: "It is no folder.") }
        guard status.st_uid == geteuid() else { throw .adminFolder(path: path, reason: "It belongs to another user.") }
        guard status.st_mode & 0o077 == 0 else { throw .adminFolder(path: path, reason: "Others can use it.") }
    }

    static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    static var userID: UInt32 { geteuid() }

    // MARK: -

    private static func open() throws(Failure) -> Int32 {
        #if os(Linux)
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #else
            let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { throw Failure(code: errno) }
        return descriptor
    }

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    private static func isSocket(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    /// A path that is too long gives ENAMETOOLONG.
    private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count <= pathBytesMax, !bytes.contains(0) else {
            errno = ENAMETOOLONG
            return -1
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }
}

extension UnixSocket.Failure {
    /// No socket there, or one that a dead process left.
    var isNobodyThere: Bool { code == ENOENT || code == ECONNREFUSED }
}
