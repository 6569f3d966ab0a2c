import Foundation

/// The `.proto` files as this test reads them: an implementation that shares nothing with the generated one, and that takes the lengths in
/// their comments at their word.
struct Schema {
    struct Field {
        let name, type: String
        let isRepeated: Bool
        let oneof: String?
        /// From a comment that begins with a number, for `bytes` only.
        let exactLength: Int?
        /// Whether its comment says that bytes without an exact length are needed.
        let isNeeded: Bool
    }

    private(set) var messages: [String: [UInt64: Field]] = [:]
    private(set) var enums: [String: [String: UInt32]] = [:]

    static let root = URL(filePath: #filePath).appending(path: "../../../..").standardized

    init() throws {
        for file in ["common", "client_session", "node_link"] {
            let text = try String(contentsOf: Self.root.appending(path: "Protos/\(file).proto"), encoding: .utf8)
            try read(text)
        }
    }

    private enum Scope {
        case message(String)
        case oneof(String)
        case enumeration(String)
    }

    private mutating func read(_ text: String) throws {
        var scopes: [Scope] = []
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "//", maxSplits: 1)
            let comment = parts.count > 1 ? parts[1].drop { $0 == " " } : ""
            guard !line.drop(while: { $0 == " " }).hasPrefix("//"), let code = parts.first else { continue }
            let words = code.split { " ={};".contains($0) }.map(String.init)
            if code.contains("}") && !code.contains("{") {
                scopes.removeLast()
            } else if code.contains("{") {
                switch words[0] {
                case "message":
                    messages[words[1]] = [:]
                    if !code.contains("}") { scopes.append(.message(words[1])) }
                case "oneof": scopes.append(.oneof(words[1]))
                default:
                    enums[words[1]] = [:]
                    scopes.append(.enumeration(words[1]))
                }
            } else if let scope = scopes.last {
                switch scope {
                case .enumeration(let name): enums[name]?[words[0]] = UInt32(words[1])
                case .oneof(let name): add(words, oneof: name, comment, to: scopes)
                case .message: add(words, oneof: nil, comment, to: scopes)
                }
            }
        }
    }

    private mutating func add(_ words: [String], oneof: String?, _ comment: Substring, to scopes: [Scope]) {
        let isRepeated = words[0] == "repeated"
        let rest = isRepeated || words[0] == "optional" ? Array(words.dropFirst()) : words
        let message = scopes.reversed().lazy.compactMap { if case .message(let name) = $0 { name } else { nil } }.first
        guard let message, rest.count == 3, let number = UInt64(rest[2]) else { return }
        let digits = comment.prefix { $0.isNumber }
        messages[message]?[number] = Field(
            name: rest[1], type: rest[0], isRepeated: isRepeated, oneof: oneof, exactLength: rest[0] == "bytes" ? Int(digits) : nil,
            isNeeded: comment.hasSuffix("needed"))
    }
}

/// A decoded message, field by field, in the order of its bytes.
struct Tree {
    indirect enum Value {
        case number(UInt64)
        case bytes([UInt8])
        case message(Tree)
    }

    let message: String
    var fields: [(number: UInt64, value: Value)] = []

    init(_ message: String) { self.message = message }

    /// - Returns: nil if the bytes are not what the schema says.
    init?(_ message: String, _ bytes: [UInt8], _ schema: Schema) {
        self.message = message
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let tag = Self.varint(&rest), let field = schema.messages[message]?[tag >> 3] else { return nil }
            switch tag & 7 {
            case 0:
                guard let value = Self.varint(&rest) else { return nil }
                fields.append((tag >> 3, .number(value)))
            case 2:
                guard let count = Self.varint(&rest), count <= rest.count else { return nil }
                let content = Array(rest.prefix(Int(count)))
                rest = rest.dropFirst(Int(count))
                if schema.messages[field.type] != nil {
                    guard let tree = Tree(field.type, content, schema) else { return nil }
                    fields.append((tag >> 3, .message(tree)))
                } else {
                    fields.append((tag >> 3, .bytes(content)))
                }
            default: return nil
            }
        }
    }

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        for (number, value) in fields {
            switch value {
            case .number(let value): bytes += Self.varint(number << 3) + Self.varint(value)
            case .bytes(let content): bytes += Self.varint(number << 3 | 2) + Self.varint(UInt64(content.count)) + content
            case .message(let tree):
                let content = tree.encoded
                bytes += Self.varint(number << 3 | 2) + Self.varint(UInt64(content.count)) + content
            }
        }
        return bytes
    }

    /// Every version of this tree with one field of one message altered; `change` returns the new values of the field, empty to drop it.
    func altered(_ change: (String, UInt64, Value) -> [[Value]]) -> [(message: String, field: UInt64, tree: Tree)] {
        var all: [(String, UInt64, Tree)] = []
        for (index, field) in fields.enumerated() {
            for replacement in change(message, field.number, field.value) {
                var copy = self
                copy.fields.replaceSubrange(index...index, with: replacement.map { (field.number, $0) })
                all.append((message, field.number, copy))
            }
            guard case .message(let inner) = field.value else { continue }
            for (name, number, tree) in inner.altered(change) {
                var copy = self
                copy.fields[index].value = .message(tree)
                all.append((name, number, copy))
            }
        }
        return all
    }

    static func varint(_ value: UInt64) -> [UInt8] {
        var (bytes, rest): ([UInt8], UInt64) = ([], value)
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        while let byte = rest.popFirst(), shift < 64 {
            value |= UInt64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        return nil
    }
}
