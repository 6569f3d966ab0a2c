import Dispatch
import RelayNode
import Testing
import Vocabulary

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite(.timeLimit(.minutes(1))) struct AdminTests {
    /// A folder of the test's own, `padding` bytes longer than it need be.
    private func folder(padding: Int = 0) throws -> String {
        var template = Array("/tmp/posthouse-test-XXXXXX".utf8CString)
        let base = try #require(mkdtemp(&template).map { String(cString: $0) })
        guard padding > 0 else { return base }
        let path = base + "/" + String(repeating: "d", count: padding)
        #expect(mkdir(path, 0o700) == 0)
        return path
    }

    private func remove(_ folder: String) {
        if let path = try? AdminSocket.path(dataFolder: folder) {
            unlink(path)
            rmdir(parent(path))
        }
        rmdir(folder)
        // The one made for padding; fails, as it should, where that is /tmp.
        rmdir(parent(folder))
    }

    private func parent(_ path: String) -> String { path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } }

    @Test(arguments: [0, 120]) func `commands reach the node, wherever its data folder is`(padding: Int) throws {
        let folder = try folder(padding: padding)
        defer { remove(folder) }
        let path = try AdminSocket.path(dataFolder: folder)
        let node = try TestNode { $0.adminSocket = path }
        let client = try AdminClient(dataFolder: folder)
        let answer = try client.request("POST", "/v1/invite?uses=1", body: Array("body".utf8))
        #expect(answer.status == 200)
        #expect(String(decoding: answer.body, as: UTF8.self) == "POST /v1/invite?uses=1body")
        var status = stat()
        #expect(lstat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)

        node.network.stop()
        #expect(throws: AdminClientError.notRunning(path: path)) { try client.request("GET", "/status") }
    }

    @Test func `the socket of a dead node is replaced, that of a living one is not`() throws {
        let folder = try folder()
        defer { remove(folder) }
        let path = try AdminSocket.path(dataFolder: folder)
        let descriptor = try staleSocket(path)
        close(descriptor)
        let node = try TestNode { $0.adminSocket = path }
        #expect(try AdminClient(dataFolder: folder).request("GET", "/").status == 200)
        #expect(throws: NetworkError.adminSocketInUse(path: path)) { try TestNode(2) { $0.adminSocket = path } }
        _ = node
    }

    @Test(arguments: [0, 120]) func `a socket that somebody removed is there again, and nothing is removed for it`(padding: Int) throws {
        let folder = try folder(padding: padding)
        defer { remove(folder) }
        let path = try AdminSocket.path(dataFolder: folder)
        let node = try TestNode { $0.adminSocket = path }
        #expect(try !node.network.lookAtAdminSocket())
        #expect(unlink(path) == 0)
        if padding > 0 { #expect(rmdir(parent(path)) == 0) }
        let isListening = DispatchSemaphore(value: 0)
        #expect(try node.network.lookAtAdminSocket { isListening.signal() })
        isListening.wait()
        #expect(try AdminClient(dataFolder: folder).request("GET", "/").status == 200)

        #expect(unlink(path) == 0)
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        #expect(try !node.network.lookAtAdminSocket())
        #expect(unlink(path) == 0)
        node.network.stop()
        #expect(try !node.network.lookAtAdminSocket())
        #expect(access(path, F_OK) != 0)
    }

    /// Bound, never listened on: what is left when a process dies.
    private func staleSocket(_ path: String) throws -> Int32 { try unixSocket(path, bind) }

    private func connected(_ path: String) throws -> Int32 { try unixSocket(path, connect) }

    private func unixSocket(_ path: String, _ open: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { open(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        try #require(result == 0)
        return descriptor
    }

    @Test func `without a node a command is told that none runs`() throws {
        let folder = try folder()
        defer { remove(folder) }
        let client = try AdminClient(dataFolder: folder)
        #expect(throws: AdminClientError.notRunning(path: client.path)) { try client.request("GET", "/status") }
    }

    @Test func `the loopback listener serves the three pages for machines alone`() async throws {
        let node = try TestNode { $0.adminLoopback = Endpoint(host: "127.0.0.1", port: 0) }
        let endpoint = try #require(node.addresses.adminLoopback)
        for (request, status) in [
            ("GET /metrics", 200), ("GET /livez?x", 200), ("GET /readyz", 200), ("GET /v1/status", 404), ("POST /metrics", 404),
        ] {
            let client = try await TestClient(endpoint, tls: .none)
            client.send("\(request) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            await client.heard.until(\.isClosed)
            #expect(client.status == status, "\(request)")
        }
        #expect(throws: NetworkError.notLoopback(Endpoint(host: "0.0.0.0", port: 0))) {
            try TestNode(2) { $0.adminLoopback = Endpoint(host: "0.0.0.0", port: 0) }
        }
    }

    @Test func `who fills the metrics listener is told that it is full, and does not shut the operator out`() async throws {
        let folder = try folder()
        defer { remove(folder) }
        let path = try AdminSocket.path(dataFolder: folder)
        let node = try TestNode {
            $0.adminSocket = path
            $0.adminLoopback = Endpoint(host: "127.0.0.1", port: 0)
        }
        let endpoint = try #require(node.addresses.adminLoopback)
        var idle: [TestClient] = []
        for _ in 0..<Limits.adminConnectionsMax { idle.append(try await TestClient(endpoint, tls: .none)) }
        let refused = try await TestClient(endpoint, tls: .none)
        await refused.heard.until { !$0.bytes.isEmpty }
        refused.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        let heard = await refused.heard.until(\.isClosed)
        #expect(refused.status == 503 && String(decoding: heard.bytes, as: UTF8.self).contains("as many as it takes"))
        let client = try AdminClient(dataFolder: folder)
        #expect(try client.request("GET", "/v1/status").status == 200)

        for one in idle.prefix(2) { await one.close() }
        try await served(endpoint)
        for one in idle { await one.close() }
    }

    /// The node learns of closed connections a little later than who closed them.
    private func served(_ endpoint: Endpoint) async throws {
        while true {
            let client = try await TestClient(endpoint, tls: .none)
            client.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await client.heard.until(\.isClosed)
            if client.status == 200 { return }
        }
    }

    @Test func `a command too many at the admin socket is told so in words`() throws {
        let folder = try folder()
        defer { remove(folder) }
        let path = try AdminSocket.path(dataFolder: folder)
        let node = try TestNode { $0.adminSocket = path }
        var idle: [Int32] = []
        defer { for one in idle { close(one) } }
        for _ in 0..<Limits.adminConnectionsMax { idle.append(try connected(path)) }
        let answer = try AdminClient(dataFolder: folder).request("POST", "/v1/expel", body: Array("{}".utf8))
        #expect(answer.status == 503 && String(decoding: answer.body, as: UTF8.self).contains("the admin socket"))
        #expect(node.delegate.record.value.admin.isEmpty)
    }
}
