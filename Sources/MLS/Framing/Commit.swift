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
        package let secrets: [HPKECiphertext]

        package init(encryptionKey: [UInt8], secrets: [HPKECiphertext]) {
            (self.encryptionKey, self.secrets) = (encryptionKey, secrets)
        }

        package func write(to writer: inout ByteWriter) {
            writer.write(opaque: encryptionKey)
            writer.write(list: secrets)
        }

        package init(from reader: inout ByteReader) throws(CodecError) {
            encryptionKey = try reader.bytes()
            secrets = try reader.list()
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
