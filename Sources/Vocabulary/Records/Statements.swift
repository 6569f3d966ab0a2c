/// What a node may do in its federation. A higher role includes the lower.
public enum MemberRole: UInt8, Hashable, Comparable, Sendable, CaseIterable {
    case member = 1
    /// May admit and expel.
    case admin

    public static func < (x: MemberRole, y: MemberRole) -> Bool { x.rawValue < y.rawValue }
}

/// Founds a federation: its founder is the first admin. BLAKE2b-256 of the encoded body is the federation's id.
public struct Genesis: Hashable, Sendable {
    public static let nameBytesMax = 64

    /// For people; two federations may have the same.
    public let name: String
    public let founder: NodeID
    public let founderName: NodeName
    /// So that two federations of one founder and name differ.
    public let random: Bytes16

    public init(name: String, founder: NodeID, founderName: NodeName, random: Bytes16) {
        (self.name, self.founder, self.founderName, self.random) = (name, founder, founderName, random)
    }
}

/// An admin's word that a node is a member. A second one raises the role, or gives a node in a name conflict another name.
public struct Admit: Hashable, Sendable {
    public let federation: FederationID
    public let subject: NodeID
    public let name: NodeName
    public let role: MemberRole
    /// The signer's own counter over its Admits and Expels: 1, 2, 3 …
    public let n: UInt64

    public init(federation: FederationID, subject: NodeID, name: NodeName, role: MemberRole, n: UInt64) {
        (self.federation, self.subject, self.name, self.role, self.n) = (federation, subject, name, role, n)
    }
}

/// An admin's word that a node is out, for good.
public struct Expel: Hashable, Sendable {
    public let federation: FederationID
    public let subject: NodeID
    /// Admits and Expels by the subject with a higher counter are void.
    public let lastN: UInt64
    /// At most `Limits.reasonBytesMax` bytes; for people.
    public let reason: String
    /// The signer's own counter over its Admits and Expels.
    public let n: UInt64

    public init(federation: FederationID, subject: NodeID, lastN: UInt64, reason: String, n: UInt64) {
        (self.federation, self.subject, self.lastN, self.reason, self.n) = (federation, subject, lastN, reason, n)
    }
}

/// What a node says of itself. The highest version stands.
public struct NodeDescriptor: Hashable, Sendable {
    public static let softwareBytesMax = 64

    /// What the operator and the program decide; the rest is counted.
    public struct Contents: Hashable, Sendable {
        public let peers: [Endpoint]
        public let clients: [Endpoint]
        /// Program and version, for people: `posthouse 1.0`.
        public let software: String
        /// Numbers of what the node can do beyond version 1, rising; unknown ones are ignored.
        public let capabilities: [UInt16]
        /// The node's liveness incarnation at its start.
        public let incarnation: UInt64

        /// Cut to what fits a statement.
        public init(peers: [Endpoint], clients: [Endpoint], software: String, capabilities: [UInt16] = [], incarnation: UInt64) {
            self.peers = Array(peers.prefix(Limits.endpointsPerNodeMax))
            self.clients = Array(clients.prefix(Limits.endpointsPerNodeMax))
            self.software = software.utf8.count <= NodeDescriptor.softwareBytesMax ? software : ""
            self.capabilities = Array(Set(capabilities).sorted().prefix(Limits.capabilitiesMax))
            self.incarnation = min(incarnation, counterMax)
        }
    }

    public let federation: FederationID
    public let node: NodeID
    public let contents: Contents
    public let version: UInt64
    public let extensions: [Extension]

    public init(federation: FederationID, node: NodeID, contents: Contents, version: UInt64, extensions: [Extension] = []) {
        (self.federation, self.node, self.contents) = (federation, node, contents)
        (self.version, self.extensions) = (version, extensions)
    }
}

/// The body of a `SignedStatement`. Source: docs/protocol/membership.md §1.
public enum Statement: Hashable, Sendable {
    case genesis(Genesis)
    case admit(Admit)
    case expel(Expel)
    case descriptor(NodeDescriptor)

    private static let format: UInt16 = 1

    private enum Kind: UInt16 {
        case genesis = 1
        case admit, expel, descriptor
    }

