internal import Client
internal import Foundation
internal import Vocabulary

/// Messages as lines: for people, and as JSON.
enum Lines {
    /// `2026-11-23 22:38 bob@tower: text`, in groups `… [team] bob@tower: text`; further lines of a text are indented.
    static func message(_ line: MessageLine) -> String {
        let time = Format.minute(line.sent)
        let group = line.groupName.map { "[\(label($0))] " } ?? ""
        let state = line.state.map { " [\($0)\(line.reason.map { ": \($0)" } ?? "")]" } ?? ""
        let peer = Printable.line(line.peer) + (line.isVerified && !line.isOutgoing ? " (verified)" : "")
        var who = peer
        if line.isOutgoing { who = line.group == nil ? "to \(peer)" : "me" }
        if line.isRequest { who = "request from \(peer)" }
        switch line.kind {
        case .text(let text):
            return "\(time) \(group)\(who): \(Printable.text(text).replacingOccurrences(of: "\n", with: "\n    "))\(state)"
        case .undecryptable(let problem):
            return "\(time) \(group)\(who): (a message that could not be decrypted: \(Printable.line(problem)))\(state)"
        case .membership(let change): return "\(time) \(group)\(sentence(change, by: peer))"
        }
    }

    /// A group's name in front of a line, where it must not pass for the rest of one: whoever made the group chose it.
    static func label(_ name: String) -> String {
        let words = Printable.line(name).split(separator: " ").joined(separator: " ")
        let plain = String(words.map { character in character == "[" || character == "]" ? "|" : character })
        return plain.count <= labelCharactersMax ? plain : plain.prefix(labelCharactersMax - 1) + "…"
    }

    private static let labelCharactersMax = 32

    static func remedy(_ peer: String) -> String {
        let peer = Printable.line(peer)
        return "    (no contact yet: courier requests accept \(peer), or courier requests decline \(peer))"
    }

    static func sentence(_ change: MembershipLine, by author: String) -> String {
        let who = change.who.map { Printable.line($0) }
        let all = who.joined(separator: ", ")
        return switch change.change {
        case "added": "\(author) added \(all)"
        case "removed": "\(author) removed \(all)"
        case "left": "\(all) left"
        case "rejoined": "\(all) came back in, without what was written meanwhile"
        case "present": "\(all) came in while this device was out"
        case "renamed": "\(author) renamed the group to \(Printable.line(change.name ?? "?"))"
        case "joined": "\(author) added you"
        case "reset":
            "\(author) went on with the group in a new one\(who.isEmpty ? "" : ", so far without \(all)")"
                + "; what was under way in the old one may be missing"
        case "restored": restored(missing: change.missing ?? 0)
        case "roles": "\(author) made " + zip(who, change.roles).map { "\($0) \($1)" }.joined(separator: ", ")
        default: "\(author): \(change.change) \(all)"
        }
    }

    private static func restored(missing: UInt64) -> String {
        let what = "the conversation's hub was restored from a backup"
        guard missing > 0 else { return what }
        return "\(what): \(missing) of the last messages or changes did not come here; what their senders still have comes again"
    }

    // MARK: JSON

    /// As `receive` shows it.
    static func json(_ line: MessageLine) -> String {
        switch line.kind {
        case .text(let text):
            return Output.text(fields(line, type: line.isRequest ? "request" : "message") + [("text", .string(text)), verified(line)])
        case .undecryptable(let problem):
            return Output.text(fields(line, type: "undecryptable") + [("reason", .string(problem)), verified(line)])
        case .membership(let change): return Output.text(membership(line, change))
        }
    }

    /// As `history` shows it: both ways.
    static func historyJSON(_ line: MessageLine) -> String {
        var fields: [(String, JSON)] = [
            ("type", .string("message")), ("id", .string(line.id)), ("conversation", .optional(line.conversation)),
            ("direction", .string(line.isOutgoing ? "out" : "in")),
        ]
        var (text, problem): (String?, String?) = (nil, nil)
        switch line.kind {
        case .text(let body): text = body
        case .undecryptable(let reason): problem = reason
        case .membership(let change): return Output.text(membership(line, change))
        }
        if line.isOutgoing {
            fields.append(("to", .string(line.groupName ?? line.peer)))
        } else {
            fields.append(("from", .string(line.peer)))
        }
        fields += group(line)
        return Output.text(
            fields + [
                ("number", .optional(line.number)), ("sent", .string(Format.time(line.sent))), ("state", .string(line.state ?? "received")),
                ("reason", .optional(line.reason ?? problem)), ("text", .optional(text)), ("request", .bool(line.isRequest)),
                verified(line),
            ])
    }

