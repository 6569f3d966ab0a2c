import ArgumentParser
import Foundation
import RelayNode
import Storage
import Vocabulary

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows a federation of three nodes at work, in a temporary folder.",
        discussion: """
            Example:
              posthouse demo

            Starts three nodes and two users as processes of their own, sends messages, kills a node and starts it again; some five seconds.
            On a terminal the nodes then stay up for you to try, until Ctrl-C. Everything it made is removed at the end.
            """)

    func run() throws {
        let stage: DemoStage
        do { stage = try DemoStage() } catch {
            complain(Explanation(what: "The demo cannot start.", why: error.reason, remedy: "Mend that, then run it again."))
            throw ExitStatus.unavailable
        }
        var script = DemoScript(stage)
        do {
            try script.play()
        } catch {
            let reason = (error as? DemoFailure)?.reason ?? "\(error)"
            complain(
                Explanation(
                    what: "The demo stopped in step \(script.step).", why: reason,
                    remedy: "The ends of the logs follow. Mend what they show and run it again; README.md does the same by hand."))
            for line in stage.logTails(8) { complain(line) }
            stage.end(exitCode: 70)
        }
        guard isTerminal else { stage.end(exitCode: 0) }
        script.inviteToGoOn()
        stage.stay()
    }
}

/// The demo's play, act by act. What it prints has happened: every line comes after what it says was seen.
struct DemoScript {
    private static let first = "The herons are back on the weir."
    private static let later = [
        "Bring the long ladder on Thursday.", "And the grey paint, two tins.", "Nobody has told the harbour master.",
    ]

    private let stage: DemoStage
    private let begun = Date()
    private(set) var step = "1"
    private var nodes: [DemoProcess] = []
    private var bob: DemoProcess?

    init(_ stage: DemoStage) { self.stage = stage }

    mutating func play() throws {
        show("Posthouse demo: three relay nodes and two users, each a process of its own, in \(stage.folder)")
        try foundFederation()
        try registerUsers()
        try sendFirst()
        try crash()
        try lookAtRelays()
        try comeBack()
        show(
            String(
                format: "\nDone in %.1f s: four messages written, four shown, once each and in order; no node held a readable one.",
                -begun.timeIntervalSinceNow))
    }

    // MARK: 1

    private mutating func foundFederation() throws {
        begin("1", "Three nodes become one federation")
        let anyPort = ["--clients", "127.0.0.1:0", "--peers", "127.0.0.1:0"]
        _ = try posthouse("init", ["--data", stage.path("harbor"), "--name", "harbor"] + anyPort)
        try startNode("harbor", "founds it")
        for (name, inviter, role) in [("tower", "harbor", ["--admin"]), ("meadow", "tower", [])] {
            let ticket = try posthouse("federation invite", ["--data", stage.path(inviter), "--for", name] + role).last ?? ""
            _ = try posthouse("federation join", [ticket, "--data", stage.path(name), "--yes"] + anyPort)
            try startNode(name, "joins with a ticket from \(inviter)")
        }
        let time = try stage.wait("harbor to hear of meadow") {
            let members = try ask("harbor", "/v1/members", MembersAnswer.self).members
            return members.count == 3 && members.allSatisfy { ["self", "alive"].contains($0.state) }
        }
        show("   harbor heard of meadow from tower \(milliseconds(time)) later: all three are alive in its view")
    }

    private mutating func startNode(_ name: String, _ what: String) throws {
        let process = try stage.start(name, stage.posthouseArguments(["run", "--data", stage.path(name)]))
        var ready: String?
        try stage.wait("\(name) to serve") {
            ready = process.lines.last { $0.hasPrefix("ready ") }
            guard ready != nil || process.isRunning else { throw DemoFailure("\(name) ended with exit code \(process.status ?? -1)") }
            return ready != nil
        }
        nodes.append(process)
        let addresses = ready?.split(separator: " ").dropFirst(2).joined(separator: " ") ?? ""
        show("   \(pad(name, 6))  \(pad(what, 32))  process \(process.pid)  \(addresses)")
    }

    // MARK: 2

