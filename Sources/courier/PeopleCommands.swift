internal import ArgumentParser
internal import Client
internal import Vocabulary

// Receipts, presence, message requests, settings, alarms.

struct Receipts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows who has a message of yours, and who read it, and when you learned of it.",
        discussion: """
            Examples:
              courier receipts 5f3a9c0d1e2f
              courier receipts 5f3a9c0d1e2f --json

            The id, or the first six or more digits of it, is what courier send shows. Members may keep to themselves what they have read.
            """)
    @Argument(help: "The message's id.") var message: String
    @Flag(help: "One JSON object a line, for each device.") var json = false
    @OptionGroup var options: ProfileOptions

    func run() async throws {
        try await options.run(.receipts(message: message)) { reply in
            switch reply {
            case .message(let line): if !json { Output.line(Lines.message(line)) }
            case .receipts(let line):
                if json {
                    Output.json([
                        ("type", .string("receipts")), ("message", .string(line.message)), ("conversation", .string(line.conversation)),
                        ("by", .string(line.by)), ("user", .string(line.user)), ("device", .string(line.device)),
                        ("delivered", .optional(line.delivered.map { Format.time($0) })),
                        ("read", .optional(line.read.map { Format.time($0) })), ("lost", .bool(line.lost == true)),
                    ])
                } else {
                    let lacks = line.lost == true ? "came back in without it" : "not delivered"
                    let delivered = line.delivered.map { "delivered \(Format.minute($0))" } ?? lacks
                    let read = line.read.map { ", read \(Format.minute($0))" } ?? ""
                    Output.line("  \(Printable.line(line.by)) (device \(line.device.prefix(8))): \(delivered)\(read)")
                }
            default: break
            }
        }
    }
}

struct ShowPresence: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "presence", abstract: "Shows whether a contact is online.",
        discussion: """
            Examples:
              courier presence bob@tower
              courier presence bob@tower --follow

            online, last seen (to the minute), or not shared: those can see it to whom the user has written after accepting them; last seen may be switched off.
            unknown, with the reason: the user's node cannot be reached, or was restarted and has not heard of the user since.
            """)
    @Argument(help: "The contact's address.") var address: String
    @Flag(help: "Go on showing changes, until SIGINT or SIGTERM.") var follow = false
    @Flag(help: "One JSON object a line.") var json = false
    @OptionGroup var options: ProfileOptions

    func run() async throws {
        var failure: ClientError?
        var wasDown = false
        do {
            let timeout: Duration? = follow ? nil : .seconds(30)
            try await options.courier().perform(.presence(address: address, follow: follow), timeout: timeout) { event, _ in
                switch event {
                case .reply(.presence(let event)): show(event)
                case .reply(.refused(let error)):
                    failure = error
                    return true
                case .reply(.down(let error)):
                    if !wasDown { Output.complain("\(error.what) \(error.why) Trying again until it works.") }
                    wasDown = true
                case .reply(.up): wasDown = false
                case .reply(.warning(let text)): Output.complain(text)
                case .reply(.late(let error)): Output.complain(error.explanation.description)
                case .reply, .restarted: break
                case .timedOut:
                    failure = .timedOut
                    return true
                case .interrupted: return true
                }
                return false
            }
        } catch { failure = error }
        if let failure { throw Output.failed(failure) }
    }

    private func show(_ event: PresenceEvent) {
        if json { return Output.line(Events.presence(event)) }
        switch event.state {
        case .online: Output.line("online")
        case .lastSeen(let time): Output.line("last seen \(Format.minute(time))")
        case .notShared: Output.line("not shared")
        case .unknown(let reason): Output.line("unknown: \(Printable.line(reason))")
        }
    }
}

