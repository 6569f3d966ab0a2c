internal import Vocabulary

/// A group's state is a set of small records: what a message or commit changes is a few of them, and a record that goes takes its secret
/// with it. The caller writes them in the transaction that also holds what they belong to.
public struct StateDelta: Equatable, Sendable {
    public struct Record: Equatable, Sendable {
        public let key: [UInt8]
        /// Nil: delete the record.
        public let value: [UInt8]?
    }

    /// Whether all older records of the group go first.
    public let replacesAll: Bool
    /// By rising key.
    public let records: [Record]

    public var isEmpty: Bool { records.isEmpty && !replacesAll }

    /// For stores that append: `StoredGroup.apply` reads it back.
    public var encoded: [UInt8] {
        var writer = ByteWriter(reservingCapacity: records.reduce(16) { $0 + $1.key.count + ($1.value?.count ?? 0) + 8 })
        writer.write(UInt8(1))
        writer.write(UInt8(replacesAll ? 1 : 0))
        writer.write(vector: records) { writer, record in
            writer.write(opaque: record.key)
            writer.write(optional: record.value) { writer, value in writer.write(opaque: value) }
        }
        return writer.bytes
    }

    init(replacesAll: Bool, records: [Record]) { (self.replacesAll, self.records) = (replacesAll, records) }

    public init(decoding bytes: [UInt8]) throws(MLSError) {
        do throws(CodecError) {
            var reader = ByteReader(bytes)
            guard try reader.integer(UInt8.self) == 1 else { throw .badValue("the version of a state delta") }
            replacesAll = try reader.integer(UInt8.self) == 1
            records = try reader.vector { (reader) throws(CodecError) in
                Record(key: try reader.bytes(), value: try reader.optional { (reader) throws(CodecError) in try reader.bytes() })
            }
            try reader.finish()
        } catch { throw .invalidState("\(error)") }
    }
}

/// All records of one group, for callers without a table for them: one blob.
public struct StoredGroup: Equatable, Sendable {
    var records: [[UInt8]: [UInt8]] = [:]

    public init() {}

    public init(blob: [UInt8]) throws(MLSError) { apply(try StateDelta(decoding: blob)) }

    /// From the caller's table, in any order.
    public init(records: some Sequence<(key: [UInt8], value: [UInt8])>) {
        for (key, value) in records { self.records[key] = value }
    }

    public mutating func apply(_ delta: StateDelta) {
        if delta.replacesAll { records = [:] }
        for record in delta.records { records[record.key] = record.value }
    }

    public var blob: [UInt8] {
        let sorted = records.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        return StateDelta(replacesAll: true, records: sorted.map { StateDelta.Record(key: $0.key, value: $0.value) }).encoded
    }
}

/// What a record is about. Its bytes begin with a letter, so that a table shows what it holds.
enum RecordKey: Hashable, Sendable {
    /// Context, secrets, private keys, signer: rewritten by every commit.
    case general
    /// A node of the ratchet tree; blank ones have none.
    case node(UInt32)
    case proposals
    case pastEpoch(UInt64)
    /// A sender of a past epoch whose leaf the next epoch changed.
    case pastLeaf(epoch: UInt64, leaf: UInt32)
    case secretNode(epoch: UInt64, node: UInt32)
    case ratchet(epoch: UInt64, SecretTree.Place)
    case resumption(UInt64)

    var bytes: [UInt8] {
        var writer = ByteWriter(reservingCapacity: 16)
        switch self {
        case .general: writer.write(fixed: "g".utf8)
        case .node(let node):
            writer.write(fixed: "t".utf8)
            writer.write(node)
        case .proposals: writer.write(fixed: "p".utf8)
        case .pastEpoch(let epoch):
            writer.write(fixed: "e".utf8)
            writer.write(epoch)
        case .pastLeaf(let epoch, let leaf):
            writer.write(fixed: "l".utf8)
            writer.write(epoch)
            writer.write(leaf)
        case .secretNode(let epoch, let node):
            writer.write(fixed: "n".utf8)
            writer.write(epoch)
            writer.write(node)
        case .ratchet(let epoch, let place):
            writer.write(fixed: "r".utf8)
            writer.write(epoch)
            writer.write(place.leaf)
            writer.write(place.kind.rawValue)
        case .resumption(let epoch):
            writer.write(fixed: "s".utf8)
            writer.write(epoch)
        }
        return writer.bytes
    }

    init(_ bytes: [UInt8]) throws(CodecError) {
        var reader = ByteReader(bytes)
        switch try reader.integer(UInt8.self) {
        case UInt8(ascii: "g"): self = .general
        case UInt8(ascii: "t"): self = .node(try reader.integer())
        case UInt8(ascii: "p"): self = .proposals
        case UInt8(ascii: "e"): self = .pastEpoch(try reader.integer())
        case UInt8(ascii: "l"): self = .pastLeaf(epoch: try reader.integer(), leaf: try reader.integer())
        case UInt8(ascii: "n"): self = .secretNode(epoch: try reader.integer(), node: try reader.integer())
        case UInt8(ascii: "r"):
            let (epoch, leaf) = (try reader.integer(UInt64.self), try reader.integer(UInt32.self))
            guard let kind = SecretTree.Kind(rawValue: try reader.integer()) else { throw .badValue("a ratchet's kind") }
            self = .ratchet(epoch: epoch, SecretTree.Place(leaf: leaf, kind: kind))
        case UInt8(ascii: "s"): self = .resumption(try reader.integer())
        default: throw .badValue("a record's kind")
        }
        try reader.finish()
    }
}
