internal import ArgumentParser
internal import Client
internal import Foundation
internal import Launch
internal import Vocabulary

/// Standard output for what was asked for, standard error for everything else.
enum Output {
    static func line(_ text: String) { StandardStreams.say(text) }

    static func json(_ fields: [(String, JSON)]) { line(text(fields)) }

    static func text(_ fields: [(String, JSON)]) -> String { JSON.object([("v", .number(1))] + fields).text }

    static func complain(_ text: String) { StandardStreams.complain(text) }

    /// Tells people what, why and remedy, and gives the exit code to throw.
    static func failed(_ error: ClientError) -> ExitCode {
        complain(error.explanation.description)
        return ExitCode(error.code.rawValue)
    }
}

/// JSON with its fields in the order given. What a terminal would obey is escaped, so that the output is safe to look at too.
enum JSON {
    case string(String)
    case number(UInt64)
    /// Microseconds as milliseconds.
    case milliseconds(UInt64)
    case bool(Bool)
    case null
    case array([JSON])
    case object([(String, JSON)])

    static func optional(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }
    static func optional(_ number: UInt64?) -> JSON { number.map { .number($0) } ?? .null }

    var text: String {
        switch self {
        case .string(let text): Self.quoted(text)
        case .number(let number): String(number)
        case .milliseconds(let microseconds): "\(microseconds / 1000).\(Format.pad(Int(microseconds % 1000), 3))"
        case .bool(let value): value ? "true" : "false"
        case .null: "null"
        case .array(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
        case .object(let fields): "{" + fields.map { "\(Self.quoted($0.0)):\($0.1.text)" }.joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            default:
                if Printable.line(String(scalar)).unicodeScalars.first == scalar {
                    out.unicodeScalars.append(scalar)
                } else {
                    for unit in String(scalar).utf16 {
                        let hex = String(unit, radix: 16)
                        out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                    }
                }
            }
        }
        return out + "\""
    }
}

enum Format {
    /// RFC 3339 in UTC with milliseconds.
    static func time(_ milliseconds: Int64) -> String {
        let days = Int(milliseconds / 86_400_000)
        let rest = Int(milliseconds % 86_400_000)
        // Days to date, counting from 1 March of year 0, so that the leap day is the last of its year.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let realMonth = month < 10 ? month + 3 : month - 9
        let year = yearOfEra + era * 400 + (realMonth <= 2 ? 1 : 0)
        return "\(pad(year, 4))-\(pad(realMonth, 2))-\(pad(day, 2))T\(pad(rest / 3_600_000, 2)):\(pad(rest / 60_000 % 60, 2)):"
            + "\(pad(rest / 1000 % 60, 2)).\(pad(rest % 1000, 3))Z"
    }

    /// `2026-11-23 22:38`.
    static func minute(_ milliseconds: Int64) -> String {
        time(milliseconds).prefix(16).replacingOccurrences(of: "T", with: " ")
    }

    static func pad(_ number: Int, _ count: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, count - digits.count)) + digits
    }
}

/// `500ms`, `10s`, `5m`, `24h`, `7d`.
struct Span: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits), count <= 1_000_000 else { return nil }
        switch argument.dropFirst(digits.count) {
        case "ms": duration = .milliseconds(count)
        case "s", "": duration = .seconds(count)
        case "m": duration = .minutes(count)
        case "h": duration = .hours(count)
        case "d": duration = .days(count)
        default: return nil
        }
    }

    init(_ duration: Duration) { self.duration = duration }

    var defaultValueDescription: String { "\(duration.milliseconds / 1000)s" }
}
