internal import Glibc

/// The figures of one run: a JSON object on one line, or a table where people look.
struct LoadReport {
    private let scenario: String
    private var rows: [(key: String, value: String)] = []

    init(_ scenario: String) { self.scenario = scenario }

    mutating func add(_ key: String, _ value: Int) { rows.append((key, "\(value)")) }

    /// With two decimal places; what is no number is null.
    mutating func add(_ key: String, _ value: Double) {
        guard value.isFinite, abs(value) < 1e15 else { return rows.append((key, "null")) }
        let hundredths = Int((abs(value) * 100).rounded())
        let fraction = hundredths % 100
        rows.append((key, "\(value < 0 && hundredths > 0 ? "-" : "")\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"))
    }

    /// - Parameter nanoseconds: in any order; reported in milliseconds.
    mutating func add(_ key: String, milliseconds nanoseconds: [Int64]) {
        for (name, part) in [("p50", 0.5), ("p99", 0.99), ("max", 1)] {
            add("\(key)_ms_\(name)", Self.quantile(part, of: nanoseconds) / 1e6)
        }
    }

    /// - Parameter values: in any order; of none it is not a number.
    static func quantile(_ part: Double, of values: [Int64]) -> Double {
        values.isEmpty ? .nan : Double(values.sorted()[Int(Double(values.count - 1) * part)])
    }

    func say(asJSON: Bool) {
        if asJSON || isatty(STDOUT_FILENO) == 0 {
            let fields = rows.map { ",\"\($0.key)\":\($0.value)" }.joined()
            print("{\"v\":1,\"scenario\":\"\(scenario)\"\(fields)}")
        } else {
            let width = rows.map(\.key.count).max() ?? 0
            let digits = rows.map(\.value.count).max() ?? 0
            print(scenario)
            for row in rows {
                let name = row.key.map { $0 == "_" ? " " : String($0) }.joined()
                let pad = String(repeating: " ", count: width - row.key.count + digits - row.value.count)
                print("  \(name)  \(pad)\(row.value)")
            }
        }
        fflush(nil)
    }
}
