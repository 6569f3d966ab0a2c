import MLS
import Vocabulary

/// What a member's stored group state holds of secrets, with the epoch that each is of: the layout is that of `MLS/State`.
struct GroupSecrets {
    struct One: Hashable {
        let name: String
        let epoch: UInt64
        let bytes: [UInt8]
    }

    private(set) var all: Set<One> = []
    private(set) var epoch: UInt64 = 0

    init(_ records: [(key: [UInt8], value: [UInt8])]) throws {
        for record in records {
            var key = ByteReader(record.key)
            var value = ByteReader(record.value)
            switch try key.integer(UInt8.self) {
            case UInt8(ascii: "g"): try readGeneral(&value)
            case UInt8(ascii: "n"): note("secret tree", try key.integer(), record.value)
            case UInt8(ascii: "s"): note("resumption", try key.integer(), record.value)
            case UInt8(ascii: "r"):
                let epoch: UInt64 = try key.integer()
                _ = (try value.fixed(1), try value.integer(UInt32.self))
                note("ratchet", epoch, Array(try value.opaque()))
                let skipped = try value.vector { reader throws(CodecError) in
                    _ = try reader.integer(UInt32.self)
                    let key = Array(try reader.opaque())
                    _ = try reader.opaque()
                    return key
                }
                for key in skipped { note("message key", epoch, key) }
            case UInt8(ascii: "e"):
                _ = (try value.fixed(1), try value.integer(UInt64.self), try value.integer(UInt32.self), try value.integer(UInt64.self))
                _ = try value.opaque()
                note("sender data", try key.integer(), Array(try value.opaque()))
            default: break
            }
        }
    }

    private mutating func readGeneral(_ reader: inout ByteReader) throws(CodecError) {
        _ = try reader.fixed(1)
        let context: GroupContext = try reader.value()
        epoch = context.epoch
        _ = (try reader.opaque(), try reader.integer(UInt32.self), try reader.integer(UInt32.self))
        // The member's own signing key, the same in each epoch.
        _ = try reader.opaque()
        for name in ["sender data", "exporter", "external", "membership", "resumption", "authenticator", "init"] {
            note(name, epoch, Array(try reader.opaque()))
        }
        let keys = try reader.vector { reader throws(CodecError) in
            _ = try reader.integer(UInt32.self)
            return Array(try reader.opaque())
        }
        for key in keys { note("node key", epoch, key) }
    }

    private mutating func note(_ name: String, _ epoch: UInt64, _ bytes: [UInt8]) {
        if !bytes.isEmpty { all.insert(One(name: name, epoch: epoch, bytes: bytes)) }
    }
}
