/// A signed user record without what can be told from elsewhere: the federation, the user (a row's key), a home that is the issuer, the
/// predecessor of a first version. Three quarters of its bytes, and each of them comes back exactly as it was signed.
/// Source: docs/protocol/directory.md §7.
public struct PackedRecord: Hashable, Sendable {
    package struct Form: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let previous = Form(rawValue: 1)
        package static let homeSignature = Form(rawValue: 2)
        /// Of a row: the home is not the issuer.
        package static let home = Form(rawValue: 4)
        package static let all: Form = [.previous, .homeSignature, .home]
    }

    /// The first byte of a row, with the form: no `SignedUserRecord` begins with it, since no length does.
    package static let rowMark: UInt8 = 0xc0

    public let user: UserID
    public let issuer: NodeID
    public let home: NodeID
    /// Without `home`, which is how a row is written.
    package let form: Form
    /// All the rest.
    package let rest: ArraySlice<UInt8>

    package init(user: UserID, issuer: NodeID, home: NodeID, form: Form, rest: ArraySlice<UInt8>) {
        (self.user, self.issuer, self.home, self.form, self.rest) = (user, issuer, home, form, rest)
    }

    /// - Throws: if it does not decode, or is of another federation.
    public init(_ signed: SignedUserRecord, in federation: FederationID) throws(CodecError) {
        var reader = ByteReader(signed.body)
        guard try reader.integer(UInt16.self) == 1 else { throw .badValue("the format of a user record") }
        guard try reader.id(FederationID.self) == federation else { throw .badValue("another federation") }
        user = try reader.id()
        let handle = try reader.opaque(max: Handle.bytesMax)
        issuer = try reader.id()
        let certificate = try reader.fixed(64)
        home = try reader.id()
        let version = try reader.integer(UInt64.self)
        let previous: Digest = try reader.id()
        let published = try reader.integer(UInt64.self)
        let lists = reader.rest
        for _ in 0..<2 { _ = try reader.opaque() }
        try reader.finish()

        var (form, writer) = (Form(), ByteWriter(reservingCapacity: signed.body.count))
        writer.write(opaque: handle)
        writer.write(fixed: certificate)
        writer.write(short: version)
        writer.write(short: published)
        if previous != .zero {
            form.insert(.previous)
            writer.write(previous)
        }
        writer.write(fixed: lists)
        writer.write(fixed: signed.userSignature.bytes)
        if let signature = signed.homeSignature {
            form.insert(.homeSignature)
            writer.write(fixed: signature.bytes)
        }
        (self.form, rest) = (form, writer.bytes[...])
    }

    /// Exactly what was packed.
    public func signed(in federation: FederationID) throws(CodecError) -> SignedUserRecord {
        let fields = try PackedFields(rest, form)
        var writer = ByteWriter(reservingCapacity: rest.count + 160)
        writer.write(UInt16(1))
        writer.write(federation)
        writer.write(user)
        writer.write(opaque: rest[fields.handle])
        writer.write(issuer)
        writer.write(fixed: rest[fields.certificate])
        writer.write(home)
        writer.write(fields.version)
        writer.write(fields.previous)
        writer.write(fields.published)
        writer.write(fixed: rest[fields.lists])
        var reader = ByteReader(rest[fields.lists.upperBound...])
        let user = try reader.signature()
        let home: Signature? = form.contains(.homeSignature) ? try reader.signature() : nil
        try reader.finish()
        return SignedUserRecord(body: writer.bytes, userSignature: user, homeSignature: home)
    }

    // MARK: As a row

    public var row: [UInt8] {
        var writer = ByteWriter(reservingCapacity: rest.count + 65)
        writer.write(Self.rowMark | form.rawValue | (home == issuer ? 0 : Form.home.rawValue))
        writer.write(issuer)
        if home != issuer { writer.write(home) }
        writer.write(fixed: rest)
        return writer.bytes
    }

    /// - Parameters:
    ///   - row: a whole `SignedUserRecord` too, as rows were before.
    ///   - key: the row's.
    public init(row: [UInt8], key: [UInt8], in federation: FederationID) throws(CodecError) {
        guard let first = row.first, first >= Self.rowMark else {
            try self.init(try SignedUserRecord(decoding: row), in: federation)
            return
        }
        let form = Form(rawValue: first ^ Self.rowMark)
        guard form.isSubset(of: .all) else { throw .badValue("the form of a stored user record") }
        var reader = ByteReader(row[1...])
        let issuer: NodeID = try reader.id()
        let home: NodeID = form.contains(.home) ? try reader.id() : issuer
        guard let user = Bytes32(key) else { throw .badValue("the key of a stored user record") }
        self.init(user: UserID(raw: user), issuer: issuer, home: home, form: form.subtracting(.home), rest: reader.rest)
        _ = try PackedFields(rest, self.form)
    }

    // MARK: In a frame

    /// - Parameter number: of a node in the frame's list.
    package func inFrame(number: (NodeID) -> Int) -> [UInt8] {
        var writer = ByteWriter(reservingCapacity: rest.count + 40)
        writer.write(user)
        writer.write(form.rawValue)
        writer.write(length: number(issuer))
        writer.write(length: number(home))
        writer.write(fixed: rest)
        return writer.bytes
    }

    /// - Parameter nodes: the frame's list.
    package init(inFrame bytes: [UInt8], nodes: [NodeID]) throws(CodecError) {
        guard bytes.count <= Limits.userRecordBytesMax else { throw .tooLong(bytes: bytes.count, max: Limits.userRecordBytesMax) }
        var reader = ByteReader(bytes)
        let user: UserID = try reader.id()
        let form = Form(rawValue: try reader.integer())
        guard form.isSubset(of: [.previous, .homeSignature]) else { throw .badValue("the form of a packed user record") }
        let (issuer, home) = (try reader.length(), try reader.length())
        guard nodes.indices.contains(issuer), nodes.indices.contains(home) else { throw .badValue("a node that the frame does not list") }
        self.init(user: user, issuer: nodes[issuer], home: nodes[home], form: form, rest: reader.rest)
        _ = try PackedFields(rest, form)
    }
}

