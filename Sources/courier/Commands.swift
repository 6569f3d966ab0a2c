internal import ArgumentParser
internal import Client
internal import Vocabulary

struct Join: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Becomes a user of the node that an invitation comes from.",
        discussion: """
            Examples:
              courier join 'https://127.0.0.1:41801/i/SECRET#NODEKEY' --handle alice
              courier join 'https://…' --handle alice --profile work --passphrase-file ~/.work-passphrase

            If it is cut short, the same command goes on where it stopped.
            """)

    @Argument(help: "The invitation link, in quotes.") var link: String
    @Option(help: "The name before the @ of your address.") var handle: String
    @Flag(help: "One JSON object.") var json = false
    @OptionGroup var options: ProfileOptions

    func run() async throws {
        var failure: ClientError?
        do {
            try await options.courier().perform(.join(link: link, handle: handle), timeout: .seconds(30)) { event, _ in
                switch event {
                case .reply(.joined(let me)): WhoAmI.show(me, json: json, type: "joined")
                case .reply(.refused(let error)), .reply(.down(let error)):
                    failure = error
                    return true
                case .timedOut, .interrupted:
                    failure = .timedOut
                    return true
                case .reply, .restarted: break
                }
                return false
            }
        } catch { failure = error }
        if let failure { throw Output.failed(failure) }
    }
}

struct WhoAmI: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "whoami", abstract: "Shows who this profile is.", discussion: "Example:\n  courier whoami --json")

    @Flag(help: "One JSON object.") var json = false
    @OptionGroup var options: ProfileOptions

    func run() async throws {
        try await options.run(.whoami) { if case .me(let me) = $0 { Self.show(me, json: json, type: "identity") } }
    }

    static func show(_ me: Me, json: Bool, type: String) {
        if json {
            Output.json([
                ("type", .string(type)), ("address", .optional(me.address)), ("user", .string(me.user)), ("device", .string(me.device)),
                ("home", .string(me.node)), ("endpoint", .string(me.endpoint)), ("federation", .optional(me.federation)),
                ("joined", .bool(me.isMember)),
            ])
        } else if type == "joined" {
            Output.line("You are \(me.address ?? me.handle). Others can write to you at that address.")
        } else {
            Output.line(me.address ?? "\(me.handle) (joining is not complete: run courier join again)")
            Output.line("user    \(me.user)\ndevice  \(me.device)\nhome    \(me.node.prefix(8)) at \(me.endpoint)")
        }
    }
}

struct History: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the messages with a contact or in a group, both ways.",
        discussion: """
            Examples:
              courier history bob@tower
              courier history bob@tower --json
              courier history 'the team'

            What is shown counts as read.
            """)

    @Argument(help: "A contact's address; or a group's name, its id, or the first six or more digits of it.") var target: String
    @Flag(help: "One JSON object a line.") var json = false
    @OptionGroup var options: ProfileOptions

    func run() async throws {
        var (page, lines): ([Int64], [String]) = ([], [])
        // A pager may take its time.
        try await options.run(.history(target: target), timeout: nil) { reply, session in
            switch reply {
            case .message(let line):
                page.append(line.sequence)
                lines.append(json ? Lines.historyJSON(line) : Lines.message(line))
            case .page:
                if !lines.isEmpty { Output.line(lines.joined(separator: "\n")) }
                session.shown(page)
                (page, lines) = ([], [])
            default: break
            }
        }
    }
}

struct ShowOutbox: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox", abstract: "Shows what is not yet accepted, and why.", discussion: "Example:\n  courier outbox")

    @Flag(help: "One JSON object a line.") var json = false
    @OptionGroup var options: ProfileOptions

    func run() async throws {
        var isEmpty = true
        try await options.run(.outbox) { reply in
            guard case .waiting(let line) = reply else { return }
            isEmpty = false
            if json {
                Output.json([
                    ("type", .string("outbox")), ("id", .string(line.id)), ("to", .string(line.to)), ("group", .optional(line.group)),
                    ("state", .string(line.state)), ("reason", .optional(line.reason)),
                ])
            } else {
                Output.line("\(line.id.prefix(8)) to \(Printable.line(line.to)): \(line.state)\(line.reason.map { " (\($0))" } ?? "")")
            }
        }
        if isEmpty, !json { Output.line("The outbox is empty.") }
    }
}

