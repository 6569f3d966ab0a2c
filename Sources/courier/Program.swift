internal import ArgumentParser
internal import Client
internal import Foundation
internal import Launch
internal import Logging
internal import Vocabulary

@main
enum Main {
    static func main() async {
        ProgramRun.prepare()
        do {
            var command = try await Program.asyncParseAsRoot()
            if var waiting = command as? any AsyncParsableCommand { try await waiting.run() } else { try command.run() }
        } catch { ProgramRun.end(Program.self, with: error) }
    }
}

struct Program: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "courier",
        abstract: "Sends and receives end-to-end encrypted messages.",
        discussion: """
            Examples:
              courier join 'https://HOST:PORT/i/SECRET#NODEKEY' --handle alice
              courier send bob@tower 'Hello, Bob'
              courier receive --follow
              courier chat
              courier history bob@tower
              courier contact show bob@tower
              courier group create 'the team' bob@tower carol@harbor

            A profile is one user's device; --profile NAME keeps several apart. One process has a profile at a time; another command on the
            same profile is carried out by that process.

            Exit codes: 0 done; 20 a contact's key changed, nothing was sent; 21 the state of --wait was not reached in time;
            64 usage; 65 bad data, or an address or group that does not exist; 69 the node cannot be reached or cannot do it now; 74 I/O error;
            75 kept in the outbox, or a change of a group that is kept: goes out with the next command that reaches the node; 77 not permitted; 78 configuration.
            """,
        version: Software.version,
        subcommands: [
            Join.self, WhoAmI.self, Send.self, Receive.self, ChatProgram.self, History.self, ShowOutbox.self, Receipts.self,
            ContactCommand.self,
            GroupCommand.self, RequestsCommand.self, ShowPresence.self, SettingsCommand.self, Alarms.self,
        ])
}

/// What every command takes.
struct ProfileOptions: ParsableArguments {
    @Option(help: "The profile: a name, or a folder if it has a slash in it.")
    var profile: String?

    @Option(help: "The profile's folder; with --profile NAME, the folder that profiles are in. Default: the XDG data home.")
    var data: String?

    @Option(
        help: "A file or pipe with the passphrase that seals the profile. Default: a key file in the profile, readable by its owner alone.")
    var passphraseFile: String?

    @Flag(name: .shortAndLong, help: "Say on standard error what happens.")
    var verbose = false

    func courier() throws(ClientError) -> Courier {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var log = Logger(label: "courier")
        log.logLevel = verbose ? .debug : .warning
        let location = try ProfileLocation(profile: profile, data: data)
        return Courier(Courier.Options(location: location, passphraseFile: passphraseFile, log: log))
    }

    /// Runs a request whose answers are lines, one for each reply that `show` knows.
    func run(_ request: Request, show: (Reply) -> Void) async throws { try await run(request) { reply, _ in show(reply) } }

    func run(
        _ request: Request, timeout: Duration? = .seconds(30), overdue: () -> ClientError = { .timedOut },
        show: (Reply, Courier.Session) -> Void
    ) async throws {
        var failure: ClientError?
        do {
            try await courier().perform(request, timeout: timeout) { event, session in
                switch event {
                case .reply(.refused(let error)):
                    failure = error
                    return true
                case .reply(.warning(let text)): Output.complain(text)
                case .reply(.late(let error)): Output.complain(error.explanation.description)
                case .reply(let reply): show(reply, session)
                case .timedOut:
                    failure = overdue()
                    return true
                case .interrupted:
                    failure = .interrupted
                    return true
                case .restarted: break
                }
                return false
            }
        } catch { failure = error }
        if let failure { throw Output.failed(failure) }
    }
}

extension ClientError {
    static let timedOut = ClientError(
        .unavailable, what: "The node did not answer in time.", why: "Nothing came within 30 s.", remedy: "Try again.")

    static let interrupted = ClientError(
        .unavailable, what: "There is no answer yet.", why: "A signal ended the command before.", remedy: "Try again.")
}
