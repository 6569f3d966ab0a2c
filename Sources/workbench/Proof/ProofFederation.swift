internal import Cryptography
internal import Glibc
internal import Vocabulary

/// Nodes as an operator would have them, each under the hand of its faults.
///
/// Unchecked: several threads run commands; what they share is locked or never changes.
final class ProofFederation: @unchecked Sendable {
    private(set) var nodes: [ProofNode] = []
    let folder: String
    private let running: RunningProcesses

    init(folder: String, running: RunningProcesses) {
        (self.folder, self.running) = (folder, running)
        mkdir(folder, 0o700)
    }

    /// A node that has its folder, and does not run yet. The first founds the federation; the others join it through the first, which runs.
    ///
    /// - Parameter listening: addresses, where loopback will not do.
    func make(_ name: String, data: String? = nil, listening: [String]? = nil, prefix: [String] = []) throws -> ProofNode {
        let data = data ?? "\(folder)/\(name)"
        let node = try ProofNode(name: name, data: data, folder: folder, running: running)
        node.prefix = prefix
        let ports = listening ?? ["--clients", "127.0.0.1:0", "--peers", "127.0.0.1:0"]
        if let first = nodes.first {
            let ticket = try say(["federation", "invite", "--for", name, "--data", first.data])
            try say(["federation", "join", ticket, "--data", data, "--yes"] + ports, prefix: prefix)
        } else {
            try say(["init", "--data", data, "--name", name] + ports, prefix: prefix)
        }
        nodes.append(node)
        return node
    }

    /// Nodes with these names, running, each linked to all others.
    func start(_ names: [String]) throws {
        for name in names { try make(name).start() }
        try awaitLinks()
    }

    func awaitLinks(within limit: Duration = .seconds(30)) throws {
        let deadline = LoadClock.now + limit
        for node in nodes where node.process != nil {
            while try states(seenBy: node).count(where: { $0.value == "alive" }) < nodes.count(where: { $0.process != nil }) - 1 {
                guard LoadClock.now < deadline else { throw LoadFailure("\(node.name) does not see the others alive within \(limit)") }
                usleep(20_000)
            }
        }
    }

    /// Other members' states by name.
    func states(seenBy node: ProofNode) throws -> [String: String] {
        var states: [String: String] = [:]
        for line in try say(["federation", "members", "--data", node.data, "--json"]).split(separator: "\n") {
            guard let name = Self.field("name", in: line), let state = Self.field("state", in: line) else { continue }
            states[name] = state
        }
        return states
    }

    /// A text field of one line of JSON that our own program made: no escapes in names and states.
    static func field(_ key: String, in line: some StringProtocol) -> String? {
        let mark = "\"\(key)\":\""
        guard let start = line.firstRange(of: mark)?.upperBound else { return nil }
        let rest = line[start...]
        guard let end = rest.firstIndex(of: "\"") else { return nil }
        return String(rest[..<end])
    }

    func invitation(at node: ProofNode, uses: Int) throws -> InvitationLink {
        let text = try say(["invite", "create", "--data", node.data, "--uses", "\(uses)"])
        guard let link = InvitationLink(text) else { throw LoadFailure("that is no invitation link: \(text)") }
        return link
    }

    /// Whatever runs is ended.
    func destroy() {
        for node in nodes { node.signal(SIGKILL) }
        for node in nodes { try? node.crash() }
    }

    // MARK: Commands

    /// Runs `posthouse` to its end.
    ///
    /// - Throws: `LoadFailure` when it does not exit with 0.
    @discardableResult
    func say(_ arguments: [String], prefix: [String] = []) throws -> String {
        let outcome = try ProofCommandRun(prefix + [ProofPrograms.posthouse] + arguments, folder: folder, running: running)
        guard outcome.status == 0 else {
            throw LoadFailure("posthouse \(arguments.prefix(2).joined(separator: " ")) exits \(outcome.status): \(outcome.errors)")
        }
        return outcome.output
    }
}

/// One command, run to its end; its files are gone then.
struct ProofCommandRun {
    let status: Int32
    let output: String
    let errors: String

    init(_ words: [String], folder: String, running: RunningProcesses, within limit: Duration = .seconds(60)) throws {
        let stem = "\(folder)/command-\(UInt32.random(in: 0 ... .max))"
        defer {
            unlink(stem + ".out")
            unlink(stem + ".log")
        }
        let process = try LoadProcess(words, output: stem + ".out", log: stem + ".log")
        running.insert(process)
        defer { running.remove(process) }
        let deadline = LoadClock.now + limit
        while process.exitStatus == nil {
            if LoadClock.now > deadline { process.signal(SIGKILL) }
            usleep(1_000)
        }
        status = process.exitStatus ?? 0
        var text = process.output
        while text.last?.isNewline == true { text.removeLast() }
        output = text
        errors = Files.text(process.logFile)
    }
}