struct ContactCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contact", abstract: "Shows and decides about contacts.",
        discussion: """
            Examples:
              courier contact list
              courier contact show bob@tower
              courier contact verify bob@tower --code '12345 67890 …'
              courier contact trust bob@tower
              courier contact block mallory@tower

            A contact's identity key is pinned at first use. When the directory shows another one, nothing more is sent or shown until you decide:
            compare safety numbers by a way that you trust, then `trust` the new key.
            """,
        subcommands: [List.self, Show.self, Verify.self, Trust.self, Block.self, Unblock.self])

    static func show(_ line: ContactLine, json: Bool, detail: Bool = true) {
        if json {
            let decision: [(String, JSON)] =
                line.decision.map { [("decision", .string($0)), ("already", .bool(line.already == true))] } ?? []
            return Output.json(
                [
                    ("type", .string("contact")), ("address", .string(line.address)), ("user", .string(line.user)),
                    ("standing", .string(line.standing)), ("verified", .bool(line.isVerified)), ("blocked", .bool(line.isBlocked)),
                    ("accepted", .bool(line.isAccepted)),
                    ("devices", .number(UInt64(line.devices))), ("version", .optional(line.version)), ("home", .optional(line.home)),
                    ("safetyNumber", .string(line.safetyNumber)),
                ] + decision)
        }
        var marks: [String] = []
        if line.standing == "claiming" { marks.append("CHANGED KEY, not trusted") }
        if line.standing == "former" { marks.append("former key") }
        if line.isVerified { marks.append("verified") }
        if line.isBlocked { marks.append("blocked") }
        let title: String
        switch (line.decision, line.already == true) {
        case ("accepted", let already): title = "\(line.address) is a contact \(already ? "already" : "now")"
        case ("declined", true): return Output.line("\(line.address) was declined before")
        case ("declined", false): return Output.line("declined: what \(line.address) began is over, and nobody is told")
        default: title = line.address
        }
        Output.line(title + (marks.isEmpty ? "" : " (\(marks.joined(separator: ", ")))"))
        guard detail else { return }
        Output.line("user    \(line.user)")
        if let home = line.home { Output.line("home    \(home.prefix(8)), \(line.devices) device(s)") }
        Output.line("safety number, the same on both sides:\n    \(line.safetyNumber.prefix(35))\n    \(line.safetyNumber.dropFirst(36))")
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows all contacts.", discussion: "Example:\n  courier contact list")
        @Flag(help: "One JSON object a line.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws {
            try await options.run(.contacts) { if case .contact(let line) = $0 { ContactCommand.show(line, json: json, detail: false) } }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows a contact and the safety number to compare.", discussion: "Example:\n  courier contact show bob@tower")
        @Argument var address: String
        @Flag(help: "One JSON object.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws { try await options.act(.show, address, json: json) }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Marks a contact as verified: you compared the safety number.",
            discussion: "Example:\n  courier contact verify bob@tower --code '12345 67890 …'")
        @Argument var address: String
        @Option(help: "The safety number that the contact told you; it is compared for you.") var code: String?
        @Flag(help: "One JSON object.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws { try await options.act(.verify(code: code), address, json: json) }
    }

    struct Trust: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes a contact's changed key as the contact's.", discussion: "Example:\n  courier contact trust bob@tower")
        @Argument var address: String
        @Flag(help: "One JSON object.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws { try await options.act(.trust, address, json: json) }
    }

    struct Block: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Neither sends to a contact nor shows what the contact sends; the contact does not learn it.",
            discussion: """
                Examples:
                  courier contact block mallory@tower

                Your node drops what a blocked user writes to you, does not let the user begin new conversations with you, and does not show the
                user when you are online. In groups that both are in nothing changes.
                """)
        @Argument var address: String
        @Flag(help: "One JSON object.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws { try await options.act(.block(true), address, json: json) }
    }

    struct Unblock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lifts a block.",
            discussion: """
                Examples:
                  courier contact unblock bob@tower

                The conversation goes on from where it stands then; what was written to you meanwhile is lost, and its sender hears so.
                """)
        @Argument var address: String
        @Flag(help: "One JSON object.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws { try await options.act(.block(false), address, json: json) }
    }
}

extension ProfileOptions {
    func act(_ action: ContactAction, _ address: String, json: Bool) async throws {
        try await run(.contact(address: address, action)) { if case .contact(let line) = $0 { ContactCommand.show(line, json: json) } }
    }
}
