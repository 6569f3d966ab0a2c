internal import Cryptography
public import Vocabulary

// How the account is stored. The bytes hold the private keys: only ever sealed on disk.

extension Account {
    public func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt16(2))
        for secret in [identity.seed, device.seed] {
            var bytes = secret.copyBytes()
            writer.write(fixed: bytes)
            wipe(&bytes)
        }
        writer.write(text: endpoint.description)
        writer.write(home)
        writer.write(text: handle.description)
        switch stage {
        case .registering(let secret):
            writer.write(UInt8(1))
            writer.write(opaque: secret)
        case .publishing(let grant, let record):
            writer.write(UInt8(2))
            writer.write(grant)
            writer.write(opaque: record.encoded())
        case .member(let grant, let record):
            writer.write(UInt8(3))
            writer.write(grant)
            writer.write(opaque: record.encoded())
        }
        return writer.bytes
    }

    public init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 2 else { throw .badValue("the format of an account") }
        identity = try reader.signingKey()
        device = try reader.signingKey()
        guard let endpoint = Endpoint(try reader.text(max: Endpoint.bytesMax)) else { throw .badValue("an endpoint") }
        self.endpoint = endpoint
        home = try reader.id()
        guard let handle = try? Handle(try reader.text(max: Handle.bytesMax)) else { throw .badValue("a handle") }
        self.handle = handle
        switch try reader.integer(UInt8.self) {
        case 1: stage = .registering(secret: Array(try reader.opaque(max: 64)))
        case 2: stage = .publishing(try reader.grant(), try reader.record())
        case 3: stage = .member(try reader.grant(), try reader.record())
        default: throw .badValue("the stage of an account")
        }
        try reader.finish()
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ grant: Grant) {
        write(grant.federation)
        write(grant.issuer)
        write(text: grant.issuerName.description)
        write(fixed: grant.certificate.bytes)
    }

    mutating func write(_ address: Address) { write(text: address.description) }
}

extension ByteReader {
    fileprivate mutating func signingKey() throws(CodecError) -> SigningKey {
        guard let key = try? SigningKey(seed: Secret(try fixed(32))) else { throw .badValue("a signing key") }
        return key
    }

    fileprivate mutating func grant() throws(CodecError) -> Grant {
        let (federation, issuer): (FederationID, NodeID) = (try id(), try id())
        guard let name = try? NodeName(try text(max: NodeName.bytesMax)) else { throw .badValue("a node's name") }
        return Grant(federation: federation, issuer: issuer, issuerName: name, certificate: try signature())
    }

    fileprivate mutating func record() throws(CodecError) -> SignedUserRecord {
        try SignedUserRecord(decoding: Array(try opaque(max: Limits.userRecordBytesMax + 256)))
    }

    mutating func address() throws(CodecError) -> Address {
        guard let address = try? Address(try text(max: Handle.bytesMax + 1 + NodeName.bytesMax)) else { throw .badValue("an address") }
        return address
    }
}
