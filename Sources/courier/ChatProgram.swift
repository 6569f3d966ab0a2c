internal import ArgumentParser
internal import ChatScreen
internal import Client
internal import Foundation

struct ChatProgram: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Shows your conversations on the whole screen, to read and write.",
        discussion: """
            Examples:
              courier chat
              courier chat --profile work
              NO_COLOR=1 courier chat

            Enter sends, Tab shows the next conversation, /open ADDRESS begins one, /help shows all commands and keys, Ctrl-C ends.
            What is on the screen counts as read. While it runs, other commands on the same profile are carried out by it.
            The terminal is left as it was found, whatever ends the program.
            """)

    @Flag(name: .customLong("guard"), help: .hidden) var standsGuard = false
    @OptionGroup var options: ProfileOptions

    func run() async throws {
        if standsGuard { return TerminalGuard.stand() }
        guard TerminalModes() != nil else { throw Output.failed(.noTerminal) }
        let backend = CourierChatBackend()
        // The screen waits for the profile: what keeps it from opening is told as by any other command.
        let (openings, opened) = AsyncStream.makeStream(of: Void.self)
        let courier: Courier
        do { courier = try options.courier() } catch { throw Output.failed(error) }
        let client = Task { () -> ClientError? in
            defer {
                backend.close()
                opened.finish()
            }
            var failure: ClientError?
            do throws(ClientError) {
                try await courier.perform(.chat, timeout: nil, heedsSignals: false) { event, session in
                    if case .reply(.refused(let error)) = event { failure = error }
                    let goesOn = backend.hear(event, session)
                    opened.yield()
                    return !goesOn
                }
            } catch { failure = error }
            return failure
        }
        var end: ChatEnd?
        for await _ in openings where backend.isReady {
            end = await ChatTerminal.run(backend, guardArguments: ["chat", "--guard"])
            break
        }
        client.cancel()
        if let failure = await client.value { throw Output.failed(failure) }
        // Asked to end, it has; a terminal that went away is something else.
        if case .signal(let number)? = end, number != SIGTERM, number != SIGINT { throw ExitCode(128 + number) }
    }
}

extension ClientError {
    fileprivate static let noTerminal = ClientError(
        .usage, what: "courier chat needs a terminal.", why: "Its input or its output is none.",
        remedy: "Run it in one; in a script use courier send and courier receive.")
}