    private mutating func registerUsers() throws {
        begin("2", "Two users register, each with an invitation link of a node")
        for (user, node) in [("alice", "harbor"), ("bob", "tower")] {
            let link = try posthouse("invite create", ["--data", stage.path(node)]).last ?? ""
            _ = try courier("join", [link, "--handle", user], as: user)
        }
        bob = try stage.start("bob-courier", stage.courierArguments(["receive", "--follow", "--json"], profile: "bob"))
        let time = try stage.wait("meadow to know both users") {
            Set(try ask("meadow", "/v1/users", UsersAnswer.self).users.map(\.address)) == ["alice@harbor", "bob@tower"]
        }
        show("   alice@harbor and bob@tower; meadow, told by neither user, knows both \(milliseconds(time)) later")
    }

    // MARK: 3

    private mutating func sendFirst() throws {
        begin("3", "Alice writes to Bob: \"\(Self.first)\"")
        let states = try send(Self.first, wait: "delivered")
        let meaning = [
            "sent": "on harbor's disk", "accepted": "numbered by harbor, the hub of their conversation",
            "delivered": "on Bob's device, which signed for it",
        ]
        for state in states {
            show("   \(pad(state.state, 9)) \(String(format: "%6.1f ms", state.ms ?? 0))  \(meaning[state.state] ?? "")")
        }
        let shown = try received(1)
        show("   Bob's courier shows number \(shown[0].number) from \(shown[0].from): \"\(shown[0].text)\"")
    }

    private func send(_ text: String, wait: String) throws -> [StateLine] {
        let states = try courier("send", ["bob@tower", text, "--wait", wait, "--json"], as: "alice").map { try decode(StateLine.self, $0) }
        guard states.last?.state == wait else { throw DemoFailure("alice's message is \(states.last?.state ?? "nowhere"), not \(wait)") }
        return states
    }

    /// What Bob's courier has shown, once it is that much, checked against what Alice wrote.
    private func received(_ count: Int) throws -> [MessageLine] {
        var shown: [MessageLine] = []
        try stage.wait("Bob's courier to show \(count) messages") {
            shown = try (bob?.lines ?? []).map { try decode(MessageLine.self, $0) }
            return shown.count >= count
        }
        guard shown.map(\.text) == Array(([Self.first] + Self.later).prefix(count)), shown.map(\.number) == Array(1...count) else {
            throw DemoFailure("Bob's courier shows \(shown.map { "\($0.number): \($0.text)" }), which is not what Alice wrote")
        }
        return shown
    }

    // MARK: 4

    private mutating func crash() throws {
        begin("4", "Bob's node is killed (SIGKILL), and Alice goes on writing")
        try stage.send(SIGKILL, to: nodes[1])
        show("   tower   process \(nodes[1].pid) is gone")
        for text in Self.later {
            guard let state = try send(text, wait: "accepted").last else { continue }
            show("   number \(state.number ?? 0)  accepted after \(String(format: "%4.1f", state.ms ?? 0)) ms: \"\(text)\"")
        }
        let queued = try ask("harbor", "/v1/members", MembersAnswer.self).members.first { $0.name == "tower" }?.queued ?? 0
        let status = try ask("harbor", "/v1/status", StatusAnswer.self)
        guard queued == Self.later.count else { throw DemoFailure("harbor holds \(queued) messages for tower, not \(Self.later.count)") }
        show("   harbor holds \(queued) messages for tower, \(status.queuedBytes) bytes, until tower has them")
    }

    // MARK: 5

