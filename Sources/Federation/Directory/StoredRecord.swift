internal import Cryptography
internal import Vocabulary

/// A verified user record as it is held in memory; what the directory asks often is read in place, without decoding the rest.
struct StoredRecord: Sendable {
    private let packed: PackedRecord
    private let fields: PackedFields
    private let federation: FederationID

    init(_ packed: PackedRecord, in federation: FederationID) throws(CodecError) {
        (self.packed, self.federation) = (packed, federation)
        fields = try PackedFields(packed.rest, packed.form)
    }

    var user: UserID { packed.user }
    var issuer: NodeID { packed.issuer }
    var home: NodeID { packed.home }
    var version: UInt64 { fields.version }
    var previous: Digest { fields.previous }
    var published: UInt64 { fields.published }
    var digest: Digest { signed.map(\.digest) ?? .zero }
    var item: NegentropyItem { NegentropyItem(timestamp: published, id: digest.raw) }

    func isCalled(_ other: Handle) -> Bool { packed.rest[fields.handle].elementsEqual(other.description.utf8) }

    /// Whether it lists a device: read in place, since that is asked for every event.
    func lists(_ device: DeviceID) -> Bool {
        var lists = ByteReader(packed.rest[fields.lists])
        guard let list = try? lists.opaque() else { return false }
        var entries = ByteReader(list)
        while let listed = try? entries.id(DeviceID.self), (try? entries.fixed(64)) != nil, (try? entries.opaque()) != nil {
            if listed == device { return true }
        }
        return false
    }

    var devices: [DeviceID] { decoded?.devices.map(\.device) ?? [] }

    /// nil cannot be: the bytes were a whole record when they were stored.
    var signed: SignedUserRecord? { try? packed.signed(in: federation) }
    var decoded: UserRecord? { signed.flatMap { try? UserRecord(decoding: $0.body) } }

    /// For the index by name.
    var nameHash: UInt32 { Self.nameHash(issuer, packed.rest[fields.handle]) }
    static func nameHash(_ issuer: NodeID, _ handle: some Sequence<UInt8>) -> UInt32 {
        var hasher = Hasher()
        hasher.combine(issuer)
        for byte in handle { hasher.combine(byte) }
        return UInt32(truncatingIfNeeded: hasher.finalize())
    }
}
