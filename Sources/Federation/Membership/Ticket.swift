internal import Cryptography
public import Vocabulary

/// Why a ticket cannot be used, as far as the ticket itself shows; what only the inviting node knows comes as a `Refusal`.
public enum TicketError: Explained, Equatable {
    case notATicket
    case damaged
    case unsupportedFormat(UInt16)
    /// The genesis or the inviting node's signature does not hold.
    case forged
    case expired(Timestamp)
    /// It was made for another name.
    case otherName(NodeName)

    public var explanation: Explanation {
        switch self {
        case .notATicket:
            Explanation(
                what: "This is no ticket.", why: "A ticket begins with \"\(Ticket.prefix)\".",
                remedy: "Copy all that `posthouse federation invite` printed.")
        case .damaged:
            Explanation(
                what: "The ticket is damaged.", why: "Characters are missing, added or changed.",
                remedy: "Copy all that `posthouse federation invite` printed.")
        case .unsupportedFormat(let format):
            Explanation(
                what: "The ticket has format \(format).", why: "This program knows format \(Ticket.format).",
                remedy: "Copy all that `posthouse federation invite` printed; if that was all of it, update posthouse.")
        case .forged:
            Explanation(
                what: "The ticket is forged or damaged.", why: "A signature in it does not hold.",
                remedy: "Ask the admin for a new ticket over a way you trust.")
        case .expired:
            Explanation(
                what: "The ticket has expired.", why: "Its time ended by this machine's clock.",
                remedy: "Ask the admin for a new ticket; if it is new, check the clock.")
        case .otherName(let name):
            Explanation(
                what: "The ticket is for another name.", why: "It was made for \(name).",
                remedy: "Join as \(name), or ask the admin for a ticket for your name.")
        }
    }
}

/// An admin's invitation to one new node, as text: `phf1:` and base64url. Holds a secret: whoever has it can join under its name.
/// Source: docs/protocol/membership.md §5.
public struct Ticket: Hashable, Sendable, CustomStringConvertible {
    public static let prefix = "phf1:"
    public static let format: UInt16 = 1
    public static let secretBytes = 16
    /// Characters; a longer text is not looked at.
    public static let textBytesMax = 16 * 1024

    public let genesis: SignedStatement
    public let federation: FederationID
    /// The key to pin, and who signed the ticket.
    public let inviter: NodeID
    public let inviterName: NodeName
    public let endpoints: [Endpoint]
    public let secret: [UInt8]
    /// Whom the ticket is for.
    public let name: NodeName
    public let role: MemberRole
    public let expiry: Timestamp
    private let signature: Signature

    /// - Returns: nil unless `genesis` is one.
    init?(
        genesis: SignedStatement, inviterName: NodeName, endpoints: [Endpoint], secret: [UInt8], name: NodeName, role: MemberRole,
        expiry: Timestamp, key: SigningKey
    ) {
        guard let federation = genesis.foundedFederation else { return nil }
        self.genesis = genesis
        self.federation = federation
        inviter = NodeID(raw: key.publicKey)
        self.inviterName = inviterName
        self.endpoints = Array(endpoints.prefix(Limits.endpointsPerNodeMax))
        (self.secret, self.name, self.role, self.expiry) = (secret, name, role, expiry)
        let body = Self.body(
            genesis: genesis, inviter: inviter, inviterName: inviterName, endpoints: self.endpoints, secret: secret, name: name, role: role,
            expiry: expiry)
        signature = key.sign(body, for: .ticket)
    }

    /// Reads and checks all that the ticket shows by itself, except its expiry.
    public init(_ text: String) throws(TicketError) {
        let text = text.filter { !$0.isWhitespace }
        guard text.utf8.count <= Self.textBytesMax, text.hasPrefix(Self.prefix) else { throw .notATicket }
        guard let bytes = Base64URL.decode(String(text.dropFirst(Self.prefix.count))) else { throw .damaged }
        var reader = ByteReader(bytes)
        guard let format = try? reader.integer(UInt16.self) else { throw .damaged }
        guard format == Self.format else { throw .unsupportedFormat(format) }
        do throws(CodecError) {
            genesis = try SignedStatement(decoding: Array(try reader.opaque(max: Limits.statementBytesMax + 128)))
            inviter = try reader.id()
            inviterName = try reader.nodeName()
            endpoints = try reader.vector(max: Limits.endpointsPerNodeMax) { reader throws(CodecError) in try reader.endpoint() }
            secret = Array(try reader.fixed(Self.secretBytes))
            name = try reader.nodeName()
            role = try reader.role()
            expiry = Timestamp(milliseconds: Int64(try reader.counter(SequenceNumber.self).value))
            signature = try reader.signature()
            try reader.finish()
        } catch {
            throw .damaged
        }
        guard let federation = genesis.foundedFederation,
            signature.isValid(over: Array(bytes.dropLast(64)), for: .ticket, by: inviter)
        else { throw .forged }
        self.federation = federation
    }

    /// For the joining side, before it dials.
    public func check(at now: Timestamp, as name: NodeName? = nil) throws(TicketError) {
        guard now < expiry else { throw .expired(expiry) }
        guard name == nil || name == self.name else { throw .otherName(self.name) }
    }

    /// What to send on the connection to `inviter`.
    public var request: JoinRequest { JoinRequest(versions: .current, federation: federation, secret: secret, name: name) }

    /// The ticket itself, secret and all.
    public var text: String {
        let body = Self.body(
            genesis: genesis, inviter: inviter, inviterName: inviterName, endpoints: endpoints, secret: secret, name: name, role: role,
            expiry: expiry)
        return Self.prefix + Base64URL.encode(body + signature.bytes)
    }

    /// Without the secret, for logs.
    public var description: String { "Ticket(for \(name) by \(inviterName))" }

    private static func body(
        genesis: SignedStatement, inviter: NodeID, inviterName: NodeName, endpoints: [Endpoint], secret: [UInt8], name: NodeName,
        role: MemberRole, expiry: Timestamp
    ) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: 512)
        writer.write(format)
        writer.write(opaque: genesis.encoded())
        writer.write(inviter)
        writer.write(text: inviterName.description)
        writer.write(vector: endpoints) { $0.write(text: $1.description) }
        writer.write(fixed: secret)
        writer.write(text: name.description)
        writer.write(role.rawValue)
        writer.write(UInt64(expiry.milliseconds))
        return writer.bytes
    }
}
