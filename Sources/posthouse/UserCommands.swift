import ArgumentParser
import Foundation
import RelayNode
import Vocabulary

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
        @Option(help: ArgumentHelp("How long it can be used: 90s, 15m, 24h, 7d.", valueName: "time")) var expires = TimeSpan(
            seconds: 7 * 86400)

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
            abstract: "Shows one user.",
            discussion: """
                KEYPACKAGES is how many one-time KeyPackages the user's devices have left at this node, if it is the user's home: with none, others
                can add the user by the last-resort one alone.

                Example:
                  posthouse user show alice@harbor --data ./harbor
                """)
        @Argument(help: "HANDLE@NODE, like alice@harbor.") var address: Address
        @OptionGroup var data: DataOption
        @Flag(help: "One JSON object a line.") var json = false

        func run() throws {
            try explaining {
                show(try AdminCommand(data.folder).ask("GET", "/v1/users?address=\(address)", UsersAnswer.self), json, hasKeyPackages: true)
            }
        }
    }

    private static func show(_ answer: UsersAnswer, _ json: Bool, hasKeyPackages: Bool = false) {
        if json { return sayJSON(each: answer.users) }
        let rows = answer.users.map { user in
            [user.address, user.home, "\(user.devices.count)", "\(user.version)", String(user.user.prefix(8))]
                + (hasKeyPackages ? [user.keyPackages.map(String.init) ?? "-"] : [])
        }
        say(Table.columns(["ADDRESS", "HOME", "DEVICES", "VERSION", "ID"] + (hasKeyPackages ? ["KEYPACKAGES"] : []), rows))
    }
}
