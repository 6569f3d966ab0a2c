// One event as one line of JSON. The order of the fields is fixed: the same events are the same bytes.
extension HistoryEvent {
    /// Without the newline.
    public var line: String {
        var line = JSONObject(#"{"v":1"#)
        line.add("time", time)
        line.add("client", client)
        switch what {
        case .invoke(let message, let recipient):
            line.add("type", "invoke")
            line.add("message", message)
            switch recipient {
            case .user(let address): line.add("to", address)
            case .group(let conversation): line.add("conversation", conversation)
            }
        case .ok(let message, let state, let place, let chain):
            line.add("type", "ok")
            line.add("message", message)
            line.add("state", state.name)
            line.add(place)
            line.add("chain", chain)
        case .fail(let message, let reason): line.add(type: "fail", message: message, reason: reason)
        case .info(let message, let reason): line.add(type: "info", message: message, reason: reason)
        case .show(let message, let author, let place, let chain):
            line.add("type", "show")
            line.add("message", message)
            line.add("author", author)
            line.add(place)
            line.add("chain", chain)
        case .tombstone(let place, let reason):
            line.add("type", "tombstone")
            line.add(place)
            line.add("reason", reason)
        case .change(let place, let change, let who):
            line.add("type", "change")
            line.add(place)
            line.add("change", change.rawValue)
            line.add("who", who)
        case .found(let conversation):
            line.add("type", "found")
            line.add("conversation", conversation)
        case .head(let place, let chain):
            line.add("type", "head")
            line.add(place)
            line.add("chain", chain)
        case .receipt(let place, let by, let state):
            line.add("type", "receipt")
            line.add(place)
            line.add("by", by)
            line.add("state", state.name)
        case .alarm(let name, let conversation, let number):
            line.add("type", "alarm")
            line.add("name", name)
            line.add("conversation", conversation)
            if let number { line.add("number", number) }
        case .offline: line.add("type", "offline")
        case .online: line.add("type", "online")
        case .restored: line.add("type", "restored")
        case .setBack(let place, let through):
            line.add("type", "setBack")
            line.add(place)
            line.add("through", through)
        case .gone(let conversation):
            line.add("type", "gone")
            line.add("conversation", conversation)
        case .plan(let fault):
            line.add("type", "plan")
            line.add("fault", fault)
        case .fault(let fault, let conversation):
            line.add("type", "fault")
            line.add("fault", fault)
            line.add("conversation", conversation)
        case .healed: line.add("type", "healed")
        case .gauge(let name, let value, let bound):
            line.add("type", "gauge")
            line.add("name", name)
            line.add("value", value)
            line.add("bound", bound)
        }
        return line.text + "}"
    }
}

/// A JSON object under construction.
private struct JSONObject {
    var text: String

    init(_ start: String) { text = start }

    mutating func add(_ key: String, _ value: some BinaryInteger) { text += ",\"\(key)\":\(value)" }
    mutating func add(_ key: String, _ value: String?) {
        if let value { text += ",\"\(key)\":" + Self.quoted(value) }
    }
    mutating func add(_ key: String, _ values: [String]) {
        text += ",\"\(key)\":[" + values.map { Self.quoted($0) }.joined(separator: ",") + "]"
    }
    mutating func add(_ place: HistoryEvent.Place?) {
        guard let place else { return }
        add("conversation", place.conversation)
        add("number", place.number)
    }
    mutating func add(type: String, message: String, reason: String) {
        add("type", type)
        add("message", message)
        add("reason", reason)
    }

    private static func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
