internal import Foundation

/// A line that is no event.
public struct HistoryLineError: Error, Hashable, CustomStringConvertible {
    public let description: String
}

extension HistoryEvent {
    private struct Fields: Decodable {
        var v: Int
        var time: Int64
        var client, type: String
        var message, to, conversation, state, chain, reason, author, change, by, name, fault: String?
        var number, through: UInt64?
        var who: [String]?
        var value, bound: Int64?
    }

    /// Reads a line; fields that are not known are ignored.
    public init(line: String) throws(HistoryLineError) {
        func bad(_ why: String) -> HistoryLineError { HistoryLineError(description: "no event of a history: \(why): \(line.prefix(200))") }
        guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(line.utf8)) else { throw bad("fields are missing") }
        guard fields.v == 1 else { throw bad("version \(fields.v)") }
        func need<T>(_ value: T?, _ name: String) throws(HistoryLineError) -> T {
            guard let value else { throw bad("\(fields.type) without \(name)") }
            return value
        }
        func place() throws(HistoryLineError) -> Place {
            Place(try need(fields.conversation, "conversation"), try need(fields.number, "number"))
        }
        func state() throws(HistoryLineError) -> State { try need(State(name: try need(fields.state, "state")), "a known state") }
        let what: What
        switch fields.type {
        case "invoke":
            let recipient: Recipient =
                if let to = fields.to { .user(to) } else { .group(try need(fields.conversation, "to or conversation")) }
            what = .invoke(message: try need(fields.message, "message"), to: recipient)
        case "ok":
            let place = fields.number.flatMap { number in fields.conversation.map { Place($0, number) } }
            what = .ok(message: try need(fields.message, "message"), try state(), place, chain: fields.chain)
        case "fail": what = .fail(message: try need(fields.message, "message"), reason: fields.reason ?? "")
        case "info": what = .info(message: try need(fields.message, "message"), reason: fields.reason ?? "")
        case "show":
            what = .show(
                message: try need(fields.message, "message"), author: try need(fields.author, "author"), try place(), chain: fields.chain)
        case "tombstone": what = .tombstone(try place(), reason: fields.reason ?? "")
        case "change":
            let change = try need(Change(rawValue: try need(fields.change, "change")), "a known change")
            what = .change(try place(), change, who: fields.who ?? [])
        case "found": what = .found(conversation: try need(fields.conversation, "conversation"))
        case "head": what = .head(try place(), chain: try need(fields.chain, "chain"))
        case "receipt": what = .receipt(try place(), by: try need(fields.by, "by"), try state())
        case "alarm":
            what = .alarm(
                try need(fields.name, "name"), conversation: try need(fields.conversation, "conversation"), number: fields.number)
        case "offline": what = .offline
        case "online": what = .online
        case "restored": what = .restored
        case "setBack": what = .setBack(try place(), through: try need(fields.through, "through"))
        case "gone": what = .gone(conversation: fields.conversation)
        case "plan": what = .plan(fault: try need(fields.fault, "fault"))
        case "fault": what = .fault(try need(fields.fault, "fault"), conversation: fields.conversation)
        case "healed": what = .healed
        case "gauge":
            what = .gauge(try need(fields.name, "name"), value: try need(fields.value, "value"), bound: try need(fields.bound, "bound"))
        default: throw bad("an unknown type")
        }
        self.init(fields.time, fields.client, what)
    }
}
