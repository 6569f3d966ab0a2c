internal import ArgumentParser
internal import Foundation

/// The figures of `scripts/bench` as the tables of docs/performance.md: medians, beside the aims and the floors of the same runs.
struct LoadTable: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "table", abstract: "Make the tables of docs/performance.md from the lines that scenarios printed.",
        discussion: "Writes them between the document's two markers, which say `figures begin` and `figures end`.")

    @Argument(help: "JSON lines.") var lines: String
    @Option(help: "The document.") var document: String
    @Option(help: "What stands above the tables: machine, versions, date.") var machine: String

    private static let (begin, end) = ("<!-- figures begin -->", "<!-- figures end -->")

    func run() throws {
        let figures = try Figures(lines: String(contentsOfFile: lines, encoding: .utf8))
        var text = try String(contentsOfFile: document, encoding: .utf8)
        guard let begin = text.range(of: Self.begin), let end = text.range(of: Self.end), begin.upperBound <= end.lowerBound else {
            throw ValidationError("\(document) has no place for the figures: \(Self.begin) … \(Self.end)")
        }
        let table = "\n\(machine)\n\n\(Self.aims(figures))\n\(Self.curves(figures))"
        text.replaceSubrange(begin.upperBound..<end.lowerBound, with: table)
        try text.write(toFile: document, atomically: true, encoding: .utf8)
    }

    private struct Row: Sendable {
        let name: String
        let aim: String
        let value: @Sendable (Figures) -> Double?
        let unit: String
        /// What the parts cost by themselves, in the same unit.
        var floor: @Sendable (Figures) -> Double? = { _ in nil }
    }

    private static let rows: [Row] = [
        Row(
            name: "online, saturated: server CPU a message, both nodes", aim: "40 us", value: { $0["online window=8", "server_cpu_us"] },
            unit: "us", floor: floorOfMessage),
        Row(name: "online, saturated: messages/s", aim: "15,000", value: { $0["online window=8", "messages_per_s"] }, unit: "/s"),
        Row(
            name: "online at 1,200/s: server CPU a message", aim: "120 us", value: { $0["online rate=1200", "server_cpu_us"] }, unit: "us",
            floor: floorOfSingleMessage),
        Row(name: "online at 1,200/s: delivered, p50", aim: "2 ms", value: { $0["online rate=1200", "delivered_ms_p50"] }, unit: "ms"),
        Row(name: "online at 1,200/s: delivered, p99", aim: "8 ms", value: { $0["online rate=1200", "delivered_ms_p99"] }, unit: "ms"),
        Row(
            name: "one more node on the way, there and back, p50", aim: "", value: { $0["hop", "added_there_and_back_ms_p50"] }, unit: "ms"),
        Row(
            name: "offline: server CPU a message stored, both nodes", aim: "40 us",
            value: { $0["offline messages=50000", "stored_server_cpu_us"] }, unit: "us", floor: { $0["floors", "row_cpu_us_by_64"] }),
        Row(
            name: "offline: server CPU a message drained", aim: "12 us", value: { $0["offline messages=50000", "drained_server_cpu_us"] },
            unit: "us", floor: { $0["floors", "row_cpu_us_by_64"] }),
        Row(name: "offline: messages drained/s", aim: "60,000", value: { $0["offline messages=50000", "drained_per_s"] }, unit: "/s"),
        Row(
            name: "offline: others' p99 while 400,000 are drained", aim: "twice the calm one",
            value: { $0["offline beside", "bystanders_drained_ms_p99"] }, unit: "ms",
            floor: { $0["offline beside", "bystanders_calm_ms_p99"] }),
        Row(
            name: "idle: PSS a TLS session", aim: "8 KiB above the floor", value: { $0["idle", "pss_kib_per_session"] }, unit: "KiB",
            floor: { $0["idle", "tls_floor_pss_kib_per_session"] }),
        Row(name: "idle: server CPU", aim: "0 %", value: { $0["idle", "idle_server_cpu_percent"] }, unit: "%"),
        Row(
            name: "group of 100 on two nodes: server CPU a delivery", aim: "6 us",
            value: { $0["group members=100", "stream_server_us_per_delivery"] }, unit: "us", floor: { $0["floors", "echo_server_cpu_us"] }),
        Row(
            name: "group of 100 on two nodes: deliveries/s", aim: "60,000", value: { $0["group members=100", "stream_deliveries_per_s"] },
            unit: "/s"),
        Row(
            name: "group of 100 on two nodes: copies on the link", aim: "1", value: { $0["group members=100", "copies_on_each_link"] },
            unit: ""),
        Row(
            name: "large group on one node: server CPU a member and message before delivery", aim: "2 us",
            value: { $0["group away", "server_us_per_member_and_message_before_delivery"] }, unit: "us"),
        Row(name: "storm: logins/s", aim: "1,500", value: { $0["storm", "logins_per_s"] }, unit: "/s"),
        Row(name: "storm: server CPU a login", aim: "", value: { $0["storm", "login_server_cpu_us"] }, unit: "us"),
        Row(name: "directory: memory a record", aim: "600 bytes", value: { $0["directory", "memory_bytes_per_record"] }, unit: "bytes"),
        Row(name: "directory: disk a record", aim: "500 bytes", value: { $0["directory", "disk_bytes_per_record"] }, unit: "bytes"),
        Row(name: "directory: records/s to a joining node", aim: "8,333", value: { $0["directory", "join_records_per_s"] }, unit: "/s"),
        Row(name: "directory: 100 differences, time", aim: "200 ms", value: { $0["directory", "reconcile_ms"] }, unit: "ms"),
        Row(
            name: "directory: 100 differences, traffic", aim: "102,400 bytes", value: { $0["directory", "reconcile_bytes"] }, unit: "bytes"),
    ]

    /// Frames through sockets: in and out at two nodes for the message, and back for its receipt; one signature checked; rows in and out.
    @Sendable private static func floorOfMessage(_ figures: Figures) -> Double? {
        guard let echo = figures["floors", "echo_server_cpu_us"], let check = figures["floors", "signature_check_cpu_us"],
            let row = figures["floors", "row_cpu_us_by_512"]
        else { return nil }
        return 4 * echo + check + 2 * row
    }

    /// The same where messages come one by one: each frame is read and written by itself, and the hub brings each message to disk.
    @Sendable private static func floorOfSingleMessage(_ figures: Figures) -> Double? {
        guard let echo = figures["floors", "echo_at_rate_server_cpu_us"], let check = figures["floors", "signature_check_cpu_us"],
            let sync = figures["floors", "sync_at_rate_cpu_us"]
        else { return nil }
        return 4 * echo + check + sync
    }

    private static func aims(_ figures: Figures) -> String {
        var text = "| figure | aim | measured | floor | ratio |\n|---|---|---|---|---|\n"
        for row in rows {
            guard let value = row.value(figures) else { continue }
            let floor = row.floor(figures)
            let ratio = floor.map { $0 > 0 ? number(value / $0) : "" } ?? ""
            text +=
                "| \(row.name) | \(row.aim) | \(number(value)) \(row.unit) | \(floor.map { "\(number($0)) \(row.unit)" } ?? "") | \(ratio) |\n"
        }
        return text
    }

    private static func curves(_ figures: Figures) -> String {
        var text = "\n| curve | | server CPU |\n|---|---|---|\n"
        for (key, what) in figures.keys(of: "sessions pairs=") {
            if let cost = figures[key, "server_cpu_us"] {
                text += "| sessions | \((Int(what) ?? 0) * 2) | \(number(cost)) us a message |\n"
            }
        }
        for (key, what) in figures.keys(of: "group members=") {
            if let cost = figures[key, "stream_server_us_per_delivery"] {
                text += "| group members | \(what) | \(number(cost)) us a delivery |\n"
            }
        }
        for (key, what) in figures.keys(of: "offline messages=") {
            guard let first = figures[key, "stored_server_cpu_us_first_part"], let last = figures[key, "stored_server_cpu_us_last_part"]
            else {
                continue
            }
            text += "| waiting messages | first quarter of \(what) | \(number(first)) us a message stored |\n"
            text += "| waiting messages | last quarter of \(what) | \(number(last)) us a message stored |\n"
        }
        return text
    }

    private static func number(_ value: Double) -> String {
        abs(value) >= 100 ? "\(Int(value.rounded()))" : String(format: abs(value) >= 10 ? "%.1f" : "%.2f", value)
    }
}

