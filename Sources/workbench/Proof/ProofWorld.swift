internal import Cryptography
internal import Glibc
internal import Synchronization
internal import Vocabulary

/// What one part of a run has at hand: a folder, a seed, and the time until which it may begin new things.
final class ProofWorld: @unchecked Sendable {
    // Unchecked: what varies is locked.
    let folder: String
    let seed: UInt64
    let deadline: Instant
    let running: RunningProcesses
    /// Where the history is written to; nil: nowhere.
    let historyFile: String?

    init(folder: String, seed: UInt64, seconds: Int, running: RunningProcesses, historyFile: String?) {
        (self.folder, self.seed, self.running, self.historyFile) = (folder, seed, running, historyFile)
        deadline = LoadClock.now + .seconds(seconds)
    }

    var isOver: Bool { LoadClock.now >= deadline }

    func random(_ purpose: UInt64) -> SeededGenerator { SeededGenerator(seed: seed &* 0x9e37_79b9_7f4a_7c15 &+ purpose) }

    /// A program of the system's, by its name.
    @discardableResult
    func tool(_ words: String...) throws -> String { try tool(words) }

    @discardableResult
    func tool(_ words: [String]) throws -> String {
        let outcome = try ProofCommandRun(["/usr/bin/env"] + words, folder: folder, running: running)
        guard outcome.status == 0 else {
            throw LoadFailure("\(words.joined(separator: " ")): \(outcome.errors.split(separator: "\n").first ?? "exit \(outcome.status)")")
        }
        return outcome.output
    }

    func canDo(_ words: String...) -> Bool { (try? tool(words)) != nil }
}

/// What one part found.
struct ProofPart {
    enum Sum: String { case total, largest }

    struct Figure {
        let key: String
        var value: Double
        /// How parts come together.
        let sum: Sum
    }

    let scenario: String
    let number: Int
    let seed: UInt64
    var seconds = 0.0
    private(set) var figures: [Figure] = []
    var violations: [String] = []
    /// What this machine does not allow.
    var skipped: [String] = []

    init(scenario: String, number: Int, seed: UInt64) { (self.scenario, self.number, self.seed) = (scenario, number, seed) }

    mutating func add(_ key: String, _ value: Int) { add(key, Double(value), .total) }
    mutating func raise(_ key: String, _ value: Double) { add(key, value, .largest) }

    mutating func add(_ key: String, _ value: Double, _ sum: Sum) {
        guard let index = figures.firstIndex(where: { $0.key == key }) else {
            return figures.append(Figure(key: key, value: value, sum: sum))
        }
        figures[index].value = sum == .total ? figures[index].value + value : max(figures[index].value, value)
    }

    mutating func skip(_ what: String, _ why: String) {
        skipped.append("\(what): \(why)")
        note("SKIPPED \(scenario): \(what): \(why)")
    }

    mutating func violate(_ what: String) {
        violations.append(what)
        note("VIOLATION \(scenario), part \(number), seed \(seed): \(what)")
    }

    /// What the checker says of the history, and how much there was.
    mutating func judge(_ history: ProofHistory) {
        for violation in history.conclude() { violate("\(violation)") }
        let counts = history.counts
        add("messages", counts.invoked)
        add("sent", counts.sent)
        add("accepted", counts.accepted)
        add("failed", counts.failed)
        add("shown", counts.shown)
        add("alarms", counts.alarms)
    }
}

protocol ProofScenario {
    static var name: String { get }
    /// One line for people.
    static var about: String { get }
    /// The shortest time that shows anything, and its share of a longer run.
    static var secondsMin: Int { get }
    static var share: Int { get }
    static func run(_ world: ProofWorld, _ part: inout ProofPart) throws
}
