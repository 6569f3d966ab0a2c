internal import Cryptography
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization
internal import Transport
internal import Vocabulary

/// All users of a run, spread over some event loops.
final class LoadCrowd {
    let users: [LoadUser]
    private let group: MultiThreadedEventLoopGroup

    /// - Parameters:
    ///   - links: the user with index i registers with `links[i % links.count]`.
    ///   - first: the index of the first, where two crowds are at one node.
    init(count: Int, links: [InvitationLink], threads: Int, seed: UInt64, first: Int = 0) throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let tls = try TLSContexts.client()
        users = try (first..<first + count).map { index in
            try LoadUser(index: index, link: links[index % links.count], tls: tls, loop: group.next(), seed: seed)
        }
        self.group = group
    }

    struct Opening {
        var seconds = 0.0
        /// From the decision to connect to the node's `ready`, in nanoseconds, a session each.
        var times: [Int64] = []
        /// Attempts that ended otherwise; the device tried again by itself.
        var failures = 0
    }

    /// Starts users until all have a session.
    ///
    /// - Parameters:
    ///   - pending: how many may be on the way at once.
    ///   - thenStop: each ends as soon as it is there.
    ///   - voices: without a device's logic, which is for users that are registered.
    ///   - some: who; nil: all.
    func open(_ what: String, pending: Int, thenStop: Bool = false, voices: Bool = false, some: [LoadUser]? = nil) throws -> Opening {
        let users = some ?? users
        let progress = Progress()
        let loops = Dictionary(grouping: users) { ObjectIdentifier($0.loop) }
        let gates = loops.values.map {
            LoadGate($0, slots: max(1, pending / loops.count), thenStop: thenStop, voices: voices, progress)
        }
        let start = LoadClock.now
        for gate in gates { gate.begin() }
        var (last, lastChange, lastNote) = (0, start, start)
        while last < users.count {
            usleep(5_000)
            let (up, lastFailure, fatal) = progress.state.withLock { ($0.up, $0.lastFailure, $0.fatal) }
            if let fatal { throw LoadFailure("\(what): \(fatal)") }
            let now = LoadClock.now
            if up != last { (last, lastChange) = (up, now) }
            if now - lastChange > .seconds(30) {
                throw LoadFailure("\(what): stands still at \(up) of \(users.count): \(lastFailure ?? "no reason given")")
            }
            if now - lastNote > .seconds(2) {
                lastNote = now
                note("\(what): \(up) of \(users.count)")
            }
        }
        var opening = Opening(seconds: Double((LoadClock.now - start).nanoseconds) / 1e9)
        opening.failures = progress.state.withLock { $0.failures }
        for gate in gates { opening.times += gate.takeTimes() }
        return opening
    }

    /// Counts sessions that end from now on.
    func watchForLosses() -> Losses {
        let losses = Losses()
        for user in users {
            user.loop.execute {
                user.onEvent = { _, event in
                    switch event {
                    case .down, .ended: losses.count.add(1, ordering: .relaxed)
                    default: break
                    }
                }
            }
        }
        return losses
    }

    final class Losses: Sendable { let count = Atomic(0) }

    func stop() {
        for user in users { user.loop.execute { user.stop() } }
        usleep(100_000)
        try? group.syncShutdownGracefully()
    }

    final class Progress: Sendable {
        struct State {
            var up = 0
            var failures = 0
            var lastFailure: String?
            var fatal: String?
        }
        let state = Mutex(State())
    }
}

/// Lets the users of one event loop in, so many at once.
///
/// Unchecked: used on its loop only, apart from `init`.
private final class LoadGate: @unchecked Sendable {
    private let users: [LoadUser]
    private let slots: Int
    private let thenStop: Bool
    private let voices: Bool
    private let progress: LoadCrowd.Progress
    private var next = 0
    private var times: [Int64] = []

    init(_ users: [LoadUser], slots: Int, thenStop: Bool, voices: Bool, _ progress: LoadCrowd.Progress) {
        (self.users, self.slots, self.thenStop, self.voices, self.progress) = (users, slots, thenStop, voices, progress)
    }

    func begin() {
        users.first?.loop.execute { for _ in 0..<self.slots { self.startNext() } }
    }

    func takeTimes() -> [Int64] {
        (try? users.first?.loop.submit { self.times }.wait()) ?? []
    }

    private func startNext() {
        guard next < users.count else { return }
        let user = users[next]
        next += 1
        let start = LoadClock.now
        user.onEvent = { [progress] user, event in
            switch event {
            case .up:
                user.onEvent = { _, _ in }
                self.times.append((LoadClock.now - start).nanoseconds)
                if self.thenStop { user.stop() }
                progress.state.withLock { $0.up += 1 }
                self.startNext()
            case .down(let failure):
                progress.state.withLock {
                    $0.failures += 1
                    $0.lastFailure = "\(failure.explanation)"
                }
            case .refused(let refusal): progress.state.withLock { $0.fatal = "\(refusal.explanation)" }
            case .ended(let reason):
                progress.state.withLock {
                    $0.failures += 1
                    $0.lastFailure = reason
                }
                user.loop.assumeIsolated().scheduleTask(in: .milliseconds(200)) { user.startVoice() }
            case .state, .received, .answered: break
            }
        }
        if voices { user.startVoice() } else { user.start() }
    }
}
