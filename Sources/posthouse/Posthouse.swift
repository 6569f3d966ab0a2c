import ArgumentParser
import Launch
import RelayNode
import Vocabulary

@main
enum Main {
    static func main() {
        ProgramRun.prepare()
        do {
            var command = try Posthouse.parseAsRoot()
            try command.run()
        } catch { ProgramRun.end(Posthouse.self, with: error) }
    }
}

struct Posthouse: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "posthouse",
        abstract: "Runs a relay node of a Posthouse federation.",
        discussion: """
            Examples:
              posthouse init --data ./harbor --name harbor     found a federation of one node
              posthouse run --data ./harbor                    run it
              posthouse invite create --data ./harbor          a link for a new user: courier join LINK
              posthouse federation invite --data ./harbor --for tower      a ticket for a second node
              posthouse federation join TICKET --data ./tower              on the second node's machine
              posthouse backup create --data ./harbor --to FILE            of the node, running or not
              posthouse demo                                   three nodes and three users in a temporary folder

            Exit codes: 0, 64 usage, 65 bad data, 69 unavailable, 70 the demo stopped, 74 input/output, 77 not permitted, 78 configuration.
            """,
        version: Software.version,
        subcommands: [
            Initialize.self, Run.self, FederationCommand.self, InviteCommand.self, UserCommand.self, Status.self, QueuesCommand.self,
            Check.self, BackupCommand.self, StoreCommand.self, Demo.self,
        ])
}
