package import Vocabulary

/// A change that somebody proposes (RFC 9420 §12.1).
public enum Proposal: Hashable, Sendable, WireCodable {
    case add(KeyPackage)
    case update(LeafNode)
    case remove(UInt32)
    case preSharedKey(PreSharedKeyID)
    case reInit(ReInit)
    /// The KEM output.
    case externalInit([UInt8])
    case groupContextExtensions([MLSExtension])

    public var type: UInt16 {
        switch self {
        case .add: 1
        case .update: 2
        case .remove: 3
        case .preSharedKey: 4
        case .reInit: 5
        case .externalInit: 6
        case .groupContextExtensions: 7
        }
    }

    /// §12.4: those that do not, leave forward secrecy as it was.
    var requiresPath: Bool {
        switch self {
        case .add, .preSharedKey, .reInit: false
        case .update, .remove, .externalInit, .groupContextExtensions: true
        }
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(type)
        writeBody(to: &writer)
    }

    package func writeBody(to writer: inout ByteWriter) {
        switch self {
        case .add(let package): writer.write(package)
        case .update(let leaf): writer.write(leaf)
        case .remove(let leaf): writer.write(leaf)
        case .preSharedKey(let id): writer.write(id)
        case .reInit(let reInit): writer.write(reInit)
        case .externalInit(let output): writer.write(opaque: output)
        case .groupContextExtensions(let extensions): writer.write(list: extensions)
        }
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        self = try Proposal(type: try reader.integer(), from: &reader)
    }

    package init(type: UInt16, from reader: inout ByteReader) throws(CodecError) {
        switch type {
        case 1: self = .add(try reader.value())
        case 2: self = .update(try reader.value())
        case 3: self = .remove(try reader.integer())
        case 4: self = .preSharedKey(try reader.value())
        case 5: self = .reInit(try reader.value())
        case 6: self = .externalInit(try reader.bytes())
        case 7: self = .groupContextExtensions(try reader.list())
        // Its length is unknown, and none is in our capabilities: nobody may commit one to us (§12.2).
        default: throw .badValue("a proposal type")
        }
    }
}

/// Which pre-shared key (RFC 9420 §8.4).
public struct PreSharedKeyID: Hashable, Sendable, WireCodable {
    public enum Usage: UInt8, Sendable {
        case application = 1
        case reInit = 2
        case branch = 3
    }
    public enum Kind: Hashable, Sendable {
        case external([UInt8])
        case resumption(Usage, group: [UInt8], epoch: UInt64)
    }

    public let kind: Kind
    /// Fresh each time, as long as the hash.
    public let nonce: [UInt8]

    public init(_ kind: Kind, nonce: [UInt8]) { (self.kind, self.nonce) = (kind, nonce) }

    package func write(to writer: inout ByteWriter) {
        switch kind {
        case .external(let id):
            writer.write(UInt8(1))
            writer.write(opaque: id)
        case .resumption(let usage, let group, let epoch):
            writer.write(UInt8(2))
            writer.write(usage.rawValue)
            writer.write(opaque: group)
            writer.write(epoch)
        }
        writer.write(opaque: nonce)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        switch try reader.integer(UInt8.self) {
        case 1: kind = .external(try reader.bytes())
        case 2:
            guard let usage = Usage(rawValue: try reader.integer()) else { throw .badValue("a PSK usage") }
            kind = .resumption(usage, group: try reader.bytes(), epoch: try reader.integer())
        default: throw .badValue("a PSK type")
        }
        nonce = try reader.bytes()
    }
}

/// The group is to end and begin anew with these parameters (RFC 9420 §12.1.5).
public struct ReInit: Hashable, Sendable, WireCodable {
    public let groupID: [UInt8]
    public let version: UInt16
    public let cipherSuite: CipherSuite
    public let extensions: [MLSExtension]

    public init(groupID: [UInt8], version: UInt16 = 1, cipherSuite: CipherSuite, extensions: [MLSExtension] = []) {
        (self.groupID, self.version, self.cipherSuite, self.extensions) = (groupID, version, cipherSuite, extensions)
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(opaque: groupID)
        writer.write(version)
        writer.write(cipherSuite.rawValue)
        writer.write(list: extensions)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        groupID = try reader.bytes()
        version = try reader.integer()
        cipherSuite = CipherSuite(rawValue: try reader.integer())
        extensions = try reader.list()
    }
}