struct RequestsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests", abstract: "Decides about strangers who wrote to you.",
        discussion: """
            Examples:
              courier requests list
              courier requests accept bob@tower
              courier requests decline mallory@tower

            Until you accept, a stranger does not learn whether you have or have read what was written. Writing back accepts too.
            """,
        subcommands: [List.self, Accept.self, Decline.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows who waits for your word.", discussion: "Examples:\n  courier requests list --json")
        @Flag(help: "One JSON object a line.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws {
            var isEmpty = true
            try await options.run(.requests) { reply in
                guard case .request(let line) = reply else { return }
                isEmpty = false
                if json {
                    Output.json([
                        ("type", .string("request")), ("from", .string(line.from)), ("user", .string(line.user)),
                        ("messages", .number(UInt64(clamping: line.messages))), ("unread", .number(UInt64(clamping: line.unread))),
                        ("sent", .optional(line.sent.map { Format.time($0) })),
                    ])
                } else {
                    let since = line.sent.map { ", since \(Format.minute($0))" } ?? ""
                    Output.line("\(Printable.line(line.from)): \(line.messages) message\(line.messages == 1 ? "" : "s")\(since)")
                }
            }
            if isEmpty, !json { Output.line("Nobody waits.") }
        }
    }

    struct Accept: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes somebody a contact, who wrote or who is about to.",
            discussion: "Examples:\n  courier requests accept bob@tower")
        @Argument var address: String
        @Flag(help: "One JSON object: the contact.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws { try await options.act(.accept, address, json: json) }
    }

    struct Decline: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends a conversation that a stranger began; the stranger does not learn it.",
            discussion: "Examples:\n  courier requests decline mallory@tower\n\nTo hear nothing more at all: courier contact block ADDRESS")
        @Argument var address: String
        @Flag(help: "One JSON object: the contact.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws { try await options.act(.decline, address, json: json) }
    }
}

struct SettingsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings", abstract: "Shows and changes what others learn of you.",
        discussion: """
            Examples:
              courier settings get
              courier settings set read-receipts off
              courier settings set last-seen off

            read-receipts: whether senders learn that you read their messages. last-seen: whether contacts learn when you were last online.
            """,
        subcommands: [Get.self, Set.self])

    enum Name: String, ExpressibleByArgument, CaseIterable {
        case readReceipts = "read-receipts"
        case lastSeen = "last-seen"
    }

    enum Value: String, ExpressibleByArgument, CaseIterable { case on, off }

    static func show(_ line: SettingsLine, only name: Name?, json: Bool) {
        for one in Name.allCases where name == nil || name == one {
            let isOn = one == .readReceipts ? line.readReceipts : line.lastSeen
            if json {
                Output.json([("type", .string("setting")), ("name", .string(one.rawValue)), ("value", .string(isOn ? "on" : "off"))])
            } else {
                Output.line("\(one.rawValue) \(isOn ? "on" : "off")")
            }
        }
    }

    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows the settings.", discussion: "Examples:\n  courier settings get\n  courier settings get read-receipts")
        @Argument(help: "Only this one.") var name: Name?
        @Flag(help: "One JSON object a line.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws {
            try await options.run(.settings(nil)) {
                if case .settings(let line) = $0 { SettingsCommand.show(line, only: name, json: json) }
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Changes a setting, from now on.",
            discussion: """
                Examples:
                  courier settings set read-receipts off
                  courier settings set last-seen off

                Your node is told of last-seen at once. Where it cannot be reached, that is said; it learns of it with the next command that reaches it.
                """)
        @Argument(help: "read-receipts or last-seen.") var name: Name
        @Argument(help: "on or off.") var value: Value
        @Flag(help: "One JSON object.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws {
            let change =
                switch name {
                case .readReceipts: SettingsChange(readReceipts: value == .on)
                case .lastSeen: SettingsChange(lastSeen: value == .on)
                }
            try await options.run(.settings(change)) {
                if case .settings(let line) = $0 { SettingsCommand.show(line, only: name, json: json) }
            }
        }
    }
}

struct Alarms: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows when a node or a member did what honest ones do not.",
        discussion: """
            Examples:
              courier alarms
              courier alarms --json

            Each has a time, a name, the conversation and a sentence. An alarm never comes of a bad network alone.
            """)
    @Flag(help: "One JSON object a line.") var json = false
    @OptionGroup var options: ProfileOptions

    func run() async throws {
        var isEmpty = true
        try await options.run(.alarms) { reply in
            guard case .alarm(let alarm) = reply else { return }
            isEmpty = false
            Output.line(json ? Events.alarm(alarm) : Events.text(alarm))
        }
        if isEmpty, !json { Output.line("No alarms.") }
    }
}