    public func encoded() -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 256)
        writer.write(Self.format)
        switch self {
        case .genesis(let genesis):
            writer.write(Kind.genesis.rawValue)
            writer.write(text: genesis.name)
            writer.write(genesis.founder)
            writer.write(text: genesis.founderName.description)
            writer.write(fixed: genesis.random.bytes)
        case .admit(let admit):
            writer.write(Kind.admit.rawValue)
            writer.write(admit.federation)
            writer.write(admit.subject)
            writer.write(text: admit.name.description)
            writer.write(admit.role.rawValue)
            writer.write(admit.n)
        case .expel(let expel):
            writer.write(Kind.expel.rawValue)
            writer.write(expel.federation)
            writer.write(expel.subject)
            writer.write(expel.lastN)
            writer.write(text: expel.reason)
            writer.write(expel.n)
        case .descriptor(let descriptor):
            writer.write(Kind.descriptor.rawValue)
            writer.write(descriptor.federation)
            writer.write(descriptor.node)
            writer.write(vector: descriptor.contents.peers) { $0.write(text: $1.description) }
            writer.write(vector: descriptor.contents.clients) { $0.write(text: $1.description) }
            writer.write(text: descriptor.contents.software)
            writer.write(vector: descriptor.contents.capabilities) { $0.write($1) }
            writer.write(descriptor.contents.incarnation)
            writer.write(descriptor.version)
            writer.write(extensions: descriptor.extensions)
        }
        return writer.bytes
    }

    public init(decoding body: [UInt8]) throws(CodecError) {
        guard body.count <= Limits.statementBytesMax else { throw .tooLong(bytes: body.count, max: Limits.statementBytesMax) }
        var reader = ByteReader(body)
        guard try reader.integer(UInt16.self) == Self.format else { throw .badValue("the format of a statement") }
        guard let kind = Kind(rawValue: try reader.integer()) else { throw .badValue("the kind of a statement") }
        switch kind {
        case .genesis:
            self = .genesis(
                Genesis(
                    name: try reader.text(max: Genesis.nameBytesMax), founder: try reader.id(), founderName: try reader.nodeName(),
                    random: try reader.bytes16()))
        case .admit:
            self = .admit(
                Admit(
                    federation: try reader.id(), subject: try reader.id(), name: try reader.nodeName(), role: try reader.role(),
                    n: try reader.positive("an Admit's counter")))
        case .expel:
            self = .expel(
                Expel(
                    federation: try reader.id(), subject: try reader.id(), lastN: try reader.counter(SequenceNumber.self).value,
                    reason: try reader.text(max: Limits.reasonBytesMax), n: try reader.positive("an Expel's counter")))
        case .descriptor:
            self = .descriptor(try reader.descriptor())
        }
        try reader.finish()
    }
}

extension ByteReader {
    public mutating func nodeName() throws(CodecError) -> NodeName {
        guard let name = try? NodeName(try text(max: NodeName.bytesMax)) else { throw .badValue("a node's name") }
        return name
    }

    public mutating func endpoint() throws(CodecError) -> Endpoint {
        guard let endpoint = Endpoint(try text(max: Endpoint.bytesMax)) else { throw .badValue("an endpoint") }
        return endpoint
    }

    public mutating func role() throws(CodecError) -> MemberRole {
        guard let role = MemberRole(rawValue: try integer()) else { throw .badValue("a role") }
        return role
    }

    fileprivate mutating func bytes16() throws(CodecError) -> Bytes16 {
        guard let bytes = Bytes16(try fixed(16)) else { throw .truncated }
        return bytes
    }

    fileprivate mutating func positive(_ what: String) throws(CodecError) -> UInt64 {
        let value = try counter(SequenceNumber.self).value
        guard value >= 1 else { throw .badValue(what) }
        return value
    }

    fileprivate mutating func descriptor() throws(CodecError) -> NodeDescriptor {
        let federation: FederationID = try id()
        let node: NodeID = try id()
        let peers = try vector(max: Limits.endpointsPerNodeMax) { reader throws(CodecError) in try reader.endpoint() }
        let clients = try vector(max: Limits.endpointsPerNodeMax) { reader throws(CodecError) in try reader.endpoint() }
        let software = try text(max: NodeDescriptor.softwareBytesMax)
        let capabilities = try vector(max: Limits.capabilitiesMax) { reader throws(CodecError) in try reader.integer(UInt16.self) }
        guard zip(capabilities, capabilities.dropFirst()).allSatisfy(<) else { throw .badValue("the order of capabilities") }
        let incarnation = try counter(SequenceNumber.self).value
        let contents = NodeDescriptor.Contents(
            peers: peers, clients: clients, software: software, capabilities: capabilities, incarnation: incarnation)
        return NodeDescriptor(
            federation: federation, node: node, contents: contents, version: try positive("a descriptor's version"),
            extensions: try extensions())
    }
}
