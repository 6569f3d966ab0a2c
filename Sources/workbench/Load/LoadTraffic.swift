internal import ClientCore
internal import Cryptography
internal import Glibc
internal import NIOCore
internal import Synchronization
internal import Vocabulary

/// Messages from one user of each pair to the other, each followed to `delivered`.
final class LoadTraffic {
    enum Pace {
        /// So many undelivered of each sender.
        case window(Int)
        /// So many undelivered of all senders together, who speak in turn: the same work however many they are.
        case shared(Int)
        /// So many a second of all senders together.
        case rate(Int)
    }

    struct Outcome {
        var seconds = 0.0
        /// In nanoseconds, one a delivered message.
        var latencies: [Int64] = []
        var failed = 0
    }

    private let senders: [[LoadSender]]
    private let count: Int

    /// Users 2i and 2i+1 are a pair, on different nodes; senders alternate between the nodes.
    init(_ crowd: LoadCrowd, pairs: Int, bytes: Int) {
        let text = String(repeating: "x", count: bytes)
        let all = (0..<pairs).map { pair in
            let (one, two) = (crowd.users[2 * pair], crowd.users[2 * pair + 1])
            return pair % 2 == 0 ? LoadSender(one, to: two, text) : LoadSender(two, to: one, text)
        }
        senders = Array(Dictionary(grouping: all) { ObjectIdentifier($0.user.loop) }.values)
        count = pairs
    }

    var recipients: [LoadUser] { senders.joined().map(\.recipient) }

    /// Founds the conversations; what the members then change by themselves is waited for, so that nothing happens but messages.
    func found() throws { try Self.found([self]) }

    /// Of several at once: they wait together.
    static func found(_ all: [LoadTraffic]) throws {
        for sender in all.flatMap({ $0.senders.joined() }) {
            let address = try sender.user.loop.submit { sender.user.address }.wait()
            try sender.recipient.loop.submit { sender.recipient.accepts = address }.wait()
        }
        for _ in 0..<2 {
            for traffic in all { _ = try traffic.run(messages: traffic.count, pace: .window(1)) }
            sleep(3)
        }
        for traffic in all { _ = try traffic.run(messages: traffic.count, pace: .window(1)) }
        usleep(300_000)
    }

    /// Everybody who takes part goes on without the device's logic; what is sent from now on is opaque.
    func becomeOpaque() throws {
        for sender in senders.joined() {
            guard try sender.user.loop.submit({ sender.user.becomeVoice() }).wait(),
                try sender.recipient.loop.submit({ sender.recipient.becomeVoice() }).wait()
            else { throw LoadFailure("a user has lost its session") }
            sender.isOpaque = true
        }
    }

    /// - Parameter goal: when a message is done: `delivered`, or `accepted` where nobody is there to take it.
    func run(messages: Int, pace: Pace, goal: MessageState = .delivered) throws -> Outcome {
        let tally = Tally()
        var start = LoadClock.now
        var rank = 0
        for sender in senders.joined() {
            let share = messages / count + (rank < messages % count ? 1 : 0)
            rank += 1
            let ready = sender.begin(share: share, window: pace.window, goal: goal, tally)
            // A metronome takes who cannot send for one who has nothing left.
            if pace.window == nil { try ready.wait() }
        }
        if case .shared(let size) = pace {
            start = LoadClock.now
            for (index, some) in senders.enumerated() {
                let share = size / senders.count + (index < size % senders.count ? 1 : 0)
                let ring = LoadRing(some)
                some.first?.user.loop.execute { for _ in 0..<share { ring.sendNext() } }
            }
        }
        if case .rate(let rate) = pace {
            start = LoadClock.now + .milliseconds(10)
            // Each loop sends its share of the rate, in turn from its senders.
            for senders in senders {
                LoadMetronome(senders, interval: 1e9 * Double(count) / (Double(rate) * Double(senders.count)), start: start).begin()
            }
        }
        var (last, lastChange, lastNote) = (0, start, start)
        while last < messages {
            usleep(2_000)
            let done = tally.done.load(ordering: .acquiring)
            let now = LoadClock.now
            if done != last { (last, lastChange) = (done, now) }
            if now - lastChange > .seconds(30) {
                throw LoadFailure("stands still at \(done) of \(messages) messages; failed: \(tally.reason.withLock { $0 } ?? "none")")
            }
            if now - lastNote > .seconds(2) {
                lastNote = now
                note("delivered: \(done) of \(messages)")
            }
        }
        var outcome = Outcome()
        var end = start
        for sender in senders.joined() {
            let (latencies, failed, finished) = try sender.user.loop.submit { sender.results }.wait()
            outcome.latencies += latencies
            outcome.failed += failed
            end = max(end, finished)
        }
        outcome.seconds = Double((end - start).nanoseconds) / 1e9
        if let reason = tally.reason.withLock({ $0 }) { note("failed: \(outcome.failed), the first because: \(reason)") }
        return outcome
    }

