internal import Cryptography
internal import Dispatch
internal import Foundation
internal import Synchronization
internal import Vocabulary

/// Nodes as an operator would have them: processes of `posthouse`, each with its data folder, joined by tickets.
final class LoadFederation {
    struct Node {
        let name: String
        let data: String
        var process: LoadProcess
    }

    private(set) var nodes: [Node] = []
    private let folder: String
    private let program: String
    private let keepsFolder: Bool
    private let running = RunningProcesses()
    private var signals: [any DispatchSourceSignal] = []
    private var commands = 0

    init(keepsFolder: Bool) throws {
        self.keepsFolder = keepsFolder
        guard let own = realpath("/proc/self/exe", nil) else { throw LoadFailure("this program's place cannot be found") }
        defer { free(own) }
        program =
            String(cString: own).split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/posthouse"
        guard access(program, X_OK) == 0 else {
            throw LoadFailure("\(program) is not there: swift build -c release --product posthouse")
        }
        folder = try Files.temporaryFolder("load")
        signals = running.endOnSignals()
    }

    /// Founds the federation with the first name; the others join by a ticket of the first node.
    func start(_ names: [String]) throws {
        for name in names { try add(name) }
        try waitForLinks()
    }

    /// One more node; it may not have its links yet.
    func add(_ name: String) throws {
        let ports = ["--clients", "127.0.0.1:0", "--peers", "127.0.0.1:0"]
        let data = "\(folder)/\(name)"
        if let first = nodes.first {
            let ticket = try say(["federation", "invite", "--for", name, "--data", first.data])
            _ = try say(["federation", "join", ticket, "--data", data, "--yes"] + ports)
        } else {
            _ = try say(["init", "--data", data, "--name", name] + ports)
        }
        nodes.append(Node(name: name, data: data, process: try run(name, data)))
    }

    func restart(_ index: Int) throws {
        end(index)
        try run(index)
    }

    func end(_ index: Int) {
        nodes[index].process.stop()
        running.remove(nodes[index].process)
    }

    /// One that was ended.
    func run(_ index: Int) throws { nodes[index].process = try run(nodes[index].name, nodes[index].data) }

    /// A number of a node's status, by its name there.
    func number(_ name: String, of index: Int) throws -> Int {
        let status = try say(["status", "--json", "--data", nodes[index].data])
        guard let field = status.firstRange(of: "\"\(name)\":"),
            let number = Int(status[field.upperBound...].drop { $0 == " " }.prefix { $0.isNumber })
        else { throw LoadFailure("the status has no \(name)") }
        return number
    }

    /// What a node's store takes on disk, in bytes; its journal has a fixed size and is not counted.
    func storeBytes(_ index: Int) -> Int {
        ["store.db", "store.db-wal"].reduce(0) { sum, name in
            var status = stat()
            return stat("\(nodes[index].data)/\(name)", &status) == 0 ? sum + Int(status.st_size) : sum
        }
    }

    func invitation(at index: Int, uses: Int) throws -> InvitationLink {
        let text = try say(["invite", "create", "--data", nodes[index].data, "--uses", "\(uses)"])
        guard let link = InvitationLink(text) else { throw LoadFailure("that is no invitation link: \(text)") }
        return link
    }

    /// Where other nodes reach a node.
    func peersEndpoint(of index: Int) throws -> Endpoint {
        let lines = try say(["federation", "members", "--data", nodes[index].data, "--json"]).split(separator: "\n")
        for line in lines where line.contains("\"self\"") {
            // The first of `"peers":["HOST:PORT", …]`.
            let parts = line.components(separatedBy: "\"peers\":[\"")
            if parts.count == 2, let text = parts[1].split(separator: "\"").first, let endpoint = Endpoint(String(text)) { return endpoint }
        }
        throw LoadFailure("\(nodes[index].name) does not say where its peers reach it")
    }

    /// Ends exactly the processes it started, and removes the folder.
    func stop() {
        for node in nodes { node.process.signal(SIGTERM) }
        for node in nodes {
            node.process.stop()
            running.remove(node.process)
        }
        if keepsFolder { note("kept: \(folder)") } else { try? FileManager.default.removeItem(atPath: folder) }
        nodes = []
    }

    // MARK: -

    private func run(_ name: String, _ data: String) throws -> LoadProcess {
        let process = try LoadProcess([program, "run", "--data", data], output: "\(folder)/\(name).out", log: "\(folder)/\(name).log")
        running.insert(process)
        let deadline = LoadClock.now + .seconds(20)
        while !process.output.contains("ready \(name)") {
            if let status = process.exitStatus { throw LoadFailure("\(name) ended with \(status): \(Files.text(process.logFile))") }
            guard LoadClock.now < deadline else { throw LoadFailure("\(name) is not ready after 20 s") }
            usleep(10_000)
        }
        return process
    }

    private func waitForLinks() throws {
        let deadline = LoadClock.now + .seconds(20)
        for node in nodes {
            while try alive(seenBy: node) < nodes.count - 1 {
                guard LoadClock.now < deadline else { throw LoadFailure("\(node.name) does not see the others alive after 20 s") }
                usleep(50_000)
            }
        }
    }

    private func alive(seenBy node: Node) throws -> Int {
        try say(["federation", "members", "--data", node.data, "--json"]).split(separator: "\n").count { $0.contains("\"alive\"") }
    }

    /// Runs one command to its end.
    func say(_ arguments: [String]) throws -> String {
        commands += 1
        let log = "\(folder)/command-\(commands).log"
        let process = try LoadProcess([program] + arguments, output: "\(folder)/command-\(commands).out", log: log)
        while process.exitStatus == nil { usleep(2_000) }
        guard process.exitStatus == 0 else {
            throw LoadFailure(
                "posthouse \(arguments.prefix(2).joined(separator: " ")) exits \(process.exitStatus ?? 0): \(Files.text(log))")
        }
        var text = process.output
        while text.last?.isNewline == true { text.removeLast() }
        return text
    }
}

/// What a signal has to end. Locked: signals are handled on a thread of Dispatch's.
final class RunningProcesses: Sendable {
    private let processes = Mutex<[LoadProcess]>([])

    func insert(_ process: LoadProcess) { processes.withLock { $0.append(process) } }
    func remove(_ process: LoadProcess) { processes.withLock { $0.removeAll { $0 === process } } }

    func endOnSignals() -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                self.processes.withLock { for process in $0 { process.signal(SIGKILL) } }
                exit(128 + number)
            }
            source.resume()
            return source
        }
    }
}

/// For people; figures go to stdout.
func note(_ text: String) {
    let bytes = Array("\(text)\n".utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}