/// Where in `PackedRecord.rest` what is.
package struct PackedFields: Sendable {
    package let handle: Range<Int>
    package let certificate: Range<Int>
    package let version: UInt64
    package let published: UInt64
    package let previous: Digest
    /// The devices and the extensions.
    package let lists: Range<Int>

    package init(_ rest: ArraySlice<UInt8>, _ form: PackedRecord.Form) throws(CodecError) {
        var reader = ByteReader(rest)
        let handle = try reader.opaque(max: Handle.bytesMax)
        let certificate = try reader.fixed(64)
        version = try reader.short()
        published = try reader.short()
        previous = form.contains(.previous) ? try reader.id() : .zero
        let start = reader.rest.startIndex
        for _ in 0..<2 { _ = try reader.opaque() }
        lists = start..<reader.rest.startIndex
        (self.handle, self.certificate) = (handle.startIndex..<handle.endIndex, certificate.startIndex..<certificate.endIndex)
    }
}

extension ByteWriter {
    /// Without leading zeros, after their number.
    fileprivate mutating func write(short value: UInt64) {
        let bytes = (64 - value.leadingZeroBitCount + 7) / 8
        write(UInt8(bytes))
        for place in (0..<bytes).reversed() { write(UInt8(truncatingIfNeeded: value >> UInt64(8 * place))) }
    }
}

extension ByteReader {
    fileprivate mutating func short() throws(CodecError) -> UInt64 {
        let count = Int(try integer(UInt8.self))
        guard count <= 8 else { throw .badValue("a number of \(count) bytes") }
        var value: UInt64 = 0
        for byte in try fixed(count) { value = value << 8 | UInt64(byte) }
        return value
    }
}