    /// What the main thread watches.
    final class Tally: Sendable {
        let done = Atomic(0)
        let reason = Mutex<String?>(nil)
    }
}

extension LoadTraffic.Pace {
    fileprivate var window: Int? {
        if case .window(let size) = self { size } else { nil }
    }
}

/// Unchecked: used on its user's event loop only, apart from `init`.
final class LoadSender: @unchecked Sendable {
    let user: LoadUser
    let recipient: LoadUser
    /// Set between runs only.
    var isOpaque = false
    private var random: SeededGenerator
    private let text: String
    private var address: Address?
    private var left = 0
    private var inFlight: [MessageID: Instant] = [:]
    private var tally = LoadTraffic.Tally()
    /// What one that is done gives rise to.
    fileprivate var whenDone: () -> Void = {}
    private var goal = MessageState.delivered
    private(set) var results: (latencies: [Int64], failed: Int, finished: Instant) = ([], 0, .start)

    init(_ user: LoadUser, to recipient: LoadUser, _ text: String) {
        (self.user, self.recipient, self.text) = (user, recipient, text)
        random = SeededGenerator(seed: UInt64.random(in: 0 ... .max))
    }

    /// - Parameter window: nil when somebody else says when to send.
    func begin(share: Int, window: Int?, goal: MessageState, _ tally: LoadTraffic.Tally) -> EventLoopFuture<Void> {
        recipient.loop.submit { [recipient] in recipient.address }.hop(to: user.loop).map { address in
            (self.address, self.left, self.tally) = (address, share, tally)
            self.whenDone = window == nil ? {} : { [unowned self] in self.send(due: LoadClock.now) }
            self.results = ([], 0, .start)
            self.goal = goal
            self.user.onEvent = { [weak self] _, event in self?.heard(event) }
            for _ in 0..<(window ?? 0) { self.send(due: LoadClock.now) }
            self.user.flush()
        }
    }

    /// - Returns: false when it has nothing left.
    @discardableResult
    func send(due: Instant) -> Bool {
        guard left > 0, let address else { return false }
        left -= 1
        if isOpaque {
            guard let message = user.say(using: &random) else { return false }
            inFlight[message] = due
        } else {
            inFlight[user.send(text, to: address)] = due
        }
        return true
    }

    private func heard(_ event: LoadUser.Event) {
        guard case .state(let message, let state, let refusal) = event, state == goal || state == .failed else { return }
        guard let due = inFlight.removeValue(forKey: message) else { return }
        let now = LoadClock.now
        if state == goal {
            results.latencies.append((now - due).nanoseconds)
        } else {
            results.failed += 1
            tally.reason.withLock { if $0 == nil { $0 = refusal.map { "\($0.explanation)" } ?? "no reason given" } }
        }
        results.finished = now
        tally.done.add(1, ordering: .releasing)
        whenDone()
    }
}

/// Senders of one event loop who speak in turn, one more for each that is done.
///
/// Unchecked: used on its senders' event loop only, apart from `init`.
private final class LoadRing: @unchecked Sendable {
    private let senders: [LoadSender]
    private var next = 0

    init(_ senders: [LoadSender]) { self.senders = senders }

    func sendNext() {
        for _ in senders {
            let sender = senders[next]
            next = (next + 1) % senders.count
            sender.whenDone = { [self] in sendNext() }
            guard sender.send(due: LoadClock.now) else { continue }
            return sender.user.flush()
        }
    }
}

/// Sends at given times; what is late is sent at once and counts from when it was due.
///
/// Unchecked: used on its senders' event loop only, apart from `init`.
private final class LoadMetronome: @unchecked Sendable {
    private let senders: [LoadSender]
    private let interval: Double
    private let start: Instant
    private var sent = 0

    init(_ senders: [LoadSender], interval: Double, start: Instant) {
        (self.senders, self.interval, self.start) = (senders, interval, start)
    }

    func begin() {
        guard let loop = senders.first?.user.loop else { return }
        loop.scheduleRepeatedTask(initialDelay: .milliseconds(10), delay: .milliseconds(1)) { task in
            let now = LoadClock.now
            var spoken: [LoadUser] = []
            defer { for user in spoken { user.flush() } }
            while true {
                let due = self.start + .nanoseconds(Int64(Double(self.sent) * self.interval))
                guard due <= now else { return }
                spoken.append(self.senders[self.sent % self.senders.count].user)
                guard self.senders[self.sent % self.senders.count].send(due: due) else { return task.cancel() }
                self.sent += 1
            }
        }
    }
}
