import Foundation
import Testing
import Vocabulary

/// The protocol's pages say what the code does.
struct DocumentTests {
    private func page(_ name: String) throws -> String {
        try String(contentsOf: Schema.root.appending(path: "docs/protocol/\(name).md"), encoding: .utf8)
    }

    /// `ticketNameMismatch` to `TICKET_NAME_MISMATCH`.
    private func constant(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "_\($1)" : $1.uppercased() }
    }

    @Test func `the proto file names every refusal code`() throws {
        let stated = try #require(try Schema().enums["RefusalCode"])
        let known = Dictionary(uniqueKeysWithValues: Refusal.Code.allCases.map { ("REFUSAL_CODE_" + constant("\($0)"), $0.rawValue) })
        #expect(stated == known)
    }

    @Test func `the page's table of refusals is the code's`() throws {
        let rows = try page("client-session").split(separator: "\n").compactMap { line -> String? in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 4, UInt32(cells[0]) != nil else { return nil }
            return "\(cells[0]) \(cells[1]) \(cells[2])"
        }
        #expect(rows == Refusal.Code.allCases.map { "\($0.rawValue) `\($0)` \($0.isTransient ? "yes" : "")" })
    }

    @Test func `the pages name every frame`() throws {
        let schema = try Schema()
        let pages = ["ClientFrame": "client-session", "NodeFrame": "client-session", "LinkFrame": "node-link"]
        for (message, name) in pages {
            let text = try page(name)
            for field in (schema.messages[message] ?? [:]).values {
                #expect(text.contains("`\(field.name)`") || text.contains("`\(field.name) {"), "\(field.name) in \(name).md")
            }
        }
    }

    /// The lengths that the pages give for what is signed.
    @Test func `signed bodies have the lengths of the page`() {
        let (node, user, device): (NodeID, UserID, DeviceID) = (Fixture.id32(1), Fixture.id32(2), Fixture.id32(3))
        let nonce = Fixture.bytes32(4)
        #expect(SessionProof.device(node: node, clientNonce: nonce, nodeNonce: nonce, user: user, device: device).count == 162)
        #expect(SessionProof.node(clientNonce: nonce, nodeNonce: nonce, certificateHash: nonce).count == 98)
        #expect(DeviceCertificate.body(user: user, device: device).count == 66)
        #expect(Watermark.body(key: Fixture.key, device: device, through: 7, chain: Fixture.id32(5)).count == 122)
    }
}
