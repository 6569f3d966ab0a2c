import Foundation
import Glibc
import Testing
import Vocabulary

/// A node: its folder, and its process while it runs.
final class Node: @unchecked Sendable {
    let world: World
    let name: String
    let folder: String
    private(set) var process: Program?
    private(set) var clientsPort = 0
    private(set) var peersPort = 0

    private init(_ world: World, _ name: String, folder: String?) {
        (self.world, self.name, self.folder) = (world, name, folder ?? "\(world.folder)/\(name)")
    }

    private static let listening = ["--clients", "127.0.0.1:0", "--peers", "127.0.0.1:0"]

    /// The first node of a federation, running.
    static func found(_ name: String, in world: World, folder: String? = nil) throws -> Node {
        let node = Node(world, name, folder: folder)
        try world.must("posthouse", ["init", "--data", node.folder, "--name", name] + listening)
        try node.start()
        return node
    }

    /// A node with a ticket of this one, running.
    func invite(_ name: String, admin: Bool = false, folder: String? = nil) throws -> Node {
        let node = Node(world, name, folder: folder)
        let ticket = try ticket(for: name, admin ? ["--admin"] : [])
        try world.must("posthouse", ["federation", "join", ticket, "--data", node.folder, "--yes"] + Self.listening)
        try node.start()
        return node
    }

    func ticket(for name: String, _ options: [String] = []) throws -> String {
        try line(["federation", "invite", "--for", name] + options)
    }

    /// The link of an invitation for users.
    func invitation(_ options: [String] = []) throws -> String { try line(["invite", "create"] + options) }

    private func line(_ arguments: [String]) throws -> String {
        let outcome = try world.must("posthouse", arguments + ["--data", folder])
        guard let line = outcome.lines.first, outcome.lines.count == 1 else { throw Program.Failure(description: "\(outcome)") }
        return line
    }

    // MARK: Its process

    func start(under tracer: [String] = []) throws {
        try start(tracer + ["\(World.programsFolder)/posthouse", "run", "--data", folder])
    }

    /// With an honest core whose word to these devices is a lie.
    func startLying(_ lie: String, to victims: [User]) throws { try startTelling(victims, ["--lie", lie]) }

    /// Whether it has told a lie since.
    var hasLied: Bool { process?.lines.contains("lied") ?? false }

    /// Writes down what these devices are told.
    func startRecording(_ users: [User]) throws { try startTelling(users, ["--record", recordFile]) }

    private var recordFile: String { "\(folder).told" }

    /// What a user's device was told while it was written down.
    func told(to user: User) throws -> [[UInt8]] {
        let device = try #require(user.identity.text("device"))
        return try String(contentsOfFile: recordFile, encoding: .utf8).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            return words.first == device[...] ? words.last.flatMap { Hex.decode(String($0)) } : nil
        }
    }

    private func startTelling(_ users: [User], _ options: [String]) throws {
        let devices = users.compactMap { $0.identity.text("device") }
        try start(["\(World.programsFolder)/lying-node", "--data", folder] + options + devices.flatMap { ["--victim", $0] })
    }

    private func start(_ words: [String]) throws {
        let process = try world.start(words[0], Array(words.dropFirst()), errorFile: "\(folder).log")
        self.process = process
        try eventually("\(name) is ready") {
            if let exit = process.ended { throw Program.Failure(description: "\(name) ended (\(exit)): \(process.errors)") }
            return !process.lines.isEmpty
        }
        guard let ready = process.lines.first, ready.hasPrefix("ready \(name) clients=") else {
            throw Program.Failure(description: "not a ready line: \(process.lines)")
        }
        let ports = ready.split(separator: " ").compactMap { $0.split(separator: ":").last.flatMap { Int($0) } }
        guard ports.count == 2 else { throw Program.Failure(description: "no ports: \(ready)") }
        (clientsPort, peersPort) = (ports[0], ports[1])
    }

    /// SIGKILL.
    func crash() {
        process?.destroy()
        process = nil
    }

    /// SIGTERM.
    @discardableResult
    func stop() throws -> Program.Exit {
        guard let process else { throw Program.Failure(description: "\(name) does not run") }
        process.signal(SIGTERM)
        let exit = try process.waitForExit()
        self.process = nil
        return exit
    }

    func restart() throws {
        crash()
        try start()
    }

    // MARK: What it tells

    func command(_ arguments: [String]) throws -> World.Outcome { try world.run("posthouse", arguments + ["--data", folder]) }

    var status: JSONLine {
        get throws {
            guard let line = try world.must("posthouse", ["status", "--data", folder, "--json"]).json.first else {
                throw Program.Failure(description: "no status")
            }
            return line
        }
    }

    func knows(_ address: String) throws -> Bool {
        try command(["user", "show", address, "--json"]).json.first?.text("address") == address
    }

    func state(of member: String) throws -> String? {
        try command(["federation", "members", "--json"]).json.first { $0.text("name") == member }?.text("state")
    }

    /// Resident memory in KiB.
    var memory: Int {
        guard let process, let text = try? String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let figure = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
        else { return 0 }
        return Int(figure) ?? 0
    }

    var isRunning: Bool { process.map { $0.ended == nil } ?? false }
}
