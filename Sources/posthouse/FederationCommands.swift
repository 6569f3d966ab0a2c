import ArgumentParser
import Foundation
import RelayNode
import Vocabulary

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
        @Option(name: .customLong("for"), help: ArgumentHelp("The new node's name: a DNS name in small letters.", valueName: "name"))
        var name: NodeName
        @Option(help: ArgumentHelp("How long the ticket can be used: 90s, 15m, 24h, 7d.", valueName: "time")) var expires = TimeSpan(
            seconds: 86400)
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
                    let federation = "\(Printable.line(offer.federationName)) (\(offer.federation.short))"
                    say("Join federation \(federation) through \(offer.inviterName) as \(offer.name)? [y/N]")
                    guard readLine()?.lowercased().hasPrefix("y") == true else {
                        complain("Nothing was done.")
                        throw ExitStatus.usage
                    }
                }
                let configuration = try listen.configuration(named: offer.name)
                let joined = try NodeOperations.join(offer, data.folder, configuration)
                say("Joined federation \(describe(joined)) as \(offer.name) (\(joined.node.short)).")
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
                if json { return sayJSON(each: members) }
                let rows = members.map { member in
                    [
                        member.name, member.short, member.role, member.state, member.seenSecondsAgo.map { "\(Int($0)) s ago" } ?? "-",
                        member.rttMilliseconds.map { String(format: "%.1f ms", $0) } ?? "-", "\(member.queued)", member.version ?? "-",
                    ]
                }
                say(Table.columns(["NAME", "ID", "ROLE", "STATE", "SEEN", "RTT", "QUEUED", "VERSION"], rows))
                for member in members {
                    if let reason = member.reason { say("\(member.name) was expelled: \(Printable.line(reason))") }
                }
            }
        }
    }

    struct ExpelNode: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "expel", abstract: "Expels a node, for good.",
            discussion: """
                Example:
                  posthouse federation expel tower --data ./harbor --reason "key stolen" --confirm tower

                Final: the node's key never comes back. Its users register anew elsewhere.
                """)
        @Argument(help: "The node's name.") var name: NodeName
        @OptionGroup var data: DataOption
        @Option(help: "Why; it goes into the statement that every node keeps.") var reason: String
        @Option(help: ArgumentHelp("The name once more, instead of being asked.", valueName: "name")) var confirm: String?

        func validate() throws {
            guard (1...Limits.reasonBytesMax).contains(reason.utf8.count) else {
                throw ValidationError("--reason is a text of 1 to \(Limits.reasonBytesMax) bytes.")
            }
        }

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
