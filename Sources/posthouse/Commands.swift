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
    @Option(help: ArgumentHelp("The node's name, the part of addresses after the @: a DNS name in small letters, resolvable or not.", valueName: "name")) var name: NodeName
    @Option(help: ArgumentHelp("The federation's name (default: the node's).", valueName: "name")) var federation: String?
    @OptionGroup var listen: ListenOptions

    func run() throws {
        try explaining {
            let configuration = try listen.configuration(named: name)
            let founded = try NodeOperations.found(data.folder, configuration, federation: federation ?? name.description)
            say("Founded federation \(Printable.line(founded.federationName)) (\(founded.federation.short)) with node \(name) (\(founded.node.short)).")
            sayNext(data, configuration)
        }
    }
}

/// What the maker of a node does next.
private func sayNext(_ data: DataOption, _ configuration: NodeConfiguration) {
    if let clients = configuration.clientsAdvertised { say("Clients are told to connect to \(clients).") }
    if let peers = configuration.peersAdvertised { say("Other nodes are told to connect to \(peers).") }
    say("Back up \(data.folder.keysFolder): without these keys the node is lost.")
    say("Next: posthouse run --data \(data.path)")
}

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the node until SIGTERM or SIGINT.",
        discussion: """
            Examples:
              posthouse run --data ./harbor
              posthouse run --data ./harbor --log-level info 2>harbor.log

            The first line on stdout says that it serves: ready NAME clients=HOST:PORT peers=HOST:PORT
            """)
    @OptionGroup var data: DataOption
    @Option(help: ArgumentHelp("trace, debug, info, notice, warning or error (default: as configured).", valueName: "level"))
    var logLevel: String?

    func run() throws {
        try explaining {
            try NodeOperations.run(data.folder, logLevel: logLevel) { name, addresses in
                say("ready \(name) clients=\(addresses.clients) peers=\(addresses.peers)")
            }
        }
    }
}

struct FederationCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "federation", abstract: "Who is in the federation.",
        subcommands: [InviteNode.self, Join.self, Members.self, ExpelNode.self])

    struct InviteNode: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "invite", abstract: "Prints a ticket for one new node.",
            discussion: """
                Examples:
                  posthouse federation invite --data ./harbor --for tower
                  posthouse federation invite --data ./harbor --for tower --expires 1h --admin

                The ticket holds a secret: send it to the other operator over a way you trust.
                """)
        @OptionGroup var data: DataOption
        @Option(name: .customLong("for"), help: ArgumentHelp("The new node's name: a DNS name in small letters.", valueName: "name")) var name: NodeName
        @Option(help: ArgumentHelp("How long the ticket can be used: 90s, 15m, 24h, 7d.", valueName: "time")) var expires = TimeSpan(seconds: 86400)
        @Flag(help: "The new node may admit and expel nodes, too.") var admin = false

        func run() throws {
            try explaining {
                let question = TicketQuestion(name: name.description, expiresSeconds: expires.seconds, admin: admin)
                say(try AdminCommand(data.folder).ask("POST", "/v1/tickets", question, TextAnswer.self).text)
            }
        }
    }

    struct Join: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a node and joins it to a federation.",
            discussion: """
                Examples:
                  posthouse federation join phf1:... --data ./tower
                  posthouse federation join phf1:... --data ./tower --clients 127.0.0.1:0 --peers 127.0.0.1:0 --yes
                """)
        @Argument(help: "What `posthouse federation invite` printed.") var ticket: String
        @OptionGroup var data: DataOption
        @OptionGroup var listen: ListenOptions
        @Flag(help: "Do not ask.") var yes = false

        func run() throws {
            try explaining {
                let offer = try NodeOperations.read(ticket: ticket)
                if !yes, isTerminal {
                    say("Join federation \(Printable.line(offer.federationName)) (\(offer.federation.short)) through \(offer.inviterName) as \(offer.name)? [y/N]")
                    guard readLine()?.lowercased().hasPrefix("y") == true else { throw ExitStatus.usage }
                }
                let configuration = try listen.configuration(named: offer.name)
                let joined = try NodeOperations.join(offer, data.folder, configuration)
                say("Joined federation \(Printable.line(joined.federationName)) (\(joined.federation.short)) as \(offer.name) (\(joined.node.short)).")
                sayNext(data, configuration)
            }
        }
    }

    struct Members: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the nodes of the federation.",
            discussion: "Example:\n  posthouse federation members --data ./harbor --json")
        @OptionGroup var data: DataOption
        @Flag(help: "One JSON object a line.") var json = false

        func run() throws {
            try explaining {
                let members = try AdminCommand(data.folder).ask("GET", "/v1/members", MembersAnswer.self).members
                if json { return members.forEach { sayJSON($0) } }
                say(Table.columns(["NAME", "ID", "ROLE", "STATE", "SEEN", "RTT", "QUEUED", "VERSION"], members.map { member in
                    [
                        member.name, member.short, member.role, member.state, member.seenSecondsAgo.map { "\(Int($0)) s ago" } ?? "-",
                        member.rttMilliseconds.map { String(format: "%.1f ms", $0) } ?? "-", "\(member.queued)", member.version ?? "-",
                    ]
                }))
            }
        }
    }

    struct ExpelNode: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "expel", abstract: "Expels a node, for good.",
            discussion: """
                Example:
                  posthouse federation expel tower --data ./harbor --reason "key stolen" --confirm tower

                Final: the node's key never comes back. Its users move elsewhere or are lost.
                """)
        @Argument(help: "The node's name.") var name: NodeName
        @OptionGroup var data: DataOption
        @Option(help: "Why; every node shows it.") var reason: String
        @Option(help: ArgumentHelp("The name once more, instead of being asked.", valueName: "name")) var confirm: String?

        func run() throws {
            try explaining {
                if confirm == nil, isTerminal { say("This is final. Type the node's name to expel it:") }
                guard (confirm ?? (isTerminal ? readLine() : nil)) == name.description else {
                    complain(
                        Explanation(
                            what: "Nothing was done.", why: "Expelling is final and was not confirmed.", remedy: "Add --confirm \(name)."))
                    throw ExitStatus.usage
                }
                let question = ExpelQuestion(name: name.description, reason: reason)
                _ = try AdminCommand(data.folder).ask("POST", "/v1/expel", question, TextAnswer.self)
                say("Expelled \(name).")
            }
        }
    }
}

