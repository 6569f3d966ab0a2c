import Foundation
import Glibc
import Histories

/// Two users who write to each other, each with a running receiver and two hands that type; and the record of all that is seen.
///
/// Unchecked: all that changes is behind the lock.
final class Traffic: @unchecked Sendable {
    let users: [User]
    private let total: Int
    private let lock = NSLock()
    private var history: [HistoryEvent] = []
    private var strange: [String] = []
    private var receivers: [Program?] = [nil, nil]
    private var begun = [0, 0]
    private var ended = [0, 0]
    private var isPaused = [false, false]
    private let hands = DispatchGroup()

    /// - Parameter total: messages of both together.
    init(_ users: [User], total: Int) { (self.users, self.total) = (users, total) }

    var events: [HistoryEvent] { lock.withLock { history } }
    /// Exit codes and lines that a command must not give here.
    var complaints: [String] { lock.withLock { strange } }
    var endedCount: Int { lock.withLock { ended.reduce(0, +) } }
    var isComplete: Bool { endedCount >= total / 2 * 2 }

    func hasEnded(_ index: Int) -> Bool { lock.withLock { ended[index] >= total / 2 } }

    private let start = ContinuousClock.now

    func note(_ client: String, _ what: HistoryEvent.What) { lock.withLock { append(client, what) } }

    /// With the lock held.
    private func append(_ client: String, _ what: HistoryEvent.What) {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        history.append(HistoryEvent(seconds * 1_000_000_000 + attoseconds / 1_000_000_000, client, what))
    }

    // MARK: Sending

    func startSending() {
        for index in users.indices {
            for _ in 0..<2 {
                hands.enter()
                let thread = Thread { [self] in
                    while let text = next(index) { send(text, by: index) }
                    hands.leave()
                }
                thread.start()
            }
        }
    }

    func waitForSenders() { hands.wait() }

    private func next(_ index: Int) -> String? {
        while true {
            let text: String?? = lock.withLock {
                if isPaused[index] { return .none }
                guard begun[index] < total / 2 else { return .some(nil) }
                begun[index] += 1
                let text = "\(users[index].handle)-\(begun[index])"
                append(users[index].address, .invoke(message: text, to: .user(users[1 - index].address)))
                return text
            }
            if let text { return text }
            usleep(5000)
        }
    }

    private func send(_ text: String, by index: Int) {
        do {
            let outcome = try users[index].send(text, to: users[1 - index], wait: "sent", timeout: "20s")
            lock.withLock {
                for line in outcome.json {
                    if let state = line.text("state").flatMap({ HistoryEvent.State(name: $0) }) {
                        append(users[index].address, .ok(message: text, state))
                    } else {
                        strange.append("\(outcome)")
                    }
                }
                if outcome.code != 0, outcome.code != 75 { strange.append("\(outcome)") }
                ended[index] += 1
            }
        } catch {
            lock.withLock {
                strange.append("\(error)")
                ended[index] += 1
            }
        }
    }

    // MARK: Receiving

    func startReceiver(_ index: Int) throws {
        let reader = users[index].address
        note(reader, .online)
        let program = try users[index].follow { [self] line in
            let parsed = JSONLine(line)
            // What receivers tell beside messages is judged by what it leads to.
            if ["receipt", "presence", "hole"].contains(parsed?.text("type")) { return }
            guard let line = parsed, line.text("type") == "message", let text = line.text("text"), let from = line.text("from"),
                let place = line.place
            else {
                return lock.withLock { strange.append("\(reader) was shown: \(line)") }
            }
            note(reader, .show(message: text, author: from, place))
        }
        lock.withLock { receivers[index] = program }
    }

    /// The user goes away: no command of the user runs when this returns, until `comeBack`.
    func leave(_ index: Int) throws {
        lock.withLock { isPaused[index] = true }
        try eventually("the commands of \(users[index].handle) end") { lock.withLock { begun[index] == ended[index] } }
        try stopReceiver(index)
        note(users[index].address, .offline)
    }

    func comeBack(_ index: Int) throws {
        try startReceiver(index)
        lock.withLock { isPaused[index] = false }
    }

    func stopReceiver(_ index: Int) throws {
        guard let receiver = lock.withLock({ receivers[index] }) else { return }
        receiver.signal(SIGTERM)
        let exit = try receiver.waitForExit()
        if exit != .code(0) { lock.withLock { strange.append("a receiver ended with \(exit): \(receiver.errors)") } }
    }

    // MARK: What senders know

    /// Notes what the user's own history says of the messages.
    /// - Returns: how many are delivered, and how many there are.
    @discardableResult
    func notePerception(of index: Int) throws -> (delivered: Int, all: Int) {
        let outgoing = try users[index].history(with: users[1 - index]).filter { $0.text("direction") == "out" }
        for line in outgoing {
            guard let text = line.text("text") else { continue }
            switch line.text("state") {
            case "delivered", "read": note(users[index].address, .ok(message: text, .delivered, line.place))
            case "failed": note(users[index].address, .fail(message: text, reason: "\(line)"))
            default: continue
            }
        }
        return (outgoing.count { $0.isDelivered }, outgoing.count)
    }
}

extension JSONLine {
    /// Of the sender's history: what was read was delivered too.
    var isDelivered: Bool { ["delivered", "read"].contains(text("state")) }

    var place: HistoryEvent.Place? {
        guard let conversation = text("conversation"), let number = number("number") else { return nil }
        return HistoryEvent.Place(conversation, UInt64(clamping: number))
    }
}