    private mutating func lookAtRelays() throws {
        begin("5", "What the relays see of all that")
        let scratch = stage.path("stolen")
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: false)
        // What is fresh stands in the journal; half a second later in rows.
        var rows = try StolenStore(of: stage.path("harbor"), scratch: scratch).entries
        for _ in 0..<20 where rows.isEmpty {
            usleep(100_000)
            rows = try StolenStore(of: stage.path("harbor"), scratch: scratch).entries
        }
        for entry in rows.prefix(1) {
            let body = entry.body.isEmpty ? entry.sealed : entry.body
            let (queue, start) = (hex(entry.queue.prefix(8)), hex(body.prefix(20)))
            show("   harbor's disk, first waiting row: queue \(queue)..., \(body.count) bytes: \(start)...")
        }
        let names = nodes.map(\.name)
        let search = DemoSearch([Self.first] + Self.later)
        let result = search.search(names.flatMap { [stage.path($0), stage.path($0 + ".out"), stage.path($0 + ".log")] } + [scratch])
        guard result.found.isEmpty else { throw DemoFailure("message text is in \(result.found)") }
        show("   the four texts, as they are, in hex and in base64, in all \(result.files) files of the nodes (stores, logs): not found")
        guard let bob, !search.search([bob.outputFile]).found.isEmpty else { throw DemoFailure("the search does not find what is there") }
        show("   the same search in what Bob's courier printed: found, so it does search")
    }

    // MARK: 6

    private mutating func comeBack() throws {
        begin("6", "The node comes back")
        nodes.remove(at: 1)
        let start = Date()
        try startNode("tower", "starts from its disk")
        let shown = try received(1 + Self.later.count)
        let time = -start.timeIntervalSinceNow * 1000
        for line in shown.dropFirst() { show("   Bob's courier shows number \(line.number): \"\(line.text)\"") }
        show("   all three, in order, \(milliseconds(time)) after the start; Bob's courier had reconnected by itself")
        var states: [String] = []
        repeat {
            _ = try courier("receive", [], as: "alice")
            states = try courier("history", ["bob@tower", "--json"], as: "alice").map { try decode(HistoryLine.self, $0).state }
            guard -start.timeIntervalSinceNow < 10 else { throw DemoFailure("Alice's history says \(states), not delivered") }
        } while states != [String](repeating: "delivered", count: 1 + Self.later.count)
        show("   Alice's courier, back for a moment, has Bob's word for all four: delivered")
    }

    /// Bob's courier gives the profile free; the nodes stay.
    func inviteToGoOn() {
        if let bob { try? stage.send(SIGTERM, to: bob) }
        show("\nThe nodes stay up. Go on in two other terminals:")
        let receive = stage.courierArguments(["receive", "--follow"], profile: "bob")
        let send = stage.courierArguments(["send", "bob@tower", "'Hello, Bob'", "--wait", "delivered"], profile: "alice")
        for command in [receive, send] { show("   " + command.joined(separator: " ")) }
        show("Ctrl-C ends the nodes and removes the folder.")
    }

    // MARK: Helpers

    private struct StateLine: Decodable {
        let state: String
        let number: Int?
        let ms: Double?
    }

    private struct HistoryLine: Decodable {
        let state: String
    }

    private struct MessageLine: Decodable {
        let from: String
        let number: Int
        let text: String
    }

    private func posthouse(_ command: String, _ arguments: [String]) throws -> [String] {
        try stage.run("posthouse \(command)", stage.posthouseArguments(command.split(separator: " ").map(String.init) + arguments))
    }

    private func courier(_ command: String, _ arguments: [String], as user: String) throws -> [String] {
        try stage.run("courier \(command)", stage.courierArguments([command] + arguments, profile: user))
    }

    private func ask<Answer: Decodable>(_ node: String, _ path: String, _ type: Answer.Type) throws -> Answer {
        try AdminCommand(DataFolder(stage.path(node))).ask("GET", path, type)
    }

    private func decode<T: Decodable>(_ type: T.Type, _ line: String) throws -> T { try JSONDecoder().decode(type, from: Data(line.utf8)) }

    private mutating func begin(_ number: String, _ title: String) {
        step = number
        let isPlain = isatty(STDOUT_FILENO) != 1 || ProcessInfo.processInfo.environment["NO_COLOR"] != nil
        show(isPlain ? "\n\(number)  \(title)" : "\n\u{1b}[1m\(number)  \(title)\u{1b}[0m")
    }

    private func show(_ line: String) {
        if !say(line) { stage.end(exitCode: ExitStatus.io.rawValue) }
    }

    private func milliseconds(_ time: Double) -> String { String(format: "%.0f ms", time) }
    private func hex(_ bytes: some Sequence<UInt8>) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
    private func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
}
