internal import ArgumentParser
internal import Client
internal import Vocabulary

struct GroupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group", abstract: "Makes groups, shows them, and changes who is in them.",
        discussion: """
            Examples:
              courier group create 'the team' bob@tower carol@harbor
              courier group list
              courier group add 'the team' dave@tower
              courier send 'the team' 'Hello, all'

            A GROUP is named by its name, by its id, or by the first six or more digits of its id. Each command waits until the change is made,
            at most the --timeout; what is not made by then goes on with the next commands (exit 21; 75 if the node could not be reached).
            """,
        subcommands: [Create.self, List.self, Info.self, Add.self, Remove.self, Leave.self, Rename.self, ChangeRole.self, Reset.self])

    static let groupHelp: ArgumentHelp = "The group's name, its id, or the first six or more digits of it."

    struct Waiting: ParsableArguments {
        @Option(help: "How long to wait until it is done.") var timeout = Span(.seconds(30))
        @Flag(help: "One JSON object.") var json = false
        @OptionGroup var options: ProfileOptions

        func run(_ action: GroupAction, done: (GroupResult) -> String?) async throws {
            var (result, begun): (GroupResult?, String?) = (nil, nil)
            func overdue() -> ClientError {
                guard let begun else { return .notBegun }
                // It is there, and wanted to go on with.
                if case .create(let name, _) = action {
                    if json { show(begun, name, waiting: []) } else { Output.line(begun) }
                }
                return .notDoneYet
            }
            try await options.run(.group(action), timeout: timeout.duration, overdue: overdue) { reply, _ in
                if case .begun(let group) = reply { begun = group }
                guard case .changed(let outcome) = reply else { return }
                result = outcome
                if json {
                    show(outcome.id, outcome.name, waiting: outcome.waiting, already: outcome.already ?? [])
                } else if let line = done(outcome) {
                    Output.line(line)
                }
                for one in outcome.waiting {
                    let end =
                        one.isTriedAgain ? "could not be added yet (\(one.reason)); it is tried again" : "was not added: \(one.reason)"
                    Output.complain("\(Printable.line(one.address)) \(end)")
                }
            }
            guard let result, !result.waiting.isEmpty else { return }
            switch action {
            case .add, .reset: break
            case .create, .info, .remove, .leave, .rename, .role: return
            }
            throw ExitCode(
                result.waiting.contains { !$0.isTriedAgain } ? ClientError.Code.data.rawValue : ClientError.Code.kept.rawValue)
        }

        private func show(_ id: String, _ name: String, waiting: [GroupResult.Waiting], already: [String] = []) {
            let some = waiting.map { one in
                JSON.object([("address", .string(one.address)), ("reason", .string(one.reason)), ("triedAgain", .bool(one.isTriedAgain))])
            }
            Output.json([
                ("type", .string("groupChange")), ("group", .string(id)), ("groupName", .string(name)), ("waiting", .array(some)),
                ("already", .array(already.map { .string($0) })),
            ])
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a group and prints its id.",
            discussion: """
                Examples:
                  courier group create 'the team' bob@tower carol@harbor
                  courier group create notes

                You are its owner. Whoever cannot be added now, because the node does not answer, is named on standard error and tried again for
                30 days.
                """)
        @Argument(help: "What the group is called.") var name: String
        @Argument(help: "Addresses of the first members besides you.") var members: [String] = []
        @OptionGroup var waiting: Waiting

        func run() async throws { try await waiting.run(.create(name: name, members: members)) { $0.id } }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows all groups.", discussion: "Examples:\n  courier group list --json")
        @Flag(help: "One JSON object a line.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws {
            try await options.run(.groups) { reply in
                guard case .group(let line) = reply else { return }
                if json { return Output.json(GroupCommand.fields(line)) }
                let unread = line.unread > 0 ? ", \(line.unread) new" : ""
                let standing = line.standing == "member" ? line.role : line.standing
                Output.line("\(line.id.prefix(8)) \(Printable.line(line.name)) (\(standing), \(line.members.count) members\(unread))")
            }
        }
    }

    struct Info: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows a group and who is in it.", discussion: "Examples:\n  courier group info 'the team'")
        @Argument(help: GroupCommand.groupHelp) var group: String
        @Flag(help: "One JSON object.") var json = false
        @OptionGroup var options: ProfileOptions

        func run() async throws {
            try await options.run(.group(.info(group))) { reply in
                guard case .group(let line) = reply else { return }
                if json { return Output.json(GroupCommand.fields(line)) }
                Output.line(
                    "\(Printable.line(line.name))\nid      \(line.id)\nhub     \(line.hub.prefix(8))\nyou     \(line.role), \(line.standing)"
                )
                if let old = line.goesOnFrom { Output.line("now     \(line.conversation ?? line.id), which goes on from \(old)") }
                if line.needsReset == true {
                    Output.line("remedy  it can go on only in a new one; an owner or admin runs: courier group reset \(line.id.prefix(8))")
                }
                for change in line.pending { Output.line("to do   \(Printable.line(change))") }
                for member in line.members {
                    let role = member.role == "member" ? "" : " (\(member.role))"
                    Output.line(
                        "member  \(Printable.line(member.address))\(role)\(member.devices > 1 ? ", \(member.devices) devices" : "")")
                }
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds users to a group; they cannot read what was written before.",
            discussion: """
                Examples:
                  courier group add 'the team' dave@tower erin@harbor

                Exit 75: somebody could not be added yet and is tried again. Exit 65: somebody cannot be added.
                """)
        @Argument(help: GroupCommand.groupHelp) var group: String
        @Argument(help: "Their addresses.") var members: [String]
        @OptionGroup var waiting: Waiting

        func run() async throws {
            try await waiting.run(.add(group, members)) { outcome in
                guard outcome.waiting.isEmpty else { return nil }
                guard let already = outcome.already else { return "added" }
                let those = already.map { Printable.line($0) }.joined(separator: ", ")
                return "\(already.count < Set(members).count ? "added; " : "")\(those) \(already.count == 1 ? "is" : "are") in it already"
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes users from a group; they cannot read what follows.",
            discussion: "Examples:\n  courier group remove 'the team' dave@tower")
        @Argument(help: GroupCommand.groupHelp) var group: String
        @Argument(help: "Their addresses.") var members: [String]
        @OptionGroup var waiting: Waiting

        func run() async throws { try await waiting.run(.remove(group, members)) { _ in "removed" } }
    }

    struct Leave: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Leaves a group.",
            discussion: """
                Examples:
                  courier group leave 'the team'

                You are out as soon as another member is online. Its only owner has to make somebody else owner first.
                """)
        @Argument(help: GroupCommand.groupHelp) var group: String
        @OptionGroup var waiting: Waiting

        func run() async throws { try await waiting.run(.leave(group)) { _ in "left" } }
    }

    struct Rename: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives a group another name.", discussion: "Examples:\n  courier group rename 'the team' 'the old team'")
        @Argument(help: GroupCommand.groupHelp) var group: String
        @Argument(help: "What it is called from now on.") var name: String
        @OptionGroup var waiting: Waiting

        func run() async throws { try await waiting.run(.rename(group, name)) { _ in "renamed" } }
    }

    struct ChangeRole: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "role", abstract: "Makes a member of a group member, admin or owner.",
            discussion: """
                Examples:
                  courier group role 'the team' bob@tower admin

                Admins add and remove members and rename the group; owners also change roles. A group has one owner at least.
                """)
        @Argument(help: GroupCommand.groupHelp) var group: String
        @Argument(help: "The member's address.") var address: String
        @Argument(help: "member, admin or owner.") var role: String
        @OptionGroup var waiting: Waiting

        func run() async throws {
            try await waiting.run(.role(group, address: address, role: role)) { _ in "\(Printable.line(address)) is now \(role)" }
        }
    }

    struct Reset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Goes on with a group in a new one, where its node is gone or it does not work any more.",
            discussion: """
                Examples:
                  courier group reset 'the team'

                For owners and admins. The new group has the same name, members and roles, and your node orders it from now on. Its members see one
                conversation and go on calling it by the same name and id. What was under way in the old group may be lost: those who sent it are told.
                Exit 75: somebody could not be added yet and is tried again. Exit 65: somebody cannot be added.
                """)
        @Argument(help: GroupCommand.groupHelp) var group: String
        @OptionGroup var waiting: Waiting

        func run() async throws { try await waiting.run(.reset(group)) { _ in "it goes on" } }
    }

    static func fields(_ line: GroupLine) -> [(String, JSON)] {
        [
            ("type", .string("group")), ("group", .string(line.id)), ("groupName", .string(line.name)),
            ("standing", .string(line.standing)),
            ("role", .string(line.role)), ("hub", .string(line.hub)), ("unread", .number(UInt64(clamping: line.unread))),
            (
                "members",
                .array(
                    line.members.map {
                        .object([
                            ("address", .string($0.address)), ("user", .string($0.user)), ("role", .string($0.role)),
                            ("devices", .number(UInt64(clamping: $0.devices))),
                        ])
                    })
            ), ("pending", .array(line.pending.map { .string($0) })),
        ]
            + [("conversation", line.conversation), ("goesOnFrom", line.goesOnFrom)].compactMap { name, value in
                value.map { (name, .string($0)) }
            } + (line.needsReset == true ? [("needsReset", .bool(true))] : [])
    }
}

extension ClientError {
    fileprivate static let notDoneYet = ClientError(
        .notReached, what: "It is not done yet.", why: "That takes longer than the --timeout.",
        remedy: "It goes on with the next courier commands that reach the node; see: courier group info GROUP")

    fileprivate static let notBegun = ClientError(
        .unavailable, what: "It is not known whether it will be done.",
        why: "Nobody has said so in time: an address is still looked up.", remedy: "Look with: courier group info GROUP")
}
