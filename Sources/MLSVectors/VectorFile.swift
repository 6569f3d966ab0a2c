internal import Cryptography
internal import Foundation
internal import MLS
internal import Vocabulary

/// A file of official MLS test vectors (github.com/mlswg/mls-implementations, test-vectors.md): an array of cases of the kind that
/// the start of the file's name says.
public struct VectorFile {
    public struct Outcome: Equatable, Sendable, CustomStringConvertible {
        public let kind: String
        public var passed = 0
        public var skipped = 0
        /// Case by case, what was wrong.
        public var failures: [String] = []

        public var description: String { "\(kind): \(passed) passed, \(failures.count) failed, \(skipped) skipped" }
    }

    public enum Trouble: Error {
        case unreadable(String)
    }

    private static let kinds: [(name: String, check: @Sendable (Case) throws -> Void)] = [
        ("deserialization", Checks.deserialization), ("tree-math", Checks.treeMath), ("crypto-basics", Checks.cryptoBasics),
        ("secret-tree", Checks.secretTree), ("message-protection", Checks.messageProtection),
        ("key-schedule", Checks.keySchedule), ("psk_secret", Checks.preSharedKeys),
        ("transcript-hashes", Checks.transcriptHashes), ("welcome", Checks.welcome), ("tree-operations", Checks.treeOperations),
        ("tree-validation", Checks.treeValidation), ("treekem", Checks.treeKEM), ("messages", Checks.messages),
        ("passive-client", Checks.passiveClient),
    ]

    /// Runs all cases of a suite that is implemented, or of none; others are skipped, and so is a file of no official kind.
    public static func run(_ path: String) throws -> Outcome {
        let name = URL(fileURLWithPath: path).lastPathComponent
        guard let data = FileManager.default.contents(atPath: path),
            let cases = try JSONSerialization.jsonObject(with: data) as? [[String: Any]]
        else { throw Trouble.unreadable(path) }
        guard let kind = kinds.first(where: { name.hasPrefix($0.name) }) else {
            return Outcome(kind: name.hasSuffix(".json") ? String(name.dropLast(5)) : name, skipped: cases.count)
        }
        var outcome = Outcome(kind: kind.name)
        for (index, fields) in cases.enumerated() {
            let each = Case(fields: fields)
            if let number = fields["cipher_suite"] as? Int, (try? each.suite()) == nil {
                _ = number
                outcome.skipped += 1
                continue
            }
            do {
                try kind.check(each)
                outcome.passed += 1
            } catch { outcome.failures.append("case \(index): \(error)") }
        }
        return outcome
    }
}

struct Failure: Error, CustomStringConvertible {
    let description: String
}

func require(_ condition: Bool, _ what: @autoclosure () -> String) throws {
    guard condition else { throw Failure(description: what()) }
}

/// One JSON object of a vector.
struct Case {
    let fields: [String: Any]

    func suite() throws -> any SuiteProvider {
        guard let number = fields["cipher_suite"] as? Int, let raw = UInt16(exactly: number),
            let suite = CipherSuite(rawValue: raw).implementation
        else { throw Failure(description: "cipher_suite") }
        return suite
    }

    func hex(_ name: String) throws -> [UInt8] {
        guard let text = fields[name] as? String, let bytes = Hex.decode(text) else { throw Failure(description: name) }
        return bytes
    }

    func secret(_ name: String) throws -> Secret { Secret(try hex(name)) }

    func optionalHex(_ name: String) throws -> [UInt8]? {
        fields[name] == nil || fields[name] is NSNull ? nil : try hex(name)
    }

    func text(_ name: String) throws -> String {
        guard let text = fields[name] as? String else { throw Failure(description: name) }
        return text
    }

    func number<T: FixedWidthInteger>(_ name: String, _: T.Type = T.self) throws -> T {
        guard let value = fields[name] as? NSNumber, let number = T(exactly: value.uint64Value) else {
            throw Failure(description: name)
        }
        return number
    }

    func object(_ name: String) throws -> Case {
        guard let fields = fields[name] as? [String: Any] else { throw Failure(description: name) }
        return Case(fields: fields)
    }

    func objects(_ name: String) throws -> [Case] {
        guard let list = fields[name] as? [[String: Any]] else { throw Failure(description: name) }
        return list.map(Case.init)
    }

    func list(_ name: String) throws -> [Any] {
        guard let list = fields[name] as? [Any] else { throw Failure(description: name) }
        return list
    }

    func hexes(_ name: String) throws -> [[UInt8]?] {
        try list(name).map { item in
            if item is NSNull { return nil }
            guard let text = item as? String, let bytes = Hex.decode(text) else { throw Failure(description: name) }
            return bytes
        }
    }

    func numbers(_ name: String) throws -> [UInt32?] { try list(name).map { ($0 as? NSNumber)?.uint32Value } }
}

extension GroupHost {
    /// Trusts everybody: vectors say nothing of identities.
    static func trusting(_ keys: [[UInt8]: Secret] = [:]) -> GroupHost {
        GroupHost(
            now: 1_700_000_000, refusal: { _ in nil },
            preSharedKey: { kind in if case .external(let id) = kind { keys[id] } else { nil } },
            bounds: Bounds(resumptionEpochs: 1 << 20, lifetimeSeconds: .max))
    }
}
