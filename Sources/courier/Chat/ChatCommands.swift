internal import ChatScreen
internal import Client
internal import Foundation
internal import Vocabulary

/// A command under way: what it is, and what has come of it so far.
struct ChatCommandRun {
    let command: ChatCommand
    let thread: String?
    var replies: [Reply] = []

    /// Asked twice does no harm.
    var isHarmless: Bool {
        switch command {
        case .open, .info, .verify(_, nil), .receipts, .alarms: true
        case .createGroup, .add, .remove, .leave, .reset, .rename, .setRole, .verify, .trust, .block, .unblock, .accept, .decline: false
        }
    }

    var name: String {
        switch command {
        case .createGroup: "/group"
        case .open: "/open"
        case .add: "/add"
        case .remove: "/remove"
        case .leave: "/leave"
        case .reset: "/reset"
        case .rename: "/rename"
        case .setRole: "/role"
        case .info: "/info"
        case .verify: "/verify"
        case .trust: "/trust"
        case .block: "/block"
        case .unblock: "/unblock"
        case .receipts: "/receipts"
        case .alarms: "/alarms"
        case .accept: "/accept"
        case .decline: "/decline"
        }
    }
}

extension CourierChatBackend.State {
    mutating func run(_ command: ChatCommand, in thread: String?) {
        let group = thread.flatMap { groups[$0] }
        // A direct thread is called by its address.
        let peer = group == nil ? thread.flatMap { (try? Address($0)) == nil ? nil : $0 } : nil
        let request: Request?
        switch command {
        case .createGroup(let name, let members): request = .group(.create(name: name, members: members.map { "\($0)" }))
        case .open(let address):
            if rows["\(address)"] != nil { return tell(.select("\(address)")) }
            request = .contact(address: "\(address)", .show)
        case .add(let members): request = group.map { .group(.add($0, members.map { "\($0)" })) }
        case .remove(let members): request = group.map { .group(.remove($0, members.map { "\($0)" })) }
        case .leave: request = group.map { .group(.leave($0)) }
        case .reset: request = group.map { .group(.reset($0)) }
        case .rename(let name): request = group.map { .group(.rename($0, name)) }
        case .setRole(let address, let role): request = group.map { .group(.role($0, address: "\(address)", role: role.rawValue)) }
        case .info: request = group.map { .group(.info($0)) } ?? peer.map { .contact(address: $0, .show) }
        case .verify(let address, let code):
            request = (address.map { "\($0)" } ?? peer).map { .contact(address: $0, code == nil ? .show : .verify(code: code)) }
        case .trust(let address): request = (address.map { "\($0)" } ?? peer).map { .contact(address: $0, .trust) }
        case .block(let address): request = (address.map { "\($0)" } ?? peer).map { .contact(address: $0, .block(true)) }
        case .unblock(let address): request = (address.map { "\($0)" } ?? peer).map { .contact(address: $0, .block(false)) }
        case .receipts(let line): request = .receipts(message: line)
        case .alarms: request = .alarms
        case .accept: request = peer.map { .contact(address: $0, .accept) }
        case .decline: request = peer.map { .contact(address: $0, .decline) }
        }
        guard let request else {
            return tell(.problem("That cannot be done here. The user has no address: the directory does not know who this is."))
        }
        guard session != nil else { return tell(.problem("The profile is busy. Try again.")) }
        lastCommand += 1
        commands[lastCommand] = ChatCommandRun(command: command, thread: thread)
        say(.ask(lastCommand, request))
        if case .createGroup(let name, _) = command { tell(.notice("Creating \(name) ...")) }
    }

    mutating func answer(_ reply: Reply, to number: UInt64) {
        guard var run = commands[number] else { return }
        switch reply {
        case .done:
            commands[number] = nil
            done(run)
        case .refused(let error):
            commands[number] = nil
            refused(run, error)
        case .warning(let text): tell(.problem(text))
        // The chat is told itself.
        case .late: break
        default:
            run.replies.append(reply)
            commands[number] = run
        }
    }

    private mutating func refused(_ run: ChatCommandRun, _ error: ClientError) {
        // Somebody may well be written to while the directory cannot be asked.
        if case .open(let address) = run.command, error.code != .data {
            tell(.problem(error.sentence))
            return show(address)
        }
        if case .verify = run.command, !run.replies.isEmpty {
            return tell(.panel(title: "Safety number", contact(run) + ["", error.sentence]))
        }
        tell(error.code == .kept ? .notice(error.sentence) : .problem(error.sentence))
    }

    private mutating func show(_ address: Address) {
        wanted = "\(address)"
        if rows["\(address)"] != nil { return selectWanted() }
        say(.begin("\(address)"))
    }

    // MARK: What came of it

