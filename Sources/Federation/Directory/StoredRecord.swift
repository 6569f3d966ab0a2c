internal import Cryptography
internal import Vocabulary

/// A verified user record as it is stored and sent; what the directory asks often is read in place, without decoding the rest.
/// Source: docs/protocol/directory.md §1.
struct StoredRecord: Sendable {
    /// As `SignedUserRecord.encoded()`.
    let bytes: [UInt8]
    private let body: Range<Int>
    private let handle: Range<Int>

    init(_ signed: SignedUserRecord) throws(CodecError) { try self.init(encoded: signed.encoded()) }

    /// - Throws: if the bytes are no record; whether its signatures hold was checked before it was stored.
    init(encoded bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        let body = try reader.opaque(max: Limits.userRecordBytesMax)
        var fields = ByteReader(body)
        _ = try fields.fixed(2 + 32 + 32)
        let handle = try fields.opaque(max: Handle.bytesMax)
        _ = try fields.fixed(32 + 64 + 32 + 8 + 32 + 8)
        self.bytes = bytes
        self.body = body.startIndex..<body.endIndex
        self.handle = handle.startIndex..<handle.endIndex
    }

    var user: UserID { UserID(raw: raw(at: body.lowerBound + 34)) }
    var issuer: NodeID { NodeID(raw: raw(at: handle.upperBound)) }
    var home: NodeID { NodeID(raw: raw(at: handle.upperBound + 96)) }
    var version: UInt64 { number(at: handle.upperBound + 128) }
    var previous: Digest { Digest(raw: raw(at: handle.upperBound + 136)) }
    var published: UInt64 { number(at: handle.upperBound + 168) }
    var digest: Digest { Hash.blake2b(Array(bytes[body])) }
    var item: NegentropyItem { NegentropyItem(timestamp: published, id: digest.raw) }

    func isCalled(_ other: Handle) -> Bool { bytes[handle].elementsEqual(other.description.utf8) }

    /// Whether it lists a device: read in place, since that is asked for every event.
    func lists(_ device: DeviceID) -> Bool {
        var fields = ByteReader(bytes[(handle.upperBound + 176)..<body.upperBound])
        guard let list = try? fields.opaque() else { return false }
        var entries = ByteReader(list)
        while let listed = try? entries.id(DeviceID.self), (try? entries.fixed(64)) != nil, (try? entries.opaque()) != nil {
            if listed == device { return true }
        }
        return false
    }

    var devices: [DeviceID] { decoded?.devices.map(\.device) ?? [] }

    /// nil cannot be: the bytes were a whole record when they were stored.
    var signed: SignedUserRecord? { try? SignedUserRecord(decoding: bytes) }
    var decoded: UserRecord? { try? UserRecord(decoding: Array(bytes[body])) }

    /// For the index by name.
    var nameHash: UInt32 { Self.nameHash(issuer, bytes[handle]) }
    static func nameHash(_ issuer: NodeID, _ handle: some Sequence<UInt8>) -> UInt32 {
        var hasher = Hasher()
        hasher.combine(issuer)
        for byte in handle { hasher.combine(byte) }
        return UInt32(truncatingIfNeeded: hasher.finalize())
    }

    private func raw(at offset: Int) -> Bytes32 {
        bytes.withUnsafeBytes { Bytes32(memory: UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + 32)])) } ?? .zero
    }

    private func number(at offset: Int) -> UInt64 {
        bytes.withUnsafeBytes { UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
    }
}
