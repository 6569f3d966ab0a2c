package import Vocabulary

/// RFC 9420 §12.4.
package struct Commit: Hashable, Sendable, WireCodable {
    package enum Item: Hashable, Sendable, WireCodable {
        case proposal(Proposal)
        case reference([UInt8])

        package func write(to writer: inout ByteWriter) {
            switch self {
            case .proposal(let proposal):
                writer.write(UInt8(1))
                writer.write(proposal)
            case .reference(let reference):
                writer.write(UInt8(2))
                writer.write(opaque: reference)
            }
        }

        package init(from reader: inout ByteReader) throws(CodecError) {
            switch try reader.integer(UInt8.self) {
            case 1: self = .proposal(try reader.value())
            case 2: self = .reference(try reader.bytes())
            default: throw .badValue("a proposal-or-reference type")
            }
        }
    }

    package let items: [Item]
    package let path: UpdatePath?

    package func write(to writer: inout ByteWriter) {
        writer.write(list: items)
        writer.write(optional: path) { writer, path in writer.write(path) }
    }

    package init(items: [Item], path: UpdatePath?) { (self.items, self.path) = (items, path) }

    package init(from reader: inout ByteReader) throws(CodecError) {
        // An item may be two bytes here and is dozens in memory: so the bound comes before the list.
        items = try reader.vector(max: Limits.mlsCommitItemsMax) { (reader) throws(CodecError) in try reader.value() }
        path = try reader.optional { (reader) throws(CodecError) in try reader.value() }
    }
}

/// New keys for the sender's filtered direct path, with the secret of each sealed to the nodes beside it (RFC 9420 §7.6).
package struct UpdatePath: Hashable, Sendable, WireCodable {
    package struct Node: Hashable, Sendable, WireCodable {
        package let encryptionKey: [UInt8]
        package let secrets: HPKECiphertexts

        package init(encryptionKey: [UInt8], secrets: HPKECiphertexts) {
            (self.encryptionKey, self.secrets) = (encryptionKey, secrets)
        }

        package func write(to writer: inout ByteWriter) {
            writer.write(opaque: encryptionKey)
            writer.write(secrets)
        }

        package init(from reader: inout ByteReader) throws(CodecError) {
            encryptionKey = try reader.bytes()
            secrets = try reader.value()
        }
    }

    package let leaf: LeafNode
    package let nodes: [Node]

    package init(leaf: LeafNode, nodes: [Node]) { (self.leaf, self.nodes) = (leaf, nodes) }

    package func write(to writer: inout ByteWriter) {
        writer.write(leaf)
        writer.write(list: nodes)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        leaf = try reader.value()
        nodes = try reader.list()
    }
}

package struct HPKECiphertext: Hashable, Sendable, WireCodable {
    package let output, ciphertext: [UInt8]

    package init(output: [UInt8], ciphertext: [UInt8]) { (self.output, self.ciphertext) = (output, ciphertext) }

    package func write(to writer: inout ByteWriter) {
        writer.write(opaque: output)
        writer.write(opaque: ciphertext)
    }

    package init(from reader: inout ByteReader) throws(CodecError) {
        output = try reader.bytes()
        ciphertext = try reader.bytes()
    }
}

/// `HPKECiphertext items<V>`, as sent: in a fresh group of a thousand a path has a thousand of them, of which a member needs one. All are
/// checked when they are read, and one is cut out when it is asked for.
package struct HPKECiphertexts: Hashable, Sendable, WireCodable, ExpressibleByArrayLiteral {
    private var items: ArraySlice<UInt8> = []
    package private(set) var count = 0

    package init() {}

    package init(arrayLiteral items: HPKECiphertext...) {
        for item in items { append(item) }
    }

    package mutating func append(_ item: HPKECiphertext) {
        items.append(contentsOf: item.encoded)
        count += 1
    }

    /// - Throws: `truncated` from `count` on.
    package func item(at place: Int) throws(CodecError) -> HPKECiphertext {
        var reader = ByteReader(items)
        for _ in 0..<place { try HPKECiphertext.skip(in: &reader) }
        return try reader.value()
    }

    package func write(to writer: inout ByteWriter) { writer.write(opaque: items) }

    package init(from reader: inout ByteReader) throws(CodecError) {
        items = try reader.opaque()
        var inner = ByteReader(items)
        while !inner.isEmpty {
            try HPKECiphertext.skip(in: &inner)
            count += 1
        }
    }
}

extension HPKECiphertext {
    /// Refuses what `init(from:)` would.
    fileprivate static func skip(in reader: inout ByteReader) throws(CodecError) {
        _ = try reader.opaque()
        _ = try reader.opaque()
    }
}
