import ArgumentParser
import Foundation
import RelayNode
import Vocabulary

struct Initialize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Founds a federation of one node.",
        discussion: """
            Examples:
              posthouse init --data ./harbor --name harbor
              posthouse init --data /var/lib/posthouse --name chat.example.org --public --clients 0.0.0.0:7443 --peers 0.0.0.0:7444
            """)
    @OptionGroup var data: DataOption
    @Option(
        help: ArgumentHelp(
            "The node's name, the part of addresses after the @: a DNS name in small letters, resolvable or not.", valueName: "name"))
    var name: NodeName
    @Option(help: ArgumentHelp("The federation's name (default: the node's).", valueName: "name")) var federation: String?
    @OptionGroup var listen: ListenOptions

    func run() throws {
        try explaining {
            let configuration = try listen.configuration(named: name)
            let founded = try NodeOperations.found(data.folder, configuration, federation: federation ?? name.description)
            say("Founded federation \(describe(founded)) with node \(name) (\(founded.node.short)).")
            sayNext(data, configuration)
        }
    }
}

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the node until SIGTERM, SIGINT or SIGHUP.",
        discussion: """
            Examples:
              posthouse run --data ./harbor
              posthouse run --data ./harbor --log-level info 2>harbor.log

            The first line on stdout says that it serves: ready NAME clients=HOST:PORT peers=HOST:PORT
            """)
    @OptionGroup var data: DataOption
    @Option(help: ArgumentHelp("trace, debug, info, notice, warning or error (default: as configured).", valueName: "level"))
    var logLevel: String?

    func validate() throws {
        guard let logLevel, !NodeConfiguration.logLevels.contains(logLevel) else { return }
        throw ValidationError("--log-level is one of \(NodeConfiguration.logLevels.joined(separator: ", ")).")
    }

    func run() throws {
        try explaining {
            try NodeOperations.run(data.folder, logLevel: logLevel) { name, addresses in
                say("ready \(name) clients=\(addresses.clients) peers=\(addresses.peers)")
            }
        }
    }
}

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows how the running node is.", discussion: "Example:\n  posthouse status --data ./harbor --json")
    @OptionGroup var data: DataOption
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
        try explaining {
            let status = try AdminCommand(data.folder).ask("GET", "/v1/status", StatusAnswer.self)
            if json { return sayJSON(status) }
            func ms(_ value: Double?) -> String { value.map { String(format: "%.2f ms", $0) } ?? "-" }
            say("node        \(status.name) (\(status.id.prefix(8))), \(status.role) of \(Printable.line(status.federation))")
            say("listens     clients \(status.clients ?? "-"), peers \(status.peersAddress ?? "-")")
            say("users       \(status.users) here, \(status.usersKnown) known; \(status.sessions) sessions")
            let oldest = status.oldestSeconds.map { "\(Int($0)) s" } ?? "-"
            say("queued      \(status.queuedMessages) messages, \(status.queuedBytes) bytes, oldest \(oldest)")
            say("peers       \(status.peers) of \(max(0, status.members - 1)) linked")
            let (p50, p99) = (ms(status.commitMillisecondsP50), ms(status.commitMillisecondsP99))
            say("store       \(status.storeBytes) bytes; commit p50 \(p50), p99 \(p99)")
            let free = status.freeBytes.map { "\($0 / 1_048_576) MiB free" } ?? "-"
            say("disk        \(free)\(status.refusingForSpace ? "; FULL: new messages are refused" : "")")
            if status.recovering > 0 || status.takingUp {
                let more = status.takingUp ? "; looking for more" : ""
                say("recovering  \(status.recovering) conversations\(more), after a restoration from a backup")
            }
            if status.backupUnderWay { say("backup      one is being made") }
            for (table, count) in status.damagedRows.sorted(by: { $0.key < $1.key }) {
                say("DAMAGED     \(count) rows of \(table): run posthouse store check, and restore a backup")
            }
            say("ran         \(status.upTimeSeconds) s in all its life; version \(status.software)")
        }
    }
}

struct QueuesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queues", abstract: "Shows what fills the node.",
        discussion: """
            The largest queues, and on whose account most is kept: in queues for other nodes and, until all devices have it, in the logs of
            this node's conversations. A node stands for all of its users. What waited when the node started stands on nobody's account.

            Examples:
              posthouse queues --data ./harbor
              posthouse queues --data ./harbor --top 100 --json
            """)
    @OptionGroup var data: DataOption
    @Option(help: ArgumentHelp("How many of each.", valueName: "count")) var top = 10
    @Flag(help: "One JSON object a line.") var json = false

    func validate() throws {
        guard (1...1_000).contains(top) else { throw ValidationError("--top is from 1 to 1000.") }
    }

    func run() throws {
        try explaining {
            let answer = try AdminCommand(data.folder).ask("GET", "/v1/queues?top=\(top)", QueuesAnswer.self)
            if json {
                sayJSON(each: answer.queues)
                return sayJSON(each: answer.causes)
            }
            let queues = answer.queues.map { queue in
                [
                    queue.waitsFor, queue.device.map { String($0.prefix(8)) } ?? "-", "\(queue.entries)", "\(queue.bytes)",
                    queue.oldestSeconds.map { "\(Int($0)) s" } ?? "-",
                ]
            }
            say(Table.columns(["WAITS FOR", "DEVICE", "ENTRIES", "BYTES", "OLDEST"], queues))
            let causes = answer.causes.map { [$0.causedBy, $0.isNode ? "node" : "user", "\($0.queueBytes)", "\($0.logBytes)"] }
            say("")
            say(Table.columns(["CAUSED BY", "KIND", "BYTES IN QUEUES", "BYTES IN LOGS"], causes))
        }
    }
}

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Checks configuration, keys, ports, clock, disk and peers.",
        discussion: "Example:\n  posthouse check --data ./harbor\n\nEach failure comes with its remedy; exit code 78 if there is one.")
    @OptionGroup var data: DataOption

    func run() throws {
        try explaining {
            var isGood = true
            for finding in NodeOperations.check(data.folder) {
                switch finding {
                case .good(let what): say("ok    \(what)")
                case .note(let what): say("note  \(what)")
                case .bad(let explanation):
                    isGood = false
                    say("FAIL  \(explanation.what)\n      why: \(explanation.why)\n      remedy: \(explanation.remedy)")
                }
            }
            if !isGood { throw ExitStatus.configuration }
        }
    }
}

func describe(_ founded: NodeOperations.Founded) -> String {
    "\(Printable.line(founded.federationName)) (\(founded.federation.short))"
}

/// What the maker of a node does next.
func sayNext(_ data: DataOption, _ configuration: NodeConfiguration) {
    if let clients = configuration.clientsAdvertised { say("Clients are told to connect to \(clients).") }
    if let peers = configuration.peersAdvertised { say("Other nodes are told to connect to \(peers).") }
    say("Back up \(data.folder.keysFolder): without these keys the node is lost.")
    say("Next: posthouse run --data \(data.path)")
}
