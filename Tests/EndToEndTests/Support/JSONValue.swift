import Foundation

/// One JSON object of a program's output.
struct JSONLine: Sendable, CustomStringConvertible {
    private let fields: [String: JSONValue]
    let description: String

    init?(_ line: String) {
        guard let fields = try? JSONDecoder().decode([String: JSONValue].self, from: Data(line.utf8)) else { return nil }
        (self.fields, description) = (fields, line)
    }

    var keys: Set<String> { Set(fields.keys) }
    subscript(key: String) -> JSONValue? { fields[key] }
    func text(_ key: String) -> String? { if case .string(let value)? = fields[key] { value } else { nil } }
    func number(_ key: String) -> Int? { if case .number(let value)? = fields[key] { Int(value) } else { nil } }
    func milliseconds(_ key: String) -> Double? { if case .number(let value)? = fields[key] { value } else { nil } }
    func bool(_ key: String) -> Bool? { if case .bool(let value)? = fields[key] { value } else { nil } }
}

enum JSONValue: Decodable, Equatable, Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }
}
