internal import Cryptography
internal import Federation
internal import Vocabulary

/// What is signed and kept: it has one encoding, or one signature would stand for two things.
enum RecordTargets {
    static func records() throws -> Decoders {
        let scene = try HonestWorld.shared()
        let (signed, federation) = (scene.records, scene.federation)
        return Decoders([
            .init("user record", seeds: signed.map(\.body), isCanonical: true, decode: UserRecord.init(decoding:)) {
                $0.encoded()
            } holds: { record throws(Finding) in
                try promise(record.devices.count <= Limits.devicesPerUserMax, "\(record.devices.count) devices")
                try promise(max(record.version, record.published) <= counterMax, "a number above 2^53")
            },
            .init("signed user record", seeds: signed.map { $0.encoded() }, isCanonical: true, decode: SignedUserRecord.init(decoding:)) {
                $0.encoded()
            } holds: { record throws(Finding) in
                guard let verified = try? record.verified(in: federation, checking: .all) else { return }
                try promise(verified.encoded() == record.body, "a record that holds is not what was signed")
            },
        ])
    }

    static func statements() throws -> Decoders {
        let scene = try HonestWorld.shared()
        let (signed, federation) = (scene.statements, scene.federation)
        return Decoders([
            .init("statement", seeds: signed.map(\.body), isCanonical: true, decode: Statement.init(decoding:)) { $0.encoded() },
            .init("signed statement", seeds: signed.map { $0.encoded() }, isCanonical: true, decode: SignedStatement.init(decoding:)) {
                $0.encoded()
            } holds: { statement throws(Finding) in
                guard let verified = try? statement.verified(in: federation) else { return }
                try promise(verified.statement.encoded() == statement.body, "a statement that holds is not what was signed")
            },
        ])
    }

    /// Names, addresses, links and tickets, as people type and paste them.
    static func names() throws -> Decoders {
        let ticket = try HonestWorld.shared().ticket
        var random = SeededGenerator(seed: 5)
        let key = SigningKey(using: &random)
        let links = ["127.0.0.1:7443", "[::1]:7443", "chat.example.org:443"].compactMap { Endpoint($0) }.map {
            InvitationLink(endpoint: $0, secret: random.bytes(InvitationLink.secretBytes), node: NodeID(raw: key.publicKey)).description
        }
        func text<T: CustomStringConvertible & Sendable>(
            _ name: String, _ seeds: [String], _ decode: @escaping @Sendable (String) throws -> T?
        ) -> Decoders.One {
            .init(name, seeds: seeds.map { Array($0.utf8) }, isCanonical: true) { bytes in
                guard let text = String(validating: bytes, as: UTF8.self), let value = try decode(text) else { throw Unread() }
                return value
            } encode: {
                Array($0.description.utf8)
            } holds: { value throws(Finding) in
                try promise(Printable.line(value.description) == value.description, "a \(name) holds what must be escaped")
            }
        }
        return Decoders([
            text("handle", ["alice", "bob.smith-2_x"]) { try Handle($0) },
            text("node name", ["harbor", "chat.example.org"]) { try NodeName($0) },
            text("address", ["alice@harbor", "a@b.c"]) { try Address($0) },
            text("endpoint", ["127.0.0.1:7443", "[fe80::1%eth0]:1", "localhost:0"]) { Endpoint($0) },
            text("invitation link", links) { InvitationLink($0) },
            .init("ticket", seeds: [Array(ticket.utf8)], isCanonical: false) { bytes in
                guard let text = String(validating: bytes, as: UTF8.self) else { throw Unread() }
                return try Federation.Ticket(text)
            } encode: {
                Array($0.text.utf8)
            },
            .init("hex", seeds: [Array("00ff10".utf8)], isCanonical: false) { bytes in
                guard let read = Hex.decode(String(decoding: bytes, as: UTF8.self)) else { throw Unread() }
                return read
            } encode: {
                Array(Hex.encode($0).utf8)
            },
            .init("base64url", seeds: [Array("AP_-".utf8), Array("AA".utf8)], isCanonical: true) { bytes in
                guard let text = String(validating: bytes, as: UTF8.self), let read = Base64URL.decode(text) else { throw Unread() }
                return read
            } encode: {
                Array(Base64URL.encode($0).utf8)
            },
        ])
    }

    struct Unread: Error {}
}
