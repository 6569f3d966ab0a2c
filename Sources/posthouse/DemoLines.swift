import Foundation
import Launch
import RelayNode

extension DemoScript {
    /// What is written in the play.
    enum Line {
        static let first = "The herons are back on the weir."
        static let group = "Boathouse"
        static let inGroup = ["Who can be there on Thursday?", "I can, with the long ladder.", "So can I."]
        static let later = ["And the grey paint, two tins.", "Somebody has to tell the harbour master.", "Not before it is painted."]
        static let all = [first] + inGroup + later
    }

    // What the programs print, as far as the demo looks at it.

    struct StateLine: Decodable {
        let id: String
        let state: String
        let number: Int?
        let ms: Double?
    }

    struct HistoryLine: Decodable {
        let type: String
        let direction: String?
        let state: String?
        let number: Int?
        let text: String?
    }

    struct EventLine: Decodable {
        let type: String
        let from: String?
        let groupName: String?
        let number: Int?
        let text: String?
    }

    struct MessageLine {
        let type, from: String
        let number: Int?
        let text: String?
    }

    struct ReceiptLine: Decodable {
        let by: String
        let delivered: String?
        let read: String?
    }

    // MARK: What the couriers show

    func lines(of user: String) throws -> [EventLine] { try (couriers[user]?.lines ?? []).map { try decode(EventLine.self, $0) } }

    /// What a user's courier has shown of others' messages, once it is that much.
    func shown(_ count: Int, to user: String) throws -> [MessageLine] {
        var shown: [MessageLine] = []
        try stage.wait("\(user)'s courier to show \(count) messages") {
            shown = try lines(of: user).filter { ["message", "request"].contains($0.type) }
                .map { MessageLine(type: $0.type, from: $0.from ?? "", number: $0.number, text: $0.text) }
            return shown.count >= count
        }
        guard shown.count == count else { throw DemoFailure("\(user)'s courier shows \(shown.count) messages, not \(count)") }
        return shown
    }

    func send(_ text: String, to target: String, wait: String, as user: String) throws -> [StateLine] {
        let states = try courier("send", [target, text, "--wait", wait, "--json"], as: user).map { try decode(StateLine.self, $0) }
        guard states.last?.state == wait else { throw DemoFailure("\(user)'s message is \(states.last?.state ?? "nowhere"), not \(wait)") }
        return states
    }

    // MARK: Commands

    func posthouse(_ command: String, _ arguments: [String]) throws -> [String] {
        try stage.run("posthouse \(command)", stage.posthouseArguments(command.split(separator: " ").map(String.init) + arguments))
    }

    func courier(_ command: String, _ arguments: [String], as user: String) throws -> [String] {
        try stage.run("courier \(command)", stage.courierArguments([command] + arguments, profile: user))
    }

    func ask<Answer: Decodable>(_ node: String, _ path: String, _ type: Answer.Type) throws -> Answer {
        try AdminCommand(DataFolder(stage.path(node))).ask("GET", path, type)
    }

    func decode<T: Decodable>(_ type: T.Type, _ line: String) throws -> T { try JSONDecoder().decode(type, from: Data(line.utf8)) }

    // MARK: What the demo shows

    func show(_ line: StateLine, _ meaning: [String: String]) {
        guard let meaning = meaning[line.state] else { return }
        show("   \(pad(line.state, 9)) \(String(format: "%6.1f ms", line.ms ?? 0))  \(meaning)")
    }

    func show(_ line: String) {
        if !StandardStreams.canSay(line) { stage.end(exitCode: ExitStatus.io.rawValue) }
    }

    func milliseconds(_ time: Double) -> String { String(format: "%.0f ms", time) }
    func hex(_ bytes: some Sequence<UInt8>) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
    func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
}