    private mutating func done(_ run: ChatCommandRun) {
        switch run.command {
        case .open(let address): show(address)
        case .createGroup(let name, _):
            guard case .changed(let result)? = run.replies.last else { return }
            wanted = "group:\(result.id)"
            selectWanted()
            tellChange("\(name) is created.", result)
        case .add(let members):
            guard case .changed(let result)? = run.replies.last, let already = result.already else { return change("Added.", run) }
            let those = "\(already.joined(separator: ", ")) \(already.count == 1 ? "is" : "are") in it already."
            change(already.count < Set(members).count ? "Added; \(those)" : those, run)
        case .remove: change("Removed.", run)
        case .leave: change("You left the group.", run)
        case .reset: change("The group goes on in a new one.", run)
        case .rename(let name): change("The group is called \(name) now.", run)
        case .setRole(let address, let role): change("\(address) is \(role.rawValue) now.", run)
        case .info: info(run)
        case .verify(_, nil):
            let hint = "Compare it with your contact's, by voice. If they are equal: /verify NUMBER"
            tell(.panel(title: "Safety number", contact(run) + ["", hint]))
        case .verify: tell(.notice("The safety numbers are equal: \(title(run)) is verified."))
        case .trust: tell(.notice("The new key of \(title(run)) is in use. Compare safety numbers: /verify"))
        case .block: tell(.notice("\(title(run)) is blocked. /unblock \(title(run)) lifts that."))
        case .unblock: tell(.notice("\(title(run)) is not blocked any more."))
        case .accept: tell(.notice("\(title(run)) is a contact now."))
        case .decline: tell(.notice("The request of \(title(run)) is gone. /block keeps more of them away."))
        case .receipts: tell(.panel(title: "Receipts", receipts(run)))
        case .alarms:
            let lines = run.replies.compactMap { reply -> String? in if case .alarm(let alarm) = reply { Events.text(alarm) } else { nil } }
            tell(.panel(title: "Alarms", lines.isEmpty ? ["No alarms."] : lines))
        }
    }

    private func title(_ run: ChatCommandRun) -> String {
        for case .contact(let line) in run.replies { return line.address }
        return run.thread.flatMap { rows[$0]?.title } ?? "the contact"
    }

    private func change(_ sentence: String, _ run: ChatCommandRun) {
        guard case .changed(let result)? = run.replies.last else { return tell(.notice(sentence)) }
        tellChange(sentence, result)
    }

    private func tellChange(_ sentence: String, _ result: GroupResult) {
        guard !result.waiting.isEmpty else { return tell(.notice(sentence)) }
        let waiting = result.waiting.map { "\($0.address): \($0.reason)\($0.isTriedAgain ? " (tried again until it works)" : "")" }
        tell(.problem("\(sentence) Not yet with " + waiting.joined(separator: "; ")))
    }

    // MARK: Panels

    private func contact(_ run: ChatCommandRun) -> [String] {
        run.replies.flatMap { reply -> [String] in
            guard case .contact(let line) = reply else { return [] }
            let digits = line.safetyNumber.split(separator: " ").map { String($0) }
            let rows = stride(from: 0, to: digits.count, by: 4).map { "    " + digits.dropFirst($0).prefix(4).joined(separator: " ") }
            let standing =
                switch line.standing {
                case "claiming": "a changed key, not used: /trust takes it"
                case "former": "a key that was given up"
                default: line.isVerified ? "verified" : "not verified"
                }
            return ["\(line.address) (\(standing))", "  safety number:"] + rows
        }
    }

    private func info(_ run: ChatCommandRun) {
        for case .group(let group) in run.replies {
            let members = group.members.map { member -> String in
                let role = member.role == "member" ? "" : " (\(member.role))"
                return "  \(member.address)\(role)" + (member.devices == 1 ? "" : ", \(member.devices) devices")
            }
            var pending = group.pending.map { "under way: \($0)" }
            if group.needsReset == true { pending.append("it goes on only in a new one; an owner or admin enters /reset") }
            return tell(
                .panel(
                    title: group.name,
                    ["id: \(group.id)", "you: \(group.standing), \(group.role)", "ordered by node \(group.hub.prefix(16))"] + pending
                        + ["\(group.members.count) members:"] + members))
        }
        let more = run.replies.flatMap { reply -> [String] in
            guard case .contact(let line) = reply else { return [] }
            return ["  devices: \(line.devices)", "  home: node \((line.home ?? "?").prefix(16))", "  user: \(line.user)"]
        }
        tell(.panel(title: title(run), contact(run) + more + ["", "Messages are end-to-end encrypted (MLS)."]))
    }

    private func receipts(_ run: ChatCommandRun) -> [String] {
        var lines: [String] = []
        for reply in run.replies {
            switch reply {
            case .message(let line):
                guard case .text(let text) = line.kind else { continue }
                lines += [String(text.prefix { !$0.isNewline }.prefix(60)), "state: \(line.state ?? "?")", ""]
            case .receipts(let line):
                let lacks = line.lost == true ? "came back in without it" : "does not have it yet"
                let delivered = line.delivered.map { "has it since \(Format.minute($0))" } ?? lacks
                let read = line.read.map { ", read \(Format.minute($0))" } ?? ""
                lines.append("\(line.by): \(delivered)\(read)")
            default: break
            }
        }
        return lines.isEmpty ? ["Nobody has it yet."] : lines
    }
}