struct InviteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invite", abstract: "Invitations for users of this node.", subcommands: [Create.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints a link with which a user registers.",
            discussion: """
                Examples:
                  posthouse invite create --data ./harbor
                  posthouse invite create --data ./harbor --uses 20 --expires 30d
                """)
        @OptionGroup var data: DataOption
        @Option(help: ArgumentHelp("How many users can register with it.", valueName: "count")) var uses = 1
        @Option(help: ArgumentHelp("How long it can be used: 90s, 15m, 24h, 7d.", valueName: "time")) var expires = TimeSpan(seconds: 7 * 86400)

        func validate() throws {
            guard (1...1_000_000).contains(uses) else { throw ValidationError("--uses is from 1 to 1000000.") }
        }

        func run() throws {
            try explaining {
                let question = InvitationQuestion(uses: uses, expiresSeconds: expires.seconds)
                say(try AdminCommand(data.folder).ask("POST", "/v1/invitations", question, TextAnswer.self).text)
            }
        }
    }
}

struct UserCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Users, from this node's replica of the directory.", subcommands: [List.self, Show.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists all users.", discussion: "Example:\n  posthouse user list --data ./harbor --json")
        @OptionGroup var data: DataOption
        @Flag(help: "One JSON object a line.") var json = false

        func run() throws {
            try explaining { show(try AdminCommand(data.folder).ask("GET", "/v1/users", UsersAnswer.self), json) }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows one user.", discussion: "Example:\n  posthouse user show alice@harbor --data ./harbor")
        @Argument(help: "HANDLE@NODE, like alice@harbor.") var address: Address
        @OptionGroup var data: DataOption
        @Flag(help: "One JSON object a line.") var json = false

        func run() throws {
            try explaining { show(try AdminCommand(data.folder).ask("GET", "/v1/users?address=\(address)", UsersAnswer.self), json) }
        }
    }

    private static func show(_ answer: UsersAnswer, _ json: Bool) {
        if json { return answer.users.forEach { sayJSON($0) } }
        say(Table.columns(["ADDRESS", "HOME", "DEVICES", "VERSION", "ID"], answer.users.map { user in
            [user.address, user.home, "\(user.devices.count)", "\(user.version)", String(user.user.prefix(8))]
        }))
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
            say("queued      \(status.queuedMessages) messages, \(status.queuedBytes) bytes, oldest \(status.oldestSeconds.map { "\(Int($0)) s" } ?? "-")")
            say("peers       \(status.peers) of \(max(0, status.members - 1)) linked")
            say("store       \(status.storeBytes) bytes; commit p50 \(ms(status.commitMillisecondsP50)), p99 \(ms(status.commitMillisecondsP99))")
            say("disk        \(status.freeBytes.map { "\($0 / 1_048_576) MiB free" } ?? "-")\(status.refusingForSpace ? "; FULL: new messages are refused" : "")")
            say("ran         \(status.upTimeSeconds) s in all its life; version \(status.software)")
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
