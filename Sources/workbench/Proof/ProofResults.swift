internal import Foundation
internal import Glibc

/// The parts of a run, in a folder: a line of JSON each as they end, all together when the run ends.
struct ProofResults {
    let folder: String
    private(set) var parts: [ProofPart] = []

    /// Goes on with what is there.
    init(folder: String) throws {
        self.folder = folder
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for line in Files.text(file).split(separator: "\n") {
            guard let part = ProofPart(line: String(line)) else { throw LoadFailure("\(file) has a line that is no part: \(line)") }
            parts.append(part)
        }
    }

    private var file: String { folder + "/parts.jsonl" }

    mutating func add(_ part: ProofPart) throws {
        parts.append(part)
        guard let stream = fopen(file, "a") else { throw LoadFailure("\(file): \(String(cString: strerror(errno)))") }
        fputs(part.line + "\n", stream)
        fclose(stream)
        try write(summary, to: "proof.json")
        try write(table, to: "proof.md")
    }

    func count(of scenario: String) -> Int { parts.count { $0.scenario == scenario } }

    var violations: Int { parts.reduce(0) { $0 + $1.violations.count } }
    var skipped: [String] { Array(Set(parts.flatMap(\.skipped))).sorted() }

    /// Parts of one scenario as one.
    private var totals: [ProofPart] {
        var totals: [ProofPart] = []
        for part in parts {
            let index = totals.firstIndex { $0.scenario == part.scenario }
            var total = index.map { totals[$0] } ?? ProofPart(scenario: part.scenario, number: 0, seed: part.seed)
            total.seconds += part.seconds
            for figure in part.figures { total.add(figure.key, figure.value, figure.sum) }
            total.violations += part.violations
            total.skipped += part.skipped
            if let index { totals[index] = total } else { totals.append(total) }
        }
        return totals
    }

    private var summary: String {
        let scenarios = totals.map { "\"\($0.scenario)\":\($0.line)" }
        return "{\"v\":1,\"parts\":\(parts.count),\"violations\":\(violations),\"skipped\":\(skipped.count),"
            + "\"scenarios\":{\(scenarios.joined(separator: ","))}}\n"
    }

    /// For docs/reliability.md.
    var table: String {
        var text = "| scenario | parts, seconds | figure | value |\n|---|---|---|---|\n"
        for total in totals {
            let size = "\(count(of: total.scenario)), \(Int(total.seconds))"
            for (index, figure) in total.figures.enumerated() {
                let head = index == 0 ? "`\(total.scenario)` | \(size)" : " | "
                let name = figure.key.split(separator: "_").joined(separator: " ")
                text += "| \(head) | \(name) | \(figure.text) |\n"
            }
            text += "| | | **violations** | **\(total.violations.count)** |\n"
            for what in Array(Set(total.skipped)).sorted() { text += "| | | SKIPPED | \(what) |\n" }
        }
        return text
    }

    private func write(_ text: String, to name: String) throws {
        guard FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: Data(text.utf8)) else {
            throw LoadFailure("\(folder)/\(name) cannot be written")
        }
    }
}

extension ProofPart {
    var line: String {
        let object: [String: Any] = [
            "v": 1, "scenario": scenario, "number": number, "seed": "\(seed)", "seconds": (seconds * 10).rounded() / 10,
            "figures": figures.map { ["key": $0.key, "value": $0.value, "sum": $0.sum.rawValue] as [String: Any] },
            "violations": violations, "skipped": skipped,
        ]
        let data = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        return String(decoding: data ?? Data(), as: UTF8.self)
    }

    init?(line: String) {
        guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
            let scenario = object["scenario"] as? String, let number = object["number"] as? Int,
            let seed = (object["seed"] as? String).flatMap({ UInt64($0) }), let seconds = object["seconds"] as? Double,
            let figures = object["figures"] as? [[String: Any]], let violations = object["violations"] as? [String],
            let skipped = object["skipped"] as? [String]
        else { return nil }
        self.init(scenario: scenario, number: number, seed: seed)
        (self.seconds, self.violations, self.skipped) = (seconds, violations, skipped)
        for figure in figures {
            guard let key = figure["key"] as? String, let value = figure["value"] as? Double,
                let sum = (figure["sum"] as? String).flatMap({ Sum(rawValue: $0) })
            else { return nil }
            add(key, value, sum)
        }
    }
}

extension ProofPart.Figure {
    fileprivate var text: String {
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int(value))" }
        return "\((value * 100).rounded() / 100)"
    }
}
