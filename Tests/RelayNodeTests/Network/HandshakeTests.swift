import Cryptography
import RelayNode
import Testing
import Vocabulary

@Suite(.timeLimit(.minutes(1))) struct HandshakeTests {
    @Test func `TLS 1.2 is refused on both ports`() async throws {
        let node = try TestNode()
        for endpoint in [node.addresses.clients, node.addresses.peers] {
            let client = try await TestClient(endpoint, tls: .version12)
            client.send(TestClient.upgradeRequest)
            await client.heard.until(\.isClosed)
            #expect(client.status == nil)
        }
    }

    @Test(arguments: UInt64(0)..<8) func `random bytes harm nobody`(seed: UInt64) async throws {
        let node = try TestNode()
        var random = SeededGenerator(seed: seed)
        for endpoint in [node.addresses.clients, node.addresses.peers] {
            let client = try await TestClient(endpoint, tls: .none)
            client.send(random.bytes(4_096))
            await client.heard.until(\.isClosed)
        }
        let client = try await TestClient(node.addresses.clients)
        await client.upgrade()
        #expect(client.status == 101)
    }

    @Test func `who says nothing is dropped, on both ports`() async throws {
        let node = try TestNode { $0.handshakeTimeout = .milliseconds(50) }
        for endpoint in [node.addresses.clients, node.addresses.peers] {
            let client = try await TestClient(endpoint, tls: .none)
            await client.heard.until(\.isClosed)
        }
    }

    @Test func `who sends half a request is dropped`() async throws {
        let node = try TestNode { $0.handshakeTimeout = .milliseconds(300) }
        let client = try await TestClient(node.addresses.clients)
        client.send("GET /v1/session HTTP/1.1\r\nHost:")
        await client.heard.until(\.isClosed)
        #expect(client.status == nil)
    }

    @Test(arguments: [
        ("no http at all\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: harbor\r\n\r\n", 404),
        ("GET /i/short HTTP/1.1\r\nHost: harbor\r\n\r\n", 404),
        ("POST /v1/session HTTP/1.1\r\nHost: harbor\r\nContent-Length: 0\r\n\r\n", 405),
        ("GET /v1/session HTTP/1.1\r\nHost: harbor\r\n\r\n", 426),
        ("GET /nowhere HTTP/1.1\r\nHost: harbor\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 404),
        ("GET /v1/session HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
        (
            "GET /v1/session HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
                + "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n", 400
        ),
        ("GET / HTTP/1.1\r\nHost: harbor\r\nX: " + String(repeating: "x", count: 9_000) + "\r\n\r\n", 431),
    ])
    func `other HTTP gets its status, and the end`(request: String, status: Int) async throws {
        let node = try TestNode()
        let client = try await TestClient(node.addresses.clients)
        client.send(request)
        await client.heard.until(\.isClosed)
        #expect(client.status == status)
    }

    @Test func `a browser that opens an invitation link is told how to use it`() async throws {
        let node = try TestNode()
        let link = InvitationLink(
            endpoint: Endpoint(host: "harbor.example", port: 443), secret: [UInt8](repeating: 9, count: 16), node: node.id)
        let client = try await TestClient(node.addresses.clients)
        client.send("GET /i/\(Base64URL.encode(link.secret)) HTTP/1.1\r\nHost: harbor.example\r\n\r\n")
        let page = String(decoding: await client.heard.until(\.isClosed).bytes, as: UTF8.self)
        #expect(client.status == 200)
        #expect(page.contains("courier join &#39;\(link)&#39;") || page.contains("courier join '\(link)'"))
        // What the request says of itself is never markup.
        let hostile = try await TestClient(node.addresses.clients)
        hostile.send("GET /i/\(Base64URL.encode(link.secret)) HTTP/1.1\r\nHost: <script>alert(1)</script>\r\n\r\n")
        #expect(!String(decoding: await hostile.heard.until(\.isClosed).bytes, as: UTF8.self).contains("<script"))
    }

    @Test func `a port in use and a foreign address are named`() throws {
        let node = try TestNode()
        let taken = node.addresses.clients
        #expect(throws: NetworkError.portInUse(taken)) { try TestNode(2) { $0.clients = taken } }
        let foreign = Endpoint(host: "192.0.2.1", port: 0)
        #expect(throws: NetworkError.badHost(foreign)) { try TestNode(2) { $0.peers = foreign } }
    }

    @Test func `the certificate is a function of the node key`() throws {
        let node = try TestNode(5)
        let again = try TestNode(5)
        let other = try TestNode(6)
        #expect(node.network.certificateHash == again.network.certificateHash)
        #expect(node.network.certificateHash != other.network.certificateHash)
    }
}
