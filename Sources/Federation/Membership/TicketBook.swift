internal import Cryptography
internal import Vocabulary

/// The tickets a node made: of each only a hash of its secret, so that the store's reader cannot join.
public struct TicketBook: Equatable, Sendable {
    /// How long an expired ticket is remembered in any case, so that its late user is told why. Costs 100 bytes each.
    public static let expiredKept = Duration.days(30)

    struct Entry: Equatable {
        let name: NodeName
        let role: MemberRole
        let expiry: Timestamp
        var usedBy: NodeID?

        func encoded() -> [UInt8] {
            var writer = ByteWriter(reservingCapacity: 96)
            writer.write(UInt16(1))
            writer.write(text: name.description)
            writer.write(role.rawValue)
            writer.write(UInt64(expiry.milliseconds))
            writer.write(optional: usedBy) { $0.write($1) }
            return writer.bytes
        }
    }

    private var entries: [Digest: Entry] = [:]

    public init() {}

    /// - Parameter rows: of `StoreTable.ticket`; those that do not decode are left out.
    public init(restoring rows: [(key: [UInt8], value: [UInt8])]) {
        for row in rows {
            guard let key = Digest(row.key), let entry = try? Entry(decoding: row.value) else { continue }
            entries[key] = entry
        }
    }

    public var count: Int { entries.count }

    /// In a full book it takes the place of the one that expired first, if that is long ago. Nothing else removes one: a clock that is ahead for
    /// a moment would take all of them for good.
    /// - Returns: nil when the book is full.
    mutating func add(secret: [UInt8], name: NodeName, role: MemberRole, expiry: Timestamp, at now: Timestamp) -> [StoreWrite]? {
        var writes: [StoreWrite] = []
        if entries.count >= Limits.ticketsMax {
            guard let oldest = entries.min(by: { ($0.value.expiry, $0.key) < ($1.value.expiry, $1.key) }),
                oldest.value.expiry + Self.expiredKept < now
            else { return nil }
            entries[oldest.key] = nil
            writes.append(.remove(.ticket, key: oldest.key.bytes))
        }
        let entry = Entry(name: name, role: role, expiry: expiry, usedBy: nil)
        let key = Self.key(of: secret)
        entries[key] = entry
        return writes + [.put(.ticket, key: key.bytes, value: entry.encoded())]
    }

    /// Whether this key may use the ticket now, and as what. Changes nothing: `markUsed` does, with the admission.
    func redeemable(secret: [UInt8], name: NodeName, by peer: NodeID, at now: Timestamp) -> Result<MemberRole, Refusal> {
        guard let entry = entries[Self.key(of: secret)] else {
            return .failure(Refusal(.ticketInvalid, "This node made no such ticket, or it expired long ago."))
        }
        guard entry.name == name else { return .failure(Refusal(.ticketNameMismatch, "The ticket is for another name.")) }
        switch entry.usedBy {
        // The reply was lost, perhaps for long: the same answer again.
        case peer?: return .success(entry.role)
        case .some: return .failure(Refusal(.ticketUsed, "Another node has used this ticket."))
        case nil: break
        }
        guard now < entry.expiry else { return .failure(Refusal(.ticketExpired, "The ticket has expired.")) }
        return .success(entry.role)
    }

    mutating func markUsed(secret: [UInt8], by peer: NodeID) -> StoreWrite? {
        let key = Self.key(of: secret)
        guard var entry = entries[key], entry.usedBy == nil else { return nil }
        entry.usedBy = peer
        entries[key] = entry
        return .put(.ticket, key: key.bytes, value: entry.encoded())
    }

    private static func key(of secret: [UInt8]) -> Digest { Hash.blake2b(Array("posthouse ticket secret 1".utf8) + secret) }
}

extension TicketBook.Entry {
    fileprivate init(decoding bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of a ticket entry") }
        name = try reader.nodeName()
        role = try reader.role()
        expiry = Timestamp(milliseconds: Int64(try reader.counter(SequenceNumber.self).value))
        usedBy = try reader.optional { reader throws(CodecError) in try reader.id() }
        try reader.finish()
    }
}