/// What the lines say: of several runs of one scenario the median of each figure.
private struct Figures {
    private var values: [String: [String: [Double]]] = [:]

    init(lines: String) throws {
        for line in lines.split(separator: "\n") {
            guard let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
                let scenario = object["scenario"] as? String
            else { continue }
            // The same figures under each name that a table asks for.
            var names = [scenario]
            for choice in ["window", "rate", "members", "messages", "pairs"] {
                if let value = (object[choice] as? NSNumber)?.intValue { names.append("\(scenario) \(choice)=\(value)") }
            }
            // Open loop is no point of a curve.
            if let rate = (object["rate"] as? NSNumber)?.intValue { names = [scenario, "\(scenario) rate=\(rate)"] }
            // The curve over sessions is of runs with the same work under way in each.
            if let pairs = (object["pairs"] as? NSNumber)?.intValue, object["in_flight"] != nil { names = ["sessions pairs=\(pairs)"] }
            if object["bystanders_calm_ms_p99"] != nil { names.append("offline beside") }
            if object["server_us_per_member_and_message_before_delivery"] != nil { names = ["group away"] }
            for name in names {
                for (key, value) in object {
                    guard let number = value as? NSNumber else { continue }
                    values[name, default: [:]][key, default: []].append(number.doubleValue)
                }
            }
        }
    }

    subscript(name: String, key: String) -> Double? {
        guard let all = values[name]?[key]?.sorted(), !all.isEmpty else { return nil }
        return all[all.count / 2]
    }

    /// Those that begin so, by the number at their end.
    func keys(of prefix: String) -> [(name: String, rest: String)] {
        values.keys.filter { $0.hasPrefix(prefix) }.map { ($0, String($0.dropFirst(prefix.count))) }
            .sorted { (Int($0.1) ?? 0) < (Int($1.1) ?? 0) }
    }
}
