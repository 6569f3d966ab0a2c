internal import ChatScreen
internal import Client
internal import Foundation

// The client's words as the screen's. Texts go on as others wrote them: the screen escapes them.

extension ThreadLine {
    init(_ line: ChatLine) {
        switch line {
        case .message(let message): self.init(message, id: line.id)
        case .hole(let id, let count):
            let now = LocalTime.dayAndTime(LocalTime.now)
            self.init(id: id, number: nil, day: now.day, time: now.time, kind: .hole(count))
        case .alarm(let id, let text, let time, let after):
            let place = LocalTime.dayAndTime(time)
            self.init(id: id, number: after.map { UInt64(clamping: $0) }, day: place.day, time: place.time, kind: .alarm(text))
        }
    }

    private init(_ line: MessageLine, id: String) {
        let place = LocalTime.dayAndTime(line.sent)
        let state = line.isOutgoing ? SendState(line.state ?? "queued", line.reason) : nil
        let isOnItsWay = line.number == nil && (state == .queued || state == .sent)
        let kind: Kind =
            switch line.kind {
            case .text(let text): state.map { .sent(text, $0) } ?? .received(from: line.peer, text)
            case .undecryptable(let reason): .unreadable(from: line.peer, reason: reason)
            case .membership(let change): .membership(Lines.sentence(change, by: line.peer))
            }
        // Places, not the hub's numbers: a thread may hold several conversations.
        self.init(id: id, number: isOnItsWay ? nil : UInt64(clamping: line.sequence), day: place.day, time: place.time, kind: kind)
    }
}

extension SendState {
    init(_ name: String, _ reason: String?) {
        switch name {
        case "sent": self = .sent
        case "accepted": self = .accepted
        case "delivered": self = .delivered
        case "read": self = .read
        case "failed": self = .failed(reason ?? "no reason was given")
        default: self = .queued
        }
    }
}

extension Presence {
    init(_ state: PresenceEvent.State) {
        switch state {
        case .online: self = .online
        case .lastSeen(let time): self = .lastSeen(LocalTime.lastSeen(time, now: LocalTime.now))
        case .notShared, .unknown: self = .unknown
        }
    }
}

extension LocalTime {
    static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }
}

extension ClientError {
    var sentence: String { "\(what) \(why) \(remedy)" }
}