    private static func fields(_ line: MessageLine, type: String) -> [(String, JSON)] {
        [
            ("type", .string(type)), ("id", .string(line.id)), ("conversation", .optional(line.conversation)), ("from", .string(line.peer)),
        ] + group(line) + [("number", .optional(line.number)), ("sent", .string(Format.time(line.sent)))]
    }

    private static func group(_ line: MessageLine) -> [(String, JSON)] {
        guard let group = line.group else { return [] }
        return [("group", .string(group)), ("groupName", .optional(line.groupName))]
    }

    private static func verified(_ line: MessageLine) -> (String, JSON) { ("verified", .bool(line.isVerified)) }

    private static func membership(_ line: MessageLine, _ change: MembershipLine) -> [(String, JSON)] {
        [
            ("type", .string("membership")), ("id", .string(line.id)), ("conversation", .optional(line.conversation)),
            ("group", .optional(line.group)), ("groupName", .optional(line.groupName)), ("change", .string(change.change)),
            ("who", .array(change.who.map { .string($0) })), ("by", .string(line.peer)), ("number", .optional(line.number)),
            ("sent", .string(Format.time(line.sent))), ("name", .optional(change.name)),
            ("roles", .array(change.roles.map { .string($0) })), ("missing", .optional(change.missing)),
        ]
    }
}

/// What is no message, as JSON lines.
enum Events {
    static func json(_ reply: Reply) -> [String] {
        switch reply {
        case .receipt(let event):
            event.messages.map { message in
                Output.text(
                    [
                        ("type", .string("receipt")), ("message", .string(message)), ("by", .string(event.by)),
                        ("device", .string(event.device)), ("state", .string(event.state)),
                    ] + place(event.place))
            }
        case .presence(let event): [presence(event)]
        case .typing(let event):
            [
                Output.text(
                    [("type", .string("typing")), ("from", .string(event.from)), ("typing", .bool(event.isTyping))] + place(event.place))
            ]
        case .hole(let event):
            [Output.text([("type", .string("hole")), ("count", .number(UInt64(clamping: event.count)))] + place(event.place))]
        case .alarm(let alarm): [Self.alarm(alarm)]
        default: []
        }
    }

    static func presence(_ event: PresenceEvent) -> String {
        let (state, lastSeen, reason): (String, String?, String?) =
            switch event.state {
            case .online: ("online", nil, nil)
            case .lastSeen(let time): ("offline", Format.time(time), nil)
            case .notShared: ("not shared", nil, nil)
            case .unknown(let reason): ("unknown", nil, reason)
            }
        return Output.text([
            ("type", .string("presence")), ("address", .string(event.address)), ("state", .string(state)),
            ("lastSeen", .optional(lastSeen)), ("reason", .optional(reason)),
        ])
    }

    static func alarm(_ alarm: AlarmLine) -> String {
        Output.text(
            [
                ("type", .string("alarm")), ("name", .string(alarm.name)), ("detail", .string(alarm.detail)),
                ("time", .string(Format.time(alarm.time))), ("number", .optional(alarm.number)),
            ] + place(alarm.place))
    }

    static func text(_ alarm: AlarmLine) -> String {
        let number = alarm.number.map { ", event \($0)" } ?? ""
        return "\(Format.minute(alarm.time)) \(alarm.name) (\(Printable.line(alarm.place.title))\(number)): \(alarm.detail)"
    }

    private static func place(_ place: Place) -> [(String, JSON)] {
        var fields: [(String, JSON)] = [("conversation", .string(place.conversation))]
        if let name = place.groupName {
            fields += [("group", .string(place.conversation)), ("groupName", .string(name))]
        } else {
            fields.append(("peer", .optional(place.peer)))
        }
        return fields
    }
}
